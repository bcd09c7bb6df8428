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

/// How often one is asked again.
const ATTEMPTS: usize = 3;

/// Has one of `options` chosen by its number; an empty answer is the first.
pub fn choose(question: &str, options: &[String]) -> Result<usize> {
    let mut text = format!("{question}:\n");
    for (place, option) in options.iter().enumerate() {
        text.push_str(&format!("  {}) {option}\n", place + 1));
    }
    for _ in 0..ATTEMPTS {
        let answer = ask(&format!("{text}Number [1]: "), "write the whole name")?;
        text.clear();
        match answer.trim() {
            "" => return Ok(0),
            number => {
                let place = number.parse().ok().filter(|place| (1..=options.len()).contains(place));
                if let Some(place) = place {
                    return Ok(place - 1);
                }
            }
        }
    }
    Err(Error::invalid("cannot tell which one is meant")
        .because(format!("a number from 1 to {} was asked for", options.len()))
        .hint(format!("write the whole name: {}", options[0])))
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
