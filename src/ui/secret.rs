//! Questions on the terminal, and answers that are not shown while they are typed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};

use builder_core::{Error, Kind, Result};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The longest answer that is taken.
const MAX_ANSWER: u64 = 64 << 10;

/// Asks on the terminal. Without one it is an error, and `instead` its hint.
pub fn ask(question: &str, instead: &str) -> Result<String> {
    read(question, instead, false)
}

/// As [`ask`], for what others must not read over one's shoulder.
pub fn ask_secret(question: &str, instead: &str) -> Result<String> {
    read(question, instead, true)
}

fn read(question: &str, instead: &str, secret: bool) -> Result<String> {
    let sentence = || format!("cannot ask for `{}`", question.trim_end_matches([':', ' ']).to_lowercase());
    let terminal =
        File::options().read(true).write(true).open("/dev/tty").map_err(|_| {
            Error::new(Kind::Invalid, sentence()).because("there is no terminal").hint(instead)
        })?;
    let failed = |cause: std::io::Error| Error::new(Kind::Io, sentence()).because(cause);
    (&terminal).write_all(question.as_bytes()).map_err(failed)?;
    let _quiet = secret.then(|| Quiet::begin(&terminal)).transpose().map_err(failed)?;
    let mut answer = String::new();
    BufReader::new((&terminal).take(MAX_ANSWER)).read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
}

/// A terminal that does not show what is typed, until dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn begin(terminal: &'a File) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Quiet { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
        let _ = self.terminal.write_all(b"\n");
    }
}
