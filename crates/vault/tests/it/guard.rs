//! High-water marks and locks (custody rules 11 and 13).

use halfkey_core::{
    AttemptId, CeremonyId, Generation, KeyShareId, PartyIndex, ShareSetId,
    ThresholdSignatureScheme, UnixMillis, WalletId,
};
use halfkey_vault::{
    BindCtx, Error, Expect, GetRecord, LockRecord, PutRecord, RecordName, Vault, VaultParts,
    WalletGuard,
};

use crate::support::{access, ctx, memory};

fn lock(reason: &str) -> LockRecord {
    LockRecord {
        at: UnixMillis(1_700_000_000_000),
        ceremony: CeremonyId::from_bytes([8; 16]),
        reason: reason.to_owned(),
    }
}

#[tokio::test]
async fn the_mark_is_only_ever_raised() {
    let memory = memory();
    let (vault, guard) = (&memory.vault, WalletGuard::new("", &ctx()));
    assert_eq!(guard.read_high_water(vault, &access()).await.unwrap(), None);
    let raise = async |to| {
        guard
            .raise_high_water(vault, Generation(to), &access())
            .await
            .unwrap()
    };
    assert_eq!(raise(0).await, Generation(0));
    assert_eq!(raise(5).await, Generation(5));
    assert_eq!(raise(3).await, Generation(5), "never lowered");
    assert_eq!(raise(5).await, Generation(5));
    let read = guard.read_high_water(vault, &access()).await.unwrap();
    assert_eq!(read, Some(Generation(5)));
}

#[tokio::test]
async fn of_many_who_raise_it_the_highest_stands() {
    let memory = memory();
    let guard = WalletGuard::new("", &ctx());
    let tasks: Vec<_> = (1..=12)
        .map(|to| {
            let (vault, guard) = (memory.vault.clone(), guard.clone());
            tokio::spawn(async move {
                guard
                    .raise_high_water(&vault, Generation(to), &access())
                    .await
                    .unwrap()
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let read = guard
        .read_high_water(&memory.vault, &access())
        .await
        .unwrap();
    assert_eq!(read, Some(Generation(12)));
}

#[tokio::test]
async fn every_share_of_a_side_leads_to_the_same_records() {
    let memory = memory();
    let vault = &memory.vault;
    let first = WalletGuard::new("p/", &ctx());
    first
        .raise_high_water(vault, Generation(4), &access())
        .await
        .unwrap();
    first
        .write_lock(vault, Generation(4), &lock("x"), &access())
        .await
        .unwrap();
    let reshared = BindCtx {
        key_share: KeyShareId::from_bytes([9; 16]),
        share_set: ShareSetId::from_bytes([9; 16]),
        party: PartyIndex::CUSTOMER_2,
        scheme: ThresholdSignatureScheme::TwoOfThree,
        generation: Generation(9),
        attempt: AttemptId::from_bytes([9; 16]),
        ..ctx()
    };
    let second = WalletGuard::new("p/", &reshared);
    let read = second.read_high_water(vault, &access()).await.unwrap();
    assert_eq!(read, Some(Generation(4)));
    assert!(
        second
            .read_lock(vault, Generation(4), &access())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn read_rejects_records_of_another_wallet_side_or_generation() {
    let memory = memory();
    let (vault, records) = (&memory.vault, &memory.records);
    let mine = WalletGuard::new("", &ctx());
    mine.raise_high_water(vault, Generation(4), &access())
        .await
        .unwrap();
    mine.write_lock(vault, Generation(4), &lock("x"), &access())
        .await
        .unwrap();
    let other = BindCtx {
        account_address: "0xcd".to_owned(),
        ..ctx()
    };
    let other_wallet = BindCtx {
        wallet: WalletId::from_bytes([9; 16]),
        ..ctx()
    };
    let provider = BindCtx {
        party: PartyIndex::PROVIDER,
        ..ctx()
    };
    let copy = async |from: RecordName, to: RecordName| {
        let bytes = records.get(&from).await.unwrap().unwrap().value;
        records.put(&to, &bytes, Expect::Any).await.unwrap();
    };
    let high_water = |address: &str| RecordName::high_water("", address).unwrap();
    copy(high_water("0xab"), high_water("0xcd")).await;
    for ctx in [other, other_wallet, provider] {
        let read = WalletGuard::new("", &ctx)
            .read_high_water(vault, &access())
            .await;
        assert!(
            matches!(read, Err(Error::Corrupt { .. })),
            "{ctx:?}: {read:?}"
        );
    }
    let lock_name = |number| RecordName::lock("", "0xab", Generation(number)).unwrap();
    copy(lock_name(4), lock_name(5)).await;
    let read = mine.read_lock(vault, Generation(5), &access()).await;
    assert!(matches!(read, Err(Error::Corrupt { .. })), "{read:?}");
    assert!(
        mine.is_locked(vault, Generation(5)).await.unwrap(),
        "when in doubt, locked"
    );
}

#[tokio::test]
async fn a_damaged_mark_is_an_error_and_never_none() {
    let memory = memory();
    let guard = WalletGuard::new("", &ctx());
    guard
        .raise_high_water(&memory.vault, Generation(4), &access())
        .await
        .unwrap();
    let name = RecordName::high_water("", "0xab").unwrap();
    memory
        .records
        .put(&name, b"junk", Expect::Any)
        .await
        .unwrap();
    let read = guard.read_high_water(&memory.vault, &access()).await;
    assert!(matches!(read, Err(Error::Corrupt { .. })), "{read:?}");
    let raised = guard
        .raise_high_water(&memory.vault, Generation(9), &access())
        .await;
    assert!(matches!(raised, Err(Error::Corrupt { .. })), "{raised:?}");
}

#[tokio::test]
async fn the_first_lock_stands() {
    let memory = memory();
    let (vault, guard) = (&memory.vault, WalletGuard::new("", &ctx()));
    let generation = Generation(7);
    assert!(!guard.is_locked(vault, generation).await.unwrap());
    assert_eq!(
        guard.read_lock(vault, generation, &access()).await.unwrap(),
        None
    );
    let write = async |reason| {
        guard
            .write_lock(vault, generation, &lock(reason), &access())
            .await
            .unwrap()
    };
    assert_eq!(write("first").await, lock("first"));
    assert_eq!(write("second").await, lock("first"));
    let read = guard.read_lock(vault, generation, &access()).await.unwrap();
    assert_eq!(read, Some(lock("first")));
    assert!(
        !guard.is_locked(vault, Generation(8)).await.unwrap(),
        "one generation only"
    );
}

#[tokio::test]
async fn a_process_that_cannot_open_locks_and_obeys_them() {
    let memory = memory();
    let guard = WalletGuard::new("", &ctx());
    let parts = VaultParts {
        unwrap: None,
        ..memory.vault.parts().clone()
    };
    let blind = Vault::new(parts);
    guard
        .write_lock(&blind, Generation(7), &lock("x"), &access())
        .await
        .unwrap();
    assert!(guard.is_locked(&blind, Generation(7)).await.unwrap());
    let read = guard.read_lock(&blind, Generation(7), &access()).await;
    assert!(matches!(read, Err(Error::Forbidden(_))));
}
