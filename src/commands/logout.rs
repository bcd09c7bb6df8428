//! `kiln logout`.

use std::path::PathBuf;

use builder_core::{Access, LogOut, Result};

use crate::args::parse_bool;
use crate::cli::Context;
use crate::exit::Exit;
use crate::settings;
use crate::ui::{self, Talk};

/// Forget the credentials for a registry
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The registry, as it was named to `login`
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    registry: Option<String>,
    /// Forget the credentials for all registries
    #[arg(long, short)]
    all: bool,
    /// The file with the credentials [env: REGISTRY_AUTH_FILE]
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// A file with the credentials in the form of Docker's config.json
    #[arg(long, value_name = "FILE", conflicts_with = "authfile")]
    compat_auth_file: Option<PathBuf>,
    /// For scripts that say this of every verb: to forget credentials no registry is asked
    #[arg(long, value_name = "BOOL", value_parser = parse_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls_verify: Option<bool>,
}

impl Args {
    /// Forgets them; what is printed is what Buildah prints.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let auth_file = self.authfile.or(self.compat_auth_file);
        let access = Access { auth_file, tls_verify: self.tls_verify, ..Access::default() };
        let logout = LogOut { registry: self.registry.clone(), access };
        logout.perform(&settings::registries(&context.globals), &Talk { quiet: false })?;
        match &self.registry {
            Some(registry) => ui::result(format_args!("Removed login credentials for {registry}")),
            None => ui::result("Removed login credentials for all registries"),
        }
        Ok(Exit::Success)
    }
}
