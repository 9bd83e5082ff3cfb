//! `halfkey wallet list | show`.

use std::collections::BTreeMap;

use halfkey::{PendingEntry, StoredWallet, UnreadableRow, WalletView};
use halfkey_core::wire::{ProofState, WalletState};
use serde_json::{Value, json};

use super::Opened;
use crate::exit_code::Failure;
use crate::output::Output;

pub(super) async fn list(opened: &Opened, output: Output) -> Result<(), Failure> {
    let wallets = opened.store.list().await?;
    let pending = opened.store.pending().await?;
    let aliases = aliases(opened).await?;
    let of = |wallet: &StoredWallet| aliases.get(&key(&wallet.account_address));
    let described = |wallet: &StoredWallet| {
        let mut value = describe(wallet);
        if let Value::Object(map) = &mut value {
            let names = of(wallet).cloned().unwrap_or_default();
            map.insert("aliases".to_owned(), json!(names));
        }
        value
    };
    let value = json!({
        "wallets": wallets.iter().map(described).collect::<Vec<_>>(),
        "pending": pending.iter().map(describe_pending).collect::<Vec<_>>(),
        "unreadable": wallets.unreadable.iter().map(describe_unreadable).collect::<Vec<_>>(),
        "provider": "not_asked",
    });
    output.result(&value, || {
        let shown = |wallet: &StoredWallet| match of(wallet) {
            Some(names) => format!("{}  {}", line(wallet), names.join(" ")),
            None => line(wallet),
        };
        let mut lines: Vec<_> = wallets.iter().map(shown).collect();
        if lines.is_empty() && wallets.unreadable.is_empty() {
            lines.push("no wallets yet: halfkey wallet create --chain EVM".to_owned());
        }
        if !pending.is_empty() {
            lines.push(format!("{} pending: halfkey wallet resume", pending.len()));
        }
        lines.extend(wallets.unreadable.iter().map(unreadable));
        if !wallets.is_empty() {
            lines.push("as stored here; what the provider says: halfkey wallet show".to_owned());
        }
        lines.join("\n")
    });
    Ok(())
}

/// The aliases of each address.
async fn aliases(opened: &Opened) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (alias, address) in opened.store.aliases().await? {
        aliases.entry(key(&address)).or_default().push(alias);
    }
    Ok(aliases)
}

/// Addresses of EVM differ by case alone.
fn key(address: &str) -> String {
    if address.starts_with("0x") {
        address.to_lowercase()
    } else {
        address.to_owned()
    }
}

pub(super) async fn alias(
    opened: &Opened,
    address: &str,
    alias: &str,
    output: Output,
) -> Result<(), Failure> {
    let address = opened.address_of(address).await?;
    opened.store.set_alias(&address, alias).await?;
    let value = json!({ "account_address": address, "alias": alias });
    output.result(&value, || format!("{alias} is {address}"));
    Ok(())
}

pub(super) async fn show(opened: &Opened, address: &str, output: Output) -> Result<(), Failure> {
    let view = opened.store.show(address).await?;
    output.result(&describe_view(&view), || human(&view));
    Ok(())
}

/// A wallet without an address yet, for programs.
pub(super) fn describe_pending(entry: &PendingEntry) -> Value {
    json!({
        "attempt": entry.attempt,
        "chain": entry.chain,
        "scheme": entry.scheme,
        "custody_origin": entry.custody_origin,
        "since": entry.since.to_string(),
    })
}

/// A row that was passed over, for programs.
pub(super) fn describe_unreadable(row: &UnreadableRow) -> Value {
    json!({ "record": row.record, "code": row.error.code(), "error": row.error.to_string() })
}

/// The same for people.
pub(super) fn unreadable(row: &UnreadableRow) -> String {
    format!("NOT READ  {}: {}", row.record, row.error)
}

/// What is stored here, for programs.
pub(super) fn describe(wallet: &StoredWallet) -> Value {
    json!({
        "account_address": wallet.account_address,
        "chain": wallet.chain,
        "wallet_id": wallet.wallet,
        "scheme": wallet.scheme,
        "key_type": wallet.key_type,
        "state": wallet.state,
        "custody_origin": wallet.custody_origin,
        "proof": wallet.proof,
        "generation": wallet.generation,
        "attempt": wallet.attempt,
        "created_at": wallet.created_at.to_string(),
    })
}

/// Everything known of one wallet, for programs.
pub(super) fn describe_view(view: &WalletView) -> Value {
    let mut value = describe(&view.stored);
    if let Value::Object(map) = &mut value {
        map.insert("properties".to_owned(), json!(view.properties));
        map.insert("public_key".to_owned(), json!(view.public_key));
        map.insert("records".to_owned(), json!(view.records));
        map.insert(
            "locked_generations".to_owned(),
            json!(view.locked_generations),
        );
        map.insert("lock_note".to_owned(), json!(view.lock_note));
        map.insert("provider".to_owned(), json!(view.provider));
        let unknown = json!(view.provider_unknown);
        map.insert("provider_unknown".to_owned(), unknown);
    }
    value
}

/// Everything known of one wallet, for people.
pub(super) fn human(view: &WalletView) -> String {
    let wallet = &view.stored;
    let mut lines = vec![
        wallet.account_address.clone(),
        format!("  chain       {} {}", wallet.chain, wallet.scheme),
        format!("  state       {}", wallet.state),
        format!(
            "  custody     {} — {}",
            wallet.custody_origin,
            custody_note(view)
        ),
        format!("  proof       {}", proof_note(wallet.proof)),
        format!(
            "  generation  {} (attempt {})",
            wallet.generation, wallet.attempt
        ),
        format!("  public key  {}", view.public_key),
    ];
    lines.extend(
        view.records
            .iter()
            .map(|record| format!("  share       {record}")),
    );
    for generation in &view.locked_generations {
        lines.push(format!("  LOCKED      generation {generation}"));
    }
    lines.extend(view.lock_note.map(|note| format!("  note        {note}")));
    match &view.provider {
        None => {
            let why = view.provider_unknown.as_deref().unwrap_or("not asked");
            lines.push(format!("  provider    unknown: {why}"));
        }
        Some(summary) if summary.state != WalletState::Active => {
            let reason = summary.state_reason.as_deref().unwrap_or("no reason given");
            lines.push(format!("  provider    {:?}: {reason}", summary.state));
        }
        Some(_) => lines.push("  provider    active".to_owned()),
    }
    lines.join("\n")
}

/// What the key's history means for whoever relies on it (custody rule 2).
pub(super) fn custody_note(view: &WalletView) -> &'static str {
    let origin = view.stored.custody_origin;
    if origin.was_2of3() {
        "your two shares sign without the provider, for ever"
    } else if origin.exported() {
        "the whole key was exported; policies of the provider do not bind it"
    } else {
        match origin.origin() {
            halfkey_core::KeyOrigin::Dkg => "the key was never whole anywhere",
            halfkey_core::KeyOrigin::Dealt => "the key was whole once, inside your SDK",
            halfkey_core::KeyOrigin::Imported => "the key came from outside",
        }
    }
}

const fn proof_note(proof: ProofState) -> &'static str {
    match proof {
        ProofState::Proven => "proven: a signature was made from re-read shares",
        ProofState::Unproven => "unproven: the shares were not seen again since keygen",
    }
}

fn line(wallet: &StoredWallet) -> String {
    format!(
        "{:<44}  {:<4} {:<12}  {:<8}  {}",
        wallet.account_address, wallet.chain, wallet.scheme, wallet.state, wallet.custody_origin,
    )
}
