//! Packages from the Python package index, in a virtual environment of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LISTS, Need, compare};
use crate::process;
use crate::workspace::Workspace;

const PURPOSE: &str = "PyPI";

/// Prints `name==version` for each argument that is installed.
const VERSIONS: &str = "
import sys
from importlib.metadata import PackageNotFoundError, version
for name in sys.argv[1:]:
    try:
        print(name + '==' + version(name))
    except PackageNotFoundError:
        pass
";

fn requirements() -> String {
    format!("{LISTS}/requirements.txt")
}

fn python(folder: &Path) -> PathBuf {
    folder.join("venv").join("bin").join("python")
}

/// The lines `name==version`; comments and empty lines are skipped.
fn pins(text: &str) -> Result<Vec<(&str, &str)>, String> {
    text.lines()
        .map(|line| line.split_once('#').map_or(line, |(code, _)| code).trim())
        .filter(|line| !line.is_empty())
        .map(|line| {
            line.split_once("==")
                .ok_or_else(|| format!("`{line}`: no exact version"))
        })
        .collect()
}

/// Each package of the list, there or missing.
pub(super) fn needs(workspace: &Workspace, folder: &Path) -> Result<Vec<Need>, String> {
    let text = workspace.read(&requirements())?;
    let wanted = pins(&text).map_err(|error| format!("requirements.txt: {error}"))?;
    let names = wanted.iter().map(|(name, _)| *name);
    let installed = process::output(
        Command::new(python(folder))
            .args(["-c", VERSIONS])
            .args(names),
    )
    .unwrap_or_default();
    let installed = pins(&installed)?;
    let found = |name: &str| {
        installed
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, v)| *v)
    };
    let need = |(name, version): &(&str, &str)| compare(name, version, found(name), PURPOSE);
    Ok(wanted.iter().map(need).collect())
}

/// Makes the virtual environment and installs the list when anything of it is missing.
pub(super) fn install(workspace: &Workspace, folder: &Path) -> Result<(), String> {
    if needs(workspace, folder)?
        .iter()
        .all(|need| need.missing.is_none())
    {
        return Ok(());
    }
    if process::output(Command::new(python(folder)).args(["-m", "pip", "--version"])).is_err() {
        process::run(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(folder.join("venv")),
        )?;
    }
    process::run(
        workspace
            .command(&python(folder).to_string_lossy())
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(requirements()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_takes_exact_versions_only() {
        let text = "# judges\nsolders==0.29.0  # LiteSVM\n\neth-account==0.14.0\n";
        assert_eq!(
            pins(text).unwrap(),
            [("solders", "0.29.0"), ("eth-account", "0.14.0")]
        );
        pins("solders>=0.29\n").unwrap_err();
        pins("solders\n").unwrap_err();
    }
}
