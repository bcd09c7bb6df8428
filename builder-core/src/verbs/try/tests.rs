//! Which words are run.

use super::*;

fn words(entrypoint: Option<&[&str]>, command: &[&str], image: [&[&str]; 2]) -> Option<String> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let some = |words: &[&str]| (!words.is_empty()).then(|| owned(words));
    let defaults =
        ContainerDefaults { entrypoint: some(image[0]), cmd: some(image[1]), ..ContainerDefaults::default() };
    let tried = Try { entrypoint: entrypoint.map(owned), command: owned(command), ..Try::default() };
    tried.words(&defaults).ok().map(|words| words.join(" "))
}

#[test]
fn the_command_takes_the_place_of_the_usual_one_only() {
    let both: [&[&str]; 2] = [&["serve"], &["--all"]];
    assert_eq!(words(None, &[], both).unwrap(), "serve --all");
    assert_eq!(words(None, &["--one"], both).unwrap(), "serve --one");
    assert_eq!(words(None, &["sh"], [&[], &["serve"]]).unwrap(), "sh");
    assert_eq!(words(None, &[], [&[], &["serve"]]).unwrap(), "serve");
}

#[test]
fn another_entrypoint_is_without_the_usual_command() {
    let both: [&[&str]; 2] = [&["serve"], &["--all"]];
    assert_eq!(words(Some(&["sh"]), &[], both).unwrap(), "sh");
    assert_eq!(words(Some(&["sh"]), &["-c", "id"], both).unwrap(), "sh -c id");
    assert_eq!(words(Some(&[]), &["id"], both).unwrap(), "id");
    assert_eq!(words(Some(&[]), &[], both), None);
    assert_eq!(words(None, &[], [&[], &[]]), None);
}
