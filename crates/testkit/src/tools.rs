//! Where the programs are that tests run against. A missing one fails the test: nothing is skipped.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The tools directory: `HALFKEY_TOOLS`, else `halfkey/tools` in the user's cache directory.
pub fn directory() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(tools) = set("HALFKEY_TOOLS") {
        return tools.into();
    }
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache
        .or_else(home)
        .unwrap_or_default()
        .join("halfkey/tools")
}

/// The path of a tool that must be installed.
pub fn must_find(relative: impl AsRef<Path>) -> PathBuf {
    let path = directory().join(relative);
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask test --install`",
        path.display()
    );
    path
}

/// Foundry's development node.
pub fn anvil() -> PathBuf {
    must_find("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
}

/// Foundry's command line.
pub fn cast() -> PathBuf {
    must_find("node_modules/@foundry-rs/cast-linux-amd64/bin/cast")
}

/// The interpreter with solders and eth-account.
pub fn python() -> PathBuf {
    must_find("venv/bin/python")
}

/// The node packages, ethers and its vectors among them.
pub fn node_modules() -> PathBuf {
    must_find("node_modules/ethers");
    must_find("node_modules")
}

/// A script of this crate.
pub(crate) fn script(name: impl AsRef<OsStr>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tools")
        .join(name.as_ref())
}

/// Notes for the report of `cargo xtask test` that the calling test ran against a real part: one
/// line `part<TAB>test` in the file that `HALFKEY_PARTS_FILE` names.
pub fn real_part(part: &str) {
    let Some(file) = std::env::var_os("HALFKEY_PARTS_FILE") else {
        return;
    };
    let thread = std::thread::current();
    let line = format!("{part}\t{}\n", thread.name().unwrap_or("unnamed"));
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .unwrap();
    file.write_all(line.as_bytes()).unwrap();
}
