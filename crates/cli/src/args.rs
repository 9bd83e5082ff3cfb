//! The command line.

mod audit;
mod doctor;
mod incident;
mod vault;

pub(crate) use self::audit::{Audit, Export, ExportFormat};
pub(crate) use self::doctor::Doctor;
pub(crate) use self::incident::Incident;
pub(crate) use self::vault::{Rewrap, Vault, age};

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use halfkey_core::wire::Scope;
use halfkey_core::{ChainName, EnvironmentId, ThresholdSignatureScheme, Variant};

/// Open, self-hostable MPC server wallets: your backend holds one half of every key, the provider
/// the other, and the two sign together.
#[derive(Debug, Parser)]
#[command(name = "halfkey", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  halfkey demo                                the whole main job on this machine
  halfkey init && halfkey serve               a provider on loopback
  halfkey wallet create --chain EVM           a wallet, in another shell
  halfkey wallet sign-message 0xABC… 'hello'

Exit codes: 0 done · 1 internal · 2 usage · 3 bad input · 4 not found · 5 token
6 provider or store unavailable · 7 custody forbids it · 8 vault or keyring unusable
9 outcome unknown";

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where both halves keep their state [default: `$XDG_DATA_HOME/halfkey` or
    /// `~/.local/share/halfkey`]
    #[arg(long, global = true, env = "HALFKEY_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print one JSON value instead of text; errors are JSON on stderr.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// More log lines on stderr; repeat for more. `HALFKEY_LOG` takes a filter.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Read the keyring passphrase from this file (its first line).
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// The storage tiers [default: customer/storage.toml in the data directory; embedded without
    /// it]
    #[arg(long, global = true, env = "HALFKEY_STORAGE", value_name = "FILE")]
    pub(crate) storage: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an environment, its keyrings and a first API token. Safe to repeat.
    Init,
    /// Run the whole main job here: create, seal, forget, reload, sign, verify.
    Demo(Demo),
    /// Run the provider's half.
    #[command(after_help = "Examples:
  halfkey serve
  halfkey serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem
  halfkey serve --dev-tls --listen 127.0.0.1:8443 --metrics-listen 127.0.0.1:9090")]
    Serve(Serve),
    /// API tokens of this provider.
    #[command(subcommand)]
    Token(Token),
    /// Wallets of this customer.
    #[command(subcommand)]
    Wallet(Wallet),
    /// This customer's vault: its KEK, and the records under it.
    #[command(subcommand)]
    Vault(Vault),
    /// The audit and activity chains.
    #[command(subcommand)]
    Audit(Audit),
    /// Check this customer's set-up against the ten requirements of safe storage.
    #[command(after_help = "Examples:
  halfkey doctor
  halfkey doctor --json | jq '.checks[] | select(.status != \"pass\")'

Exit code 7 when a check fails. It writes, opens and shreds one probe record.")]
    Doctor(Doctor),
    /// What to do when key material may have been seen by others.
    #[command(subcommand)]
    Incident(Incident),
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How the Solana key is made.
    #[arg(long, default_value = "ed25519Exportable", value_name = "VARIANT")]
    pub(crate) variant: Variant,
    /// Parties and signers of the wallets it creates.
    #[arg(long, default_value = "TWO_OF_TWO", value_name = "SCHEME")]
    pub(crate) scheme: ThresholdSignatureScheme,
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on. Plain HTTP is possible on loopback only.
    #[arg(long, default_value = "127.0.0.1:7373", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Certificate chain, PEM (TLS 1.3 only).
    #[arg(long, requires = "tls_key", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM.
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Make a private CA and certificate beside the data, for trying things out.
    #[arg(long, conflicts_with = "tls_cert")]
    pub(crate) dev_tls: bool,
    /// Serve Prometheus metrics on this address; off when absent.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Start on a restored database: ECDSA wallets then need a complete refresh.
    #[arg(long)]
    pub(crate) accept_restore: bool,
    /// Sign digests and bytes whose meaning cannot be told, in this environment only; repeat for
    /// several. Leave off.
    #[arg(long, value_name = "ENV")]
    pub(crate) allow_blind: Vec<EnvironmentId>,
}

