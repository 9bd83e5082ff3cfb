//! The command line.

mod audit;
mod backup;
mod delegation;
mod doctor;
mod escrow;
mod incident;
mod key;
mod provider;
mod recipient;
mod serve;
mod token;
mod vault;

pub(crate) use self::audit::{Audit, Export, ExportFormat};
pub(crate) use self::backup::{Backup, ChangePassword, DropBackup, Recover};
pub(crate) use self::delegation::{Delegation, Grant, Receive};
pub(crate) use self::doctor::Doctor;
pub(crate) use self::escrow::{Escrow, FetchEscrow, ShowEscrow};
pub(crate) use self::incident::{Incident, Run};
pub(crate) use self::key::{ExportKey, Form, Import, OpenExport, Place, Rescue};
pub(crate) use self::provider::{ProviderSide, Recovery, Which};
pub(crate) use self::recipient::Recipient;
pub(crate) use self::serve::Serve;
pub(crate) use self::token::Token;
pub(crate) use self::vault::{Rewrap, Vault, age};

use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use halfkey_core::{ChainName, ThresholdSignatureScheme, Variant};

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
    #[command(after_help = "Examples:
  halfkey init
  halfkey --data-dir /srv/halfkey --passphrase-file /run/secrets/keyring init
  halfkey init --provider-storage kms.toml    the provider's keys under a KMS")]
    Init {
        /// How a new provider's keys are wrapped: a file with the sections `kms`, `dek_cache` and
        /// `retry` of `storage.toml`. Without it: a keyring file.
        #[arg(long, value_name = "FILE")]
        provider_storage: Option<PathBuf>,
    },
    /// Run the whole main job here: create, seal, forget, reload, sign, verify.
    #[command(after_help = "Examples:
  halfkey demo
  halfkey demo --variant ed25519Standard --scheme TWO_OF_THREE")]
    Demo(Demo),
    /// Run the provider's half.
    #[command(after_help = "Examples:
  halfkey serve
  halfkey serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem
  halfkey serve --dev-tls --listen 127.0.0.1:8443 --metrics-listen 127.0.0.1:9090")]
    Serve(Serve),
    /// The provider's half: its KEK, and what only its operator may allow.
    #[command(subcommand)]
    Provider(ProviderSide),
    /// API tokens of this provider.
    #[command(subcommand)]
    Token(Token),
    /// Wallets of this customer.
    #[command(subcommand)]
    Wallet(Wallet),
    /// Keys that exports may go to.
    #[command(subcommand)]
    Recipient(Recipient),
    /// The provider's shares, sealed to a key that is kept apart: for when it is gone for good.
    #[command(subcommand)]
    Escrow(Escrow),
    /// Let another backend sign with a wallet, and take that back.
    #[command(subcommand)]
    Delegation(Delegation),
    /// This customer's vault: its KEK, and the records under it.
    Vault {
        /// The vault of the customer's second party (`second_vault` in storage.toml) instead.
        #[arg(long, global = true)]
        second: bool,
        #[command(subcommand)]
        command: Vault,
    },
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

/// Where the provider is. Read from what `init` wrote unless given here.
#[derive(Debug, Args)]
pub(crate) struct Provider {
    /// The provider's base URL.
    #[arg(long, env = "HALFKEY_API_URL", value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// The CA certificates to trust, PEM: only these, not the system's.
    #[arg(long, env = "HALFKEY_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The file that holds the API token [default: customer/token in the data directory]
    #[arg(long, env = "HALFKEY_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How long one call to the provider may take, repeats included: a number and ms, s or m.
    #[arg(
        long,
        env = "HALFKEY_TIMEOUT",
        default_value = "60s",
        value_parser = deadline,
        value_name = "TIME"
    )]
    pub(crate) timeout: Duration,
    /// Where the password or recovery key of the provider's backups stands: shares that are missing
    /// here then come from there. Needs the scope wallet.backup.
    #[arg(long, env = "HALFKEY_BACKUP_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) backup_password_file: Option<PathBuf>,
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

