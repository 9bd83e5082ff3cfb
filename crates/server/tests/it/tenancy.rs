//! Whatever belongs to another environment is not there (security row 37).

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{AttemptReply, AttemptState, CommitRequest, CreateRequest, ProveRequest};
use halfkey_server::init;
use reqwest::Method;
use serde_json::Value;

use crate::customer::{Creating, SVM, Wallet, create, keygen, sign_request, step};
use crate::world::{World, init_options};

/// A second environment in the same deployment: its token and session.
async fn stranger(world: &mut World) -> (String, String) {
    world.down().await;
    let outcome = init(
        world.home.path(),
        init_options(&world.clock, Some("stranger")),
    )
    .await
    .unwrap();
    let token = outcome.token.unwrap().1.expose().to_owned();
    world.up().await;
    let path = "/environments/stranger/waas/authenticate";
    let reply: Value = world
        .send(Method::POST, path, &token, None::<&()>)
        .await
        .ok();
    (
        token,
        reply["encodedJwts"]["jwt"].as_str().unwrap().to_owned(),
    )
}

/// A request that is well formed but for whose it is.
type Route = (Method, String, Option<Value>);

/// Every route that names a wallet or an attempt, for ours.
fn routes(env: &str, wallet: &Wallet, pending: &Wallet) -> Vec<Route> {
    let (_, sign) = sign_request(&wallet.shares[0], b"x");
    let prove = ProveRequest {
        operation: ProofOperation::Create,
        ceremony: sign_request(&pending.shares[0], b"x").1.ceremony,
    };
    let sdk = |path: String| format!("/sdk/{env}/waas/{path}");
    let attempt = format!("{}/attempts/{}", pending.id, pending.attempt);
    let json = |value: &dyn Fn() -> serde_json::Result<Value>| Some(value().unwrap());
    vec![
        (
            Method::POST,
            sdk(format!("{}/signMessage", wallet.id)),
            json(&|| serde_json::to_value(&sign)),
        ),
        (
            Method::POST,
            sdk(format!("{attempt}/prove")),
            json(&|| serde_json::to_value(&prove)),
        ),
        (
            Method::POST,
            sdk(format!("{attempt}/commit")),
            json(&|| {
                serde_json::to_value(CommitRequest {
                    unproven: true,
                    escrow: None,
                })
            }),
        ),
        (
            Method::GET,
            sdk(format!("byWalletAddress/{}", wallet.address)),
            None,
        ),
        (
            Method::GET,
            format!("/environments/{env}/waas/{}", wallet.id),
            None,
        ),
    ]
}

async fn not_there(world: &World, credential: &str, (method, path, body): Route) {
    let refused = world.send(method, &path, credential, body.as_ref()).await;
    let found = (refused.status, refused.code());
    assert_eq!(found, (404, "not_found".to_owned()), "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_environments_ids_are_not_there() {
    let mut world = World::start().await;
    let wallet = create(&world, SVM).await;
    let pending = keygen(&world, SVM).await;
    let (token, jwt) = stranger(&mut world).await;
    let ours = world.environment.to_string();
    // Its own path, our ids; then our path, its credential.
    for env in ["stranger", &ours] {
        for route in routes(env, &wallet, &pending) {
            not_there(&world, &jwt, route).await;
        }
    }
    let create = serde_json::to_value(Creating::new(&world, SVM).request).unwrap();
    let abort = format!("waas/{}/attempts/{}/abort", pending.id, pending.attempt);
    let attempt = format!("/sdk/{ours}/waas/attempts/{}", pending.attempt);
    for route in [
        (
            Method::POST,
            format!("/sdk/{ours}/waas/create"),
            Some(create),
        ),
        (Method::POST, format!("/sdk/{ours}/{abort}"), None),
        (Method::GET, attempt.clone(), None),
        (
            Method::GET,
            format!("/environments/{ours}/waas/wallets"),
            None,
        ),
    ] {
        not_there(&world, &jwt, route).await;
    }
    let authenticate = format!("/environments/{ours}/waas/authenticate");
    not_there(&world, &token, (Method::POST, authenticate, None)).await;

    let list = "/environments/stranger/waas/wallets";
    let none: Value = world.send(Method::GET, list, &jwt, None::<&()>).await.ok();
    assert_eq!(none["wallets"], serde_json::json!([]));
    // The same attempt id is another attempt in another environment: its abort touches nothing.
    let abort = format!("/sdk/stranger/{abort}");
    let aborted = world.send(Method::POST, &abort, &jwt, None::<&()>).await;
    assert_eq!(aborted.status, 200);
    let state = world.get(&attempt).await.ok::<AttemptReply>().state;
    assert_eq!(state, AttemptState::Staged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceremony_belongs_to_the_token_that_opened_it() {
    let mut world = World::start().await;
    let (_, stranger_jwt) = stranger(&mut world).await;
    let other_jwt = world
        .authenticate(
            &world
                .new_token(&halfkey_core::wire::Scope::DEFAULT, None)
                .await,
        )
        .await;
    let mut creating = Creating::new(&world, SVM);
    let request: &CreateRequest = &creating.request;
    let opened = world.post(&world.sdk("/create"), request).await.ok();
    let round = creating.answer(&opened, &mut Vec::new());
    let path = step(&opened);
    let refused = world
        .send(Method::POST, &path, &other_jwt, Some(&round))
        .await;
    refused.refused(409, "ceremony_gone");
    let refused = world
        .send(Method::POST, &path, &stranger_jwt, Some(&round))
        .await;
    refused.refused(404, "not_found");
    let stranger_path = path.replace(world.environment.as_str(), "stranger");
    let refused = world
        .send(Method::POST, &stranger_path, &stranger_jwt, Some(&round))
        .await;
    refused.refused(409, "ceremony_gone");
    assert_eq!(world.post(&path, &round).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn init_again_changes_nothing() {
    let mut world = World::start().await;
    world.down().await;
    let again = init(world.home.path(), init_options(&world.clock, None))
        .await
        .unwrap();
    assert!(!again.created && again.token.is_none());
    assert_eq!(again.environment, world.environment);
    assert_eq!(again.identity_public_key, world.identity);
    world.up().await;
    assert_eq!(world.server().identity_public_key(), world.identity);
}
