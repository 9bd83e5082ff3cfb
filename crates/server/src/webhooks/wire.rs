//! Webhooks of an environment.

use serde::{Deserialize, Serialize};

/// Body of `POST /environments/{env}/webhooks` and of `PUT …/{id}`, where what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookBody {
    /// Where: `https`, port 443 or 8443, on the public internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// Names of events; empty for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) events: Option<Vec<String>>,
    /// Whether anything is told to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) is_enabled: Option<bool>,
    /// Makes another secret at once; the one before signs nothing more.
    #[serde(default)]
    pub(crate) rotate_secret: bool,
}

/// One webhook.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookInfo {
    /// Its id.
    pub(crate) webhook_id: String,
    /// Where it is.
    pub(crate) url: String,
    /// What it is told; empty for all.
    pub(crate) events: Vec<String>,
    /// Whether it is told anything.
    pub(crate) is_enabled: bool,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// RFC 3339.
    pub(crate) updated_at: String,
    /// What its messages are signed with; only when it was just made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
}

impl core::fmt::Debug for WebhookInfo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WebhookInfo")
            .field("webhook_id", &self.webhook_id)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Reply of `GET /environments/{env}/webhooks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WebhooksReply {
    /// Oldest first, without secrets.
    pub(crate) webhooks: Vec<WebhookInfo>,
}

/// One event on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookMessage {
    /// Its id, the same in every try.
    pub(crate) message_id: String,
    /// The event's: one that came before is a repeat.
    pub(crate) event_id: String,
    /// The event's name.
    pub(crate) event_name: String,
    /// Whether somebody asked for it again.
    pub(crate) redelivery: bool,
    /// `waiting`, `delivered`, `failed` or `cancelled`.
    pub(crate) status: String,
    /// How often it was tried.
    pub(crate) tries: u64,
    /// When it is tried next, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_try_at: Option<String>,
    /// What the last try was answered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_status: Option<u64>,
    /// Why the last try had no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<String>,
    /// RFC 3339.
    pub(crate) created_at: String,
}

/// Reply of `GET /environments/{env}/webhooks/{id}/messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WebhookMessagesReply {
    /// Newest first.
    pub(crate) messages: Vec<WebhookMessage>,
}

/// Reply of `POST …/messages/{id}/redeliver`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedeliverReply {
    /// The new message.
    pub(crate) message_id: String,
}
