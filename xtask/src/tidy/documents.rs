//! The documents agree with the code: codes, metrics, tests, links and rules they name exist.

use super::Finding;
use crate::workspace::Source;

/// Where the error codes are defined, and where they are explained.
const CODES: (&str, &str) = (
    "crates/core/src/wire/error_body.rs",
    "docs/reference/errors.md",
);

/// Where the metrics are defined, and where they are explained.
const METRICS: (&str, &str) = ("crates/server/src/metrics.rs", "docs/guides/operating.md");

/// Where the command's exit codes are defined, and where they are explained.
const EXIT_CODES: (&str, &str) = ("crates/cli/src/exit_code.rs", "docs/reference/errors.md");

/// Where the custody rules are explained.
const CUSTODY: &str = "SECURITY.md";

/// Every check of this file.
pub(super) fn agree(sources: &[Source]) -> Vec<Finding> {
    let mut findings = error_codes(sources);
    findings.extend(metrics(sources));
    findings.extend(exit_codes(sources));
    findings.extend(custody_rules(sources));
    findings.extend(cited_tests(sources));
    findings.extend(links(sources));
    findings
}

fn text_of<'a>(sources: &'a [Source], path: &str) -> &'a str {
    sources
        .iter()
        .find(|source| source.path == path)
        .map_or("", |source| source.text.as_str())
}

/// Each code of the HTTP API stands in a table row with its status, and no row is left over.
fn error_codes(sources: &[Source]) -> Vec<Finding> {
    let (code, document) = CODES;
    // `    NotFound = "not_found" => 404,`
    let defined: Vec<(&str, &str)> = text_of(sources, code)
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.trim().split_once(" = \"")?;
            let (name, rest) = rest.split_once("\" => ")?;
            Some((name, rest.strip_suffix(',')?))
        })
        .collect();
    let mut findings = Vec::new();
    if defined.is_empty() {
        findings.push(Finding::new(code, 0, "no error codes found"));
    }
    let listed = text_of(sources, document);
    for (name, status) in &defined {
        if !listed.contains(&format!("| `{name}` | {status} |")) {
            findings.push(Finding::new(
                document,
                0,
                format!("`{name}` ({status}) is not listed"),
            ));
        }
    }
    for (number, line) in (1..).zip(listed.lines()) {
        let row = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split_once("` | "));
        if let Some((name, rest)) = row
            && rest.starts_with(|first: char| first.is_ascii_digit())
            && !defined.iter().any(|(known, _)| *known == name)
        {
            findings.push(Finding::new(document, number, format!("no code `{name}`")));
        }
    }
    findings
}

/// Each metric of the server is explained, and each metric explained exists.
fn metrics(sources: &[Source]) -> Vec<Finding> {
    let (code, document) = METRICS;
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_name = |text: &&str| text.starts_with("halfkey_");
    let defined: Vec<&str> = text_of(sources, code)
        .split(|c| !word(c))
        .filter(is_name)
        .collect();
    let explained: Vec<&str> = text_of(sources, document)
        .split(|c| !word(c))
        .filter(is_name)
        .collect();
    let mut findings = Vec::new();
    if defined.is_empty() {
        findings.push(Finding::new(code, 0, "no metrics found"));
    }
    let mut report = |names: &[&str], others: &[&str], what: &str| {
        let mut missing: Vec<_> = names.iter().filter(|name| !others.contains(name)).collect();
        missing.sort_unstable();
        missing.dedup();
        for name in missing {
            findings.push(Finding::new(document, 0, format!("metric {name} {what}")));
        }
    };
    report(&defined, &explained, "is not explained");
    report(&explained, &defined, "does not exist");
    findings
}

/// Each exit code of the command stands in a table row.
fn exit_codes(sources: &[Source]) -> Vec<Finding> {
    let (code, document) = EXIT_CODES;
    let variant = |line: &str| {
        let (name, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        let named = name.chars().all(char::is_alphanumeric);
        (named && number.parse::<u8>().is_ok()).then(|| number.to_owned())
    };
    let defined: Vec<String> = text_of(sources, code).lines().filter_map(variant).collect();
    let mut findings = Vec::new();
    if defined.is_empty() {
        findings.push(Finding::new(code, 0, "no exit codes found"));
    }
    for number in defined {
        if !text_of(sources, document).contains(&format!("| {number} | ")) {
            findings.push(Finding::new(
                document,
                0,
                format!("exit code {number} is not listed"),
            ));
        }
    }
    findings
}

/// Each custody rule that the code cites has its section.
fn custody_rules(sources: &[Source]) -> Vec<Finding> {
    let document = text_of(sources, CUSTODY);
    let headings: Vec<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter_map(|heading| heading.split_once('.').map(|(number, _)| number))
        .collect();
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.has_extension(".rs")) {
        for (number, line) in (1..).zip(source.text.lines()) {
            // The number of one rule, or a list such as `6, 8 and 17`.
            let Some((_, rest)) = line.split_once(concat!("custody ", "rule")) else {
                continue;
            };
            let cited = rest
                .split(|c: char| !c.is_ascii_digit() && !", ands()".contains(c))
                .next();
            let numbers = cited
                .unwrap_or_default()
                .split(|c: char| !c.is_ascii_digit());
            for rule in numbers.filter(|rule| !rule.is_empty()) {
                if !headings.contains(&rule) {
                    let what = format!("custody rule {rule} has no section in {CUSTODY}");
                    findings.push(Finding::new(&source.path, number, what));
                }
            }
        }
    }
    findings
}

