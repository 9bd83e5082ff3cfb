//! The activity log: what is in it, and what verifying it finds (custody rule 27).

use halfkey_core::wire::{ActivityRef, CommitReply};
use halfkey_server::activity::{Report, verify};
use sqlx::Row as _;

use crate::customer::{EVM, SVM, Wallet, commit, create, keygen, sign, sign_path, sign_request};
use crate::slots::database;
use crate::world::World;

async fn report(world: &World, anchor: Option<&ActivityRef>) -> Report {
    verify(world.home.path(), anchor).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_effect_has_its_entry_and_the_chains_verify() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    sign(&world, &wallet, &wallet.shares[0], b"x").await;
    world.restart().await;
    let rows =
        sqlx::query("SELECT kind FROM activities WHERE wallet_id = ? ORDER BY chain, sequence")
            .bind(wallet.id.as_bytes().as_slice())
            .fetch_all(&mut database(&world).await)
            .await
            .unwrap();
    let kinds: Vec<String> = rows.iter().map(|row| row.get("kind")).collect();
    let expected = [
        "share.seal",
        "wallet.staged",
        "share.open",
        "attempt.proven",
        "attempt.committed",
        "share.open",
        "signed",
    ];
    assert_eq!(kinds, expected);
    let report = report(&world, None).await;
    assert_eq!(report.problems, Vec::<String>::new());
    // init, two boots.
    assert_eq!(report.chains, 3);
    assert!(!report.tail_proven);
}

/// What the log says of `wallet`, oldest first: kind and detail.
async fn entries(world: &World, wallet: &Wallet) -> Vec<(String, serde_json::Value)> {
    let rows = sqlx::query(
        "SELECT kind, detail FROM activities WHERE wallet_id = ? ORDER BY chain, sequence",
    )
    .bind(wallet.id.as_bytes().as_slice())
    .fetch_all(&mut database(world).await)
    .await
    .unwrap();
    let entry = |row: &sqlx::sqlite::SqliteRow| {
        let detail: &str = row.get("detail");
        let detail = serde_json::from_str(detail).unwrap_or_default();
        (row.get("kind"), detail)
    };
    rows.iter().map(entry).collect()
}

/// One entry per transaction: of an OT ceremony the opening with its slot and the end with its
/// outcome, of a one-round signature a single one.
#[tokio::test(flavor = "multi_thread")]
async fn a_signature_costs_as_many_commits_as_it_has_rounds() {
    let world = World::start().await;
    for (kind, commits) in [(SVM, 1), (EVM, 2)] {
        let wallet = create(&world, kind).await;
        let before = entries(&world, &wallet).await.len();
        sign(&world, &wallet, &wallet.shares[0], b"x").await;
        assert_eq!(entries(&world, &wallet).await.len() - before, commits);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_round_signature_is_in_the_log_before_the_share_is_used() {
    let world = World::start().await;
    let wallet = create(&world, SVM).await;
    let before = entries(&world, &wallet).await.len();
    sign(&world, &wallet, &wallet.shares[0], b"x").await;
    let signed = entries(&world, &wallet).await.split_off(before);
    let [(kind, detail)] = signed.as_slice() else {
        panic!("{signed:?}");
    };
    assert_eq!(kind, "signed");
    assert_eq!(detail["operation"], "svm_message", "{detail}");
    assert_eq!(detail["opened"]["purpose"], "sign", "{detail}");
    assert!(detail["opened"]["record"].is_string(), "{detail}");

    // Of a share that was opened and not used the log says so.
    let (_, mut request) = sign_request(&wallet.shares[0], b"y");
    let last = request.ceremony.messages[0].body.0.last_mut().unwrap();
    *last ^= 1;
    let refused = world.post(&sign_path(&world, &wallet), &request).await;
    refused.refused(422, "ceremony_refused");
    let kinds: Vec<String> = entries(&world, &wallet)
        .await
        .split_off(before + 1)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(kinds, ["signed", "signed.refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_is_found() {
    let mut world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    let anchor = commit(&world, &wallet, true)
        .await
        .ok::<CommitReply>()
        .activity;
    let proven = report(&world, Some(&anchor)).await;
    let to = (anchor.chain.clone(), anchor.sequence);
    assert_eq!((proven.proven_to, proven.tail_proven), (Some(to), true));
    assert_eq!(proven.problems, Vec::<String>::new());
    world.down().await;
    let mut conn = database(&world).await;
    let refused = sqlx::query("UPDATE activities SET kind = 'x'")
        .execute(&mut conn)
        .await;
    assert!(refused.unwrap_err().to_string().contains("append-only"));
    let refused = sqlx::query("DELETE FROM activities")
        .execute(&mut conn)
        .await;
    assert!(refused.unwrap_err().to_string().contains("append-only"));

    // Whoever owns the file can drop the triggers, but not make the hashes fit.
    sqlx::raw_sql(
        "DROP TRIGGER activities_are_append_only_1; DROP TRIGGER activities_are_append_only_2;",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let chain = hex::decode(&anchor.chain).unwrap();
    let sequence = i64::try_from(anchor.sequence).unwrap();
    for (sql, found) in [
        (
            "UPDATE activities SET actor = 'x' WHERE chain = ? AND sequence = ? - 1",
            "changed",
        ),
        (
            "DELETE FROM activities WHERE chain = ? AND sequence = ? - 2",
            "broken",
        ),
        (
            "DELETE FROM activities WHERE chain = ? AND sequence >= ?",
            "anchor",
        ),
    ] {
        let done = sqlx::query(sql)
            .bind(&chain)
            .bind(sequence)
            .execute(&mut conn)
            .await
            .unwrap();
        assert!(done.rows_affected() > 0);
        let report = report(&world, Some(&anchor)).await;
        assert!(
            report
                .problems
                .iter()
                .any(|problem| problem.contains(found)),
            "{report:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_cut_short_shows_in_the_next_ones() {
    let mut world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    let committed = commit(&world, &wallet, true)
        .await
        .ok::<CommitReply>()
        .activity;
    // A token made meanwhile by another process names the serving chain as far as it has come.
    world
        .new_token(&halfkey_core::wire::Scope::DEFAULT, None)
        .await;
    let tail = report(&world, Some(&committed)).await;
    assert!(!tail.tail_proven, "the token's chain is named by none");
    sign(&world, &wallet, &wallet.shares[0], b"x").await;
    world.restart().await;
    assert_eq!(report(&world, None).await.problems, Vec::<String>::new());
    let mut conn = database(&world).await;
    sqlx::raw_sql("DROP TRIGGER activities_are_append_only_2")
        .execute(&mut conn)
        .await
        .unwrap();
    let chain = hex::decode(&committed.chain).unwrap();
    let sequence = i64::try_from(committed.sequence).unwrap();
    // First what only the next serving boot names, then what the token's process named as well.
    for (after, named_by) in [(sequence, 1), (sequence - 1, 2)] {
        sqlx::query("DELETE FROM activities WHERE chain = ? AND sequence > ?")
            .bind(&chain)
            .bind(after)
            .execute(&mut conn)
            .await
            .unwrap();
        let report = report(&world, None).await;
        let found = report
            .problems
            .iter()
            .filter(|problem| problem.contains("was cut"));
        assert_eq!(found.count(), named_by, "{report:?}");
    }
}
