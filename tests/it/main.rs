//! The command-line tests: one binary, one file of stories for each verb, and what they share in `support`.
//!
//! A test that this machine cannot run says so through `support::needs` and is listed at the end with its reason.

mod cached;
mod check;
mod commit;
mod concurrency;
mod config;
mod containers;
mod copy;
mod dockerfile;
mod doctor;
mod examples;
mod faults;
mod from;
mod hostile;
mod image;
mod images;
mod info;
mod inspect;
mod interop;
mod interop_buildah;
mod interop_places;
mod manifest;
mod mount;
mod old_kernel;
mod power_cut;
mod prune;
mod pull;
mod push;
mod readme;
mod regression;
mod rename;
mod restricted;
mod rm;
mod rmi;
mod rootless;
mod run;
mod save;
mod support;
mod tag;
mod tidy;
mod umount;
mod unshare;
mod version;
