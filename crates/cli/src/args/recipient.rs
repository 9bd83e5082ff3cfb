//! `recipient …`

use clap::Subcommand;

use super::Provider;

/// `recipient …`
#[derive(Debug, Subcommand)]
pub(crate) enum Recipient {
    /// Allow exports to a key. From the first one on, every export has to name one.
    #[command(after_help = "Examples:
  halfkey recipient add age1… --name 'treasury, safe 2' --token-file recipients.token

Needs a token with the scope wallet.recipients; give it to nobody who exports:
  halfkey token create --name recipients --scope wallet.recipients --scope wallet.read
The provider may let a new key wait (`serve --recipient-delay`).")]
    Add {
        /// An X25519 key as age writes it.
        recipient: String,
        /// Whose key it is, and where.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        provider: Provider,
    },
    /// List the keys that exports may go to.
    #[command(after_help = "Examples:
  halfkey recipient list
  halfkey recipient list --json | jq -r '.recipients[].recipient'")]
    List {
        #[command(flatten)]
        provider: Provider,
    },
    /// Forbid exports to a key.
    #[command(after_help = "Examples:
  halfkey recipient remove age1… --token-file recipients.token

Exports have to name a recipient all the same, even when none is left.")]
    Remove {
        /// The key, as `list` shows it.
        recipient: String,
        #[command(flatten)]
        provider: Provider,
    },
}
