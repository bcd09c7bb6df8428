//! Tests of what secrets and agents may say, and of what a secret's value may be.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;

fn none(_: &str) -> Option<Vec<u8>> {
    None
}

#[test]
fn a_secret_is_a_file_or_a_variable() {
    let variable = |name: &str| (name == "TOKEN").then(|| b"value".to_vec());
    let parse = |text: &str| Secret::parse(text, &variable).map(|secret| secret.value);
    assert!(matches!(parse("id=a,src=/f").unwrap(), SecretValue::File(path) if path == Path::new("/f")));
    for text in ["id=a,env=TOKEN", "id=TOKEN", "id=TOKEN,type=env", "id=a,type=env,src=TOKEN"] {
        assert!(matches!(parse(text).unwrap(), SecretValue::Bytes(bytes) if bytes == b"value"), "{text}");
    }
    for text in [
        "",
        "id",
        "id=",
        "id=a",
        "src=/f",
        "id=a,env=NOSUCH",
        "id=a,src=/f,env=TOKEN",
        "id=a,x=y",
        "id=a,type=x",
    ] {
        assert!(Secret::parse(text, &none).is_err(), "{text}");
    }
    let keyed = |text: &str| Secret::parse(text, &variable).map(|secret| secret.keyed).ok();
    assert_eq!(
        ["id=TOKEN", "id=TOKEN,keyed", "keyed=true,id=TOKEN"].map(keyed),
        [false, true, true].map(Some)
    );
    assert_eq!(["id=TOKEN,keyed=false", "id=TOKEN,keyed=x"].map(keyed), [Some(false), None]);
    let secret = Secret::parse("id=TOKEN", &variable).unwrap();
    assert!(!format!("{secret:?}").contains("value"), "{secret:?}");
}

#[test]
fn a_secret_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let secret = Secret { id: "s".into(), value: SecretValue::File(path.clone()), keyed: false };
    assert_eq!(secret.read().unwrap_err().kind(), Kind::NotFound);
    std::fs::write(&path, "x").unwrap();
    assert_eq!(secret.read().unwrap(), b"x");
    std::fs::write(&path, vec![0; (MAX_SECRET + 1) as usize]).unwrap();
    assert_eq!(secret.read().unwrap_err().kind(), Kind::Corrupt);
    let directory = Secret { id: "s".into(), value: SecretValue::File(dir.path().into()), keyed: false };
    assert!(directory.read().is_err());
}

#[test]
fn an_agent_is_stood_in_for() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("real");
    let listener = UnixListener::bind(&socket).unwrap();
    let echo = std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4];
            if stream.read_exact(&mut bytes).is_ok() {
                bytes.reverse();
                stream.write_all(&bytes).unwrap();
            }
        }
    });
    let agent = SshAgent::parse("default", Some(socket)).unwrap();
    let served =
        agent.serve(&dir.path().join("in"), 0o600, (0, 0)).unwrap_or_else(|error| panic!("{error:?}"));
    let mut stream = UnixStream::connect(served.path()).unwrap();
    stream.write_all(b"abcd").unwrap();
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"dcba");
    drop(served);
    echo.join().unwrap();
}

#[test]
fn what_is_no_agent_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("id_rsa");
    std::fs::write(&key, "").unwrap();
    let error = SshAgent::parse(&format!("a={}", key.display()), None).unwrap_err();
    assert!(error.hint_text().unwrap().contains("ssh-add"), "{error:?}");
    for text in ["", "default", "a=/no/such"] {
        assert!(SshAgent::parse(text, None).is_err(), "{text}");
    }
}
