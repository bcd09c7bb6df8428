//! What a line says, and how much of it.

use super::*;

#[test]
fn a_line_has_bytes_rate_and_time_left() {
    let began = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
    let task =
        Task { name: "Copying blob 0".into(), of: Some(10_000_000), bytes: 4_000_000, began, is_step: false };
    let (name, told) = task.line(false);
    assert!(name == "Copying blob 0" && told.starts_with("  4 MB of 10 MB  "), "{told}");
    assert!(told.contains("MB/s") && told.ends_with(" s left"), "{told}");
    assert!(!task.line(true).1.contains("left"));
    let fresh =
        Task { name: "Writing layer".into(), of: None, bytes: 0, began: Instant::now(), is_step: false };
    assert_eq!(fresh.line(false), ("Writing layer".to_owned(), String::new()));
    let step = Task { name: "STEP".into(), of: None, bytes: 0, began, is_step: true };
    assert_eq!(step.line(false), ("STEP".to_owned(), "  2 s".to_owned()));
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
