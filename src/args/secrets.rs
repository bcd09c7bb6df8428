//! Secrets for commands: what `--secret` says, with the caller's variables.

use std::os::unix::ffi::OsStrExt;

use builder_core::{Error, Result, Secret, SecretValue};

use crate::settings::Environment;

/// The secrets of a command line. A file of one must be there, whether or not a command asks for it.
pub fn secrets(texts: &[String]) -> Result<Vec<Secret>> {
    let variable = |name: &str| Environment::get(name).map(|value| value.as_bytes().to_vec());
    texts
        .iter()
        .map(|text| {
            let secret = Secret::parse(text, &variable)?;
            if let SecretValue::File(path) = &secret.value {
                std::fs::metadata(path).map_err(|cause| {
                    Error::invalid(format!("cannot use the secret `{}`", secret.id))
                        .because(format!("{}: {cause}", path.display()))
                        .hint("write it as id=NAME,src=FILE or id=NAME,env=VARIABLE")
                })?;
            }
            Ok(secret)
        })
        .collect()
}
