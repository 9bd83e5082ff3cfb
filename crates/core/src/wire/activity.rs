use serde::{Deserialize, Serialize};

/// Where in the provider's append-only activity chain an effect stands (custody rule 27). A caller
/// that keeps these has an outside anchor against truncation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityRef {
    /// The chain: one per (node, boot), 32 hex digits.
    pub chain: String,
    /// The entry's number in that chain, from 0.
    pub sequence: u64,
    /// SHA-256 of the entry, as hex.
    pub head: String,
}
