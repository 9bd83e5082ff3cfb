//! Accounting of OT ceremonies (custody rule 14), seen in the database as well.

use std::time::Duration;

use halfkey_core::wire::{CeremonyReply, WalletReply, WalletState};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};

use crate::customer::{EVM, SVM, create, sign, sign_path, sign_request, step};
use crate::world::World;

pub(crate) async fn database(world: &World) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(world.provider_dir().join("provider.db"))
        .busy_timeout(Duration::from_secs(10));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// How many slots ended in each way; `open` for those that did not.
pub(crate) async fn outcomes(world: &World) -> Vec<(String, i64)> {
    let sql = "SELECT COALESCE(outcome, 'open') AS outcome, COUNT(*) AS n FROM slots
               GROUP BY 1 ORDER BY 1";
    let rows = sqlx::query(sql)
        .fetch_all(&mut database(world).await)
        .await
        .unwrap();
    rows.iter()
        .map(|row| (row.get("outcome"), row.get("n")))
        .collect()
}

fn counted(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected
        .iter()
        .map(|(outcome, n)| ((*outcome).to_owned(), *n))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_are_open_at_once_and_no_more() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    let path = sign_path(&world, &wallet);
    let mut opened = Vec::new();
    for _ in 0..16 {
        let (signing, request) = sign_request(&wallet.shares[0], b"x");
        opened.push((
            signing,
            world.post(&path, &request).await.ok::<CeremonyReply>(),
        ));
    }
    let (_, request) = sign_request(&wallet.shares[0], b"x");
    let answer = world.post(&path, &request).await;
    answer.refused(429, "too_many_requests");
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(
        outcomes(&world).await,
        counted(&[("open", 16), ("signed", 1)])
    );

    // One ends; its place is free.
    let (mut signing, reply) = opened.pop().unwrap();
    let round = signing.answer(&reply);
    world
        .post(&step(&reply), &round)
        .await
        .ok::<CeremonyReply>();
    let (_, request) = sign_request(&wallet.shares[0], b"x");
    world.post(&path, &request).await.ok::<CeremonyReply>();

    // The rest is abandoned, which costs nothing.
    world.clock.advance(Duration::from_mins(1));
    world.server().reap().await;
    assert_eq!(
        outcomes(&world).await,
        counted(&[("abandoned", 16), ("signed", 2)])
    );
    sign(&world, &wallet, &wallet.shares[0], b"signs on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_accounted_for_and_frost_takes_no_slot() {
    let world = World::start().await;
    let svm = create(&world, SVM).await;
    sign(&world, &svm, &svm.shares[0], b"x").await;
    assert_eq!(outcomes(&world).await, counted(&[]));
    let evm = create(&world, EVM).await;
    let (_, mut request) = sign_request(&evm.shares[0], b"x");
    request.ceremony.messages[0].body.0[30] ^= 1;
    world
        .post(&sign_path(&world, &evm), &request)
        .await
        .refused(422, "ceremony_refused");
    assert_eq!(
        outcomes(&world).await,
        counted(&[("refused", 1), ("signed", 1)])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceremony_id_is_used_once_even_across_a_restart() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    let (_, request) = sign_request(&wallet.shares[0], b"x");
    let path = sign_path(&world, &wallet);
    world.post(&path, &request).await.ok::<CeremonyReply>();
    world.crash_and_up().await;
    world
        .post(&path, &request)
        .await
        .refused(409, "ceremony_conflict");
    // The first one was open when its process ended.
    assert_eq!(
        outcomes(&world).await,
        counted(&[("lost", 1), ("signed", 1)])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_lost_slots_need_a_complete_refresh() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    let path = sign_path(&world, &wallet);
    let lose = async |world: &mut World, count: usize| {
        for _ in 0..count {
            let (_, request) = sign_request(&wallet.shares[0], b"x");
            world.post(&path, &request).await.ok::<CeremonyReply>();
        }
        world.crash_and_up().await;
    };
    lose(&mut world, 15).await;
    sign(
        &world,
        &wallet,
        &wallet.shares[0],
        b"fifteen are not enough",
    )
    .await;
    lose(&mut world, 1).await;
    let (_, request) = sign_request(&wallet.shares[0], b"x");
    world
        .post(&path, &request)
        .await
        .refused(423, "needs_complete_refresh");
    let path = world.sdk(&format!("/byWalletAddress/{}", wallet.address));
    let summary = world.get(&path).await.ok::<WalletReply>().summary;
    assert_eq!(summary.state, WalletState::NeedsCompleteRefresh);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_signature_writes_the_wallet_row() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    let mut conn = database(&world).await;
    sqlx::raw_sql(
        "CREATE TRIGGER no_writes BEFORE UPDATE ON wallets
         BEGIN SELECT RAISE (ABORT, 'a signature wrote the wallet row'); END",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    sign(&world, &wallet, &wallet.shares[0], b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_loses_no_slot() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    for _ in 0..2 {
        let (_, request) = sign_request(&wallet.shares[0], b"x");
        world
            .post(&sign_path(&world, &wallet), &request)
            .await
            .ok::<CeremonyReply>();
    }
    world.restart().await;
    assert_eq!(
        outcomes(&world).await,
        counted(&[("abandoned", 2), ("signed", 1)])
    );
}
