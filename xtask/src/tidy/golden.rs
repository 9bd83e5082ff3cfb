//! A golden test over an empty folder passes; so the folders must not be empty.

use super::Finding;
use crate::workspace::Source;

/// Folders that a golden test reads, and the least number of files in each.
const GOLDEN: [(&str, usize); 3] = [
    ("testdata/keyrings", 3),
    ("testdata/records", 4),
    ("testdata/shares", 16),
];

/// Names of folders that hold golden files; one that is not in the table is a finding.
const GOLDEN_NAMES: [&str; 5] = ["golden", "testdata", "vectors", "corpus", "snapshots"];

/// Every golden folder is known and has its files.
pub(super) fn not_empty(sources: &[Source]) -> Vec<Finding> {
    check(sources, &GOLDEN)
}

fn check(sources: &[Source], table: &[(&str, usize)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, least) in table {
        let prefix = format!("{folder}/");
        let found = sources
            .iter()
            .filter(|source| source.path.starts_with(&prefix))
            .count();
        if found < *least {
            let what = format!("{found} golden files, at least {least} expected");
            findings.push(Finding::new(folder, 0, what));
        }
    }
    for source in sources {
        let golden = source
            .path
            .split('/')
            .rev()
            .skip(1)
            .any(|name| GOLDEN_NAMES.contains(&name));
        let known = table.iter().any(|(folder, _)| {
            source
                .path
                .strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        });
        if golden && !known {
            findings.push(Finding::new(
                &source.path,
                0,
                "golden folder missing in xtask's table",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    #[test]
    fn fails_on_a_folder_that_is_empty_and_on_one_that_is_unknown() {
        let files = [source("crates/a/tests/golden/x.hex", "00")];
        assert_eq!(check(&files, &[("crates/a/tests/golden", 1)]), []);
        assert_eq!(check(&files, &[("crates/a/tests/golden", 2)]).len(), 1);
        assert_eq!(check(&[], &[("crates/a/tests/golden", 1)]).len(), 1);
        assert_eq!(check(&files, &[]).len(), 1);
    }
}
