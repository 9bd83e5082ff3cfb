//! Files and lines stay short. Functions: clippy's `too_many_lines`, held in place by
//! [`super::lints`].

use super::Finding;
use super::code::test_lines;
use crate::workspace::Source;

/// Lines of a file that are not test code.
const MAX_LINES: usize = 500;

/// Columns of a line.
const MAX_COLUMNS: usize = 100;

/// At most [`MAX_LINES`] lines that are not test code.
pub(super) fn file_is_short(source: &Source) -> Vec<Finding> {
    if !source.has_extension(".rs") {
        return Vec::new();
    }
    let lines = test_lines(source).into_iter().filter(|test| !test).count();
    if lines <= MAX_LINES {
        return Vec::new();
    }
    let what = format!("{lines} non-test lines, at most {MAX_LINES}: split it by operation");
    vec![Finding::new(&source.path, 0, what)]
}

/// At most [`MAX_COLUMNS`] columns, comments and strings included. In prose, tables, lines with a
/// link and single words may be longer; in code, raw strings.
pub(super) fn lines_are_short(source: &Source) -> Vec<Finding> {
    let prose = source.has_extension(".md");
    let checked = prose
        || [".rs", ".sql", ".pml", ".sh", ".ci/run"]
            .iter()
            .any(|extension| source.has_extension(extension));
    if !checked {
        return Vec::new();
    }
    let long = |line: &&str| line.chars().count() > MAX_COLUMNS;
    let excused = |line: &str| {
        if prose {
            let one_word = !line.trim_start_matches("- ").contains(' ');
            one_word || line.starts_with('|') || line.contains("](")
        } else {
            line.contains("r#\"")
        }
    };
    (1..)
        .zip(source.text.lines())
        .filter(|(_, line)| long(line) && !excused(line))
        .map(|(number, _)| {
            Finding::new(
                &source.path,
                number,
                format!("longer than {MAX_COLUMNS} columns"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    #[test]
    fn file_is_short_counts_code_and_not_tests() {
        let code = "fn a() {}\n".repeat(500);
        assert_eq!(file_is_short(&source("crates/a/src/a.rs", &code)), []);
        let tests = format!(
            "{code}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "    x\n".repeat(99)
        );
        assert_eq!(file_is_short(&source("crates/a/src/a.rs", &tests)), []);
        let long = format!("{code}fn b() {{}}\n");
        assert_eq!(file_is_short(&source("crates/a/src/a.rs", &long)).len(), 1);
    }

    #[test]
    fn lines_are_short_counts_characters_and_excuses_tables() {
        let line = "é".repeat(100);
        assert_eq!(lines_are_short(&source("a.rs", &line)), []);
        let line = "é".repeat(101);
        assert_eq!(lines_are_short(&source("a.rs", &line)).len(), 1);
        assert_eq!(
            lines_are_short(&source("a.md", &format!("a {line}"))).len(),
            1
        );
        assert_eq!(lines_are_short(&source("a.md", &format!("- {line}"))), []);
        assert_eq!(lines_are_short(&source("a.md", &format!("|{line}"))), []);
        assert_eq!(
            lines_are_short(&source("a.rs", &format!("|{line}"))).len(),
            1
        );
    }
}
