//! Makes new wallets for `testdata/shares`: `cargo run -p halfkey-mpc --example make_test_shares`.
//!
//! Only needed when the share encoding changes; the old files then belong into the corpus of old
//! shares. The ECDSA engine draws its own coins, so every run makes other keys.

use std::path::Path;

use halfkey_core::random::os_rng;
use halfkey_core::{KeyType, PartyIndex, ThresholdSignatureScheme};
use halfkey_mpc::simulate::{Parties, to_end};
use halfkey_mpc::{KeyShare, Keygen, test_shares};

fn make(
    key_type: KeyType,
    scheme: ThresholdSignatureScheme,
    directory: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let params = test_shares::params(key_type, scheme)?;
    let identity = test_shares::identity();
    let wallet = test_shares::wallet(key_type, scheme);
    let mut parties: Parties<KeyShare> = Parties::new();
    let provider = Keygen::provider(params.clone(), wallet, &identity, os_rng())?;
    parties.insert(PartyIndex::PROVIDER, Box::new(provider));
    for party in PartyIndex::customers(scheme) {
        let pinned = identity.verifying_key();
        let customer = Keygen::customer(params.clone(), *party, &pinned, os_rng())?;
        parties.insert(*party, Box::new(customer));
    }
    for (party, share) in to_end(parties).results {
        let file = directory.join(test_shares::file_name(key_type, scheme, party));
        std::fs::write(file, share?.encode()?.expose())?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/shares");
    for key_type in [
        KeyType::EcdsaSecp256k1,
        KeyType::Ed25519Exportable,
        KeyType::Ed25519Standard,
    ] {
        for scheme in [
            ThresholdSignatureScheme::TwoOfTwo,
            ThresholdSignatureScheme::TwoOfThree,
        ] {
            make(key_type, scheme, &directory)?;
        }
    }
    Ok(())
}
