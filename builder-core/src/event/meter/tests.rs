//! What is told of bytes that go by.

use super::*;
use crate::testing::Heard;

#[test]
fn the_last_number_is_exact_and_told_once() {
    let heard = Heard::default();
    let meter = Meter::begin(&heard, "writing layer 0".into(), Some(5));
    Metered::new(io::sink(), &meter).write_all(b"abc").unwrap();
    io::copy(&mut Metered::new(&b"de"[..], &meter), &mut io::sink()).unwrap();
    meter.end(Some(4));
    let told = ["began writing layer 0: 5", "moved writing layer 0: 5", "ended writing layer 0: 4"];
    assert_eq!(heard.told(), told);
}

#[test]
fn what_is_slow_is_told_of_as_often_and_what_fails_has_stopped() {
    let heard = Heard::default();
    let meter = Meter::begin(&heard, "copying blob 0".into(), None);
    std::thread::sleep(PAUSE);
    meter.add(3);
    drop(meter);
    let told = ["began copying blob 0: ?", "moved copying blob 0: 3", "stopped copying blob 0"];
    assert_eq!(heard.told(), told);
}