/// `token …`
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make an API token and print it once.
    Create {
        /// A name to know it by.
        #[arg(long, default_value = "default")]
        name: String,
        /// What it may do; repeat for several [default: all of them]
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// Days until it expires.
        #[arg(long, default_value_t = 365, value_name = "DAYS")]
        expires_days: u32,
    },
    /// List tokens, never their secrets.
    List,
    /// Revoke a token by its id.
    Revoke {
        /// The id `token list` shows.
        id: String,
    },
}

/// Where the provider is. Read from what `init` wrote unless given here.
#[derive(Debug, Args)]
pub(crate) struct Provider {
    /// The provider's base URL.
    #[arg(long, env = "HALFKEY_API_URL", value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// A CA certificate to trust besides the system's, PEM.
    #[arg(long, env = "HALFKEY_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The file that holds the API token [default: customer/token in the data directory]
    #[arg(long, env = "HALFKEY_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The environment id.
    #[arg(long, env = "HALFKEY_ENVIRONMENT", value_name = "ID")]
    pub(crate) environment: Option<String>,
    /// The provider's identity key to pin, 64 hex digits.
    #[arg(
        long = "provider-identity",
        env = "HALFKEY_PROVIDER_IDENTITY",
        value_name = "HEX"
    )]
    pub(crate) identity: Option<String>,
}

/// `wallet …`
#[derive(Debug, Subcommand)]
pub(crate) enum Wallet {
    /// Create a wallet: keygen, sealed write, proof from the re-read shares, commit.
    #[command(after_help = "Examples:
  halfkey wallet create --chain EVM
  halfkey wallet create --chain SVM --variant ed25519Standard
  halfkey wallet create --chain EVM --scheme TWO_OF_THREE --json")]
    Create {
        /// EVM or SVM.
        #[arg(long)]
        chain: ChainName,
        /// `TWO_OF_TWO` or `TWO_OF_THREE`.
        #[arg(long, default_value = "TWO_OF_TWO")]
        scheme: ThresholdSignatureScheme,
        /// ed25519Exportable or ed25519Standard (SVM only).
        #[arg(long, default_value = "ed25519Exportable")]
        variant: Variant,
        /// Makes a repeat of this command harmless.
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        #[command(flatten)]
        provider: Provider,
    },
    /// List the wallets this customer holds shares of.
    List {
        #[command(flatten)]
        provider: Provider,
    },
    /// Show one wallet: state, custody, generation, locks.
    Show {
        /// The wallet's address.
        address: String,
        #[command(flatten)]
        provider: Provider,
    },
    /// Settle wallets that an earlier process left pending.
    Resume {
        /// One address; all pending wallets when absent.
        address: Option<String>,
        #[command(flatten)]
        provider: Provider,
    },
    /// Sign a personal message (EIP-191) or a Solana message.
    #[command(after_help = "Example:
  halfkey wallet sign-message 0xABC… 'hello'")]
    SignMessage {
        /// The wallet's address.
        address: String,
        /// The text; `-` reads standard input.
        message: String,
        #[command(flatten)]
        provider: Provider,
    },
    /// Sign EIP-712 typed data.
    SignTypedData {
        /// The wallet's address.
        address: String,
        /// A JSON file with domain, types, primaryType and message; `-` reads standard input.
        file: PathBuf,
        #[command(flatten)]
        provider: Provider,
    },
    /// Sign a transaction and print it ready to send.
    #[command(after_help = "Examples:
  halfkey wallet sign-transaction 0xABC… --payload 0x02f8…      unsigned EVM payload, hex
  halfkey wallet sign-transaction 0xABC… --file tx.json          EVM transaction as JSON
  halfkey wallet sign-transaction 9xQe… --payload AQAB…          Solana message, base64")]
    SignTransaction {
        /// The wallet's address.
        address: String,
        /// EVM: unsigned payload as hex. SVM: serialized message as base64.
        #[arg(long, conflicts_with = "file", required_unless_present = "file")]
        payload: Option<String>,
        /// EVM: the transaction as JSON-RPC style JSON; `-` reads standard input.
        #[arg(long)]
        file: Option<PathBuf>,
        #[command(flatten)]
        provider: Provider,
    },
}
