//! Delegation, with every message in reach of the test: what a delegate's key opens, what ends it,
//! and what is written about it (custody rules 16, 28 and 31).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    CeremonyReply, DelegationKey, DelegationsReply, DeliverShareReply, DeliverShareRequest,
    EventsReply, Scope, SignMessageRequest, WALLET_API_KEY, WalletReply,
};
use halfkey_core::{DelegationId, ServerKeyShare, ThresholdSignatureScheme};
use halfkey_envelope::{DelegatedShare, DelegationData, Delivered, PrivateKey};
use halfkey_mpc::KeyShare;
use halfkey_mpc::simulate::{Cheat, CheatingSign};
use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use crate::changing::{prove_start, refresh};
use crate::cheating::refused_as_locked;
use crate::customer::{
    EVM, Kind, SVM, Signing, Wallet, create, message_of, sign, sign_params, sign_path,
    sign_request, step,
};
use crate::world::{Answer, World, answer};

pub(crate) static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().unwrap());

/// A delegate, and everything it was sent.
pub(crate) struct Delegate {
    pub(crate) id: DelegationId,
    pub(crate) key: String,
    pub(crate) share: ServerKeyShare,
}

/// A token that may do everything.
pub(crate) async fn all_token(world: &World) -> String {
    world.new_token(&Scope::ALL, None).await
}

pub(crate) fn environment(world: &World, path: &str) -> String {
    format!("/environments/{}{path}", world.environment)
}

pub(crate) async fn register(world: &World, token: &str) -> DelegationKey {
    let path = environment(world, "/waas/delegatedAccess/encryptionPublicKeys");
    let body = json!({ "publicKey": KEY.recipient_key().unwrap().to_pem() });
    let answer = world.send(Method::POST, &path, token, Some(&body)).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.status);
    serde_json::from_slice(&answer.bytes).unwrap()
}

fn delivery(share: &KeyShare, id: DelegationId) -> DeliverShareRequest {
    let header = share.header();
    let encoded = ServerKeyShare::from_encoded("share", &share.encode().unwrap());
    DeliverShareRequest {
        encrypted_delegated_share: DelegatedShare::new(encoded)
            .seal(&KEY.recipient_key().unwrap(), &mut os_rng())
            .unwrap(),
        delegation_id: id,
        generation: header.generation,
        attempt_id: header.attempt,
        scopes: Vec::new(),
        expires_in_secs: None,
    }
}

/// A start proof from this very share.
async fn start(world: &World, token: &str, share: &Arc<KeyShare>, id: DelegationId) {
    let attempt = halfkey_core::AttemptId::from_bytes(*id.as_bytes());
    prove_start(world, token, share, (ProofOperation::Delegate, attempt)).await;
}

fn delivery_path(world: &World, wallet: &Wallet) -> String {
    world.sdk(&format!("/{}/delegatedAccess/delivery", wallet.id))
}

/// Delegates the wallet's first share and fetches what the delegate is sent.
pub(crate) async fn delegate(world: &World, wallet: &Wallet) -> Delegate {
    let token = all_token(world).await;
    register(world, &token).await;
    let id = DelegationId::generate(&mut os_rng());
    start(world, &token, &wallet.shares[0], id).await;
    let body = delivery(&wallet.shares[0], id);
    let path = delivery_path(world, wallet);
    let answer = world.send(Method::POST, &path, &token, Some(&body)).await;
    let reply: DeliverShareReply = answer.ok();
    assert_eq!(reply.delegated_share_delivery_id, id);
    assert!(reply.activity.is_some());
    let events = events(world, &token).await;
    let data = &events.data.last().unwrap().data;
    let data = DelegationData::from_json(data.to_string().as_bytes()).unwrap();
    let got = Delivered::open(
        &KEY,
        &data.encrypted_delegated_share,
        &data.encrypted_wallet_api_key,
    );
    let got = got.unwrap();
    Delegate {
        id,
        key: got.wallet_api_key.expose().to_owned(),
        share: got.server_key_share,
    }
}

async fn events(world: &World, token: &str) -> EventsReply {
    let path = environment(world, "/events");
    world
        .send(Method::GET, &path, token, None::<&()>)
        .await
        .ok()
}

/// A JSON request with a wallet API key, and a token where one is given.
async fn post_as<T: Serialize>(
    world: &World,
    path: &str,
    delegate: &Delegate,
    token: Option<&str>,
    body: &T,
) -> Answer {
    let mut request = world
        .http
        .post(world.url(path))
        .header(WALLET_API_KEY, &delegate.key)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(body).unwrap());
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    answer(request).await
}

/// The whole signature of a delegate, by the share it was sent; verified.
async fn sign_as(world: &World, wallet: &Wallet, delegate: &Delegate, path: &str) {
    sign_with(world, wallet, delegate, path, None).await;
}

