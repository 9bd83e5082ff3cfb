//! The stateless clients: create, forget everything, sign.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use alloy_consensus::{
    SignableTransaction as _, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
};
use alloy_dyn_abi::TypedData;
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use halfkey::{
    EvmWalletClient, ServerKeyShare, SvmWalletClient, ThresholdSignatureScheme, Variant,
    WalletProperties,
};

use crate::provider::Provider;

fn evm_address(properties: &WalletProperties) -> Address {
    Address::parse_checksummed(&properties.account_address, None).unwrap()
}

fn parsed(hex: &str) -> Signature {
    hex.parse().unwrap()
}

/// Everything a caller keeps, through its stored form.
fn forget_and_reload(
    properties: &WalletProperties,
    shares: &[ServerKeyShare],
) -> (WalletProperties, Vec<ServerKeyShare>) {
    let properties = serde_json::to_string(properties).unwrap();
    let shares = serde_json::to_string(shares).unwrap();
    (
        serde_json::from_str(&properties).unwrap(),
        serde_json::from_str(&shares).unwrap(),
    )
}

pub(crate) fn typed_data() -> TypedData {
    serde_json::from_value(serde_json::json!({
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}
            ],
            "Mail": [{"name": "to", "type": "address"}, {"name": "contents", "type": "string"}]
        },
        "primaryType": "Mail",
        "domain": {"name": "Ether Mail", "chainId": 1},
        "message": {"to": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB", "contents": "Hello"}
    }))
    .unwrap()
}

async fn every_evm_operation(scheme: ThresholdSignatureScheme) {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let created = EvmWalletClient::new(&client)
        .create_wallet_account(scheme, None, false)
        .await;
    let (properties, shares) = created.unwrap();
    assert_eq!(shares.len(), if scheme == TwoOfTwo { 1 } else { 2 });
    drop(client);

    let (properties, shares) = forget_and_reload(&properties, &shares);
    let client = provider.client().await;
    let evm = EvmWalletClient::new(&client);
    let address = evm_address(&properties);
    for share in &shares {
        // Any customer share signs with the provider, one at a time.
        let one = std::slice::from_ref(share);
        let signature = parsed(&evm.sign_message(&properties, one, "hello").await.unwrap());
        assert_eq!(
            signature.recover_address_from_msg("hello").unwrap(),
            address
        );
    }
    let typed = typed_data();
    let signature = parsed(
        &evm.sign_typed_data(&properties, &shares, &typed)
            .await
            .unwrap(),
    );
    let digest = typed.eip712_signing_hash().unwrap();
    assert_eq!(
        signature.recover_address_from_prehash(&digest).unwrap(),
        address
    );

    every_transaction(&evm, &properties, &shares).await;
    let raw = evm
        .sign_transaction_to_hex(
            &properties,
            &shares,
            TxEip1559 {
                chain_id: 5,
                ..Default::default()
            },
        )
        .await
        .unwrap();
    assert!(raw.starts_with("0x02"), "{raw}");
}

async fn every_transaction(
    evm: &EvmWalletClient<'_>,
    properties: &WalletProperties,
    shares: &[ServerKeyShare],
) {
    let address = evm_address(properties);
    macro_rules! signs {
        ($tx:expr) => {{
            let tx = $tx;
            let digest = tx.signature_hash();
            let signed = evm.sign_transaction(properties, shares, tx).await.unwrap();
            assert_eq!(signed.recover_signer().unwrap(), address);
            assert_eq!(signed.signature_hash(), digest);
        }};
    }
    let to = TxKind::Call(Address::repeat_byte(0x22));
    signs!(TxLegacy {
        chain_id: None,
        gas_limit: 21_000,
        to,
        ..TxLegacy::default()
    });
    signs!(TxLegacy {
        chain_id: Some(1),
        gas_limit: 21_000,
        to,
        ..TxLegacy::default()
    });
    signs!(TxEip2930 {
        chain_id: 1,
        gas_limit: 30_000,
        to,
        ..TxEip2930::default()
    });
    signs!(TxEip1559 {
        chain_id: 1,
        to,
        value: U256::from(5),
        ..TxEip1559::default()
    });
    signs!(TxEip1559 {
        chain_id: 1,
        to: TxKind::Create,
        input: Bytes::from_static(&[0x60, 0x00]),
        ..TxEip1559::default()
    });
    signs!(TxEip4844 {
        chain_id: 1,
        blob_versioned_hashes: vec![B256::with_last_byte(1)],
        ..TxEip4844::default()
    });
    let authorized = authorized(evm, properties, shares).await;
    signs!(TxEip7702 {
        chain_id: 1,
        to: Address::repeat_byte(7),
        authorization_list: vec![authorized],
        ..TxEip7702::default()
    });
}

