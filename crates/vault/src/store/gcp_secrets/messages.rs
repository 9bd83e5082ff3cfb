//! The messages of Secret Manager, as far as they are used.

use serde::{Deserialize, Serialize};

use crate::net::gcp::{Blob, Crc32c};

#[derive(Serialize)]
pub(super) struct NewSecret<'a> {
    pub(super) replication: Replication,
    pub(super) labels: Labels<'a>,
    pub(super) annotations: Annotations<'a>,
}

/// Google decides where; as durable as it can be.
#[derive(Serialize)]
pub(super) struct Replication {
    pub(super) automatic: Automatic,
}

#[derive(Serialize)]
pub(super) struct Automatic {}

#[derive(Serialize)]
pub(super) struct Labels<'a> {
    #[serde(rename = "halfkey-environment")]
    pub(super) environment: &'a str,
}

#[derive(Serialize)]
pub(super) struct Annotations<'a> {
    #[serde(rename = "halfkey-record")]
    pub(super) record: &'a str,
}

#[derive(Serialize)]
pub(super) struct AddVersion<'a> {
    pub(super) payload: NewPayload<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPayload<'a> {
    pub(super) data: &'a str,
    pub(super) data_crc32c: Crc32c,
}

#[derive(Deserialize)]
pub(super) struct Secret {
    pub(super) name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) name: String,
    /// Whether the checksum arrived and was checked.
    #[serde(default)]
    pub(super) client_specified_payload_checksum: bool,
}

#[derive(Deserialize)]
pub(super) struct Accessed {
    pub(super) name: String,
    pub(super) payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload {
    #[serde(default)]
    pub(super) data: Blob,
    pub(super) data_crc32c: Option<Crc32c>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretList {
    #[serde(default)]
    pub(super) secrets: Vec<Secret>,
    #[serde(default)]
    pub(super) next_page_token: String,
}
