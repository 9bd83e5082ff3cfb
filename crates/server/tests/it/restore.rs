//! A restored database is found out (custody rules 11 and 14).

use std::path::Path;

use halfkey_core::wire::{AttemptReply, AttemptState, CommitReply};
use halfkey_server::Error;

use crate::customer::{EVM, SVM, commit, create, keygen, sign, sign_path, sign_request};
use crate::world::World;

fn copy_database(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("provider.db{suffix}");
        let (from, to) = (from.join(&name), to.join(&name));
        if from.exists() {
            std::fs::copy(from, to).unwrap();
        } else if to.exists() {
            std::fs::remove_file(to).unwrap();
        }
    }
}

async fn accept(world: &mut World) {
    let mut config = world.config();
    config.accept_restore = true;
    world.server = Some(halfkey_server::Server::start(config).await.unwrap());
    world.jwt = world.authenticate(&world.token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_before_the_last_boot_is_refused_until_accepted() {
    let mut world = World::start().await;
    let evm = create(&world, EVM).await;
    let svm = create(&world, SVM).await;
    world.down().await;
    let copy = world.home.path().join("copy");
    copy_database(&world.provider_dir(), &copy);
    world.up().await;
    let lost = keygen(&world, SVM).await;
    world.down().await;

    copy_database(&copy, &world.provider_dir());
    assert!(matches!(
        world.refused_start().await,
        Error::Restored { .. }
    ));
    assert!(matches!(
        world.refused_start().await,
        Error::Restored { .. }
    ));
    accept(&mut world).await;

    // OT state may have been used since the copy was made; FROST has none.
    let (_, request) = sign_request(&evm.shares[0], b"x");
    let answer = world.post(&sign_path(&world, &evm), &request).await;
    answer.refused(423, "needs_complete_refresh");
    sign(&world, &svm, &svm.shares[0], b"signs on").await;
    let path = world.sdk(&format!("/attempts/{}", lost.attempt));
    let reply: AttemptReply = world.get(&path).await.ok();
    assert_eq!(
        (reply.state, reply.restore_epoch),
        (AttemptState::Unknown, 1)
    );
    // From here on it is an ordinary database again.
    world.restart().await;
    let reply: AttemptReply = world.get(&path).await.ok();
    assert_eq!(reply.restore_epoch, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_while_it_ran_is_refused_after_an_orderly_stop() {
    let mut world = World::start().await;
    let copy = world.home.path().join("copy");
    copy_database(&world.provider_dir(), &copy);
    create(&world, SVM).await;
    world.down().await;
    copy_database(&copy, &world.provider_dir());
    let Error::Restored { why } = world.refused_start().await else {
        panic!("it started")
    };
    assert!(why.contains("activity"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_damaged_counter_is_refused() {
    let mut world = World::start().await;
    world.down().await;
    let path = world.provider_dir().join("boot-counter.json");
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, b"{").unwrap();
    assert!(matches!(
        world.refused_start().await,
        Error::SealedFile { .. }
    ));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        world.refused_start().await,
        Error::Restored { .. }
    ));
    // Not even init writes a new one over the loss.
    let options = crate::world::init_options(&world.clock, None);
    halfkey_server::init(world.home.path(), options)
        .await
        .unwrap();
    assert!(matches!(
        world.refused_start().await,
        Error::Restored { .. }
    ));
    std::fs::write(&path, good).unwrap();
    world.up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accepting_without_a_restore_does_nothing() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    world.down().await;
    accept(&mut world).await;
    sign(&world, &wallet, &wallet.shares[0], b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_before_the_last_commit_is_refused_even_after_a_crash() {
    let mut world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    let copy = world.home.path().join("copy");
    copy_database(&world.provider_dir(), &copy);
    commit(&world, &wallet, true).await.ok::<CommitReply>();
    world.crash();
    copy_database(&copy, &world.provider_dir());
    assert!(matches!(
        world.refused_start().await,
        Error::Restored { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_counter_file_is_refused() {
    let mut world = World::start().await;
    world.down().await;
    let path = world.provider_dir().join("boot-counter.json");
    let older = std::fs::read(&path).unwrap();
    world.up().await;
    world.down().await;
    std::fs::write(&path, older).unwrap();
    let Error::Restored { why } = world.refused_start().await else {
        panic!("it started")
    };
    assert!(why.contains("older copy"), "{why}");
}
