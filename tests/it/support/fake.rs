//! Servers of the tests' own: one that answers as a story says, and one that cuts connections to a real one.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// With the query.
    pub path: String,
    /// In lower case, one line each.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Asked {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.headers.lines().find(|line| line.split(':').next() == Some(name))?;
        Some(line.split_once(':')?.1.trim())
    }
}

/// An answer, as it goes over the line.
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// What the server says the length is.
    length: Option<u64>,
    /// Zeroes that follow the body.
    endless: u64,
}

impl Reply {
    /// An answer with a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Reply { status, headers: Vec::new(), body: body.into(), length: None, endless: 0 }
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Says that the body has this length, whatever it has.
    pub fn lying_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Goes on for so many bytes after the body.
    pub fn and_zeroes(mut self, count: u64) -> Self {
        self.endless = count;
        self
    }

    fn send(self, stream: &mut TcpStream, head_only: bool) -> std::io::Result<()> {
        let length = self.length.unwrap_or(self.body.len() as u64 + self.endless);
        let mut head =
            format!("HTTP/1.1 {} T\r\nConnection: close\r\nContent-Length: {length}\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        if head_only {
            return Ok(());
        }
        stream.write_all(&self.body)?;
        let zeroes = vec![b' '; 1 << 16];
        let mut left = self.endless;
        while left > 0 {
            let part = left.min(zeroes.len() as u64);
            stream.write_all(&zeroes[..usize::try_from(part).expect("a small number")])?;
            left -= part;
        }
        Ok(())
    }
}

/// A server that answers as its closure says; every connection is for one request.
pub struct Fake {
    /// `localhost:PORT`.
    pub host: String,
    seen: Arc<Mutex<Vec<Asked>>>,
    end: Arc<AtomicBool>,
}

impl Fake {
    /// Starts a server.
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Fake {
        Fake::reading(usize::MAX, answer)
    }

    /// Starts a server that reads about `most` bytes of a body, and hangs up on whoever sends more.
    pub fn reading(most: usize, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        // What is not read is little, also where this program gets no time to hang up: the kernel takes 32 MiB here.
        rustix::net::sockopt::set_socket_recv_buffer_size(&listener, 1 << 20).expect("a size to ask for");
        let host = format!("localhost:{}", listener.local_addr().expect("an address").port());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let end = Arc::new(AtomicBool::new(false));
        let (log, over, answer) = (seen.clone(), end.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || {
                    let Some(asked) = read(&mut stream, most) else { return };
                    log.lock().expect("no test thread panics here").push(asked.clone());
                    // Who hangs up early wanted no more.
                    let _ = answer(&asked).send(&mut stream, asked.method == "HEAD");
                });
            }
        });
        Fake { host, seen, end }
    }

    /// All that was asked so far.
    pub fn seen(&self) -> Vec<Asked> {
        self.seen.lock().expect("no test thread panics here").clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.host.replace("localhost", "127.0.0.1"));
    }
}

/// One request with at most about `most` bytes of its body; `None` if it is none, such as a TLS handshake, which gets
/// an answer no TLS client understands.
fn read(stream: &mut TcpStream, most: usize) -> Option<Asked> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !stream.read(&mut byte).is_ok_and(|read| read == 1) || head.len() > 1 << 16 {
            return None;
        }
        head.push(byte[0]);
        if head[0] == 22 {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            return None;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (first, rest) = head.split_once("\r\n")?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: String = rest
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| format!("{}:{value}\n", name.to_lowercase()))
        .collect();
    let mut asked = Asked { method, path, headers, body: Vec::new() };
    if asked.header("transfer-encoding") == Some("chunked") {
        asked.body = chunks(stream, most)?;
    } else if let Some(length) = asked.header("content-length").and_then(|length| length.parse().ok()) {
        asked.body = vec![0; most.min(length)];
        stream.read_exact(&mut asked.body).ok()?;
    }
    Some(asked)
}

fn chunks(stream: &mut TcpStream, most: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            stream.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
        }
        let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).ok()?;
        let mut part = vec![0; size + 2];
        stream.read_exact(&mut part).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(&part[..size]);
        if body.len() >= most {
            return Some(body);
        }
    }
}

/// Passes bytes to and from a real server, and cuts each connection after so many bytes in one direction.
pub struct Cutter {
    /// `localhost:PORT`.
    pub host: String,
    /// How many connections were cut.
    pub cuts: Arc<AtomicU64>,
    end: Arc<AtomicBool>,
}

/// What passes a [`Cutter`] before the connection is cut; without a number, all does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limit {
    /// Bytes that the client sends.
    pub up: Option<u64>,
    /// Bytes that the server sends.
    pub down: Option<u64>,
    /// How many connections are cut; those after pass whole.
    pub times: u64,
}

