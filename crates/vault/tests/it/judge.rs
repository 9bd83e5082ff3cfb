//! An outside judge: a Python program that shares no code with this crate opens the golden records
//! through the golden keyring, from `SPEC.md` alone.

use std::path::PathBuf;
use std::process::Command;

/// Where the tools of `cargo xtask test --install` are.
fn tools() -> PathBuf {
    if let Some(tools) = std::env::var_os("HALFKEY_TOOLS") {
        return PathBuf::from(tools);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    cache.unwrap_or_else(home).join("halfkey/tools")
}

#[test]
fn an_independent_implementation_opens_the_golden_records() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = tools().join("venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing; run `cargo xtask test --install`",
        python.display()
    );
    let output = Command::new(python)
        .arg("-B")
        .arg(root.join("tests/judge/open_records.py"))
        .arg(root.join("../../testdata"))
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(out.trim(), "opened 8 records, refused 8 altered ones");
}
