use super::Error;

impl Error {
    /// The stable name of this kind of failure, for programs and exit codes. Where the provider
    /// answered with a code of its own, that code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidArgument(_) => "invalid_argument",
            Self::InsecureUrl => "insecure_url",
            Self::NotAuthenticated => "not_authenticated",
            Self::Authentication(api) | Self::Api(api) => api.code.as_str(),
            Self::PasswordRequired => "password_required",
            Self::PasswordRefused => "password_refused",
            Self::WrongPassword => "wrong_password",
            Self::BackupDamaged(_) => "backup_damaged",
            Self::BackupParameters(_) => "backup_parameters",
            Self::Unsupported(_) => "unsupported",
            Self::StaleWalletProperties(_) => "stale_wallet_properties",
            Self::NoShare => "no_share",
            Self::ShareDamaged => "share_damaged",
            Self::ShareOfAnotherEnvironment => "share_of_another_environment",
            Self::ShareOfAnotherWallet => "share_of_another_wallet",
            Self::ShareOfAnotherParty => "share_of_another_party",
            Self::ShareOfAnotherGeneration { .. } => "share_of_another_generation",
            Self::TooManySignatures => "too_many_signatures",
            Self::WalletNotFound => "not_found",
            Self::WalletLocked { .. } => "wallet_locked",
            Self::FellBack { .. } => "fell_back",
            Self::NotRecoverable { .. } => "not_recoverable",
            Self::RestoreEpochUsed { .. } => "restore_epoch_used",
            Self::TooManyChanges { .. } => "too_many_changes",
            Self::PeerMisbehaved { .. } => "provider_misbehaved",
            Self::LockNotStored { .. } => "lock_not_stored",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::NotActivated(_) => "not_activated",
            Self::LeftPending { .. } => "left_pending",
            Self::DistinctVaultsRequired => "distinct_vaults_required",
            Self::CannotOpen => "cannot_open",
            Self::NameTaken => "name_taken",
            Self::AttemptAborted(_) => "attempt_aborted",
            Self::SharesMissing { .. } => "shares_missing",
            Self::VaultState(_) => "vault_state",
            Self::Escrow(inner) => inner.code(),
            Self::ProviderIdentityRequired => "provider_identity_required",
            Self::ProviderIdentityMismatch => "provider_identity_mismatch",
            Self::Network(inner) => inner.kind.as_str(),
            Self::Protocol(_) => "provider_protocol",
            Self::BadSignature => "bad_signature",
            Self::Payload(_) => "payload",
            Self::Ceremony(_) => "ceremony",
            Self::Envelope(_) => "delegation_envelope",
            #[cfg(feature = "vault")]
            Self::Vault(inner) => vault_code(inner),
            Self::Shared(inner) => inner.code(),
            Self::Bug(_) => "internal",
        }
    }
}

/// The stable name of a storage failure; [`Error::code`] of [`Error::Vault`].
#[cfg(feature = "vault")]
pub const fn vault_code(error: &halfkey_vault::Error) -> &'static str {
    use halfkey_vault::Error as Vault;
    match error {
        Vault::NotFound(_) => "record_not_found",
        Vault::Conflict(_) => "record_conflict",
        Vault::Corrupt { .. } => "record_corrupt",
        Vault::Forbidden(_) => "forbidden",
        Vault::Keyring(_) => "keyring",
        Vault::ReadBack(_) => "record_not_as_written",
        Vault::AuditUnavailable(_) => "audit_unavailable",
        Vault::Full(_) => "store_full",
        Vault::Backend { .. } => "store_failed",
        Vault::Passphrase(_) => "passphrase",
        Vault::Environment { .. } => "another_environment",
        Vault::Permissions(_) => "permissions",
        Vault::TooLarge { .. } => "too_large",
        Vault::UnknownTerm { .. } => "unknown_term",
        Vault::ShredIncomplete(_) => "shred_incomplete",
        Vault::Denied(_) => "permission_denied",
        Vault::KeyDisabled(_) => "kek_disabled",
        Vault::Throttled(_) => "throttled",
        Vault::Timeout(_) => "store_timeout",
        Vault::NotDurable(_) => "store_not_durable",
        Vault::Insecure(_) => "insecure_connection",
        Vault::Config(_) => "configuration",
        _ => "vault",
    }
}
