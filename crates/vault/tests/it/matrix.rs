//! Every record opens only as itself: 3 wallets, 2 parties, 3 generations, 2 environments.

use halfkey_core::{EnvironmentId, Generation, KeyShareId, PartyIndex, SecretBytes, WalletId};
use halfkey_vault::{BindCtx, Error, Expect, SealedRecord};

use crate::support::{access, ctx, memory, name};

fn contexts() -> Vec<BindCtx> {
    let mut all = Vec::new();
    for environment in ["env-test", "env-other"] {
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

/// Swapped, spliced, rolled back or taken to another environment: nothing opens but as itself.
#[tokio::test]
async fn every_record_opens_only_as_itself() {
    let memory = memory();
    let vault = &memory.vault;
    let all = contexts();
    assert_eq!(all.len(), 36);
    let mut records = Vec::new();
    for (number, ctx) in all.iter().enumerate() {
        let at = name(&format!("r{number}"));
        let plaintext = SecretBytes::new(vec![u8::try_from(number).unwrap(); 64]);
        vault
            .store(&at, ctx, &plaintext, Expect::Absent, &access())
            .await
            .unwrap();
        records.push(vault.get_row(&at).await.unwrap().unwrap().value);
    }
    let (mut opened, mut refused) = (0, 0);
    for (number, bytes) in records.iter().enumerate() {
        let record = SealedRecord::from_bytes(bytes).unwrap();
        for (other, ctx) in all.iter().enumerate() {
            match vault.open(ctx, &record, &access()).await {
                Ok(plaintext) => {
                    assert_eq!(number, other, "{ctx:?}");
                    assert!(
                        plaintext
                            .expose()
                            .iter()
                            .all(|byte| usize::from(*byte) == number)
                    );
                    opened += 1;
                }
                Err(Error::Corrupt { .. }) => {
                    assert_ne!(number, other);
                    refused += 1;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert_eq!((opened, refused), (36, 36 * 35));
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