async fn sign_with(
    world: &World,
    wallet: &Wallet,
    delegate: &Delegate,
    path: &str,
    token: Option<&str>,
) {
    let share = delegate.share.decode_secret().unwrap();
    let share = Arc::new(KeyShare::decode(&share).unwrap());
    let (mut signing, request) = sign_request(&share, b"by a delegate");
    let opened = post_as(world, path, delegate, token, &request).await;
    let mut reply: CeremonyReply = opened.ok();
    while reply.next.is_some() {
        let round = signing.answer(&reply);
        let next = post_as(world, &step(&reply), delegate, token, &round).await;
        reply = next.ok();
    }
    signing.answer(&reply);
    let (_, input, _) = message_of(&share, b"by a delegate");
    let chain = share.header().chain;
    let signature = signing.signature.unwrap();
    halfkey_chain::verify_signature(chain, &wallet.address, &input, &signature).unwrap();
}

pub(crate) async fn revoke(world: &World, wallet: &Wallet) {
    let token = all_token(world).await;
    let path = environment(world, &format!("/waas/{}/delegatedAccess", wallet.id));
    let answer = world.send(Method::DELETE, &path, &token, None::<&()>).await;
    assert_eq!(answer.status, 204);
    assert!(answer.bytes.is_empty());
}

