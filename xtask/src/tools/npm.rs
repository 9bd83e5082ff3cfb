//! Packages from the npm registry. No install scripts run, and no lock file is written: the
//! versions in the list are exact.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{LISTS, Need, compare};
use crate::process;
use crate::workspace::Workspace;

const PURPOSE: &str = "npm";

/// The list: name and exact version.
fn wanted(list: &str) -> Result<Vec<(String, String)>, String> {
    let list: Value = serde_json::from_str(list).map_err(|error| error.to_string())?;
    let packages = list
        .get("dependencies")
        .and_then(Value::as_object)
        .ok_or("no `dependencies`")?;
    packages
        .iter()
        .map(|(name, version)| {
            let version = version.as_str().unwrap_or_default();
            if version.starts_with(|first: char| first.is_ascii_digit()) {
                Ok((name.clone(), version.to_owned()))
            } else {
                Err(format!("{name}: `{version}` is not an exact version"))
            }
        })
        .collect()
}

fn list(workspace: &Workspace) -> Result<String, String> {
    workspace.read(&format!("{LISTS}/package.json"))
}

/// The version that is installed.
fn found(folder: &Path, name: &str) -> Option<String> {
    let manifest = folder.join("node_modules").join(name).join("package.json");
    let manifest: Value = serde_json::from_str(&fs::read_to_string(manifest).ok()?).ok()?;
    Some(manifest.get("version")?.as_str()?.to_owned())
}

/// Each package of the list, there or missing.
pub(super) fn needs(workspace: &Workspace, folder: &Path) -> Result<Vec<Need>, String> {
    let wanted = wanted(&list(workspace)?).map_err(|error| format!("package.json: {error}"))?;
    let need = |(name, version): &(String, String)| {
        compare(name, version, found(folder, name).as_deref(), PURPOSE)
    };
    Ok(wanted.iter().map(need).collect())
}

/// Installs the list when anything of it is missing.
pub(super) fn install(workspace: &Workspace, folder: &Path) -> Result<(), String> {
    if needs(workspace, folder)?
        .iter()
        .all(|need| need.missing.is_none())
    {
        return Ok(());
    }
    let manifest = folder.join("package.json");
    fs::write(&manifest, list(workspace)?)
        .map_err(|error| format!("{}: {error}", manifest.display()))?;
    process::run(workspace.command("npm").current_dir(folder).args([
        "install",
        "--ignore-scripts",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_takes_exact_versions_only() {
        let exact = r#"{"dependencies": {"@a/b": "1.2.3"}}"#;
        assert_eq!(
            wanted(exact).unwrap(),
            [("@a/b".to_owned(), "1.2.3".to_owned())]
        );
        for loose in ["^1.2.3", "~1.2.3", "latest", ">=1", "*", ""] {
            let list = format!(r#"{{"dependencies": {{"a": "{loose}"}}}}"#);
            assert!(wanted(&list).is_err(), "{loose}");
        }
        wanted("{}").unwrap_err();
    }
}
