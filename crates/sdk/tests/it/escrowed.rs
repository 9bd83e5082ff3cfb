//! The provider's share in escrow: no commit without it, and the key back without the provider
//! (custody rule 30).

use std::sync::Arc;
use std::time::Duration;

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::age::Identity;
use halfkey::{
    Error, EscrowError, EscrowFile, PendingWallet, RootKey, StoreOptions, SvmWalletClient,
    ThresholdSignatureScheme, WalletClient, WalletStore, open_escrow, read_escrow,
};
use halfkey_core::random::os_rng;
use halfkey_core::wire::{ErrorCode, Scope};
use halfkey_core::{ChainName, Clock};
use halfkey_server::Limits;
use halfkey_testkit::clock::FakeClock;

use crate::exported::evm_address;
use crate::provider::{Provider, Setup};
use crate::sealed::{create, known, opened};
use crate::vaults::Storage;

fn drawn() -> Identity {
    Identity::generate(&mut os_rng())
}

async fn register(client: &WalletClient, identity: &Identity) {
    let key = identity.recipient();
    client.add_escrow_key(&key, "safe 3").await.unwrap();
}

fn escrow_error<T: core::fmt::Debug>(result: halfkey::Result<T>) -> EscrowError {
    match result.unwrap_err() {
        Error::Escrow(error) => error,
        other => panic!("{other:?}"),
    }
}

fn unacknowledged(error: &Error) -> bool {
    error.api_code() == Some(ErrorCode::EscrowUnacknowledged)
}