/// A number of milliseconds, seconds or minutes, and not none.
fn deadline(text: &str) -> Result<Duration, String> {
    let bad = || "a time is a number and ms, s or m, such as 60s".to_owned();
    let unit = |suffix, ms: u64| text.strip_suffix(suffix).map(|number| (number, ms));
    let (number, ms) = unit("ms", 1)
        .or_else(|| unit("s", 1000))
        .or_else(|| unit("m", 60_000))
        .ok_or_else(bad)?;
    let number: u64 = number.parse().map_err(|_| bad())?;
    let total = number.checked_mul(ms).filter(|ms| *ms > 0);
    total.map(Duration::from_millis).ok_or_else(bad)
}

/// `wallet …`
#[derive(Debug, Subcommand)]
pub(crate) enum Wallet {
    /// Create a wallet: keygen, sealed write, proof from the re-read shares, commit.
    #[command(after_help = "Examples:
  halfkey wallet create --chain EVM
  halfkey wallet create --chain SVM --variant ed25519Standard
  halfkey wallet create --chain EVM --scheme TWO_OF_THREE --json
  halfkey wallet create --chain EVM --alias treasury --get-or-create")]
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
        /// A name for the wallet, for ever: 1 to 64 letters, digits and . _ - : / @. Every command
        /// takes it in place of the address.
        #[arg(long, value_name = "NAME")]
        alias: Option<String>,
        /// Where a wallet has the alias already, show that one. However many processes ask at once,
        /// they end with one wallet.
        #[arg(long, requires = "alias", conflicts_with = "idempotency_key")]
        get_or_create: bool,
        /// How long to wait for another process that is making the wallet and has not stored its
        /// shares yet, before its attempt is ended.
        #[arg(long, value_name = "AGE", value_parser = age, default_value = "30s", hide = true)]
        takeover_after: Duration,
        #[command(flatten)]
        provider: Provider,
    },
    /// List the wallets this customer holds shares of. Needs no provider.
    #[command(after_help = "Examples:
  halfkey wallet list
  halfkey wallet list --json | jq -r '.wallets[].account_address'")]
    List {
        #[command(flatten)]
        provider: Provider,
    },
    /// Show one wallet: state, custody, generation, locks, and what the provider says where it
    /// answers.
    #[command(after_help = "Examples:
  halfkey wallet show 0xABC…
  halfkey wallet show 0xABC… --json | jq .custody_origin")]
    Show {
        /// The wallet's address or alias.
        address: String,
        #[command(flatten)]
        provider: Provider,
    },
    /// Give a wallet a name, for ever.
    #[command(after_help = "Examples:
  halfkey wallet alias 0xABC… treasury
  halfkey wallet sign-message treasury 'hello'

A wallet may have several. A name is never given to another wallet.")]
    Alias {
        /// The wallet's address or alias.
        address: String,
        /// The name: 1 to 64 letters, digits and . _ - : / @.
        alias: String,
        #[command(flatten)]
        provider: Provider,
    },
    /// Settle wallets that an earlier process left pending.
    #[command(after_help = "Examples:
  halfkey wallet resume
  halfkey wallet resume 0xABC… --json")]
    Resume {
        /// One address; all pending wallets when absent.
        address: Option<String>,
        #[command(flatten)]
        provider: Provider,
    },
    /// Make a wallet of a private key or mnemonic that exists: same address, and the provider never
    /// sees it.
    #[command(after_help = "Examples:
  halfkey wallet import --chain EVM --key-file key.txt
  halfkey wallet import --chain SVM --key-file id.json          as solana-keygen writes it
  halfkey wallet import --chain EVM --xprv --path m/0/0 --key-file -    from standard input
  halfkey wallet import --chain EVM --mnemonic --key-file words.txt --expect 0xABC…
  halfkey wallet import --chain SVM --mnemonic --path \"m/44'/501'/1'/0'\" --key-file words.txt

Needs the scope wallet.import. The wallet's origin is `imported` for ever: whoever had the key
before may still have it. Destroy the file afterwards.")]
    Import(Import),
    /// Take the whole private key of a wallet out, into a file: in clear, or for one recipient.
    #[command(after_help = "Examples:
  halfkey wallet export 0xABC… --recipient age1… --out sealed.json    nobody else ever has the key
  halfkey wallet export 0xABC… --out key.txt                    EVM: the key of this address
  halfkey wallet export 0xABC… --form xprv --out root.txt       EVM: the root of all addresses
  halfkey wallet export 9xQe… --form keypair --out id.json      Solana, as solana-keygen reads it

