//! `cargo xtask test`: every check and every test, with a count of what ran against which real
//! part.

mod parts;
mod report;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use self::report::TestReport;
use crate::workspace::Workspace;
use crate::{models, process, tidy, tools};

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Install what the tests need and this machine does not have. Without it, only say what is
    /// missing.
    #[arg(long)]
    install: bool,
    /// With `--install`: install cargo-deny too (about five minutes of CPU). The same lists are
    /// enforced by `tidy` without it; it adds its own reading of licence files.
    #[arg(long, requires = "install")]
    with_deny: bool,
    /// Run only this step; may be given more than once.
    #[arg(long, value_enum)]
    only: Vec<Step>,
}

/// What is run, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// rustfmt.
    Fmt,
    /// The project's own rules.
    Tidy,
    /// cargo-deny, where it is installed.
    Deny,
    /// The models of docs/models, where spin is installed.
    Models,
    /// clippy, every target and feature, warnings are errors.
    Clippy,
    /// rustdoc, warnings are errors.
    Doc,
    /// Every test.
    Test,
}

/// One set of features for clippy and the tests, so that dependencies are built once for each.
const EVERYTHING: [&str; 3] = ["--workspace", "--all-features", "--locked"];

/// Runs the chosen steps, all of them even when one fails, and sums up.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), String> {
    let steps: Vec<Step> = Step::value_variants()
        .iter()
        .copied()
        .filter(|step| args.only.is_empty() || args.only.contains(step))
        .collect();
    if steps.contains(&Step::Test) {
        println!("\n== what the tests need");
        tools::prepare(workspace, args.install)?;
    }
    let mut report = TestReport::default();
    let mut failed: Vec<String> = Vec::new();
    for step in &steps {
        println!("\n== {step:?}");
        if let Err(message) = run_step(workspace, args, *step, &mut report) {
            println!("FAILED: {message}");
            failed.push(format!("{step:?}: {message}"));
        }
    }
    if steps.contains(&Step::Test) {
        println!("\n== tests against real parts");
        for (part, count) in parts::count(&report) {
            println!("  {part:24} {count}");
            // A part that no test reaches any more is a test suite that rots unseen.
            if count == 0 {
                failed.push(format!("no test ran against {part}"));
            }
        }
    }
    sum_up(&steps, &report, &failed)
}

/// The closing lines. A failed step counts as one failure beside the tests that failed.
fn sum_up(steps: &[Step], report: &TestReport, failed: &[String]) -> Result<(), String> {
    println!("\n== summary");
    for message in failed {
        println!("  FAILED {message}");
    }
    for name in &report.failed {
        println!("  FAILED {name}");
    }
    let checks = steps.iter().filter(|step| **step != Step::Test).count();
    let failed_checks = failed
        .iter()
        .filter(|message| !message.starts_with("Test:"))
        .count();
    let test_step = usize::from(failed.len() > failed_checks && report.failed_count == 0);
    let failures = report
        .failed_count
        .saturating_add(failed_checks)
        .saturating_add(test_step);
    let passes = report
        .passed_count
        .saturating_add(checks.saturating_sub(failed_checks));
    println!("  {} tests and {checks} other checks ran", report.ran());
    println!("{passes} passed, {failures} failed");
    if failures == 0 {
        Ok(())
    } else {
        Err("not everything passed".to_owned())
    }
}

fn run_step(
    workspace: &Workspace,
    args: &Args,
    step: Step,
    report: &mut TestReport,
) -> Result<(), String> {
    match step {
        Step::Fmt => process::run(workspace.cargo().args(["fmt", "--all", "--check"])),
        Step::Tidy => tidy::run(workspace),
        Step::Deny => deny(workspace, args.with_deny),
        Step::Models if models::is_possible() => models::run(workspace),
        Step::Models => {
            println!("spin is not installed; the models were not checked");
            Ok(())
        }
        Step::Clippy => process::run(workspace.cargo().arg("clippy").args(EVERYTHING).args([
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])),
        Step::Doc => process::run(
            workspace
                .cargo()
                .args(["doc", "--no-deps", "--document-private-items"])
                .args(EVERYTHING)
                .env("RUSTDOCFLAGS", "-D warnings"),
        ),
        Step::Test => test(workspace, report),
    }
}

fn deny(workspace: &Workspace, install: bool) -> Result<(), String> {
    if install && !process::succeeds("cargo-deny", &["--version"]) {
        process::run(
            workspace
                .cargo()
                .args(["install", "--locked", "cargo-deny"]),
        )?;
    }
    if !process::succeeds("cargo-deny", &["--version"]) {
        println!("cargo-deny is not installed; `tidy` has checked the same lists");
        return Ok(());
    }
    process::run(
        workspace
            .cargo()
            .args(["deny", "check", "bans", "licenses", "sources"]),
    )
}

/// Runs the tests; each test that uses a real part says so in a file, and in its name.
fn test(workspace: &Workspace, report: &mut TestReport) -> Result<(), String> {
    let tools = tools::folder()?;
    let ledger = ledger(&tools)?;
    let outcome = process::run_watched(
        workspace
            .cargo()
            .arg("test")
            .args(EVERYTHING)
            .arg("--no-fail-fast")
            .env("HALFKEY_TOOLS", &tools)
            .env("HALFKEY_PARTS_FILE", &ledger),
        |line| report.take(line),
    );
    report.used = std::fs::read_to_string(&ledger).unwrap_or_default();
    let _removed = std::fs::remove_file(&ledger);
    outcome?;
    match (report.passed_count, report.ignored_count) {
        (0, _) => Err("no test ran".to_owned()),
        (_, 0) => Ok(()),
        (_, ignored) => Err(format!("{ignored} tests were ignored")),
    }
}

/// An empty file of this run.
fn ledger(tools: &Path) -> Result<PathBuf, String> {
    std::fs::create_dir_all(tools).map_err(|error| format!("{}: {error}", tools.display()))?;
    let path = tools.join(format!("parts-{}.tsv", std::process::id()));
    std::fs::write(&path, "").map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
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
    fn sum_up_fails_on_a_failed_test_a_failed_check_and_a_part_without_tests() {
        let steps = [Step::Fmt, Step::Test];
        assert_eq!(sum_up(&steps, &report(3, 0), &[]), Ok(()));
        sum_up(&steps, &report(3, 1), &["Test: x".to_owned()]).unwrap_err();
        assert!(
            sum_up(
                &steps,
                &report(3, 0),
                &["Test: does not compile".to_owned()]
            )
            .is_err()
        );
        sum_up(&steps, &report(3, 0), &["Fmt: x".to_owned()]).unwrap_err();
        assert!(
            sum_up(
                &steps,
                &report(3, 0),
                &["no test ran against anvil".to_owned()]
            )
            .is_err()
        );
    }
}
