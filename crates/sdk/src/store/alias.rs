//! Which wallet a caller's name stands for: an idempotency key, or an alias that people use
//! (custody rule 26). Both are written once, before any share is; only an attempt that was aborted
//! gives a name free again.

use halfkey_core::{AttemptId, ChainName};
use halfkey_vault::{Error as VaultError, Expect, RecordName, Rev, Versioned};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::WalletStore;
use super::row::{GenerationRow, GenerationState, StateRow};
use crate::{Error, Result};

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An idempotency key: its record tells only its hash.
    Key,
    /// An alias.
    Alias,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) chain: ChainName,
    /// Canonical.
    pub(super) address: String,
    pub(super) attempt: AttemptId,
    /// An alias itself, so that it can be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alias: Option<String>,
}

/// A name to write beside a wallet's row, and what has to stand under it now.
pub(super) struct Claim<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) expect: Expect,
}

impl<'a> Claim<'a> {
    /// `ended` is the revision of a record whose attempt was aborted.
    pub(super) fn new(kind: Kind, name: &'a str, ended: Option<Rev>) -> Self {
        let expect = ended.map_or(Expect::Absent, Expect::Rev);
        Self { kind, name, expect }
    }
}

impl WalletStore {
    fn name_of(&self, kind: Kind, name: &str) -> Result<RecordName> {
        let hash = hex::encode(Sha256::digest(name.as_bytes()));
        Ok(RecordName::new(format!("{}{hash}", self.folder(kind)))?)
    }

    fn folder(&self, kind: Kind) -> String {
        let (prefix, environment) = (&self.options.prefix, self.client.environment());
        let folder = match kind {
            Kind::Key => "create",
            Kind::Alias => "alias",
        };
        format!("{prefix}{folder}/{environment}/")
    }

    pub(super) async fn find_named(
        &self,
        kind: Kind,
        name: &str,
    ) -> Result<Option<Versioned<Named>>> {
        self.read_named(&self.name_of(kind, name)?).await
    }

    async fn read_named(&self, name: &RecordName) -> Result<Option<Versioned<Named>>> {
        let Some(stored) = self.vault.get_row(name).await? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&stored.value)
            .map_err(|_| Error::VaultState(format!("{name} is damaged")))?;
        Ok(Some(Versioned {
            value,
            rev: stored.rev,
        }))
    }

    /// Takes a name for the wallet of `row`.
    pub(super) async fn claim(
        &self,
        claim: &Claim<'_>,
        row: &StateRow,
        attempt: AttemptId,
    ) -> Result<()> {
        let name = self.name_of(claim.kind, claim.name)?;
        let named = Named {
            chain: row.chain,
            address: row.address.clone(),
            attempt,
            alias: (claim.kind == Kind::Alias).then(|| claim.name.to_owned()),
        };
        let bytes = serde_json::to_vec(&named).map_err(|_| Error::Bug("a name does not encode"))?;
        match self.vault.put_row(&name, &bytes, claim.expect).await {
            Ok(_) => Ok(()),
            Err(VaultError::Conflict(_)) => Err(Error::NameTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// The address that `name` stands for: an alias of a wallet that is there, or an address, which
    /// stands for itself.
    ///
    /// # Security
    /// An alias is a row of the vault tier without a seal: whoever writes there can point it at
    /// another wallet of this customer. Name wallets by address where it matters which one it is.
    ///
    /// # Errors
    /// [`Error::WalletNotFound`] for an alias nobody has given, or whose wallet is not active.
    pub async fn resolve(&self, name: &str) -> Result<String> {
        if is_address(name) {
            return Ok(name.to_owned());
        }
        check_alias(name)?;
        let named = self.find_named(Kind::Alias, name).await?;
        let named = named.ok_or(Error::WalletNotFound)?.value;
        let row = self.row(named.chain, &named.address).await?.value;
        let was_made = |one: &GenerationRow| one.committed || one.state == GenerationState::Active;
        if row.generations.iter().any(was_made) {
            Ok(row.account_address)
        } else {
            Err(Error::WalletNotFound)
        }
    }

    /// Gives a wallet that is there an alias, for ever; a wallet may have several. A repeat changes
    /// nothing.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a text that is no alias; [`Error::NameTaken`] when another
    /// wallet has it.
    pub async fn set_alias(&self, address: &str, alias: &str) -> Result<()> {
        check_alias(alias)?;
        let row = self.row(super::chain_of(address), address).await?.value;
        let made = row.generations.iter().find(|one| one.committed);
        let made = made.ok_or(Error::WalletNotFound)?;
        match self
            .claim(&Claim::new(Kind::Alias, alias, None), &row, made.attempt)
            .await
        {
            Err(Error::NameTaken) => {
                let found = self.find_named(Kind::Alias, alias).await?;
                match found {
                    Some(found) if found.value.address == row.address => Ok(()),
                    _ => Err(Error::NameTaken),
                }
            }
            other => other,
        }
    }

    /// Every alias, with the canonical address it stands for, by alias.
    ///
    /// # Errors
    /// When the vault tier cannot be listed or a record is damaged.
    pub async fn aliases(&self) -> Result<Vec<(String, String)>> {
        let folder = self.folder(Kind::Alias);
        let mut found = Vec::new();
        let mut after: Option<RecordName> = None;
        loop {
            let page = self.vault.list_names(&folder, after.as_ref(), 1000).await?;
            for name in &page.names {
                let named = self.read_named(name).await?.map(|named| named.value);
                found.extend(named.and_then(|one| one.alias.map(|alias| (alias, one.address))));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        found.sort();
        Ok(found)
    }
}

fn is_address(name: &str) -> bool {
    [ChainName::Evm, ChainName::Svm]
        .iter()
        .any(|chain| halfkey_chain::canonical_address(*chain, name).is_ok())
}

/// 1 to 64 letters, digits and `. _ - : / @`, which nobody takes for an address.
pub(super) fn check_alias(alias: &str) -> Result<()> {
    let clean = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/@".contains(&byte);
    let good = (1..=64).contains(&alias.len())
        && alias.bytes().all(clean)
        && !alias
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case("0x"))
        && !is_address(alias);
    if good {
        return Ok(());
    }
    Err(Error::InvalidArgument(
        "an alias is 1 to 64 letters, digits and . _ - : / @, and looks like no address".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_never_taken_for_an_address() {
        for good in [
            "treasury",
            "a",
            "payouts/eu-1",
            "user:42",
            "x@y",
            "0",
            &"z".repeat(64),
        ] {
            check_alias(good).unwrap();
        }
        for bad in [
            "",
            "0x",
            "0xabc",
            "0XABC",
            "two words",
            "naïve",
            "a\n",
            &"z".repeat(65),
            "11111111111111111111111111111111",
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        ] {
            assert!(check_alias(bad).is_err(), "{bad}");
        }
    }
}
