//! One half is restored from an older copy and the other falls back to what both still hold.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{
    ChainName, CreateOptions, Error, FellBack, Generation, Health, PartyIndex, ResumeTarget,
    ThresholdSignatureScheme, WalletStore,
};
use halfkey_core::wire::{ErrorCode, Scope};

use crate::bare::verifies;
use crate::provider::Provider;
use crate::proxy::Proxy;
use crate::vaults::Storage;

const KINDS: [(ChainName, ThresholdSignatureScheme); 3] = [
    (ChainName::Svm, TwoOfTwo),
    (ChainName::Svm, TwoOfThree),
    (ChainName::Evm, TwoOfTwo),
];

async fn create(
    store: &WalletStore,
    (chain, scheme): (ChainName, ThresholdSignatureScheme),
) -> String {
    let made = store.create(chain, scheme, &CreateOptions::default()).await;
    made.unwrap().account_address
}

async fn sign(store: &WalletStore, address: &str) -> Result<(), Error> {
    if address.starts_with("0x") {
        let signature = store.sign_evm_message(address, "gm").await?;
        let signature: alloy_primitives::Signature = signature.parse().unwrap();
        let signer = signature.recover_address_from_msg("gm").unwrap();
        assert_eq!(signer.to_checksum(None), address);
    } else {
        let signature = store.sign_svm_message(address, "gm").await?;
        assert!(verifies(address, b"gm", &signature));
    }
    Ok(())
}

async fn refused(store: &WalletStore, address: &str, to: u64, code: ErrorCode) {
    let error = store.recover_generation(address, Generation(to)).await;
    let error = error.unwrap_err();
    assert_eq!(error.api_code(), Some(code), "{error}");
}

async fn recover(store: &WalletStore, address: &str, to: u64) -> FellBack {
    let fell = store.recover_generation(address, Generation(to)).await;
    fell.unwrap()
}

/// Nothing but a refresh runs, and that gets a number nobody ever had.
async fn refreshes_and_signs(store: &WalletStore, address: &str, (from, to): (u64, u64)) {
    let error = sign(store, address).await.unwrap_err();
    assert!(matches!(error, Error::FellBack { .. }), "{error}");
    let health = store.check(address).await.unwrap();
    assert!(matches!(health, Health::Locked { .. }), "{health:?}");
    let changed = store.refresh(address, false).await.unwrap();
    assert_eq!(
        (changed.before, changed.generation),
        (Generation(from), Generation(to))
    );
    sign(store, address).await.unwrap();
    let health = store.check(address).await.unwrap();
    assert!(matches!(health, Health::Signs), "{health:?}");
}

/// Only with the provider's operator, and once.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_vault_takes_the_provider_back_with_it() {
    let provider = Provider::start().await;
    for (epoch, kind) in (1..).zip(KINDS) {
        let storage = Storage::new();
        let client = provider.client().await;
        let newer = storage.store(&client);
        let address = create(&newer, kind).await;
        let older = storage.copy().await.store(&client);
        newer.refresh(&address, false).await.unwrap();
        let error = sign(&older, &address).await.unwrap_err();
        assert!(
            matches!(error, Error::ShareOfAnotherGeneration { .. }),
            "{error}"
        );

        refused(&older, &address, 0, ErrorCode::RecoverNotApproved).await;
        let approval = provider.approve(&address, 0).await.unwrap();
        assert_eq!((approval.from, approval.to), (Generation(1), Generation(0)));
        // The leave alone changes nothing.
        sign(&newer, &address).await.unwrap();
        let fell = recover(&older, &address, 0).await;
        assert_eq!(
            (fell.generation, fell.high_water, fell.restore_epoch),
            (Generation(0), Generation(1), epoch)
        );
        assert_eq!(fell.properties.account_address, address);
        // Repeated, as after a lost answer, it ends where it was.
        assert_eq!(recover(&older, &address, 0).await, fell);
        refreshes_and_signs(&older, &address, (0, 2)).await;
        // What the old disk still held is of no use, and the leave is used up.
        sign(&newer, &address).await.unwrap_err();
        refused(&older, &address, 0, ErrorCode::RecoverNotApproved).await;
        sign(&older, &address).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_provider_takes_the_vault_back_with_it() {
    let mut provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let mut addresses = Vec::new();
    for kind in KINDS {
        addresses.push(create(&store, kind).await);
    }
    provider.back_up().await;
    let store = storage.store(&provider.client().await);
    for address in &addresses {
        store.refresh(address, false).await.unwrap();
    }
    // Without a restore nothing falls back: neither half, by no leave.
    refused(&store, &addresses[0], 1, ErrorCode::NotRestored).await;
    sign(&store, &addresses[0]).await.unwrap();
    provider.restore().await;
    let store = storage.store(&provider.client().await);
    for address in &addresses {
        sign(&store, address).await.unwrap_err();
        refused(&store, address, 1, ErrorCode::GenerationGone).await;
        let fell = recover(&store, address, 0).await;
        assert_eq!(
            (fell.generation, fell.high_water, fell.restore_epoch),
            (Generation(0), Generation(1), 1)
        );
        refreshes_and_signs(&store, address, (0, 2)).await;
        // Another process, with nothing in memory, finds the same.
        sign(&storage.store(&provider.client().await), address)
            .await
            .unwrap();
    }
}

/// The row is lost, the high-water record is not: the wallet does not sign under the old one until
/// an operator says so.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_row_beside_the_newer_mark_falls_back_the_same_way() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let client = provider.client().await;
    let store = storage.store(&client);
    let address = create(&store, KINDS[0]).await;
    let before = storage.copy().await;
    store.refresh(&address, false).await.unwrap();
    storage.put_back(&before, "/state").await;
    let error = sign(&store, &address).await.unwrap_err();
    assert!(matches!(error, Error::VaultState(_)), "{error}");
    provider.approve(&address, 0).await.unwrap();
    recover(&store, &address, 0).await;
    refreshes_and_signs(&store, &address, (0, 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burnt_generation_is_never_recovered() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let client = provider.client().await;
    let store = storage.destroying_store(&client);
    let address = create(&store, KINDS[0]).await;
    let older = storage.copy().await.store(&client);
    store.refresh(&address, true).await.unwrap();
    let error = store.recover_generation(&address, Generation(0)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::NotRecoverable { .. }), "{error}");
    // A vault from before the refresh does not know that it is burnt; the provider does.
    refused(&older, &address, 0, ErrorCode::GenerationBurnt).await;
    let error = provider.approve(&address, 0).await.unwrap_err();
    assert!(error.to_string().contains("burnt"), "{error}");
    sign(&store, &address).await.unwrap();
}

/// Custody rule 31: a plain refresh too, and also for a vault from before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_refresh_after_a_revocation_burns_the_delegate_s_generation() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let client = provider.client().await;
    let store = storage.store(&client);
    let address = create(&store, KINDS[0]).await;
    let key = halfkey::DelegationPrivateKey::generate().unwrap();
    let public = key.recipient_key().unwrap();
    let registered = client.register_delegation_key(&public.to_pem()).await;
    registered.unwrap();
    let recipient = halfkey::Recipient::Key(public);
    let options = halfkey::DelegationOptions::new(recipient);
    store.delegate(&address, &options).await.unwrap();
    let older = storage.copy().await.store(&client);
    let wallet = store.properties(&address).await.unwrap().wallet_id;
    client.revoke_delegations(&wallet).await.unwrap();
    let changed = store.refresh(&address, false).await.unwrap();
    assert_eq!(changed.generation, Generation(1));
    for store in [&store, &older] {
        refused(store, &address, 0, ErrorCode::GenerationBurnt).await;
    }
    let error = provider.approve(&address, 0).await.unwrap_err();
    assert!(error.to_string().contains("burnt"), "{error}");
    sign(&store, &address).await.unwrap();
}

