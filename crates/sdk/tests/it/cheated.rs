//! A provider that cheats: the lock is written before the caller hears of it, and stays.

use std::sync::{Arc, Mutex};

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{Error, EvmWalletClient, WalletClient};
use halfkey_core::random::os_rng;
use halfkey_core::wire::{CeremonyReply, CeremonyRound, SignMessageRequest};
use halfkey_core::{ChainName, Generation, PartyIndex, ThresholdSignatureScheme};
use halfkey_mpc::simulate::{Cheat, CheatingSign};
use halfkey_mpc::{Action, Ceremony as _, SignParams, test_shares};
use halfkey_vault::RecordName;
use tokio::net::TcpListener;

use crate::http::{Request, read_request, respond};
use crate::seeds::{KIND, Seeded, opts};

struct Cheater {
    scheme: ThresholdSignatureScheme,
    cheat: Cheat,
    /// Openings of signatures so far.
    openings: usize,
    live: Option<CheatingSign>,
}

/// Signs for a test wallet, cheating in one message of each ceremony.
async fn cheating_provider(
    scheme: ThresholdSignatureScheme,
    cheat: Cheat,
) -> (String, Arc<Mutex<Cheater>>) {
    let cheater = Arc::new(Mutex::new(Cheater {
        scheme,
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
        let share = test_shares::load(KIND, self.scheme, PartyIndex::PROVIDER).unwrap();
        let params = SignParams {
            ceremony: request.ceremony.ceremony_id,
            operation: found.operation,
            input: found.input,
            counterparty: PartyIndex::CUSTOMER_1,
        };
        CheatingSign::responder(Arc::new(share), params, os_rng(), self.cheat).unwrap()
    }
}

async fn client(url: &str) -> WalletClient {
    let mut client = WalletClient::new(opts(url)).unwrap();
    client.authenticate_api_token("hk_any").await.unwrap();
    client
}

/// One wallet, one test: the lock is process-wide.
#[tokio::test(flavor = "multi_thread")]
async fn proven_cheating_locks_the_generation_on_this_side_for_good() {
    let (url, cheater) = cheating_provider(TwoOfTwo, Cheat::OtExtension).await;
    let openings = || cheater.lock().unwrap().openings;
    let client = client(&url).await;
    let seeded = Seeded::new(TwoOfTwo, "active").await;
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
        assert_eq!(view.lock_note, Some("a lock is final until refresh exists"));
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
    let (url, cheater) = cheating_provider(TwoOfThree, Cheat::LastValue).await;
    let client = client(&url).await;
    let seeded = Seeded::new(TwoOfThree, "active").await;
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
