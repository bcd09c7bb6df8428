//! Credentials: what they are, and where they are kept: `auth.json`, Docker's `config.json`, credential helpers
//! (containers-auth.json(5)). Which registry may see them is `transport`'s business.

mod file;

mod keyring;
mod program;

pub(crate) use keyring::Keyring;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};

/// The user name by which Docker marks a secret that is an identity token.
const TOKEN_USER: &str = "<token>";

/// What one logs in with. Neither shown by `Debug` nor part of any message.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// An OAuth2 refresh token, which Docker calls identity token.
    Token(String),
}

impl Credentials {
    /// Of `USER:PASSWORD`, as `--creds` has it; the password is asked of `ask` if there is none.
    pub fn parse(text: &str, ask: impl FnOnce() -> Result<String>) -> Result<Self> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, password.to_owned()),
            None => (text, ask()?),
        };
        if user.is_empty() {
            return Err(Error::invalid("cannot use the credentials")
                .because("they have no user name")
                .hint("write --creds USER:PASSWORD"));
        }
        Ok(Credentials::Password { user: user.to_owned(), password })
    }

    /// The value of a Basic `Authorization` header; a token has none.
    pub(crate) fn basic(&self) -> Option<String> {
        match self {
            Credentials::Password { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Credentials::Token(_) => None,
        }
    }

    /// The name, where there is one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Credentials::Password { user, .. } => Some(user),
            Credentials::Token(_) => None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// A token that is sent to a registry as it is, in place of logging in. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(pub String);

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

#[cfg(test)]
mod tests;
