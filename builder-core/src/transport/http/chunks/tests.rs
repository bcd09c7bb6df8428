//! Chunks that become one, and what is left as it is.

use super::*;

fn chunked(pieces: &[&[u8]]) -> Vec<u8> {
    let chunk = |piece: &&[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    pieces.iter().flat_map(chunk).collect()
}

#[test]
fn several_chunks_become_one() {
    let long: Vec<u8> = (0..10 * 1024_u32).map(|n| n as u8).collect();
    for pieces in
        [vec![&b"a"[..], b"bc"], vec![&long; 13], vec![b"x"; 100], vec![b"1\r\n2\r\n", b"\r\n\r\n", &long]]
    {
        let mut output = chunked(&pieces);
        let length = joined(&mut output).expect("several");
        assert_eq!(output[..length], chunked(&[&pieces.concat()]));
    }
}

#[test]
fn what_is_not_several_whole_chunks_stays() {
    let two = chunked(&[b"ab", b"cd"]);
    for output in [
        Vec::new(),
        chunked(&[b"alone"]),
        b"0\r\n\r\n".to_vec(),
        [&two[..], b"0\r\n\r\n"].concat(),
        two[..two.len() - 1].to_vec(),
        [&two[..], b"5\r\nab\r\n"].concat(),
        [&two[..], b"zz\r\nab\r\n"].concat(),
        [&two[..], b"ffffffffffffffff\r\nab\r\n"].concat(),
        b"POST / HTTP/1.1\r\n\r\n".to_vec(),
        vec![b'1'; 4096],
    ] {
        let mut tried = output.clone();
        assert_eq!(joined(&mut tried), None);
        assert_eq!(tried, output);
    }
}

#[test]
fn a_head_says_whether_the_body_is_in_chunks() {
    assert!(is_chunked(b"PATCH / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    assert!(!is_chunked(b"PATCH /transfer-encoding: HTTP/1.1\r\ncontent-length: 3\r\n\r\n"));
}
