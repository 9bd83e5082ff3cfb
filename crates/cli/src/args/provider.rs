//! `provider …`

use clap::{Args, Subcommand};
use halfkey_core::EnvironmentId;

/// `provider …`
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderKeys {
    /// Show the KEK that the provider's new keys are wrapped with, and its versions.
    #[command(after_help = "Examples:
  halfkey provider status
  halfkey provider status --json | jq -r '.versions[-1].version'")]
    Status(Which),
    /// Make a new version of the KEK; new keys use it at once, the others wait for `rewrap`.
    #[command(after_help = "Examples:
  halfkey provider rotate && halfkey provider rewrap

A keyring is read anew by a provider that runs when it meets a key of the new version.")]
    Rotate(Which),
    /// Move every share of the provider, of every generation, to the newest version of the KEK.
    #[command(after_help = "Examples:
  halfkey provider rewrap
  halfkey provider rewrap --json | jq .failed

To move from the keyring file to a KMS, write its [kms] section to
  DATA_DIR/provider/environments/ENVIRONMENT/storage.toml
start `halfkey serve` again, and run this. The provider goes on serving; what ends half way is
continued by the next run. Exit code 8 when something was not moved.")]
    Rewrap(Which),
}

/// Which provider.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The environment; needed where there are several.
    #[arg(long, value_name = "ID")]
    pub(crate) environment: Option<EnvironmentId>,
}
