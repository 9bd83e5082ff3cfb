//! `cargo xtask test`: every check and every test, with a count of what ran against which real
//! part.

mod parts;
mod report;
mod summary;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use self::report::TestReport;
use self::summary::{Done, Summary};
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
    let mut summary = Summary::default();
    for step in &steps {
        println!("\n== {step:?}");
        if *step == Step::Test {
            run_tests(workspace, &mut report, &mut summary);
        } else {
            summary.check(&format!("{step:?}"), run_check(workspace, args, *step));
        }
    }
    summary.close(&report)
}

fn run_check(workspace: &Workspace, args: &Args, step: Step) -> Result<Done, String> {
    let mut cargo = workspace.cargo();
    match step {
        Step::Fmt => process::run(cargo.args(["fmt", "--all", "--check"]))?,
        Step::Tidy => tidy::run(workspace)?,
        Step::Deny => return deny(workspace, args.with_deny),
        Step::Models if models::is_possible() => models::run(workspace)?,
        Step::Models => return Ok(Done::LeftOut("spin is not installed")),
        Step::Clippy => {
            cargo
                .arg("clippy")
                .args(EVERYTHING)
                .args(["--all-targets", "--", "-D", "warnings"]);
            process::run(&mut cargo)?;
        }
        Step::Doc => {
            cargo
                .args(["doc", "--no-deps", "--document-private-items"])
                .args(EVERYTHING);
            process::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))?;
        }
        Step::Test => {}
    }
    Ok(Done::Passed)
}

fn deny(workspace: &Workspace, install: bool) -> Result<Done, String> {
    let is_there = || process::succeeds("cargo-deny", &["--version"]);
    if install && !is_there() {
        process::run(
            workspace
                .cargo()
                .args(["install", "--locked", "cargo-deny"]),
        )?;
    }
    if !is_there() {
        return Ok(Done::LeftOut(
            "cargo-deny is not installed; tidy checked the same lists",
        ));
    }
    process::run(
        workspace
            .cargo()
            .args(["deny", "check", "bans", "licenses", "sources"]),
    )?;
    Ok(Done::Passed)
}

/// Runs every test and says which real parts they ran against.
fn run_tests(workspace: &Workspace, report: &mut TestReport, summary: &mut Summary) {
    if let Err(message) = test(workspace, report)
        && report.failed_count == 0
    {
        summary.fail(message);
    }
    println!("\n== tests against real parts");
    for (part, count) in parts::count(report) {
        println!("  {part:24} {count}");
        // A part that no test reaches any more is a test suite that rots unseen.
        if count == 0 {
            summary.fail(format!("no test ran against {part}"));
        }
    }
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
