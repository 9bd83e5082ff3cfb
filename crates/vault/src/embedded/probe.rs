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

/// How the canary is treated.
pub(crate) struct Canary<'a> {
    /// Whether it is sealed where there is nothing yet; otherwise it must be there.
    pub(crate) may_seal: bool,
    /// What the KEK is called in errors.
    pub(crate) kek: &'a str,
}

/// Opens the canary; seals it first where there is nothing yet.
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
    if vault.get_row(&name).await?.is_none() {
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
    match vault.load(&name, &ctx, &access).await {
        Ok(_) => Ok(()),
        Err(Error::Corrupt { why, .. }) => Err(Error::Keyring(format!(
            "{} does not open the records of this store (its probe record: {why})",
            canary.kek
        ))),
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
