//! The audit log in SQLite passes the suite, and any edit of it is found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use halfkey_vault::audit::chain;
use halfkey_vault::audit::sqlite::SqliteAudit;
use halfkey_vault::audit::verify::{Report, TailProof, verify};
use halfkey_vault::conformance::sample::event;
use halfkey_vault::store::sqlite::Options;
use halfkey_vault::{AuditPosition, AuditSink};
use sqlx::AssertSqlSafe;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::support::{FixedClock, environment};

async fn open(path: &Path) -> SqliteAudit {
    SqliteAudit::open(path, &environment(), Options::CREATE, "node-1", &FixedClock)
        .await
        .unwrap()
}

async fn make() -> (Arc<SqliteAudit>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (
        Arc::new(open(&dir.path().join("data/audit.sqlite")).await),
        dir,
    )
}
halfkey_vault::audit_sink_conformance!(make);

/// A closed log of three boots with ten entries each, and every position it gave out.
async fn three_boots() -> (TempDir, PathBuf, Vec<AuditPosition>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/audit.sqlite");
    let mut positions = Vec::new();
    for boot in 0..3 {
        let audit = open(&path).await;
        for number in 0..10 {
            let event = event(&format!("boot {boot} event {number}"));
            positions.push(audit.append(event).await.unwrap());
        }
        assert_eq!(audit.position().await.as_ref(), positions.last());
        audit.database().close().await;
    }
    (dir, path, positions)
}

/// A report on a copy of the log after `sql`.
async fn after(path: &Path, sql: &str, anchor: Option<&AuditPosition>) -> Report {
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().join("copy.sqlite");
    std::fs::copy(path, &copy).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(&copy)
        .foreign_keys(false);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
    assert!(done.rows_affected() > 0, "nothing was changed by: {sql}");
    connection.close().await.unwrap();
    verify(&copy, anchor).await.unwrap()
}

#[tokio::test]
async fn a_sound_log_is_sound_and_its_tail_unproven_without_an_anchor() {
    let (_dir, path, positions) = three_boots().await;
    let report = verify(&path, None).await.unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.chains, report.entries), (3, 30));
    assert!(report.to_string().contains("tail unproven"), "{report}");
    assert!(report.to_string().contains("rewrite"), "{report}");
    for anchor in &positions {
        let report = verify(&path, Some(anchor)).await.unwrap();
        assert!(report.is_sound(), "{report}");
        assert_eq!(
            report.tail,
            TailProof::ProvenTo {
                sequence: anchor.sequence
            }
        );
    }
}

#[tokio::test]
async fn every_edit_of_an_entry_is_found() {
    let (_dir, path, _) = three_boots().await;
    let texts = [
        "actor",
        "action",
        "purpose",
        "environment",
        "wallet",
        "record",
        "request_id",
        "detail",
    ];
    let mut edits: Vec<String> = texts
        .iter()
        .map(|column| format!("{column} = {column} || 'x'"))
        .collect();
    edits.push("at = at + 1".to_owned());
    edits.push("outcome = 'refused'".to_owned());
    edits.push("outcome = 'forged'".to_owned());
    edits.push("head = zeroblob(32)".to_owned());
    for edit in edits {
        for sequence in [0, 4, 9] {
            let sql = format!(
                "UPDATE audit_entries SET {edit} WHERE sequence = {sequence} AND chain =
                 (SELECT chain FROM audit_chains WHERE number = 2)"
            );
            let report = after(&path, &sql, None).await;
            assert!(!report.is_sound(), "{edit} at {sequence}: {report}");
            let first = report.problems.first().unwrap();
            assert_eq!(first.sequence, Some(sequence), "{edit}: {report}");
        }
    }
}

