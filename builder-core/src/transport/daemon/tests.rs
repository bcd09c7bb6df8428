//! A daemon of the tests' own on a socket, which says what a test wants it to say.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::error::{Error, Kind, Result};
use crate::event::Silent;
use crate::name::{DaemonImage, Location};
use crate::oci::{Digest, ImageConfig};
use crate::settings::{DaemonSettings, RegistrySettings};
use crate::transport::copy::{CopyOptions, copy_image};
use crate::transport::open::{self, Places};
use crate::transport::registry::Access;

/// What came in: the first line of a request, and its body.
type Asked = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Status, headers and body of an answer; none to hang up.
type Answer = Option<(u16, &'static str, Vec<u8>)>;

/// Starts a daemon in `dir`. Every connection is for one request.
fn serve(dir: &Path, answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Asked {
    let listener = UnixListener::bind(dir.join("socket")).unwrap();
    let asked = Asked::default();
    let (log, answer) = (asked.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (log, answer, mut stream) = (log.clone(), answer.clone(), stream.unwrap());
            // A request whose body is still being made must not keep others waiting.
            std::thread::spawn(move || {
                let (line, body) = request(&stream);
                log.lock().unwrap().push((line.clone(), body));
                if let Some((status, headers, body)) = answer(&line) {
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status} T\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
                    );
                    // Who was told enough may hang up.
                    let _ = stream.write_all(&[head.into_bytes(), body].concat());
                }
            });
        }
    });
    asked
}

