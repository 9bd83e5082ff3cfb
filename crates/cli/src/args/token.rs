//! `token …`

use clap::Subcommand;
use halfkey_core::wire::Scope;

/// `token …`
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make an API token and print it once.
    #[command(after_help = "Examples:
  halfkey token create --name payouts
  halfkey token create --name viewer --scope wallet.read --expires-days 30")]
    Create {
        /// A name to know it by.
        #[arg(long, default_value = "default")]
        name: String,
        /// What it may do; repeat for several [default: wallet.create, wallet.sign, wallet.read].
        /// The others are wallet.refresh, wallet.reshare, wallet.import, wallet.export,
        /// wallet.recover, wallet.backup, wallet.recipients, wallet.escrow, wallet.delegate and
        /// events.read.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// Days until it expires.
        #[arg(long, default_value_t = 365, value_name = "DAYS")]
        expires_days: u32,
    },
    /// List tokens, never their secrets.
    #[command(after_help = "Examples:
  halfkey token list
  halfkey token list --json | jq -r '.[] | select(.revoked_at == null) | .id'")]
    List,
    /// Revoke a token by its id.
    #[command(after_help = "Examples:
  halfkey token revoke 018f3c1e-7a5b-7c00-8000-0123456789ab")]
    Revoke {
        /// The id `token list` shows.
        id: String,
    },
}