#[tokio::test]
async fn every_removal_from_the_middle_is_found() {
    let (_dir, path, _) = three_boots().await;
    let entry = "DELETE FROM audit_entries WHERE chain =
                 (SELECT chain FROM audit_chains WHERE number = {n}) AND";
    for (chain, which) in [
        (1, "sequence = 0"),
        (1, "sequence = 5"),
        // The end of an earlier boot: the next boot names it.
        (1, "sequence = 9"),
        (2, "sequence >= 5"),
        (2, "sequence >= 0"),
        (3, "sequence = 0"),
        (3, "sequence = 8"),
    ] {
        let sql = format!("{} {which}", entry.replace("{n}", &chain.to_string()));
        let report = after(&path, &sql, None).await;
        assert!(!report.is_sound(), "chain {chain} {which}: {report}");
    }
    let whole = |number: u8| {
        format!(
            "DELETE FROM audit_entries WHERE chain =
             (SELECT chain FROM audit_chains WHERE number = {number});
             DELETE FROM audit_chains WHERE number = {number}"
        )
    };
    for number in [1, 2] {
        let report = after(&path, &whole(number), None).await;
        assert!(!report.is_sound(), "chain {number}: {report}");
    }
    let orphans = "DELETE FROM audit_chains WHERE number = 3";
    assert!(!after(&path, orphans, None).await.is_sound());
}

#[tokio::test]
async fn every_edit_of_a_chain_is_found() {
    let (_dir, path, _) = three_boots().await;
    for edit in [
        "node = 'node-2'",
        "environment = 'env-other'",
        "started_at = started_at + 1",
    ] {
        for number in [1, 2, 3] {
            let sql = format!("UPDATE audit_chains SET {edit} WHERE number = {number}");
            assert!(
                !after(&path, &sql, None).await.is_sound(),
                "{edit} of {number}"
            );
        }
    }
    for edit in [
        "UPDATE audit_joins SET entries = 9",
        "UPDATE audit_joins SET entries = 0",
        "UPDATE audit_joins SET head = zeroblob(32)",
        "UPDATE audit_joins SET named = zeroblob(16)",
        "DELETE FROM audit_joins",
    ] {
        for number in [2, 3] {
            let sql = format!(
                "{edit} WHERE chain = (SELECT chain FROM audit_chains WHERE number = {number})"
            );
            assert!(
                !after(&path, &sql, None).await.is_sound(),
                "{edit} of {number}"
            );
        }
    }
}

/// A service that runs on while commands come and go: what it wrote before a command began cannot
/// be cut off afterwards, also where that command is not the one begun right after it.
#[tokio::test]
async fn a_cut_of_a_chain_that_ran_on_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/audit.sqlite");
    let service = open(&path).await;
    for round in 0..4 {
        for number in 0..3 {
            let event = event(&format!("service {round} {number}"));
            service.append(event).await.unwrap();
        }
        // One of the commands writes nothing.
        let command = open(&path).await;
        if round != 2 {
            command.append(event("command")).await.unwrap();
        }
        command.database().close().await;
    }
    let last = service.append(event("unnamed")).await.unwrap();
    service.database().close().await;
    let report = verify(&path, Some(&last)).await.unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.chains, report.entries), (5, 16));

    let cut = |from: u64| {
        format!(
            "DELETE FROM audit_entries WHERE sequence >= {from} AND chain = x'{}'",
            hex::encode(service.chain())
        )
    };
    for from in 0..12 {
        let report = after(&path, &cut(from), None).await;
        assert!(!report.is_sound(), "from {from}: {report}");
    }
    // Appended after the newest chain began: only the anchor tells.
    let report = after(&path, &cut(12), None).await;
    assert!(
        report.is_sound() && report.tail == TailProof::Unproven,
        "{report}"
    );
    assert!(!after(&path, &cut(12), Some(&last)).await.is_sound());
    for number in 2..5 {
        let sql = format!(
            "DELETE FROM audit_entries WHERE chain =
             (SELECT chain FROM audit_chains WHERE number = {number});
             DELETE FROM audit_joins WHERE chain =
             (SELECT chain FROM audit_chains WHERE number = {number});
             DELETE FROM audit_chains WHERE number = {number}"
        );
        let report = after(&path, &sql, None).await;
        assert!(!report.is_sound(), "without chain {number}: {report}");
    }
}

