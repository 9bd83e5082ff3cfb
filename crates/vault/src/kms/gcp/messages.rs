//! The messages of Cloud KMS, as far as they are used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::net::gcp::{Blob, Crc32c};

#[derive(Deserialize)]
pub(super) struct CryptoKey {
    pub(super) name: String,
    #[serde(default)]
    pub(super) purpose: String,
    pub(super) primary: Option<CryptoKeyVersion>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CryptoKeyVersion {
    pub(super) name: String,
    #[serde(default)]
    pub(super) state: String,
    pub(super) create_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionPage {
    #[serde(default)]
    pub(super) crypto_key_versions: Vec<CryptoKeyVersion>,
    #[serde(default)]
    pub(super) next_page_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Encrypt<'a> {
    pub(super) plaintext: &'a str,
    pub(super) plaintext_crc32c: Crc32c,
    pub(super) additional_authenticated_data: &'a str,
    pub(super) additional_authenticated_data_crc32c: Crc32c,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Encrypted {
    pub(super) name: String,
    pub(super) ciphertext: Blob,
    pub(super) ciphertext_crc32c: Crc32c,
    #[serde(default)]
    pub(super) verified_plaintext_crc32c: bool,
    #[serde(default)]
    pub(super) verified_additional_authenticated_data_crc32c: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Decrypt<'a> {
    pub(super) ciphertext: &'a str,
    pub(super) ciphertext_crc32c: Crc32c,
    pub(super) additional_authenticated_data: &'a str,
    pub(super) additional_authenticated_data_crc32c: Crc32c,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Decrypted {
    #[serde(default)]
    pub(super) plaintext: Blob,
    pub(super) plaintext_crc32c: Crc32c,
}

#[derive(Serialize)]
pub(super) struct NewVersion {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPrimary<'a> {
    pub(super) crypto_key_version_id: &'a str,
}

#[derive(Serialize)]
pub(super) struct NewState<'a> {
    pub(super) state: &'a str,
}