/// The first line of a request, and its body, in chunks or none.
fn request(stream: &UnixStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let mut chunked = false;
    loop {
        match line().to_lowercase().as_str() {
            "" => break,
            header => chunked |= header == "transfer-encoding: chunked",
        }
    }
    let mut body = Vec::new();
    while chunked {
        let mut size = String::new();
        if reader.read_line(&mut size).unwrap() == 0 {
            break;
        }
        let size = u64::from_str_radix(size.trim(), 16).unwrap();
        // With the line end behind it.
        let mut chunk = Vec::new();
        (&mut reader).take(size + 2).read_to_end(&mut chunk).unwrap();
        body.extend_from_slice(&chunk[..chunk.len().saturating_sub(2)]);
        chunked = size > 0;
    }
    (first, body)
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A layer too long to be kept, and one that is; and the config of an image of both.
fn image() -> ([Vec<u8>; 2], Vec<u8>) {
    let layers = [vec![7; 3 << 20], vec![8; 2048]];
    let mut config = ImageConfig::scratch();
    config.rootfs.diff_ids = layers.iter().map(|layer| Digest::of(layer)).collect();
    (layers, config.to_bytes())
}

const MANIFEST: &[u8] = br#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["large","small"]}]"#;

fn settings(dir: &Path) -> RegistrySettings {
    let host = Some(format!("unix://{}", dir.join("socket").display()));
    RegistrySettings { daemon: DaemonSettings { host, ..Default::default() }, ..Default::default() }
}

fn copy(dir: &Path, from: &str, to: &str) -> Result<Digest> {
    let (registries, access) = (settings(dir), Access::default());
    let machine = crate::settings::MachineStorage::default();
    let places = Places {
        scratch: dir,
        registries: &registries,
        access: &access,
        reporter: &Silent,
        machine: &machine,
        builder: None,
    };
    let source = open::source(places, &Location::parse(from)?)?;
    let sink = open::sink(places, &Location::parse(to)?)?;
    Ok(copy_image(&*source, &*sink, &CopyOptions::default(), &Silent)?.manifest.digest)
}

#[test]
fn layers_may_come_before_or_after_what_names_them() {
    let ([large, small], config) = image();
    let parts: [(&str, &[u8]); 4] =
        [("c.json", &config), ("large", &large), ("manifest.json", MANIFEST), ("small", &small)];
    let mut found = Vec::new();
    for turn in 0..parts.len() {
        let dir = tempfile::tempdir().unwrap();
        let mut parts = parts;
        parts.rotate_left(turn);
        let archive = tar(&parts);
        let asked = serve(dir.path(), move |_| Some((200, "", archive.clone())));
        let to = |name: &str| format!("{name}:{}", dir.path().join(name).display());
        found.push(copy(dir.path(), "docker-daemon:a:1", &to("oci")).unwrap());
        // One pass was enough.
        assert_eq!(asked.lock().unwrap().len(), 1, "turn {turn}");
        copy(dir.path(), "docker-daemon:a:1", &to("docker-archive")).unwrap();
        copy(dir.path(), "docker-daemon:a:1", &to("dir")).unwrap();
        assert_eq!(asked.lock().unwrap().len(), 3, "turn {turn}");
    }
    found.dedup();
    assert_eq!(found.len(), 1);
}

#[test]
fn a_look_at_an_image_needs_no_layers_and_gets_them_later() {
    let ([large, small], config) = image();
    let dir = tempfile::tempdir().unwrap();
    let archive =
        tar(&[("large", &large), ("small", &small), ("c.json", &config), ("manifest.json", MANIFEST)]);
    let asked = serve(dir.path(), move |_| Some((200, "", archive.clone())));
    let (registries, access) = (settings(dir.path()), Access::default());
    let daemon = Daemon::find(&registries.daemon, &access).unwrap();
    let source = DaemonSource::new(daemon, DaemonImage::parse("a:1").unwrap());
    use crate::transport::Source;
    let manifest = crate::oci::Manifest::parse(&source.manifest().unwrap().bytes).unwrap();
    assert_eq!(manifest.layers[0].size, large.len() as u64);
    assert_eq!(asked.lock().unwrap().len(), 1);
    let crate::transport::source::Content::Stored(mut layer) = source.blob(&manifest.layers[0]).unwrap()
    else {
        panic!("a layer out of an archive is there");
    };
    let mut bytes = Vec::new();
    layer.read_to_end(&mut bytes).unwrap();
    assert!(bytes == large);
    assert_eq!(
        asked.lock().unwrap()[1].0,
        format!("GET /images/{}/get HTTP/1.1", DaemonImage::parse("a:1").unwrap().for_api())
    );
}

#[test]
fn a_daemon_that_lies_is_refused_and_nothing_is_left() {
    let ([large, small], config) = image();
    let other = vec![9; 3 << 20];
    let whole =
        tar(&[("large", &large), ("small", &small), ("c.json", &config), ("manifest.json", MANIFEST)]);
    let cut = whole[..whole.len() / 2].to_vec();
    let flood: Vec<(String, Vec<u8>)> = (0..70).map(|n| (format!("f{n}"), vec![0; 1 << 20])).collect();
    let flood: Vec<(&str, &[u8])> =
        flood.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let lies: [(&str, Vec<u8>, &str); 7] = [
        (
            "another large layer",
            tar(&[("large", &other), ("small", &small), ("c.json", &config), ("manifest.json", MANIFEST)]),
            "digest",
        ),
        (
            "another small layer",
            tar(&[("large", &large), ("small", b"x"), ("c.json", &config), ("manifest.json", MANIFEST)]),
            "digest",
        ),
        ("no manifest", tar(&[("large", &large), ("small", &small), ("c.json", &config)]), "manifest.json"),
        ("no config", tar(&[("large", &large), ("small", &small), ("manifest.json", MANIFEST)]), "c.json"),
        ("no tar", vec![b'x'; 4096], "it is no tar"),
        ("cut short", cut, "read"),
        ("a flood of small files", tar(&flood), "more small files than any image"),
    ];
    for (what, archive, told) in lies {
        let dir = tempfile::tempdir().unwrap();
        serve(dir.path(), move |_| Some((200, "", archive.clone())));
        let to = format!("docker-archive:{}", dir.path().join("out").display());
        let error = copy(dir.path(), "docker-daemon:a:1", &to).unwrap_err();
        assert!(format!("{error:?}").contains(told), "{what}: {error:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{what}: only the socket is there");
    }
}

/// An archive that was loaded: its files, and what `manifest.json` says.
fn loaded(body: &[u8]) -> (Vec<String>, String) {
    let mut archive = ::tar::Archive::new(body);
    let mut names = Vec::new();
    let mut manifest = String::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        names.push(entry.path().unwrap().display().to_string());
        if names.last().unwrap() == "manifest.json" {
            entry.read_to_string(&mut manifest).unwrap();
        }
    }
    (names, manifest)
}

/// The archive of an image of two layers in a file, and the digests of the layers and the config.
fn archive(dir: &Path) -> ([Digest; 2], Digest) {
    let ([large, small], config) = image();
    let parts: [(&str, &[u8]); 4] =
        [("c.json", &config), ("large", &large), ("small", &small), ("manifest.json", MANIFEST)];
    std::fs::write(dir.join("in"), tar(&parts)).unwrap();
    ([Digest::of(&large), Digest::of(&small)], Digest::of(&config))
}

