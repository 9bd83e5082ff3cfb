//! Earlier generations are kept for the other half's horizon, and no longer (custody rule 9).

use std::sync::Arc;
use std::time::Duration;

use ThresholdSignatureScheme::TwoOfTwo;
use halfkey::{
    ChainName, CreateOptions, Error, Generation, StoreOptions, ThresholdSignatureScheme,
    WalletStore,
};
use halfkey_core::wire::ErrorCode;
use halfkey_server::Limits;
use halfkey_testkit::clock::FakeClock;
use halfkey_vault::VaultParts;

use crate::provider::{Provider, Setup};
use crate::vaults::Storage;

const DAY: u64 = 86_400_000;

struct World {
    provider: Provider,
    clock: Arc<FakeClock>,
    storage: Storage,
}

impl World {
    /// Copies of the provider reach back ten days, of the customer five.
    async fn new(limits: Limits) -> Self {
        let clock = Arc::new(FakeClock::default());
        let setup = Setup {
            limits: Limits {
                backup_horizon: Duration::from_hours(10 * 24),
                ..limits
            },
            clock: Arc::<FakeClock>::clone(&clock),
            ..Setup::default()
        };
        Self {
            provider: Provider::start_with(setup).await,
            clock,
            storage: Storage::new(),
        }
    }

    async fn store(&self, kept_generations: usize) -> WalletStore {
        let opts = self.provider.opts();
        let opts = opts.clock(Arc::<FakeClock>::clone(&self.clock));
        let client = self.provider.client_with(opts).await;
        let records = Arc::clone(&self.storage.records);
        let parts = VaultParts {
            destroy: Some(records),
            ..self.storage.parts()
        };
        let options = StoreOptions {
            backup_horizon: Duration::from_hours(5 * 24),
            kept_generations,
            ..StoreOptions::default()
        };
        self.storage.store_with(&client, parts, options)
    }

    /// The provider sweeps when it starts.
    async fn after(&mut self, millis: u64) -> WalletStore {
        self.provider.stop().await;
        self.clock.advance_millis(i64::try_from(millis).unwrap());
        self.provider.start_again().await;
        self.store(128).await
    }
}

async fn create(store: &WalletStore) -> String {
    let options = CreateOptions::default();
    let made = store.create(ChainName::Svm, TwoOfTwo, &options).await;
    made.unwrap().account_address
}

#[tokio::test(flavor = "multi_thread")]
async fn each_half_keeps_a_generation_for_the_other_s_horizon_and_no_longer() {
    let mut world = World::new(Limits::default()).await;
    let store = world.store(128).await;
    let address = create(&store).await;
    let first = store.show(&address).await.unwrap().records;
    for _ in 0..2 {
        store.refresh(&address, false).await.unwrap();
    }
    let newest = store.show(&address).await.unwrap().records;

    // Exactly at the horizon a copy may still need it.
    let store = world.after(5 * DAY).await;
    world.provider.approve(&address, 0).await.unwrap();
    let swept = store.sweep().await.unwrap();
    assert_eq!(swept.horizon, Some(Duration::from_hours(10 * 24)));
    assert_eq!((swept.shredded.len(), swept.kept), (0, 2));

    // The customer's has passed: the provider's shares are gone, this half's are not.
    let store = world.after(1).await;
    let error = world.provider.approve(&address, 0).await.unwrap_err();
    assert!(error.to_string().contains("shredded"), "{error}");
    let recovered = store.recover_generation(&address, Generation(1)).await;
    let code = recovered.unwrap_err().api_code();
    assert_eq!(code, Some(ErrorCode::GenerationGone));
    assert_eq!(store.sweep().await.unwrap().kept, 2);
    assert!(world.storage.holds(&first[0]).await);

    // Then the provider's.
    let store = world.after(5 * DAY).await;
    let swept = store.sweep().await.unwrap();
    let gone = |number| (address.clone(), Generation(number));
    assert_eq!((swept.shredded, swept.kept), (vec![gone(0), gone(1)], 0));
    assert!(!world.storage.holds(&first[0]).await);
    assert!(world.storage.holds(&newest[0]).await);
    let error = store.recover_generation(&address, Generation(0)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::NotRecoverable { .. }), "{error}");
    // Once: nothing is left to destroy, and what signs still does.
    let events = world.storage.audit.events().len();
    assert!(store.sweep().await.unwrap().shredded.is_empty());
    let more = world.storage.audit.events().split_off(events);
    assert!(more.iter().all(|event| event.action != "destroy"));
    store.sign_svm_message(&address, "gm").await.unwrap();
    let changed = store.refresh(&address, false).await.unwrap();
    assert_eq!(changed.generation, Generation(3));
}

/// Of the newest generation nothing is ever shredded, however old it is.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_generation_is_kept_for_ever() {
    let mut world = World::new(Limits::default()).await;
    let address = create(&world.store(128).await).await;
    let store = world.after(1000 * DAY).await;
    assert!(store.sweep().await.unwrap().shredded.is_empty());
    store.sign_svm_message(&address, "gm").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_within_a_horizon_are_capped_on_both_sides() {
    let limits = Limits {
        kept_generations: 2,
        ..Limits::default()
    };
    let mut world = World::new(limits).await;
    let ours = world.store(1).await;
    let address = create(&ours).await;
    ours.refresh(&address, false).await.unwrap();
    let error = ours.refresh(&address, false).await.unwrap_err();
    let is_ours = matches!(error, Error::TooManyChanges { kept: 1, limit: 1 });
    assert!(is_ours, "{error}");

    let store = world.store(128).await;
    store.refresh(&address, false).await.unwrap();
    let error = store.refresh(&address, false).await.unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::TooManyChanges), "{error}");
    // What shreds is let through, and so is the next change after the horizon.
    store.refresh(&address, true).await.unwrap();
    for _ in 0..2 {
        store.refresh(&address, false).await.unwrap();
    }
    let store = world.after(10 * DAY + 1).await;
    store.sweep().await.unwrap();
    store.refresh(&address, false).await.unwrap();
    store.sign_svm_message(&address, "gm").await.unwrap();
}
