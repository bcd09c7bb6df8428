//! The order of the library's modules, as the comment at the top of its `lib.rs` gives it.

use super::source::{SourceFile, code_of};

/// The modules in groups from the left to the right; those of one group may use each other.
pub struct Order {
    groups: Vec<Vec<String>>,
    /// Modules that `lib.rs` declares and the order does not name.
    missing: Vec<String>,
}

impl Order {
    /// Reads the order out of the text of `lib.rs`: the words between backticks that begin with `sys ·`.
    pub fn parse(text: &str) -> Self {
        let comment: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim).collect();
        let comment = comment.join(" ");
        let listed =
            comment.split('`').find(|part| part.starts_with("sys ·")).expect("lib.rs gives the order");
        let groups: Vec<Vec<String>> =
            listed.split('·').map(|group| group.split_whitespace().map(str::to_owned).collect()).collect();
        let declared = text.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
        let missing = declared
            .filter_map(|line| line.strip_suffix(';'))
            .filter(|name| *name != "testing" && !groups.iter().flatten().any(|known| known == name))
            .map(str::to_owned)
            .collect();
        Order { groups, missing }
    }

    fn rank(&self, module: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.iter().any(|name| name == module))
    }

    /// What `file` uses that is to the right of its own module; tests may use everything.
    pub fn faults(&self, file: &SourceFile) -> Vec<String> {
        let Some(inside) = file.path.strip_prefix("builder-core/src/") else { return Vec::new() };
        if inside == "lib.rs" {
            return self.missing.iter().map(|name| format!("`{name}` has no place in the order")).collect();
        }
        let module = inside.split(['/', '.']).next().unwrap_or_default();
        let Some(own) = self.rank(module) else { return Vec::new() };
        if file.is_test() {
            return Vec::new();
        }
        let code = code_of(&file.text);
        let mut used = names_after(&code, "crate::");
        if inside == format!("{module}.rs") || inside == format!("{module}/mod.rs") {
            used.extend(names_after(&code, "super::"));
        }
        used.sort();
        used.dedup();
        used.into_iter()
            .filter(|name| self.rank(name).is_some_and(|rank| rank > own))
            .map(|name| format!("{}: uses `{name}`, which is to its right", file.path))
            .collect()
    }
}

/// The first name of every path that follows `prefix`, those of `prefix::{a, b::{c}}` one by one.
fn names_after(code: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => names.push(first_name(rest)),
            Some(list) => {
                let mut depth = 0_usize;
                let mut start = 0;
                for (at, symbol) in list.char_indices() {
                    match symbol {
                        '{' => depth += 1,
                        '}' if depth > 0 => depth -= 1,
                        ',' | '}' if depth == 0 => {
                            names.push(first_name(list[start..at].trim()));
                            start = at + 1;
                            if symbol == '}' {
                                break;
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|symbol| symbol.is_alphanumeric() || *symbol == '_').collect()
}
