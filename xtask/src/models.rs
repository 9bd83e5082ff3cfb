//! `cargo xtask models`: the Promela models of docs/models, checked exhaustively by spin.

use std::path::Path;
use std::process::Command;

use crate::process;
use crate::workspace::Workspace;

/// A model, the macros it is compiled with, and whether its invariant holds. The broken variants
/// are kept because each shows that one rule cannot be left out.
struct Model {
    file: &'static str,
    macros: &'static [&'static str],
    holds: bool,
    shows: &'static str,
}

const REFRESH: &str = "refresh.pml";
const CREATE: &str = "create.pml";
const GENERATIONS: &str = "generations.pml";

const MODELS: [Model; 26] = [
    model(
        REFRESH,
        &["NAIVE"],
        false,
        "each half overwrites its old share by itself",
    ),
    model(
        REFRESH,
        &["BY_GENERATION"],
        false,
        "a commit does not name the attempt",
    ),
    model(
        REFRESH,
        &["BY_ATTEMPT"],
        false,
        "a half may stage again after the commit",
    ),
    model(
        REFRESH,
        &["BY_ATTEMPT", "PIN"],
        true,
        "commit by attempt, no staging after it",
    ),
    model(
        REFRESH,
        &["BY_ATTEMPT", "PIN", "ROLLBACK"],
        false,
        "the provider falls back to a copy from before the staging",
    ),
    model(
        REFRESH,
        &["BY_ATTEMPT", "PIN", "ROLLBACK", "KEEP_OLD"],
        true,
        "the same, and the customer keeps its old share",
    ),
    model(
        CREATE,
        &["EARLY"],
        false,
        "the address is told when keygen ends",
    ),
    model(
        CREATE,
        &["ASSERTED"],
        false,
        "a commit without a proof from the stored share",
    ),
    model(
        CREATE,
        &["PROVEN"],
        true,
        "a commit needs a proof from the stored share",
    ),
    model(
        CREATE,
        &["PROVEN", "REACHABLE"],
        false,
        "no address is ever told",
    ),
    model(
        CREATE,
        &["PROVEN", "SWEEP_ALL"],
        false,
        "committed halves are swept too",
    ),
    model(
        CREATE,
        &["PROVEN", "SWEEP"],
        true,
        "only halves without a commit are swept",
    ),
    model(
        CREATE,
        &["PROVEN", "SWEEP", "ROLLBACK"],
        false,
        "the provider falls back to a copy that never had the half",
    ),
    model(
        CREATE,
        &["PROVEN", "SWEEP", "ROLLBACK", "STANDBY"],
        true,
        "the same, and a commit waits for the synchronous copy",
    ),
    model(
        GENERATIONS,
        &["KEEP_NONE"],
        false,
        "the old generation is dropped at once",
    ),
    model(
        GENERATIONS,
        &["KEEP_ONE"],
        false,
        "only the generation before is kept",
    ),
    model(
        GENERATIONS,
        &["OWN_HORIZON"],
        false,
        "a store goes by its own copies, not the other's",
    ),
    model(
        GENERATIONS,
        &["HORIZON"],
        true,
        "every generation within the other's horizon is kept",
    ),
    model(
        GENERATIONS,
        &["HORIZON", "REACHABLE"],
        false,
        "no generation is ever dropped",
    ),
    model(
        GENERATIONS,
        &["HORIZON", "COMPROMISED"],
        false,
        "old generations are shredded, and a store falls back",
    ),
    model(
        GENERATIONS,
        &["HORIZON", "COMPROMISED", "QUIET"],
        true,
        "old generations are shredded, and no store falls back",
    ),
    model(
        GENERATIONS,
        &["THREE", "KEEP_ONE"],
        false,
        "three stores that keep one generation",
    ),
    model(
        GENERATIONS,
        &["THREE", "HORIZON"],
        true,
        "three stores that keep the others' horizons",
    ),
    model(
        GENERATIONS,
        &["THREE", "HORIZON", "REACHABLE"],
        false,
        "no generation is ever dropped by three",
    ),
    model(
        GENERATIONS,
        &["THREE", "HORIZON", "COMPROMISED", "QUIET"],
        true,
        "three stores, shredded after a proof of every pair",
    ),
    model(
        GENERATIONS,
        &["THREE", "HORIZON", "COMPROMISED", "QUIET", "ONE_PAIR"],
        false,
        "three stores, shredded after a proof of one pair",
    ),
];

const fn model(
    file: &'static str,
    macros: &'static [&'static str],
    holds: bool,
    shows: &'static str,
) -> Model {
    Model {
        file,
        macros,
        holds,
        shows,
    }
}

/// Whether spin is installed.
pub(crate) fn is_possible() -> bool {
    process::succeeds("spin", &["-V"])
}

/// Checks every model; an error when one does not come out as expected.
pub(crate) fn run(workspace: &Workspace) -> Result<(), String> {
    if !is_possible() {
        return Err("spin is missing: apt-get install spin".to_owned());
    }
    let scratch = std::env::temp_dir().join(format!("halfkey-models-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
    let outcome = check_all(workspace, &scratch);
    std::fs::remove_dir_all(&scratch).map_err(|error| error.to_string())?;
    outcome
}

fn check_all(workspace: &Workspace, scratch: &Path) -> Result<(), String> {
    let mut wrong = 0_usize;
    for model in &MODELS {
        let source = workspace.root().join("docs/models").join(model.file);
        let output = explore(&source, model.macros, scratch)?;
        let verdict = verdict(&output)?;
        let as_expected = verdict == model.holds;
        let word = if verdict { "holds" } else { "violated" };
        let mark = if as_expected { "ok" } else { "UNEXPECTED" };
        let macros = model.macros.join(" ");
        println!(
            "{mark:10} {word:8} {} {macros}: {}",
            model.file, model.shows
        );
        wrong = wrong.saturating_add(usize::from(!as_expected));
    }
    match wrong {
        0 => Ok(()),
        count => Err(format!("{count} models did not come out as expected")),
    }
}

/// Compiles one variant and explores every state.
fn explore(source: &Path, macros: &[&str], scratch: &Path) -> Result<String, String> {
    let tool = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(scratch);
        command
    };
    let macros = macros.iter().map(|name| format!("-D{name}"));
    process::output(tool("spin").args(macros).arg("-a").arg(source))?;
    process::output(tool("cc").args(["-O2", "-DSAFETY", "-o", "pan", "pan.c"]))?;
    process::output(tool("./pan").arg("-m100000"))
}

/// Whether no assertion was violated; an error when not every state was reached.
fn verdict(output: &str) -> Result<bool, String> {
    if output.contains("max search depth too small") {
        return Err("spin did not reach every state".to_owned());
    }
    let errors = output
        .lines()
        .find_map(|line| line.split_once("errors: "))
        .and_then(|(_, count)| count.trim().parse::<u32>().ok())
        .ok_or("spin printed no result")?;
    Ok(errors == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdict_reads_errors_and_refuses_an_unfinished_search() {
        let line = "State-vector 36 byte, depth reached 30, errors: ";
        assert_eq!(verdict(&format!("{line}0\n")), Ok(true));
        assert_eq!(verdict(&format!("{line}1\n")), Ok(false));
        verdict("").unwrap_err();
        verdict(&format!("error: max search depth too small\n{line}0\n")).unwrap_err();
    }
}
