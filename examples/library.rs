//! An image from a program: one file from the host, a command, a fixed date, so that the same file gives the same id.
//!
//! `library STORE FILE` makes the image `localhost/example` in that store and prints its id. No `kiln` is needed, and
//! no root.

#![allow(clippy::print_stdout, reason = "it is a program, and this is its result")]

use std::path::{Path, PathBuf};

use builder_core::{
    Builder, Commit, Config, ConfigEdit, Copy, CopyFrom, Error, From, Host, Result, Rm, Settings, Shown,
    Silent, Times,
};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [store, file] = words.as_slice() else {
        return Err(Error::invalid("cannot tell what to do").hint("library STORE FILE"));
    };

    // An ordinary user's process moves into a user namespace of its own; before any thread starts.
    let host = Host::look();
    host.enter(Path::new("/etc"))?;
    let settings = Settings { root: PathBuf::from(store), ..Settings::default() };
    let builder = Builder::open(&settings, host, &Silent)?;

    // Every verb is a plain value, and is performed.
    let container = From { image: "scratch".into(), ..From::default() }.perform(&builder)?.name;
    let copy = Copy { sources: vec![file.clone()], destination: "/".into(), ..Copy::default() };
    copy.perform_in(&builder, &container, &CopyFrom::Host(PathBuf::from("/")), false, &Shown::Nothing)?;
    let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
    let edits = vec![ConfigEdit::Cmd(Some(vec![format!("/{name}")]))];
    Config { container: container.clone(), edits, history: Vec::new() }.perform(&builder)?;
    let image = Commit {
        container: container.clone(),
        image: Some("example".into()),
        times: Times::Set(0),
        created: Some(0),
        ..Commit::default()
    };
    let made = image.perform(&builder)?;
    Rm { container }.perform(&builder)?;
    println!("{}", made.id);
    Ok(())
}