#[test]
fn an_image_goes_into_the_daemon_without_the_layers_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let ([large, small], config) = archive(dir.path());
    let from = format!("docker-archive:{}", dir.path().join("in").display());
    // Which server, how it keeps layers, the layers of its image, and whether the large one is sent.
    let docker = "Server: Docker/20.10.24 (linux)\r\n";
    let own = r#"{"Driver":"overlay2","DriverStatus":[["Backing Filesystem","extfs"]]}"#;
    let containerd =
        r#"{"Driver":"overlayfs","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#;
    let cases = [
        (docker, own, vec![large], false),
        (docker, own, vec![small], true),
        (docker, own, vec![], true),
        (docker, containerd, vec![large], true),
        ("Server: Libpod/4.3.1 (linux)\r\n", own, vec![large], true),
    ];
    for (server, about, layers, sent) in cases {
        let socket = tempfile::tempdir().unwrap();
        let shown = layers.clone();
        let asked = serve(socket.path(), move |line| {
            let path = line.split(' ').nth(1).unwrap();
            let body = match path {
                "/info" => about.to_owned(),
                "/images/json" => format!(r#"[{{"Id":"{config}"}},{{"Id":"../../secret"}}]"#),
                "/images/load?quiet=0" => "{\"stream\":\"Loaded image: a:2\\n\"}\n".to_owned(),
                _ => {
                    let layers: Vec<String> = shown.iter().map(|layer| format!("\"{layer}\"")).collect();
                    format!(r#"{{"RootFS":{{"Type":"layers","Layers":[{}]}}}}"#, layers.join(","))
                }
            };
            Some((200, server, body.into_bytes()))
        });
        copy(socket.path(), &from, "docker-daemon:a:2").unwrap();
        let asked = asked.lock().unwrap();
        let (_, body) = asked.iter().find(|(line, _)| line.starts_with("POST /images/load")).unwrap();
        let (names, manifest) = loaded(body);
        let name = |digest: Digest, suffix: &str| format!("{}.{suffix}", digest.hex());
        assert_eq!(names.contains(&name(large, "tar")), sent, "{about} {layers:?}");
        assert!(names.contains(&name(small, "tar")) && names.contains(&name(config, "json")));
        // All are named.
        for part in [name(large, "tar"), name(small, "tar"), name(config, "json"), "library/a:2".to_owned()] {
            assert!(manifest.contains(&part), "{manifest}");
        }
        assert!(asked.iter().all(|(line, _)| !line.contains("secret")));
    }
}

#[test]
fn what_the_daemon_says_is_told() {
    let dir = tempfile::tempdir().unwrap();
    archive(dir.path());
    let from = format!("docker-archive:{}", dir.path().join("in").display());
    let answers: [(Answer, &str, Kind); 5] = [
        (Some((500, "", br#"{"message":"no space left"}"#.to_vec())), "no space left", Kind::Io),
        (Some((200, "", br#"{"errorDetail":{},"error":"bad layer"}"#.to_vec())), "bad layer", Kind::Io),
        (Some((200, "", b"<html>".to_vec())), "expected value", Kind::Corrupt),
        (Some((404, "", b"page not found".to_vec())), "status 404", Kind::NotFound),
        (None, "cannot talk to the Docker daemon", Kind::Io),
    ];
    for (answer, told, kind) in answers {
        let socket = tempfile::tempdir().unwrap();
        serve(socket.path(), move |line| match line.starts_with("POST") {
            true => answer.clone(),
            false => Some((200, "", b"{}".to_vec())),
        });
        let error = copy(socket.path(), &from, "docker-daemon:a:2").unwrap_err();
        assert!(format!("{error:?}").contains(told) && error.kind() == kind, "{:?} {error:?}", error.kind());
    }
    // Nobody there at all.
    let error =
        copy(dir.path(), "docker-daemon:a:1", &format!("oci:{}/out", dir.path().display())).unwrap_err();
    assert!(format!("{error:?}").contains("No such file") && error.hint_text().is_some(), "{error:?}");
}

#[test]
fn a_daemon_is_found_where_users_say_it_is() {
    let find = |flag: Option<&str>, variable: Option<&str>, tls: bool| -> Result<String, Error> {
        let settings = DaemonSettings { host: variable.map(str::to_owned), tls, certificates: None };
        let access = Access { daemon_host: flag.map(str::to_owned), ..Access::default() };
        host::Host::find(&settings, &access).map(|host| format!("{} {}", host.shown, host.base))
    };
    let ok = |flag, variable, tls| find(flag, variable, tls).unwrap();
    assert_eq!(ok(None, None, true), "unix:///var/run/docker.sock http://127.0.0.1/");
    assert_eq!(ok(None, Some("unix:///s"), false), "unix:///s http://127.0.0.1/");
    assert_eq!(ok(Some("unix:///f"), Some("unix:///s"), false), "unix:///f http://127.0.0.1/");
    // Docker's variable means plain HTTP, unless told; Skopeo's flag means TLS, unless it says http.
    assert_eq!(ok(None, Some("tcp://h.example:2375"), false), "tcp://h.example:2375 http://h.example:2375/");
    assert_eq!(ok(None, Some("tcp://h.example:2376"), true), "tcp://h.example:2376 https://h.example:2376/");
    assert_eq!(ok(Some("tcp://h.example:2376"), None, false), "tcp://h.example:2376 https://h.example:2376/");
    assert_eq!(ok(Some("http://h.example:2375"), None, true), "http://h.example:2375 http://h.example:2375/");
    for bad in ["", "h.example", "unix://relative", "ssh://h.example", "fd://", "ftp://h.example"] {
        let error = find(Some(bad), None, false).unwrap_err();
        assert!(error.hint_text().is_some(), "{bad}: {error:?}");
    }
}
