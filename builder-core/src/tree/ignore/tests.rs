//! Which paths rules leave out: Docker's own cases, and those that go wrong in naive matchers.

use super::*;

fn out(patterns: &[&str], path: &str) -> bool {
    let ignore = Ignore::new(patterns).unwrap();
    ignore.leaves_out(ignore.judge_from_root(&RelPath::parse(path).unwrap()))
}

#[test]
fn one_pattern_matches_as_docker_does() {
    for (pattern, path, expected) in [
        ("**", "file", true),
        ("**", "dir/file", true),
        ("**/", "file", true),
        ("**/", "dir/file", true),
        ("**/**", "dir/file", true),
        ("dir/**", "dir/file", true),
        ("dir/**", "dir", false),
        ("dir/**", "dir/dir2/file", true),
        ("**/dir", "dir", true),
        ("**/dir", "dir/file", true),
        ("**/dir2/*", "dir/dir2/file", true),
        ("**/dir2/*", "dir/dir2/dir2/file", true),
        ("**/dir2/**", "dir/dir2/dir2/file", true),
        ("**file", "file", true),
        ("**file", "dir/file", true),
        ("**file", "dir/afile", true),
        ("**/file", "dir/afile", false),
        ("**/file", "dir/dir/file", true),
        ("**/file*", "dir/dir/file.txt", true),
        ("**/file*txt", "dir/dir/file.txt", true),
        ("**/**/*.txt", "dir/dir/file.txt", true),
        ("**/*.txt", "file.txt", true),
        ("a**/*.txt", "a/file.txt", true),
        ("a**/*.txt", "a/dir/dir/file.txt", true),
        ("a/*.txt", "a/dir/file.txt", false),
        ("a/*.txt", "a/file.txt", true),
        ("a/**/b", "a/b", true),
        ("a/**/b", "a/x/y/b", true),
        ("a/**/b", "a/xb", false),
        ("a[b-d]e", "ace", true),
        ("a[b-d]e", "aae", false),
        ("a[^b-d]e", "aze", true),
        (".*", ".foo", true),
        (".*", "foo", false),
        ("abc.def", "abcdef", false),
        ("abc.def", "abc.def", true),
        ("abc?def", "abcZdef", true),
        ("a\\\\", "a\\", true),
        ("a\\*b", "a*b", true),
        ("a\\*b", "axb", false),
        ("**/foo/bar", "foo/bar", true),
        ("**/foo/bar", "dir/foo/bar", true),
        ("abc/**", "abc/def/ghi", true),
        ("**/.foo", ".foo", true),
        ("**/.foo", "bar.foo", false),
        ("./bar.*", "bar.txt", true),
        ("/bar/", "bar/x", true),
        ("a(b)c/def", "a(b)c/def", true),
        ("a.|)$(}+{", "a.|)$(}+{", true),
        ("dist/proxy.py-2.4.0rc3.tar.gz", "dist/proxy.py-2.4.0rc3.tar.gz", true),
        ("*", "x/y", true),
        ("foo", "x/foo", false),
        ("x/../foo", "foo", true),
    ] {
        assert_eq!(out(&[pattern], path), expected, "{pattern} {path}");
    }
}

#[test]
fn the_last_match_decides() {
    assert!(!out(&["*", "!keep"], "keep"));
    assert!(!out(&["*", "!keep"], "keep/below"));
    assert!(out(&["*", "!keep"], "other/keep"));
    assert!(out(&["!keep", "*"], "keep"));
    assert!(out(&["*", "!keep", "keep/secret"], "keep/secret"));
    assert!(!out(&["docs", "!docs/**/README.md"], "docs/a/b/README.md"));
    assert!(out(&["docs", "!docs/**/README.md"], "docs/a/b/other.md"));
    assert!(!out(&["**/*.md", "! README.md"], "README.md"));
    assert!(!out(&["!a/*", "!*.txt"], "a/x.txt"));
}

#[test]
fn the_root_is_never_left_out() {
    let ignore = Ignore::new(["*", "**", "."]).unwrap();
    assert!(!ignore.leaves_out(ignore.judge(Verdict::default(), &RelPath::root())));
}

#[test]
fn the_file_has_comments_marks_and_blanks() {
    let ignore = Ignore::of_lines(&["\u{feff}a\r", "# b", "", "  c  ", " \\#d"]).unwrap();
    let out = |path| ignore.leaves_out(ignore.judge_from_root(&RelPath::parse(path).unwrap()));
    assert!(out("a") && out("c") && out("#d"));
    assert!(!out("b") && !out("# b"));
    assert!(Ignore::of_lines(&["# nothing"]).unwrap().is_empty());
    assert!(Ignore::of_lines(&["\u{feff}# nothing"]).unwrap().is_empty());
}

#[test]
fn bad_lists_are_refused() {
    assert!(Ignore::new(["!"]).is_err());
    assert!(Ignore::new(["[a"]).is_err());
    assert!(Ignore::new(["a\\"]).is_err());
}

#[test]
fn a_directory_is_looked_into_only_where_something_may_come_back() {
    let path = |path: &str| RelPath::parse(path).unwrap();
    let below = |patterns: &[&str], at: &str| {
        let ignore = Ignore::new(patterns).unwrap();
        let verdict = ignore.judge_from_root(&path(at));
        assert!(ignore.leaves_out(verdict), "{patterns:?} leave out {at}");
        ignore.may_bring_back_below(verdict, &path(at))
    };
    assert!(!below(&["node_modules"], "node_modules"));
    assert!(below(&["docs", "!docs/keep.md"], "docs"));
    assert!(below(&["docs", "!docs/a/*/c"], "docs/a/b"));
    assert!(!below(&["docs", "!src/x"], "docs"));
    assert!(!below(&["docs", "!docs/a"], "docs/b"));
    assert!(below(&["*", "!**/x"], "docs/b"));
    assert!(!below(&["!docs/x", "docs"], "docs"));
}

#[test]
fn many_rules_and_long_paths_are_judged_in_linear_time() {
    let stars = "*a".repeat(200);
    let ignore = Ignore::new([stars.as_str(), "**/x/**/y/**/z"]).unwrap();
    let path = RelPath::parse("a".repeat(4000)).unwrap();
    assert!(ignore.leaves_out(ignore.judge_from_root(&path)));
}