/// The address that other code than ours finds for the key.
fn address_of(key: &RootKey) -> String {
    if key.header().key_type.uses_ot() {
        return evm_address(&key.evm_private_key().unwrap());
    }
    let seed = key.ed25519_seed().unwrap();
    let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    bs58::encode(public.to_bytes()).into_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_in_escrow_outlives_its_provider() {
    let mut provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let (identity, recipient) = known();
    client.add_escrow_key(&recipient, "safe 3").await.unwrap();
    let evm = create(&store, ChainName::Evm, TwoOfTwo).await;
    let svm = create(&store, ChainName::Svm, TwoOfTwo).await;
    // Nothing of it needs a third share, and a reshare back comes under escrow again.
    let three = create(&store, ChainName::Svm, TwoOfThree).await;
    assert_eq!(store.escrow(&three).await.unwrap(), None);
    store.reshare(&three, TwoOfTwo).await.unwrap();
    store.refresh(&svm, false).await.unwrap();
    assert_eq!(store.escrows(&svm).await.unwrap().len(), 2);

    // What is inside says what it is, to any tool for age files; outside nothing secret stands.
    let file = store.escrow(&svm).await.unwrap().unwrap();
    let text = serde_json::to_string(&file).unwrap();
    let inside = opened(&serde_json::Value::from(file.sealed.as_str()));
    assert_eq!(inside["wallet"], file.wallet_id.to_string());
    assert_eq!(inside["generation"], 1);
    assert_eq!(inside["attempt"], file.attempt_id.to_string());
    assert_eq!(inside["verifying_share"], file.verifying_share.as_str());
    for secret in ["scalar", "seed"] {
        assert!(!text.contains(inside[secret].as_str().unwrap()));
    }
    assert_eq!(read_escrow(&text).unwrap(), file);

    // Both logs say so.
    let events = storage.audit.events();
    let stored = |event: &&halfkey_vault::audit::AuditEvent| {
        event.purpose == "escrow" && event.action == "store"
    };
    assert_eq!(events.iter().filter(stored).count(), 4);

    provider.stop().await;
    drop(provider);
    for address in [&evm, &svm, &three] {
        store.escrow_drill(address, &identity, None).await.unwrap();
        let exported = |one: &halfkey::StoredWallet| one.custody_origin.exported();
        let marked = store.list().await.unwrap();
        let marked = marked.iter().find(|one| one.account_address == **address);
        assert!(!exported(marked.unwrap()), "a drill marks nothing");
        let key = store.rescue_from_escrow(address, &identity, None).await;
        assert_eq!(address_of(&key.unwrap()), *address);
        let marked = store.list().await.unwrap();
        let marked = marked.iter().find(|one| one.account_address == **address);
        assert!(exported(marked.unwrap()));
    }
    // Without the identity there is no way.
    let error = store.rescue(&evm).await.unwrap_err();
    assert!(error.to_string().contains("escrow"), "{error}");
}

/// Cut short, and relabelled: the label inside decides.
fn forged(
    new: &EscrowFile,
    old: &EscrowFile,
    foreign: &EscrowFile,
) -> [(&'static str, EscrowFile, EscrowError); 4] {
    let of = |sealed: &str| EscrowFile {
        sealed: sealed.to_owned(),
        ..new.clone()
    };
    let relabelled = EscrowFile {
        verifying_share: old.verifying_share.clone(),
        ..new.clone()
    };
    let half = new.sealed.len() / 2;
    [
        ("truncated", of(&new.sealed[..half]), EscrowError::Damaged),
        (
            "another generation's inside",
            of(&old.sealed),
            EscrowError::Damaged,
        ),
        (
            "another wallet's inside",
            of(&foreign.sealed),
            EscrowError::Damaged,
        ),
        (
            "another share's label",
            relabelled,
            EscrowError::AnotherShare,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_says_what_is_missing_or_does_not_fit() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let identity = drawn();
    let bare = create(&store, ChainName::Svm, TwoOfTwo).await;
    let missing = escrow_error(store.escrow_drill(&bare, &identity, None).await);
    assert!(matches!(missing, EscrowError::Missing(generation) if generation.0 == 0));

    register(&client, &identity).await;
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    let old = store.escrow(&address).await.unwrap().unwrap();
    store.refresh(&address, false).await.unwrap();
    let new = store.escrow(&address).await.unwrap().unwrap();
    let other = create(&store, ChainName::Svm, TwoOfTwo).await;
    let foreign = store.escrow(&other).await.unwrap().unwrap();
    let drill = async |file: &EscrowFile, identity: &Identity| {
        store.escrow_drill(&address, identity, Some(file)).await
    };
    drill(&new, &identity).await.unwrap();
    let found = escrow_error(drill(&old, &identity).await);
    assert!(
        matches!(&found, EscrowError::AnotherGeneration { escrow, share }
            if (escrow.0, share.0) == (0, 1)),
        "{found}"
    );
    let found = escrow_error(drill(&foreign, &identity).await);
    assert_eq!(found, EscrowError::AnotherWallet);
    let found = escrow_error(drill(&new, &drawn()).await);
    assert_eq!(
        found,
        EscrowError::AnotherKey(identity.recipient().to_string())
    );
    for (what, file, wanted) in forged(&new, &old, &foreign) {
        let found = escrow_error(drill(&file, &identity).await);
        assert_eq!(found, wanted, "{what}");
    }
    for text in ["", "{}", &serde_json::to_string(&new).unwrap()[1..]] {
        assert_eq!(escrow_error(read_escrow(text)), EscrowError::Damaged);
    }
    // A vault that was put back from before the refresh has the older share: then the older escrow
    // is the one that fits, and the drill says so.
    let found = store.escrows(&address).await.unwrap();
    assert_eq!(found, [old, new]);
}

/// Custody rule 30: no acknowledgement, no commit.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_committed_before_its_escrow_is_acknowledged() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let identity = drawn();
    register(&client, &identity).await;
    let svm = SvmWalletClient::new(&client);
    // Whoever keeps its shares itself gets them back, and goes on from there.
    let made = svm.create_wallet_account(TwoOfTwo, None, false).await;
    let Err(Error::NotActivated(inner)) = made else {
        panic!("committed without escrow: {made:?}")
    };
    assert!(unacknowledged(&inner.source), "{}", inner.source);
    let shares = inner.shares;
    let other = svm.create_wallet_account(TwoOfTwo, None, false).await;
    let Err(Error::NotActivated(other)) = other else {
        panic!("committed without escrow")
    };
    let other = PendingWallet::from_shares(&client, &other.shares).unwrap();
    let foreign = other.escrow().await.unwrap();

    let mut pending = PendingWallet::from_shares(&client, &shares).unwrap();
    pending.prove(&shares).await.unwrap();
    // A proof alone is not enough either, nor somebody else's escrow.
    let found = escrow_error(pending.acknowledge_escrow(&foreign));
    assert_eq!(found, EscrowError::AnotherWallet);
    let error = pending.activate().await.unwrap_err();
    assert!(unacknowledged(&error), "{error}");
    let mut pending = PendingWallet::from_shares(&client, &shares).unwrap();
    pending.prove(&shares).await.unwrap();
    let file = pending.escrow().await.unwrap();
    assert_eq!(
        pending.escrow().await.unwrap(),
        file,
        "a repeat is the same"
    );
    // One that was changed after it was sealed has another digest.
    let changed = EscrowFile {
        sealed: foreign.sealed.clone(),
        ..file.clone()
    };
    pending.acknowledge_escrow(&changed).unwrap();
    let error = pending.activate().await.unwrap_err();
    assert!(unacknowledged(&error), "{error}");

    let mut pending = PendingWallet::from_shares(&client, &shares).unwrap();
    pending.prove(&shares).await.unwrap();
    pending.acknowledge_escrow(&file).unwrap();
    let properties = pending.activate().await.unwrap();
    let key = open_escrow(&file, &identity, &shares[0]).unwrap();
    assert_eq!(address_of(&key), properties.account_address);
    let signed = svm.sign_message(&properties, &shares, "gm").await;
    signed.unwrap();
}

/// The customer's side insists by itself: a provider that knows no key, or another, makes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_requires_a_key_makes_nothing_without_it() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let (identity, other) = (drawn(), drawn());
    let options = StoreOptions {
        escrow_key: Some(identity.recipient()),
        ..StoreOptions::default()
    };
    let store = storage.store_with(&client, storage.parts(), options);
    let before = storage.store(&client);
    let address = create(&before, ChainName::Svm, TwoOfTwo).await;
    let create_svm = async |store: &WalletStore, scheme| {
        let options = halfkey::CreateOptions::default();
        store.create(ChainName::Svm, scheme, &options).await
    };
    for found in ["none", &other.recipient().to_string()] {
        for error in [
            escrow_error(create_svm(&store, TwoOfTwo).await),
            escrow_error(store.refresh(&address, false).await),
        ] {
            let wanted = EscrowError::NotAsRequired {
                required: identity.recipient().to_string(),
                found: found.to_owned(),
            };
            assert_eq!(error, wanted);
        }
        if found == "none" {
            register(&client, &other).await;
        }
    }
    assert!(
        store.pending().await.unwrap().is_empty(),
        "nothing was begun"
    );
    create_svm(&store, TwoOfThree).await.unwrap();
    register(&client, &identity).await;
    let made = create_svm(&store, TwoOfTwo).await.unwrap();
    let made = made.account_address;
    store.escrow_drill(&made, &identity, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_of_before_is_sealed_when_it_is_asked_for() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    let found = escrow_error(store.fetch_escrow(&address).await);
    assert_eq!(found, EscrowError::NotSealed);
    let (first, second) = (drawn(), drawn());
    register(&client, &first).await;
    let scopes: Vec<_> = Scope::ALL
        .into_iter()
        .filter(|one| *one != Scope::Escrow)
        .collect();
    let small = storage.store(&provider.client_of(&scopes).await);
    let error = small.fetch_escrow(&address).await.unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing), "{error}");
    let file = store.fetch_escrow(&address).await.unwrap();
    assert_eq!(store.fetch_escrow(&address).await.unwrap(), file);
    assert_eq!(store.escrow(&address).await.unwrap(), Some(file));
    store.escrow_drill(&address, &first, None).await.unwrap();

    // A new key takes over at once, and nothing is lost of what the old one opens.
    register(&client, &second).await;
    let again = store.fetch_escrow(&address).await.unwrap();
    assert_eq!(again.recipient, second.recipient().to_string());
    store.escrow_drill(&address, &second, None).await.unwrap();
    client.remove_escrow_key(&second.recipient()).await.unwrap();
    let back = store.fetch_escrow(&address).await.unwrap();
    assert_eq!(back.recipient, first.recipient().to_string());

    // A compromise shreds the escrows of before with the shares of before (custody rule 10).
    let shredding = storage.destroying_store(&client);
    shredding.refresh(&address, true).await.unwrap();
    let left = store.escrows(&address).await.unwrap();
    let left: Vec<_> = left.iter().map(|one| one.generation.0).collect();
    assert_eq!(left, [1]);
    let error = client.fetch_escrow(back.wallet_id, back.attempt_id).await;
    assert_eq!(escrow_error(error), EscrowError::NotSealed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_in_force_only_after_its_delay() {
    let clock = Arc::new(FakeClock::default());
    let shared: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
    let limits = Limits {
        recipient_delay: Duration::from_mins(5),
        ..Limits::default()
    };
    let setup = Setup {
        limits,
        clock: Arc::clone(&shared),
        ..Setup::default()
    };
    let provider = Provider::start_with(setup).await;
    let client = provider.client_with(provider.opts().clock(shared)).await;
    let store = Storage::new().store(&client);
    register(&client, &drawn()).await;
    clock.advance_millis(299_999);
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    assert_eq!(store.escrow(&address).await.unwrap(), None);
    assert_eq!(client.escrow_keys().await.unwrap().in_force, None);
    clock.advance_millis(1);
    assert!(client.escrow_keys().await.unwrap().in_force.is_some());
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    assert!(store.escrow(&address).await.unwrap().is_some());
}
