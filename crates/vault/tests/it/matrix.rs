//! Every record opens only as itself: 3 wallets, 2 parties, 3 generations, 2 environments.

use std::sync::Arc;

use halfkey_core::{EnvironmentId, Generation, KeyShareId, PartyIndex, SecretBytes, WalletId};
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::{BindCtx, Error, SealedRecord, UnwrapKey, Vault, VaultParts, WrapKey};

use crate::support::{access, clock, ctx, memory};

fn contexts() -> Vec<BindCtx> {
    let mut all = Vec::new();
    for environment in ENVIRONMENTS {
        for wallet in 1..=3_u8 {
            for party in [PartyIndex::CUSTOMER_1, PartyIndex::CUSTOMER_2] {
                for generation in 0..3 {
                    let environment: EnvironmentId = environment.parse().unwrap();
                    all.push(BindCtx {
                        environment,
                        wallet: WalletId::from_bytes([wallet; 16]),
                        key_share: KeyShareId::from_bytes([party.as_u8(); 16]),
                        party,
                        generation: Generation(generation),
                        ..ctx()
                    });
                }
            }
        }
    }
    all
}

/// Swapped, rolled back or taken to another environment: nothing opens but as itself. The vaults
/// are those of the two environments, in the order of [`contexts`].
pub(crate) async fn only_as_itself(vaults: [&Vault; 2]) {
    let all = contexts();
    assert_eq!(all.len(), 36);
    let vault_of = |number: usize| vaults[number / 18];
    let mut records = Vec::new();
    for (number, ctx) in all.iter().enumerate() {
        let plaintext = SecretBytes::new(vec![u8::try_from(number).unwrap(); 64]);
        let sealed = vault_of(number).seal(ctx, &plaintext, &access()).await;
        records.push(sealed.unwrap());
    }
    let (mut opened, mut refused) = (0, 0);
    for (number, record) in records.iter().enumerate() {
        for (other, ctx) in all.iter().enumerate() {
            match vault_of(other).open(ctx, record, &access()).await {
                Ok(plaintext) => {
                    assert_eq!(number, other, "{ctx:?}");
                    let mut bytes = plaintext.expose().iter();
                    assert!(bytes.all(|byte| usize::from(*byte) == number));
                    opened += 1;
                }
                Err(Error::Corrupt { .. } | Error::Environment { .. }) => {
                    assert_ne!(number, other);
                    refused += 1;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert_eq!((opened, refused), (36, 36 * 35));
}

/// A vault over this KEK.
pub(crate) fn under<T: WrapKey + UnwrapKey + 'static>(kek: T) -> Vault {
    let kek = Arc::new(kek);
    Vault::new(VaultParts {
        wrap: Some(Arc::<T>::clone(&kek)),
        unwrap: Some(kek),
        ..memory().vault.parts().clone()
    })
}

/// The two environments of [`contexts`].
pub(crate) const ENVIRONMENTS: [&str; 2] = ["env-test", "env-other"];

#[tokio::test]
async fn every_record_opens_only_as_itself() {
    let vault = &memory().vault;
    only_as_itself([vault, vault]).await;
}

/// Each environment has a key file of its own.
#[tokio::test]
async fn every_record_opens_only_as_itself_under_key_files() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("data");
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
        .create(&dir)
        .unwrap();
    let [test, other] = ENVIRONMENTS.map(|environment| {
        let path = dir.join(format!("{environment}.json"));
        let environment = environment.parse().unwrap();
        under(Keyring::create(&path, &environment, None, &*clock()).unwrap())
    });
    only_as_itself([&test, &other]).await;
}

/// The header of one record, the wraps of another, the body of a third: every splice fails.
#[tokio::test]
async fn no_splice_of_two_records_opens() {
    let memory = memory();
    let vault = &memory.vault;
    let plaintext = SecretBytes::new(vec![7; 64]);
    let one = vault.seal(&ctx(), &plaintext, &access()).await.unwrap();
    let two = vault.seal(&ctx(), &plaintext, &access()).await.unwrap();
    let (one, two) = (one.as_bytes(), two.as_bytes());
    assert_eq!(one.len(), two.len());
    let mut refused = 0;
    for cut in 1..one.len() {
        let mut spliced = one[..cut].to_vec();
        spliced.extend(&two[cut..]);
        if spliced == one || spliced == two {
            continue;
        }
        let opened = match SealedRecord::from_bytes(&spliced) {
            Ok(record) => vault.open(&ctx(), &record, &access()).await.is_ok(),
            Err(_) => false,
        };
        assert!(!opened, "cut at {cut}");
        refused += 1;
    }
    assert!(refused > 200, "{refused}");
}
