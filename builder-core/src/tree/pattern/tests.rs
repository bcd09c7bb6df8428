//! What a source pattern matches, against Go's rules, and what it finds in a tree.

use super::*;

fn part_matches(pattern: &str, name: &str) -> bool {
    compile_part(pattern).unwrap().is_match(name.as_bytes())
}

#[test]
fn one_part_matches_as_go_does() {
    for (pattern, name, expected) in [
        ("abc", "abc", true),
        ("*", "abc", true),
        ("*c", "abc", true),
        ("a*", "a", true),
        ("a*", "ab\nc", true),
        ("*", ".hidden", true),
        ("a*b?c*x", "abxbbxdbxebxczzx", true),
        ("a*b?c*x", "abxbbxdbxebxczzy", false),
        ("ab[c]", "abc", true),
        ("ab[b-d]", "abc", true),
        ("ab[e-g]", "abc", false),
        ("ab[^c]", "abc", false),
        ("ab[^e-g]", "abc", true),
        ("a\\*b", "a*b", true),
        ("a\\*b", "ab", false),
        ("a?b", "a☺b", true),
        ("a[^a]b", "a☺b", true),
        ("a???b", "a☺b", false),
        ("[a-ζ]*", "α", true),
        ("*[a-ζ]", "A", false),
        ("[\\]a]", "]", true),
        ("[\\-x]", "-", true),
        ("[x\\-]", "z", false),
        ("a.c", "abc", false),
        ("a+(b)|{c}$^", "a+(b)|{c}$^", true),
        ("ABC", "abc", false),
    ] {
        assert_eq!(part_matches(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn a_name_that_is_not_utf8_matches() {
    let regex = compile_part("a?b*").unwrap();
    assert!(regex.is_match(b"a\xffb\xfe"));
}

#[test]
fn a_malformed_part_is_refused_with_its_words() {
    for pattern in ["[", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[^", "[a", "a\\", "[b-a]"] {
        let error = compile_part(pattern).unwrap_err();
        assert_eq!(error.sentence(), format!("cannot use the pattern `{pattern}`"));
        assert!(error.hint_text().is_some());
    }
}

#[test]
fn a_pattern_too_long_to_compile_is_refused() {
    assert!(compile_part(&"[a-ζ]*?".repeat(100_000)).is_err());
}

fn tree() -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    for below in ["src/deep/er", "src/.git", "out"] {
        std::fs::create_dir_all(dir.path().join(below)).unwrap();
    }
    for file in ["a.txt", "b.txt", "c[1].md", "src/d.txt", "src/deep/e.txt", "src/deep/er/f.txt", "out/g.txt"]
    {
        std::fs::write(dir.path().join(file), file).unwrap();
    }
    std::os::unix::fs::symlink("src", dir.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/nowhere", dir.path().join("lost.txt")).unwrap();
    let root = Root::open_host(dir.path()).unwrap();
    (dir, root)
}

fn found(root: &Root, pattern: &str) -> Vec<String> {
    found_from(root, "", pattern)
}

fn found_from(root: &Root, base: &str, pattern: &str) -> Vec<String> {
    let base = RelPath::parse(base).unwrap();
    Pattern::new(&base, pattern)
        .expand(root)
        .unwrap()
        .iter()
        .map(|path| path.as_path().display().to_string())
        .collect()
}

#[test]
fn a_source_names_files_of_the_tree() {
    let (_dir, root) = tree();
    assert_eq!(found(&root, "a.txt"), ["a.txt"]);
    assert_eq!(found(&root, "/a.txt"), ["a.txt"]);
    assert_eq!(found(&root, "../../a.txt"), ["a.txt"]);
    assert_eq!(found(&root, "."), [""]);
    assert_eq!(found(&root, "*.txt"), ["a.txt", "b.txt", "lost.txt"]);
    assert_eq!(found(&root, "s*/d*"), ["src/d.txt", "src/deep"]);
    assert_eq!(found(&root, "src/*/er/../*.txt"), ["src/deep/e.txt"]);
    assert_eq!(found(&root, "nothing*"), [""; 0]);
    assert_eq!(found(&root, "a.txt/*"), [""; 0]);
}

#[test]
fn two_stars_go_down_but_not_through_symlinks() {
    let (_dir, root) = tree();
    let all = ["a.txt", "b.txt", "lost.txt", "out/g.txt", "src/d.txt", "src/deep/e.txt", "src/deep/er/f.txt"];
    assert_eq!(found(&root, "**/*.txt"), all);
    assert_eq!(found(&root, "src/**/f.txt"), ["src/deep/er/f.txt"]);
    assert_eq!(found(&root, "src/**/d.txt"), ["src/d.txt"]);
    assert_eq!(found(&root, "out/**"), ["out/g.txt"]);
    assert_eq!(found(&root, "link/*.txt"), ["link/d.txt"]);
}

#[test]
fn a_name_with_brackets_is_found_as_it_stands_and_escaped() {
    let (_dir, root) = tree();
    assert_eq!(found(&root, "c[1].md"), ["c[1].md"]);
    assert_eq!(found(&root, "c\\[1\\].md"), ["c[1].md"]);
}

#[test]
fn a_pattern_begins_where_it_is_told_to() {
    let (_dir, root) = tree();
    assert_eq!(found_from(&root, "src", "*.txt"), ["src/d.txt"]);
    assert_eq!(found_from(&root, "src/deep", "../*.txt"), ["src/d.txt"]);
    assert_eq!(found_from(&root, "src", "/*.md"), ["c[1].md"]);
    // The directory it begins at is no pattern, whatever its name.
    assert_eq!(found_from(&root, "s*", "*.txt"), [""; 0]);
}

#[test]
fn the_depth_of_a_pivot_is_known_before_two_stars() {
    let base = RelPath::parse("a/b").unwrap();
    assert_eq!(Pattern::new(&base, "x/*/y").depth_of_first(2), Some(4));
    assert_eq!(Pattern::new(&base, "/x/*/y").depth_of_first(2), Some(2));
    assert_eq!(Pattern::new(&base, "**/y").depth_of_first(1), None);
    assert_eq!(Pattern::new(&base, "**/y").depth_of_first(0), Some(2));
}
