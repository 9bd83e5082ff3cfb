//! Reading what the test harness prints.

/// What ran. Totals come from the harness's own `test result` lines; names may be lost when a test
/// prints past the harness, so they only serve to show failures and to sort passes by part.
#[derive(Debug, Default)]
pub(super) struct TestReport {
    /// Names of tests that passed.
    pub(super) passed: Vec<String>,
    /// Names of tests that failed.
    pub(super) failed: Vec<String>,
    /// How many passed.
    pub(super) passed_count: usize,
    /// How many failed.
    pub(super) failed_count: usize,
    /// How many did not run.
    pub(super) ignored_count: usize,
    /// Lines `part<TAB>test` written by the tests themselves.
    pub(super) used: String,
}

impl TestReport {
    /// Takes one line of output.
    pub(super) fn take(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.take_totals(result);
        } else if let Some((name, outcome)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        {
            let name = name.strip_suffix(" - should panic").unwrap_or(name);
            match outcome.split(' ').next() {
                Some("ok") => self.passed.push(name.to_owned()),
                Some("FAILED") => self.failed.push(name.to_owned()),
                _ => {}
            }
        }
    }

    /// `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
    fn take_totals(&mut self, result: &str) {
        for part in result.split(['.', ';']) {
            let Some((count, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(count) = count.parse::<usize>() else {
                continue;
            };
            let total = match what {
                "passed" => &mut self.passed_count,
                "failed" => &mut self.failed_count,
                "ignored" => &mut self.ignored_count,
                _ => continue,
            };
            *total = total.saturating_add(count);
        }
    }

    /// How many ran.
    pub(super) fn ran(&self) -> usize {
        self.passed_count.saturating_add(self.failed_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_totals() {
        let mut report = TestReport::default();
        for line in [
            "running 4 tests",
            "test anvil::accepts_1559 ... ok",
            "test tests::panics - should panic ... ok",
            "test b ... FAILED",
            "test c ... ignored, slow",
            "test src/lib.rs - x (line 3) ... ok",
            "test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out",
        ] {
            report.take(line);
        }
        assert_eq!(
            report.passed,
            [
                "anvil::accepts_1559",
                "tests::panics",
                "src/lib.rs - x (line 3)"
            ]
        );
        assert_eq!(report.failed, ["b"]);
        assert_eq!(
            (
                report.passed_count,
                report.failed_count,
                report.ignored_count
            ),
            (5, 1, 1)
        );
        assert_eq!(report.ran(), 6);
    }
}
