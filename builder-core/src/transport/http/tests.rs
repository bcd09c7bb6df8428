//! Addresses, proxies and exchanges with servers that misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::error::Kind;
use crate::event::Silent;
use crate::settings::Proxies;

/// A server that gives the n-th connection the n-th answer and then closes it. Gives its `host:port` and the requests.
fn serve(answers: Vec<Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            log.lock().unwrap().push(head(&mut stream));
            let _ = stream.write_all(&answer);
        }
    });
    (host, seen)
}

/// The head of a request.
fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        bytes.push(byte[0]);
        // A TLS handshake begins with 22 and has no end that we would know.
        if bytes[0] == 22 {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).to_lowercase()
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
        .into()
}

fn client() -> Client {
    Client::new(Tls::default(), Proxies::default())
}

fn get(host: &str) -> Request<'static> {
    Request::new(Method::Get, Url::parse(&format!("http://{host}/a/b")).unwrap())
}

const AT_ONCE: Retry = Retry { times: 3, delay: Some(Duration::ZERO) };

#[test]
fn addresses_are_read_and_joined() {
    let url = Url::parse("https://Host.example:5000/a/b?c=d#e").unwrap();
    assert_eq!((url.host().as_str(), url.port(), url.is_secure()), ("host.example", 5000, true));
    assert_eq!(url.to_string(), "https://Host.example:5000/a/b");
    let joined = |location: &str| {
        let url = url.join(location).unwrap();
        format!("{url} {}", url.path_and_query())
    };
    assert_eq!(joined("/x?y=1"), "https://Host.example:5000/x /x?y=1");
    assert_eq!(joined("x"), "https://Host.example:5000/a/x /a/x");
    assert_eq!(joined("?z"), "https://Host.example:5000/a/b /a/b?z");
    assert_eq!(joined("//other.example/x"), "https://other.example/x /x");
    assert_eq!(joined("http://other.example/x"), "http://other.example/x /x");
    assert_eq!(Url::parse("http://[::1]:80/").unwrap().host(), "::1");
    for bad in ["", "a", "ftp://a/", "file:///etc/passwd", "http://", "http://u:secret@a/", "http://a b/"] {
        let error = Url::parse(bad).unwrap_err();
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    assert!(Url::parse(&format!("http://a/{}", "x".repeat(10_000))).is_err());
    assert!(!url.same_origin(&Url::parse("https://host.example/a").unwrap()));
    assert!(url.same_origin(&Url::parse("https://HOST.example:5000/").unwrap()));
}

#[test]
fn proxies_are_chosen_as_the_environment_says() {
    let choose = |none: &str, url: &str| {
        let (http, https) = (Some("http://proxy:1".to_owned()), Some("http://proxy:2".to_owned()));
        let proxies = Proxies { http, https, none: Some(none.to_owned()) };
        proxies.choose(&Url::parse(url).unwrap()).map(str::to_owned)
    };
    assert_eq!(choose("", "http://a.example/").unwrap(), "http://proxy:1");
    assert_eq!(choose("", "https://a.example/").unwrap(), "http://proxy:2");
    for (none, url) in [
        ("", "http://localhost:5000/"),
        ("", "http://127.0.0.1/"),
        ("", "http://[::1]/"),
        ("*", "http://a.example/"),
        ("b.example, a.example", "http://a.example/"),
        ("example", "http://a.example/"),
        (".example", "http://a.example/"),
        ("*.example", "http://a.example/"),
        ("a.example:80", "http://a.example/"),
        ("10.0.0.0/8", "http://10.1.2.3/"),
        ("10.1.2.3", "http://10.1.2.3/"),
    ] {
        assert_eq!(choose(none, url), None, "{none} {url}");
    }
    for (none, url) in [
        (".a.example", "http://a.example/"),
        ("a.example:81", "http://a.example/"),
        ("xample", "http://a.example/"),
        ("10.0.0.0/8", "http://11.1.2.3/"),
        ("10.0.0.0/99", "http://10.1.2.3/"),
    ] {
        assert!(choose(none, url).is_some(), "{none} {url}");
    }
}

#[test]
fn a_body_of_unknown_length_comes_in_few_chunks() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        assert!(head(&mut stream).to_lowercase().contains("transfer-encoding: chunked"));
        let mut reader = BufReader::new(&mut stream);
        let (mut body, mut chunks) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            reader.read_exact(&mut chunk).unwrap();
            assert!(chunk.ends_with(b"\r\n"));
            if length == 0 {
                break;
            }
            chunks += 1;
            body.extend_from_slice(&chunk[..length]);
        }
        stream.write_all(&answer("202 Accepted", "", "")).unwrap();
        (body, chunks)
    });
    let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n / 7) as u8).collect();
    let mut reader = sent.as_slice();
    let body = Body::Stream(&mut reader, None);
    let request = Request { body, ..Request::new(Method::Patch, get(&host).url) };
    assert_eq!(client().send(request).map_err(Failure::error).unwrap().status, 202);
    let (body, chunks) = server.join().unwrap();
    assert!(body == sent);
    assert!(chunks <= 10, "{chunks}");
}

