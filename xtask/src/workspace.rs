//! The workspace on disk: its root, its text files, its dependency graph.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process;

/// Folders that hold nothing of the project's own.
const SKIPPED: [&str; 4] = [".git", "target", "node_modules", "proptest-regressions"];

/// One file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// Its content; empty when it is no text.
    pub(crate) text: String,
}

impl Source {
    /// Whether the file name ends with this extension (given with its dot).
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.path.ends_with(extension)
    }
}

/// The workspace.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace this program was built from.
    pub(crate) fn find() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("xtask has no parent")?;
        if !root.join("Cargo.lock").is_file() {
            return Err(format!("{} is no workspace", root.display()));
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Its folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A command that runs in its folder.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The cargo that runs this task.
    pub(crate) fn cargo(&self) -> Command {
        self.command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
    }

    /// Reads one file of the project.
    pub(crate) fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("{path}: {error}"))
    }

    /// Every file of the project, in the order of their paths.
    pub(crate) fn sources(&self) -> Result<Vec<Source>, String> {
        let mut sources = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let entries =
                fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            for entry in entries {
                let path = entry.map_err(|error| error.to_string())?.path();
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                if SKIPPED.contains(&name.as_str()) || path.is_symlink() {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes =
                        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                    let text = String::from_utf8(bytes).unwrap_or_default();
                    let relative = path.strip_prefix(&self.root).unwrap_or(&path);
                    sources.push(Source {
                        path: relative.to_string_lossy().into_owned(),
                        text,
                    });
                }
            }
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(sources)
    }

    /// `cargo metadata` of the graph that is built on this machine.
    pub(crate) fn metadata(&self) -> Result<Value, String> {
        let version = process::output(Command::new("rustc").arg("-vV"))?;
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .ok_or("rustc -vV names no host")?;
        let json = process::output(self.cargo().args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--all-features",
            "--filter-platform",
            host,
        ]))?;
        serde_json::from_str(&json).map_err(|error| format!("cargo metadata: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_file_and_no_build_output() {
        let sources = Workspace::find().unwrap().sources().unwrap();
        assert!(
            sources
                .iter()
                .any(|source| source.path == "xtask/src/workspace.rs")
        );
        assert!(
            !sources
                .iter()
                .any(|source| source.path.starts_with("target/"))
        );
    }
}
