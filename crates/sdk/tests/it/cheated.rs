//! A provider that cheats: the lock is written before the caller hears of it, and stays.

use std::sync::{Arc, Mutex};

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use async_trait::async_trait;
use halfkey::{Error, EvmWalletClient, StoreOptions, WalletClient};
use halfkey_core::random::os_rng;
use halfkey_core::wire::{CeremonyReply, CeremonyRound, SignMessageRequest};
use halfkey_core::{ChainName, Generation, PartyIndex, ThresholdSignatureScheme};
use halfkey_mpc::simulate::{Cheat, CheatingSign};
use halfkey_mpc::{Action, Ceremony as _, SignParams};
use halfkey_vault::store::memory::MemoryRecords;
use halfkey_vault::{Error as VaultError, Expect, PutRecord, RecordName, Rev, VaultParts};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::http::{Request, read_request, respond};
use crate::seeds::{Seeded, Which, opts};

pub(crate) struct Cheater {
    which: Which,
    cheat: Cheat,
    /// Openings of signatures so far.
    openings: usize,
    live: Option<CheatingSign>,
}

/// Signs for a test wallet, cheating in one message of each ceremony.
pub(crate) async fn cheating_provider(which: Which, cheat: Cheat) -> (String, Arc<Mutex<Cheater>>) {
    let cheater = Arc::new(Mutex::new(Cheater {
        which,
        cheat,
        openings: 0,
        live: None,
    }));
    let shared = Arc::clone(&cheater);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(request) = read_request(&mut stream).await else {
                continue;
            };
            if request.path.ends_with("/authenticate") {
                let body = br#"{"message":"ok","encodedJwts":{"jwt":"t","minifiedJwt":"t"}}"#;
                respond(
                    &mut stream,
                    "200 OK\r\ncontent-type: application/json",
                    body,
                )
                .await;
                continue;
            }
            let reply = shared.lock().unwrap().answer(&request);
            let Some(reply) = reply else {
                respond(&mut stream, "404 Not Found", b"").await;
                continue;
            };
            let mut body = Vec::new();
            ciborium::into_writer(&reply, &mut body).unwrap();
            respond(
                &mut stream,
                "200 OK\r\ncontent-type: application/cbor",
                &body,
            )
            .await;
        }
    });
    (url, cheater)
}

impl Cheater {
    fn answer(&mut self, request: &Request) -> Option<CeremonyReply> {
        let messages = if request.path.ends_with("/signMessage") {
            self.openings += 1;
            let request: SignMessageRequest =
                ciborium::from_reader(request.body.as_slice()).unwrap();
            self.live = Some(self.open(&request));
            request.ceremony.messages
        } else if request.path.contains("/ceremonies/") {
            let round: CeremonyRound = ciborium::from_reader(request.body.as_slice()).unwrap();
            round.messages
        } else {
            return None;
        };
        let run = self.live.as_mut().unwrap();
        for message in &messages {
            run.message(message).unwrap();
        }
        let Action::Send(messages) = run.poll() else {
            panic!("nothing to send")
        };
        let next = Some("sdk/e/waas/ceremonies/next".to_owned());
        Some(CeremonyReply {
            next,
            messages,
            created: None,
            signed: None,
            activity: None,
        })
    }

    fn open(&self, request: &SignMessageRequest) -> CheatingSign {
        let context = request.context.as_ref();
        let (message, formatted) = (&request.message, request.is_formatted);
        let found = halfkey_chain::classify(ChainName::Evm, message, formatted, context).unwrap();
        let share = self.which.load(PartyIndex::PROVIDER);
        let params = SignParams {
            ceremony: request.ceremony.ceremony_id,
            operation: found.operation,
            input: found.input,
            counterparty: PartyIndex::CUSTOMER_1,
        };
        CheatingSign::responder(Arc::new(share), params, os_rng(), self.cheat).unwrap()
    }
}

