//! A provider that cheats: the lock is written before the caller hears of it, and stays.

use std::sync::{Arc, Mutex};

use halfkey::{
    Error, EvmWalletClient, PendingWallet, ServerKeyShare, WalletClient, WalletClientOpts,
};
use halfkey_core::random::os_rng;
use halfkey_core::wire::{CeremonyReply, SignMessageRequest};
use halfkey_core::{ChainName, KeyType, PartyIndex, ThresholdSignatureScheme};
use halfkey_mpc::simulate::{Cheat, CheatingSign};
use halfkey_mpc::{Action, Ceremony as _, SignParams, test_shares};
use halfkey_vault::{Access, Expect, Purpose, RecordName, Vault, WalletGuard};
use tokio::net::TcpListener;

use crate::http::{Request, read_request, respond};
use crate::vaults::Storage;

const KIND: KeyType = KeyType::EcdsaSecp256k1;
const SCHEME: ThresholdSignatureScheme = ThresholdSignatureScheme::TwoOfTwo;

/// Answers signatures of the test wallet by cheating in the OT extension.
async fn cheating_provider(requests: Arc<Mutex<usize>>) -> String {
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
            if !request.path.ends_with("/signMessage") {
                respond(&mut stream, "404 Not Found", b"").await;
                continue;
            }
            *requests.lock().unwrap() += 1;
            let reply = cheat(&request);
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
    url
}

fn cheat(request: &Request) -> CeremonyReply {
    let request: SignMessageRequest = ciborium::from_reader(request.body.as_slice()).unwrap();
    let found = halfkey_chain::classify(
        ChainName::Evm,
        &request.message,
        request.is_formatted,
        request.context.as_ref(),
    )
    .unwrap();
    let share = test_shares::load(KIND, SCHEME, PartyIndex::PROVIDER).unwrap();
    let params = SignParams {
        ceremony: request.ceremony.ceremony_id,
        operation: found.operation,
        input: found.input,
        counterparty: PartyIndex::CUSTOMER_1,
    };
    let cheat = Cheat::OtExtension;
    let mut run = CheatingSign::responder(Arc::new(share), params, os_rng(), cheat).unwrap();
    for message in &request.ceremony.messages {
        run.message(message).unwrap();
    }
    let Action::Send(messages) = run.poll() else {
        panic!("nothing to send")
    };
    let next = Some("sdk/e/waas/ceremonies/next".to_owned());
    CeremonyReply {
        next,
        messages,
        created: None,
        signed: None,
        activity: None,
    }
}

/// One wallet, one test: the lock is process-wide.
#[tokio::test(flavor = "multi_thread")]
async fn proven_cheating_locks_the_generation_on_this_side_for_good() {
    let requests = Arc::new(Mutex::new(0));
    let url = cheating_provider(Arc::clone(&requests)).await;
    let opts = WalletClientOpts::new(test_shares::ENVIRONMENT).base_api_url(url);
    let mut client = WalletClient::new(opts).unwrap();
    client.authenticate_api_token("hk_any").await.unwrap();
    let encoded = test_shares::encoded(KIND, SCHEME, PartyIndex::CUSTOMER_1);
    let own = test_shares::load(KIND, SCHEME, PartyIndex::CUSTOMER_1).unwrap();
    let share = ServerKeyShare::from_encoded(own.header().key_share.to_string(), &encoded);
    let storage = Storage::new();
    let address = seed(&storage, &client, &share).await;

    let store = storage.store(&client);
    let error = store.sign_evm_message(&address, "hello").await.unwrap_err();
    let Error::PeerMisbehaved { lock } = &error else {
        panic!("{error:?}")
    };
    assert!(!error.is_retryable());
    assert_eq!(lock.wallet, own.header().wallet);
    assert_eq!(*requests.lock().unwrap(), 1, "a signature was repeated");

    // Every later load refuses: same store, new store, and bare clients of this process.
    for store in [store, storage.store(&client)] {
        let error = store.sign_evm_message(&address, "hello").await.unwrap_err();
        assert!(matches!(error, Error::WalletLocked { .. }), "{error:?}");
        let view = store.show(&address).await.unwrap();
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
    assert_eq!(*requests.lock().unwrap(), 1);

    // The record decides: a row put back to `active` changes nothing (custody rule 13).
    let name = RecordName::state("", &address).unwrap();
    let vault = Vault::new(storage.parts());
    vault
        .put_row(&name, row(&own).to_string().as_bytes(), Expect::Any)
        .await
        .unwrap();
    let error = storage
        .store(&client)
        .sign_evm_message(&address, "hello")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WalletLocked { .. }), "{error:?}");
}

/// Puts an active wallet into the storage, as create would have left it.
async fn seed(storage: &Storage, client: &WalletClient, share: &ServerKeyShare) -> String {
    let pending = PendingWallet::from_shares(client, std::slice::from_ref(share)).unwrap();
    let hint = &pending.seal_hint()[0];
    let vault = Vault::new(storage.parts());
    let access = Access {
        actor: "test".to_owned(),
        purpose: Purpose::Create,
        request_id: halfkey_core::RequestId::from_bytes([1; 16]),
    };
    let name = RecordName::new(hint.active_name.clone()).unwrap();
    let plaintext = share.decode_secret().unwrap();
    let ctx = hint.bind_ctx();
    vault
        .store(&name, &ctx, &plaintext, Expect::Absent, &access)
        .await
        .unwrap();
    let guard = WalletGuard::new("", &ctx);
    guard
        .raise_high_water(&vault, hint.generation, &access)
        .await
        .unwrap();
    let own = test_shares::load(KIND, SCHEME, PartyIndex::CUSTOMER_1).unwrap();
    let name = RecordName::state("", &hint.account_address).unwrap();
    vault
        .put_row(&name, row(&own).to_string().as_bytes(), Expect::Absent)
        .await
        .unwrap();
    hint.account_address.clone()
}

/// The compare-and-set row, version 1, spelt out.
fn row(share: &halfkey_mpc::KeyShare) -> serde_json::Value {
    let header = share.header();
    let display = halfkey_chain::address(header.chain, share.account_public_key()).unwrap();
    let address = display.to_lowercase();
    serde_json::json!({
        "version": 1,
        "environment": header.environment,
        "chain": "EVM",
        "address": address,
        "account_address": display,
        "wallet": header.wallet,
        "scheme": "TWO_OF_TWO",
        "key_type": "ecdsa_secp256k1",
        "derivation_path": [44, 60, 0, 0, 0],
        "custody_origin": ["dkg"],
        "public_key": hex::encode(&header.group_public_key),
        "created_at": 0,
        "generations": [{
            "generation": 0,
            "attempt": header.attempt,
            "share_set": header.share_set,
            "state": "active",
            "proof": "proven",
            "since": 0,
            "parties": [{
                "party": 2,
                "key_share": header.key_share,
                "record": format!("wallet:{address}/shares/2"),
            }],
        }],
    })
}
