//! Who asks for an operation, and why: an argument of every seal and open.

use halfkey_core::RequestId;

/// Why a record is sealed or opened; stands in the audit event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purpose {
    /// Storing a new share.
    Create,
    /// Proving that a stored share is the right one (custody rule 7).
    Proof,
    /// Signing.
    Sign,
    /// Making the next generation of a share.
    Change,
    /// Taking the whole key out.
    Export,
    /// Encrypting it for a backup, or putting back what came from one.
    Backup,
    /// Giving a share to a delegate.
    Delegate,
    /// Sealing the provider's share to the customer's escrow key, and storing that.
    Escrow,
    /// Settling what an earlier process left pending.
    Resume,
    /// Falling back to an earlier generation (custody rule 9).
    Recover,
    /// Writing or reading locks and high-water marks.
    Guard,
    /// Checking the set-up itself.
    Probe,
    /// Moving records to a new KEK version.
    Rewrap,
    /// What an operator does by hand: rotation, disabling, export of the audit log.
    Operate,
}

impl Purpose {
    /// The name under which it stands in audit events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Proof => "proof",
            Self::Sign => "sign",
            Self::Change => "change",
            Self::Export => "export",
            Self::Backup => "backup",
            Self::Delegate => "delegate",
            Self::Escrow => "escrow",
            Self::Resume => "resume",
            Self::Recover => "recover",
            Self::Guard => "guard",
            Self::Probe => "probe",
            Self::Rewrap => "rewrap",
            Self::Operate => "operate",
        }
    }
}

/// Who asks, why, and in which request.
#[derive(Debug, Clone)]
pub struct Access {
    /// The token subject, process or operator.
    pub actor: String,
    /// Why.
    pub purpose: Purpose,
    /// The request it belongs to.
    pub request_id: RequestId,
}
