//! `halfkey delegation …`: both sides of delegated access.

mod customer;
mod delegate;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use halfkey::DelegationPrivateKey;
use halfkey_core::SecretString;
use zeroize::Zeroizing;

use super::wallet::{Login, open};
use crate::args::Delegation;
use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    command: Delegation,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Delegation::Key { out } => delegate::key(&out, output),
        Delegation::Receive(options) => delegate::receive(data, &options, output).await,
        Delegation::SignMessage {
            delivery,
            message,
            key,
            provider,
        } => {
            let wanted = delegate::Wanted {
                delivery: &delivery,
                message: &message,
                key: &key,
            };
            delegate::sign_message(data, &wanted, &provider, output).await
        }
        Delegation::Register { file, provider } => {
            let opened = open(data, passphrase, &provider, Login::Now).await?;
            customer::register(&opened, &file, output).await
        }
        Delegation::Grant(options) => {
            let opened = open(data, passphrase, &options.provider, Login::Now).await?;
            customer::grant(&opened, &options, output).await
        }
        Delegation::List { address, provider } => {
            let opened = open(data, passphrase, &provider, Login::Now).await?;
            customer::list(&opened, &address, output).await
        }
        Delegation::Revoke { address, provider } => {
            let opened = open(data, passphrase, &provider, Login::Now).await?;
            customer::revoke(&opened, &address, output).await
        }
    }
}

/// The delegate's private key; a file that others can read is refused.
fn private_key(file: &Path) -> Result<DelegationPrivateKey, Failure> {
    let fail = |error: std::io::Error| Failure::input(format!("{}: {error}", file.display()));
    let mode = std::fs::metadata(file).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        let message = format!("{} can be read by others", file.display());
        return Err(Failure::new(ExitKind::Storage, "permissions", message)
            .with_hint(format!("chmod 600 {}", file.display())));
    }
    let text = Zeroizing::new(std::fs::read_to_string(file).map_err(fail)?);
    Ok(DelegationPrivateKey::from_pem(&text).map_err(halfkey::Error::from)?)
}
