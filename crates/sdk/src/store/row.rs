//! The compare-and-set row of a wallet: which generation is in which state, under which names
//! (custody rule 23). Nothing in it is secret, and nothing in it is believed without the sealed
//! records: a share's own header and the high-water record must agree with it.

use halfkey_core::wire::ProofState;
use halfkey_core::{
    AttemptId, ChainName, CustodyOrigin, DerivationPath, EnvironmentId, Generation,
    KeyShareBackupInfo, KeyShareId, KeyType, PartyIndex, ShareSetId, ThresholdSignatureScheme,
    UnixMillis, WalletId, WalletProperties,
};
use halfkey_mpc::{KeyShare, ShareHeader};
use halfkey_vault::{BindCtx, RecordPurpose};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The version this build writes and reads.
const VERSION: u32 = 1;

/// Where a generation stands on the customer's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GenerationState {
    /// Keygen is done; the attempt is not known to be committed.
    Pending,
    /// Signs.
    Active,
    /// Kept for the other half's horizon.
    Retired,
    /// Must never be used again.
    Burnt,
    /// Proven cheating under it.
    Locked,
    /// Its attempt was aborted; sealed shares are kept for the horizon.
    Aborted,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartyRow {
    pub(super) party: PartyIndex,
    pub(super) key_share: KeyShareId,
    /// Where this generation's record stands; the active one is copied to the active name too.
    pub(super) record: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GenerationRow {
    pub(super) generation: Generation,
    pub(super) attempt: AttemptId,
    pub(super) share_set: ShareSetId,
    pub(super) state: GenerationState,
    pub(super) proof: ProofState,
    /// Whether it was ever active. Before that nobody was given an address.
    #[serde(default)]
    pub(super) committed: bool,
    /// When it came into this state.
    pub(super) since: UnixMillis,
    /// Parties and signers, where they are not those of the row: of a generation before or after
    /// a reshare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scheme: Option<ThresholdSignatureScheme>,
    /// The same for the custody origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) custody_origin: Option<CustodyOrigin>,
    /// Every earlier generation is shredded once this one is active (custody rule 10).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(super) burns_earlier: bool,
    /// The provider's restore epoch while its attempt was staged, where it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) restore_epoch: Option<u64>,
    /// When its shares were shredded at the end of the provider's horizon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shredded: Option<UnixMillis>,
    pub(super) parties: Vec<PartyRow>,
}

impl GenerationRow {
    /// A generation whose shares were just made.
    pub(super) fn pending(header: &ShareHeader, parties: Vec<PartyRow>, now: UnixMillis) -> Self {
        Self {
            generation: header.generation,
            attempt: header.attempt,
            share_set: header.share_set,
            state: GenerationState::Pending,
            proof: ProofState::Unproven,
            committed: false,
            since: now,
            scheme: Some(header.scheme),
            custody_origin: Some(header.custody_origin),
            burns_earlier: false,
            restore_epoch: None,
            shredded: None,
            parties,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StateRow {
    pub(super) version: u32,
    pub(super) environment: EnvironmentId,
    pub(super) chain: ChainName,
    /// Canonical, as in the names.
    pub(super) address: String,
    /// In the chain's display form.
    pub(super) account_address: String,
    pub(super) wallet: WalletId,
    pub(super) scheme: ThresholdSignatureScheme,
    pub(super) key_type: KeyType,
    pub(super) derivation_path: DerivationPath,
    pub(super) custody_origin: CustodyOrigin,
    /// Of the root, as hex.
    pub(super) public_key: String,
    pub(super) created_at: UnixMillis,
    /// Whether the whole key ever left by this half's doing.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(super) exported: bool,
    /// Where backups of the active generation's shares are, as far as this store made them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) backups: Option<KeyShareBackupInfo>,
    pub(super) generations: Vec<GenerationRow>,
}

impl StateRow {
    /// The row of a wallet whose first generation is pending.
    pub(super) fn pending(
        first: &KeyShare,
        properties: &WalletProperties,
        address: String,
        parties: Vec<PartyRow>,
        now: UnixMillis,
    ) -> Self {
        let header = first.header();
        Self {
            version: VERSION,
            environment: header.environment.clone(),
            chain: header.chain,
            address,
            account_address: properties.account_address.clone(),
            wallet: header.wallet,
            scheme: header.scheme,
            key_type: header.key_type,
            derivation_path: header.derivation_path.clone(),
            custody_origin: header.custody_origin,
            public_key: hex::encode(&header.group_public_key),
            created_at: now,
            exported: false,
            backups: properties.external_server_key_shares_backup_info.clone(),
            generations: vec![GenerationRow::pending(header, parties, now)],
        }
    }

    /// What the key's history allows anyone to claim.
    pub(super) const fn origin(&self) -> CustodyOrigin {
        if self.exported {
            self.custody_origin.with_exported()
        } else {
            self.custody_origin
        }
    }

    /// Reads a row; `None` when it is not one of this version.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let row: Self = serde_json::from_slice(bytes).ok()?;
        let generations = row.generations.iter();
        let active = generations
            .filter(|one| one.state == GenerationState::Active)
            .count();
        (row.version == VERSION && active <= 1 && !row.generations.is_empty()).then_some(row)
    }

    /// The generation that signs.
    pub(super) fn active(&self) -> Option<&GenerationRow> {
        self.in_state(GenerationState::Active)
    }

    pub(super) fn in_state(&self, state: GenerationState) -> Option<&GenerationRow> {
        self.generations.iter().find(|one| one.state == state)
    }

    /// Moves the generation of `attempt` into `state`.
    pub(super) fn set(&mut self, attempt: AttemptId, state: GenerationState, now: UnixMillis) {
        for one in self
            .generations
            .iter_mut()
            .filter(|one| one.attempt == attempt)
        {
            one.state = state;
            one.since = now;
            one.committed |= state == GenerationState::Active;
        }
    }

    /// Makes the generation of `attempt` the active one, in place of whichever was: that one is
    /// kept, or burnt where it was locked or the change says so (custody rules 9 and 10).
    pub(super) fn promote(&mut self, attempt: AttemptId, now: UnixMillis) {
        let named = |one: &&GenerationRow| one.attempt == attempt;
        let Some(next) = self.generations.iter().find(named).cloned() else {
            return;
        };
        let before = (self.scheme, self.custody_origin);
        if self.active().is_some_and(|one| one.attempt != attempt) {
            // They are of shares that sign no more.
            self.backups = None;
        }
        for one in &mut self.generations {
            let ended = match one.state {
                GenerationState::Active if one.attempt != attempt => GenerationState::Retired,
                GenerationState::Locked if one.committed => GenerationState::Burnt,
                GenerationState::Retired => GenerationState::Retired,
                _ => continue,
            };
            // What the row said of it has to be said by itself from now on.
            one.scheme.get_or_insert(before.0);
            one.custody_origin.get_or_insert(before.1);
            let ended = if next.burns_earlier {
                GenerationState::Burnt
            } else {
                ended
            };
            if one.state != ended {
                one.state = ended;
                one.since = now;
            }
        }
        self.scheme = next.scheme.unwrap_or(self.scheme);
        self.custody_origin = next.custody_origin.unwrap_or(self.custody_origin);
        self.set(attempt, GenerationState::Active, now);
    }

    /// Falls back to the generation of `attempt`: whichever was active is kept, for the horizon,
    /// although its number is higher (custody rule 11).
    pub(super) fn fall_back(&mut self, attempt: AttemptId, now: UnixMillis) {
        let named = |one: &&GenerationRow| one.attempt == attempt;
        let Some(target) = self.generations.iter().find(named).cloned() else {
            return;
        };
        if target.state == GenerationState::Active {
            return;
        }
        let before = (self.scheme, self.custody_origin);
        for one in &mut self.generations {
            if one.state == GenerationState::Active {
                one.scheme.get_or_insert(before.0);
                one.custody_origin.get_or_insert(before.1);
                one.state = GenerationState::Retired;
                one.since = now;
            }
        }
        self.backups = None;
        self.scheme = target.scheme.unwrap_or(self.scheme);
        self.custody_origin = target.custody_origin.unwrap_or(self.custody_origin);
        self.set(attempt, GenerationState::Active, now);
    }

    /// The generations that are kept for the provider's horizon.
    pub(super) fn kept(&self) -> impl Iterator<Item = &GenerationRow> {
        self.generations
            .iter()
            .filter(|one| one.state == GenerationState::Retired && one.shredded.is_none())
    }

    /// Parties and signers of a generation.
    pub(super) fn scheme_of(&self, generation: &GenerationRow) -> ThresholdSignatureScheme {
        generation.scheme.unwrap_or(self.scheme)
    }

    /// Notes how far the shares of `attempt` are proven.
    pub(super) fn prove(&mut self, attempt: AttemptId, proof: ProofState) {
        let named = |one: &&mut GenerationRow| one.attempt == attempt;
        if let Some(one) = self.generations.iter_mut().find(named) {
            one.proof = proof;
        }
    }

    pub(super) fn properties(&self) -> WalletProperties {
        let properties = WalletProperties::new(
            self.chain.as_str(),
            self.wallet.to_string(),
            self.account_address.clone(),
        )
        .with_threshold(self.scheme)
        .with_derivation_path(self.derivation_path.indices().to_vec());
        match &self.backups {
            Some(info) => properties.with_backup_info(info.clone()),
            None => properties,
        }
    }

    /// What a party's share of a generation is sealed under.
    pub(super) fn share_ctx(&self, generation: &GenerationRow, party: &PartyRow) -> BindCtx {
        BindCtx {
            environment: self.environment.clone(),
            chain: self.chain,
            account_address: self.address.clone(),
            wallet: self.wallet,
            key_share: party.key_share,
            share_set: generation.share_set,
            party: party.party,
            scheme: self.scheme_of(generation),
            purpose: RecordPurpose::Share,
            generation: generation.generation,
            attempt: generation.attempt,
            group_public_key_hash: self.public_key_hash(),
        }
    }

    fn public_key_hash(&self) -> [u8; 32] {
        Sha256::digest(hex::decode(&self.public_key).unwrap_or_default()).into()
    }

    /// Whether a share that was opened is the one this row speaks of: after open, the share's own
    /// header must equal the context (custody rule 23).
    pub(super) fn describes(
        &self,
        generation: &GenerationRow,
        party: &PartyRow,
        header: &ShareHeader,
    ) -> bool {
        header.environment == self.environment
            && header.chain == self.chain
            && header.wallet == self.wallet
            && header.share_set == generation.share_set
            && header.key_share == party.key_share
            && header.scheme == self.scheme_of(generation)
            && header.key_type == self.key_type
            && header.party == party.party
            && header.generation == generation.generation
            && header.attempt == generation.attempt
            && header.custody_origin == generation.custody_origin.unwrap_or(self.custody_origin)
            && header.derivation_path == self.derivation_path
            && hex::encode(&header.group_public_key) == self.public_key
    }
}
