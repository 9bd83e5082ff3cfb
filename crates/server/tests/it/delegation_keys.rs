//! The registered keys of delegates.

use halfkey_core::wire::{DelegationKey, DelegationKeyReply, DelegationKeysReply};
use reqwest::Method;
use serde_json::json;

use crate::delegated::{KEY, all_token, environment, register};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_registered_once_and_revoked_for_good() {
    let world = World::start().await;
    let token = all_token(&world).await;
    let key = register(&world, &token).await;
    assert_eq!(register(&world, &token).await, key);
    let keys = environment(&world, "/waas/delegatedAccess/encryptionPublicKeys");
    let one = format!("{keys}/{}", key.kid);
    assert_eq!(world.get(&one).await.ok::<DelegationKey>(), key);
    let newest = world.sdk("/delegatedAccess/encryptionPublicKey");
    let reply: DelegationKeyReply = world.get(&newest).await.ok();
    assert_eq!(reply.key.kid, key.kid);
    let revoked: DelegationKey = world
        .send(Method::DELETE, &one, &token, None::<&()>)
        .await
        .ok();
    assert_eq!(revoked.status, "revoked");
    assert!(
        world
            .get(&keys)
            .await
            .ok::<DelegationKeysReply>()
            .keys
            .is_empty()
    );
    let all = format!("{keys}?includeAll=true");
    assert_eq!(
        world.get(&all).await.ok::<DelegationKeysReply>().keys,
        [revoked]
    );
    world.get(&newest).await.refused(404, "not_found");
    let body = json!({ "publicKey": key.public_key });
    world
        .send(Method::POST, &keys, &token, Some(&body))
        .await
        .refused(400, "invalid_request");
    for body in [
        json!({ "publicKey": "x" }),
        json!({ "publicKey": KEY.to_pem().unwrap().expose() }),
        json!({ "publicKey": "-".repeat(4097) }),
        json!({ "publicKey": key.public_key, "alg": "RSA1_5" }),
        json!({ "publicKey": key.public_key, "type": "dynamic" }),
        json!({}),
    ] {
        world
            .send(Method::POST, &keys, &token, Some(&body))
            .await
            .refused(400, "invalid_request");
    }
}
