//! `kiln mount`.

use builder_core::{Error, Kind, Mount, Result};

use crate::cli::Context;
use crate::commands::for_each;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Mount working containers and print where; without a name, list what is mounted
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Containers, by name or id
    containers: Vec<String>,
    /// Print JSON: a list of objects with `container` and `mountPoint`
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Mounts all, prints the path of one, or name and path of several.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        if self.containers.is_empty() {
            let mounted = Mount::list(&context.builder(&talk)?)?;
            self.show(&mounted, true);
            return Ok(Exit::Success);
        }
        if !context.host.is_privileged() {
            return Err(Error::new(
                Kind::Denied,
                format!("cannot mount the container `{}`", self.containers[0]),
            )
            .because("an ordinary user's mount is only seen inside a session of `kiln unshare`")
            .hint(format!("kiln unshare sh -c 'm=$(kiln mount {}) && …'", self.containers[0])));
        }
        let builder = context.privileged(&talk)?;
        let mut mounted = Vec::new();
        let done = for_each(&self.containers, |name| {
            mounted.push(Mount { container: name.to_owned() }.perform(&builder)?);
            Ok(())
        });
        self.show(&mounted, self.containers.len() > 1);
        done.map(|()| Exit::Success)
    }

    fn show(&self, mounted: &[builder_core::Mounted], with_names: bool) {
        if self.json {
            let rows: Vec<_> = mounted
                .iter()
                .map(|one| serde_json::json!({"container": one.name, "mountPoint": one.path.to_string_lossy()}))
                .collect();
            ui::result_json(&rows);
            return;
        }
        for one in mounted {
            let path = one.path.display();
            if with_names { ui::result(format_args!("{} {path}", one.name)) } else { ui::result(path) }
        }
    }
}
