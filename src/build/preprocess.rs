//! Dockerfiles whose name ends with `.in`: the C preprocessor of this machine makes the Dockerfile of them.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use builder_core::{Error, Kind, Result};

use crate::ui;

/// Whether the file goes through the preprocessor.
pub fn is_source(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("in"))
}

/// What the preprocessor makes of `text`, the content of `path`; what it includes is looked for beside that.
pub fn preprocess(path: &Path, text: &[u8], flags: &[String]) -> Result<Vec<u8>> {
    let shown = path.display();
    let cannot = |cause: std::io::Error| {
        Error::new(Kind::Io, format!("cannot preprocess `{shown}`"))
            .because(format!("cpp: {cause}"))
            .hint("install cpp, or preprocess it yourself: cpp -E -traditional -undef FILE.in >FILE")
    };
    let beside = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As Buildah calls it: a Dockerfile is no C, and names that a compiler knows mean nothing in it.
    let mut child = Command::new("cpp")
        .args(["-E", "-traditional", "-undef", "-iquote"])
        .arg(beside)
        .args(flags)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let mut input = child.stdin.take().expect("it was asked for");
    let output = std::thread::scope(|scope| {
        // One that stops reading has failed, and says so itself.
        scope.spawn(move || drop(input.write_all(text)));
        child.wait_with_output()
    });
    let output = output.map_err(cannot)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(output.stdout);
    }
    let fatal = said.contains("fatal error") || said.contains("No such file");
    if output.stdout.is_empty() || fatal {
        let first = said.lines().next().unwrap_or("it failed").to_owned();
        return Err(Error::invalid(format!("cannot preprocess `{shown}`")).because(first));
    }
    // A comment that looks like a directive is one to it; the lines are there all the same.
    said.lines().for_each(|line| ui::show_warning(line, None));
    Ok(output.stdout)
}
