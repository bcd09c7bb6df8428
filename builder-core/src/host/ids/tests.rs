//! Tests of maps as they are written, and of what they mean.

use super::*;

fn parsed(words: &[&str]) -> Result<Vec<IdRange>> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    IdMaps::parse("--map", &words)
}

#[test]
fn ranges_are_read_as_written() {
    let range = |inside, outside, length| IdRange { inside, outside, length };
    assert_eq!(parsed(&["0:1000:1,1:100000:65536"]).unwrap(), [range(0, 1000, 1), range(1, 100_000, 65_536)]);
    assert_eq!(parsed(&["0:5:1", "1:6:2"]).unwrap(), [range(0, 5, 1), range(1, 6, 2)]);
    assert_eq!(parsed(&["0:0:4294967295"]).unwrap(), [range(0, 0, u32::MAX)]);
    for bad in [
        "0",
        "0:1",
        "0:1:2:3",
        "0:1:0",
        "a:1:1",
        "-1:0:1",
        "+1:0:1",
        "0:0:4294967296",
        "1:0:4294967295",
        "0::1",
        " 0:1:1",
    ] {
        let error = parsed(&[bad]).unwrap_err();
        assert!(error.to_string().contains(&format!("`--map {bad}`")), "{error}");
    }
    for overlapping in ["0:10:5,4:20:1", "0:10:5,5:14:1"] {
        assert!(
            format!("{:?}", parsed(&[overlapping]).unwrap_err()).contains("in another range"),
            "{overlapping}"
        );
    }
}

#[test]
fn an_id_inside_is_one_outside() {
    let maps = IdMaps { uids: parsed(&["0:1000:1,1:100000:9"]).unwrap(), gids: parsed(&["0:50:2"]).unwrap() };
    assert_eq!(maps.outside((0, 0)), (1000, 50));
    assert_eq!(maps.outside((9, 1)), (100_008, 51));
    assert_eq!(maps.outside((10, 2)), (10, 2));
    assert_eq!(IdMaps::default().outside((7, 8)), (7, 8));
}

#[test]
fn names_have_their_ranges_from_zero_on() {
    let etc = tempfile::tempdir().unwrap();
    std::fs::write(etc.path().join("subuid"), "ann:100000:10\nann:300000:5\n").unwrap();
    std::fs::write(etc.path().join("subgid"), "crew:500:7\n").unwrap();
    let maps = IdMaps::of_names(etc.path(), "ann", "crew").unwrap();
    assert_eq!((maps.outside((0, 0)), maps.outside((12, 6))), ((100_000, 500), (300_002, 506)));
    let error = IdMaps::of_names(etc.path(), "ann", "ann").unwrap_err();
    assert!(format!("{error:?}").contains("subgid"), "{error:?}");
}

#[test]
fn a_range_over_two_of_ours_is_split() {
    let range = |inside, outside, length| IdRange { inside, outside, length };
    let ours = [range(0, 1000, 1), range(1, 100_000, 65_536)];
    assert_eq!(split(range(0, 0, 100), &ours), [range(0, 0, 1), range(1, 1, 99)]);
    assert_eq!(split(range(5, 7, 10), &ours), [range(5, 7, 10)]);
    assert_eq!(split(range(0, 70_000, 3), &ours), [range(0, 70_000, 3)]);
}
