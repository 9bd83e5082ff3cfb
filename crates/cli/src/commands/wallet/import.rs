//! `halfkey wallet import`.

use std::io::Read as _;
use std::path::Path;

use halfkey::{CreateOptions, PrivateKey};
use halfkey_core::ChainName;
use zeroize::Zeroizing;

use super::{Opened, overview};
use crate::args::Import;
use crate::exit_code::Failure;
use crate::output::Output;
use crate::progress::spinner;

/// More than any form of a key.
const MAX_INPUT: u64 = 4096;

pub(super) async fn run(opened: &Opened, options: &Import, output: Output) -> Result<(), Failure> {
    let key = read_key(options)?;
    let bar = spinner(output, "keygen of the key, sealed write, proof, commit");
    let imported = opened
        .store
        .import(options.scheme, &key, &CreateOptions::default())
        .await;
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
    let text = read(&options.key_file)?;
    let key = match (options.chain, options.xprv) {
        (ChainName::Evm, false) => PrivateKey::evm(&text),
        (ChainName::Evm, true) => PrivateKey::evm_xprv(&text, options.path.clone()),
        (ChainName::Svm, false) => PrivateKey::svm(&text),
        _ => return Err(Failure::input("an xprv is an EVM key")),
    };
    Ok(key?)
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
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
        return Err(Failure::input("the file is too long for a private key"));
    }
    let text = core::str::from_utf8(&bytes);
    let text = text.map_err(|_| Failure::input("the file is no text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}
