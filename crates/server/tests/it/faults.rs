//! The store fails just then.

use halfkey_core::wire::{AttemptReply, AttemptState, CeremonyReply, ListReply};
use halfkey_mpc::simulate::Cheat;

use crate::cheating::{cheat, refused_as_locked};
use crate::customer::{Creating, EVM, SVM, Wallet, create, sign, sign_path, sign_request, step};
use crate::slots::database;
use crate::world::World;

/// Makes every write of that kind fail, as a full disk would.
async fn fail(world: &World, table: &str, event: &str) {
    let sql = format!(
        "CREATE TRIGGER fails BEFORE {event} ON {table}
         BEGIN SELECT RAISE (ABORT, 'disk full'); END"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    sqlx::raw_sql(sql)
        .execute(&mut database(world).await)
        .await
        .unwrap();
}

async fn mend(world: &World) {
    sqlx::raw_sql("DROP TRIGGER fails")
        .execute(&mut database(world).await)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_cannot_be_stored_leaves_no_wallet() {
    let world = World::start().await;
    let mut creating = Creating::new(&world, SVM);
    let opened: CeremonyReply = world
        .post_with_key(&world.sdk("/create"), "key", &creating.request)
        .await
        .ok();
    let round = creating.answer(&opened, &mut Vec::new());
    fail(&world, "shares", "INSERT").await;
    let failed = world.post(&step(&opened), &round).await;
    failed.refused(503, "unavailable");
    assert!(
        !String::from_utf8_lossy(&failed.bytes).contains("disk"),
        "{failed:?}"
    );
    let list = format!("/environments/{}/waas/wallets", world.environment);
    assert!(world.get(&list).await.ok::<ListReply>().wallets.is_empty());
    let path = world.sdk(&format!(
        "/attempts/{}",
        creating.request.ceremony.attempt_id
    ));
    assert_eq!(
        world.get(&path).await.ok::<AttemptReply>().state,
        AttemptState::Unknown
    );
    mend(&world).await;
    let again = Creating::new(&world, SVM);
    let opened = world
        .post_with_key(&world.sdk("/create"), "key", &again.request)
        .await;
    assert_eq!(opened.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_cannot_be_written_holds_until_it_can() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    fail(&world, "locks", "INSERT").await;
    // The cheater learns nothing about the check before the lock is durable.
    cheat(&world, &wallet, Cheat::OtExtension)
        .await
        .refused(503, "unavailable");
    refused_as_locked(&world, &wallet).await;
    mend(&world).await;
    world.server().reap().await;
    world.restart().await;
    refused_as_locked(&world, &wallet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_opened_without_its_audit_event() {
    let world = World::start().await;
    let wallet = create(&world, SVM).await;
    fail(&world, "activities", "INSERT").await;
    let (_, request) = sign_request(&wallet.shares[0], b"x");
    let failed = world.post(&sign_path(&world, &wallet), &request).await;
    failed.refused(503, "unavailable");
    mend(&world).await;
    sign(&world, &wallet, &wallet.shares[0], b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_share_is_the_providers_fault_and_takes_no_slot() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    let other = create(&world, EVM).await;
    let mut conn = database(&world).await;
    let swap = "UPDATE shares SET sealed = (SELECT sealed FROM shares WHERE wallet_id = ?)
                WHERE wallet_id = ?";
    sqlx::query(swap)
        .bind(other.id.as_bytes().as_slice())
        .bind(wallet.id.as_bytes().as_slice())
        .execute(&mut conn)
        .await
        .unwrap();
    let (_, request) = sign_request(&wallet.shares[0], b"x");
    let failed = world.post(&sign_path(&world, &wallet), &request).await;
    failed.refused(500, "internal");
    let open = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM slots WHERE outcome IS NULL")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_was_never_written_holds_in_the_next_process() {
    let mut world = World::start().await;
    for crashes in [false, true] {
        let wallet = create(&world, EVM).await;
        fail(&world, "locks", "INSERT").await;
        cheat(&world, &wallet, Cheat::OtExtension)
            .await
            .refused(503, "unavailable");
        if crashes {
            world.crash();
        } else {
            world.down().await;
        }
        mend(&world).await;
        world.up().await;
        refused_as_locked(&world, &wallet).await;
        assert!(!world.provider_dir().join("unwritten-locks.json").exists());
    }
}

/// Two more suspicions lock a wallet that has one, and one alone does not.
async fn has_one_suspicion(world: &World, wallet: &Wallet) {
    sign(world, wallet, &wallet.shares[0], b"one is not enough").await;
    for _ in 0..2 {
        cheat(world, wallet, Cheat::LastValue)
            .await
            .refused(422, "ceremony_refused");
    }
    refused_as_locked(world, wallet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspicion_that_cannot_be_written_counts_once_it_can() {
    let world = World::start().await;
    for reaped in [true, false] {
        let wallet = create(&world, EVM).await;
        fail(&world, "slots", "UPDATE").await;
        cheat(&world, &wallet, Cheat::LastValue)
            .await
            .refused(503, "unavailable");
        mend(&world).await;
        if reaped {
            world.server().reap().await;
        }
        // Otherwise the next ceremony of the wallet writes it first.
        has_one_suspicion(&world, &wallet).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspicion_that_was_never_written_counts_in_the_next_process() {
    let mut world = World::start().await;
    for crashes in [false, true] {
        let wallet = create(&world, EVM).await;
        fail(&world, "slots", "UPDATE").await;
        cheat(&world, &wallet, Cheat::LastValue)
            .await
            .refused(503, "unavailable");
        if crashes {
            world.crash();
        } else {
            world.down().await;
        }
        mend(&world).await;
        world.up().await;
        let kept = world.provider_dir().join("unwritten-suspicions.json");
        assert!(!kept.exists());
        has_one_suspicion(&world, &wallet).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_suspicion_locks_even_if_only_the_lock_cannot_be_written() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    for _ in 0..2 {
        cheat(&world, &wallet, Cheat::LastValue)
            .await
            .refused(422, "ceremony_refused");
    }
    fail(&world, "locks", "INSERT").await;
    cheat(&world, &wallet, Cheat::LastValue)
        .await
        .refused(503, "unavailable");
    mend(&world).await;
    world.server().reap().await;
    refused_as_locked(&world, &wallet).await;
}
