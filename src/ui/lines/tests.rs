//! What a line says, and how much of it.

use super::*;

#[test]
fn a_line_has_bytes_rate_and_time_left() {
    let began = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
    let task =
        Task { name: "Copying blob 0".into(), of: Some(10_000_000), bytes: 4_000_000, began, is_step: false };
    let (name, told) = task.line(None);
    assert!(name == "Copying blob 0" && told.starts_with("  4 MB of 10 MB  "), "{told}");
    assert!(told.contains("MB/s") && told.ends_with(" s left"), "{told}");
    let (_, whole) = task.line(Some(4_000_000));
    assert!(whole.starts_with("  4 MB  ") && !whole.contains("left"), "{whole}");
    // Compressed on its way.
    assert!(task.line(Some(1_000_000)).1.starts_with("  4 MB as 1 MB  "));
    let fresh = work("Writing layer of one", None, 0);
    assert_eq!(fresh.line(None), ("Writing layer of one".to_owned(), String::new()));
    let step = Task { name: "STEP".into(), of: None, bytes: 0, began, is_step: true };
    assert_eq!(step.line(None), ("STEP".to_owned(), "  2 s".to_owned()));
}

fn work(name: &str, of: Option<u64>, bytes: u64) -> Task {
    Task { name: name.into(), of, bytes, began: Instant::now(), is_step: false }
}

#[test]
fn time_left_is_in_units_one_can_imagine() {
    let left = [0.2, 59.5, 90.0, 7_300.0].map(seconds_left);
    assert_eq!(left, ["1 s", "1 min 0 s", "1 min 30 s", "2 h 1 min"]);
}

#[test]
fn a_summary_has_what_was_sent_and_that_once() {
    let began = Some(Instant::now());
    let mut lines = Lines { tasks: Vec::new(), drawn: 0, told: None, total: 0, blobs: 0, began };
    lines.tasks.push(work("Unpacking layer 0", Some(2_000_000), 2_000_000));
    assert_eq!(lines.end("unpacking layer 0", None).unwrap(), "Unpacking layer 0  2 MB");
    assert!(lines.began.is_none(), "what came before the first blob is not its time");
    lines.began = Some(Instant::now());
    lines.tasks.push(work("Copying blob 0", Some(3_000_000), 3_000_000));
    lines.tasks.push(work("Writing layer 1", Some(5_000_000), 5_000_000));
    assert_eq!(lines.end("writing layer 1", Some(1_000_000)).unwrap(), "Writing layer 1  5 MB as 1 MB");
    assert_eq!(lines.end("copying blob 0", Some(3_000_000)).unwrap(), "Copying blob 0  3 MB");
    assert!(lines.end("copying blob 0", Some(3_000_000)).is_none());
    assert_eq!(lines.summary(), "2 pieces, 4 MB in 0.0 s");
    assert_eq!(lines.summary(), "0 pieces, 0 B in 0.0 s");
}

#[test]
fn a_line_never_wraps_and_keeps_what_is_told() {
    for (name, told, width, shown) in [
        ("STEP 1/2: RUN a long line", "  12 s", 24, "STEP 1/2: RUN a l  12 s"),
        ("STEP", "  12 s", 80, "STEP  12 s"),
        // Too narrow for both.
        ("STEP 1/2: RUN a long line", "  12 s", 10, "STEP 1/2:"),
        ("STEP", "  12 s", 1, ""),
        ("STEP", "", 0, ""),
        ("漢字漢字", "", 6, "漢字"),
        ("a\tb\u{1b}[31mc", "", 80, "a b [31mc"),
    ] {
        assert_eq!(fit(name, told, width), shown, "{name} {width}");
    }
}
