//! `cargo xtask tidy`: the project's own rules. Each rule is a function from text to findings and
//! has a test that shows it can fail.

mod code;
mod documents;
mod edges;
mod golden;
mod left_overs;
mod licences;
mod lints;
mod places;
mod sizes;

use core::fmt;

use crate::workspace::{Source, Workspace};

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Which file.
    path: String,
    /// Which line, from 1; 0 for the file as a whole.
    line: usize,
    /// What is wrong, and what to do instead.
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// The rules that look at one file at a time.
const FILE_RULES: [fn(&Source) -> Vec<Finding>; 7] = [
    sizes::file_is_short,
    sizes::lines_are_short,
    left_overs::none_left,
    left_overs::no_conflicts,
    left_overs::nothing_sleeps,
    places::no_mod_rs,
    places::no_machine_paths,
];

/// Runs every rule; an error that counts the findings when there are any.
pub(crate) fn run(workspace: &Workspace) -> Result<(), String> {
    let sources = workspace.sources()?;
    let metadata = workspace.metadata()?;
    let lock = workspace.read("Cargo.lock")?;
    let deny = workspace.read("deny.toml")?;

    let mut findings = Vec::new();
    for source in &sources {
        for rule in FILE_RULES {
            findings.extend(rule(source));
        }
    }
    findings.extend(edges::allowed_only(&metadata));
    findings.extend(edges::sans_io(&metadata));
    findings.extend(licences::allowed_only(&metadata, &deny)?);
    findings.extend(licences::lock_is_clean(&lock, &deny)?);
    findings.extend(licences::no_wildcards(&metadata)?);
    findings.extend(lints::in_force(&sources));
    findings.extend(golden::not_empty(&sources));
    findings.extend(documents::agree(&sources));

    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files, nothing to report", sources.len());
        Ok(())
    } else {
        Err(format!(
            "tidy: {} findings in {} files",
            findings.len(),
            sources.len()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source under a made-up path.
    pub(super) fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn every_file_rule_fails_on_the_worst_file_and_passes_a_clean_one() {
        let mut bad = "\n".repeat(600);
        bad.push_str(&"x".repeat(101));
        bad.push_str(concat!(
            "\nto",
            "do!();\nthread::",
            "sleep(a);\n// /ro",
            "ot/x\n"
        ));
        bad.push_str(concat!("<<<<", "<<< HEAD\n"));
        let bad = source("crates/a/src/b/mod.rs", &bad);
        let good = source("crates/a/src/b.rs", "//! Fine.\n");
        for (number, rule) in FILE_RULES.iter().enumerate() {
            assert!(
                !rule(&bad).is_empty(),
                "rule {number} let the worst file pass"
            );
            assert_eq!(rule(&good), [], "rule {number} refused a clean file");
        }
    }

    #[test]
    fn findings_print_as_a_place_an_editor_can_open() {
        assert_eq!(
            Finding::new("a.rs", 3, "wrong").to_string(),
            "a.rs:3: wrong"
        );
    }
}
