//! Mnemonics of other wallets become wallets here, with the addresses that outside implementations
//! find for them.

use ThresholdSignatureScheme::TwoOfTwo;
use halfkey::{
    ChainName, CreateOptions, KeyPath, Mnemonic, PrivateKey, ThresholdSignatureScheme, WalletStore,
};
use halfkey_core::KeyOrigin;
use halfkey_testkit::judge::{self, Question};

use crate::bare::verifies;
use crate::provider::Provider;
use crate::vaults::Storage;

/// Of BIP-39's vectors: public, and worthless.
const WORDS: [&str; 3] = [
    "legal winner thank year wave sausage worth useful legal winner thank yellow",
    "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount \
     doctor acoustic avoid letter always",
    "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo \
     vote",
];
const PASSPHRASES: [&str; 3] = ["", "TREZOR", "  caf\u{e9} \u{30ac} "];

fn path(text: &str) -> KeyPath {
    text.parse().unwrap()
}

#[test]
fn evm_addresses_below_a_mnemonic_are_those_of_eth_account_and_ethers() {
    let paths = [
        "m/44'/60'/0'/0/0",
        "m/44'/60'/3'/0/12",
        "m/44'/60'/0'",
        "m/7/8'/9",
    ];
    let (mut found, mut questions) = (Vec::new(), Vec::new());
    for words in WORDS {
        let mnemonic = Mnemonic::parse(words).unwrap();
        for passphrase in PASSPHRASES {
            for text in paths {
                let key = PrivateKey::evm_mnemonic(&mnemonic, passphrase, &path(text)).unwrap();
                found.push(key.account_address().unwrap());
                questions.push(Question::evm_mnemonic(words, passphrase, text));
            }
        }
    }
    for answers in [judge::eth_account(&questions), judge::ethers(&questions)] {
        for ((answer, found), question) in answers.iter().zip(&found).zip(&questions) {
            assert_eq!(answer["ok"], found.as_str(), "{question:?}: {answer}");
        }
    }
}

#[test]
fn solana_addresses_below_a_mnemonic_are_those_of_solders() {
    let paths = [Some("m/44'/501'/0'/0'"), Some("m/44'/501'/5'"), None];
    let (mut found, mut questions) = (Vec::new(), Vec::new());
    for words in WORDS {
        let mnemonic = Mnemonic::parse(words).unwrap();
        for passphrase in PASSPHRASES {
            for place in paths {
                let key = match place {
                    Some(text) => PrivateKey::svm_mnemonic(&mnemonic, passphrase, &path(text)),
                    None => PrivateKey::svm_mnemonic_without_path(&mnemonic, passphrase),
                };
                found.push(key.unwrap().account_address().unwrap());
                questions.push(Question::svm_mnemonic(words, passphrase, place));
            }
        }
    }
    let answers = judge::solders(&questions);
    for ((answer, found), question) in answers.iter().zip(&found).zip(&questions) {
        assert_eq!(answer["ok"], found.as_str(), "{question:?}: {answer}");
    }
}

async fn import(store: &WalletStore, key: &PrivateKey) -> String {
    let options = CreateOptions::default();
    let made = store.import(TwoOfTwo, key, &options).await.unwrap();
    assert_eq!(made.account_address, key.account_address().unwrap());
    made.account_address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mnemonic_becomes_a_wallet_of_each_chain_and_signs() {
    let provider = Provider::start().await;
    let store = Storage::new().store(&provider.client().await);
    let mnemonic = Mnemonic::parse(WORDS[0]).unwrap();
    let usual = KeyPath::usual(ChainName::Evm);
    let key = PrivateKey::evm_mnemonic(&mnemonic, "TREZOR", &usual).unwrap();
    let address = import(&store, &key).await;
    let signature: alloy_primitives::Signature = store
        .sign_evm_message(&address, "gm")
        .await
        .unwrap()
        .parse()
        .unwrap();
    let signer = signature.recover_address_from_msg("gm").unwrap();
    assert_eq!(signer.to_checksum(None), address);
    let view = store.show(&address).await.unwrap();
    assert_eq!(view.stored.custody_origin.origin(), KeyOrigin::Imported);
    // The account is the root, and the rest of the path the wallet's own.
    assert_eq!(view.properties.derivation_path, Some(vec![0, 0]));

    let usual = KeyPath::usual(ChainName::Svm);
    let key = PrivateKey::svm_mnemonic(&mnemonic, "TREZOR", &usual).unwrap();
    let address = import(&store, &key).await;
    let signature = store.sign_svm_message(&address, "gm").await.unwrap();
    assert!(verifies(&address, b"gm", &signature));
}
