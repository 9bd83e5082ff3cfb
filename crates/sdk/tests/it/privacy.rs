//! What the provider sees of a 2-of-3 keygen (custody rule 1).

use std::collections::BTreeSet;

use halfkey::{ChainName, CreateOptions, ThresholdSignatureScheme, Variant};
use halfkey_core::wire::{CeremonyMessage, CeremonyRound, CreateRequest, ProveRequest};

use crate::http::Request;
use crate::provider::Provider;
use crate::proxy::Proxy;
use crate::vaults::Storage;

fn messages(request: &Request) -> Vec<CeremonyMessage> {
    fn read<T: serde::de::DeserializeOwned>(request: &Request) -> T {
        ciborium::from_reader(request.body.as_slice()).unwrap()
    }
    if request.path.ends_with("/create") {
        read::<CreateRequest>(request).ceremony.messages
    } else if request.path.ends_with("/prove") {
        read::<ProveRequest>(request).ceremony.messages
    } else if request.path.contains("/ceremonies/") {
        read::<CeremonyRound>(request).messages
    } else {
        assert!(
            request.path.ends_with("/authenticate") || request.path.ends_with("/commit"),
            "{} is not looked into",
            request.path
        );
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn customer_to_customer_messages_never_cross_the_provider() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    let kinds = [
        (ChainName::Evm, Variant::default()),
        (ChainName::Svm, Variant::Ed25519Exportable),
        (ChainName::Svm, Variant::Ed25519Standard),
    ];
    for (chain, variant) in kinds {
        proxy.take_seen();
        let options = CreateOptions {
            variant,
            ..CreateOptions::default()
        };
        let scheme = ThresholdSignatureScheme::TwoOfThree;
        Storage::new()
            .store(&client)
            .create(chain, scheme, &options)
            .await
            .unwrap();
        let seen: Vec<CeremonyMessage> = proxy.take_seen().iter().flat_map(messages).collect();
        let ends: BTreeSet<(u8, u8)> = seen
            .iter()
            .map(|message| (message.from.as_u8(), message.to.as_u8()))
            .collect();
        assert_eq!(
            ends,
            BTreeSet::from([(2, 1), (3, 1)]),
            "{chain} {variant:?}"
        );
    }
}
