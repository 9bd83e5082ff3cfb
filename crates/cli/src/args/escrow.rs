//! `escrow …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Provider;

/// `escrow …`
#[derive(Debug, Subcommand)]
pub(crate) enum Escrow {
    /// Register the key that the provider's shares of `TWO_OF_TWO` wallets are sealed to.
    #[command(after_help = "Examples:
  age-keygen -o escrow.key                   on another machine; its public key is age1…
  halfkey escrow register age1… --name 'escrow, safe 3' --require --token-file recipients.token

From when the provider's delay is over (`serve --recipient-delay`), no TWO_OF_TWO wallet is made or
changed unless the provider's share is sealed to the key and kept here. Whoever has the key's secret
half and a share of yours has the wallet: keep the two in different hands, offline. Needs a token
with the scope wallet.recipients. Wallets that are there already: `halfkey escrow fetch`.")]
    Register {
        /// An X25519 key as age writes it.
        recipient: String,
        /// Whose key it is, and where.
        #[arg(long)]
        name: String,
        /// Make this side insist: no `TWO_OF_TWO` wallet is made or changed while the provider
        /// seals to another key or to none.
        #[arg(long)]
        require: bool,
        #[command(flatten)]
        provider: Provider,
    },
    /// List the escrow keys, and which is in force.
    #[command(after_help = "Examples:
  halfkey escrow keys
  halfkey escrow keys --json | jq -r .in_force")]
    Keys {
        #[command(flatten)]
        provider: Provider,
    },
    /// End an escrow key: what was sealed to it stays.
    #[command(after_help = "Examples:
  halfkey escrow remove age1… --token-file recipients.token

Register the next one first: without a key, wallets are made without escrow. This side stops
insisting on the key.")]
    Remove {
        /// The key, as `keys` shows it.
        recipient: String,
        #[command(flatten)]
        provider: Provider,
    },
    /// Have the provider's share sealed to the key in force, and keep that here.
    #[command(after_help = "Examples:
  halfkey escrow fetch 0xABC… --token-file escrow.token
  halfkey escrow fetch 0xABC… --out 0xABC.escrow.json     and a copy to keep elsewhere

For wallets that were made before the key was registered, and to get a copy again. Needs a token
with the scope wallet.escrow:
  halfkey token create --name escrow --scope wallet.escrow --scope wallet.read")]
    Fetch(FetchEscrow),
    /// Show the escrows that are kept here, or one in a file. Opens none.
    #[command(after_help = "Examples:
  halfkey escrow show 0xABC…
  halfkey escrow show 0xABC… --out 0xABC.escrow.json      a copy of the newest, without the provider
  halfkey escrow show --file 0xABC.escrow.json")]
    Show(ShowEscrow),
}

/// Options of `escrow fetch`.
#[derive(Debug, Args)]
pub(crate) struct FetchEscrow {
    /// The wallet's address or alias.
    pub(crate) address: String,
    /// A copy in a file that does not exist yet. Only the key's secret half opens it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

/// Options of `escrow show`.
#[derive(Debug, Args)]
pub(crate) struct ShowEscrow {
    /// The wallet's address or alias.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) address: Option<String>,
    /// What is in this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// A copy of the newest generation's in a file that does not exist yet.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) provider: Provider,
}
