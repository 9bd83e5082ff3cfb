//! `incident …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Provider;

/// `incident …`
#[derive(Debug, Subcommand)]
pub(crate) enum Incident {
    /// Freeze, revoke, rotate the KEK, rewrap every record, refresh every wallet, check the audit
    /// log, and write a signed report: the steps that are asked for.
    ///
    /// Without options it rotates, rewraps and checks, and asks no provider. That shuts out whoever
    /// holds an old KEK version and a *later* copy of the store. It does not help against somebody
    /// who has read key shares already: refresh those wallets or move their funds. See the runbook,
    /// docs/runbooks/compromise.md.
    #[command(after_help = "Examples:
  halfkey incident run --reason drill
  halfkey incident run --reason 'backup of 2026-01-31 was left open' --disable-old
  halfkey incident run --reason 'host web-3 was taken over' --freeze --revoke-tokens --refresh \\
    --unfreeze --token-file incident.token

The provider's part needs a token with the scopes wallet.freeze and wallet.unfreeze, and for
--refresh also wallet.create, wallet.read and wallet.refresh. Make it before it is needed, and keep
it where no wallet's share is.")]
    Run(Run),
    /// Stop everything at the provider: nothing is made, signed, changed, exported or given back.
    #[command(after_help = "Examples:
  halfkey incident freeze --reason 'host web-3 was taken over' --token-file incident.token
  halfkey incident freeze --wallet 0xABC… --reason 'odd payouts' --token-file incident.token

Needs the scope wallet.freeze. It holds at once and through restarts, until `incident unfreeze`.
It does not stop the two customer shares of a TWO_OF_THREE wallet, nor a key that was ever whole.")]
    Freeze {
        /// Why; stands in the provider's activity log.
        #[arg(long)]
        reason: String,
        /// One wallet, by address or alias; the whole environment when absent.
        #[arg(long, value_name = "ADDRESS")]
        wallet: Option<String>,
        #[command(flatten)]
        provider: Provider,
    },
    /// End a freeze.
    #[command(after_help = "Examples:
  halfkey incident unfreeze --token-file incident.token
  halfkey incident unfreeze --wallet 0xABC… --token-file incident.token

Needs the scope wallet.unfreeze.")]
    Unfreeze {
        /// One wallet, by address or alias; the whole environment when absent.
        #[arg(long, value_name = "ADDRESS")]
        wallet: Option<String>,
        #[command(flatten)]
        provider: Provider,
    },
    /// What is frozen, and why.
    #[command(after_help = "Examples:
  halfkey incident status
  halfkey incident status --json | jq '.freezes | length'")]
    Status {
        #[command(flatten)]
        provider: Provider,
    },
    /// Check the signature of a report.
    #[command(after_help = "Examples:
  halfkey incident verify report.json
  halfkey incident verify report.json --key 4f2c…")]
    Verify {
        /// The report.
        file: PathBuf,
        /// The key it must be signed by, as a report or `audit checkpoint` shows it.
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
    },
}

/// Options of `incident run`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "one flag per step")]
pub(crate) struct Run {
    /// Why; stands in the report and in the logs.
    #[arg(long)]
    pub(crate) reason: String,
    /// First of all, freeze the environment at the provider.
    #[arg(long)]
    pub(crate) freeze: bool,
    /// Revoke every API token but the one used here.
    #[arg(long)]
    pub(crate) revoke_tokens: bool,
    /// Disable the older KEK versions once nothing stands under them. Restoring an older
    /// backup then needs `vault enable` first.
    #[arg(long)]
    pub(crate) disable_old: bool,
    /// Make new shares of every wallet and shred every earlier generation on both sides
    /// (`wallet refresh --all --compromised`); goes on while everything is frozen.
    #[arg(long)]
    pub(crate) refresh: bool,
    /// Last of all, and only when every other step was done, end the freeze.
    #[arg(long)]
    pub(crate) unfreeze: bool,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

impl Run {
    /// Whether any step is the provider's.
    pub(crate) const fn asks_provider(&self) -> bool {
        self.freeze || self.revoke_tokens || self.refresh || self.unfreeze
    }
}
