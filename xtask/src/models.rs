//! `cargo xtask models`: the Promela models of docs/models, checked exhaustively by spin.

use std::path::Path;
use std::process::Command;

use crate::process;
use crate::workspace::Workspace;

/// A model, the macro it is compiled with, and whether its invariant holds. The broken variants are
/// kept because each shows that one rule cannot be left out.
struct Model {
    file: &'static str,
    define: &'static str,
    holds: bool,
    shows: &'static str,
}

const MODELS: [Model; 6] = [
    Model {
        file: "refresh.pml",
        define: "NAIVE",
        holds: false,
        shows: "overwriting the old share when the ceremony ends loses the wallet",
    },
    Model {
        file: "refresh.pml",
        define: "BYEPOCH",
        holds: false,
        shows: "a commit that names the generation but not the attempt loses it",
    },
    Model {
        file: "refresh.pml",
        define: "BYATTEMPT",
        holds: false,
        shows: "a commit by attempt loses it when a half may restage afterwards",
    },
    Model {
        file: "refresh_pin.pml",
        define: "BYATTEMPT",
        holds: true,
        shows: "commit by attempt and no restaging after it: holds",
    },
    Model {
        file: "refresh_rollback.pml",
        define: "BYATTEMPT",
        holds: false,
        shows: "the same, with a provider restored from before the staging: lost",
    },
    Model {
        file: "refresh_rollback_keepold.pml",
        define: "BYATTEMPT",
        holds: true,
        shows: "the same, when the customer keeps the old share: holds",
    },
];

/// Checks every model; an error when one does not come out as expected.
pub(crate) fn run(workspace: &Workspace) -> Result<(), String> {
    if !process::succeeds("spin", &["-V"]) {
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
        let output = explore(&source, model.define, scratch)?;
        let verdict = verdict(&output)?;
        let as_expected = verdict == model.holds;
        let word = if verdict { "holds" } else { "violated" };
        let mark = if as_expected { "ok" } else { "UNEXPECTED" };
        println!(
            "{mark:10} {word:8} {} ({}): {}",
            model.file, model.define, model.shows
        );
        wrong = wrong.saturating_add(usize::from(!as_expected));
    }
    match wrong {
        0 => Ok(()),
        count => Err(format!("{count} models did not come out as expected")),
    }
}

/// Compiles one variant and explores every state.
fn explore(source: &Path, define: &str, scratch: &Path) -> Result<String, String> {
    let tool = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(scratch);
        command
    };
    process::output(
        tool("spin")
            .arg(format!("-D{define}"))
            .arg("-a")
            .arg(source),
    )?;
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
