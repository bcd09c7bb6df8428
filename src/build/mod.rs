//! Builds by a Dockerfile: where its file and context come from, its verbs performed by the library, and what becomes
//! of the image. The language is `dockerfile_frontend`'s; the flags are `commands::build`'s.

mod adapter;
mod context;
mod file;
pub mod output;
mod preprocess;
mod rules;

pub use adapter::{Adapter, FailedCommand, MadeStage, Options};
pub use context::{Asked, Contexts, Named, cannot, name_and_value};
pub use file::{Found, find, find_all, ignore_file, ignore_lines};
pub use output::Output;
pub use rules::Rules;
