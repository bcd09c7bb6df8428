//! How the files complete each other.

use super::*;

fn merged(texts: &[&str]) -> Result<ContainersConf> {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = texts
        .iter()
        .enumerate()
        .map(|(place, text)| {
            let path = dir.path().join(format!("{place}.conf"));
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
    merge(&paths)
}

#[test]
fn the_later_file_wins_key_by_key() {
    let conf = merged(&[
        "[containers]\nenv = [\"A=1\"]\nshm_size = \"1m\"\nlog_driver = \"journald\"\n[engine]\nruntime = \"crun\"\n",
        "[containers]\nenv = [\"B=2\"]\n[engine.runtimes]\ncrun = [\"/x/crun\"]\n[machine]\ncpus = 2\n",
    ])
    .unwrap();
    assert_eq!(conf.containers.env, ["B=2"]);
    assert_eq!(conf.containers.shm_size.as_deref(), Some("1m"));
    assert_eq!(conf.engine.runtime.as_deref(), Some("crun"));
    assert_eq!(conf.engine.runtimes["crun"], [PathBuf::from("/x/crun")]);
    assert_eq!(merged(&[]).unwrap(), ContainersConf::default());
}

#[test]
fn lists_append_where_they_say_so() {
    let first = "[containers]\nvolumes = [\"/a:/a\"]\n";
    let second = "[containers]\nvolumes = [\"/b:/b\", {append=true}]\n";
    let third = "[containers]\nvolumes = [\"/c:/c\"]\n";
    let fourth = "[containers]\nvolumes = [\"/d:/d\", {append=false}]\n";
    let volumes = |texts: &[&str]| merged(texts).unwrap().containers.volumes;
    assert_eq!(volumes(&[first, second]), ["/a:/a", "/b:/b"]);
    assert_eq!(volumes(&[first, second, third]), ["/a:/a", "/b:/b", "/c:/c"]);
    assert_eq!(volumes(&[first, second, third, fourth]), ["/d:/d"]);
    assert_eq!(volumes(&[second]), ["/b:/b"]);
}

#[test]
fn a_wrong_type_is_said_of_its_file() {
    let error = merged(&["[containers]\nshm_size = \"1m\"\n", "[containers]\nshm_size = 5\n"]).unwrap_err();
    let said = format!("{error:?}");
    assert!(said.contains("1.conf") && said.contains("shm_size"), "{said}");
    assert!(merged(&["[containers]\nenv = [[\"A=1\"]]\n"]).is_err());
    assert!(merged(&["containers = 5\n"]).is_err());
}
