//! Rotating, disabling and enabling.

use halfkey_core::UnixMillis;
use halfkey_vault::{Dek, Error, KekState, ManageKey, RewrapKey, UnwrapKey, WrapKey};

use super::{config, create, in_own_process, keys, open, session};
use crate::support::ctx;

#[test]
fn old_wraps_still_unwrap_after_a_rotation() {
    in_own_process(async || {
        let kek = create().await;
        let dek = Dek::generate().unwrap();
        let old = kek.wrap(&ctx(), &dek).await.unwrap();
        for version in 2..=257_u32 {
            assert_eq!(kek.rotate().await.unwrap(), version.to_string());
        }
        let new = kek.rewrap(&ctx(), &old).await.unwrap();
        assert_eq!((&*old.kek_version, &*new.kek_version), ("1", "257"));
        let reopened = open(&config()).await.unwrap();
        for wrapped in [&old, &new] {
            assert!(kek.unwrap(&ctx(), wrapped).await.unwrap() == dek);
            assert!(reopened.unwrap(&ctx(), wrapped).await.unwrap() == dek);
        }
        assert_eq!(
            reopened.wrap(&ctx(), &dek).await.unwrap().kek_version,
            "257"
        );
        // A wrap says which version it is of, and only that one opens it.
        let mut moved = old;
        "257".clone_into(&mut moved.kek_version);
        let refused = kek.unwrap(&ctx(), &moved).await;
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    });
}

#[test]
fn info_tells_versions_days_and_states() {
    in_own_process(async || {
        let kek = create().await;
        kek.rotate().await.unwrap();
        kek.disable("1").await.unwrap();
        let info = kek.info().await.unwrap();
        assert_eq!(
            (&*info.uri, info.environment.as_str()),
            (kek.uri(), "env-test")
        );
        assert!(info.hardware_or_remote);
        let versions: Vec<_> = info
            .versions
            .iter()
            .map(|v| (&*v.version, v.state))
            .collect();
        assert_eq!(
            versions,
            [("1", KekState::Disabled), ("2", KekState::Enabled)]
        );
        // The day of the tests' clock, where the token shows it: SoftHSM does not for private keys.
        let day = UnixMillis(1_699_920_000_000);
        let days = info
            .versions
            .iter()
            .filter_map(|version| version.created_at);
        assert!(days.into_iter().all(|shown| shown == day));
    });
}

#[test]
fn a_disabled_version_does_not_unwrap_until_it_is_enabled() {
    in_own_process(async || {
        let kek = create().await;
        let dek = Dek::generate().unwrap();
        let old = kek.wrap(&ctx(), &dek).await.unwrap();
        kek.rotate().await.unwrap();
        kek.disable("1").await.unwrap();
        for kek in [&kek, &open(&config()).await.unwrap()] {
            for refused in [
                kek.unwrap(&ctx(), &old).await.map(drop),
                kek.rewrap(&ctx(), &old).await.map(drop),
            ] {
                assert!(matches!(refused, Err(Error::KeyDisabled(_))), "{refused:?}");
            }
        }
        kek.enable("1").await.unwrap();
        assert!(kek.unwrap(&ctx(), &old).await.unwrap() == dek);
        assert_eq!(
            keys(&session(), super::LABEL).len(),
            2,
            "nothing is destroyed"
        );
    });
}

#[test]
fn the_newest_version_is_never_disabled() {
    in_own_process(async || {
        let kek = create().await;
        kek.rotate().await.unwrap();
        for version in ["2", "3", "0", "01", "", "x"] {
            let refused = kek.disable(version).await;
            assert!(
                matches!(refused, Err(Error::Caller(_))),
                "{version} {refused:?}"
            );
        }
        kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    });
}
