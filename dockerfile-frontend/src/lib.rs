//! The Dockerfile language, as BuildKit understands it: from bytes to typed instructions, and what is wrong with them.
//!
//! [`Source`] takes the bytes, [`scan`] makes [`Statement`]s of them (what Moby calls the parse tree), [`parse`] makes
//! a typed [`Dockerfile`]; [`words`] expands quotes and variables once there are values for them. [`Graph`] finds the
//! stages, [`lint`] what is hardly meant, and [`execute`] builds the stages by [`verbs`], which is all this crate
//! knows of containers: it runs nothing and reads no files. No bytes make it panic, and the first mistake never hides
//! the next: they are collected as [`Diagnostic`]s.

// The tests that the fuzz target shares name the crate as it does.
#[cfg(test)]
extern crate self as dockerfile_frontend;

pub mod ast;
mod diagnostic;
mod dump;
mod execute;
mod graph;
mod lexer;
pub mod lint;
mod lower;
mod parser;
mod scope;
pub mod script;
mod source;
mod statement;
pub mod verbs;
pub mod words;

pub use ast::Dockerfile;
pub use diagnostic::{Diagnostic, Severity};
pub use dump::dump;
pub use execute::{Build, Built, Failed, execute};
pub use graph::{Graph, Stage, StageBase};
pub use lexer::Heredoc;
pub use parser::{Parsed, Scanned, nanoseconds, parse, scan};
pub use scope::{Given, unused};
pub use source::{Directive, Directives, MAX_BYTES, Source, Span};
pub use statement::Statement;
