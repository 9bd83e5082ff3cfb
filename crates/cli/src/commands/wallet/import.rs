//! `halfkey wallet import`.

use std::io::Read as _;
use std::path::Path;

use halfkey::{CreateOptions, KeyPath, Mnemonic, PrivateKey};
use halfkey_core::{ChainName, DerivationPath};
use zeroize::Zeroizing;

use super::{Opened, overview};
use crate::args::{Import, Place};
use crate::exit_code::Failure;
use crate::output::Output;
use crate::progress::spinner;

/// More than any form of a key.
const MAX_INPUT: u64 = 4096;

pub(super) async fn run(opened: &Opened, options: &Import, output: Output) -> Result<(), Failure> {
    let key = read_key(options)?;
    check_address(&key, options.expect.as_deref())?;
    let bar = spinner(output, "keygen of the key, sealed write, proof, commit");
    let named = CreateOptions {
        alias: options.alias.clone(),
        ..CreateOptions::default()
    };
    let imported = opened.store.import(options.scheme, &key, &named).await;
    bar.finish_and_clear();
    drop(key);
    let properties = opened.done(imported).await?;
    let shown = opened.store.show(&properties.account_address).await?;
    output.result(&overview::describe_view(&shown), || {
        format!(
            "{}\n  next        destroy the file the key came from",
            overview::human(&shown)
        )
    });
    Ok(())
}

fn read_key(options: &Import) -> Result<PrivateKey, Failure> {
    let has_path = options.path.is_some();
    if has_path && !options.xprv && !options.mnemonic {
        let message = "--path goes with --xprv or --mnemonic: a single key has no path";
        return Err(Failure::input(message));
    }
    if options.xprv && options.chain != ChainName::Evm {
        return Err(Failure::input("an xprv is an EVM key"));
    }
    let passphrase = read_passphrase(options)?;
    let text = read(&options.key_file)?;
    if options.mnemonic {
        return of_mnemonic(options, &Mnemonic::parse(&text)?, &passphrase);
    }
    let key = match options.chain {
        ChainName::Evm if options.xprv => PrivateKey::evm_xprv(text.as_str(), below_xprv(options)?),
        ChainName::Evm => PrivateKey::evm(text.as_str()),
        _ => PrivateKey::svm(text.as_str()),
    };
    Ok(key?)
}

fn of_mnemonic(
    options: &Import,
    mnemonic: &Mnemonic,
    passphrase: &str,
) -> Result<PrivateKey, Failure> {
    let chain = options.chain;
    let place = options.path.clone();
    let key = match (
        chain,
        place.unwrap_or_else(|| Place::At(KeyPath::usual(chain))),
    ) {
        (ChainName::Evm, Place::At(path)) => PrivateKey::evm_mnemonic(mnemonic, passphrase, &path),
        (ChainName::Svm, Place::At(path)) => PrivateKey::svm_mnemonic(mnemonic, passphrase, &path),
        (ChainName::Svm, Place::None) => {
            PrivateKey::svm_mnemonic_without_path(mnemonic, passphrase)
        }
        _ => return Err(Failure::input("--path none is of Solana keys only")),
    };
    Ok(key?)
}

fn below_xprv(options: &Import) -> Result<DerivationPath, Failure> {
    match &options.path {
        None => Ok("m/0/0".parse()?),
        Some(Place::At(path)) => Ok(path.clone().try_into()?),
        Some(Place::None) => Err(Failure::input("--path none is of Solana mnemonics only")),
    }
}

/// Empty where the mnemonic has none.
fn read_passphrase(options: &Import) -> Result<Zeroizing<String>, Failure> {
    let Some(file) = &options.mnemonic_passphrase_file else {
        return Ok(Zeroizing::new(String::new()));
    };
    if file == Path::new("-") && options.key_file == Path::new("-") {
        let message = "standard input holds the mnemonic or its passphrase, not both";
        return Err(Failure::input(message));
    }
    let text = read(file)?;
    // White space inside and at the ends of the line belongs to it.
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(Failure::input("the mnemonic's passphrase file is empty")
            .with_hint("leave the option out where the mnemonic has no passphrase")),
    }
}

/// A forgotten passphrase or another path is another key, and no error by itself.
fn check_address(key: &PrivateKey, expected: Option<&str>) -> Result<(), Failure> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let chain = key.chain();
    let found = key.account_address()?;
    let wanted = halfkey_chain::canonical_address(chain, expected)?;
    if halfkey_chain::canonical_address(chain, &found)? == wanted {
        return Ok(());
    }
    Err(
        Failure::input(format!("the key has the address {found}, not {expected}"))
            .with_hint("another --path, or the mnemonic's passphrase"),
    )
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    // Room for all of it: growing would leave copies behind.
    let room = usize::try_from(MAX_INPUT)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let limit = MAX_INPUT.saturating_add(1);
    if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(limit)
            .read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(path)?
            .take(limit)
            .read_to_end(&mut bytes)?;
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_INPUT {
        return Err(Failure::input(
            "the file is too long for a key or its passphrase",
        ));
    }
    let text = core::str::from_utf8(&bytes);
    let text = text.map_err(|_| Failure::input("the file is no text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}
