//! What the command's exit code means, and the failure it stands for.

use halfkey_core::Fault;
use halfkey_core::wire::ErrorCode;

/// Exit codes. 2 is clap's own, for arguments that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitKind {
    /// A bug, or something with no code of its own.
    Internal = 1,
    /// The input can never work as it stands.
    Input = 3,
    /// No such wallet, token or record.
    NotFound = 4,
    /// The token is missing, wrong, expired or lacks a scope.
    Authentication = 5,
    /// A back-end or the provider did not answer; trying again may help.
    Unavailable = 6,
    /// Custody forbids it: a locked wallet, a cheating peer, a refused payload.
    Custody = 7,
    /// The vault tier cannot be used: keyring, permissions, a damaged record, a full disk.
    Storage = 8,
    /// The other half may have signed: sign the same digest again, never a replacement.
    OutcomeUnknown = 9,
}

impl ExitKind {
    /// The number.
    #[expect(
        clippy::as_conversions,
        reason = "the discriminant of a fieldless repr(u8) enum"
    )]
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

/// Why a command ended without success.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ExitKind,
    /// A stable code for programs.
    pub(crate) code: String,
    /// For people: lower case, no secrets.
    pub(crate) message: String,
    /// What to do about it, where there is something to do.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: ExitKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ExitKind::Internal, "internal", message)
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new(ExitKind::Input, "invalid_input", message)
    }

    fn with_optional_hint(mut self, hint: Option<&str>) -> Self {
        self.hint = hint.map(str::to_owned);
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<halfkey_core::ParseError> for Failure {
    fn from(error: halfkey_core::ParseError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<halfkey_chain::Error> for Failure {
    fn from(error: halfkey_chain::Error) -> Self {
        halfkey::Error::Payload(error).into()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(ExitKind::Storage, "io", error.to_string())
    }
}

impl From<halfkey_vault::Error> for Failure {
    fn from(error: halfkey_vault::Error) -> Self {
        let code = halfkey::vault_code(&error);
        Self::new(kind_of_vault(&error), code, error.to_string())
    }
}

const fn kind_of_vault(error: &halfkey_vault::Error) -> ExitKind {
    use halfkey_vault::Error;
    match error {
        Error::NotFound(_) => ExitKind::NotFound,
        Error::Caller(_) | Error::Parse(_) | Error::Config(_) => ExitKind::Input,
        Error::Throttled(_)
        | Error::Timeout(_)
        | Error::Backend {
            temporary: true, ..
        } => ExitKind::Unavailable,
        _ => ExitKind::Storage,
    }
}

/// The exit kind of an error that only says who is at fault.
pub(crate) const fn kind_of(fault: Fault) -> ExitKind {
    match fault {
        Fault::Caller => ExitKind::Input,
        Fault::Peer => ExitKind::Custody,
        Fault::BackendTemporary => ExitKind::Unavailable,
        Fault::BackendPermanent => ExitKind::Storage,
        _ => ExitKind::Internal,
    }
}

impl From<halfkey_server::Error> for Failure {
    fn from(error: halfkey_server::Error) -> Self {
        use halfkey_server::Error;
        let (kind, code) = match &error {
            Error::Vault(_) | Error::SealedFile { .. } => (ExitKind::Storage, "vault"),
            Error::Database(_) | Error::Schema(_) => (ExitKind::Storage, "database"),
            Error::Io { .. } => (ExitKind::Storage, "io"),
            Error::Restored { .. } => (ExitKind::Custody, "restored_database"),
            Error::NotFound(_) => (ExitKind::NotFound, "not_found"),
            Error::NotInitialised(_) => (ExitKind::Input, "not_initialised"),
            other => (kind_of(other.fault()), "server"),
        };
        Self::new(kind, code, error.to_string())
    }
}

impl From<halfkey::Error> for Failure {
    fn from(error: halfkey::Error) -> Self {
        use halfkey::{Error, EscrowError};
        let kind = kind_of_error(&error);
        let hint = match &error {
            Error::LeftPending { .. } => Some("halfkey wallet resume"),
            Error::FellBack { .. } => Some("halfkey wallet refresh"),
            Error::TooManyChanges { .. } => Some("halfkey wallet sweep"),
            Error::TooManySignatures => Some("wait for the signatures that are under way"),
            Error::Network(_) => Some("is the provider running? halfkey serve"),
            Error::OutcomeUnknown { .. } => Some("run the same command again"),
            Error::PasswordRequired => Some("--password-file FILE"),
            Error::PasswordRefused => Some("--recovery-key-out FILE draws a good one"),
            Error::Escrow(EscrowError::Missing(_)) => {
                Some("--escrow FILE; or, while the provider answers, halfkey escrow fetch")
            }
            Error::Escrow(EscrowError::AnotherGeneration { .. }) => {
                Some("an escrow of the share's own generation: halfkey escrow show")
            }
            Error::Escrow(EscrowError::AnotherKey(_)) => Some("the identity of that key"),
            Error::Escrow(EscrowError::NotAsRequired { .. } | EscrowError::NotSealed) => {
                Some("halfkey escrow keys; halfkey escrow register")
            }
            Error::SharesMissing { .. } => {
                Some("halfkey wallet recover, or --backup-password-file FILE")
            }
            _ => None,
        };
        Self {
            kind,
            code: error.code().to_owned(),
            message: error.to_string(),
            hint: None,
        }
        .with_optional_hint(hint)
    }
}

/// What stands behind an error that wraps another one decides, except for an unknown outcome.
fn kind_of_error(error: &halfkey::Error) -> ExitKind {
    use halfkey::{Error, EscrowError};
    match error {
        Error::LeftPending { source, .. } => kind_of_error(source),
        Error::NotActivated(inner) => kind_of_error(&inner.source),
        Error::Shared(inner) => kind_of_error(inner),
        Error::WalletNotFound | Error::Escrow(EscrowError::Missing(_) | EscrowError::NotSealed) => {
            ExitKind::NotFound
        }
        Error::Authentication(_) | Error::NotAuthenticated => ExitKind::Authentication,
        Error::Network(_) => ExitKind::Unavailable,
        // A payload that is never signed, not one that cannot be read (custody rule 19).
        Error::Payload(halfkey_chain::Error::Refused(_))
        | Error::WalletLocked { .. }
        | Error::FellBack { .. }
        | Error::NotRecoverable { .. }
        | Error::RestoreEpochUsed { .. }
        | Error::TooManyChanges { .. }
        | Error::PeerMisbehaved { .. }
        | Error::LockNotStored { .. }
        | Error::Escrow(EscrowError::NotAsRequired { .. })
        | Error::ProviderIdentityMismatch
        | Error::PasswordRefused
        | Error::Ceremony(_)
        | Error::BadSignature => ExitKind::Custody,
        Error::Escrow(_) => ExitKind::Input,
        Error::OutcomeUnknown { .. } => ExitKind::OutcomeUnknown,
        Error::Vault(inner) => kind_of_vault(inner),
        Error::VaultState(_) | Error::ShareDamaged => ExitKind::Storage,
        Error::Api(api) => match api.code {
            ErrorCode::PeerMisbehaved
            | ErrorCode::BlindSigningDenied
            | ErrorCode::RecipientRefused
            | ErrorCode::EscrowUnacknowledged
            | ErrorCode::RecoverNotApproved
            | ErrorCode::GenerationBurnt
            | ErrorCode::GenerationGone
            | ErrorCode::NotRestored
            | ErrorCode::TooManyChanges
            | ErrorCode::DelegationRevoked
            | ErrorCode::PayloadRefused => ExitKind::Custody,
            code => kind_of_status(code.status(), error.fault()),
        },
        _ => kind_of(error.fault()),
    }
}

/// The exit kind of an answer of the provider's.
const fn kind_of_status(status: u16, fault: Fault) -> ExitKind {
    match status {
        401 | 403 => ExitKind::Authentication,
        404 => ExitKind::NotFound,
        423 => ExitKind::Custody,
        429 | 503 => ExitKind::Unavailable,
        _ => kind_of(fault),
    }
}

#[cfg(test)]
mod tests {
    use halfkey::{ApiError, Error, Unactivated};
    use halfkey_chain::Error as Chain;
    use halfkey_core::{AttemptId, WalletProperties};
    use halfkey_vault::Error as Vault;

    use super::*;

    fn api(code: ErrorCode, fault: Fault) -> Error {
        Error::Api(Box::new(ApiError::of(code, fault)))
    }

    fn not_activated(source: Error) -> Error {
        Error::NotActivated(Box::new(Unactivated {
            shares: Vec::new(),
            properties: WalletProperties::new("SVM", "w", "address"),
            attempt_id: AttemptId::from_bytes([0; 16]),
            source,
        }))
    }

    fn pending(source: Error) -> Error {
        Error::LeftPending {
            attempt: AttemptId::from_bytes([0; 16]),
            source: Box::new(source),
        }
    }

    /// Each failure the guides speak of ends with the code they name.
    #[test]
    fn each_failure_has_its_exit_code() {
        let locked = || Error::WalletLocked {
            generation: halfkey_core::Generation(0),
        };
        let missing = || Error::SharesMissing {
            vault: "x".to_owned(),
            provider: "y".to_owned(),
        };
        let unknown = Error::OutcomeUnknown {
            digest: "00".to_owned(),
            source: Box::new(Error::BadSignature),
        };
        let cases = [
            (Error::InvalidArgument("x".to_owned()), 3),
            (Error::NoShare, 3),
            (Error::NameTaken, 3),
            (Error::ShareOfAnotherWallet, 3),
            (Error::ShareOfAnotherParty, 3),
            (Error::ShareOfAnotherEnvironment, 3),
            (
                Error::ShareOfAnotherGeneration {
                    share: halfkey_core::Generation(1),
                },
                3,
            ),
            (Error::ShareDamaged, 8),
            (Error::PasswordRequired, 3),
            (Error::WrongPassword, 3),
            (Error::PasswordRefused, 7),
            (Error::BackupDamaged("x"), 8),
            (Error::BackupParameters("x"), 8),
            (missing(), 8),
            (Error::WalletNotFound, 4),
            (Error::NotAuthenticated, 5),
            (locked(), 7),
            (Error::BadSignature, 7),
            (Error::ProviderIdentityMismatch, 7),
            (unknown, 9),
            (pending(locked()), 7),
            (pending(Error::NotAuthenticated), 5),
            (Error::Vault(Vault::Full("x".to_owned())), 8),
            (Error::Vault(Vault::Timeout("x".to_owned())), 6),
            (Error::Vault(Vault::Denied("x".to_owned())), 8),
            (Error::Vault(Vault::KeyDisabled("x".to_owned())), 8),
            (Error::Vault(Vault::Config("x".to_owned())), 3),
            (Error::TooManySignatures, 6),
            (Error::Payload(Chain::Refused("x".to_owned())), 7),
            (Error::Payload(Chain::Malformed("x".to_owned())), 3),
            (Error::Payload(Chain::Mismatch("x".to_owned())), 3),
            (not_activated(locked()), 7),
            (not_activated(Error::Vault(Vault::Full("x".to_owned()))), 8),
            (not_activated(Error::WalletNotFound), 4),
        ];
        for (error, code) in cases {
            let shown = format!("{error:?}");
            assert_eq!(Failure::from(error).kind.code(), code, "{shown}");
        }
    }
    /// The provider's codes, by what the caller has to do about them.
    #[test]
    fn each_answer_of_the_provider_has_its_exit_code() {
        use ErrorCode as Code;
        let cases = [
            (Code::InvalidRequest, Fault::Caller, 3),
            (Code::UnknownChain, Fault::Caller, 3),
            (Code::PayloadMismatch, Fault::Caller, 3),
            (Code::StaleGeneration, Fault::Caller, 3),
            (Code::IdempotencyMismatch, Fault::Caller, 3),
            (Code::NotFound, Fault::Caller, 4),
            (Code::Unauthenticated, Fault::Caller, 5),
            (Code::TokenExpired, Fault::Caller, 5),
            (Code::ScopeMissing, Fault::Caller, 5),
            (Code::TooManyRequests, Fault::BackendTemporary, 6),
            (Code::Unavailable, Fault::BackendTemporary, 6),
            (Code::PeerMisbehaved, Fault::Peer, 7),
            (Code::BlindSigningDenied, Fault::Caller, 7),
            (Code::PayloadRefused, Fault::Caller, 7),
            (Code::RecipientRefused, Fault::Caller, 7),
            (Code::WalletLocked, Fault::BackendPermanent, 7),
            (Code::NeedsCompleteRefresh, Fault::BackendPermanent, 7),
            (Code::Internal, Fault::Bug, 1),
        ];
        for (code, fault, exit) in cases {
            let failure = Failure::from(api(code, fault));
            assert_eq!((failure.kind.code(), &*failure.code), (exit, code.as_str()));
            let failure = Failure::from(pending(api(code, fault)));
            assert_eq!(
                failure.kind.code(),
                exit,
                "{code:?} behind a pending wallet"
            );
            let failure = Failure::from(not_activated(api(code, fault)));
            assert_eq!(failure.kind.code(), exit, "{code:?} behind a new wallet");
        }
    }
}
