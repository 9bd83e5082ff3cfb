//! Refresh, reshare and replacement through `WalletStore`: same address, other shares.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{
    ChainName, CreateOptions, Error, Generation, Health, LockToken, PartyIndex, ResumeTarget,
    SvmWalletClient, ThresholdSignatureScheme, Variant, WalletStore,
};
use halfkey_core::wire::{ErrorCode, Scope};
use halfkey_core::{CeremonyId, UnixMillis};

use crate::bare::verifies;
use crate::provider::Provider;
use crate::vaults::Storage;

async fn create(store: &WalletStore, chain: ChainName, scheme: ThresholdSignatureScheme) -> String {
    let options = CreateOptions {
        variant: Variant::Ed25519Exportable,
        ..CreateOptions::default()
    };
    let created = store.create(chain, scheme, &options).await.unwrap();
    created.account_address
}

async fn signs(store: &WalletStore, address: &str) {
    if address.starts_with("0x") {
        let signature = store.sign_evm_message(address, "gm").await.unwrap();
        let signature: alloy_primitives::Signature = signature.parse().unwrap();
        let signer = signature.recover_address_from_msg("gm").unwrap();
        assert_eq!(signer.to_checksum(None), address);
    } else {
        let signature = store.sign_svm_message(address, "gm").await.unwrap();
        assert!(verifies(address, b"gm", &signature));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refreshed_wallet_keeps_its_address_and_signs() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    for (chain, scheme) in [
        (ChainName::Svm, TwoOfTwo),
        (ChainName::Svm, TwoOfThree),
        (ChainName::Evm, TwoOfTwo),
    ] {
        let store = storage.store(&provider.client().await);
        let address = create(&store, chain, scheme).await;
        for number in 1..=2 {
            let changed = store.refresh(&address, false).await.unwrap();
            assert_eq!(changed.properties.account_address, address);
            assert_eq!(changed.generation, Generation(number));
            assert_eq!(changed.before, Generation(number - 1));
            signs(&store, &address).await;
            if chain == ChainName::Evm {
                break;
            }
        }
        // Another process finds the same.
        let store = storage.store(&provider.client().await);
        signs(&store, &address).await;
        assert!(matches!(
            store.check(&address).await.unwrap(),
            Health::Signs
        ));
        assert!(store.pending().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reshared_wallet_goes_to_three_parties_and_back() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    let changed = store.reshare(&address, TwoOfThree).await.unwrap();
    assert_eq!(changed.properties.threshold_signature_scheme, TwoOfThree);
    signs(&store, &address).await;
    let view = store.show(&address).await.unwrap();
    assert!(view.stored.custody_origin.was_2of3());
    assert_eq!(view.records.len(), 2);
    let replaced = store
        .replace_share(&address, PartyIndex::CUSTOMER_2)
        .await
        .unwrap();
    assert_eq!(replaced.generation, Generation(2));
    signs(&store, &address).await;
    store.reshare(&address, TwoOfTwo).await.unwrap();
    signs(&store, &address).await;
    let view = store.show(&address).await.unwrap();
    assert!(
        view.stored.custody_origin.was_2of3(),
        "flags are only ever added"
    );
    let error = store.reshare(&address, TwoOfTwo).await.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_shares_do_not_sign_after_a_refresh() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client);
    let (properties, old) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let mut pending = client
        .refresh_wallet(&properties, &old, false)
        .await
        .unwrap();
    // Until the commit the old ones sign.
    svm.sign_message(&properties, &old, "gm").await.unwrap();
    let new = pending.shares().to_vec();
    pending.prove(&new).await.unwrap();
    let after = pending.activate().await.unwrap();
    assert_eq!(after.account_address, properties.account_address);
    let signature = svm.sign_message(&properties, &new, "gm").await.unwrap();
    assert!(verifies(&properties.account_address, b"gm", &signature));
    let error = svm.sign_message(&properties, &old, "gm").await.unwrap_err();
    let share = Generation(0);
    assert!(
        matches!(error, Error::ShareOfAnotherGeneration { share: found } if found == share),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_not_committed_without_its_proof() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client);
    let (properties, old) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let pending = client
        .refresh_wallet(&properties, &old, false)
        .await
        .unwrap();
    let error = pending.activate().await.unwrap_err();
    assert!(matches!(error, Error::NotActivated(_)), "{error}");
    svm.sign_message(&properties, &old, "gm").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compromised_refresh_shreds_what_was_before() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.destroying_store(&provider.client().await);
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    store.refresh(&address, false).await.unwrap();
    let kept = store.show(&address).await.unwrap();
    store.refresh(&address, true).await.unwrap();
    signs(&store, &address).await;
    for record in kept.records {
        assert!(!storage.holds(&record).await, "{record} is still there");
    }
    assert!(matches!(
        store.check(&address).await.unwrap(),
        Health::Signs
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_scope_or_without_the_share_changes_nothing() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client);
    let (properties, old) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let (_, others) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let small = provider.client_of(&Scope::DEFAULT).await;
    let error = small
        .refresh_wallet(&properties, &old, false)
        .await
        .unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing), "{error}");
    let error = client
        .refresh_wallet(&properties, &others, false)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ShareOfAnotherWallet), "{error}");
}

