//! Nothing half-done, nothing that waits.

use super::Finding;
use super::code::test_lines;
use crate::workspace::Source;

/// Text that must not stand in a Rust file, and why. Split so that this file passes.
const LEFT_OVERS: [(&str, &str); 7] = [
    (concat!("to", "do!("), "unfinished"),
    (concat!("unimplemen", "ted!("), "unfinished"),
    (concat!("db", "g!("), "debugging output"),
    (
        concat!("FIX", "ME"),
        "unfinished: do it, or write it into known-issues.md",
    ),
    (
        concat!("XX", "X"),
        "unfinished: do it, or write it into known-issues.md",
    ),
    (concat!("#[ign", "ore"), "a test that does not run"),
    (concat!("allow(clippy::all", ")"), "switches every lint off"),
];

/// The text stands alone, not inside a longer word.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at..)
            .and_then(|text| text.get(word.len()..)?.chars().next());
        let open = |neighbour: Option<char>| !neighbour.is_some_and(char::is_alphanumeric);
        let ends_open = word.ends_with(|last: char| !last.is_alphanumeric());
        open(before) && (ends_open || open(after))
    })
}

/// None of [`LEFT_OVERS`].
pub(super) fn none_left(source: &Source) -> Vec<Finding> {
    if !source.has_extension(".rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        for (text, why) in LEFT_OVERS {
            if has_word(line, text) {
                findings.push(Finding::new(
                    &source.path,
                    number,
                    format!("`{text}`: {why}"),
                ));
            }
        }
    }
    findings
}

/// No marker of a merge that was not finished, in any file.
pub(super) fn no_conflicts(source: &Source) -> Vec<Finding> {
    let markers = [concat!("<<<<", "<<< "), concat!(">>>>", ">>> ")];
    (1..)
        .zip(source.text.lines())
        .filter(|(_, line)| markers.iter().any(|marker| line.starts_with(marker)))
        .map(|(number, _)| Finding::new(&source.path, number, "an unfinished merge"))
        .collect()
}

/// No thread sleeps anywhere; no timer sleeps in test code.
pub(super) fn nothing_sleeps(source: &Source) -> Vec<Finding> {
    if !source.has_extension(".rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for ((number, line), test) in (1..).zip(source.text.lines()).zip(test_lines(source)) {
        if line.contains(concat!("thread::", "sleep(")) {
            let what = "a thread that sleeps: wait for the event itself";
            findings.push(Finding::new(&source.path, number, what));
        } else if test && line.contains(concat!("time::", "sleep(")) {
            let what = "a test that sleeps: wait for the event itself, or use a fake clock";
            findings.push(Finding::new(&source.path, number, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    #[test]
    fn none_left_fails_for_each_text_and_spares_longer_words() {
        for (text, _) in LEFT_OVERS {
            let line = format!("fn a() {{}}\n    // x {text}\n");
            let findings = none_left(&source("crates/a/src/a.rs", &line));
            assert_eq!(findings.len(), 1, "{text}");
            assert_eq!(findings[0].line, 2);
        }
        assert_eq!(
            none_left(&source("crates/a/src/a.rs", "\"tmp.XXXXXX\" mastodo(")),
            []
        );
    }

    #[test]
    fn no_conflicts_fails_on_a_marker() {
        let text = concat!("a\n<<<<", "<<< HEAD\nb\n>>>>", ">>> main\n");
        assert_eq!(no_conflicts(&source("README.md", text)).len(), 2);
        assert_eq!(no_conflicts(&source("README.md", "a << b\n")), []);
    }

    #[test]
    fn nothing_sleeps_tells_tests_from_code() {
        let timer = concat!("tokio::time::", "sleep(x).await;\n");
        assert_eq!(nothing_sleeps(&source("crates/a/src/a.rs", timer)), []);
        assert_eq!(
            nothing_sleeps(&source("crates/a/tests/it/a.rs", timer)).len(),
            1
        );
        let thread = concat!("std::thread::", "sleep(x);\n");
        assert_eq!(
            nothing_sleeps(&source("crates/a/src/a.rs", thread)).len(),
            1
        );
    }
}