#[test]
fn credentials_do_not_follow_to_another_server() {
    let (other, at_other) = serve(vec![answer("200 OK", "", "there")]);
    let (host, at_host) = serve(vec![
        answer("307 T", "Location: /c\r\n", ""),
        answer("302 T", &format!("Location: http://{other}/x\r\n"), ""),
    ]);
    let mut request = get(&host);
    request.authorization = Some("Bearer secret".to_owned());
    let response = client().follow(request).unwrap();
    assert_eq!(response.url.to_string(), format!("http://{other}/x"));
    assert_eq!(response.bytes(10).unwrap(), b"there");
    assert!(
        at_host.lock().unwrap().iter().all(|head| head.contains("bearer secret")),
        "the server gets them"
    );
    assert!(!at_other.lock().unwrap()[0].contains("secret"), "another server does not");
}

#[test]
fn a_redirect_that_goes_round_ends() {
    let (host, seen) = serve(vec![answer("302 T", "Location: /a\r\n", ""); 30]);
    let error = client().follow(get(&host)).err().unwrap().error();
    assert!(format!("{error:?}").contains("redirects more than"), "{error:?}");
    assert!(seen.lock().unwrap().len() < 15);
}

#[test]
fn an_answer_is_bounded() {
    let (host, _) = serve(vec![
        answer("200 OK", "", "12345"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n0\r\n\r\n".to_vec(),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000)).into_bytes(),
    ]);
    for _ in 0..3 {
        let failure = client().follow(get(&host)).unwrap().bytes(4).unwrap_err();
        assert_eq!(failure.error().kind(), Kind::Corrupt);
    }
    assert!(client().follow(get(&host)).is_err());
}

#[test]
fn a_plain_server_is_told_from_a_tls_one() {
    let (host, _) = serve(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]);
    let request = Request::new(Method::Get, Url::on(&host, true, "/").unwrap());
    assert!(matches!(client().send(request), Err(Failure::NotTls(_))));
}

#[test]
fn a_download_goes_on_where_it_was_cut() {
    let whole = "0123456789".repeat(50);
    let part = |from: usize, to: usize| {
        let head = format!("Content-Length: {}\r\nContent-Range: bytes {from}-499/500\r\n", 500 - from);
        format!("HTTP/1.1 206 P\r\nConnection: close\r\n{head}\r\n{}", &whole[from..to]).into_bytes()
    };
    let cut_whole = format!("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}", &whole[..450]).into_bytes();
    let first = format!("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}", &whole[..100]).into_bytes();
    // The third answer knows no ranges and begins anew.
    let (host, seen) = serve(vec![first, part(100, 300), cut_whole, part(450, 500)]);
    let client = client();
    let mut download = Download::new("it", 0, None, AT_ONCE, &Silent, |offset| {
        client.follow(get(&host).header("range", format!("bytes={offset}-")))
    });
    let mut text = String::new();
    download.read_to_string(&mut text).unwrap();
    assert_eq!(text, whole);
    assert!(seen.lock().unwrap()[3].contains("range: bytes=450-"));
}

#[test]
fn a_download_that_lies_ends_with_an_error() {
    let read = |answers: Vec<Vec<u8>>, end: Option<u64>| {
        let (host, _) = serve(answers);
        let client = client();
        let mut download = Download::new("it", 0, end, AT_ONCE, &Silent, |_| client.follow(get(&host)));
        let mut bytes = Vec::new();
        download.read_to_end(&mut bytes).map(|_| bytes)
    };
    // Longer than promised, of another length, another part, and cut every time.
    assert!(read(vec![answer("200 OK", "", "12345")], Some(4)).is_err());
    assert!(
        read(
            vec![b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n".into()],
            Some(4)
        )
        .is_err()
    );
    assert!(read(vec![answer("206 P", "Content-Range: bytes 7-9/10\r\n", "abc")], None).is_err());
    assert!(read(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec(); 9], None).is_err());
    assert_eq!(read(vec![answer("200 OK", "", "1234")], Some(4)).unwrap(), b"1234");
}