/// How many signatures race; `cargo xtask soak race` asks for more.
fn signatures() -> u64 {
    std::env::var("HALFKEY_SIGNATURES").map_or(96, |text| text.parse().unwrap())
}

/// Every signature is valid and none is lost while the shares change under them, 64 times for 1,000
/// signatures: one that meets a changed generation is made again by the store, with the new shares.
#[tokio::test(flavor = "multi_thread")]
async fn refreshes_race_with_signatures() {
    const SIGNERS: u64 = 4;
    let (signatures, refreshes) = (signatures(), (signatures() * 64).div_ceil(1000));
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    let mut signers = Vec::new();
    for _ in 0..SIGNERS {
        // Processes of their own: they learn of a change only from the store and the provider.
        let store = storage.store(&provider.client().await);
        let address = address.clone();
        signers.push(tokio::spawn(async move {
            for _ in 0..signatures / SIGNERS {
                signs(&store, &address).await;
            }
            signatures / SIGNERS
        }));
    }
    for number in 1..=refreshes {
        let changed = store.refresh(&address, false).await.unwrap();
        assert_eq!(changed.generation, Generation(number));
    }
    let mut made = 0;
    for signer in signers {
        made += signer.await.unwrap();
    }
    assert_eq!(made, signatures / SIGNERS * SIGNERS);
    println!("{made} signatures raced with {refreshes} refreshes: 0 lost");
    signs(&store, &address).await;
}

/// The customer has caught the provider cheating: no OT ceremony runs under that generation, its
/// refresh starts by a proof of knowledge, and the next one signs.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_ends_this_half_s_lock() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let address = create(&store, ChainName::Evm, TwoOfTwo).await;
    let view = store.show(&address).await.unwrap();
    let lock = LockToken {
        environment: provider.environment.clone(),
        wallet: view.stored.wallet,
        generation: view.stored.generation,
        attempt: view.stored.attempt,
        ceremony: CeremonyId::from_bytes([1; 16]),
        check: "consistency check".to_owned(),
        at: UnixMillis(0),
    };
    store.restore_lock(&lock).await.unwrap();
    let error = store.sign_evm_message(&address, "gm").await.unwrap_err();
    assert!(matches!(error, Error::WalletLocked { .. }), "{error}");
    assert!(matches!(
        store.check(&address).await.unwrap(),
        Health::Locked { .. }
    ));
    let changed = store.refresh(&address, false).await.unwrap();
    assert_eq!(
        (changed.before, changed.generation),
        (Generation(0), Generation(1))
    );
    signs(&store, &address).await;
    assert!(matches!(
        store.check(&address).await.unwrap(),
        Health::Signs
    ));
}

/// The process that refreshed after a compromise could not destroy the old records, or died before
/// it did: whoever settles next does.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_compromised_refresh_left_is_shredded_by_the_next_resume() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let client = provider.client().await;
    let store = storage.store(&client);
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    let old = store.show(&address).await.unwrap();
    let error = store.refresh(&address, true).await.unwrap_err();
    assert!(
        matches!(error, Error::Vault(_)),
        "it may not destroy: {error}"
    );
    signs(&store, &address).await;
    for record in &old.records {
        assert!(storage.holds(record).await);
    }
    let destroying = storage.destroying_store(&client);
    destroying.resume(ResumeTarget::All).await.unwrap();
    for record in &old.records {
        assert!(!storage.holds(record).await, "{record} is still there");
    }
    signs(&store, &address).await;
    // It is done once.
    let events = storage.audit.events().len();
    destroying.resume(ResumeTarget::All).await.unwrap();
    let more: Vec<_> = storage.audit.events().split_off(events);
    assert!(
        more.iter().all(|event| event.purpose != "change"),
        "{more:?}"
    );
}