pub(crate) async fn client(url: &str) -> WalletClient {
    let mut client = WalletClient::new(opts(url)).unwrap();
    client.authenticate_api_token("hk_any").await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn proven_cheating_locks_the_generation_on_this_side_for_good() {
    let which = Which::numbered(TwoOfTwo, 1);
    let (url, cheater) = cheating_provider(which, Cheat::OtExtension).await;
    let openings = || cheater.lock().unwrap().openings;
    let client = client(&url).await;
    let seeded = Seeded::of(which, "active").await;
    let (storage, address, own) = (&seeded.storage, &seeded.address, &seeded.own);
    let share = seeded.share.clone();

    let store = storage.store(&client);
    let error = store.sign_evm_message(address, "hello").await.unwrap_err();
    let Error::PeerMisbehaved { lock } = &error else {
        panic!("{error:?}")
    };
    assert!(!error.is_retryable());
    assert_eq!(lock.wallet, own.header().wallet);
    assert_eq!(openings(), 1, "a signature was repeated");

    // Every later load refuses: same store, new store, and bare clients of this process.
    for store in [store, storage.store(&client)] {
        let error = store.sign_evm_message(address, "hello").await.unwrap_err();
        assert!(matches!(error, Error::WalletLocked { .. }), "{error:?}");
        let view = store.show(address).await.unwrap();
        assert_eq!(view.stored.state, "locked");
        assert_eq!(
            view.lock_note,
            Some("a lock ends by a refresh: halfkey wallet refresh")
        );
    }
    let wallet = own.header().wallet.to_string();
    let properties = halfkey::WalletProperties::new("EVM", wallet, address.clone());
    let bare = EvmWalletClient::new(&client);
    let error = bare
        .sign_message(&properties, &[share], "hello")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WalletLocked { .. }), "{error:?}");
    assert_eq!(openings(), 1);

    // The record decides: a row put back to `active` changes nothing (custody rule 13).
    seeded.put_row(&seeded.row("active", true)).await;
    let error = storage
        .store(&client)
        .sign_evm_message(address, "hello")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WalletLocked { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_signature_that_does_not_verify_locks_the_generation() {
    let which = Which::numbered(TwoOfThree, 2);
    let (url, cheater) = cheating_provider(which, Cheat::LastValue).await;
    let client = client(&url).await;
    let seeded = Seeded::of(which, "active").await;
    let store = seeded.storage.store(&client);
    for number in 1..=3 {
        let error = store
            .sign_evm_message(&seeded.address, "hello")
            .await
            .unwrap_err();
        match number {
            3 => assert!(matches!(error, Error::PeerMisbehaved { .. }), "{error:?}"),
            _ => assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}"),
        }
    }
    assert_eq!(cheater.lock().unwrap().openings, 3);
    let count = RecordName::new(format!("wallet:{}/suspect/0", seeded.address)).unwrap();
    assert!(seeded.vault.get_row(&count).await.unwrap().is_some());
    assert!(
        seeded
            .guard
            .is_locked(&seeded.vault, Generation(0))
            .await
            .unwrap()
    );
}

/// Holds back the write of a lock until it is told to go on.
struct SlowLocks {
    inner: Arc<MemoryRecords>,
    begun: Notify,
    go_on: Notify,
    /// The write has ended, or whoever waited for it has left.
    ended: Arc<Notify>,
}

struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[async_trait]
impl PutRecord for SlowLocks {
    async fn put(
        &self,
        name: &RecordName,
        bytes: &[u8],
        expect: Expect,
    ) -> Result<Rev, VaultError> {
        if !name.as_str().contains("/lock") {
            return self.inner.put(name, bytes, expect).await;
        }
        let _ended = NotifyOnDrop(Arc::clone(&self.ended));
        self.begun.notify_one();
        self.go_on.notified().await;
        self.inner.put(name, bytes, expect).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_stored_though_the_caller_leaves_between_the_proof_and_the_write() {
    let which = Which::numbered(TwoOfTwo, 3);
    let (url, _cheater) = cheating_provider(which, Cheat::OtExtension).await;
    let client = client(&url).await;
    let seeded = Seeded::of(which, "active").await;
    let slow = Arc::new(SlowLocks {
        inner: Arc::clone(&seeded.storage.records),
        begun: Notify::new(),
        go_on: Notify::new(),
        ended: Arc::default(),
    });
    let parts = VaultParts {
        put: Some(Arc::<SlowLocks>::clone(&slow)),
        ..seeded.storage.parts()
    };
    let store = seeded
        .storage
        .store_with(&client, parts, StoreOptions::default());
    let caller = async move { store.sign_evm_message(&seeded.address, "hello").await };
    tokio::select! {
        result = caller => panic!("came back before the lock was stored: {result:?}"),
        () = slow.begun.notified() => {}
    }
    // The caller's future and its store are gone.
    slow.go_on.notify_one();
    slow.ended.notified().await;
    let is_locked = seeded.guard.is_locked(&seeded.vault, Generation(0)).await;
    assert!(is_locked.unwrap(), "the lock went with the caller");
}

/// Custody rule 13: it holds in this process at once, is shown, and can be stored later.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_could_not_be_stored_is_carried_shown_and_stored_later() {
    let which = Which::numbered(TwoOfTwo, 4);
    let (url, _cheater) = cheating_provider(which, Cheat::OtExtension).await;
    let client = client(&url).await;
    let seeded = Seeded::of(which, "active").await;
    let full = || seeded.storage.store_that_is_full_after(&client, 0);
    let error = full().sign_evm_message(&seeded.address, "hello").await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::LockNotStored { .. }), "{error:?}");
    let wrapped = Error::LeftPending {
        attempt: seeded.own.header().attempt,
        source: Box::new(error),
    };
    let token = wrapped.unstored_lock().unwrap();
    assert_eq!(wrapped.lock_token(), Some(token));

    let store = seeded.storage.store(&client);
    assert_eq!(store.list().await.unwrap()[0].state, "locked");
    let view = store.show(&seeded.address).await.unwrap();
    assert_eq!(view.locked_generations, [Generation(0)]);
    let error = store.sign_evm_message(&seeded.address, "hello").await;
    assert!(matches!(error, Err(Error::WalletLocked { .. })));

    let is_stored = || seeded.guard.is_locked(&seeded.vault, Generation(0));
    full().restore_lock(token).await.unwrap_err();
    assert!(!is_stored().await.unwrap());
    store.restore_lock(token).await.unwrap();
    assert!(is_stored().await.unwrap());
}
