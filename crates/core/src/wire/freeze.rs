use serde::{Deserialize, Serialize};

use super::ActivityRef;
use crate::{UnixMillis, WalletId};

/// Body of `POST /environments/{env}/waas/freeze`: from its reply on, nothing is made, signed,
/// changed, exported or given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FreezeRequest {
    /// One wallet; the whole environment when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet_id: Option<WalletId>,
    /// Why, for people: 1 to 500 characters, in the activity log for ever.
    pub reason: String,
}

/// Body of `POST /environments/{env}/waas/unfreeze`: ends the freeze of exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnfreezeRequest {
    /// One wallet; the whole environment when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet_id: Option<WalletId>,
}

/// A freeze that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freeze {
    /// The wallet; the whole environment when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet_id: Option<WalletId>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub frozen_at: UnixMillis,
}

/// Reply to a freeze and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FreezeReply {
    /// The freeze, as it holds or held.
    pub freeze: Freeze,
    /// The activity entry; absent where it held already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
}

/// Reply of `GET /environments/{env}/waas/freezes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FreezesReply {
    /// What is frozen, oldest first.
    pub freezes: Vec<Freeze>,
}

/// Reply of `POST /environments/{env}/waas/tokens/revokeOthers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevokeOthersReply {
    /// The tokens that ended, by their public ids.
    pub revoked: Vec<String>,
    /// The activity entry; absent where there was none to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
}