/// Each test that a document names as `path.rs::name` is there.
fn cited_tests(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.has_extension(".md")) {
        for (number, line) in (1..).zip(source.text.lines()) {
            for cited in line.split('`').skip(1).step_by(2) {
                let Some((path, name)) = cited.split_once(".rs::") else {
                    continue;
                };
                let path = format!("{path}.rs");
                if !text_of(sources, &path).contains(&format!("fn {name}(")) {
                    findings.push(Finding::new(
                        &source.path,
                        number,
                        format!("no test {cited}"),
                    ));
                }
            }
        }
    }
    findings
}

/// Each relative link of a document leads somewhere.
fn links(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.has_extension(".md")) {
        let folder = source
            .path
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        for (number, line) in (1..).zip(source.text.lines()) {
            for link in line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next())
            {
                let target = link.split('#').next().unwrap_or_default();
                if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let path = resolve(folder, target);
                let inside = format!("{path}/");
                if !sources
                    .iter()
                    .any(|s| s.path == path || s.path.starts_with(&inside))
                {
                    let what = format!("link to {link} leads nowhere");
                    findings.push(Finding::new(&source.path, number, what));
                }
            }
        }
    }
    findings
}

/// `target` as seen from `folder`, without `.` and `..`.
fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    #[test]
    fn error_codes_fail_when_missing_wrong_or_left_over() {
        let code = source(
            CODES.0,
            "    /// Gone.\n    NotFound = \"not_found\" => 404,\n",
        );
        let check = |row: &str| error_codes(&[code.clone(), source(CODES.1, row)]).len();
        assert_eq!(check("| `not_found` | 404 | gone |"), 0);
        assert_eq!(check(""), 1);
        assert_eq!(check("| `not_found` | 403 | gone |"), 1);
        assert_eq!(
            check("| `not_found` | 404 | gone |\n| `other` | 400 | ? |"),
            1
        );
        assert_eq!(error_codes(&[]).len(), 1);
    }

    #[test]
    fn metrics_fail_when_unexplained_or_invented() {
        let code = source(METRICS.0, "\"halfkey_signs_total\"");
        let check = |text: &str| metrics(&[code.clone(), source(METRICS.1, text)]).len();
        assert_eq!(check("| `halfkey_signs_total{operation}` |"), 0);
        assert_eq!(check(""), 1);
        assert_eq!(check("`halfkey_signs_total` `halfkey_other_total`"), 1);
        assert_eq!(metrics(&[]).len(), 1);
    }

    #[test]
    fn exit_codes_fail_when_unlisted() {
        let code = source(EXIT_CODES.0, "    /// Gone.\n    NotFound = 4,\n");
        let check = |text: &str| exit_codes(&[code.clone(), source(EXIT_CODES.1, text)]).len();
        assert_eq!(check("| 4 | gone |"), 0);
        assert_eq!(check("| 14 | gone |"), 1);
        assert_eq!(exit_codes(&[]).len(), 1);
    }

    #[test]
    fn custody_rules_fail_without_a_section() {
        let security = source(CUSTODY, "### 6. States\n### 17. Channel\n");
        let check = |line: &str| {
            let line = format!("// x (custody {line}).\n");
            custody_rules(&[security.clone(), source("a.rs", &line)]).len()
        };
        assert_eq!(check("rule 6"), 0);
        assert_eq!(check("rules 6 and 17"), 0);
        assert_eq!(check("rule 7"), 1);
        assert_eq!(check("rules 6, 7 and 17"), 1);
    }

    #[test]
    fn cited_tests_fail_when_absent() {
        let code = source("crates/a/src/a.rs", "fn rejects_x() {}");
        let check = |text: &str| cited_tests(&[code.clone(), source("a.md", text)]).len();
        assert_eq!(check("see `crates/a/src/a.rs::rejects_x`"), 0);
        assert_eq!(check("see `crates/a/src/a.rs::rejects_y`"), 1);
        assert_eq!(check("see `crates/a/src/b.rs::rejects_x`"), 1);
    }

    #[test]
    fn links_fail_when_they_lead_nowhere() {
        let files = |text: &str| [source("docs/a/x.md", text), source("README.md", "")];
        assert_eq!(
            links(&files(
                "[a](../../README.md#b) [c](https://x.org) [d](#e) [f](..)"
            )),
            []
        );
        assert_eq!(links(&files("[a](README.md)")).len(), 1);
    }
}
