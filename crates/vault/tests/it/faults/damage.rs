//! A record that comes back from a real store cut at every length, or with any byte changed: it is
//! damaged, never something else.

use halfkey_testkit::seeded;
use halfkey_vault::{Error, Expect, GetRecord as _, PutRecord as _, SealedRecord};
use rand_core::RngCore as _;

use super::real::{Count, Real};
use crate::support::{access, ctx, name};

const SEED: u64 = 20_261_127;

/// What loading `bytes` gives after they went through the store.
async fn load(real: &Real, bytes: &[u8]) -> Result<(), Error> {
    let at = name("share");
    real.records.put(&at, bytes, Expect::Any).await.unwrap();
    real.vault.load(&at, &ctx(), &access()).await.map(drop)
}

#[tokio::test]
async fn a_torn_record_is_corrupt_at_every_length() {
    let (real, count) = (Real::new().await, Count::default());
    let at = name("share");
    real.put(&at, "the share", Expect::Absent).await;
    let sound = real.records.get(&at).await.unwrap().unwrap().value;
    for len in 0..sound.len() {
        let torn = load(&real, &sound[..len]).await;
        assert!(
            matches!(torn, Err(Error::Corrupt { .. })),
            "cut at {len}: {torn:?}"
        );
        count.one();
    }
    load(&real, &sound).await.unwrap();
    real.must_be(&at, "the share").await;
    count.must_be(
        u32::try_from(sound.len()).unwrap(),
        "lengths of a torn record",
    );
}

#[tokio::test]
async fn a_record_with_any_byte_changed_is_corrupt() {
    let (real, mut random) = (Real::new().await, seeded(SEED));
    let at = name("share");
    real.put(&at, "the share", Expect::Absent).await;
    let sound = real.records.get(&at).await.unwrap().unwrap().value;
    let (mut corrupt, mut later_terms) = (0, 0);
    for offset in 0..sound.len() {
        let mut bytes = sound.clone();
        // Any change but none.
        bytes[offset] ^= u8::try_from(random.next_u32() % 255 + 1).unwrap();
        match load(&real, &bytes).await {
            Err(Error::Corrupt { .. }) => corrupt += 1,
            // The one number in it that may also mean an older keyring.
            Err(Error::UnknownTerm { .. }) => later_terms += 1,
            other => panic!("seed {SEED}, byte {offset}: {other:?}"),
        }
    }
    eprintln!("seed {SEED}: {corrupt} corrupt, {later_terms} of a later term");
    assert!(later_terms <= 1);
    assert_eq!(corrupt + later_terms, sound.len());
    load(&real, &sound).await.unwrap();
    real.must_be(&at, "the share").await;
    SealedRecord::from_bytes(&sound).unwrap();
}
