//! Base images without a registry: an OCI layout written here, independent of Kiln, and a real Debian tree.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::{Flock, FlockArg};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::env::Env;
use super::needs::{find_program, not_run, static_busybox};

/// A file of a layer: where it is, its mode and its bytes; a path that ends in `/` is a directory.
pub struct LayerFile<'a> {
    pub path: &'a str,
    pub mode: u32,
    pub bytes: &'a [u8],
}

/// Writes an OCI layout in `dir` with one image, named `tag`, of one gzip layer with `files` and `links`
/// (name, target); `config` goes into the image's config. Returns the image id.
pub fn write_layout(
    dir: &Path,
    tag: &str,
    files: &[LayerFile<'_>],
    links: &[(&str, &str)],
    config: &serde_json::Value,
) -> String {
    write_tars(dir, tag, &[layer(files, links)], config)
}

/// As [`write_layout`], of layers that are tars already, the lowest first.
pub fn write_tars(dir: &Path, tag: &str, tars: &[Vec<u8>], config: &serde_json::Value) -> String {
    std::fs::create_dir_all(dir.join("blobs/sha256")).expect("the layout's directories");
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("oci-layout");
    let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
    for tar in tars {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(tar).expect("compression into memory");
        let (digest, size) = put(dir, &encoder.finish().expect("compression into memory"));
        layers.push(json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                           "digest": digest, "size": size}));
        diff_ids.push(format!("sha256:{}", hex(tar)));
    }
    let config = json!({
        "created": "2001-02-03T04:05:06Z",
        "architecture": architecture(),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": "2001-02-03T04:05:06Z", "created_by": "written by hand"}],
    });
    let (config_digest, config_size) = put(dir, config.to_string().as_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                   "digest": config_digest, "size": config_size},
        "layers": layers,
    });
    let (digest, size) = put(dir, manifest.to_string().as_bytes());
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest,
                       "size": size, "annotations": {"org.opencontainers.image.ref.name": tag}}],
    });
    std::fs::write(dir.join("index.json"), index.to_string()).expect("index.json");
    config_digest.trim_start_matches("sha256:").to_owned()
}

/// Writes an OCI layout with an image of two small files, for stories that run nothing. Returns the image id.
pub fn write_small(dir: &Path, tag: &str) -> String {
    let files = [
        LayerFile { path: "etc/", mode: 0o755, bytes: b"" },
        LayerFile { path: "etc/hello.conf", mode: 0o644, bytes: b"hello\n" },
        LayerFile { path: "etc/passwd", mode: 0o644, bytes: b"root:x:0:0:root:/root:/bin/sh\n" },
    ];
    let config = json!({"Env": ["PATH=/bin", "KEPT=yes"], "Cmd": ["/bin/sh"], "Labels": {"of": "base"}});
    write_layout(dir, tag, &files, &[], &config)
}

/// Writes an OCI layout with busybox, its usual applets, and passwd and group files. `None` without a static busybox.
pub fn write_busybox(dir: &Path, tag: &str) -> Option<String> {
    let busybox = std::fs::read(static_busybox()?).expect("busybox is readable");
    let files = [
        LayerFile { path: "bin/", mode: 0o755, bytes: b"" },
        LayerFile { path: "bin/busybox", mode: 0o755, bytes: &busybox },
        LayerFile { path: "etc/", mode: 0o755, bytes: b"" },
        LayerFile {
            path: "etc/passwd",
            mode: 0o644,
            bytes: b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\n",
        },
        LayerFile { path: "etc/group", mode: 0o644, bytes: b"root:x:0:\nuser:x:1000:\nextra:x:2000:user\n" },
        LayerFile { path: "home/", mode: 0o755, bytes: b"" },
        LayerFile { path: "root/", mode: 0o700, bytes: b"" },
        LayerFile { path: "tmp/", mode: 0o1777, bytes: b"" },
    ];
    let applets = ["sh", "cat", "cp", "dd", "echo", "env", "false", "id", "ln", "ls", "mkdir", "mount", "mv"];
    let more =
        ["pwd", "rm", "sleep", "stat", "test", "touch", "true", "umount", "hostname", "chmod", "chown"];
    let more = more.iter().chain(&["date", "grep", "head", "readlink", "yes"]);
    let names: Vec<String> = applets.iter().chain(more).map(|name| format!("bin/{name}")).collect();
    let links: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "busybox")).collect();
    let config = json!({"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]});
    Some(write_layout(dir, tag, &files, &links, &config))
}

/// A tar of a minimal Debian, made once with debootstrap and kept in `$KILN_TEST_BASES` or the build directory.
///
/// `None`, and `test` on the list, where it cannot be made: without root, debootstrap, or a mirror to fetch from.
pub fn debian_tar(test: &str) -> Option<PathBuf> {
    let kept = std::env::var_os("KILN_TEST_BASES").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a build directory").join("test-bases"),
        PathBuf::from,
    );
    std::fs::create_dir_all(&kept).expect("the directory of bases");
    let tar = kept.join("debian.tar");
    let lock = File::create(kept.join("lock")).expect("the lock of the bases");
    let _locked = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).expect("a lock");
    if tar.exists() {
        return Some(tar);
    }
    match make_debian(&tar) {
        Ok(()) => Some(tar),
        Err(reason) => {
            not_run(test, &reason);
            None
        }
    }
}

