//! The canary record: opened at every start, so that a keyring that does not fit the records stops
//! the process before it seals anything the other keyring could not open.

use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, RequestId,
    SecretBytes, ShareSetId, ThresholdSignatureScheme, WalletId,
};

use crate::entropy::random_bytes;
use crate::{Access, BindCtx, Error, Expect, Purpose, RecordName, RecordPurpose, Vault};

/// The canary's name.
pub const NAME: &str = "probe";

/// The names of the records that `halfkey doctor` writes and shreds; one whose shredding failed
/// stays until somebody destroys it.
pub const CHECK_PREFIX: &str = "doctor/";

/// What a record below [`CHECK_PREFIX`] is bound to.
pub fn check_context(environment: &EnvironmentId) -> BindCtx {
    BindCtx {
        generation: Generation(1),
        ..context(environment)
    }
}

/// How the canary is treated.
pub(crate) struct Canary<'a> {
    /// Whether it is sealed where there is nothing yet; otherwise it must be there.
    pub(crate) may_seal: bool,
    /// What the KEK is called in errors.
    pub(crate) kek: &'a str,
}

/// Opens the canary, where this process may open; seals it first where there is nothing yet. A
/// process that seals does so too: the one that opens would find records and no canary.
pub(crate) async fn check(
    vault: &Vault,
    environment: &EnvironmentId,
    node: &str,
    canary: &Canary<'_>,
) -> Result<(), Error> {
    let name = RecordName::new(NAME)?;
    let ctx = context(environment);
    let access = Access {
        actor: node.to_owned(),
        purpose: Purpose::Probe,
        request_id: RequestId::from_bytes(*random_bytes::<16>()?),
    };
    // Listed before the canary is looked for: no process stores a record before there is one.
    let others = vault.list_names("", None, 1).await?;
    if !is_there(vault, &name).await? {
        if !canary.may_seal || !others.names.is_empty() {
            return Err(Error::corrupt(
                NAME,
                "it is missing although this store was used",
            ));
        }
        let secret = SecretBytes::new(random_bytes::<32>()?.to_vec());
        match vault
            .store(&name, &ctx, &secret, Expect::Absent, &access)
            .await
        {
            // Another process was first: its canary is opened below.
            Ok(_) | Err(Error::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if !vault.can_open() {
        return Ok(());
    }
    match vault.load(&name, &ctx, &access).await {
        Ok(_) => Ok(()),
        Err(Error::Corrupt { why, .. }) => Err(Error::Keyring(format!(
            "{} does not open the records of this store (its probe record: {why})",
            canary.kek
        ))),
        Err(error) => Err(error),
    }
}

/// A writer whose store's own permissions let it read no record sees its name.
async fn is_there(vault: &Vault, name: &RecordName) -> Result<bool, Error> {
    match vault.get_row(name).await {
        Ok(found) => Ok(found.is_some()),
        Err(Error::Denied(why)) if !vault.can_open() => {
            let listed = vault.list_names(NAME, None, 1).await?;
            if listed.names.contains(name) {
                return Ok(true);
            }
            Err(Error::Denied(format!(
                "{why}; a process that may read must open this store before one that may not"
            )))
        }
        Err(error) => Err(error),
    }
}

/// What the canary record (`probe`) of an environment's store is bound to.
pub fn context(environment: &EnvironmentId) -> BindCtx {
    BindCtx {
        environment: environment.clone(),
        chain: ChainName::Evm,
        account_address: String::new(),
        wallet: WalletId::from_bytes([0; 16]),
        key_share: KeyShareId::from_bytes([0; 16]),
        share_set: ShareSetId::from_bytes([0; 16]),
        party: PartyIndex::PROVIDER,
        scheme: ThresholdSignatureScheme::TwoOfTwo,
        purpose: RecordPurpose::Probe,
        generation: Generation(0),
        attempt: AttemptId::from_bytes([0; 16]),
        group_public_key_hash: [0; 32],
    }
}