impl Cutter {
    /// Starts a server in front of `target`.
    pub fn start(target: &str, limit: Limit) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = format!("localhost:{}", listener.local_addr().expect("an address").port());
        let (cuts, end) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, over) = (cuts.clone(), end.clone());
        let target = target.replace("localhost", "127.0.0.1");
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&target)) else { continue };
                for (from, to, most) in [(&client, &server, limit.up), (&server, &client, limit.down)] {
                    let (from, to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                    let count = count.clone();
                    std::thread::spawn(move || pass(from, to, most, limit.times, &count));
                }
            }
        });
        Cutter { host, cuts, end }
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.host.replace("localhost", "127.0.0.1"));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, most: Option<u64>, times: u64, cuts: &AtomicU64) {
    let mut buffer = vec![0; 1 << 16];
    let mut left = most.unwrap_or(u64::MAX);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let passed = read.min(usize::try_from(left).unwrap_or(usize::MAX));
        if to.write_all(&buffer[..passed]).is_err() {
            break;
        }
        left -= passed as u64;
        if left == 0 {
            if cuts.fetch_add(1, Ordering::Relaxed) < times {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
            left = u64::MAX;
            if to.write_all(&buffer[passed..read]).is_err() {
                break;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// A proxy that makes the connections it is asked for, all to one server.
pub struct Tunnel {
    /// `localhost:PORT`.
    pub host: String,
    asked: Arc<Mutex<Vec<String>>>,
    end: Arc<AtomicBool>,
}

impl Tunnel {
    /// Starts a proxy that leads to `target`, whatever is asked for.
    pub fn start(target: &str) -> Tunnel {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = format!("localhost:{}", listener.local_addr().expect("an address").port());
        let (asked, end) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, over, target) = (asked.clone(), end.clone(), target.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(mut client), Ok(server)) = (client, TcpStream::connect(&target)) else { continue };
                let Some(asked) = tunnel(&mut client) else { continue };
                log.lock().expect("no test thread panics here").push(asked);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                    std::thread::spawn(move || pass(from, to, None, 0, &AtomicU64::new(0)));
                }
            }
        });
        Tunnel { host, asked, end }
    }

    /// The first lines of all requests so far; of SOCKS, `SOCKS LOGIN HOST:PORT`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test thread panics here").clone()
    }
}

/// Says yes to what a proxy is asked for, and tells what that was.
fn tunnel(client: &mut TcpStream) -> Option<String> {
    let mut next = |length: usize| {
        let mut bytes = vec![0; length];
        client.read_exact(&mut bytes).ok().map(|()| bytes)
    };
    let mut head = next(1)?;
    if head == [5] {
        return socks(client);
    }
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(next(1)?);
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    Some(String::from_utf8_lossy(&head).lines().next()?.to_owned())
}

/// As [`tunnel`], of SOCKS 5 (RFC 1928) after the first byte, with a login (RFC 1929) where the other side offers one.
fn socks(client: &mut TcpStream) -> Option<String> {
    let read = |client: &mut TcpStream, length: usize| {
        let mut bytes = vec![0; length];
        client.read_exact(&mut bytes).ok().map(|()| bytes)
    };
    let text = |client: &mut TcpStream| {
        let length = read(client, 1)?[0];
        read(client, length.into()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let ways = read(client, 1)?[0];
    let mut login = String::new();
    if read(client, ways.into())?.contains(&2) {
        client.write_all(&[5, 2]).ok()?;
        read(client, 1)?;
        login = format!("{}:{}", text(client)?, text(client)?);
        client.write_all(&[1, 0]).ok()?;
    } else {
        client.write_all(&[5, 0]).ok()?;
    }
    assert_eq!(read(client, 4)?, [5, 1, 0, 3], "a connection to a name is asked for");
    let host = text(client)?;
    let port = read(client, 2)?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    Some(format!("SOCKS {login} {host}:{}", u16::from_be_bytes([port[0], port[1]])))
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.host.replace("localhost", "127.0.0.1"));
    }
}

/// Passes everything to a real server, and keeps what was asked.
pub struct Front {
    /// `localhost:PORT`.
    pub host: String,
    sent: Arc<Mutex<Vec<u8>>>,
    end: Arc<AtomicBool>,
}

impl Front {
    /// Starts a server in front of `target`.
    pub fn start(target: &str) -> Front {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = format!("localhost:{}", listener.local_addr().expect("an address").port());
        let (sent, end) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, over, target) = (sent.clone(), end.clone(), target.replace("localhost", "127.0.0.1"));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&target)) else { continue };
                let (mut up, mut to) =
                    (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                let log = log.clone();
                std::thread::spawn(move || {
                    let mut buffer = vec![0; 1 << 16];
                    while let Ok(read @ 1..) = up.read(&mut buffer) {
                        log.lock().expect("no test thread panics here").extend(&buffer[..read]);
                        if to.write_all(&buffer[..read]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Write);
                });
                std::thread::spawn(move || pass(server, client, None, 0, &AtomicU64::new(0)));
            }
        });
        Front { host, sent, end }
    }

    /// The first lines of all requests since the last [`Front::forget`].
    pub fn asked(&self) -> Vec<String> {
        let sent = self.sent.lock().expect("no test thread panics here");
        let lines = String::from_utf8_lossy(&sent).into_owned();
        // Before the first may be what was said to a server that speaks TLS.
        let first = |line: &str| {
            let start = ["GET /", "HEAD /", "POST /", "PUT /", "PATCH /", "DELETE /"];
            let start = start.iter().filter_map(|word| line.find(word)).min()?;
            Some(line[start..].to_owned())
        };
        lines.lines().filter(|line| line.ends_with(" HTTP/1.1")).filter_map(first).collect()
    }

    /// Forgets what was asked so far.
    pub fn forget(&self) {
        self.sent.lock().expect("no test thread panics here").clear();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.host.replace("localhost", "127.0.0.1"));
    }
}
