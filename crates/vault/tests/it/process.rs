//! A process that is killed while it stores: what it acknowledged is there.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use halfkey_core::SecretBytes;
use halfkey_vault::audit::verify::verify;
use halfkey_vault::{Embedded, Expect, RecordName};

use crate::support::{access, clock, ctx, environment, name};

/// Set for the process that is to be killed: where it stores.
const DIR: &str = "HALFKEY_VAULT_TEST_KILLED_IN";

async fn open(dir: &Path) -> Embedded {
    Embedded::create_or_open(dir, &environment(), None, clock(), "n")
        .await
        .unwrap()
}

fn share(number: u64) -> SecretBytes {
    SecretBytes::new(format!("share {number}").repeat(2000).into_bytes())
}

async fn first_free(vault: &Embedded) -> u64 {
    let names = vault.vault.list_names("r", None, 1000).await.unwrap().names;
    u64::try_from(names.len()).unwrap()
}

/// Stores one record after another and names each after it was acknowledged: three of them, or
/// until the other test kills it.
#[tokio::test]
async fn stores_records_one_after_another() {
    let killed_in = std::env::var_os(DIR).map(PathBuf::from);
    let own = tempfile::tempdir().unwrap();
    let dir = killed_in.clone().unwrap_or_else(|| own.path().join("data"));
    let vault = open(&dir).await;
    let first = first_free(&vault).await;
    let count = if killed_in.is_some() { 900 } else { 3 };
    for number in first..first + count {
        let at = name(&format!("r{number:04}"));
        vault
            .vault
            .store(&at, &ctx(), &share(number), Expect::Absent, &access())
            .await
            .unwrap();
        eprintln!("stored {number}");
    }
    assert_eq!(first_free(&vault).await, first + count);
    vault.close().await;
}

/// Runs the test above in a process of its own, kills it after some records, and gives the number
/// of the last one it acknowledged.
fn store_and_be_killed(dir: &Path, after: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process::stores_records_one_after_another",
            "--nocapture",
        ])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let stored = |line: String| line.strip_prefix("stored ")?.parse::<u64>().ok();
    let mut stored = lines.filter_map(stored);
    let mut last = stored.by_ref().take(after).last().unwrap();
    child.kill().unwrap();
    // What it said before it died.
    if let Some(later) = stored.last() {
        last = later;
    }
    assert!(!child.wait().unwrap().success());
    last
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("data");
    for after in [1, 3, 10, 2, 25] {
        let last = store_and_be_killed(&dir, after);
        let vault = open(&dir).await;
        let names = vault.vault.list_names("r", None, 1000).await.unwrap().names;
        assert!(
            names.contains(&RecordName::new(format!("r{last:04}")).unwrap()),
            "{last}"
        );
        // The write that was under way is whole or absent.
        for (number, at) in (0..).zip(&names) {
            let loaded = vault.vault.load(at, &ctx(), &access()).await.unwrap();
            assert_eq!(loaded.value, share(number), "{at}");
        }
        let anchor = vault.audit.position().await;
        vault.close().await;
        let report = verify(&dir.join("audit.sqlite"), anchor.as_ref())
            .await
            .unwrap();
        assert!(report.is_sound(), "{report}");
    }
}
