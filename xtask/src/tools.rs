//! What the tests need beside the Rust toolchain: what is missing, and how to install it.

mod npm;
mod python;
mod system;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::workspace::Workspace;

/// Where the lists of npm and Python packages stand.
const LISTS: &str = "crates/testkit/tools";

/// Options of `cargo xtask tools`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Install what is missing.
    #[arg(long)]
    install: bool,
}

/// `cargo xtask tools`.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), String> {
    prepare(workspace, args.install)
}

/// Something the tests need.
struct Need {
    /// What it is.
    name: String,
    /// What is missing, in words; `None` when it is there.
    missing: Option<String>,
    /// Whether it is there; something optional may be neither there nor missing.
    there: bool,
    /// What it is for.
    purpose: &'static str,
}

/// The folder that holds the tools: `HALFKEY_TOOLS`, else `halfkey/tools` in the user's cache.
pub(crate) fn folder() -> Result<PathBuf, String> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = set("HALFKEY_TOOLS") {
        return Ok(folder);
    }
    let cache = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .ok_or("none of HALFKEY_TOOLS, XDG_CACHE_HOME and HOME is set")?;
    Ok(cache.join("halfkey").join("tools"))
}

/// Prints what is there and what is missing; with `install`, installs the rest. An error when
/// something is still missing at the end.
pub(crate) fn prepare(workspace: &Workspace, install: bool) -> Result<(), String> {
    let folder = folder()?;
    println!("tools for the tests live in {}", folder.display());
    let needs_now = needs(workspace, &folder)?;
    let missing = print(&needs_now);
    if missing == 0 && (!install || needs_now.iter().all(|need| need.there)) {
        return Ok(());
    }
    if !install {
        return Err("something is missing; `cargo xtask test --install` installs it".to_owned());
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // Two runs at once would write into each other's files.
    let lock = File::create(folder.join(".lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;

    system::install()?;
    npm::install(workspace, &folder)?;
    python::install(workspace, &folder)?;
    match print(&needs(workspace, &folder)?) {
        0 => Ok(()),
        _ => Err("something is still missing after the installation".to_owned()),
    }
}

/// Everything the tests need, in the order in which it is installed.
fn needs(workspace: &Workspace, folder: &Path) -> Result<Vec<Need>, String> {
    let mut needs = system::needs();
    needs.extend(npm::needs(workspace, folder)?);
    needs.extend(python::needs(workspace, folder)?);
    Ok(needs)
}

/// Prints the list; the number of those missing.
fn print(needs: &[Need]) -> usize {
    for need in needs {
        let absent = if need.there { "there" } else { "not there" };
        let state = need.missing.as_deref().unwrap_or(absent);
        println!("  {:32} {state} ({})", need.name, need.purpose);
    }
    needs.iter().filter(|need| need.missing.is_some()).count()
}

/// Compares what is wanted with what is there.
fn compare(name: &str, wanted: &str, found: Option<&str>, purpose: &'static str) -> Need {
    let missing = match found {
        Some(version) if version == wanted => None,
        Some(version) => Some(format!("MISSING: {version} is there")),
        None => Some("MISSING".to_owned()),
    };
    Need {
        name: format!("{name} {wanted}"),
        there: missing.is_none(),
        missing,
        purpose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compare_tells_there_from_another_version_and_from_nothing() {
        assert_eq!(compare("a", "1.0", Some("1.0"), "x").missing, None);
        assert!(
            compare("a", "1.0", Some("1.1"), "x")
                .missing
                .unwrap()
                .contains("1.1")
        );
        assert!(compare("a", "1.0", None, "x").missing.is_some());
    }

    #[test]
    fn print_counts_what_is_missing() {
        assert_eq!(
            print(&[
                compare("a", "1", Some("1"), "x"),
                compare("b", "1", None, "x")
            ]),
            1
        );
    }
}
