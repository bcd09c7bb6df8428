//! `kiln login`.

use std::io::Read;
use std::path::PathBuf;

use builder_core::{Access, Credentials, Error, Kind, LogIn, Result};

use crate::args::parse_bool;
use crate::cli::Context;
use crate::exit::Exit;
use crate::settings;
use crate::ui::{self, Talk};

/// The longest password that is read from stdin, bytes.
const MAX_PASSWORD: u64 = 64 << 10;

/// Log in to a registry, and keep the credentials for later commands
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The registry, HOST[:PORT], or HOST[:PORT]/PATH for credentials of that part only
    registry: String,
    /// The user name; without it, or a password, both are asked for
    #[arg(long, short, value_name = "NAME")]
    username: Option<String>,
    /// The password; others see it in the list of processes: better --password-stdin
    #[arg(long, short, value_name = "PASSWORD")]
    password: Option<String>,
    /// Read the password from stdin
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
    /// Print as whom one is logged in, and do nothing else
    #[arg(long)]
    get_login: bool,
    /// The file to keep the credentials in [env: REGISTRY_AUTH_FILE]
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// A file in the form of Docker's config.json to keep the credentials in
    #[arg(long, value_name = "FILE", conflicts_with = "authfile")]
    compat_auth_file: Option<PathBuf>,
    /// The directory with certificates for the registry: *.crt, *.cert with *.key
    #[arg(long, value_name = "DIR")]
    cert_dir: Option<PathBuf>,
    /// Check the registry's certificate and refuse plain HTTP
    #[arg(long, value_name = "BOOL", value_parser = parse_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls_verify: Option<bool>,
    /// Say where the credentials are kept
    #[arg(long, short)]
    verbose: bool,
}

impl Args {
    /// Tries the credentials and keeps them; what is printed is what Buildah prints.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: false };
        let settings = settings::registries(&context.globals);
        let access = Access {
            tls_verify: self.tls_verify,
            auth_file: self.authfile.clone().or_else(|| self.compat_auth_file.clone()),
            cert_dir: self.cert_dir.clone(),
            ..Access::default()
        };
        let mut login = LogIn { registry: self.registry.clone(), credentials: None, access };
        let known = match self.username.is_none() || self.get_login {
            true => login.known(&settings, &talk)?,
            false => None,
        };
        if self.get_login {
            let user = known.as_ref().and_then(Credentials::user).ok_or_else(|| {
                Error::new(Kind::NotFound, format!("cannot find a login for `{}`", self.registry))
                    .because("not logged in")
                    .hint(format!("log in with `kiln login {}`", self.registry))
            })?;
            ui::result(user);
            return Ok(Exit::Success);
        }
        let given = self.password.is_some() || self.password_stdin;
        if !given && self.username.is_none() && known.is_some() {
            ui::result(format_args!("Authenticating with existing credentials for {}", self.registry));
            if login.perform(&settings, &talk).is_ok() {
                ui::result(format_args!(
                    "Existing credentials are valid. Already logged in to {}",
                    self.registry
                ));
                return Ok(Exit::Success);
            }
            ui::result("Existing credentials are invalid, please enter valid username and password");
        }
        login.credentials = Some(self.credentials(known.as_ref())?);
        let kept = login.perform(&settings, &talk)?.kept;
        if let Some(kept) = kept.filter(|_| self.verbose) {
            ui::result(format_args!("Used:  {kept}"));
        }
        ui::result("Login Succeeded!");
        Ok(Exit::Success)
    }

    /// Name and password, as given or asked for.
    fn credentials(&self, known: Option<&Credentials>) -> Result<Credentials> {
        let instead = "hand it in: -u NAME --password-stdin <FILE";
        if self.password_stdin && self.username.is_none() {
            return Err(Error::invalid(format!("cannot log in to `{}`", self.registry))
                .because("there is a password without a user name")
                .hint("name the user as well: -u NAME --password-stdin"));
        }
        let user = match &self.username {
            Some(user) => user.clone(),
            None => {
                let before = known.and_then(Credentials::user);
                let shown = before.map(|user| format!(" ({user})")).unwrap_or_default();
                let typed = ui::ask(&format!("Username{shown}: "), instead)?;
                if typed.is_empty() { before.unwrap_or_default().to_owned() } else { typed }
            }
        };
        let password = match &self.password {
            Some(password) => password.clone(),
            None if self.password_stdin => read_password()?,
            None => ui::ask_secret("Password: ", instead)?,
        };
        if user.is_empty() || user.contains(':') {
            return Err(Error::invalid(format!("cannot log in to `{}`", self.registry))
                .because("a user name is not empty and has no colon")
                .hint("name the user: -u NAME"));
        }
        Ok(Credentials::Password { user, password })
    }
}

/// The whole of stdin, without the line end that `echo` adds.
fn read_password() -> Result<String> {
    let sentence = "cannot read the password from `stdin`";
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MAX_PASSWORD + 1).read_to_end(&mut bytes);
    read.map_err(|cause| Error::new(Kind::Io, sentence).because(cause))?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= MAX_PASSWORD);
    let text =
        text.ok_or_else(|| Error::invalid(sentence).because("it is no text, or longer than 64 KiB"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
