//! The lints that carry the project's rules are on, in every crate, and nobody steps around them.

use super::Finding;
use crate::workspace::Source;

/// Lines the root manifest must hold.
const ROOT: [&str; 4] = [
    "unsafe_code = \"forbid\"",
    "missing_docs = \"warn\"",
    "pedantic = { level = \"warn\", priority = -1 }",
    "unwrap_used = \"warn\"",
];

/// Line `clippy.toml` must hold: functions have at most 70 lines.
const CLIPPY: &str = "too-many-lines-threshold = 70";

/// Every crate inherits the workspace lints, and the lints are those agreed on.
pub(super) fn in_force(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let wanted: &[&str] = match source.path.as_str() {
            "Cargo.toml" => &ROOT,
            "clippy.toml" => &[CLIPPY],
            path if path.ends_with("/Cargo.toml") => &["[lints]\nworkspace = true"],
            _ => &[],
        };
        for text in wanted {
            if !source.text.contains(text) {
                findings.push(Finding::new(
                    &source.path,
                    0,
                    format!("`{text}` is missing"),
                ));
            }
        }
        if source.has_extension(".rs") {
            for (number, line) in (1..).zip(source.text.lines()) {
                if line.contains(concat!("clippy::too_many", "_lines")) {
                    let what = "split the function instead of excusing it";
                    findings.push(Finding::new(&source.path, number, what));
                }
            }
        }
    }
    for path in ["Cargo.toml", "clippy.toml"] {
        if !sources.iter().any(|source| source.path == path) {
            findings.push(Finding::new(path, 0, "is missing"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    fn good() -> Vec<Source> {
        vec![
            source("Cargo.toml", &ROOT.join("\n")),
            source("clippy.toml", CLIPPY),
            source("crates/a/Cargo.toml", "[lints]\nworkspace = true\n"),
            source("crates/a/src/lib.rs", "//! A.\n"),
        ]
    }

    #[test]
    fn fails_when_any_part_is_taken_out() {
        assert_eq!(in_force(&good()), []);
        for (number, _) in ROOT.iter().enumerate() {
            let mut sources = good();
            let kept = ROOT.iter().enumerate().filter(|(at, _)| *at != number);
            sources[0].text = kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
            assert_eq!(in_force(&sources).len(), 1, "{}", ROOT[number]);
        }
        for at in [1, 2] {
            let mut sources = good();
            sources[at].text.clear();
            assert_eq!(in_force(&sources).len(), 1, "{}", sources[at].path);
        }
        let mut sources = good();
        sources[3].text = concat!("#![expect(clippy::too_many", "_lines)]").to_owned();
        assert_eq!(in_force(&sources).len(), 1);
        assert_eq!(in_force(&good()[1..]).len(), 1);
    }
}
