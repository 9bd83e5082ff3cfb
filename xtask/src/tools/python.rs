//! Packages from the Python package index, each list in a virtual environment of its own: the
//! emulators want different versions of the same libraries.

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

/// A list of packages and the folder of its virtual environment.
struct Environment {
    list: &'static str,
    folder: &'static str,
}

const ENVIRONMENTS: [Environment; 6] = [
    Environment {
        list: "requirements.txt",
        folder: "venv",
    },
    Environment {
        list: "requirements-moto.txt",
        folder: "venvs/moto",
    },
    Environment {
        list: "requirements-ministack.txt",
        folder: "venvs/ministack",
    },
    Environment {
        list: "requirements-drongo.txt",
        folder: "venvs/drongo",
    },
    Environment {
        list: "requirements-openbao.txt",
        folder: "venvs/openbao",
    },
    Environment {
        list: "requirements-azure.txt",
        folder: "venvs/azure",
    },
];

impl Environment {
    fn list(&self) -> String {
        format!("{LISTS}/{}", self.list)
    }

    fn folder(&self, tools: &Path) -> PathBuf {
        tools.join(self.folder)
    }

    fn python(&self, tools: &Path) -> PathBuf {
        self.folder(tools).join("bin").join("python")
    }

    /// Each package of the list, there or missing.
    fn needs(&self, workspace: &Workspace, tools: &Path) -> Result<Vec<Need>, String> {
        let text = workspace.read(&self.list())?;
        let wanted = pins(&text).map_err(|error| format!("{}: {error}", self.list))?;
        let names = wanted.iter().map(|(name, _)| distribution(name));
        let installed = process::output(
            Command::new(self.python(tools))
                .args(["-c", VERSIONS])
                .args(names),
        )
        .unwrap_or_default();
        let installed = pins(&installed)?;
        let found = |name: &str| {
            installed
                .iter()
                .find(|(found, _)| *found == distribution(name))
                .map(|(_, v)| *v)
        };
        let need = |(name, version): &(&str, &str)| compare(name, version, found(name), PURPOSE);
        Ok(wanted.iter().map(need).collect())
    }

    /// Makes the virtual environment and installs the list when anything of it is missing.
    fn install(&self, workspace: &Workspace, tools: &Path) -> Result<(), String> {
        let needs = self.needs(workspace, tools)?;
        if needs.iter().all(|need| need.missing.is_none()) {
            return Ok(());
        }
        let python = self.python(tools);
        if process::output(Command::new(&python).args(["-m", "pip", "--version"])).is_err() {
            process::run(
                Command::new("python3")
                    .args(["-m", "venv", "--clear"])
                    .arg(self.folder(tools)),
            )?;
        }
        let mut pip = workspace.command(&python.to_string_lossy());
        pip.args(["-m", "pip", "install", "--quiet"]);
        process::run(
            pip.args(["--disable-pip-version-check", "-r"])
                .arg(self.list()),
        )
    }
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

/// The name without its extras: `moto[server]` is installed as `moto`.
fn distribution(name: &str) -> &str {
    name.split_once('[')
        .map_or(name, |(distribution, _)| distribution)
}

/// Each package of every list, there or missing.
pub(super) fn needs(workspace: &Workspace, folder: &Path) -> Result<Vec<Need>, String> {
    let mut needs = Vec::new();
    for environment in &ENVIRONMENTS {
        needs.extend(environment.needs(workspace, folder)?);
    }
    Ok(needs)
}

/// Installs every list of which anything is missing.
pub(super) fn install(workspace: &Workspace, folder: &Path) -> Result<(), String> {
    ENVIRONMENTS
        .iter()
        .try_for_each(|environment| environment.install(workspace, folder))
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
