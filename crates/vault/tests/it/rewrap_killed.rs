//! A rewrap that is killed in the middle, again and again: nothing is lost, nothing opens wrongly,
//! and the counts add up.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use halfkey_core::{Generation, SecretBytes};
use halfkey_vault::audit::verify::verify;
use halfkey_vault::rotation::Progress;
use halfkey_vault::{
    AuditSink, BindCtx, Embedded, Error, Expect, RecordContexts, RecordName, RewrapOptions,
    RewrapParts, RewrapReport, Rewrapper, census,
};

use crate::support::{access, clock, ctx, environment, name};

/// Set for the process that is to be killed: where the records are.
const DIR: &str = "HALFKEY_VAULT_TEST_REWRAP_IN";
/// How many records; the long version sets it.
const COUNT: &str = "HALFKEY_RECORDS";

fn count() -> u64 {
    std::env::var(COUNT).map_or(2000, |text| text.parse().unwrap())
}

/// Each record has a generation of its own, so that no record opens as another.
struct Numbered;

#[async_trait]
impl RecordContexts for Numbered {
    async fn context(&self, name: &RecordName) -> Result<Option<BindCtx>, Error> {
        let number = name.as_str().strip_prefix('r');
        Ok(number.and_then(|number| number.parse().ok()).map(context))
    }
}

fn context(number: u64) -> BindCtx {
    BindCtx {
        generation: Generation(number),
        ..ctx()
    }
}

fn at(number: u64) -> RecordName {
    name(&format!("r{number:06}"))
}

fn share(number: u64) -> SecretBytes {
    SecretBytes::new(format!("share {number}").into_bytes())
}

async fn open(dir: &Path) -> Embedded {
    Embedded::create_or_open(dir, &environment(), None, clock(), "n")
        .await
        .unwrap()
}

async fn rewrap(embedded: &Embedded, shown: bool) -> RewrapReport {
    let parts = embedded.vault.parts();
    let parts = RewrapParts {
        list: parts.list.clone().unwrap(),
        get: parts.get.clone().unwrap(),
        put: parts.put.clone().unwrap(),
        rewrap: Arc::<halfkey_vault::kms::keyring::Keyring>::clone(&embedded.keyring),
        verify: parts.unwrap.clone(),
        contexts: Arc::new(Numbered),
        audit: Arc::<dyn AuditSink>::clone(&parts.audit),
        clock: clock(),
    };
    let newest = embedded.keyring.terms().last().unwrap().number.to_string();
    let options = RewrapOptions {
        prefix: "r".to_owned(),
        newest,
        parallel: 8,
        per_second: None,
    };
    let show = move |progress: Progress| {
        if shown {
            let line = format!("moved {}\n", progress.moved);
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
    };
    let rewrapper = Arc::new(Rewrapper::new(parts, access()));
    rewrapper
        .run(&options, &AtomicBool::new(false), &show)
        .await
        .unwrap()
}

/// Rewraps what it finds; in a process of its own, until the other test kills it.
#[tokio::test(flavor = "multi_thread")]
async fn rewraps_what_it_finds() {
    let killed_in = std::env::var_os(DIR).map(PathBuf::from);
    let own = tempfile::tempdir().unwrap();
    let dir = killed_in.clone().unwrap_or_else(|| own.path().join("data"));
    let embedded = open(&dir).await;
    rewrap(&embedded, killed_in.is_some()).await;
    embedded.close().await;
}

/// Kills it after it moved so many records; how many it said.
fn rewrap_and_be_killed(dir: &Path, after: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "rewrap_killed::rewraps_what_it_finds",
            "--nocapture",
        ])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let moved = |line: String| line.strip_prefix("moved ")?.parse::<u64>().ok();
    let mut moved = lines.map_while(Result::ok).filter_map(moved);
    let last = moved.by_ref().find(|moved| *moved >= after).unwrap();
    child.kill().unwrap();
    drop(moved);
    assert!(!child.wait().unwrap().success());
    last
}

/// In memory where there is such a place: what is tested is not the disk.
fn outer() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrap_that_is_killed_again_and_again_loses_nothing() {
    let (outer, count) = (outer(), count());
    let dir = outer.path().join("data");
    let embedded = open(&dir).await;
    for number in 0..count {
        embedded
            .vault
            .store(
                &at(number),
                &context(number),
                &share(number),
                Expect::Absent,
                &access(),
            )
            .await
            .unwrap();
    }
    embedded.keyring.add_term(&*clock()).unwrap();
    embedded.close().await;

    let mut kills = 0;
    for part in [100, 10, 5, 4, 3] {
        let moved = rewrap_and_be_killed(&dir, count / part / 5);
        assert!(moved < count);
        kills += 1;
    }
    let embedded = open(&dir).await;
    let report = rewrap(&embedded, false).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.moved + report.already, count);
    assert!(report.already > 0 && report.moved > 0, "{report:?}");
    for number in 0..count {
        let opened = embedded
            .vault
            .load(&at(number), &context(number), &access())
            .await;
        assert!(opened.unwrap().value == share(number), "{number}");
    }
    let parts = embedded.vault.parts();
    let (list, get) = (parts.list.clone().unwrap(), parts.get.clone().unwrap());
    let counted = census(&*list, &*get, "r", &[]).await.unwrap();
    assert_eq!(counted.sealed, count);
    assert_eq!(counted.wraps_under(embedded.keyring.uri(), "2"), count);
    embedded.close().await;
    let report = verify(&dir.join("audit.sqlite"), None).await.unwrap();
    assert!(report.is_sound(), "{report}");
    println!("{count} records, {kills} kills: 0 lost, 0 opened wrongly");
}