fn make_debian(tar: &Path) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("needs root to run debootstrap".to_owned());
    }
    let debootstrap = find_program("debootstrap").ok_or("needs the program debootstrap")?;
    // The mirror and the release of the machine itself: what it was installed from can be fetched.
    let said = |script: &str| {
        let output = Command::new("sh").args(["-c", script]).output().map_err(|error| error.to_string())?;
        let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if line.is_empty() { Err("needs a Debian mirror".to_owned()) } else { Ok(line) }
    };
    let mirror = said("apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1")?;
    let release = said(". /etc/os-release; echo \"$VERSION_CODENAME\"")?;
    let tree = tempfile::tempdir_in("/dev/shm").map_err(|error| error.to_string())?;
    let done = |command: &mut Command, what: &str| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let last = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
            Err(format!("{what} failed: {last}"))
        }
        Err(error) => Err(format!("{what} failed: {error}")),
    };
    let mut command = Command::new(debootstrap);
    done(command.arg("--variant=minbase").arg(&release).arg(tree.path()).arg(&mirror), "debootstrap")?;
    let part = tar.with_extension("part");
    let mut command = Command::new("tar");
    command.args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "--sort=name", "-cf"]);
    done(command.arg(&part).arg("-C").arg(tree.path()).arg("."), "tar")?;
    std::fs::rename(&part, tar).map_err(|error| error.to_string())
}

fn layer(files: &[LayerFile<'_>], links: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let header = |kind: tar::EntryType, mode: u32, size: usize| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size as u64);
        header.set_mtime(981_173_106);
        header.set_uid(0);
        header.set_gid(0);
        header
    };
    for file in files {
        let directory = file.path.ends_with('/');
        let kind = if directory { tar::EntryType::Directory } else { tar::EntryType::Regular };
        let mut header = header(kind, file.mode, file.bytes.len());
        builder.append_data(&mut header, file.path, file.bytes).expect("a tar in memory");
    }
    for (name, target) in links {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        builder.append_link(&mut header, name, target).expect("a tar in memory");
    }
    builder.into_inner().expect("a tar in memory")
}

fn put(dir: &Path, bytes: &[u8]) -> (String, usize) {
    let name = hex(bytes);
    std::fs::write(dir.join("blobs/sha256").join(&name), bytes).expect("a blob");
    (format!("sha256:{name}"), bytes.len())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As the OCI names this machine's processor.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Makes a repository of two small packages, `kiln-hello` and `kiln-files` which it requires, in `dir`.
///
/// The second has a setuid program, a symlink and a file of another owner: what an image must keep of a package.
pub fn write_rpm_repository(env: &Env, dir: &Path) {
    const SPEC: &str = "\
Name: kiln-hello
Version: 1
Release: 1
Summary: A greeting
License: Apache-2.0
BuildArch: noarch
Requires: kiln-files
%description
A greeting.
%package -n kiln-files
Summary: Files of several kinds
%description -n kiln-files
Files of several kinds.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/var/lib/kiln-files
echo hello > %{buildroot}/usr/bin/kiln-hello
echo files > %{buildroot}/var/lib/kiln-files/owned
ln -s owned %{buildroot}/var/lib/kiln-files/link
echo suid > %{buildroot}/var/lib/kiln-files/setuid
%files
%attr(0755,root,root) /usr/bin/kiln-hello
%files -n kiln-files
%attr(4755,root,root) /var/lib/kiln-files/setuid
%attr(0640,root,daemon) /var/lib/kiln-files/owned
/var/lib/kiln-files/link
";
    std::fs::create_dir_all(dir).expect("the repository's directory");
    let spec = env.write("kiln-hello.spec", SPEC);
    let top = env.path("rpmbuild");
    let defines = [format!("_topdir {}", top.display()), format!("_rpmdir {}", dir.display())];
    let mut args = vec!["-bb".to_owned(), "--quiet".to_owned()];
    for define in defines {
        args.extend(["--define".to_owned(), define]);
    }
    args.push(spec.display().to_string());
    env.run("rpmbuild", args);
    env.run("createrepo_c", ["-q", &dir.display().to_string()]);
}
