//! Where files stand, and that they name no particular machine.

use super::Finding;
use crate::workspace::Source;

/// Texts that only make sense on one machine. Split so that this file passes.
const MACHINE: [&str; 6] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/var/", "tmp/"),
    concat!("/Use", "rs/"),
    concat!("artifac", "tory"),
    concat!("nexus-", "repository"),
];

/// `foo.rs` beside `foo/`, never `foo/mod.rs`.
pub(super) fn no_mod_rs(source: &Source) -> Vec<Finding> {
    if source.path.ends_with("/mod.rs") {
        vec![Finding::new(
            &source.path,
            0,
            "name the file after its folder, beside it",
        )]
    } else {
        Vec::new()
    }
}

/// No path and no package mirror of a developer's machine, in any file.
pub(super) fn no_machine_paths(source: &Source) -> Vec<Finding> {
    let home = concat!("/ho", "me/");
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        let named = MACHINE.iter().find(|text| line.contains(*text)).copied();
        // A home directory is fine as a placeholder.
        let in_home = line
            .split(home)
            .skip(1)
            .any(|rest| !rest.starts_with(['$', '<', '…']));
        if let Some(text) = named.or(in_home.then_some(home)) {
            findings.push(Finding::new(
                &source.path,
                number,
                format!("names a machine: `{text}`"),
            ));
        }
    }
    if ["package-lock.json", "pip.conf", ".npmrc"]
        .iter()
        .any(|name| source.path.ends_with(name))
    {
        findings.push(Finding::new(
            &source.path,
            0,
            "records a package mirror's address",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    #[test]
    fn no_mod_rs_fails_on_one() {
        assert_eq!(no_mod_rs(&source("crates/a/src/b/mod.rs", "")).len(), 1);
        assert_eq!(no_mod_rs(&source("crates/a/src/b.rs", "")), []);
    }

    #[test]
    fn no_machine_paths_fails_for_each_text() {
        for text in MACHINE {
            let line = format!("see {text}x");
            assert_eq!(
                no_machine_paths(&source("README.md", &line)).len(),
                1,
                "{text}"
            );
        }
        let home = concat!("cd /ho", "me/ann/x");
        assert_eq!(no_machine_paths(&source("README.md", home)).len(), 1);
        let placeholder = concat!("cd /ho", "me/<you>/x");
        assert_eq!(no_machine_paths(&source("README.md", placeholder)), []);
        assert_eq!(
            no_machine_paths(&source("a/package-lock.json", "{}")).len(),
            1
        );
    }
}