Needs the scope wallet.export. The wallet stays marked `exported` for ever, and so does every other
address of its root: whoever has the file signs without you.")]
    Export(ExportKey),
    /// Open an export that was made for you: the key, from the two parts that only you can read.
    #[command(after_help = "Examples:
  halfkey wallet open-export sealed.json --identity-file key.txt --out 0xABC.key
  age-keygen -o key.txt                               makes an identity; its public key is age1…

Needs no provider, no token and no vault. Any tool for age files opens the two parts too.")]
    OpenExport(OpenExport),
    /// Put the key of a wallet together without the provider and without network.
    #[command(after_help = "Examples:
  halfkey wallet rescue 0xABC… --drill                would it work? keeps nothing
  halfkey wallet rescue 0xABC… --out key.txt          the key itself
  halfkey wallet rescue 0xABC… --drill --escrow-identity escrow.key
  halfkey wallet rescue 0xABC… --escrow-identity - --escrow 0xABC.escrow.json --out key.txt

For when the provider is gone for good. A TWO_OF_THREE wallet needs your two shares; a TWO_OF_TWO
wallet your share, the escrow of the provider's (`halfkey escrow`) and the secret half of the key it
is sealed to.")]
    Rescue(Rescue),
    /// Encrypt the wallet's shares here and store them with the provider.
    #[command(after_help = backup::BACKUP_EXAMPLES)]
    Backup(Backup),
    /// Get shares that are missing or damaged here back from the provider's backup; with
    /// --to-generation, fall back to an earlier generation after one half was restored.
    #[command(after_help = backup::RECOVER_EXAMPLES)]
    Recover(Recover),
    /// Encrypt the wallet's backup anew, on this side, under another password.
    #[command(after_help = backup::CHANGE_PASSWORD_EXAMPLES)]
    ChangePassword(ChangePassword),
    /// List the backups of a wallet's active shares, or have the provider forget some of them.
    #[command(after_help = backup::DROP_BACKUP_EXAMPLES)]
    DropBackup(DropBackup),
    /// Make new shares of the same key: one wallet, several, or all. Ends a lock.
    #[command(after_help = "Examples:
  halfkey wallet refresh 0xABC…
  halfkey wallet refresh --all
  halfkey wallet refresh --all --every 30d           as a service, until SIGTERM
  halfkey wallet refresh 0xABC… --compromised        shred every earlier generation

Needs a token with the scope wallet.refresh beside create, sign and read:
  halfkey token create --name ops --scope wallet.create --scope wallet.sign \\
    --scope wallet.read --scope wallet.refresh > ops.token
  halfkey wallet refresh --all --token-file ops.token")]
    Refresh(Refresh),
    /// Shred the shares of earlier generations that no copy of the provider's half needs any more.
    #[command(after_help = "Examples:
  halfkey wallet sweep
  halfkey wallet sweep --json | jq '.shredded | length'

How long they are kept is the provider's to say (`serve --backup-horizon`). `refresh --every` sweeps
too.")]
    Sweep {
        #[command(flatten)]
        provider: Provider,
    },
    /// Move a wallet to another scheme: same key, same address.
    #[command(after_help = "Examples:
  halfkey wallet reshare 0xABC… --scheme TWO_OF_THREE
  halfkey wallet reshare 0xABC… --scheme TWO_OF_TWO --token-file ops.token

Needs the scope wallet.reshare. Once a wallet was TWO_OF_THREE, its two customer shares of that
generation sign without the provider for ever.")]
    Reshare {
        /// The wallet's address or alias.
        address: String,
        /// `TWO_OF_TWO` or `TWO_OF_THREE`.
        #[arg(long)]
        scheme: ThresholdSignatureScheme,
        #[command(flatten)]
        provider: Provider,
    },
    /// Replace a customer share of a `TWO_OF_THREE` wallet that is lost.
    #[command(after_help = "Examples:
  halfkey wallet replace-share 0xABC… --lost 3

