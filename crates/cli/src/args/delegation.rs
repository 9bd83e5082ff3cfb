//! `delegation …`

use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use halfkey_core::wire::WalletKeyScope;

use super::{Provider, age};

/// `delegation …`
#[derive(Debug, Subcommand)]
pub(crate) enum Delegation {
    /// Make a delegate's RSA key. The delegate runs this, and tells the customer the fingerprint.
    #[command(after_help = "Examples:
  halfkey delegation key --out delegate.pem
  halfkey delegation key --out delegate.pem --json | jq -r .fingerprint")]
    Key {
        /// Where the private key goes: a file that does not exist yet; only its owner will read it.
        /// The public key goes beside it, with `.pub` at its end.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Register a delegate's public key at the provider.
    #[command(after_help = "Examples:
  halfkey delegation register delegate.pem.pub --token-file ops.token")]
    Register {
        /// One `PUBLIC KEY` PEM block: RSA, 2048 bits or more.
        file: PathBuf,
        #[command(flatten)]
        provider: Provider,
    },
    /// Give a delegate one share of a wallet and a key of the wallet's own, both encrypted for it.
    #[command(after_help = "Examples:
  halfkey delegation grant 0xABC… --to sha256:4f2c…
  halfkey delegation grant 0xABC… --to sha256:4f2c… --scope sign.message --lasts 7d

The fingerprint has to come from the delegate over a channel of your own: whoever can put another
key in its place reads your share.")]
    Grant(Grant),
    /// What a wallet was delegated to.
    #[command(after_help = "Examples:
  halfkey delegation list 0xABC…
  halfkey delegation list 0xABC… --json | jq '.delegations[] | select(.status == \"active\")'")]
    List {
        /// The wallet's address.
        address: String,
        #[command(flatten)]
        provider: Provider,
    },
    /// Block every delegate of a wallet at once, then make their share useless by a refresh that
    /// keeps nothing. Safe to repeat.
    #[command(after_help = "Examples:
  halfkey delegation revoke 0xABC… --token-file ops.token")]
    Revoke {
        /// The wallet's address.
        address: String,
        #[command(flatten)]
        provider: Provider,
    },
    /// Fetch what this delegate was sent, without an address of its own. The delegate runs this.
    #[command(after_help = "Examples:
  halfkey delegation receive --key delegate.pem --into deliveries --token-file events.token

Each delivery is checked and kept as it came: encrypted for the key. Needs a token with the scope
events.read and nothing else.")]
    Receive(Receive),
    /// Sign a message as a delegate.
    #[command(after_help = "Examples:
  halfkey delegation sign-message deliveries/0a1b….json 'hello' --key delegate.pem
  echo -n hello | halfkey delegation sign-message deliveries/0a1b….json - --key delegate.pem")]
    SignMessage {
        /// A delivery that `receive` kept.
        delivery: PathBuf,
        /// The text; `-` reads standard input.
        message: String,
        /// The delegate's private key, PEM.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        provider: Provider,
    },
}

/// Options of `delegation grant`.
#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// The wallet's address.
    pub(crate) address: String,
    /// The delegate's fingerprint, as `delegation key` printed it there.
    #[arg(long, value_name = "sha256:HEX")]
    pub(crate) to: String,
    /// What the delegate may sign; repeat for several [default: `sign.message`,
    /// `sign.typed_data`, `sign.transaction`]. The others are `sign.authorization` and
    /// `sign.blind`.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<WalletKeyScope>,
    /// How long it may: `12h`, `30d`; 366 days at most.
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "30d")]
    pub(crate) lasts: Duration,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

/// Options of `delegation receive`.
#[derive(Debug, Args)]
pub(crate) struct Receive {
    /// The delegate's private key, PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Where deliveries go; made when absent. How far was fetched is kept there too.
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    #[command(flatten)]
    pub(crate) provider: Provider,
}
