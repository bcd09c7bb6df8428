//! The command-line tests: one binary, one file of stories for each verb, and what they share in `support`.
//!
//! A test that this machine cannot run says so through `support::needs` and is listed at the end with its reason.

mod concurrency;
mod copy;
mod examples;
mod power_cut;
mod support;
mod tidy;
