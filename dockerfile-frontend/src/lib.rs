//! The Dockerfile language, as BuildKit understands it: from bytes to typed instructions, and what is wrong with them.
//!
//! [`Source`] takes the bytes, [`scan`] makes [`Statement`]s of them (what Moby calls the parse tree), [`parse`] makes
//! a typed [`Dockerfile`]; [`words`] expands quotes and variables once there are values for them. Nothing here runs,
//! reads files or knows what a container is. No bytes make this crate panic, and the first mistake never hides
//! the next: they are collected as [`Diagnostic`]s.

pub mod ast;
mod diagnostic;
mod dump;
mod lexer;
mod parser;
mod source;
mod statement;
pub mod words;

pub use ast::Dockerfile;
pub use diagnostic::{Diagnostic, Severity};
pub use dump::dump;
pub use lexer::Heredoc;
pub use parser::{Parsed, Scanned, nanoseconds, parse, scan};
pub use source::{Directive, Directives, MAX_BYTES, Source, Span};
pub use statement::Statement;