Needs the scope wallet.reshare. The lost share stays dangerous: with another one of its generation
it signs. If somebody may have found it, move the funds.")]
    ReplaceShare {
        /// The wallet's address or alias.
        address: String,
        /// Whose share is lost: party 2 or 3.
        #[arg(long, value_name = "PARTY")]
        lost: u8,
        #[command(flatten)]
        provider: Provider,
    },
    /// Prove that both halves still match, by a signature with each pair of parties.
    #[command(after_help = "Examples:
  halfkey wallet check 0xABC…
  halfkey wallet check                                every wallet of this customer
  halfkey wallet check --report check.jsonl           one line per wallet; a repeat goes on

Classes: signs, recoverable, stale, locked, lost, and unchecked where a back-end did not answer.
Exit code 7 when a wallet does not sign.")]
    Check {
        /// The wallets' addresses or aliases; every wallet when absent.
        addresses: Vec<String>,
        /// Append one JSON line per wallet to this file; wallets that stand there already are not
        /// tried again.
        #[arg(long, value_name = "FILE", conflicts_with = "addresses")]
        report: Option<PathBuf>,
        #[command(flatten)]
        provider: Provider,
    },
    /// Sign a personal message (EIP-191) or a Solana message.
    #[command(after_help = "Examples:
  halfkey wallet sign-message 0xABC… 'hello'")]
    SignMessage {
        /// The wallet's address or alias.
        address: String,
        /// The text; `-` reads standard input.
        message: String,
        #[command(flatten)]
        provider: Provider,
    },
    /// Sign EIP-712 typed data.
    #[command(after_help = "Examples:
  halfkey wallet sign-typed-data 0xABC… permit.json
  jq .typed order.json | halfkey wallet sign-typed-data 0xABC… -")]
    SignTypedData {
        /// The wallet's address or alias.
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
        /// The wallet's address or alias.
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

/// Options of `wallet refresh`.
#[derive(Debug, Args)]
pub(crate) struct Refresh {
    /// The wallets' addresses or aliases.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) addresses: Vec<String>,
    /// Every wallet of this customer.
    #[arg(long)]
    pub(crate) all: bool,
    /// Do it again after this long, for ever: `12h`, `30d`.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) every: Option<Duration>,
    /// Old shares may be in the wrong hands: shred every earlier generation on both sides. A half
    /// restored from a backup of before can then not be healed any more.
    #[arg(long, conflicts_with = "every")]
    pub(crate) compromised: bool,
    #[command(flatten)]
    pub(crate) provider: Provider,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// The leaves of the tree, each with its full name; every other name is a group of them.
    fn leaves(command: &clap::Command, path: &str) -> Vec<(String, String)> {
        let name = format!("{path} {}", command.get_name());
        let inner = command
            .get_subcommands()
            .filter(|one| one.get_name() != "help");
        let found: Vec<_> = inner.flat_map(|one| leaves(one, &name)).collect();
        if found.is_empty() {
            vec![(name, command.clone().render_long_help().to_string())]
        } else {
            found
        }
    }

    #[test]
    fn the_help_of_every_leaf_command_has_examples_of_that_command() {
        let leaves = leaves(&Cli::command(), "");
        assert!(leaves.len() >= 24, "{}", leaves.len());
        for (name, help) in leaves {
            let examples = help.split_once("Examples:\n").map(|(_, rest)| rest);
            let examples = examples.unwrap_or_else(|| panic!("{name} has no examples"));
            assert!(
                examples.contains(name.trim()),
                "{name} is not in its own examples: {examples}"
            );
        }
    }

    #[test]
    fn a_deadline_is_a_number_and_a_unit() {
        assert_eq!(deadline("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(deadline("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(deadline("2m"), Ok(Duration::from_mins(2)));
        for text in ["", "s", "0ms", "0s", "5", "-1s", "1.5s", "1h", "s5"] {
            deadline(text).unwrap_err();
        }
        deadline(&format!("{}m", u64::MAX)).unwrap_err();
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
