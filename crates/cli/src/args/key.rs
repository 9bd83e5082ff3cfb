//! Options of the commands that see a whole key.

use core::str::FromStr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use halfkey::KeyPath;
use halfkey_core::{ChainName, ParseError, ThresholdSignatureScheme};

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
    #[arg(long, conflicts_with = "mnemonic")]
    pub(crate) xprv: bool,
    /// The file holds a BIP-39 mnemonic: 12 to 24 words of the English list.
    #[arg(long)]
    pub(crate) mnemonic: bool,
    /// The passphrase that belongs to the mnemonic, where it has one ("25th word"): the first line
    /// of this file.
    #[arg(long, value_name = "FILE", requires = "mnemonic")]
    pub(crate) mnemonic_passphrase_file: Option<PathBuf>,
    /// Where the address is. Below an xprv no index is hardened [default: m/0/0]. Below a mnemonic
    /// [default: m/44'/60'/0'/0/0 for EVM, m/44'/501'/0'/0' for SVM]; `none` is the Solana key that
    /// solana-keygen makes without a path.
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<Place>,
    /// Refuse the key, before anything is made of it, unless this is its address.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) expect: Option<String>,
    /// `TWO_OF_TWO` or `TWO_OF_THREE`.
    #[arg(long, default_value = "TWO_OF_TWO")]
    pub(crate) scheme: ThresholdSignatureScheme,
    /// A name for the wallet, for ever.
    #[arg(long, value_name = "NAME")]
    pub(crate) alias: Option<String>,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

/// Where below a seed a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the seed's first half.
    None,
    At(KeyPath),
}

impl FromStr for Place {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "none" {
            Ok(Self::None)
        } else {
            text.parse().map(Self::At)
        }
    }
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
    /// The wallet's address or alias.
    pub(crate) address: String,
    /// How the key is written.
    #[arg(long, value_enum, default_value = "key")]
    pub(crate) form: Form,
    /// Who alone shall have the key: an age X25519 key on the environment's list (`halfkey
    /// recipient list`). Neither half ever has it then.
    #[arg(long, value_name = "AGE1…", conflicts_with = "form")]
    pub(crate) recipient: Option<String>,
    /// A file that does not exist yet; only its owner will read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

/// Options of `wallet open-export`.
#[derive(Debug, Args)]
pub(crate) struct OpenExport {
    /// What `wallet export --recipient` wrote.
    pub(crate) file: PathBuf,
    /// The recipient's secret key, as age-keygen writes it; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_file: PathBuf,
    /// How the key is written.
    #[arg(long, value_enum, default_value = "key")]
    pub(crate) form: Form,
    /// A file that does not exist yet; only its owner will read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Options of `wallet rescue`.
#[derive(Debug, Args)]
pub(crate) struct Rescue {
    /// The wallet's address or alias.
    pub(crate) address: String,
    /// The secret half of the escrow key, as age-keygen writes it; `-` reads standard input. For a
    /// `TWO_OF_TWO` wallet.
    #[arg(long, value_name = "FILE")]
    pub(crate) escrow_identity: Option<PathBuf>,
    /// The escrow, where it is not the one that is kept here (`halfkey escrow show`).
    #[arg(long, value_name = "FILE", requires = "escrow_identity")]
    pub(crate) escrow: Option<PathBuf>,
    /// Do everything, sign with the key, and keep nothing: say whether a rescue would work.
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
