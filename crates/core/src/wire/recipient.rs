use serde::{Deserialize, Serialize};

use super::ActivityRef;
use crate::UnixMillis;

/// Body of `POST /environments/{env}/waas/exportRecipients`: allows exports to this key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddRecipientRequest {
    /// An age X25519 key: `age1…`.
    pub recipient: String,
    /// For people, 1 to 100 characters: whose key it is, and where.
    pub name: String,
}

/// One key that exports may go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportRecipient {
    /// The key.
    pub recipient: String,
    /// For people.
    pub name: String,
    /// When it was put on the list.
    pub added_at: UnixMillis,
    /// From when on exports may go to it.
    pub usable_at: UnixMillis,
}

/// Reply to the addition and removal of a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecipientReply {
    /// The key, as it is or was on the list.
    pub recipient: ExportRecipient,
    /// The activity entry; absent where nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
}

/// Reply of `GET /environments/{env}/waas/exportRecipients`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecipientsReply {
    /// The keys on the list, oldest first.
    pub recipients: Vec<ExportRecipient>,
    /// Whether every export has to name one of them: so once the list had one, for ever.
    pub is_required: bool,
}
