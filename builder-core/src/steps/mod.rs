//! The verbs that change a container. Each is a plain value that can be written down, and is performed.

mod copy;
