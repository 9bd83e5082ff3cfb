//! Versions in the token: made elsewhere, made twice; many calls at a time.

use std::sync::Arc;

use cryptoki::object::Attribute;
use halfkey_vault::kms::pkcs11::{Pkcs11Config, Pkcs11Kek};
use halfkey_vault::{Dek, Error, ManageKey, UnwrapKey, WrapKey};
use tokio::task::JoinSet;

use super::{config, create, in_own_process, make_key, open, session};
use crate::support::{clock, ctx};

#[test]
fn a_version_made_by_another_process_is_found() {
    in_own_process(async || {
        let (old, operator) = (create().await, open(&config()).await.unwrap());
        assert_eq!(operator.rotate().await.unwrap(), "2");
        let dek = Dek::generate().unwrap();
        let newer = operator.wrap(&ctx(), &dek).await.unwrap();
        assert_eq!(newer.kek_version, "2");
        assert!(old.unwrap(&ctx(), &newer).await.unwrap() == dek);
        assert_eq!(old.wrap(&ctx(), &dek).await.unwrap().kek_version, "2");
    });
}

#[test]
fn two_keys_of_one_number_both_unwrap() {
    in_own_process(async || {
        let first = create().await;
        let dek = Dek::generate().unwrap();
        let of_first = first.wrap(&ctx(), &dek).await.unwrap();
        let session = session();
        let twin = make_key(&session, &[]);
        // The twin alone, so that it wraps.
        let alone = [Attribute::Label("elsewhere".into())];
        let original = super::keys(&session, super::LABEL);
        let original = *original.iter().find(|key| **key != twin).unwrap();
        session.update_attributes(original, &alone).unwrap();
        let second = open(&config()).await.unwrap();
        let of_second = second.wrap(&ctx(), &dek).await.unwrap();
        session
            .update_attributes(original, &[Attribute::Label(super::LABEL.into())])
            .unwrap();

        let both = open(&config()).await.unwrap();
        for wrapped in [&of_first, &of_second] {
            assert!(both.unwrap(&ctx(), wrapped).await.unwrap() == dek);
            let mut damaged = wrapped.clone();
            damaged.bytes[20] ^= 1;
            let refused = both.unwrap(&ctx(), &damaged).await;
            assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
        }
        assert_eq!(both.info().await.unwrap().versions.len(), 1);
        assert_eq!(both.rotate().await.unwrap(), "2");
    });
}

#[test]
fn fifty_wraps_at_a_time_share_two_sessions() {
    in_own_process(async || {
        drop(create().await);
        let config = Pkcs11Config {
            sessions: 2,
            ..config()
        };
        let kek = Arc::new(open(&config).await.unwrap());
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let kek = Arc::clone(&kek);
            calls.spawn(async move {
                let dek = Dek::generate().unwrap();
                let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
                assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
                wrapped.bytes
            });
        }
        let mut wraps = calls.join_all().await;
        wraps.sort();
        wraps.dedup();
        assert_eq!(wraps.len(), 50);
        let module = super::module();
        let info = module.get_token_info(super::slot(&module)).unwrap();
        // Where the token tells at all.
        assert!(info.session_count().is_none_or(|count| count <= 2));
    });
}

#[test]
fn a_token_that_makes_no_nonce_is_not_left_with_zeros() {
    in_own_process(async || {
        drop(create().await);
        let config = Pkcs11Config {
            token_makes_nonce: true,
            ..config()
        };
        let refused = open(&config).await;
        assert!(matches!(refused, Err(Error::Config(_))), "{refused:?}");
    });
}

/// Each environment has a key of its own in one token.
#[test]
fn every_record_opens_only_as_itself_in_a_token() {
    in_own_process(async || {
        use crate::matrix::{ENVIRONMENTS, only_as_itself, under};

        let test = under(create().await);
        let other = ENVIRONMENTS[1].parse().unwrap();
        let other = Pkcs11Kek::create(&config(), &other, clock()).await.unwrap();
        only_as_itself([&test, &under(other)]).await;
    });
}
