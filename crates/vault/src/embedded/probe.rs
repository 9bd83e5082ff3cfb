//! The canary record: opened at every start, so that a keyring that does not fit the records stops
//! the process before it seals anything the other keyring could not open.

use halfkey_core::{
    AttemptId, ChainName, Generation, KeyShareId, PartyIndex, RequestId, SecretBytes, ShareSetId,
    ThresholdSignatureScheme, WalletId,
};

use crate::entropy::random_bytes;
use crate::kms::keyring::Keyring;
use crate::{Access, BindCtx, Error, Expect, Purpose, RecordName, RecordPurpose, Vault};

const NAME: &str = "probe";

/// Opens the canary; seals it first where there is nothing yet.
pub(super) async fn check(vault: &Vault, keyring: &Keyring, node: &str) -> Result<(), Error> {
    let name = RecordName::new(NAME)?;
    let ctx = context(keyring);
    let access = Access {
        actor: node.to_owned(),
        purpose: Purpose::Probe,
        request_id: RequestId::from_bytes(*random_bytes::<16>()?),
    };
    // Listed before the canary is looked for: no process stores a record before there is one.
    let others = vault.list_names("", None, 1).await?;
    if vault.get_row(&name).await?.is_none() {
        if !others.names.is_empty() {
            return Err(Error::corrupt(
                NAME,
                "it is missing although other records are there",
            ));
        }
        let canary = SecretBytes::new(random_bytes::<32>()?.to_vec());
        match vault
            .store(&name, &ctx, &canary, Expect::Absent, &access)
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
            keyring.uri()
        ))),
        Err(error) => Err(error),
    }
}

fn context(keyring: &Keyring) -> BindCtx {
    BindCtx {
        environment: keyring.environment().clone(),
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
