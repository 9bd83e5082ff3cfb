//! What goes wrong with a key, a version or a call, and what it is called.

use halfkey_testkit::servers::gcp_fake::Fault;
use halfkey_vault::conformance::must_be_refused;
use halfkey_vault::conformance::sample::environment as named;
use halfkey_vault::kms::gcp::GcpKek;
use halfkey_vault::net::gcp::{ENVIRONMENT_LABEL, environment_label};
use halfkey_vault::{BindCtx, Dek, Error, ManageKey as _, RewrapKey as _, UnwrapKey as _};
use halfkey_vault::{WrapKey as _, Wrapped};

use super::{KEY, fake, kek_config, make_kek, must_open, open_kek};
use crate::support::{ctx, environment};

fn dek() -> Dek {
    Dek::generate().unwrap()
}

#[tokio::test]
async fn open_rejects_a_key_without_its_mark() {
    let fake = fake();
    for labels in [vec![], vec![("environment", "env-test")]] {
        fake.create_key(KEY, &labels);
        let refused = open_kek(&fake).await.unwrap_err();
        assert!(matches!(refused, Error::Config(_)), "{refused:?}");
    }
    for label in ["env-other", "env-test2", ""] {
        fake.create_key(KEY, &[(ENVIRONMENT_LABEL, label)]);
        let refused = open_kek(&fake).await.unwrap_err();
        assert!(
            matches!(&refused, Error::Environment { found, expected, .. }
                if found == label && expected == "env-test"),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn an_environment_that_is_no_label_is_marked_by_its_digest() {
    let fake = fake();
    let upper = named("Env-Test");
    let config = kek_config(&fake.endpoint(), KEY);
    let refused = GcpKek::open(&config, &upper).await.unwrap_err();
    assert!(matches!(refused, Error::Environment { .. }), "{refused:?}");
    fake.create_key(KEY, &[(ENVIRONMENT_LABEL, &environment_label(&upper))]);
    let kek = GcpKek::open(&config, &upper).await.unwrap();
    let own = BindCtx {
        environment: upper,
        ..ctx()
    };
    let wrapped = kek.wrap(&own, &dek()).await.unwrap();
    kek.unwrap(&own, &wrapped).await.unwrap();
    for refused in [
        kek.wrap(&ctx(), &dek()).await.map(drop),
        kek.unwrap(&ctx(), &wrapped).await.map(drop),
        kek.rewrap(&ctx(), &wrapped).await.map(drop),
    ] {
        assert!(
            matches!(refused, Err(Error::Environment { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn open_rejects_a_key_that_cannot_wrap() {
    let fake = fake();
    fake.set_purpose(KEY, "ASYMMETRIC_SIGN");
    assert!(matches!(open_kek(&fake).await, Err(Error::Config(_))));
    fake.set_purpose(KEY, "ENCRYPT_DECRYPT");
    fake.set_state(KEY, 1, "DISABLED");
    assert!(matches!(open_kek(&fake).await, Err(Error::KeyDisabled(_))));
    let config = kek_config(&fake.endpoint(), &format!("{KEY}2"));
    let absent = GcpKek::open(&config, &environment()).await;
    assert!(matches!(absent, Err(Error::Config(_))), "{absent:?}");
    let calls = fake.calls();
    for key in ["", "shares", "projects/p/secrets/s", &format!("{KEY}/")] {
        let refused = GcpKek::open(&kek_config(&fake.endpoint(), key), &environment()).await;
        assert!(
            matches!(refused, Err(Error::Config(_))),
            "{key}: {refused:?}"
        );
    }
    assert_eq!(fake.calls(), calls, "a name that is none was asked for");
}

#[tokio::test]
async fn a_version_that_is_not_enabled_is_no_damage() {
    let (kek, fake) = make_kek().await;
    let wrapped = kek.wrap(&ctx(), &dek()).await.unwrap();
    for state in ["DISABLED", "DESTROY_SCHEDULED", "DESTROYED"] {
        fake.set_state(KEY, 1, state);
        let (wrap, unwrap, rewrap) = (
            kek.wrap(&ctx(), &dek()).await.map(drop),
            kek.unwrap(&ctx(), &wrapped).await.map(drop),
            kek.rewrap(&ctx(), &wrapped).await.map(drop),
        );
        for refused in [wrap, unwrap, rewrap] {
            assert!(
                matches!(refused, Err(Error::KeyDisabled(_))),
                "{state}: {refused:?}"
            );
        }
    }
    fake.set_state(KEY, 1, "ENABLED");
    must_open(&kek, &wrapped).await;
}

#[tokio::test]
async fn a_wrap_names_the_version_that_made_it() {
    let (kek, fake) = make_kek().await;
    let dek = dek();
    let old = kek.wrap(&ctx(), &dek).await.unwrap();
    kek.rotate().await.unwrap();
    let new = kek.wrap(&ctx(), &dek).await.unwrap();
    assert_eq!((&*old.kek_version, &*new.kek_version), ("1", "2"));
    // Both versions exist, so Google would open either wrap under either name.
    for (wrapped, version) in [(&old, "2"), (&new, "1"), (&new, "3")] {
        let relabelled = Wrapped {
            kek_version: version.to_owned(),
            ..wrapped.clone()
        };
        must_be_refused(kek.unwrap(&ctx(), &relabelled).await, "another version");
        must_be_refused(kek.rewrap(&ctx(), &relabelled).await, "another version");
    }
    let calls = fake.calls();
    must_open(&kek, &old).await;
    assert_eq!(fake.calls(), calls + 1, "an unwrap is one call");
    let calls = fake.calls();
    for version in ["", "0", "01", "+1", "1x", "99999999999999999999999"] {
        let relabelled = Wrapped {
            kek_version: version.to_owned(),
            ..old.clone()
        };
        must_be_refused(kek.unwrap(&ctx(), &relabelled).await, version);
    }
    assert_eq!(fake.calls(), calls, "what is no version was sent");
}

#[tokio::test]
async fn a_foreign_wrap_of_the_same_key_is_refused() {
    let (kek, _fake) = make_kek().await;
    let (one, two) = (
        kek.wrap(&ctx(), &dek()).await.unwrap(),
        kek.wrap(&ctx(), &dek()).await.unwrap(),
    );
    let mixed = Wrapped {
        bytes: [&one.bytes[..16], &two.bytes[16..]].concat(),
        ..one
    };
    must_be_refused(kek.unwrap(&ctx(), &mixed).await, "a mixed wrap");
}

#[tokio::test]
async fn what_changed_on_the_way_is_tried_again_and_is_no_damage() {
    let (kek, fake) = make_kek().await;
    let wrapped = kek.wrap(&ctx(), &dek()).await.unwrap();
    for fault in [Fault::ChangeRequest, Fault::ChangeReply] {
        fake.break_calls("crypt", fault.clone());
        for failed in [
            kek.wrap(&ctx(), &dek()).await.map(drop),
            kek.unwrap(&ctx(), &wrapped).await.map(drop),
            kek.rewrap(&ctx(), &wrapped).await.map(drop),
        ] {
            let error = failed.unwrap_err();
            assert!(error.is_transient(), "{fault:?}: {error:?}");
        }
        fake.heal();
        must_open(&kek, &wrapped).await;
    }
}

#[tokio::test]
async fn a_wrap_whose_checksums_did_not_arrive_is_not_used() {
    let (kek, fake) = make_kek().await;
    fake.break_calls(":encrypt", Fault::IgnoreChecksums);
    let error = kek.wrap(&ctx(), &dek()).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn an_outage_is_no_damage() {
    let (kek, fake) = make_kek().await;
    let wrapped = kek.wrap(&ctx(), &dek()).await.unwrap();
    let page = "<html>Bad gateway</html>".to_owned();
    for fault in [
        Fault::Cut,
        Fault::google(500, "INTERNAL"),
        Fault::google(503, "UNAVAILABLE"),
        Fault::google(504, "DEADLINE_EXCEEDED"),
        Fault::Reply(200, page.clone()),
        Fault::Reply(200, "{}".to_owned()),
        Fault::Reply(200, String::new()),
        Fault::Reply(200, "\u{0}\u{1}".to_owned()),
        Fault::Reply(400, page.clone()),
        Fault::Reply(404, page.clone()),
        Fault::Reply(502, page.clone()),
        Fault::Reply(302, page),
    ] {
        fake.break_calls(":", fault.clone());
        for failed in [
            kek.wrap(&ctx(), &dek()).await.map(drop),
            kek.unwrap(&ctx(), &wrapped).await.map(drop),
        ] {
            let error = failed.unwrap_err();
            assert!(error.is_transient(), "{fault:?}: {error:?}");
            assert!(!error.to_string().contains("html"), "{error}");
        }
        fake.heal();
    }
    must_open(&kek, &wrapped).await;
}

#[tokio::test]
async fn throttled_and_denied_have_names_of_their_own() {
    let (kek, fake) = make_kek().await;
    let wrapped = kek.wrap(&ctx(), &dek()).await.unwrap();
    fake.break_calls(":", Fault::google(429, "RESOURCE_EXHAUSTED"));
    let throttled = kek.unwrap(&ctx(), &wrapped).await.unwrap_err();
    assert!(matches!(throttled, Error::Throttled(_)), "{throttled:?}");
    for (status, code) in [(401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED")] {
        fake.heal();
        fake.break_calls("", Fault::google(status, code));
        for denied in [
            kek.wrap(&ctx(), &dek()).await.map(drop),
            kek.unwrap(&ctx(), &wrapped).await.map(drop),
            kek.rotate().await.map(drop),
            open_kek(&fake).await.map(drop),
        ] {
            assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_left_at_the_deadline() {
    let fake = fake();
    let mut config = kek_config(&fake.endpoint(), KEY);
    config.deadline_ms = 200;
    let kek = GcpKek::open(&config, &environment()).await.unwrap();
    fake.break_calls("", Fault::Hang);
    let opened = GcpKek::open(&config, &environment()).await.map(drop);
    for hung in [kek.wrap(&ctx(), &dek()).await.map(drop), opened] {
        assert!(matches!(hung, Err(Error::Timeout(_))), "{hung:?}");
    }
}

#[tokio::test]
async fn nobody_at_the_endpoint_is_an_outage() {
    let port = halfkey_testkit::servers::free_port();
    let config = kek_config(&format!("http://127.0.0.1:{port}"), KEY);
    let error = GcpKek::open(&config, &environment()).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let plain = kek_config("http://cloudkms.googleapis.com", KEY);
    let refused = GcpKek::open(&plain, &environment()).await;
    assert!(matches!(refused, Err(Error::Insecure(_))), "{refused:?}");
}

#[test]
fn the_configuration_is_read_and_unknown_members_are_refused() {
    use halfkey_vault::kms::gcp::GcpKekConfig;
    let config: GcpKekConfig = toml::from_str(&format!("key = \"{KEY}\"")).unwrap();
    assert_eq!(config.deadline_ms, 10_000);
    let more = format!("key = \"{KEY}\"\ntoken = \"x\"");
    assert!(toml::from_str::<GcpKekConfig>(&more).is_err());
}
