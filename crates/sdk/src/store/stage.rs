use halfkey_core::crash_point::crash_point;
use halfkey_vault::{Expect, Purpose, RecordName};

use super::WalletStore;
use super::alias::Claim;
use super::row::{PartyRow, StateRow};
use crate::{Error, PendingWallet, Result};

impl WalletStore {
    /// Writes the intent, then every party's share, sealed and read back. Everything must be absent
    /// before (custody rule 23).
    pub(super) async fn stage(&self, pending: &PendingWallet, claims: &[Claim<'_>]) -> Result<()> {
        let row = self.pending_row(pending)?;
        crash_point("create.before_intent");
        self.write_row(&row, Expect::Absent).await?;
        crash_point("create.after_intent");
        for claim in claims {
            // Whoever loses a race for a name has stored no share: its attempt comes to nothing.
            self.claim(claim, &row, pending.attempt_id()).await?;
            crash_point("create.after_alias");
        }
        let generation = row
            .generations
            .first()
            .ok_or(Error::Bug("a row without generations"))?;
        let access = self.access(Purpose::Create);
        for (share, party) in pending.key_shares().iter().zip(&generation.parties) {
            let name = RecordName::new(&*party.record)?;
            let ctx = row.share_ctx(generation, party);
            self.vault_of(party.party)
                .store(&name, &ctx, &share.encode()?, Expect::Absent, &access)
                .await?;
            crash_point("create.after_sealed_write");
        }
        Ok(())
    }

    /// The row of a wallet that is about to be stored; nothing is written.
    pub(super) fn pending_row(&self, pending: &PendingWallet) -> Result<StateRow> {
        let prefix = &self.options.prefix;
        let shares = pending.key_shares();
        let first = shares
            .first()
            .ok_or(Error::Bug("a pending wallet without shares"))?;
        let address = pending
            .seal_hint()
            .first()
            .map(|hint| hint.account_address.clone())
            .ok_or(Error::Bug("a pending wallet without hints"))?;
        let mut parties = Vec::new();
        for share in shares {
            let header = share.header();
            let record = RecordName::staged_share(
                prefix,
                &address,
                header.party,
                header.generation,
                header.attempt,
            )?;
            parties.push(PartyRow {
                party: header.party,
                key_share: header.key_share,
                record: record.as_str().to_owned(),
            });
        }
        let now = self.client.clock().now();
        let mut row = StateRow::pending(first, pending.properties(), address, parties, now);
        for generation in &mut row.generations {
            generation.restore_epoch = self.client.noted_epoch();
        }
        Ok(row)
    }
}
