use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{
    AttemptReply, AttemptState, CeremonyReply, CommitReply, ListReply, ProofState, SignedReply,
    WalletReply, WalletState,
};
use halfkey_core::{CustodyOrigin, KeyOrigin, ThresholdSignatureScheme, Variant};
use serde_json::Value;

use crate::customer::{
    Creating, EVM, Kind, SVM, attempt_path, commit, create, keygen, prove, sign, sign_path,
    sign_request, step,
};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn evm_wallet_is_made_proven_and_signs() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    sign(&world, &wallet, &wallet.shares[0], b"first").await;
    sign(&world, &wallet, &wallet.shares[0], b"second").await;
    let path = world.sdk(&format!("/byWalletAddress/{}", wallet.address));
    let reply: WalletReply = world.get(&path).await.ok();
    assert_eq!(reply.summary.wallet_id, wallet.id);
    assert_eq!(reply.summary.state, WalletState::Active);
    assert_eq!(reply.summary.proof, ProofState::Proven);
    assert_eq!(reply.summary.custody_origin.origin(), KeyOrigin::Dkg);
    assert_eq!(
        reply.wallet["derivationPath"],
        "{\"0\":44,\"1\":60,\"2\":0,\"3\":0,\"4\":0}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn svm_wallets_of_both_variants_survive_a_restart() {
    let mut world = World::start().await;
    let mut wallets = Vec::new();
    for variant in [Variant::Ed25519Exportable, Variant::Ed25519Standard] {
        wallets.push(create(&world, Kind { variant, ..SVM }).await);
    }
    world.restart().await;
    for wallet in &wallets {
        sign(&world, wallet, &wallet.shares[0], b"after a restart").await;
    }
    let list = format!("/environments/{}/waas/wallets?limit=1", world.environment);
    let first: ListReply = world.get(&list).await.ok();
    let cursor = first.next_cursor.unwrap();
    let second: ListReply = world.get(&format!("{list}&cursor={cursor}")).await.ok();
    assert_eq!(first.wallets[0].custody_origin.origin(), KeyOrigin::Dealt);
    assert_eq!(first.wallets[0].variant, Some(Variant::Ed25519Exportable));
    assert_eq!(second.wallets[0].wallet_id, wallets[1].id);
    assert_eq!(second.next_cursor, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_needs_a_proof_of_each_pair_and_signs_with_either() {
    let world = World::start().await;
    let kind = Kind {
        scheme: ThresholdSignatureScheme::TwoOfThree,
        ..SVM
    };
    let wallet = keygen(&world, kind).await;
    prove(&world, &wallet, &wallet.shares[0], ProofOperation::Create).await;
    commit(&world, &wallet, false)
        .await
        .refused(409, "proof_missing");
    prove(&world, &wallet, &wallet.shares[1], ProofOperation::Create).await;
    let reply: CommitReply = commit(&world, &wallet, false).await.ok();
    assert_eq!(reply.proof, ProofState::Proven);
    for share in &wallet.shares {
        sign(&world, &wallet, share, b"either").await;
    }
    let path = format!("/environments/{}/waas/{}", world.environment, wallet.id);
    let reply: WalletReply = world.get(&path).await.ok();
    assert!(reply.summary.custody_origin.was_2of3());
}

#[tokio::test(flavor = "multi_thread")]
async fn evm_two_of_three_signs_with_either_customer_party() {
    let world = World::start().await;
    let kind = Kind {
        scheme: ThresholdSignatureScheme::TwoOfThree,
        ..EVM
    };
    let wallet = create(&world, kind).await;
    for share in &wallet.shares {
        sign(&world, &wallet, share, b"either").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cbor_carries_the_same_types() {
    let world = World::start().await;
    let mut creating = Creating::new(&world, SVM);
    let mut done = Vec::new();
    let opened: CeremonyReply = world
        .post_cbor(&world.sdk("/create"), &creating.request)
        .await
        .ok();
    let round = creating.answer(&opened, &mut done);
    let last: CeremonyReply = world.post_cbor(&step(&opened), &round).await.ok();
    let (wallet, _) = creating.finish(&last, done);
    prove(&world, &wallet, &wallet.shares[0], ProofOperation::Create).await;
    let answer = world
        .post_cbor(&attempt_path(&world, &wallet, "commit"), &Commit {})
        .await;
    assert_eq!(answer.headers["content-type"], "application/cbor");
    assert_eq!(answer.ok::<CommitReply>().state, WalletState::Active);
    let (_, mut request) = sign_request(&wallet.shares[0], b"x");
    request.ceremony.messages.clear();
    let refused = world.post_cbor(&sign_path(&world, &wallet), &request).await;
    assert_eq!(refused.status, 400);
    let body: halfkey_core::wire::ErrorBody =
        ciborium::from_reader(refused.bytes.as_slice()).unwrap();
    assert_eq!(body.code, halfkey_core::wire::ErrorCode::InvalidRequest);
}

#[derive(serde::Serialize)]
struct Commit {}

/// What every reply about one new wallet says of its custody, in order.
async fn origins_told(world: &World, kind: Kind) -> Vec<Vec<&'static str>> {
    let mut creating = Creating::new(world, kind);
    let mut done = Vec::new();
    let create = world.sdk("/create");
    let opened: CeremonyReply = world.post(&create, &creating.request).await.ok();
    let round = creating.answer(&opened, &mut done);
    let last: CeremonyReply = world.post(&step(&opened), &round).await.ok();
    let (wallet, created) = creating.finish(&last, done);
    let mut told = vec![Some(created.custody_origin)];
    for share in &wallet.shares {
        let proven = prove(world, &wallet, share, ProofOperation::Create).await;
        told.push(proven.signed.unwrap().custody_origin);
    }
    for _repeat in 0..2 {
        let committed: CommitReply = commit(world, &wallet, false).await.ok();
        told.push(committed.custody_origin);
    }
    let signed = sign(world, &wallet, &wallet.shares[0], b"x").await;
    told.push(signed.signed.unwrap().custody_origin);
    let environment = &world.environment;
    let path = format!("/environments/{environment}/waas/{}", wallet.id);
    let found: WalletReply = world.get(&path).await.ok();
    told.push(Some(found.summary.custody_origin));
    let list = format!("/environments/{environment}/waas/wallets");
    let listed: ListReply = world.get(&list).await.ok();
    let listed = listed.wallets.last().unwrap();
    assert_eq!(listed.wallet_id, wallet.id);
    told.push(Some(listed.custody_origin));
    told.into_iter()
        .map(|origin| origin.unwrap().names())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reply_about_a_wallet_tells_its_custody_origin() {
    let world = World::start().await;
    let dealt = Kind {
        variant: Variant::Ed25519Exportable,
        ..SVM
    };
    let quorum = Kind {
        scheme: ThresholdSignatureScheme::TwoOfThree,
        ..SVM
    };
    for (kind, names, replies) in [
        (EVM, &["dkg"][..], 7),
        (dealt, &["dealt"], 7),
        (quorum, &["dkg", "was_2of3"], 8),
    ] {
        assert_eq!(origins_told(&world, kind).await, vec![names; replies]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_parse_without_the_custody_origin_and_with_fields_of_later() {
    let world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    let mut committed = commit(&world, &wallet, true).await.json();
    let mut signed = serde_json::to_value(
        sign(&world, &wallet, &wallet.shares[0], b"x")
            .await
            .signed
            .unwrap(),
    )
    .unwrap();
    for reply in [&mut committed, &mut signed] {
        assert_eq!(reply["custodyOrigin"], serde_json::json!(["dkg"]));
        reply["aFieldOfLater"] = serde_json::json!({ "a": 1 });
    }
    let parse = |committed: &Value, signed: &Value| {
        let committed: CommitReply = serde_json::from_value(committed.clone()).unwrap();
        let signed: SignedReply = serde_json::from_value(signed.clone()).unwrap();
        (committed.custody_origin, signed.custody_origin)
    };
    let dkg = Some(CustodyOrigin::new(KeyOrigin::Dkg));
    assert_eq!(parse(&committed, &signed), (dkg, dkg));
    for reply in [&mut committed, &mut signed] {
        reply.as_object_mut().unwrap().remove("custodyOrigin");
    }
    assert_eq!(parse(&committed, &signed), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn attempt_states_are_signed_by_the_identity_key() {
    let world = World::start().await;
    let wallet = keygen(&world, SVM).await;
    let mut bytes = [0; 32];
    hex::decode_to_slice(&world.identity, &mut bytes).unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).unwrap();
    let path = world.sdk(&format!("/attempts/{}", wallet.attempt));
    let never = world.sdk("/attempts/000102030405060708090a0b0c0d0e0f");
    for (path, state) in [(path, AttemptState::Staged), (never, AttemptState::Unknown)] {
        let reply: AttemptReply = world.get(&path).await.ok();
        assert_eq!(reply.state, state);
        let signed = AttemptReply::signed_bytes(
            &world.environment,
            reply.attempt_id,
            reply.state,
            reply.restore_epoch,
        );
        let mut signature = [0; 64];
        hex::decode_to_slice(&reply.signature, &mut signature).unwrap();
        key.verify_strict(&signed, &ed25519_dalek::Signature::from_bytes(&signature))
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unproven_wallet_becomes_proven() {
    let world = World::start().await;
    let summary = async |id| {
        let path = format!("/environments/{}/waas/{id}", world.environment);
        world.get(&path).await.ok::<WalletReply>().summary
    };
    let svm = keygen(&world, SVM).await;
    let reply: CommitReply = commit(&world, &svm, true).await.ok();
    assert_eq!(reply.proof, ProofState::Unproven);
    // The provider never sees an Ed25519 signature of a message, so signing proves nothing to it.
    sign(&world, &svm, &svm.shares[0], b"m").await;
    assert_eq!(summary(svm.id).await.proof, ProofState::Unproven);
    prove(&world, &svm, &svm.shares[0], ProofOperation::Prove).await;
    assert_eq!(summary(svm.id).await.proof, ProofState::Proven);

    let evm = keygen(&world, EVM).await;
    commit(&world, &evm, true).await.ok::<CommitReply>();
    assert_eq!(summary(evm.id).await.proof, ProofState::Unproven);
    sign(&world, &evm, &evm.shares[0], b"m").await;
    assert_eq!(summary(evm.id).await.proof, ProofState::Proven);
}
