//! The closing lines of a run.

use super::report::TestReport;

/// How a step ended that did not fail.
pub(super) enum Done {
    /// It ran and passed.
    Passed,
    /// It did not run, and why.
    LeftOut(&'static str),
}

/// What to say at the end.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Checks other than tests that passed.
    passed: usize,
    /// What failed, tests aside.
    failed: Vec<String>,
    /// What did not run.
    left_out: Vec<String>,
}

impl Summary {
    /// Takes the outcome of a step other than the tests.
    pub(super) fn check(&mut self, name: &str, outcome: Result<Done, String>) {
        match outcome {
            Ok(Done::Passed) => self.passed = self.passed.saturating_add(1),
            Ok(Done::LeftOut(why)) => {
                println!("left out: {why}");
                self.left_out.push(format!("{name}: {why}"));
            }
            Err(message) => self.fail(format!("{name}: {message}")),
        }
    }

    /// Takes a failure that is no test's own.
    pub(super) fn fail(&mut self, message: String) {
        println!("FAILED: {message}");
        self.failed.push(message);
    }

    /// Prints everything that failed or was left out and, last, how many passed and failed; an
    /// error when anything failed.
    pub(super) fn close(&self, tests: &TestReport) -> Result<(), String> {
        println!("\n== summary");
        for message in &self.left_out {
            println!("  left out {message}");
        }
        for message in &self.failed {
            println!("  FAILED {message}");
        }
        for name in &tests.failed {
            println!("  FAILED {name}");
        }
        let passed = self.passed.saturating_add(tests.passed_count);
        let failed = self.failed.len().saturating_add(tests.failed_count);
        println!(
            "  {} tests ran, and {} other checks",
            tests.ran(),
            self.passed
        );
        println!("{passed} passed, {failed} failed");
        if failed == 0 {
            Ok(())
        } else {
            Err("not everything passed".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(passed: usize, failed: usize) -> TestReport {
        let mut report = TestReport::default();
        report.take(&format!(
            "test result: ok. {passed} passed; {failed} failed; 0 ignored; 0 m"
        ));
        report
    }

    #[test]
    fn close_fails_on_a_failed_test_and_on_a_failed_check() {
        let mut summary = Summary::default();
        summary.check("Fmt", Ok(Done::Passed));
        summary.check("Models", Ok(Done::LeftOut("no spin")));
        assert_eq!(summary.close(&report(3, 0)), Ok(()));
        summary.close(&report(3, 1)).unwrap_err();
        summary.check("Tidy", Err("1 finding".to_owned()));
        summary.close(&report(3, 0)).unwrap_err();
    }
}
