//! Stories of `kiln version`: the version, and words that are no command.

use crate::support::{Env, tell};

#[test]
fn the_version_is_shown() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ kiln version
Version:         0.1.0
Image Spec:      1.1.0
Runtime Spec:    1.2.0
OS/Arch:         linux/amd64
$ kiln version --json
{
  "version": "0.1.0",
  "imageSpec": "1.1.0",
  "runtimeSpec": "1.2.0",
  "osArch": "linux/amd64"
}
$ kiln --version
kiln 0.1.0
$ kiln version extra
! error: unexpected argument 'extra' found
!
! Usage: kiln version [OPTIONS]
!
! For more information, try '--help'.
[125]
"#,
    );
}

#[test]
fn words_that_are_no_command() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ kiln
! Builds container images step by step: working containers, no daemon, no root needed
!
! Usage: kiln [OPTIONS] <COMMAND>
!
! Commands:
!   check       Check the store, and say what is damaged; exits with 1 if anything is and was not
!               repaired
!   commit      Make an image of a working container
!   config      Edit what the image of a working container will say of itself
!   containers  List the working containers [aliases: list, ls, ps]
!   copy        Copy files into a working container
!   dockerfile  Look into a Dockerfile as the parser does
!   from        Make a working container of an image, or from `scratch`
!   images      List the images
!   info        Show what this machine and the store are, as JSON
!   inspect     Show all that is known of a container or an image, as JSON with Buildah's field names
!   mount       Mount working containers and print where; without a name, list what is mounted
!   prune       Remove images without a name, and whatever nothing needs any more
!   pull        Bring an image into the store and print its id
!   push        Take an image out of the store
!   rename      Give a working container another name
!   rm          Remove working containers and print their ids [alias: delete]
!   rmi         Remove images
!   run         Run a command in a working container
!   tag         Give an image more names
!   umount      Unmount working containers and print their ids [alias: unmount]
!   unshare     Run a command, or a shell, in a session where an ordinary user may mount containers
!   version     Print the version
!
! Options:
!       --root <DIR>  The store's directory (default /var/lib/kiln; as an ordinary user
!                     ~/.local/share/kiln) [env: KILN_ROOT]
!   -h, --help        Print help
!   -V, --version     Print version
[125]
$ kiln nosuch
! error: unrecognized subcommand 'nosuch'
!
! Usage: kiln [OPTIONS] <COMMAND>
!
! For more information, try '--help'.
[125]
$ kiln --nosuch
! error: unexpected argument '--nosuch' found
!
! Usage: kiln [OPTIONS] <COMMAND>
!
! For more information, try '--help'.
[125]
$ kiln froom scratch
! error: unrecognized subcommand 'froom'
!
!   tip: a similar subcommand exists: 'from'
!
! Usage: kiln [OPTIONS] <COMMAND>
!
! For more information, try '--help'.
[125]
"#,
    );
}
