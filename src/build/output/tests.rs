//! What values of `--output` mean.

use super::*;

fn kind(text: &str) -> Kind {
    Output::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).kind
}

#[test]
fn a_place_alone_is_for_the_files() {
    assert_eq!(kind("out"), Kind::Files(ExportTo::Directory("out".into())));
    assert_eq!(kind("dest=out"), Kind::Files(ExportTo::Directory("out".into())));
    for text in ["-", "dest=-", "type=tar,dest=-"] {
        assert_eq!(kind(text), Kind::Files(ExportTo::Stdout));
        assert!(Output::parse(text).unwrap().is_stdout());
    }
    assert_eq!(kind("type=tar,dest=f.tar"), Kind::Files(ExportTo::Tar("f.tar".into())));
}

#[test]
fn archives_layouts_and_names() {
    assert_eq!(kind("type=oci,dest=f"), Kind::Place("oci-archive", "f".into(), None));
    assert_eq!(kind("type=oci,dest=d,tar=false,name=n"), Kind::Place("oci", "d".into(), Some("n".into())));
    assert_eq!(kind("type=docker,dest=f"), Kind::Place("docker-archive", "f".into(), None));
    assert_eq!(kind("type=oci"), Kind::Stream(Archive::Oci));
    assert_eq!(kind("type=docker,dest=-"), Kind::Stream(Archive::Docker));
    assert_eq!(kind("type=docker"), Kind::Names(Vec::new(), false));
    let both = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(kind("type=image,\"name=a,b\",push=true"), Kind::Names(both, true));
    assert_eq!(kind("type=registry,name=a"), Kind::Names(vec!["a".into()], true));
    let output =
        Output::parse("type=oci,dest=f,compression=zstd,compression-level=9,force-compression").unwrap();
    assert_eq!(output.layers, Some(Layers::Form(Compression::Zstd, true)));
    assert_eq!(output.level, Some(9));
}

#[test]
fn what_means_nothing_is_refused() {
    for text in [
        "",
        "type=",
        "type=nothing,dest=x",
        "type=local",
        "type=local,dest=-",
        "type=tar",
        "type=oci,dest=x,compression=rar",
        "type=oci,dest=x,tar=perhaps",
        "type=docker,dest=x,tar=false",
        "type=local,dest=x,wat=1",
        "type=image,\"name=a",
        "push=true",
    ] {
        assert!(Output::parse(text).is_err(), "{text}");
    }
}
