//! `provider …`

use core::time::Duration;

use clap::{Args, Subcommand};
use halfkey_core::EnvironmentId;

use super::age;

/// `provider …`
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderSide {
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
    /// Let one wallet fall back to an earlier generation, because its customer's vault was restored
    /// from an older copy.
    #[command(after_help = "Examples:
  halfkey provider recover 0xABC… --to-generation 3 --reason 'ticket 4711: vault of 2026-02-01'

Works beside `serve`. It changes nothing by itself: the customer then runs
  halfkey wallet recover 0xABC… --to-generation 3
which proves its share of that generation. After that the wallet only refreshes. Ask yourself first
whether it is the customer who asks: whoever stole an old copy of its vault would ask the same. A
generation that ended by a lock or by `refresh --compromised` is burnt and cannot be recovered.")]
    Recover(Recovery),
}

/// Which provider.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The environment; needed where there are several.
    #[arg(long, value_name = "ID")]
    pub(crate) environment: Option<EnvironmentId>,
}

/// Options of `provider recover`.
#[derive(Debug, Args)]
pub(crate) struct Recovery {
    /// The wallet's address.
    pub(crate) address: String,
    /// The generation to fall back to.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) to_generation: u64,
    /// Why; stands in the activity log.
    #[arg(long)]
    pub(crate) reason: String,
    /// How long the customer has to take it up.
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "1d")]
    pub(crate) lasts: Duration,
    /// The environment of the wallet [default: the first one]
    #[arg(long, value_name = "ENV")]
    pub(crate) of_environment: Option<EnvironmentId>,
}
