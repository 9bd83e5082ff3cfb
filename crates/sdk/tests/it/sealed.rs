//! A key that goes to a recipient alone: neither half has it, and outside tools open it.

use std::sync::Arc;
use std::time::Duration;

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::age::{Identity, Recipient};
use halfkey::{CreateOptions, Error, SealedKey, ThresholdSignatureScheme, WalletStore};
use halfkey_core::random::os_rng;
use halfkey_core::wire::{ErrorCode, Scope};
use halfkey_core::{ChainName, Clock};
use halfkey_server::Limits;
use halfkey_testkit::clock::FakeClock;
use halfkey_testkit::judge::{self, Question};
use serde_json::Value;

use crate::provider::{Provider, Setup};
use crate::vaults::Storage;

/// The pair of age's published test vectors: known to everybody.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

pub(crate) fn known() -> (Identity, Recipient) {
    let identity: Identity = IDENTITY.parse().unwrap();
    let recipient = identity.recipient();
    (identity, recipient)
}

pub(crate) async fn create(
    store: &WalletStore,
    chain: ChainName,
    scheme: ThresholdSignatureScheme,
) -> String {
    let options = CreateOptions::default();
    let made = store.create(chain, scheme, &options).await.unwrap();
    made.account_address
}

fn refused(error: &Error) -> bool {
    error.api_code() == Some(ErrorCode::RecipientRefused)
}

/// One part's text, by both judges.
pub(crate) fn opened(part: &Value) -> Value {
    let question = [Question::age_file(IDENTITY, part.as_str().unwrap())];
    let (rage, typage) = (judge::rage(&question), judge::typage(&question));
    assert_eq!(rage, typage);
    let text = rage[0]["ok"].as_str();
    serde_json::from_str(text.unwrap_or_else(|| panic!("{}", rage[0]))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_tools_open_what_was_sealed_and_find_the_wallets_address() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let (identity, recipient) = known();
    client
        .add_export_recipient(&recipient, "safe")
        .await
        .unwrap();
    for chain in [ChainName::Evm, ChainName::Svm] {
        let address = create(&store, chain, TwoOfTwo).await;
        let sealed = store.export_to(&address, &recipient).await.unwrap();
        let text = sealed.to_json().unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let parts = [&json["customer"], &json["provider"]].map(opened);
        let [customer, provider] = &parts;
        let question = if chain == ChainName::Evm {
            Question::evm_export(customer, provider)
        } else {
            Question::svm_export(customer, provider)
        };
        let judges = [judge::eth_account, judge::solders];
        let judge = judges[usize::from(chain == ChainName::Svm)];
        assert_eq!(judge(&[question])[0]["ok"], address.as_str());
        for part in &parts {
            let secret = part["scalar"].as_str().unwrap();
            assert!(!text.contains(secret), "a part stands in clear");
        }
        // And so does the recipient's own command.
        let read = SealedKey::from_json(&text).unwrap();
        assert_eq!(read, sealed);
        let key = read.open(&identity).unwrap();
        let found = halfkey_chain::address(chain, key.account_public_key()).unwrap();
        assert_eq!(found, address);
        let view = store.show(&address).await.unwrap();
        assert!(view.stored.custody_origin.exported());
        assert!(view.provider.unwrap().custody_origin.exported());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_three_party_wallet_and_a_changed_one_are_sealed_too() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let store = Storage::new().store(&client);
    let (identity, recipient) = known();
    client
        .add_export_recipient(&recipient, "safe")
        .await
        .unwrap();
    let address = create(&store, ChainName::Svm, TwoOfThree).await;
    store.refresh(&address, false).await.unwrap();
    let sealed = store.export_to(&address, &recipient).await.unwrap();
    let key = sealed.open(&identity).unwrap();
    let seed = key.ed25519_seed().unwrap();
    let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    assert_eq!(bs58::encode(public.to_bytes()).into_string(), address);
    // Somebody else cannot, nor can anybody pass it off as another wallet's.
    let error = sealed.open(&Identity::generate(&mut os_rng())).unwrap_err();
    assert!(error.to_string().contains("another key"), "{error}");
    let other = create(&store, ChainName::Svm, TwoOfTwo).await;
    let text = sealed.to_json().unwrap().replace(&address, &other);
    let error = SealedKey::from_json(&text).unwrap().open(&identity);
    assert!(matches!(error.unwrap_err(), Error::ShareOfAnotherWallet));
    for bad in [
        "",
        "{}",
        &text.replace("halfkey-export-v1", "halfkey-export-v2"),
    ] {
        assert!(SealedKey::from_json(bad).is_err());
    }
}

/// Nothing that is refused marks the wallet or gives a part away.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_to_a_listed_recipient_or_nowhere() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let store = Storage::new().store(&client);
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    let (identity, recipient) = known();
    let stranger = Identity::generate(&mut os_rng()).recipient();
    let error = store.export_to(&address, &recipient).await.unwrap_err();
    assert!(refused(&error), "{error}");
    client
        .add_export_recipient(&recipient, "safe")
        .await
        .unwrap();
    // From now on none in clear, and none to anybody else.
    for error in [
        store.export(&address).await.unwrap_err(),
        store.export_to(&address, &stranger).await.unwrap_err(),
    ] {
        assert!(refused(&error), "{error}");
    }
    client.remove_export_recipient(&recipient).await.unwrap();
    for error in [
        store.export(&address).await.unwrap_err(),
        store.export_to(&address, &recipient).await.unwrap_err(),
    ] {
        assert!(refused(&error), "{error}");
    }
    let view = store.show(&address).await.unwrap();
    assert!(!view.stored.custody_origin.exported());
    assert!(!view.provider.unwrap().custody_origin.exported());
    client
        .add_export_recipient(&recipient, "safe")
        .await
        .unwrap();
    let sealed = store.export_to(&address, &recipient).await.unwrap();
    sealed.open(&identity).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_is_used_only_after_its_delay() {
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
    let address = create(&store, ChainName::Svm, TwoOfTwo).await;
    let (_, recipient) = known();
    client
        .add_export_recipient(&recipient, "safe")
        .await
        .unwrap();
    clock.advance_millis(299_999);
    let error = store.export_to(&address, &recipient).await.unwrap_err();
    assert!(refused(&error), "{error}");
    clock.advance_millis(1);
    store.export_to(&address, &recipient).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_tokens_made_for_it_change_the_list() {
    let provider = Provider::start().await;
    let exporter: Vec<_> = Scope::ALL
        .into_iter()
        .filter(|one| *one != Scope::Recipients)
        .collect();
    let client = provider.client_of(&exporter).await;
    let (_, recipient) = known();
    let error = client
        .add_export_recipient(&recipient, "mine")
        .await
        .unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing), "{error}");
    let error = client
        .remove_export_recipient(&recipient)
        .await
        .unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing), "{error}");
    assert!(
        client
            .export_recipients()
            .await
            .unwrap()
            .recipients
            .is_empty()
    );
}
