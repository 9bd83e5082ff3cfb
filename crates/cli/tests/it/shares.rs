//! Opens the customer's shares the way the store does, from its state rows.

use halfkey_core::{EnvironmentId, RequestId};
use halfkey_mpc::KeyShare;
use halfkey_vault::embedded::Embedded;
use halfkey_vault::{Access, BindCtx, Purpose, RecordName, RecordPurpose};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Every share that opens, of every wallet.
pub(crate) async fn open_all(embedded: &Embedded, environment: &EnvironmentId) -> Vec<KeyShare> {
    let access = Access {
        actor: "test".to_owned(),
        purpose: Purpose::Probe,
        request_id: RequestId::from_bytes([0; 16]),
    };
    let page = embedded
        .vault
        .list_names("wallet:", None, 1000)
        .await
        .unwrap();
    let mut shares = Vec::new();
    for name in page
        .names
        .iter()
        .filter(|name| name.as_str().ends_with("/state"))
    {
        let row = embedded.vault.get_row(name).await.unwrap().unwrap();
        let row: Value = serde_json::from_slice(&row.value).unwrap();
        for generation in row["generations"].as_array().unwrap() {
            for party in generation["parties"].as_array().unwrap() {
                let record = RecordName::new(party["record"].as_str().unwrap()).unwrap();
                let ctx = context(environment, &row, generation, party);
                if let Ok(opened) = embedded.vault.load(&record, &ctx, &access).await {
                    shares.push(KeyShare::decode(&opened.value).unwrap());
                }
            }
        }
    }
    shares
}

fn context(environment: &EnvironmentId, row: &Value, generation: &Value, party: &Value) -> BindCtx {
    fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
        serde_json::from_value(value.clone()).unwrap()
    }
    let public_key = hex::decode(row["public_key"].as_str().unwrap()).unwrap();
    BindCtx {
        environment: environment.clone(),
        chain: read(&row["chain"]),
        account_address: read(&row["address"]),
        wallet: read(&row["wallet"]),
        key_share: read(&party["key_share"]),
        share_set: read(&generation["share_set"]),
        party: read(&party["party"]),
        scheme: read(&row["scheme"]),
        purpose: RecordPurpose::Share,
        generation: read(&generation["generation"]),
        attempt: read(&generation["attempt"]),
        group_public_key_hash: Sha256::digest(public_key).into(),
    }
}
