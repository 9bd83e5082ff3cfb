//! Options of the commands around backups with the provider.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use halfkey_core::BackupId;

use super::Provider;

pub(super) const BACKUP_EXAMPLES: &str = "Examples:
  halfkey wallet backup 0xABC… --recovery-key-out 0xABC.key      256 bits: as strong as the wallet
  halfkey wallet backup 0xABC… --password-file password.txt      as strong as the password
  halfkey wallet backup 0xABC… --password-file - --format v2     for a published SDK

The provider holds the other half: with the backup's secret it has the whole key. Keep the recovery
key where neither the vault nor the provider is. A backup is of one generation: after a refresh or
reshare make another.";

pub(super) const RECOVER_EXAMPLES: &str = "Examples:
  halfkey wallet recover 0xABC… --password-file 0xABC.key
  halfkey wallet recover 0xABC… --password-file - --token-file ops.token < 0xABC.key

After a restore of one half (docs/runbooks/restore.md):
  halfkey wallet recover 0xABC… --to-generation 3 --token-file ops.token

Needs the scope wallet.backup, for --to-generation wallet.recover. Records that open are left alone;
safe to repeat.";

pub(super) const CHANGE_PASSWORD_EXAMPLES: &str = "Examples:
  halfkey wallet change-password 0xABC… --password-file old.txt --new-password-file new.txt
  halfkey wallet change-password 0xABC… --password-file old.txt --recovery-key-out 0xABC.key

Needs the scope wallet.backup. The old backup goes only once the new one is stored. Whoever copied
it can still try the old password: if that was seen, run `halfkey wallet refresh --compromised`
too.";

pub(super) const DROP_BACKUP_EXAMPLES: &str = "Examples:
  halfkey wallet drop-backup 0xABC…                    which backups there are
  halfkey wallet drop-backup 0xABC… --id ID --id ID --token-file ops.token

Dropping needs the scope wallet.backup. Nothing brings a dropped backup back; whoever copied it
still has it.";

/// How a backup is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Argon2id, bound to environment, wallet, share and generation.
    V3,
    /// PBKDF2: what the published SDKs read.
    V2,
}

impl From<Format> for halfkey::BackupFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::V3 => Self::V3,
            Format::V2 => Self::V2,
        }
    }
}

/// Options of `wallet backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The wallet's address.
    pub(crate) address: String,
    /// Where the password, or a recovery key, stands (its first line); `-` reads standard input.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "recovery_key_out"
    )]
    pub(crate) password_file: Option<PathBuf>,
    /// Draw a recovery key of 256 bits and write it here first: a file that does not exist yet and
    /// that only its owner will read.
    #[arg(long, value_name = "FILE", conflicts_with = "password_file")]
    pub(crate) recovery_key_out: Option<PathBuf>,
    /// How the backup is written.
    #[arg(long, value_enum, default_value = "v3")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

/// Options of `wallet recover`.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// The wallet's address.
    pub(crate) address: String,
    /// Where the backup's password or recovery key stands (its first line); `-` reads standard
    /// input. Without it only a backup that was never protected opens.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Fall back to this generation instead, of which both halves still hold their shares: one of
    /// them was restored from an older copy.
    #[arg(long, value_name = "NUMBER", conflicts_with = "password_file")]
    pub(crate) to_generation: Option<u64>,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

/// Options of `wallet change-password`.
#[derive(Debug, Args)]
pub(crate) struct ChangePassword {
    /// The wallet's address.
    pub(crate) address: String,
    /// Where the present password or recovery key stands (its first line); `-` reads standard
    /// input. Without it only a backup that was never protected opens.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Where the new one stands.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "recovery_key_out"
    )]
    pub(crate) new_password_file: Option<PathBuf>,
    /// Draw a recovery key instead and write it here first: a file that does not exist yet.
    #[arg(long, value_name = "FILE", conflicts_with = "new_password_file")]
    pub(crate) recovery_key_out: Option<PathBuf>,
    /// How the new backup is written.
    #[arg(long, value_enum, default_value = "v3")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

/// Options of `wallet drop-backup`.
#[derive(Debug, Args)]
pub(crate) struct DropBackup {
    /// The wallet's address.
    pub(crate) address: String,
    /// The id of a backup to drop; may be given several times. Without it they are listed.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Vec<BackupId>,
    #[command(flatten)]
    pub(crate) provider: Provider,
}
