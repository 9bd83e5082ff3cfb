//! The suite of key-encryption key providers.

use super::sample::{ctx, neighbours};
use super::{must, must_be_refused};
use crate::envelope::{Header, Suite};
use crate::{Dek, RewrapKey, SealedRecord, UnwrapKey, WrapKey, Wrapped};

/// All three rights over one KEK.
pub trait KeyProvider: WrapKey + UnwrapKey + RewrapKey {}

impl<T: WrapKey + UnwrapKey + RewrapKey> KeyProvider for T {}

/// One test per case, for the provider that `$make` makes; it must serve the environment of
/// [`sample::ctx`](super::sample::ctx). A second argument names a macro to expand instead of
/// `conformance_cases!`, for a provider whose cases need more than a `tokio` test.
#[macro_export]
macro_rules! key_provider_conformance {
    ($make:path) => {
        $crate::key_provider_conformance!($make, $crate::conformance_cases);
    };
    ($make:path, $($cases:tt)+) => {
        $($cases)+!(
            kms,
            $make,
            what_was_wrapped_is_unwrapped,
            a_wrap_fits_into_a_record,
            two_wraps_of_one_key_differ,
            a_wrap_belongs_to_one_context,
            a_damaged_wrap_is_refused,
            a_wrap_of_another_kek_is_refused,
            a_rewrapped_key_is_the_same_key,
            a_rewrap_does_not_change_the_context,
        );
    };
}

fn dek() -> Dek {
    must(Dek::generate())
}

/// The plain round trip.
pub async fn what_was_wrapped_is_unwrapped(kms: &dyn KeyProvider) {
    let dek = dek();
    let wrapped = must(kms.wrap(&ctx(), &dek).await);
    assert!(must(kms.unwrap(&ctx(), &wrapped).await) == dek);
    assert!(
        !contains(&wrapped.bytes, dek.expose()),
        "the key stands in its own wrap"
    );
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// URI, version and length are within the limits of the record format.
pub async fn a_wrap_fits_into_a_record(kms: &dyn KeyProvider) {
    let wrapped = must(kms.wrap(&ctx(), &dek()).await);
    let header = Header {
        suite: Suite::WRITTEN,
        salt: [0; 32],
        commitment: [0; 32],
        nonce: [0; 12],
    };
    let record = SealedRecord::assemble(&header, std::slice::from_ref(&wrapped), &[0; 16]);
    assert_eq!(must(record).wraps(), [wrapped]);
}

/// Wrapping is randomised.
pub async fn two_wraps_of_one_key_differ(kms: &dyn KeyProvider) {
    let dek = dek();
    let one = must(kms.wrap(&ctx(), &dek).await);
    let two = must(kms.wrap(&ctx(), &dek).await);
    assert_ne!(one.bytes, two.bytes);
}

/// Every other context is refused.
pub async fn a_wrap_belongs_to_one_context(kms: &dyn KeyProvider) {
    let wrapped = must(kms.wrap(&ctx(), &dek()).await);
    for other in neighbours(&ctx()) {
        must_be_refused(kms.unwrap(&other, &wrapped).await, &format!("{other:?}"));
        must_be_refused(kms.rewrap(&other, &wrapped).await, &format!("{other:?}"));
    }
}

/// Every byte counts.
pub async fn a_damaged_wrap_is_refused(kms: &dyn KeyProvider) {
    let sound = must(kms.wrap(&ctx(), &dek()).await);
    for at in 0..sound.bytes.len() {
        let mut flipped = sound.clone();
        if let Some(byte) = flipped.bytes.get_mut(at) {
            *byte ^= 1;
        }
        must_be_refused(
            kms.unwrap(&ctx(), &flipped).await,
            &format!("byte {at} flipped"),
        );
        let mut cut = sound.clone();
        cut.bytes.truncate(at);
        must_be_refused(kms.unwrap(&ctx(), &cut).await, &format!("cut at {at}"));
    }
    let mut longer = sound;
    longer.bytes.push(0);
    must_be_refused(kms.unwrap(&ctx(), &longer).await, "one byte more");
}

/// Another URI, and versions that never were.
pub async fn a_wrap_of_another_kek_is_refused(kms: &dyn KeyProvider) {
    let sound = must(kms.wrap(&ctx(), &dek()).await);
    let other = Wrapped {
        kek_uri: format!("{}x", sound.kek_uri),
        ..sound.clone()
    };
    must_be_refused(kms.unwrap(&ctx(), &other).await, "another KEK");
    for version in [
        "",
        "0",
        "01",
        "+1",
        "-1",
        "999999",
        "99999999999999999999999",
    ] {
        let other = Wrapped {
            kek_version: version.to_owned(),
            ..sound.clone()
        };
        must_be_refused(
            kms.unwrap(&ctx(), &other).await,
            &format!("version {version:?}"),
        );
    }
}

/// Rewrapping changes the wrap, not the key.
pub async fn a_rewrapped_key_is_the_same_key(kms: &dyn KeyProvider) {
    let dek = dek();
    let old = must(kms.wrap(&ctx(), &dek).await);
    let new = must(kms.rewrap(&ctx(), &old).await);
    assert_ne!(old.bytes, new.bytes);
    assert!(must(kms.unwrap(&ctx(), &new).await) == dek);
    assert!(
        must(kms.unwrap(&ctx(), &old).await) == dek,
        "the old wrap still unwraps"
    );
}

/// What was bound stays bound.
pub async fn a_rewrap_does_not_change_the_context(kms: &dyn KeyProvider) {
    let wrapped = must(kms.wrap(&ctx(), &dek()).await);
    let wrapped = must(kms.rewrap(&ctx(), &wrapped).await);
    for other in neighbours(&ctx()) {
        must_be_refused(kms.unwrap(&other, &wrapped).await, &format!("{other:?}"));
    }
}