async fn authorized(
    evm: &EvmWalletClient<'_>,
    properties: &WalletProperties,
    shares: &[ServerKeyShare],
) -> SignedAuthorization {
    let authorization = Authorization {
        chain_id: U256::from(1),
        address: Address::repeat_byte(9),
        nonce: 3,
    };
    let authorized = evm
        .sign_authorization(properties, shares, authorization.clone())
        .await
        .unwrap();
    assert_eq!(
        authorized.recover_authority().unwrap(),
        evm_address(properties)
    );
    authorized
}

#[tokio::test(flavor = "multi_thread")]
async fn evm_two_of_two_signs_everything_after_a_reload() {
    every_evm_operation(TwoOfTwo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evm_two_of_three_signs_everything_with_either_share() {
    every_evm_operation(TwoOfThree).await;
}

async fn every_svm_operation(scheme: ThresholdSignatureScheme, variant: Variant) {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client).with_variant(variant);
    let (properties, shares) = svm
        .create_wallet_account(scheme, None, false)
        .await
        .unwrap();
    drop(client);

    let (properties, shares) = forget_and_reload(&properties, &shares);
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client);
    for share in &shares {
        let one = std::slice::from_ref(share);
        let signature = svm.sign_message(&properties, one, "gm").await.unwrap();
        assert!(verifies(&properties.account_address, b"gm", &signature));
    }
    for message in messages(&properties.account_address) {
        let signature = svm
            .sign_transaction(&properties, &shares, &message)
            .await
            .unwrap();
        assert!(verifies(&properties.account_address, &message, &signature));
    }
}

/// By solana's own code, not ours.
pub(crate) fn verifies(address: &str, message: &[u8], signature: &str) -> bool {
    let signature: solana_signature::Signature = signature.parse().unwrap();
    let key: solana_pubkey::Pubkey = address.parse().unwrap();
    signature.verify(key.as_ref(), message)
}

/// A transfer as a legacy and as a v0 message.
pub(crate) fn messages(payer: &str) -> [Vec<u8>; 2] {
    use solana_message::{Message, VersionedMessage, v0};
    let payer: solana_pubkey::Pubkey = payer.parse().unwrap();
    let to = solana_pubkey::Pubkey::new_from_array([7; 32]);
    let transfer = solana_system_interface::instruction::transfer(&payer, &to, 5);
    let blockhash = solana_hash::Hash::new_from_array([3; 32]);
    let legacy =
        Message::new_with_blockhash(std::slice::from_ref(&transfer), Some(&payer), &blockhash);
    let v0 = v0::Message::try_compile(&payer, &[transfer], &[], blockhash).unwrap();
    [
        VersionedMessage::Legacy(legacy).serialize(),
        VersionedMessage::V0(v0).serialize(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn svm_two_of_two_signs_everything_after_a_reload() {
    every_svm_operation(TwoOfTwo, Variant::Ed25519Exportable).await;
    every_svm_operation(TwoOfTwo, Variant::Ed25519Standard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn svm_two_of_three_signs_everything_with_either_share() {
    every_svm_operation(TwoOfThree, Variant::Ed25519Exportable).await;
    every_svm_operation(TwoOfThree, Variant::Ed25519Standard).await;
}