const RECOVER: &str = "/generations/recover";

/// The same reply with one hex digit of the signature changed.
fn forged(reply: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(reply.to_vec()).unwrap();
    let at = text.find("\"signature\":\"").unwrap() + 13;
    let mut bytes = text.into_bytes();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_epoch_that_is_forged_foreign_or_used_moves_nothing() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let opts = provider.opts_at(&proxy.url()).max_retries(0);
    let opts = opts.body_format(halfkey::BodyFormat::Json);
    let client = provider.client_with(opts).await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let (address, other) = (
        create(&store, KINDS[0]).await,
        create(&store, KINDS[0]).await,
    );
    let older = storage.copy().await.store(&client);
    for address in [&address, &other] {
        store.refresh(address, false).await.unwrap();
        provider.approve(address, 0).await.unwrap();
    }
    recover(&older, &other, 0).await;
    let foreign = proxy.last_reply(RECOVER);
    for (reply, is_foreign) in [(foreign.clone(), true), (forged(&foreign), false)] {
        proxy.replay(RECOVER, reply);
        let error = older.recover_generation(&address, Generation(0)).await;
        let error = error.unwrap_err();
        match error {
            Error::Protocol(_) => assert!(is_foreign),
            Error::ProviderIdentityMismatch => assert!(!is_foreign),
            error => panic!("{error}"),
        }
    }
    proxy.stop_replaying();
    // Nothing moved: the vault that was never restored still signs.
    sign(&store, &address).await.unwrap();

    recover(&older, &address, 0).await;
    let used = proxy.last_reply(RECOVER);
    older.refresh(&address, false).await.unwrap();
    proxy.replay(RECOVER, used);
    provider.approve(&address, 0).await.unwrap();
    let error = older.recover_generation(&address, Generation(0)).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::RestoreEpochUsed { told: 2, known: 2 }),
        "{error}"
    );
    proxy.stop_replaying();
    sign(&older, &address).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_scope_or_another_s_share_recovers_nothing() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let address = create(&store, KINDS[0]).await;
    store.refresh(&address, false).await.unwrap();
    provider.approve(&address, 0).await.unwrap();
    let small = storage.store(&provider.client_of(&Scope::DEFAULT).await);
    refused(&small, &address, 0, ErrorCode::ScopeMissing).await;
    let error = store.recover_generation(&address, Generation(7)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::NotRecoverable { .. }), "{error}");
    sign(&store, &address).await.unwrap();
}

/// A change that the provider has forgotten is unpinned by its signed word and later epoch (custody
/// rule 6), and the generation before signs on.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_a_restored_provider_forgot_is_unpinned() {
    let mut provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let address = create(&store, (ChainName::Svm, TwoOfThree)).await;
    provider.back_up().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let opts = provider.opts_at(&proxy.url()).max_retries(0);
    let store = storage.store(&provider.client_with(opts).await);
    proxy.replay(
        "/commit",
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n".to_vec(),
    );
    let error = store
        .replace_share(&address, PartyIndex::CUSTOMER_2)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::LeftPending { .. }), "{error}");
    assert_eq!(store.pending().await.unwrap().len(), 1);
    provider.restore().await;
    let store = storage.store(&provider.client().await);
    store.resume(ResumeTarget::All).await.unwrap();
    assert!(store.pending().await.unwrap().is_empty());
    sign(&store, &address).await.unwrap();
    // Its number is not used again.
    let changed = store.refresh(&address, false).await.unwrap();
    assert_eq!(changed.generation, Generation(2));
}
