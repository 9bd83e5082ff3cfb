//! What each storage tier holds, as anyone who can read the store would see it.

use halfkey::StoredWallet;
use halfkey_chain::canonical_address;
use halfkey_core::{ChainName, KeyType, WalletProperties};

use crate::args::Demo;
use crate::commands::wallet::Opened;
use crate::exit_code::Failure;

/// One entry of one tier.
#[derive(Debug)]
pub(super) struct TierView {
    pub(super) tier: &'static str,
    pub(super) name: String,
    pub(super) content: String,
}

/// A wallet of an earlier run of this chain, scheme and (Solana) variant.
pub(super) async fn find(
    opened: &Opened,
    chain: ChainName,
    wanted: &Demo,
) -> Result<Option<WalletProperties>, Failure> {
    let wallets = opened.store.list().await?;
    let key_type = KeyType::of(chain, wanted.variant);
    let fits = |one: &&StoredWallet| {
        one.chain == chain && one.scheme == wanted.scheme && one.key_type == key_type
    };
    let earlier = wallets
        .iter()
        .filter(fits)
        .find(|one| one.state == "active");
    match earlier {
        Some(wallet) => Ok(Some(
            opened.store.show(&wallet.account_address).await?.properties,
        )),
        None => Ok(None),
    }
}

/// Cache and vault entries of these wallets.
pub(super) async fn describe(
    opened: &Opened,
    addresses: &[String; 2],
) -> Result<Vec<TierView>, Failure> {
    let mut views = Vec::new();
    for (address, chain) in addresses.iter().zip([ChainName::Evm, ChainName::Svm]) {
        let address = canonical_address(chain, address)?;
        if let Some(found) = opened.storage.properties.get(&address).await? {
            let json = serde_json::to_string(&found.value)
                .map_err(|error| Failure::internal(error.to_string()))?;
            views.push(TierView {
                tier: "cache",
                name: short(&address),
                content: json,
            });
        }
        views.extend(vault_entries(opened, &address).await?);
    }
    Ok(views)
}

async fn vault_entries(opened: &Opened, address: &str) -> Result<Vec<TierView>, Failure> {
    let parts = opened.storage.vault.parts();
    let (Some(list), Some(get)) = (&parts.list, &parts.get) else {
        return Ok(Vec::new());
    };
    let page = list.list(&format!("wallet:{address}/"), None, 100).await?;
    let mut views = Vec::new();
    for name in page.names {
        let Some(record) = get.get(&name).await? else {
            continue;
        };
        let bytes = record.value;
        let content = if bytes.first() == Some(&b'{') {
            format!(
                "plain row, {} bytes: states and names, no secret",
                bytes.len()
            )
        } else {
            let head = hex::encode(bytes.get(6..30).unwrap_or_default());
            format!("{} bytes sealed: {head}…", bytes.len())
        };
        let tail = name.as_str().split_once('/').map_or("", |(_, tail)| tail);
        views.push(TierView {
            tier: "vault",
            name: tail.to_owned(),
            content,
        });
    }
    Ok(views)
}

fn short(address: &str) -> String {
    let head: String = address.chars().take(12).collect();
    format!("{head}…")
}
