//! Options of the commands that see a whole key.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use halfkey_core::{ChainName, DerivationPath, ThresholdSignatureScheme};

use super::Provider;

/// Options of `wallet import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// EVM or SVM.
    #[arg(long)]
    pub(crate) chain: ChainName,
    /// Where the key stands; `-` reads standard input. EVM: 64 hexadecimal digits. SVM: a seed or a
    /// key pair as base58, hex, base64 or a JSON list.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: PathBuf,
    /// The key is an extended private key (BIP-32 `xprv`); EVM only.
    #[arg(long)]
    pub(crate) xprv: bool,
    /// Where below the xprv the address is; no index is hardened.
    #[arg(long, value_name = "PATH", requires = "xprv", default_value = "m/0/0")]
    pub(crate) path: DerivationPath,
    /// `TWO_OF_TWO` or `TWO_OF_THREE`.
    #[arg(long, default_value = "TWO_OF_TWO")]
    pub(crate) scheme: ThresholdSignatureScheme,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// EVM: 64 hexadecimal digits, of the wallet's address alone. SVM: as `seed`.
    Key,
    /// EVM: the root as BIP-32 `xprv`.
    Xprv,
    /// SVM: the 32-byte seed, as base58.
    Seed,
    /// SVM: seed and public key as a JSON list of 64 numbers.
    Keypair,
    /// SVM: scalar and prefix, 64 bytes as hex; all there is of an `ed25519Standard` key.
    Expanded,
}

/// Options of `wallet export`.
#[derive(Debug, Args)]
pub(crate) struct ExportKey {
    /// The wallet's address.
    pub(crate) address: String,
    /// How the key is written.
    #[arg(long, value_enum, default_value = "key")]
    pub(crate) form: Form,
    /// A file that does not exist yet; only its owner will read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

/// Options of `wallet rescue`.
#[derive(Debug, Args)]
pub(crate) struct Rescue {
    /// The wallet's address.
    pub(crate) address: String,
    /// Do everything and keep nothing: say whether a rescue would work.
    #[arg(long, conflicts_with = "out")]
    pub(crate) drill: bool,
    /// How the key is written.
    #[arg(long, value_enum, default_value = "key")]
    pub(crate) form: Form,
    /// A file that does not exist yet; only its owner will read it.
    #[arg(long, value_name = "FILE", required_unless_present = "drill")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) provider: Provider,
}
