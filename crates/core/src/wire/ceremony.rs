use serde::{Deserialize, Serialize};

use super::{ActivityRef, Blob, CreatedWallet, SignedReply};
use crate::{AttemptId, CeremonyId, Generation, PartyIndex};

/// One message between two parties of a ceremony. The body is the ceremony's own encoding, MACed
/// where a channel key exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CeremonyMessage {
    /// Who sends it.
    pub from: PartyIndex,
    /// Who it is for.
    pub to: PartyIndex,
    /// The encoded message.
    pub body: Blob,
}

/// What opens a ceremony inside the opening POST of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CeremonyOpen {
    /// Drawn by the customer; bound into every MAC of the ceremony.
    pub ceremony_id: CeremonyId,
    /// The generation the shares belong to.
    pub generation: Generation,
    /// The attempt that made (or is making) that generation.
    pub attempt_id: AttemptId,
    /// The first messages.
    pub messages: Vec<CeremonyMessage>,
}

/// Body of `POST …/ceremonies/{ref}`: every round after the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CeremonyRound {
    /// The round's messages.
    pub messages: Vec<CeremonyMessage>,
}

/// Reply to the opening POST and to every round.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CeremonyReply {
    /// Relative path of the next round (an opaque single-use id of the provider's); absent once the
    /// provider has nothing more to receive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The provider's messages.
    pub messages: Vec<CeremonyMessage>,
    /// Set by the last reply of a keygen: the wallet that is now pending at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<CreatedWallet>,
    /// Set by the last reply of a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedReply>,
    /// The activity entry of the reply's effect, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
}
