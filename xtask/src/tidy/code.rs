//! Telling test code from the rest.

use crate::workspace::Source;

/// Whether the whole file is test code: integration tests, `tests.rs` modules, the testkit.
pub(super) fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.starts_with("crates/testkit/")
}

/// Per line, whether it is test code. Relies on rustfmt: an item's closing brace stands at the
/// indentation of its attribute.
pub(super) fn test_lines(source: &Source) -> Vec<bool> {
    if is_test_file(&source.path) {
        return source.text.lines().map(|_| true).collect();
    }
    let mut marks = Vec::new();
    // Inside an item under `#[cfg(test)]`: the line that ends it.
    let mut end: Option<String> = None;
    // After `#[cfg(test)]`, before the item's first line.
    let mut pending: Option<String> = None;
    for line in source.text.lines() {
        let trimmed = line.trim_start();
        let indent = line.strip_suffix(trimmed).unwrap_or_default();
        if let Some(last) = &end {
            marks.push(true);
            if line == last {
                end = None;
            }
        } else if let Some(indent) = pending.take() {
            marks.push(true);
            if trimmed.starts_with("#[") {
                pending = Some(indent);
            } else if !line.ends_with(';') && !line.ends_with('}') {
                end = Some(format!("{indent}}}"));
            }
        } else {
            let starts = trimmed.starts_with("#[cfg(") && trimmed.contains("test");
            let starts = starts && !trimmed.contains("not(test");
            marks.push(starts);
            if starts {
                pending = Some(indent.to_owned());
            }
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    #[test]
    fn marks_the_test_module_and_nothing_after_it() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n";
        let marks = test_lines(&source("crates/a/src/a.rs", text));
        assert_eq!(marks, [false, true, true, true, true, true, false]);
    }

    #[test]
    fn marks_a_single_line_item_and_a_whole_test_file() {
        let text = "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;\nfn a() {}\n";
        assert_eq!(
            test_lines(&source("a/src/a.rs", text)),
            [true, true, true, false]
        );
        assert_eq!(
            test_lines(&source("a/tests/it/a.rs", "fn a() {}\n")),
            [true]
        );
        assert_eq!(
            test_lines(&source("a/src/a.rs", "#[cfg(not(test))]\nfn a() {}\n")),
            [false, false]
        );
    }
}
