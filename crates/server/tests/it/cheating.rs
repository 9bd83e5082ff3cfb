//! Proven cheating locks the wallet, durably and before the answer (custody rules 13 and 14).

use std::sync::Arc;

use halfkey_core::SigningInput;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{CeremonyReply, Operation, SignMessageRequest, WalletReply, WalletState};
use halfkey_mpc::KeyShare;
use halfkey_mpc::simulate::{Cheat, CheatingSign};

use crate::customer::{
    EVM, Signing, Wallet, create, message_of, sign_params, sign_path, sign_request, step,
};
use crate::world::{Answer, World};

fn cheating(
    share: &Arc<KeyShare>,
    operation: Operation,
    input: SigningInput,
    how: Cheat,
) -> Signing {
    let params = sign_params(operation, input);
    let ceremony = params.ceremony;
    let sign = CheatingSign::initiator(Arc::clone(share), params, os_rng(), how).unwrap();
    Signing::begin(share, ceremony, Box::new(sign))
}

/// Runs a signature that cheats in the given way; returns the answer to the cheating message.
pub(crate) async fn cheat(world: &World, wallet: &Wallet, how: Cheat) -> Answer {
    let share = &wallet.shares[0];
    let (message, input, operation) = message_of(share, b"x");
    let mut signing = cheating(share, operation, input, how);
    let ceremony = signing.open.clone();
    let request = SignMessageRequest {
        message,
        is_formatted: false,
        context: None,
        ceremony,
    };
    let opened = world.post(&sign_path(world, wallet), &request).await;
    if opened.status != 200 {
        return opened;
    }
    let opened: CeremonyReply = opened.ok();
    let round = signing.answer(&opened);
    world.post(&step(&opened), &round).await
}

pub(crate) async fn refused_as_locked(world: &World, wallet: &Wallet) {
    let (_, request) = sign_request(&wallet.shares[0], b"honest");
    let answer = world.post(&sign_path(world, wallet), &request).await;
    answer.refused(423, "wallet_locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheater_locks_the_wallet_for_good() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    let other = create(&world, EVM).await;

    // A session that is open when the cheat comes dies with it.
    let (mut bystander, request) = sign_request(&wallet.shares[0], b"open");
    let opened: CeremonyReply = world.post(&sign_path(&world, &wallet), &request).await.ok();
    let round = bystander.answer(&opened);

    let answer = cheat(&world, &wallet, Cheat::OtExtension).await;
    answer.refused(403, "peer_misbehaved");
    assert_eq!(answer.json()["payload"]["walletId"], wallet.id.to_string());
    assert_eq!(answer.json()["fault"], "peer");
    world
        .post(&step(&opened), &round)
        .await
        .refused(409, "ceremony_gone");

    refused_as_locked(&world, &wallet).await;
    world.restart().await;
    for _ in 0..3 {
        refused_as_locked(&world, &wallet).await;
    }
    let path = world.sdk(&format!("/byWalletAddress/{}", wallet.address));
    let summary = world.get(&path).await.ok::<WalletReply>().summary;
    assert_eq!(summary.state, WalletState::Locked);
    assert!(summary.state_reason.unwrap().contains("a refresh ends it"));
    crate::customer::sign(&world, &other, &other.shares[0], b"another wallet signs on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cheating_in_the_second_round_locks_too() {
    let world = World::start().await;
    for how in [Cheat::Multiplication, Cheat::KeyShare] {
        let wallet = create(&world, EVM).await;
        cheat(&world, &wallet, how)
            .await
            .refused(403, "peer_misbehaved");
        refused_as_locked(&world, &wallet).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_suspicion_locks() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    for _ in 0..2 {
        cheat(&world, &wallet, Cheat::LastValue)
            .await
            .refused(422, "ceremony_refused");
    }
    crate::customer::sign(&world, &wallet, &wallet.shares[0], b"two are not enough").await;
    cheat(&world, &wallet, Cheat::LastValue)
        .await
        .refused(422, "ceremony_refused");
    refused_as_locked(&world, &wallet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cheating_in_a_proof_keeps_the_wallet_from_ever_being_committed() {
    use halfkey_core::proof_message::ProofOperation;
    use halfkey_core::wire::ProveRequest;

    use crate::customer::{attempt_path, commit, keygen, proof_input};

    let world = World::start().await;
    let wallet = keygen(&world, EVM).await;
    let share = &wallet.shares[0];
    let (_, input) = proof_input(share, ProofOperation::Create);
    let mut signing = cheating(share, Operation::Proof, input, Cheat::Multiplication);
    let request = ProveRequest {
        operation: ProofOperation::Create,
        ceremony: signing.open.clone(),
    };
    let opened: CeremonyReply = world
        .post(&attempt_path(&world, &wallet, "prove"), &request)
        .await
        .ok();
    let round = signing.answer(&opened);
    world
        .post(&step(&opened), &round)
        .await
        .refused(403, "peer_misbehaved");
    commit(&world, &wallet, true)
        .await
        .refused(423, "wallet_locked");
}
