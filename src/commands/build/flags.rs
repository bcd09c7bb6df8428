//! The words of `kiln build`. What they mean is in `options`.

use std::path::PathBuf;

use builder_core::Format;

use super::call::Call;
use super::docker::DockerFlags;
use super::platforms::PlatformFlags;
use super::stages::StageFlags;
use crate::args::refused::RefusedArgs;
use crate::args::times::TimeFlags;
use crate::args::{BlobCacheArgs, CommitCompressionArgs, PullArgs, RegistryArgs, RunOptions};
use crate::commands::parse_format;

/// Build an image by a Dockerfile
///
/// The context is a directory, a repository (https://HOST/REPOSITORY.git#REFERENCE:DIRECTORY), the address of a tar or
/// of a Dockerfile, or `-` for either on standard input. Stages that do not need each other are built side by side.
/// Prints the image id; called as buildah, also the steps and what their commands print, stage after stage.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The build context
    #[arg(default_value = ".", hide_default_value = true)]
    pub context: String,
    /// Allow what a file cannot give itself: security.insecure (RUN --security=insecure), network.host (always allowed)
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = ["security.insecure", "network.host"])]
    #[arg(hide_possible_values = true)]
    pub allow: Vec<String>,
    /// Set an annotation of the image: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    pub annotation: Vec<String>,
    /// Give an argument of the Dockerfile a value; NAME alone takes it from here
    #[arg(long, value_name = "NAME=VALUE")]
    pub build_arg: Vec<String>,
    /// Give arguments values by a file of NAME=VALUE lines
    #[arg(long, value_name = "FILE")]
    pub build_arg_file: Vec<PathBuf>,
    /// One more context, for --from of COPY and for FROM: NAME=DIRECTORY, NAME=docker-image://IMAGE,
    /// NAME=oci-layout://DIR, NAME=ADDRESS
    #[arg(long, value_name = "NAME=VALUE")]
    pub build_context: Vec<String>,
    /// Answer a question about the Dockerfile and build nothing: check (what is hardly meant; fails if there is
    /// anything), outline (what the target can be given), targets (the stages); with ,format=json as JSON. build, the
    /// default, builds
    #[arg(long, value_name = "QUESTION", value_parser = Call::parse)]
    pub call: Option<Call>,
    /// Look for mistakes and build nothing; fails if there are any
    #[arg(long)]
    pub check: bool,
    /// Set a variable of the image; NAME alone takes its value from here
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// The image's format: oci or docker (default: oci) [env: BUILDAH_FORMAT]
    #[arg(long, value_parser = parse_format)]
    pub format: Option<Format>,
    /// In place of the image of the first FROM
    #[arg(long, value_name = "IMAGE")]
    pub from: Option<String>,
    /// Leave out what this file's patterns match (default: FILE.containerignore or FILE.dockerignore beside the
    /// Dockerfile, or .containerignore or .dockerignore of the context)
    #[arg(long, value_name = "FILE")]
    pub ignorefile: Option<PathBuf>,
    /// Write the image id to this file, with `sha256:` before it
    #[arg(long, value_name = "FILE")]
    pub iidfile: Option<PathBuf>,
    /// How many stages are built at once; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    pub jobs: usize,
    /// Set the label io.buildah.version, as Buildah does
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "false", hide_default_value = true)]
    pub identity_label: bool,
    /// Set a label of the image: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    pub label: Vec<String>,
    /// One layer for each step that may change files (default: true; called as buildah, false) [env: BUILDAH_LAYERS]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub layers: Option<bool>,
    /// Write the ids and names of the image to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,
    /// Let the image tell nothing of what made it
    #[arg(long)]
    pub omit_history: bool,
    /// With false, the manifest has no annotation of when the image was made
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub created_annotation: Option<bool>,
    /// Add the image to this list, which is made if it is not there; it has one image for each platform
    #[arg(long, value_name = "LIST")]
    pub manifest: Option<String>,
    #[command(flatten)]
    pub platforms: PlatformFlags,
    #[command(flatten)]
    pub times: TimeFlags,
    #[command(flatten)]
    pub stages: StageFlags,
    #[command(flatten)]
    pub docker: DockerFlags,
    #[command(flatten)]
    pub compression: CommitCompressionArgs,
    #[command(flatten)]
    pub blob_cache: BlobCacheArgs,
    /// Let RUN change nothing that lasts in the directories that VOLUME names, here or in the base: only COPY and ADD
    /// change them. The directories are made
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "false", hide_default_value = true)]
    pub compat_volumes: bool,
    /// Accepted for scripts: the context is sent nowhere, so there is nothing to compress
    #[arg(long, hide_short_help = true)]
    pub compress: bool,
    /// An option for cpp, which a file whose name ends with .in goes through first [env: BUILDAH_CPPFLAGS]
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub cpp_flag: Vec<String>,
    /// Accepted for scripts: signatures are asked for by policy.json and --signature-policy only
    #[arg(long, hide_short_help = true)]
    pub disable_content_trust: bool,
    /// The Dockerfile, or its address, or `-` for standard input (default: Containerfile or Dockerfile of the context);
    /// several are one after the other. One whose name ends with .in goes through cpp first
    #[arg(long, short, value_name = "FILE")]
    pub file: Vec<String>,
    /// Remove the containers of the build also if it fails; =false keeps the one of the stage that failed, to look into
    /// it (default: false; called as buildah, true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub force_rm: Option<bool>,
    /// A directory with descriptions of hooks for --runtime, any number
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub hooks_dir: Vec<PathBuf>,
    /// Write the image id to this file, without
    #[arg(long, value_name = "FILE", visible_alias = "raw-iidfile")]
    pub iidfile_raw: Option<PathBuf>,
    /// Write what the build tells to this file
    #[arg(long, value_name = "FILE")]
    pub logfile: Option<PathBuf>,
    /// Of several platforms, give each a file of its own: LOGFILE_OS_ARCHITECTURE
    #[arg(long, requires = "logfile")]
    pub logsplit: bool,
    /// A mount for every RUN, as its --mount has it
    #[arg(long, value_name = "MOUNT")]
    pub mount: Vec<String>,
    /// When a command fails: keep its container to look into it, open a shell in it, or remove it (default: as
    /// --force-rm says)
    #[arg(long, value_name = "WHAT", value_parser = ["keep", "shell", "remove"], hide_possible_values = true)]
    pub on_fail: Option<String>,
    /// Put the image, or its files, elsewhere too, any number: DIR or type=local,dest=DIR for the files; - or
    /// type=tar,dest=FILE for a tar of them; type=oci|docker,dest=FILE[,tar=false] for an archive or a layout;
    /// type=image,name=NAME[,push=true] for a further name; type=registry,name=NAME. With name=NAME, an archive has
    /// that name in it; with compression=gzip|zstd|uncompressed and force-compression=true, layers have that form there
    #[arg(long, short, value_name = "OUTPUT")]
    pub output: Vec<String>,
    /// Push the image to the registry of its name, as --output type=registry does
    #[arg(long)]
    pub push: bool,
    /// Remove the containers of the build; =false keeps them if it succeeds (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "true", hide_default_value = true)]
    pub rm: bool,
    /// Rules of which images may be used, and which in their place, in BuildKit's JSON: rules of action (ALLOW, DENY,
    /// CONVERT), selector and updates
    #[arg(long, value_name = "FILE")]
    pub source_policy_file: Option<PathBuf>,
    /// One layer with everything in it, the base's layers included
    #[arg(long)]
    pub squash: bool,
    /// Tell at the end what each step took, wrote, and where it came from
    #[arg(long)]
    pub summary: bool,
    /// Build twice without the cache, the second time later and in a store of its own, in memory if there is room: with
    /// another umask, host name and order of names in the directories of contexts and of what steps made, on one
    /// processor, without what caches hold, and one stage after the other; fails if the images differ, and says by
    /// which step and file. The same are the base's directories, who runs commands, the kernel, and what a network
    /// answers. Files are dated as by --source-date-epoch, with the beginning of the build unless another time is given
    #[arg(long)]
    pub verify: bool,
    #[command(flatten)]
    pub refused: RefusedArgs,
    #[arg(long, hide = true)]
    pub decryption_key: Vec<String>,
    #[command(flatten)]
    pub pull: PullArgs,
    /// Show what is done only where it fails
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub run: RunOptions,
    /// Have this OCI runtime run commands, such as runc or crun [env: BUILDAH_RUNTIME]
    #[arg(long, value_name = "PROGRAM")]
    pub runtime: Option<String>,
    /// An option for that runtime, without the leading --; without --runtime for the one of containers.conf, else
    /// crun or runc
    #[arg(long, value_name = "FLAG", value_delimiter = ',')]
    pub runtime_flag: Vec<String>,
    /// A secret that RUN --mount=type=secret may ask for: id=ID,src=FILE or id=ID,env=VARIABLE; with ,keyed another
    /// value makes a cached step another one
    #[arg(long, value_name = "SECRET")]
    pub secret: Vec<String>,
    /// An SSH agent that RUN --mount=type=ssh may ask for: default, or ID=SOCKET
    #[arg(long, value_name = "AGENT")]
    pub ssh: Vec<String>,
    /// Let commands read standard input
    #[arg(long)]
    pub stdin: bool,
    /// A name of the image, any number
    #[arg(long, short, value_name = "NAME")]
    pub tag: Vec<String>,
    /// Build this stage, by name or number, and what it needs (default: the last)
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Remove an annotation of the image
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub unsetannotation: Vec<String>,
    /// Remove a variable of the image
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub unsetenv: Vec<String>,
    /// Remove a label of the image
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub unsetlabel: Vec<String>,
}
