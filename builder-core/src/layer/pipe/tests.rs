//! Whole streams, and streams one end of which fails.

use super::*;

#[test]
fn what_goes_in_comes_out() {
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let (mut inlet, mut outlet) = pipe();
    let mut received = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for part in sent.chunks(77_777) {
                inlet.write_all(part).unwrap();
            }
            inlet.finish().unwrap();
        });
        outlet.read_to_end(&mut received).unwrap();
    });
    assert!(received == sent);
}

#[test]
fn a_writer_that_is_gone_is_no_end() {
    let (mut inlet, mut outlet) = pipe();
    inlet.write_all(b"half").unwrap();
    drop(inlet);
    assert!(outlet.read_to_end(&mut Vec::new()).is_err());
    let (inlet, mut outlet) = pipe();
    inlet.fail(io::Error::other("out of ideas"));
    assert_eq!(outlet.read_to_end(&mut Vec::new()).unwrap_err().to_string(), "out of ideas");
}

#[test]
fn a_reader_that_is_gone_ends_the_writer() {
    let (mut inlet, outlet) = pipe();
    drop(outlet);
    let written = inlet.write_all(&vec![0; 10 * PIECE]);
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}
