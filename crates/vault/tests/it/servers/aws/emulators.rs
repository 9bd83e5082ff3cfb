//! One server of each kind for all tests, and keys in it.

use std::sync::OnceLock;

use aws_sdk_kms::Client;
use aws_sdk_kms::types::{KeyUsageType, Tag};
use halfkey_testkit::servers::ministack::Ministack;
use halfkey_testkit::servers::moto::Moto;
use halfkey_testkit::tools;
use halfkey_vault::kms::aws::AwsKek;
use halfkey_vault::net::aws::ENVIRONMENT_TAG;

use super::access::{kek_config, unique};
use crate::support::environment;

pub(super) fn moto() -> &'static Moto {
    static SERVER: OnceLock<Moto> = OnceLock::new();
    tools::real_part("moto");
    SERVER.get_or_init(Moto::start)
}

pub(super) fn ministack() -> &'static Ministack {
    static SERVER: OnceLock<Ministack> = OnceLock::new();
    tools::real_part("ministack");
    SERVER.get_or_init(Ministack::start)
}

/// A fresh key without a mark; its id.
pub(super) async fn unmarked_key(kms: &Client) -> String {
    // The default of AWS; moto has none.
    let made = kms.create_key().key_usage(KeyUsageType::EncryptDecrypt);
    let made = made.send().await.unwrap();
    made.key_metadata.unwrap().key_id
}

/// A fresh key marked for `environment`.
pub(super) async fn key_of(kms: &Client, environment: &str) -> String {
    let id = unmarked_key(kms).await;
    let tag = Tag::builder()
        .tag_key(ENVIRONMENT_TAG)
        .tag_value(environment);
    kms.tag_resource()
        .key_id(&id)
        .tags(tag.build().unwrap())
        .send()
        .await
        .unwrap();
    id
}

/// A fresh key marked for the environment of the tests.
pub(super) async fn key(kms: &Client) -> String {
    key_of(kms, environment().as_str()).await
}

/// A fresh alias of `key`.
pub(super) async fn alias(kms: &Client, key: &str) -> String {
    let alias = format!("alias/{}", unique("kek"));
    kms.create_alias()
        .alias_name(&alias)
        .target_key_id(key)
        .send()
        .await
        .unwrap();
    alias
}

/// Points an alias to another key.
pub(super) async fn move_alias(kms: &Client, alias: &str, key: &str) {
    kms.update_alias()
        .alias_name(alias)
        .target_key_id(key)
        .send()
        .await
        .unwrap();
}

pub(super) async fn open(endpoint: &str, key_id: &str) -> AwsKek {
    AwsKek::open(&kek_config(endpoint, key_id), &environment())
        .await
        .unwrap()
}
