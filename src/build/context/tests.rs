//! Which names of contexts stand for addresses.

use super::address;

#[test]
fn a_repository_may_be_named_by_its_path() {
    for (name, stands_for) in [
        ("github.com/user/repository", "https://github.com/user/repository.git"),
        ("github.com/user/repository.git#v1:dir", "https://github.com/user/repository.git#v1:dir"),
        ("github.com/user/repository#v1", "https://github.com/user/repository.git#v1"),
        ("github.com/user/repository?tag=v1", "https://github.com/user/repository.git?tag=v1"),
        ("./github.com/user", "./github.com/user"),
        ("https://host.example/x.git", "https://host.example/x.git"),
        (".", "."),
    ] {
        assert_eq!(address(name), stands_for);
    }
}
