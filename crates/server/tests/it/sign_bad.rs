//! What signMessage refuses: the wrong half, the wrong bytes.

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{CeremonyReply, Operation, SignMessageRequest};
use halfkey_core::{AttemptId, Generation, PartyIndex, SigningInput, ThresholdSignatureScheme};
use halfkey_server::{Error, Server, init};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::customer::{
    EVM, Kind, SVM, Signing, create, proof_input, sign, sign_path, sign_request, step,
};
use crate::world::{World, init_options};

#[tokio::test(flavor = "multi_thread")]
async fn shares_of_another_wallet_party_generation_or_attempt_are_refused() {
    let world = World::start().await;
    let wallet = create(&world, SVM).await;
    let other = create(&world, SVM).await;
    let path = sign_path(&world, &wallet);

    let (_, request) = sign_request(&other.shares[0], b"x");
    world
        .post(&path, &request)
        .await
        .refused(409, "stale_generation");
    // The same, with the header's fields made to fit: the MAC gives it away.
    let (_, mut request) = sign_request(&other.shares[0], b"x");
    request.ceremony.attempt_id = wallet.attempt;
    world
        .post(&path, &request)
        .await
        .refused(422, "ceremony_refused");

    let (_, mut request) = sign_request(&wallet.shares[0], b"x");
    request.ceremony.generation = Generation(1);
    world
        .post(&path, &request)
        .await
        .refused(409, "stale_generation");

    let (_, mut request) = sign_request(&wallet.shares[0], b"x");
    request.ceremony.attempt_id = AttemptId::from_bytes([1; 16]);
    world
        .post(&path, &request)
        .await
        .refused(409, "stale_generation");

    let (_, mut request) = sign_request(&wallet.shares[0], b"x");
    request.ceremony.messages[0].from = PartyIndex::CUSTOMER_2;
    world
        .post(&path, &request)
        .await
        .refused(422, "ceremony_refused");

    let (_, mut request) = sign_request(&wallet.shares[0], b"x");
    let twice = request.ceremony.messages[0].clone();
    request.ceremony.messages.push(twice);
    let accepted = world.post(&path, &request).await;
    assert_eq!(accepted.status, 200, "a repeated message is ignored");

    let unknown = world.sdk("/00000000-0000-4000-8000-000000000000/signMessage");
    world
        .post(&unknown, &request)
        .await
        .refused(404, "not_found");
    let malformed = world.sdk("/nonsense/signMessage");
    world
        .post(&malformed, &request)
        .await
        .refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_party_cannot_speak_for_the_other() {
    let world = World::start().await;
    let kind = Kind {
        scheme: ThresholdSignatureScheme::TwoOfThree,
        ..SVM
    };
    let wallet = create(&world, kind).await;
    let path = sign_path(&world, &wallet);
    let (_, mut request) = sign_request(&wallet.shares[0], b"x");
    request.ceremony.messages[0].from = PartyIndex::CUSTOMER_2;
    world
        .post(&path, &request)
        .await
        .refused(422, "ceremony_refused");
    let (_, mut request) = sign_request(&wallet.shares[0], b"x");
    let (_, other) = sign_request(&wallet.shares[1], b"x");
    request.ceremony.messages.extend(other.ceremony.messages);
    world
        .post(&path, &request)
        .await
        .refused(422, "ceremony_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_is_not_the_bytes_is_refused() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    let share = &wallet.shares[0];
    let path = sign_path(&world, &wallet);
    // The customer signs y and says x.
    let (_, said) = sign_request(share, b"x");
    let (_, mut request) = sign_request(share, b"y");
    request.message = said.message;
    world
        .post(&path, &request)
        .await
        .refused(422, "ceremony_refused");
    // The context says something else than the bytes.
    let (_, mut request) = sign_request(share, b"x");
    request.context = Some(json!({ "evmTransaction": { "to": "0x00", "chainId": 1 } }));
    world
        .post(&path, &request)
        .await
        .refused(422, "payload_mismatch");
    let (_, mut request) = sign_request(share, b"x");
    request.message = "0xnothex".to_owned();
    world
        .post(&path, &request)
        .await
        .refused(400, "invalid_request");
    sign(&world, &wallet, share, b"nothing is locked").await;
}

fn blind(share: &std::sync::Arc<halfkey_mpc::KeyShare>, digest: [u8; 32]) -> SignMessageRequest {
    let signing = Signing::new(share, Operation::Blind, SigningInput::Digest(digest));
    SignMessageRequest {
        message: hex::encode(digest),
        is_formatted: true,
        context: None,
        ceremony: signing.open,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blind_bytes_are_refused_unless_allowed() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    let request = blind(&wallet.shares[0], [7; 32]);
    let answer = world.post(&sign_path(&world, &wallet), &request).await;
    answer.refused(403, "blind_signing_denied");

    let svm = create(&world, SVM).await;
    let (_, mut request) = sign_request(&svm.shares[0], b"x");
    request.message = hex::encode([0x00, 0xff]);
    let answer = world.post(&sign_path(&world, &svm), &request).await;
    answer.refused(403, "blind_signing_denied");
}

/// A legacy Solana message by which `payer` pays one lamport, as the runtime would take it.
fn solana_transfer(payer: &[u8]) -> Vec<u8> {
    let (payee, system_program, blockhash) = ([0x42; 32], [0; 32], [3; 32]);
    let header = [1, 0, 1];
    let instruction = [2, 2, 0, 1, 12, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    [
        &header[..],
        &[3],
        payer,
        &payee,
        &system_program,
        &blockhash,
        &[1],
        &instruction,
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solana_transaction_is_not_signed_as_a_message() {
    let mut world = World::start().await;
    let allowed = world.environment.clone();
    // Not even where blind signing is allowed.
    world
        .restart_with(|config| config.allow_blind = vec![allowed])
        .await;
    let wallet = create(&world, SVM).await;
    let path = sign_path(&world, &wallet);
    let transaction = solana_transfer(wallet.shares[0].account_public_key());
    let ask = |message: &[u8], context| {
        let input = SigningInput::Message(message.to_vec());
        let signing = Signing::new(&wallet.shares[0], Operation::SvmTransaction, input);
        SignMessageRequest {
            message: hex::encode(message),
            is_formatted: false,
            context,
            ceremony: signing.open,
        }
    };
    let claim = Some(json!({ "svmMessage": {} }));
    let longer = [&transaction[..], b"trailing text"].concat();
    for message in [&transaction, &longer] {
        world
            .post(&path, &ask(message, claim.clone()))
            .await
            .refused(422, "payload_refused");
    }
    // As what it is, it is signed: the bytes are a transaction indeed.
    let signed: CeremonyReply = world.post(&path, &ask(&transaction, None)).await.ok();
    assert_eq!(signed.signed.unwrap().operation, Operation::SvmTransaction);
}

#[tokio::test(flavor = "multi_thread")]
async fn proof_messages_are_signed_by_the_proof_operation_only() {
    let mut world = World::start().await;
    let allowed = world.environment.clone();
    world
        .restart_with(|config| config.allow_blind = vec![allowed])
        .await;
    let wallet = create(&world, EVM).await;
    let share = &wallet.shares[0];
    let path = sign_path(&world, &wallet);
    for operation in [ProofOperation::Create, ProofOperation::Prove] {
        let (message, _) = proof_input(share, operation);
        let request = blind(share, Sha256::digest(&message).into());
        world
            .post(&path, &request)
            .await
            .refused(422, "payload_refused");
        let (_, mut request) = sign_request(share, b"x");
        request.message = format!("0x{}", hex::encode(&message));
        world
            .post(&path, &request)
            .await
            .refused(422, "payload_refused");
    }
    // Any other digest signs, now that it is allowed.
    let signing = Signing::new(share, Operation::Blind, SigningInput::Digest([7; 32]));
    let request = SignMessageRequest {
        ceremony: signing.open.clone(),
        ..blind(share, [7; 32])
    };
    let mut signing = signing;
    let opened: CeremonyReply = world.post(&path, &request).await.ok();
    let round = signing.answer(&opened);
    let last: CeremonyReply = world.post(&step(&opened), &round).await.ok();
    assert_eq!(last.signed.unwrap().operation, Operation::Blind);

    let svm = create(&world, SVM).await;
    let (message, _) = proof_input(&svm.shares[0], ProofOperation::Prove);
    let (_, mut request) = sign_request(&svm.shares[0], b"x");
    request.message = hex::encode(message);
    let answer = world.post(&sign_path(&world, &svm), &request).await;
    answer.refused(422, "payload_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn blind_signing_is_allowed_in_one_environment_and_not_in_the_next() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    world.down().await;
    let next = init(
        world.home.path(),
        init_options(&world.clock, Some("next-door")),
    );
    let next = next.await.unwrap();
    let open = async |world: &World| {
        let request = blind(&wallet.shares[0], [7; 32]);
        world.post(&sign_path(world, &wallet), &request).await
    };

    // Allowed next door: nothing changes here.
    world.up().await;
    let allowed = next.environment.clone();
    world
        .restart_with(|config| config.allow_blind = vec![allowed])
        .await;
    open(&world).await.refused(403, "blind_signing_denied");

    let allowed = vec![next.environment.clone(), world.environment.clone()];
    world
        .restart_with(|config| config.allow_blind = allowed)
        .await;
    open(&world).await.ok::<CeremonyReply>();

    // One that is not served is a slip of the hand.
    world.down().await;
    let mut config = world.config();
    config.allow_blind = vec![world.environment.clone(), "nowhere".parse().unwrap()];
    let error = Server::start(config).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_never_locks() {
    let world = World::start().await;
    let wallet = create(&world, EVM).await;
    let share = &wallet.shares[0];
    let path = sign_path(&world, &wallet);
    let mutations: [fn(&mut Vec<u8>); 8] = [
        |body| body.clear(),
        |body| body.truncate(1),
        |body| body.truncate(body.len() - 1),
        |body| body.push(0),
        |body| body.fill(0),
        |body| body.fill(0xff),
        |body| body[5] ^= 1,
        |body| {
            let last = body.len() - 1;
            body[last] ^= 1;
        },
    ];
    for (number, mutate) in mutations.into_iter().enumerate() {
        let (_, mut request) = sign_request(share, b"x");
        mutate(&mut request.ceremony.messages[0].body.0);
        let answer = world.post(&path, &request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (422, "ceremony_refused"),
            "{number}"
        );

        let (mut signing, request) = sign_request(share, b"x");
        let opened: CeremonyReply = world.post(&path, &request).await.ok();
        let mut round = signing.answer(&opened);
        mutate(&mut round.messages[0].body.0);
        let answer = world.post(&step(&opened), &round).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (422, "ceremony_refused"),
            "{number}"
        );
    }
    sign(&world, &wallet, share, b"still signs").await;
}
