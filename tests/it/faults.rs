//! Faults from outside: images that are damaged or lie, damage inside the store, a full disk.

mod bombs;
mod full_disk;
mod layouts;
mod places;
mod stored;
