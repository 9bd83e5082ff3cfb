use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use halfkey_core::Clock as _;
use halfkey_core::wire::Scope;
use halfkey_server::tokens;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, answer};

fn list(world: &World) -> String {
    format!("/environments/{}/waas/wallets", world.environment)
}

fn authenticate(world: &World) -> String {
    format!("/environments/{}/waas/authenticate", world.environment)
}

#[tokio::test(flavor = "multi_thread")]
async fn authenticate_rejects_what_is_no_live_token() {
    let world = World::start().await;
    let path = authenticate(&world);
    let mut slipped = world.token.clone();
    let last = slipped.pop().unwrap();
    slipped.push(if last == '0' { '1' } else { '0' });
    let long = format!("hk_{}", "0".repeat(9000));
    for bad in [
        "",
        "hk_",
        "x",
        &slipped,
        &world.jwt,
        &world.token.to_uppercase(),
        &long,
    ] {
        let refused = world.send(Method::POST, &path, bad, None::<&()>).await;
        refused.refused(401, "unauthenticated");
    }
    let request = world
        .http
        .post(world.url(&path))
        .header("authorization", "Basic eA==");
    answer(request).await.refused(401, "unauthenticated");
    let doubled = world
        .http
        .post(world.url(&path))
        .header("authorization", format!("Bearer {}", world.token))
        .header("authorization", format!("Bearer {}", world.token));
    answer(doubled).await.refused(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_revoked_tokens_end_with_their_sessions() {
    let world = World::start().await;
    let expires = world.clock.now().saturating_add_millis(60_000);
    let short = world.new_token(&Scope::DEFAULT, Some(expires)).await;
    let doomed_token = world.new_token(&Scope::DEFAULT, None).await;
    let (short_jwt, doomed_jwt) = (
        world.authenticate(&short).await,
        world.authenticate(&doomed_token).await,
    );
    let get = |jwt: String| {
        let world = &world;
        async move {
            world
                .send(Method::GET, &list(world), &jwt, None::<&()>)
                .await
        }
    };
    assert_eq!(get(short_jwt.clone()).await.status, 200);
    assert_eq!(get(doomed_jwt.clone()).await.status, 200);

    let clock = || world.clock();
    let all = tokens::list(world.home.path(), None, clock())
        .await
        .unwrap();
    assert_eq!(all.len(), 3);
    let doomed = all
        .iter()
        .find(|token| token.name == "test" && token.expires_at.is_none());
    let doomed = doomed.unwrap();
    assert!(doomed.last_used_at.is_some());
    tokens::revoke(world.home.path(), None, doomed.id, clock())
        .await
        .unwrap();
    get(doomed_jwt).await.refused(401, "unauthenticated");
    let again = world
        .send(
            Method::POST,
            &authenticate(&world),
            &doomed_token,
            None::<&()>,
        )
        .await;
    again.refused(401, "unauthenticated");

    world.clock.advance(Duration::from_mins(1));
    get(short_jwt).await.refused(401, "token_expired");
    let again = world
        .send(Method::POST, &authenticate(&world), &short, None::<&()>)
        .await;
    again.refused(401, "token_expired");
    assert_eq!(get(world.jwt.clone()).await.status, 200);
    world.clock.advance(Duration::from_mins(10));
    get(world.jwt.clone()).await.refused(401, "token_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_its_scope() {
    let world = World::start().await;
    let wallet = "00000000-0000-4000-8000-000000000000";
    let attempt = "000102030405060708090a0b0c0d0e0f";
    let routes = [
        (Scope::Create, Method::POST, world.sdk("/create")),
        (
            Scope::Create,
            Method::POST,
            world.sdk(&format!("/{wallet}/attempts/{attempt}/prove")),
        ),
        (
            Scope::Create,
            Method::POST,
            world.sdk(&format!("/{wallet}/attempts/{attempt}/commit")),
        ),
        (
            Scope::Create,
            Method::POST,
            world.sdk(&format!("/{wallet}/attempts/{attempt}/abort")),
        ),
        (
            Scope::Sign,
            Method::POST,
            world.sdk(&format!("/{wallet}/signMessage")),
        ),
        (
            Scope::Read,
            Method::GET,
            world.sdk(&format!("/attempts/{attempt}")),
        ),
        (Scope::Read, Method::GET, world.sdk("/byWalletAddress/0x00")),
        (Scope::Read, Method::GET, list(&world)),
    ];
    for (scope, method, path) in routes {
        let others: Vec<_> = Scope::DEFAULT
            .into_iter()
            .filter(|other| *other != scope)
            .collect();
        let jwt = world
            .authenticate(&world.new_token(&others, None).await)
            .await;
        let refused = world.send(method, &path, &jwt, Some(&json!({}))).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (403, "scope_missing"),
            "{path}"
        );
    }
}

/// What changes, takes out or brings back shares needs the API token itself and a scope of its own
/// (custody rule 28).
#[tokio::test(flavor = "multi_thread")]
async fn routes_beyond_create_sign_and_read_take_no_session() {
    let world = World::start().await;
    let wallet = "00000000-0000-4000-8000-000000000000";
    let all = world.new_token(&Scope::ALL, None).await;
    let session = world.authenticate(&all).await;
    let empty = json!({});
    for (scope, route) in [
        (Scope::Refresh, "refresh"),
        (Scope::Reshare, "reshare"),
        (Scope::Backup, "keyShares/recover"),
    ] {
        let path = world.sdk(&format!("/{wallet}/{route}"));
        let others: Vec<_> = Scope::ALL.into_iter().filter(|one| *one != scope).collect();
        let lacking = world.new_token(&others, None).await;
        for credential in [&session, &lacking] {
            let sent = world.send(Method::POST, &path, credential, Some(&empty));
            sent.await.refused(403, "scope_missing");
        }
        let sent = world.send(Method::POST, &path, &all, Some(&empty));
        assert_ne!(sent.await.status, 403, "{path}");
    }
    for (scope, route) in [
        (Scope::Freeze, "freeze"),
        (Scope::Unfreeze, "unfreeze"),
        (Scope::Freeze, "tokens/revokeOthers"),
    ] {
        let path = format!("/environments/{}/waas/{route}", world.environment);
        let others: Vec<_> = Scope::ALL.into_iter().filter(|one| *one != scope).collect();
        let lacking = world.new_token(&others, None).await;
        for credential in [&session, &lacking] {
            let sent = world.send(Method::POST, &path, credential, Some(&empty));
            sent.await.refused(403, "scope_missing");
        }
    }
    let lists = ["exportRecipients", "escrowKeys"]
        .map(|list| format!("/environments/{}/waas/{list}", world.environment));
    let others: Vec<_> = Scope::ALL
        .into_iter()
        .filter(|one| *one != Scope::Recipients)
        .collect();
    let lacking = world.new_token(&others, None).await;
    for path in lists
        .iter()
        .flat_map(|list| [list.clone(), format!("{list}/age1x/remove")])
    {
        for credential in [&session, &lacking] {
            let sent = world.send(Method::POST, &path, credential, Some(&empty));
            sent.await.refused(403, "scope_missing");
        }
        let sent = world.send(Method::POST, &path, &all, Some(&empty));
        sent.await.refused(400, "invalid_request");
    }
}

/// A valid token taken apart, to be put together wrongly.
struct Forge {
    header: Value,
    claims: Value,
    signature: String,
}

impl Forge {
    fn of(jwt: &str) -> Self {
        let parts: Vec<_> = jwt.split('.').collect();
        let json = |part: &str| serde_json::from_slice(&B64.decode(part).unwrap()).unwrap();
        Self {
            header: json(parts[0]),
            claims: json(parts[1]),
            signature: parts[2].to_owned(),
        }
    }

    fn with(&self, header: &Value, claims: &str) -> String {
        let (header, claims) = (B64.encode(header.to_string()), B64.encode(claims));
        format!("{header}.{claims}.{}", self.signature)
    }

    /// Properly signed, but by a key of the forger's.
    fn signed(algorithm: Algorithm, key: &[u8], claims: &Value) -> String {
        let key = EncodingKey::from_secret(key);
        jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
    }
}

type Forgeries = Vec<(&'static str, String)>;

/// Headers that other verifiers have fallen for.
fn forged_headers(forge: &Forge, identity: &str) -> Forgeries {
    let claims = &forge.claims;
    let with = |name: &str, value: Value| {
        let mut header = forge.header.clone();
        header[name] = value;
        forge.with(&header, &claims.to_string())
    };
    let unsigned = |alg: &str| {
        let header = B64.encode(json!({ "typ": "JWT", "alg": alg }).to_string());
        format!("{header}.{}.", B64.encode(claims.to_string()))
    };
    let signed = |algorithm, key: &[u8]| Forge::signed(algorithm, key, claims);
    let identity_bytes = hex::decode(identity).unwrap();
    vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg nOnE", unsigned("nOnE")),
        ("alg none, signed", with("alg", json!("none"))),
        ("alg RS256", with("alg", json!("RS256"))),
        ("alg EdDSA", with("alg", json!("EdDSA"))),
        ("empty key, HS512", signed(Algorithm::HS512, b"")),
        ("empty key", signed(Algorithm::HS256, b"")),
        (
            "public key, hex",
            signed(Algorithm::HS256, identity.as_bytes()),
        ),
        ("public key", signed(Algorithm::HS256, &identity_bytes)),
        ("kid path", with("kid", json!("../../../../dev/null"))),
        ("kid injection", with("kid", json!("' OR 1=1 --"))),
        ("jku", with("jku", json!("http://127.0.0.1/keys"))),
        ("jwk", with("jwk", json!({ "kty": "oct", "k": "AA" }))),
        ("crit", with("crit", json!(["b64"]))),
        ("typ", with("typ", json!("at+jwt"))),
    ]
}

/// Claims changed under the old signature. What a proper signature over them would be worth is the
/// unit tests' matter.
fn forged_claims(forge: &Forge) -> Forgeries {
    let claims = &forge.claims;
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        forge.with(&forge.header, &claims.to_string())
    };
    let far = claims["exp"].as_i64().unwrap() + 1_000_000;
    let doubled = claims.to_string().replacen('{', "{\"exp\":9999999999,", 1);
    vec![
        ("exp later", changed("exp", json!(far))),
        ("exp as text", changed("exp", json!("9999999999"))),
        ("iss other", changed("iss", json!("someone"))),
        ("aud array", changed("aud", json!([claims["aud"], "other"]))),
        ("aud other", changed("aud", json!("other"))),
        ("sub other", changed("sub", json!("00".repeat(16)))),
        ("doubled claim", forge.with(&forge.header, &doubled)),
    ]
}

/// What is no token at all.
fn forged_shapes(jwt: &str) -> Forgeries {
    let parts: Vec<_> = jwt.split('.').collect();
    let long = "A".repeat(16_000);
    vec![
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("signature cut", jwt.split_at(jwt.len() - 2).0.to_owned()),
        ("signature padded", format!("{jwt}==")),
        ("four parts", format!("{jwt}.x")),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("no base64", "a.b.c".to_owned()),
        ("only dots", "..".to_owned()),
        ("long", format!("{}.{long}.{}", parts[0], parts[2])),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_sessions_are_refused_in_one_shape() {
    let world = World::start().await;
    assert_eq!(world.get(&list(&world)).await.status, 200);
    let forge = Forge::of(&world.jwt);
    let mut forgeries = forged_headers(&forge, &world.identity);
    forgeries.extend(forged_claims(&forge));
    forgeries.extend(forged_shapes(&world.jwt));
    assert!(forgeries.len() >= 30);
    for (name, forged) in forgeries {
        assert_ne!(forged, world.jwt, "{name}");
        let refused = world
            .send(Method::GET, &list(&world), &forged, None::<&()>)
            .await;
        assert_eq!(refused.status, 401, "{name}");
        let mut body = refused.json();
        body["requestId"] = json!("");
        let shape = json!({
            "error": "no valid token", "code": "unauthenticated", "fault": "caller",
            "requestId": "",
        });
        assert_eq!(body, shape, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sdk_routes_take_sessions_only() {
    let world = World::start().await;
    let path = world.sdk("/attempts/000102030405060708090a0b0c0d0e0f");
    let refused = world
        .send(Method::GET, &path, &world.token, None::<&()>)
        .await;
    refused.refused(401, "unauthenticated");
    let listed = world
        .send(Method::GET, &list(&world), &world.token, None::<&()>)
        .await;
    assert_eq!(listed.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_at_rest() {
    let mut world = World::start().await;
    let secret = world.token.clone();
    world.down().await;
    let mut looked_at = 0;
    let mut dirs = vec![world.home.path().to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path()).unwrap();
            let digits = &secret.as_bytes()[3..67];
            let raw = hex::decode(digits).unwrap();
            for needle in [digits, raw.as_slice()] {
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "{}", entry.path().display());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at >= 4, "{looked_at}");
}