#[tokio::test]
async fn a_cut_tail_needs_an_anchor_to_be_found() {
    let (_dir, path, positions) = three_boots().await;
    let cut = "DELETE FROM audit_entries WHERE sequence >= 7 AND chain =
               (SELECT chain FROM audit_chains WHERE number = 3)";
    let report = after(&path, cut, None).await;
    assert!(
        report.is_sound() && report.tail == TailProof::Unproven,
        "{report}"
    );
    let report = after(&path, cut, positions.last()).await;
    assert!(
        !report.is_sound() && report.tail == TailProof::Broken,
        "{report}"
    );
    // A whole boot cut off.
    let cut = "DELETE FROM audit_entries WHERE chain =
               (SELECT chain FROM audit_chains WHERE number = 3);
               DELETE FROM audit_chains WHERE number = 3";
    assert!(after(&path, cut, None).await.is_sound());
    assert!(!after(&path, cut, positions.last()).await.is_sound());
    let earlier = after(&path, cut, positions.get(19)).await;
    assert_eq!(earlier.tail, TailProof::ProvenTo { sequence: 9 });
}

/// Somebody who may write the file changes an entry and makes every hash after it anew: only an
/// anchor kept elsewhere tells.
#[tokio::test]
async fn a_rewritten_log_does_not_fit_the_anchor() {
    let (dir, path, positions) = three_boots().await;
    let (kept, forged) = (&positions[24], &positions[25]);
    let mut head = kept.head;
    let mut sql = String::new();
    for (number, position) in (5..).zip(&positions[25..]) {
        let actor = if number == 5 {
            "forged"
        } else {
            &format!("boot 2 event {number}")
        };
        head = chain::next(forged.chain, position.sequence, &head, &event(actor)).head;
        let update = format!(
            "UPDATE audit_entries SET actor = '{actor}', head = x'{}' WHERE sequence = {number}
             AND chain = x'{}';",
            hex::encode(head),
            hex::encode(forged.chain)
        );
        sql.push_str(&update);
    }
    let report = after(&path, &sql, None).await;
    assert!(
        report.is_sound() && report.tail == TailProof::Unproven,
        "{report}"
    );
    let before = after(&path, &sql, Some(kept)).await;
    assert_eq!(before.tail, TailProof::ProvenTo { sequence: 4 });
    for anchor in &positions[25..] {
        let report = after(&path, &sql, Some(anchor)).await;
        assert!(
            !report.is_sound() && report.tail == TailProof::Broken,
            "{report}"
        );
    }
    drop(dir);
}

#[tokio::test]
async fn verify_rejects_what_is_no_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.sqlite");
    assert!(verify(&path, None).await.is_err());
    std::fs::write(&path, [0x55; 8192]).unwrap();
    assert!(verify(&path, None).await.is_err());
}

#[tokio::test]
async fn an_append_that_was_given_up_does_not_break_the_chain() {
    let (audit, dir) = make().await;
    for round in 0..30_u32 {
        let mut append = Box::pin(audit.append(event(&round.to_string())));
        // Polled so often and dropped: the entry may be written or not.
        for _ in 0..round % 7 {
            let polled = futures_poll(&mut append).await;
            if polled {
                break;
            }
        }
        drop(append);
        audit.append(event("next")).await.unwrap();
    }
    let anchor = audit.position().await;
    audit.database().close().await;
    let path = dir.path().join("data/audit.sqlite");
    let report = verify(&path, anchor.as_ref()).await.unwrap();
    assert!(report.is_sound(), "{report}");
}

/// Polls once and lets other tasks run; whether it is done.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> bool {
    let mut done = false;
    std::future::poll_fn(|cx| {
        done = std::pin::Pin::new(&mut *future).poll(cx).is_ready();
        std::task::Poll::Ready(())
    })
    .await;
    tokio::task::yield_now().await;
    done
}
