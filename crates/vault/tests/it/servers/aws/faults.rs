//! Every way a call can fail, each against a server that answers by hand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use halfkey_vault::kms::aws::AwsKek;
use halfkey_vault::store::aws_secrets::AwsSecrets;
use halfkey_vault::store::secret::{SecretId, SecretStore as _};
use halfkey_vault::{
    Dek, Error, KekState, ManageKey as _, RewrapKey as _, UnwrapKey as _, WrapKey as _, Wrapped,
};

use super::access::{kek_config, secrets_config};
use super::proxy::{Answer, Proxy};
use crate::support::{ctx, environment, name};

const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const ALIAS: &str = "alias/halfkey";
const OPERATIONS: [&str; 3] = ["Encrypt", "Decrypt", "ReEncrypt"];

fn arn(account: &str) -> String {
    format!("arn:aws:kms:eu-central-1:{account}:key/{KEY}")
}

fn own() -> String {
    arn("111122223333")
}

/// What `DescribeKey` says, with more or other members.
fn description(more: &str) -> Answer {
    let arn = own();
    Answer::Reply(
        200,
        format!(
            r#"{{"KeyMetadata":{{"KeyId":"{KEY}","Arn":"{arn}","KeySpec":"SYMMETRIC_DEFAULT",
            "KeyUsage":"ENCRYPT_DECRYPT"{more}}}}}"#
        ),
    )
}

