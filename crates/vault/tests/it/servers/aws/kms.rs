//! The suite of key providers.

use halfkey_vault::conformance::sample::{ctx, neighbours};
use halfkey_vault::kms::aws::AwsKek;
use halfkey_vault::{Dek, Error, UnwrapKey as _, WrapKey as _};

use super::{access, emulators, known_wrong};

async fn in_moto() -> (AwsKek, ()) {
    let endpoint = emulators::moto().endpoint();
    let kms = access::kms(&endpoint).await;
    let alias = emulators::alias(&kms, &emulators::key(&kms).await).await;
    (emulators::open(&endpoint, &alias).await, ())
}

async fn in_ministack() -> (AwsKek, ()) {
    let endpoint = emulators::ministack().endpoint();
    let kms = access::kms(&endpoint).await;
    let alias = emulators::alias(&kms, &emulators::key(&kms).await).await;
    (emulators::open(&endpoint, &alias).await, ())
}

async fn by_id_in_moto() -> (AwsKek, ()) {
    let endpoint = emulators::moto().endpoint();
    let key = emulators::key(&access::kms(&endpoint).await).await;
    (emulators::open(&endpoint, &key).await, ())
}

mod moto {
    use super::in_moto;

    // All but `a_damaged_wrap_is_refused`, which is below with its known-wrong row.
    halfkey_vault::conformance_cases!(
        kms,
        in_moto,
        what_was_wrapped_is_unwrapped,
        a_wrap_fits_into_a_record,
        two_wraps_of_one_key_differ,
        a_wrap_belongs_to_one_context,
        a_wrap_of_another_kek_is_refused,
        a_rewrapped_key_is_the_same_key,
        a_rewrap_does_not_change_the_context,
    );
}

mod moto_by_key_id {
    use super::by_id_in_moto;

    halfkey_vault::conformance_cases!(
        kms,
        by_id_in_moto,
        what_was_wrapped_is_unwrapped,
        a_wrap_of_another_kek_is_refused,
        a_rewrapped_key_is_the_same_key,
    );
}

mod ministack {
    use super::in_ministack;

    // Without ReEncrypt, and without authentication of the ciphertext.
    halfkey_vault::conformance_cases!(
        kms,
        in_ministack,
        what_was_wrapped_is_unwrapped,
        a_wrap_fits_into_a_record,
        two_wraps_of_one_key_differ,
        a_wrap_of_another_kek_is_refused,
    );
}

/// Where moto writes the key's id into its ciphertexts.
const KEY_ID_LEN: usize = 36;

#[tokio::test]
async fn a_damaged_wrap_is_refused_by_moto() {
    known_wrong("moto", "another key's id in it: AccessDenied");
    let (kek, ()) = in_moto().await;
    let sound = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    for at in 0..sound.bytes.len() {
        let mut flipped = sound.clone();
        flipped.bytes[at] ^= 1;
        let refused = kek.unwrap(&ctx(), &flipped).await.unwrap_err();
        if at < KEY_ID_LEN {
            assert!(matches!(refused, Error::Denied(_)), "byte {at}: {refused}");
        } else {
            assert!(
                matches!(refused, Error::Corrupt { .. }),
                "byte {at}: {refused}"
            );
        }
        let mut cut = sound.clone();
        cut.bytes.truncate(at);
        let refused = kek.unwrap(&ctx(), &cut).await.unwrap_err();
        assert!(
            matches!(refused, Error::Corrupt { .. }),
            "cut at {at}: {refused}"
        );
    }
    let mut longer = sound;
    longer.bytes.push(0);
    let refused = kek.unwrap(&ctx(), &longer).await.unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
}

#[tokio::test]
async fn a_wrap_belongs_to_one_context_in_ministack() {
    known_wrong("ministack", "no ReEncrypt");
    let (kek, ()) = in_ministack().await;
    let wrapped = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    for other in neighbours(&ctx()) {
        let refused = kek.unwrap(&other, &wrapped).await.unwrap_err();
        let fits = if other.environment == ctx().environment {
            matches!(refused, Error::Corrupt { .. })
        } else {
            matches!(refused, Error::Environment { .. })
        };
        assert!(fits, "{other:?}: {refused}");
    }
}
