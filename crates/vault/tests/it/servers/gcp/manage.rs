//! Looking after a key.

use halfkey_testkit::servers::gcp_fake::Fault;
use halfkey_vault::{Dek, Error, KekState, ManageKey as _, RewrapKey as _, UnwrapKey as _};
use halfkey_vault::{KekInfo, WrapKey as _};

use super::{KEY, make_kek, must_open};
use crate::support::{ctx, environment};

fn versions(info: &KekInfo) -> Vec<(&str, KekState)> {
    let shown = info.versions.iter();
    shown
        .map(|version| (&*version.version, version.state))
        .collect()
}

#[tokio::test]
async fn info_lists_the_versions_with_the_primary_last() {
    let (kek, fake) = make_kek().await;
    for _ in 0..3 {
        kek.rotate().await.unwrap();
    }
    fake.set_state(KEY, 1, "DISABLED");
    fake.set_state(KEY, 2, "DESTROY_SCHEDULED");
    let info = kek.info().await.unwrap();
    assert_eq!(info.environment, environment());
    assert_eq!(info.uri, format!("gcp-kms:{KEY}"));
    assert_eq!(info.uri, kek.kek_uri());
    assert!(info.hardware_or_remote);
    assert_eq!(
        versions(&info),
        [
            ("1", KekState::Disabled),
            ("2", KekState::PendingDeletion),
            ("3", KekState::Enabled),
            ("4", KekState::Enabled),
        ]
    );
    let created_at = info.newest().unwrap().created_at.unwrap();
    assert_eq!(created_at.0, 1_767_323_045_678);
    fake.set_state(KEY, 1, "DESTROYED");
    assert_eq!(
        kek.info().await.unwrap().versions.len(),
        3,
        "what is gone is no version"
    );
}

#[tokio::test]
async fn info_reads_every_page() {
    let (kek, _fake) = make_kek().await;
    for number in 2..=205 {
        assert_eq!(kek.rotate().await.unwrap(), number.to_string());
    }
    let info = kek.info().await.unwrap();
    let numbers: Vec<_> = info.versions.iter().map(|found| &*found.version).collect();
    let expected: Vec<_> = (1..=205).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn a_rotated_key_still_unwraps_what_the_old_version_wrapped() {
    let (kek, _fake) = make_kek().await;
    let dek = Dek::generate().unwrap();
    let old = kek.wrap(&ctx(), &dek).await.unwrap();
    assert_eq!(kek.rotate().await.unwrap(), "2");
    assert!(kek.unwrap(&ctx(), &old).await.unwrap() == dek);
    let new = kek.rewrap(&ctx(), &old).await.unwrap();
    assert_eq!(new.kek_version, "2");
    assert!(kek.needs_unwrap_right());
    kek.disable("1").await.unwrap();
    let disabled = kek.unwrap(&ctx(), &old).await;
    assert!(
        matches!(disabled, Err(Error::KeyDisabled(_))),
        "{disabled:?}"
    );
    assert!(kek.unwrap(&ctx(), &new).await.unwrap() == dek);
    kek.enable("1").await.unwrap();
    must_open(&kek, &old).await;
}

#[tokio::test]
async fn disable_rejects_the_primary_and_versions_that_never_were() {
    let (kek, fake) = make_kek().await;
    kek.rotate().await.unwrap();
    for version in ["2", "3", "0", "01", "", "../1", "1:destroy"] {
        let refused = kek.disable(version).await;
        assert!(
            matches!(refused, Err(Error::Caller(_))),
            "{version}: {refused:?}"
        );
    }
    assert!(matches!(kek.enable("3").await, Err(Error::Caller(_))));
    // It would have to be restored first, which is the operator's decision elsewhere.
    fake.set_state(KEY, 1, "DESTROY_SCHEDULED");
    let refused = kek.enable("1").await;
    assert!(matches!(refused, Err(Error::KeyDisabled(_))), "{refused:?}");
    fake.set_state(KEY, 2, "DISABLED");
    kek.enable("2").await.unwrap();
    kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_rotation_that_breaks_off_changes_nothing_for_wraps() {
    let (kek, fake) = make_kek().await;
    fake.break_calls(":updatePrimaryVersion", Fault::google(503, "UNAVAILABLE"));
    assert!(kek.rotate().await.unwrap_err().is_transient());
    fake.heal();
    let wrapped = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    assert_eq!(wrapped.kek_version, "1");
    let info = kek.info().await.unwrap();
    let enabled = KekState::Enabled;
    assert_eq!(versions(&info), [("2", enabled), ("1", enabled)]);
    fake.break_calls(
        ":updatePrimaryVersion",
        Fault::google(400, "FAILED_PRECONDITION"),
    );
    assert!(kek.rotate().await.unwrap_err().is_transient());
    fake.heal();
    assert_eq!(kek.rotate().await.unwrap(), "4");
}
