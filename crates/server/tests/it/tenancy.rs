//! Whatever belongs to another environment is not there (security row 37).

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{AttemptReply, AttemptState, CommitRequest, CreateRequest, ProveRequest};
use halfkey_server::init;
use reqwest::Method;
use serde_json::Value;

use crate::customer::{Creating, SVM, create, keygen, sign_request, step};
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

#[tokio::test(flavor = "multi_thread")]
async fn another_environments_ids_are_not_there() {
    let mut world = World::start().await;
    let wallet = create(&world, SVM).await;
    let pending = keygen(&world, SVM).await;
    let (stranger_token, stranger_jwt) = stranger(&mut world).await;
    let (_, sign) = sign_request(&wallet.shares[0], b"x");
    let prove = ProveRequest {
        operation: ProofOperation::Create,
        ceremony: sign_request(&pending.shares[0], b"x").1.ceremony,
    };
    let (sign, prove) = (serde_json::to_value(&sign), serde_json::to_value(&prove));
    let commit = serde_json::to_value(CommitRequest { unproven: true });
    let (sign, prove, commit) = (sign.unwrap(), prove.unwrap(), commit.unwrap());
    let ours = world.environment.to_string();
    let attempts = format!("{}/attempts/{}", pending.id, pending.attempt);
    let list_create = serde_json::to_value(&Creating::new(&world, SVM).request).unwrap();
    let routes = |env: &str| {
        vec![
            (
                Method::POST,
                format!("/sdk/{env}/waas/{}/signMessage", wallet.id),
                Some(&sign),
            ),
            (
                Method::POST,
                format!("/sdk/{env}/waas/{attempts}/prove"),
                Some(&prove),
            ),
            (
                Method::POST,
                format!("/sdk/{env}/waas/{attempts}/commit"),
                Some(&commit),
            ),
            (
                Method::GET,
                format!("/sdk/{env}/waas/byWalletAddress/{}", wallet.address),
                None,
            ),
            (
                Method::GET,
                format!("/environments/{env}/waas/{}", wallet.id),
                None,
            ),
        ]
    };
    // Its own path, our ids; then our path, its credential.
    for (method, path, body) in routes("stranger").into_iter().chain(routes(&ours)) {
        let refused = world.send(method, &path, &stranger_jwt, body).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (404, "not_found"),
            "{path}"
        );
    }
    for (method, path, body) in [
        (
            Method::POST,
            format!("/sdk/{ours}/waas/create"),
            Some(&list_create),
        ),
        (
            Method::POST,
            format!("/sdk/{ours}/waas/{attempts}/abort"),
            Some(&commit),
        ),
        (
            Method::GET,
            format!("/sdk/{ours}/waas/attempts/{}", pending.attempt),
            None,
        ),
        (
            Method::GET,
            format!("/environments/{ours}/waas/wallets"),
            None,
        ),
        (
            Method::POST,
            format!("/environments/{ours}/waas/authenticate"),
            None,
        ),
    ] {
        let credential = if path.ends_with("authenticate") {
            &stranger_token
        } else {
            &stranger_jwt
        };
        let refused = world.send(method, &path, credential, body).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (404, "not_found"),
            "{path}"
        );
    }
    let list = "/environments/stranger/waas/wallets";
    let none: Value = world
        .send(Method::GET, list, &stranger_jwt, None::<&()>)
        .await
        .ok();
    assert_eq!(none["wallets"], serde_json::json!([]));

    // The same attempt id is another attempt in another environment: its abort touches nothing.
    let abort = format!("/sdk/stranger/waas/{attempts}/abort");
    let aborted = world
        .send(Method::POST, &abort, &stranger_jwt, Some(&commit))
        .await;
    assert_eq!(aborted.status, 200);
    let path = world.sdk(&format!("/attempts/{}", pending.attempt));
    assert_eq!(
        world.get(&path).await.ok::<AttemptReply>().state,
        AttemptState::Staged
    );
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