fn tags(environment: &str) -> Answer {
    let tag = format!(r#"{{"TagKey":"halfkey:environment","TagValue":"{environment}"}}"#);
    Answer::Reply(200, format!(r#"{{"Tags":[{tag}],"Truncated":false}}"#))
}

fn refusal(status: u16, code: &str) -> Answer {
    Answer::Reply(
        status,
        format!(r#"{{"__type":"{code}","message":"canary"}}"#),
    )
}

/// A KMS with one good key.
async fn kms() -> Proxy {
    let proxy = Proxy::start(None).await;
    proxy.answer("DescribeKey", description(r#","KeyState":"Enabled""#));
    proxy.answer("ListResourceTags", tags("env-test"));
    proxy
}

async fn open(proxy: &Proxy) -> Result<AwsKek, Error> {
    AwsKek::open(&kek_config(&proxy.endpoint(), ALIAS), &environment()).await
}

fn wrapped() -> Wrapped {
    Wrapped {
        kek_uri: format!("aws-kms:arn:aws:kms:eu-central-1:111122223333:{ALIAS}"),
        kek_version: KEY.to_owned(),
        bytes: vec![7; 100],
    }
}

/// The three operations; the error of each.
async fn all_refused(kek: &AwsKek) -> [Error; 3] {
    let dek = Dek::generate().unwrap();
    [
        kek.wrap(&ctx(), &dek).await.unwrap_err(),
        kek.unwrap(&ctx(), &wrapped()).await.unwrap_err(),
        kek.rewrap(&ctx(), &wrapped()).await.unwrap_err(),
    ]
}

/// A row: how the server answers, and what each operation must make of it.
type Row = (Answer, fn(&Error) -> bool);

fn rows() -> Vec<Row> {
    let denied = |error: &Error| matches!(error, Error::Denied(_));
    let disabled = |error: &Error| matches!(error, Error::KeyDisabled(_));
    let throttled = |error: &Error| matches!(error, Error::Throttled(_));
    let corrupt = |error: &Error| matches!(error, Error::Corrupt { .. });
    let temporary = |error: &Error| {
        matches!(
            error,
            Error::Backend {
                temporary: true,
                ..
            }
        )
    };
    let permanent = |error: &Error| {
        matches!(
            error,
            Error::Backend {
                temporary: false,
                ..
            }
        )
    };
    let page = "<html>canary</html>".to_owned();
    vec![
        (refusal(400, "AccessDeniedException"), denied),
        (
            refusal(400, "com.amazonaws.kms#AccessDeniedException"),
            denied,
        ),
        (refusal(400, "UnrecognizedClientException"), denied),
        (refusal(400, "ExpiredTokenException"), denied),
        (Answer::Reply(403, page.clone()), denied),
        (refusal(400, "DisabledException"), disabled),
        (refusal(400, "KMSInvalidStateException"), disabled),
        (refusal(400, "ThrottlingException"), throttled),
        (Answer::Reply(429, page.clone()), throttled),
        (refusal(400, "InvalidCiphertextException"), corrupt),
        (refusal(400, "IncorrectKeyException"), corrupt),
        (refusal(500, "KMSInternalException"), temporary),
        (refusal(500, "KeyUnavailableException"), temporary),
        (refusal(500, "DependencyTimeoutException"), temporary),
        (Answer::Reply(503, page.clone()), temporary),
        (Answer::Reply(200, page.clone()), temporary),
        (Answer::Reply(200, r#"{"Plaintext":"#.to_owned()), temporary),
        (Answer::Reply(200, "{}".to_owned()), temporary),
        (Answer::Reply(200, String::new()), temporary),
        (Answer::Cut(200, "{}".to_owned()), temporary),
        (Answer::Cut(400, "{}".to_owned()), temporary),
        (Answer::Garbage, temporary),
        (Answer::Closed, temporary),
        (refusal(400, "ValidationException"), permanent),
        (refusal(400, "NoSuchThing"), permanent),
        (Answer::Reply(400, page), permanent),
    ]
}

/// Each fault is told apart, asked for once, and quoted never.
#[tokio::test]
async fn every_failed_call_is_mapped_and_not_repeated() {
    let proxy = kms().await;
    let kek = open(&proxy).await.unwrap();
    for (made, (answer, fits)) in rows().into_iter().enumerate() {
        for operation in OPERATIONS {
            proxy.answer(operation, answer.clone());
        }
        for error in all_refused(&kek).await {
            assert!(fits(&error), "{answer:?}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        for operation in OPERATIONS {
            assert_eq!(proxy.count(operation), made + 1, "{answer:?}: {operation}");
        }
    }
}

#[tokio::test]
async fn a_call_without_an_answer_ends_at_the_deadline() {
    let proxy = kms().await;
    let mut config = kek_config(&proxy.endpoint(), ALIAS);
    config.deadline_ms = 3_000;
    let kek = AwsKek::open(&config, &environment()).await.unwrap();
    for operation in OPERATIONS {
        proxy.answer(operation, Answer::Hang);
    }
    let dek = Dek::generate().unwrap();
    let wrapped = wrapped();
    let context = ctx();
    let (wrap, unwrap, rewrap) = tokio::join!(
        kek.wrap(&context, &dek),
        kek.unwrap(&context, &wrapped),
        kek.rewrap(&context, &wrapped),
    );
    for error in [wrap.unwrap_err(), unwrap.unwrap_err(), rewrap.unwrap_err()] {
        assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (proxy, elsewhere) = (kms().await, kms().await);
    let kek = open(&proxy).await.unwrap();
    for operation in OPERATIONS {
        proxy.answer(operation, Answer::Redirect(elsewhere.endpoint()));
    }
    for error in all_refused(&kek).await {
        assert!(!error.is_transient(), "{error:?}");
    }
    assert!(elsewhere.seen().is_empty());
}

/// A server that answers well-formed but wrong.
#[tokio::test]
async fn answers_by_another_key_or_of_another_length_are_refused() {
    let proxy = kms().await;
    let kek = open(&proxy).await.unwrap();
    let reply = |arn: &str, len: usize| {
        let (bytes, arn) = (STANDARD.encode(vec![1; len]), arn.to_owned());
        Answer::Reply(
            200,
            format!(
                r#"{{"KeyId":"{arn}","SourceKeyId":"{arn}","Plaintext":"{bytes}",
                "CiphertextBlob":"{bytes}"}}"#
            ),
        )
    };
    for answer in [
        reply(&arn("999999999999"), 32),
        reply(&own(), 31),
        reply(&own(), 33),
    ] {
        proxy.answer("Decrypt", answer.clone());
        let error = kek.unwrap(&ctx(), &wrapped()).await.unwrap_err();
        assert!(
            matches!(error, Error::Corrupt { .. }),
            "{answer:?}: {error}"
        );
    }
    proxy.answer("Decrypt", reply(&own(), 32));
    kek.unwrap(&ctx(), &wrapped()).await.unwrap();
    for operation in ["Encrypt", "ReEncrypt"] {
        proxy.answer(operation, reply(&arn("999999999999"), 32));
    }
    let error = kek.wrap(&ctx(), &Dek::generate().unwrap()).await;
    let error = error.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    let error = kek.rewrap(&ctx(), &wrapped()).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn what_cannot_be_ours_is_refused_without_a_call() {
    let proxy = kms().await;
    let kek = open(&proxy).await.unwrap();
    let (sound, mut other) = (wrapped(), ctx());
    other.environment = "env-other".parse().unwrap();
    let dek = Dek::generate().unwrap();
    for error in [
        kek.wrap(&other, &dek).await.unwrap_err(),
        kek.unwrap(&other, &sound).await.unwrap_err(),
        kek.rewrap(&other, &sound).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Environment { .. }), "{error}");
    }
    for bytes in [Vec::new(), vec![0; 6145]] {
        let wrong = Wrapped {
            bytes,
            ..sound.clone()
        };
        for error in [
            kek.unwrap(&ctx(), &wrong).await.unwrap_err(),
            kek.rewrap(&ctx(), &wrong).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        }
    }
    assert_eq!(OPERATIONS.map(|operation| proxy.count(operation)), [0; 3]);
}

#[tokio::test]
async fn open_rejects_a_key_that_could_not_keep_records() {
    let proxy = kms().await;
    for (state, fits) in [
        ("Disabled", false),
        ("PendingDeletion", false),
        ("PendingImport", false),
        ("Unavailable", true),
        ("SomethingNew", false),
    ] {
        proxy.answer(
            "DescribeKey",
            description(&format!(r#","KeyState":"{state}""#)),
        );
        let error = open(&proxy).await.unwrap_err();
        assert_eq!(error.is_transient(), fits, "{state}: {error}");
        assert_eq!(matches!(error, Error::KeyDisabled(_)), !fits, "{state}");
    }
    let expiring = r#","KeyState":"Enabled","ExpirationModel":"KEY_MATERIAL_EXPIRES""#;
    proxy.answer("DescribeKey", description(expiring));
    let error = open(&proxy).await.unwrap_err();
    assert!(matches!(error, Error::NotDurable(_)), "{error}");
    proxy.answer("DescribeKey", refusal(400, "AccessDeniedException"));
    let error = open(&proxy).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
}

/// The mark is on the second page of tags.
#[tokio::test]
async fn every_page_of_tags_is_read() {
    let proxy = kms().await;
    let more = r#"{"Tags":[{"TagKey":"a","TagValue":"b"}],"Truncated":true,"NextMarker":"m"}"#;
    proxy.answer("ListResourceTags", Answer::Reply(200, more.to_owned()));
    let error = open(&proxy).await.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error}");
    assert!(proxy.count("ListResourceTags") > 1, "one page");
    assert!(proxy.count("ListResourceTags") < 10, "pages without end");
}

#[tokio::test]
async fn a_rotation_that_kms_refuses_says_why() {
    let proxy = kms().await;
    let kek = open(&proxy).await.unwrap();
    proxy.answer("RotateKeyOnDemand", refusal(400, "ConflictException"));
    assert!(kek.rotate().await.unwrap_err().is_transient());
    proxy.answer("RotateKeyOnDemand", refusal(400, "LimitExceededException"));
    let error = kek.rotate().await.unwrap_err();
    assert!(error.to_string().contains("move the alias"), "{error}");
    proxy.answer(
        "RotateKeyOnDemand",
        refusal(400, "UnsupportedOperationException"),
    );
    let error = kek.rotate().await.unwrap_err();
    assert!(matches!(error, Error::Forbidden(_)), "{error}");
    proxy.answer("RotateKeyOnDemand", refusal(400, "AccessDeniedException"));
    let error = kek.rotate().await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
    let info = kek.info().await.unwrap();
    assert_eq!(info.newest().unwrap().state, KekState::Enabled);
}

/// Secrets Manager's faults go through the same table; here is what is its own.
#[tokio::test]
async fn secrets_are_never_taken_for_absent() {
    let proxy = Proxy::start(None).await;
    proxy.answer("GetSecretValue", refusal(400, "ResourceNotFoundException"));
    let config = secrets_config(&proxy.endpoint(), "p/");
    let store = AwsSecrets::open(&config, &environment()).await.unwrap();
    let (id, label) = (SecretId::from_bytes([1; 16]), name("x"));
    assert!(store.read(id).await.unwrap().is_none());
    for (answer, fits) in rows() {
        if matches!(&answer, Answer::Reply(_, body) if body.contains("Ciphertext")
            || body.contains("IncorrectKey"))
        {
            continue;
        }
        for operation in [
            "GetSecretValue",
            "DeleteSecret",
            "ListSecrets",
            "CreateSecret",
        ] {
            proxy.answer(operation, answer.clone());
        }
        let error = store.read(id).await.unwrap_err();
        assert!(fits(&error), "{answer:?}: {error:?}");
        assert!(store.create(id, &label, b"x").await.is_err(), "{answer:?}");
    }
    // An answer about another secret.
    let other = r#"{"Name":"p/env-other/x","SecretBinary":"eA=="}"#;
    proxy.answer("GetSecretValue", Answer::Reply(200, other.to_owned()));
    assert!(store.read(id).await.unwrap_err().is_transient());
    // Created, and not yet to be seen.
    proxy.answer("CreateSecret", Answer::Reply(200, "{}".to_owned()));
    proxy.answer("GetSecretValue", refusal(400, "ResourceNotFoundException"));
    let error = store.create(id, &label, b"x").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    // Marked for deletion, or refused for another reason.
    proxy.answer("GetSecretValue", refusal(400, "InvalidRequestException"));
    proxy.answer("DescribeSecret", Answer::Reply(200, "{}".to_owned()));
    assert!(store.read(id).await.is_err());
    let deleted = r#"{"DeletedDate":1.7e9}"#.to_owned();
    proxy.answer("DescribeSecret", Answer::Reply(200, deleted));
    assert!(store.read(id).await.unwrap().is_none());
    proxy.answer("CreateSecret", refusal(400, "LimitExceededException"));
    let error = store.create(id, &label, b"x").await.unwrap_err();
    assert!(matches!(error, Error::Full(_)), "{error}");
    let called = proxy.count("CreateSecret");
    let error = store
        .create(id, &label, &vec![0; 65_537])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert_eq!(proxy.count("CreateSecret"), called);
}