#[test]
fn what_passes_is_tried_again_and_what_lasts_is_not() {
    let passing = || Failure::Passing { error: crate::Error::invalid("x"), wait: None };
    let mut left = 3;
    let done = AT_ONCE.run(&Silent, "x", || {
        left -= 1;
        if left == 0 { Ok(()) } else { Err(passing()) }
    });
    assert!(done.is_ok());
    let mut times = 0;
    let failed = AT_ONCE.run(&Silent, "x", || -> Result<(), Failure> {
        times += 1;
        Err(passing())
    });
    assert!(failed.is_err() && times == 4);
    let mut times = 0;
    let failed = AT_ONCE.run(&Silent, "x", || -> Result<(), Failure> {
        times += 1;
        Err(Failure::Lasting(crate::Error::invalid("x")))
    });
    assert!(failed.is_err() && times == 1);
    let doubling = Retry { times: 9, delay: None };
    assert!(doubling.wait(3, None) == doubling.wait(1, None) * 4);
    assert_eq!(doubling.wait(1, Some(Duration::from_secs(7))), Duration::from_secs(7));
    assert!(doubling.wait(1, Some(Duration::from_secs(1 << 40))) <= Duration::from_secs(120));
}

#[test]
fn a_socket_that_falls_silent_is_given_up() {
    use std::os::unix::net::UnixListener;
    use ureq::unversioned::resolver::DefaultResolver;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let beginnings = ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"];
        // Kept open until the test ends.
        let kept = beginnings.map(|beginning| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(beginning.as_bytes()).unwrap();
            stream
        });
        std::thread::park();
        drop(kept);
    });
    let limit = Some(Duration::from_millis(50));
    let config = ureq::Agent::config_builder().timeout_recv_response(limit).timeout_per_read(limit).build();
    let agent = ureq::Agent::with_parts(config, socket::SocketConnector(path), DefaultResolver::default());
    let silent = agent.get("http://127.0.0.1/").call().unwrap_err();
    assert!(matches!(silent, ureq::Error::Timeout(_)), "{silent:?}");
    let body = agent.get("http://127.0.0.1/").call().unwrap().into_body();
    let mut bytes = Vec::new();
    let cut = body.into_reader().read_to_end(&mut bytes).unwrap_err();
    assert_eq!((bytes.as_slice(), failure::of_read(&cut).as_str()), (b"half".as_slice(), "it fell silent"));
}

#[test]
fn the_certificates_of_a_daemon_are_read_as_docker_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let read = || {
        let mut found = trust::Found::default();
        trust::client_directory(dir.path(), &mut found)
            .map(|()| (found.authorities.len(), found.identity.is_some()))
    };
    assert_eq!(read().unwrap(), (0, false));
    // A key alone shows nothing.
    std::fs::write(dir.path().join("key.pem"), "no key").unwrap();
    assert_eq!(read().unwrap(), (0, false));
    for name in ["cert.pem", "ca.pem"] {
        std::fs::write(dir.path().join(name), "no certificate").unwrap();
        let error = read().unwrap_err();
        assert!(error.to_string().contains(name), "{error:?}");
    }
}

#[test]
fn addresses_are_asked_for_once_in_a_while_and_literal_ones_never() {
    use ureq::config::Config;
    use ureq::unversioned::resolver::Resolver;
    use ureq::unversioned::transport::NextTimeout;

    let resolver = resolve::Remembering::default();
    let timeout = NextTimeout { after: Duration::from_secs(5).into(), ..NextTimeout::default() };
    let found = |uri: &str| {
        let uri = uri.parse().unwrap();
        resolver.resolve(&uri, &Config::default(), timeout).map(|found| found.to_vec()).ok()
    };
    assert_eq!(found("http://192.0.2.7:5000/v2/"), Some(vec!["192.0.2.7:5000".parse().unwrap()]));
    assert_eq!(found("https://[2001:db8::7]/v2/"), Some(vec!["[2001:db8::7]:443".parse().unwrap()]));
    // A name that nobody has (RFC 6761, 6.4), but for us.
    assert_eq!(found("http://nobody.invalid/"), None);
    let own = vec!["127.0.0.1:80".parse().unwrap()];
    resolver.remember("nobody.invalid:80".into(), own.clone());
    assert_eq!(found("http://nobody.invalid/v2/"), Some(own));
    assert_eq!(found("http://nobody.invalid:81/"), None);
}
