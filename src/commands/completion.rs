//! `kiln completion`.

use builder_core::Result;
use clap::{Arg, Command};
use clap_complete::Shell;

use crate::cli::{self, Context};
use crate::exit::Exit;
use crate::ui;

/// Print what completes this command line in a shell
///
/// bash: kiln completion bash >/etc/bash_completion.d/kiln; zsh: kiln completion zsh >DIR/_kiln with DIR in $fpath;
/// fish: kiln completion fish >~/.config/fish/completions/kiln.fish. In bash and fish the names of containers and
/// images are completed too.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// bash, zsh, fish, elvish or powershell
    shell: Shell,
}

/// The verbs whose words are containers, and those whose words are images.
const OF_CONTAINERS: &str = "add commit config copy fork log mount rename rm run shell umount undo why";
const OF_IMAGES: &str = "from history push rmi tag";

impl Args {
    /// Prints the script.
    pub fn run(self, _context: &Context) -> Result<Exit> {
        let mut script = script(cli::command(cli::Verbs::Whole), "kiln", self.shell);
        script.extend(names(self.shell).as_bytes());
        ui::result_bytes(&script);
        Ok(Exit::Success)
    }

    /// Prints the script for the same program under the name `skopeo`.
    pub fn run_as_skopeo(&self, command: Command) -> Exit {
        ui::result_bytes(&script(command, "skopeo", self.shell));
        Exit::Success
    }
}

fn script(command: Command, name: &str, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut plain(command), name, &mut script);
    script
}

/// Without values that a shell takes for something else: the generated scripts do not quote them.
fn plain(command: Command) -> Command {
    let safe = |arg: Arg| {
        let odd = |value: &clap::builder::PossibleValue| {
            !value.get_name().chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.:/".contains(letter))
        };
        if arg.get_possible_values().iter().any(odd) {
            arg.value_parser(clap::builder::ValueParser::string())
        } else {
            arg
        }
    };
    command.mut_args(safe).mut_subcommands(plain)
}

/// What completes the names of containers and images beside verbs and flags.
fn names(shell: Shell) -> String {
    let (containers, images) = (OF_CONTAINERS.replace(' ', "|"), OF_IMAGES.replace(' ', "|"));
    match shell {
        Shell::Bash => format!(
            r#"
_kiln_names() {{
    _kiln "$@"
    case "${{COMP_WORDS[COMP_CWORD]}}" in -*) return ;; esac
    local names=
    case "${{COMP_WORDS[1]}}" in
        {containers}|inspect) names=$(kiln containers --format '{{{{.ContainerName}}}}' 2>/dev/null) ;;&
        {images}|inspect) names="$names $(kiln images --format '{{{{.Name}}}}' 2>/dev/null)" ;;
    esac
    COMPREPLY+=($(compgen -W "$names" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -F _kiln_names -o nosort -o bashdefault -o default kiln
"#
        ),
        Shell::Fish => format!(
            "\ncomplete -c kiln -n '__fish_seen_subcommand_from {OF_CONTAINERS} inspect' \
             -a '(kiln containers --format \"{{{{.ContainerName}}}}\" 2>/dev/null)'\n\
             complete -c kiln -n '__fish_seen_subcommand_from {OF_IMAGES} inspect' \
             -a '(kiln images --format \"{{{{.Name}}}}\" 2>/dev/null)'\n"
        ),
        _ => String::new(),
    }
}
