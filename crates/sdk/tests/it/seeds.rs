//! Test wallets put into a customer's storage, as an earlier process would have left them.

use halfkey::{PendingWallet, ServerKeyShare, WalletClient, WalletClientOpts};
use halfkey_core::{KeyType, PartyIndex, RequestId, SecretBytes, ThresholdSignatureScheme};
use halfkey_mpc::{KeyShare, test_shares};
use halfkey_vault::{Access, Expect, Purpose, RecordName, Vault, WalletGuard};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::vaults::Storage;

pub(crate) const KIND: KeyType = KeyType::EcdsaSecp256k1;

/// A wallet of the test shares, in one customer's storage.
pub(crate) struct Seeded {
    pub(crate) storage: Storage,
    pub(crate) vault: Vault,
    pub(crate) guard: WalletGuard,
    pub(crate) own: KeyShare,
    pub(crate) share: ServerKeyShare,
    /// Canonical.
    pub(crate) address: String,
}

pub(crate) fn access() -> Access {
    Access {
        actor: "test".to_owned(),
        purpose: Purpose::Guard,
        request_id: RequestId::from_bytes([1; 16]),
    }
}

/// Another wallet with the keys of a test wallet. Locks and counts hold for the whole process, so
/// each test that brings them about has a wallet of its own.
#[derive(Clone, Copy)]
pub(crate) struct Which {
    pub(crate) scheme: ThresholdSignatureScheme,
    /// In the place of the test wallet's id.
    pub(crate) wallet: [u8; 16],
}

impl Which {
    pub(crate) const fn numbered(scheme: ThresholdSignatureScheme, number: u8) -> Self {
        let wallet = [number; 16];
        Self { scheme, wallet }
    }

    fn plain(scheme: ThresholdSignatureScheme) -> Self {
        let wallet = *test_shares::wallet(KIND, scheme).as_bytes();
        Self { scheme, wallet }
    }

    /// The party's share under this wallet's id: the stored form of `halfkey-mpc`, whose last 32
    /// bytes are SHA-256 over a domain and all before.
    pub(crate) fn encoded(self, party: PartyIndex) -> SecretBytes {
        let plain = test_shares::encoded(KIND, self.scheme, party);
        let old = *test_shares::wallet(KIND, self.scheme).as_bytes();
        let mut bytes = plain.expose().to_vec();
        bytes.truncate(bytes.len() - 32);
        let at = bytes.windows(16).position(|window| window == old).unwrap();
        bytes[at..at + 16].copy_from_slice(&self.wallet);
        let tag = Sha256::new_with_prefix(b"halfkey-share-v1");
        let tag = tag.chain_update(&bytes).finalize();
        SecretBytes::new([bytes.as_slice(), &tag].concat())
    }

    pub(crate) fn load(self, party: PartyIndex) -> KeyShare {
        KeyShare::decode(&self.encoded(party)).unwrap()
    }
}

/// Options for a provider that made the test wallets.
pub(crate) fn opts(url: &str) -> WalletClientOpts {
    WalletClientOpts::new(test_shares::ENVIRONMENT)
        .base_api_url(url)
        .provider_identity(hex::encode(
            test_shares::identity().verifying_key().as_bytes(),
        ))
        .max_retries(0)
}

impl Seeded {
    /// Share, mark and row of the customer's first party, with the row's generation in `state`.
    pub(crate) async fn new(scheme: ThresholdSignatureScheme, state: &str) -> Self {
        Self::of(Which::plain(scheme), state).await
    }

    pub(crate) async fn of(which: Which, state: &str) -> Self {
        let own = which.load(PartyIndex::CUSTOMER_1);
        let customers = PartyIndex::customers(which.scheme);
        let shares: Vec<ServerKeyShare> = customers
            .iter()
            .map(|party| {
                let encoded = which.encoded(*party);
                let id = which.load(*party).header().key_share;
                ServerKeyShare::from_encoded(id.to_string(), &encoded)
            })
            .collect();
        let client = WalletClient::new(opts("http://127.0.0.1:9")).unwrap();
        let pending = PendingWallet::from_shares(&client, &shares).unwrap();
        let hint = &pending.seal_hint()[0];
        let storage = Storage::new();
        let vault = Vault::new(storage.parts());
        let plaintext = shares[0].decode_secret().unwrap();
        for name in [&hint.active_name, &hint.staged_name] {
            let name = RecordName::new(name.clone()).unwrap();
            let ctx = hint.bind_ctx();
            vault
                .store(&name, &ctx, &plaintext, Expect::Absent, &access())
                .await
                .unwrap();
        }
        let guard = WalletGuard::new("", &hint.bind_ctx());
        guard
            .raise_high_water(&vault, hint.generation, &access())
            .await
            .unwrap();
        let address = hint.account_address.clone();
        let share = shares.into_iter().next().unwrap();
        let seeded = Self {
            storage,
            vault,
            guard,
            own,
            share,
            address,
        };
        let committed = state == "active";
        seeded.put_row(&seeded.row(state, committed)).await;
        seeded
    }

    pub(crate) async fn put_row(&self, row: &Value) {
        let name = RecordName::state("", &self.address).unwrap();
        self.vault
            .put_row(&name, row.to_string().as_bytes(), Expect::Any)
            .await
            .unwrap();
    }

    /// The compare-and-set row, version 1, spelt out.
    pub(crate) fn row(&self, state: &str, committed: bool) -> Value {
        let header = self.own.header();
        let display = halfkey_chain::address(header.chain, self.own.account_public_key()).unwrap();
        let address = &self.address;
        let stem = format!("wallet:{address}/shares");
        let staged = format!("{}-{}", header.generation, header.attempt);
        serde_json::json!({
            "version": 1,
            "environment": header.environment,
            "chain": "EVM",
            "address": address,
            "account_address": display,
            "wallet": header.wallet,
            "scheme": header.scheme,
            "key_type": "ecdsa_secp256k1",
            "derivation_path": [44, 60, 0, 0, 0],
            "custody_origin": header.custody_origin,
            "public_key": hex::encode(&header.group_public_key),
            "created_at": 0,
            "generations": [{
                "generation": 0,
                "attempt": header.attempt,
                "share_set": header.share_set,
                "state": state,
                "proof": "unproven",
                "committed": committed,
                "since": 0,
                "parties": [{
                    "party": 2,
                    "key_share": header.key_share,
                    "record": format!("{stem}/2/{staged}"),
                }],
            }],
        })
    }
}