async fn list(world: &World, wallet: &Wallet) -> DelegationsReply {
    let path = environment(world, &format!("/waas/{}/delegatedAccess", wallet.id));
    let token = all_token(world).await;
    let answer = world.send(Method::GET, &path, &token, None::<&()>).await;
    answer.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_published_routes_take_a_delegate() {
    let world = World::start().await;
    let token = world.new_token(&[Scope::Events], None).await;
    for kind in [SVM, EVM] {
        let wallet = create(&world, kind).await;
        let delegate = delegate(&world, &wallet).await;
        let rust = sign_path(&world, &wallet);
        sign_as(&world, &wallet, &delegate, &rust).await;
        let node = format!("/waas/{}/delegatedAccess/signMessage", wallet.id);
        let node = environment(&world, &node);
        sign_with(&world, &wallet, &delegate, &node, Some(&token)).await;
        // Without the token that one is closed, and with a token the other one is.
        let (_, request) = sign_request(&wallet.shares[0], b"x");
        post_as(&world, &node, &delegate, None, &request)
            .await
            .refused(401, "unauthenticated");
        post_as(&world, &rust, &delegate, Some(&token), &request)
            .await
            .refused(400, "invalid_request");
        // A session is no API token.
        post_as(&world, &node, &delegate, Some(&world.jwt), &request)
            .await
            .refused(401, "unauthenticated");
        // The owner signs on beside it.
        sign(&world, &wallet, &wallet.shares[0], b"the owner").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_ends_rounds_under_way_and_outlives_a_crash() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    let one = delegate(&world, &wallet).await;
    let two = delegate(&world, &wallet).await;
    let path = sign_path(&world, &wallet);
    let (mut signing, request) = sign_request(&wallet.shares[0], b"under way");
    let opened: CeremonyReply = post_as(&world, &path, &one, None, &request).await.ok();
    let round = signing.answer(&opened);
    // Another delegate cannot step it, and neither can the owner.
    post_as(&world, &step(&opened), &two, None, &round)
        .await
        .refused(409, "ceremony_gone");
    world
        .post(&step(&opened), &round)
        .await
        .refused(409, "ceremony_gone");

    let token = all_token(&world).await;
    let path_of_one = world.sdk(&format!("/{}/delegatedAccess/{}", wallet.id, one.id));
    let gone = world
        .send(Method::DELETE, &path_of_one, &token, None::<&()>)
        .await;
    assert_eq!(gone.json()["shareSetId"], one.id.to_string());
    post_as(&world, &step(&opened), &one, None, &round)
        .await
        .refused(403, "delegation_revoked");
    sign_as(&world, &wallet, &two, &path).await;
    world.crash_and_up().await;
    post_as(&world, &path, &one, None, &request)
        .await
        .refused(403, "delegation_revoked");
    sign_as(&world, &wallet, &two, &path).await;
    // All that are left, by the share set's id, as the published client names it.
    let set = wallet.shares[0].header().share_set;
    let path_of_set = world.sdk(&format!("/{}/delegatedAccess/{set}", wallet.id));
    let gone = world
        .send(Method::DELETE, &path_of_set, &token, None::<&()>)
        .await;
    assert_eq!(gone.status, 200);
    post_as(&world, &path, &two, None, &request)
        .await
        .refused(403, "delegation_revoked");
    let statuses: Vec<_> = list(&world, &wallet)
        .await
        .delegations
        .iter()
        .map(|one| one.status.clone())
        .collect();
    assert_eq!(statuses, ["revoked", "revoked"]);
    let unknown = world.sdk(&format!(
        "/{}/delegatedAccess/{}",
        wallet.id,
        "0".repeat(32)
    ));
    world
        .send(Method::DELETE, &unknown, &token, None::<&()>)
        .await
        .refused(404, "not_found");
}

/// A whole signature that cheats in the second round; the answer to it.
async fn cheat(world: &World, wallet: &Wallet, delegate: &Delegate, how: Cheat) -> Answer {
    let share = &wallet.shares[0];
    let (message, input, operation) = message_of(share, b"x");
    let params = sign_params(operation, input);
    let ceremony = params.ceremony;
    let run = CheatingSign::initiator(Arc::clone(share), params, os_rng(), how).unwrap();
    let mut signing = Signing::begin(share, ceremony, Box::new(run));
    let request = SignMessageRequest {
        message,
        is_formatted: false,
        context: None,
        ceremony: signing.open.clone(),
    };
    let path = sign_path(world, wallet);
    let opened = post_as(world, &path, delegate, None, &request).await;
    if opened.status != 200 {
        return opened;
    }
    let opened: CeremonyReply = opened.ok();
    let round = signing.answer(&opened);
    post_as(world, &step(&opened), delegate, None, &round).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_names_the_delegate_that_caused_it_and_revokes_it() {
    let world = World::start().await;
    for suspicions in [false, true] {
        let wallet = create(&world, EVM).await;
        let honest = delegate(&world, &wallet).await;
        let cheater = delegate(&world, &wallet).await;
        let path = sign_path(&world, &wallet);
        sign_as(&world, &wallet, &honest, &path).await;
        if suspicions {
            for _ in 0..3 {
                cheat(&world, &wallet, &cheater, Cheat::LastValue)
                    .await
                    .refused(422, "ceremony_refused");
            }
        } else {
            cheat(&world, &wallet, &cheater, Cheat::Multiplication)
                .await
                .refused(403, "peer_misbehaved");
        }
        refused_as_locked(&world, &wallet).await;
        let path = world.sdk(&format!("/byWalletAddress/{}", wallet.address));
        let summary = world.get(&path).await.ok::<WalletReply>().summary;
        let reason = summary.state_reason.unwrap();
        assert!(reason.contains(&cheater.id.to_string()), "{reason}");
        assert!(!reason.contains(&honest.id.to_string()), "{reason}");
        for one in list(&world, &wallet).await.delegations {
            let is_cheater = one.delegation_id == cheater.id;
            assert_eq!(one.status == "revoked", is_cheater, "{one:?}");
            let because = one.revoked_because.as_deref();
            assert_eq!(because, is_cheater.then_some("it locked the wallet"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn never_both_customer_shares_and_never_one_without_its_proof() {
    let world = World::start().await;
    let three = Kind {
        scheme: ThresholdSignatureScheme::TwoOfThree,
        ..SVM
    };
    let wallet = create(&world, three).await;
    let token = all_token(&world).await;
    register(&world, &token).await;
    let path = delivery_path(&world, &wallet);
    let post = async |body: &DeliverShareRequest| {
        world.send(Method::POST, &path, &token, Some(body)).await
    };
    let id = DelegationId::generate(&mut os_rng());
    let first = delivery(&wallet.shares[0], id);
    post(&first).await.refused(409, "start_unproven");
    start(&world, &token, &wallet.shares[0], id).await;
    world.clock.advance(Duration::from_mins(11));
    post(&first).await.refused(409, "start_unproven");
    let id = DelegationId::generate(&mut os_rng());
    start(&world, &token, &wallet.shares[0], id).await;
    let first = delivery(&wallet.shares[0], id);
    post(&first).await.ok::<DeliverShareReply>();
    // The same again changes nothing; anything else under that id is refused.
    let again: DeliverShareReply = post(&first).await.ok();
    assert_eq!(again.activity, None);
    post(&delivery(&wallet.shares[0], id))
        .await
        .refused(409, "delegation_conflict");
    assert_eq!(list(&world, &wallet).await.delegations.len(), 1);
    // The other share: also after the first one's delegate was revoked.
    for _ in 0..2 {
        let id = DelegationId::generate(&mut os_rng());
        start(&world, &token, &wallet.shares[1], id).await;
        post(&delivery(&wallet.shares[1], id))
            .await
            .refused(409, "delegation_conflict");
        revoke(&world, &wallet).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_cannot_be_read_by_a_registered_key_is_refused() {
    let world = World::start().await;
    let wallet = create(&world, SVM).await;
    let token = all_token(&world).await;
    let path = delivery_path(&world, &wallet);
    let id = DelegationId::generate(&mut os_rng());
    start(&world, &token, &wallet.shares[0], id).await;
    let good = delivery(&wallet.shares[0], id);
    let post = async |body: &serde_json::Value| {
        let answer = world.send(Method::POST, &path, &token, Some(body)).await;
        answer.refused(400, "invalid_request");
        answer.json()["error"].as_str().unwrap().to_owned()
    };
    let good = serde_json::to_value(&good).unwrap();
    assert!(post(&good).await.contains("not registered"));
    register(&world, &token).await;
    let with = |field: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body["encryptedDelegatedShare"][field] = value;
        body
    };
    for (field, value, why) in [
        ("alg", json!("RSA-OAEP-256"), "unknown algorithm"),
        ("kid", json!(null), "names no key"),
        ("kid", json!("00"), "not registered"),
        ("iv", json!("AAAA"), "iv has another length"),
        ("tag", json!("!"), "tag is not base64url"),
        ("ek", json!("AAAA"), "ek has another length"),
        ("ct", json!(""), "ct has another length"),
        ("aad", json!("AAAA"), "cannot be read"),
    ] {
        let said = post(&with(field, value)).await;
        assert!(said.contains(why), "{field}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_holds_no_usable_wallet_key() {
    let mut world = World::start().await;
    let wallet = create(&world, SVM).await;
    let delegate = delegate(&world, &wallet).await;
    world.down().await;
    let mut seen = 0;
    for entry in std::fs::read_dir(world.provider_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let holds = |text: &str| {
                bytes
                    .windows(text.len())
                    .any(|window| window == text.as_bytes())
            };
            assert!(!holds(&delegate.key), "{}", path.display());
            assert!(!holds(&delegate.share.secret_share), "{}", path.display());
            seen += usize::from(holds(&delegate.id.to_string()));
        }
    }
    // It looked at the right files.
    assert!(seen > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_of_one_environment_and_has_no_slips() {
    let world = World::start().await;
    let wallet = create(&world, SVM).await;
    let mut delegate = delegate(&world, &wallet).await;
    let (_, request) = sign_request(&wallet.shares[0], b"x");
    let path = format!("/sdk/elsewhere/waas/{}/signMessage", wallet.id);
    post_as(&world, &path, &delegate, None, &request)
        .await
        .refused(404, "not_found");
    let path = sign_path(&world, &wallet);
    let good = delegate.key.clone();
    for key in [
        String::new(),
        "hkw_".to_owned(),
        good.to_uppercase(),
        format!("{good}0"),
        good.replacen("hkw_", "hk_", 1),
        world.token.clone(),
        world.jwt.clone(),
    ] {
        delegate.key = key;
        post_as(&world, &path, &delegate, None, &request)
            .await
            .refused(401, "unauthenticated");
    }
}

/// Which attempts the provider holds a share of, for any wallet, and in which state the generations
/// before are.
async fn kept(world: &World) -> (i64, Vec<(i64, String)>) {
    let mut database = crate::slots::database(world).await;
    let shares = sqlx::query_scalar("SELECT COUNT(*) FROM shares");
    let shares: i64 = shares.fetch_one(&mut database).await.unwrap();
    let ended = sqlx::query_as("SELECT generation, state FROM generations ORDER BY generation");
    (shares, ended.fetch_all(&mut database).await.unwrap())
}

/// Custody rule 31: the delegate's copy fits the provider's share of its generation, which a later
/// refresh keeps until the delegate is revoked, and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_s_generation_is_burnt_though_it_ended_before_the_revocation() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let first = create(&world, SVM).await;
    let second = refresh(&world, &first, &token, 1).await;
    delegate(&world, &second).await;
    let third = refresh(&world, &second, &token, 2).await;
    let name = |state: &str| state.to_owned();
    let (shares, ended) = kept(&world).await;
    assert_eq!(ended, [(0, name("retired")), (1, name("retired"))]);
    assert_eq!(shares, 3, "an ordinary refresh keeps what was before");

    revoke(&world, &third).await;
    let fourth = refresh(&world, &third, &token, 3).await;
    let (shares, ended) = kept(&world).await;
    let states = [
        (0, name("retired")),
        (1, name("burnt")),
        (2, name("retired")),
    ];
    assert_eq!(ended, states, "what no delegate had is kept");
    assert_eq!(shares, 3);
    sign(&world, &fourth, &fourth.shares[0], b"the owner").await;
    // It is done once; the next one finds nothing.
    let fifth = refresh(&world, &fourth, &token, 4).await;
    assert_eq!(kept(&world).await.0, 4);
    sign(&world, &fifth, &fifth.shares[0], b"the owner").await;
}
