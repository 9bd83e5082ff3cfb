//! What opening checks.

use cryptoki::object::Attribute;
use halfkey_testkit::servers::softhsm::{PIN, WRONG_PIN, WRONG_PIN_VARIABLE};
use halfkey_vault::conformance::sample;
use halfkey_vault::kms::pkcs11::{Pkcs11Config, Pkcs11Kek};
use halfkey_vault::net::SecretSource;
use halfkey_vault::{BindCtx, Dek, Error, RewrapKey, UnwrapKey, WrapKey};

use super::{TOKEN, config, create, in_own_process, make_key, open, pin, session, softhsm};
use crate::support::{clock, ctx, environment};

/// The text of an [`Error::Config`], or a panic.
fn config_error<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Config(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[test]
fn a_reopened_key_unwraps_what_it_wrapped() {
    in_own_process(async || {
        let first = create().await;
        let dek = Dek::generate().unwrap();
        let wrapped = first.wrap(&ctx(), &dek).await.unwrap();
        assert_eq!(wrapped.kek_uri, "pkcs11:a%20token/halfkey-env-test");
        assert_eq!(
            (wrapped.kek_version.as_str(), wrapped.bytes.len()),
            ("1", 60)
        );
        drop(first);
        let again = open(&config()).await.unwrap();
        assert_eq!(again.kek_uri(), wrapped.kek_uri);
        assert!(again.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
    });
}

#[test]
fn create_never_adds_to_a_key_that_is_there() {
    in_own_process(async || {
        let _kek = create().await;
        let again = Pkcs11Kek::create(&config(), &environment(), clock()).await;
        assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
        assert_eq!(super::keys(&session(), super::LABEL).len(), 1);
    });
}

#[test]
fn a_wrong_pin_is_denied() {
    in_own_process(async || {
        softhsm().init_token(TOKEN);
        let wrong = Pkcs11Config {
            pin: SecretSource::Env(WRONG_PIN_VARIABLE.to_owned()),
            ..config()
        };
        let refused = open(&wrong).await.unwrap_err();
        assert!(matches!(refused, Error::Denied(_)), "{refused:?}");
        assert!(!format!("{refused} {refused:?} {wrong:?}").contains(WRONG_PIN));
    });
}

#[test]
fn a_refused_pin_is_not_tried_again() {
    in_own_process(async || {
        let kek = create().await;
        let other = session();
        other.set_pin(&pin(PIN), &pin(WRONG_PIN)).unwrap();
        other.logout().unwrap();
        let dek = Dek::generate().unwrap();
        let refused = kek.wrap(&ctx(), &dek).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");

        // The same PIN would be accepted now: that it is not shows that it is not tried.
        let user = cryptoki::session::UserType::User;
        other.login(user, Some(&pin(WRONG_PIN))).unwrap();
        other.set_pin(&pin(WRONG_PIN), &pin(PIN)).unwrap();
        other.logout().unwrap();
        let refused = kek.wrap(&ctx(), &dek).await.unwrap_err();
        assert!(refused.to_string().contains("not tried again"), "{refused}");
        let opened_again = open(&config()).await.unwrap();
        opened_again.wrap(&ctx(), &dek).await.unwrap();
    });
}

#[test]
fn open_rejects_a_module_that_is_absent_or_none() {
    in_own_process(async || {
        for (module, why) in [
            ("/nonexistent/module.so", "no such file"),
            ("/etc/hostname", "cannot be loaded"),
            ("libsofthsm2.so", "not absolute"),
        ] {
            let wrong = Pkcs11Config {
                module: module.into(),
                ..config()
            };
            let error = config_error(open(&wrong).await);
            assert!(error.contains(why), "{error}");
        }
    });
}

#[test]
fn open_rejects_a_token_or_key_that_is_absent() {
    in_own_process(async || {
        softhsm().init_token(TOKEN);
        assert!(config_error(open(&config()).await).contains("is not in the token"));
        let elsewhere = Pkcs11Config {
            token_label: "another token".to_owned(),
            ..config()
        };
        assert!(config_error(open(&elsewhere).await).contains("no token labelled another token"));
        let other_serial = Pkcs11Config {
            token_serial: Some("0123".to_owned()),
            ..config()
        };
        assert!(config_error(open(&other_serial).await).contains("no token"));
        let no_sessions = Pkcs11Config {
            sessions: 0,
            ..config()
        };
        assert!(config_error(open(&no_sessions).await).contains("sessions"));
    });
}

#[test]
fn two_tokens_of_one_label_are_told_apart_by_serial() {
    in_own_process(async || {
        softhsm().init_token(TOKEN);
        softhsm().init_token(TOKEN);
        assert!(config_error(open(&config()).await).contains("set token_serial"));
        let module = super::module();
        let serial = module.get_token_info(super::slot(&module)).unwrap();
        let one = Pkcs11Config {
            token_serial: Some(serial.serial_number().to_owned()),
            ..config()
        };
        Pkcs11Kek::create(&one, &environment(), clock())
            .await
            .unwrap();
        open(&one).await.unwrap();
    });
}

#[test]
fn open_rejects_keys_that_are_not_as_they_must_be() {
    in_own_process(async || {
        softhsm().init_token(TOKEN);
        let session = session();
        for (different, why) in [
            (Attribute::Extractable(true), "can be extracted"),
            (Attribute::Sensitive(false), "not sensitive"),
            (Attribute::Private(false), "without the PIN"),
            (Attribute::ValueLen(16.into()), "no AES-256 key"),
            (Attribute::Id(vec![]), "no version number"),
            (Attribute::Id(vec![0, 1]), "no version number"),
            (Attribute::Id(b"one".repeat(3)), "no version number"),
        ] {
            let key = make_key(&session, &[different]);
            let error = config_error(open(&config()).await);
            assert!(error.contains(why), "{error}");
            session.destroy_object(key).unwrap();
        }
        make_key(&session, &[]);
        open(&config()).await.unwrap();
        // One bad version among good ones is enough.
        make_key(
            &session,
            &[Attribute::Id(vec![2]), Attribute::Extractable(true)],
        );
        assert!(config_error(open(&config()).await).contains("can be extracted"));
    });
}

#[test]
fn a_key_serves_its_own_environment_only() {
    in_own_process(async || {
        let kek = create().await;
        let other = sample::environment("env-other");
        // The label of another environment is refused, and the default one is not there.
        let labelled = Pkcs11Config {
            key_label: Some(super::LABEL.to_owned()),
            ..config()
        };
        let refused = Pkcs11Kek::open(&labelled, &other, clock()).await;
        let Err(Error::Environment {
            found, expected, ..
        }) = refused
        else {
            panic!("{refused:?}")
        };
        assert_eq!(
            (found.as_str(), expected.as_str()),
            ("env-test", "env-other")
        );
        config_error(Pkcs11Kek::open(&config(), &other, clock()).await);

        let foreign = BindCtx {
            environment: other,
            ..ctx()
        };
        let dek = Dek::generate().unwrap();
        let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
        for refused in [
            kek.wrap(&foreign, &dek).await.map(drop),
            kek.unwrap(&foreign, &wrapped).await.map(drop),
            kek.rewrap(&foreign, &wrapped).await.map(drop),
        ] {
            assert!(
                matches!(refused, Err(Error::Environment { .. })),
                "{refused:?}"
            );
        }
    });
}

#[test]
fn a_call_ends_by_its_deadline() {
    in_own_process(async || {
        softhsm().init_token(TOKEN);
        let hasty = Pkcs11Config {
            deadline_ms: 0,
            ..config()
        };
        let late = open(&hasty).await;
        assert!(matches!(late, Err(Error::Timeout(_))), "{late:?}");
    });
}

#[test]
fn debug_shows_no_pin() {
    in_own_process(async || {
        let kek = create().await;
        let shown = format!("{kek:?} {kek:#?} {:?}", config());
        assert!(
            shown.contains("env-test") && !shown.contains(PIN),
            "{shown}"
        );
    });
}
