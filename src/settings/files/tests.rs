//! Which files are read, and which are refused.

use super::*;

fn places(dir: &tempfile::TempDir, user: bool) -> Places {
    let below = |name: &str| dir.path().join(name);
    for name in ["vendor", "system", "user"] {
        fs::create_dir_all(below(name)).unwrap();
    }
    Places { vendor: below("vendor"), system: below("system"), user: user.then(|| below("user")) }
}

fn write(dir: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_nearest_file_wins_or_completes() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["vendor/a.conf", "system/a.conf", "system/a.conf.d/2.conf", "system/a.conf.d/1.conf"];
    let mut paths: Vec<PathBuf> = names.iter().map(|name| write(&dir, name, "")).collect();
    write(&dir, "system/a.conf.d/3.txt", "");
    let own = write(&dir, "user/a.conf", "");
    paths.swap(2, 3);
    assert_eq!(places(&dir, false).all("a.conf").unwrap(), paths);
    assert_eq!(places(&dir, false).first("a.conf").unwrap(), paths[1]);
    paths.push(own.clone());
    assert_eq!(places(&dir, true).all("a.conf").unwrap(), paths);
    assert_eq!(places(&dir, true).first("a.conf").unwrap(), own);
    assert_eq!(places(&dir, true).first("b.conf"), None);
}

#[test]
fn what_is_no_configuration_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let big = write(&dir, "big", &"#".repeat((1 << 20) + 1));
    let binary = dir.path().join("binary");
    fs::write(&binary, [0xff, 0xfe]).unwrap();
    for path in [big, binary, dir.path().to_owned(), "/dev/zero".into(), dir.path().join("nosuch")] {
        let error = read(&path).unwrap_err();
        assert!(error.sentence().contains(&*path.to_string_lossy()), "{error:?}");
    }
    let broken = write(&dir, "broken.conf", "[a]\nb = \n");
    let error = format!("{:?}", read_toml(&broken).unwrap_err());
    assert!(error.contains("line 2"), "{error}");
    let deep = write(&dir, "deep.conf", &format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    assert!(read_toml(&deep).is_err());
}

#[test]
fn comments_are_passed_over_and_lines_keep_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let plain = write(
        &dir,
        "plain.conf",
        "# one\n  # two\na = [ # three\n# four\n\"#five\", # six\n]\nb = '#'\n# end",
    );
    let table = read_toml(&plain).unwrap();
    assert_eq!((table["a"][0].as_str(), table["b"].as_str()), (Some("#five"), Some("#")));
    let long = write(&dir, "long.conf", "# one\na = \"\"\"\n# within\n\"\"\"\n");
    assert_eq!(read_toml(&long).unwrap()["a"].as_str(), Some("# within\n"));
    let broken = write(&dir, "broken.conf", "# one\n# two\nb = \n");
    let error = format!("{:?}", read_toml(&broken).unwrap_err());
    assert!(error.contains("line 3"), "{error}");
}
