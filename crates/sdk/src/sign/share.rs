//! Reading a caller's shares and checking that they are the right ones.

use std::sync::Arc;

use halfkey_core::{ChainName, Role, ServerKeyShare, WalletProperties};
use halfkey_mpc::KeyShare;

use crate::{Error, Result, WalletClient};

/// Reads the versioned binary form inside `encoded`.
pub(crate) fn decode(encoded: &ServerKeyShare) -> Result<KeyShare> {
    let bytes = encoded.decode_secret().map_err(|_| Error::ShareDamaged)?;
    let share = KeyShare::decode(&bytes).map_err(|error| match error {
        halfkey_mpc::error::ShareError::Mismatch { .. } => Error::ShareOfAnotherWallet,
        _ => Error::ShareDamaged,
    })?;
    let pub_key = hex::encode(&share.header().group_public_key);
    if encoded
        .pub_key
        .as_ref()
        .is_some_and(|stated| !stated.eq_ignore_ascii_case(&pub_key))
    {
        return Err(Error::ShareOfAnotherWallet);
    }
    Ok(share)
}

/// The published form of a share.
pub(crate) fn encode(share: &KeyShare) -> Result<ServerKeyShare> {
    let header = share.header();
    let encoded = ServerKeyShare::from_encoded(header.key_share.to_string(), &share.encode()?);
    Ok(encoded.with_pub_key(hex::encode(&header.group_public_key)))
}

/// The identity of the wallet that `share` belongs to.
pub(crate) fn properties(share: &KeyShare) -> Result<WalletProperties> {
    let header = share.header();
    let address = halfkey_chain::address(header.chain, share.account_public_key())?;
    Ok(
        WalletProperties::new(header.chain.as_str(), header.wallet.to_string(), address)
            .with_threshold(header.scheme)
            .with_derivation_path(header.derivation_path.indices().to_vec()),
    )
}

/// The one share that a signature needs: the first given, and no other is opened (custody rule 2).
pub(crate) async fn one(
    client: &WalletClient,
    chain: ChainName,
    properties: &WalletProperties,
    shares: &[ServerKeyShare],
) -> Result<Arc<KeyShare>> {
    let share = Arc::new(decode(shares.first().ok_or(Error::NoShare)?)?);
    all_belong(client, chain, properties, &[Arc::clone(&share)]).await?;
    Ok(share)
}

/// Checks every share by [`belongs`]. Properties that have fallen behind a change of the wallet
/// are no fault of the shares: then the provider's word on the wallet stands in for them.
pub(crate) async fn all_belong(
    client: &WalletClient,
    chain: ChainName,
    stated: &WalletProperties,
    shares: &[Arc<KeyShare>],
) -> Result<()> {
    let check = |stated: &WalletProperties| {
        let mut shares = shares.iter();
        shares.try_for_each(|share| belongs(client, chain, stated, share))
    };
    match check(stated) {
        Err(stale @ Error::StaleWalletProperties(_)) => {
            match client.fetch_wallet_metadata(&stated.account_address).await {
                Ok(fresh) => check(&fresh),
                Err(error) => {
                    tracing::warn!(
                        code = error.code(),
                        "stale properties were not fetched anew"
                    );
                    Err(stale)
                }
            }
        }
        other => other,
    }
}

/// Checks environment, party, wallet, address and registered path of `share`.
pub(crate) fn belongs(
    client: &WalletClient,
    chain: ChainName,
    stated: &WalletProperties,
    share: &KeyShare,
) -> Result<()> {
    let header = share.header();
    if header.environment != *client.environment() {
        return Err(Error::ShareOfAnotherEnvironment);
    }
    if header.party.role() != Role::Customer || !header.party.is_in(header.scheme) {
        return Err(Error::ShareOfAnotherParty);
    }
    if stated.chain_name != chain.as_str() {
        return Err(Error::InvalidArgument(format!(
            "the wallet is not an {chain} wallet"
        )));
    }
    let actual = properties(share)?;
    let stated_address = halfkey_chain::canonical_address(chain, &stated.account_address)?;
    let same_address = header.chain == chain
        && halfkey_chain::canonical_address(chain, &actual.account_address)? == stated_address;
    if !same_address || !actual.wallet_id.eq_ignore_ascii_case(&stated.wallet_id) {
        return Err(Error::ShareOfAnotherWallet);
    }
    if stated.threshold_signature_scheme != header.scheme {
        return Err(Error::StaleWalletProperties(
            "another threshold signature scheme",
        ));
    }
    // A path never comes from the caller's cache unchecked (custody rule 4).
    if stated.derivation_path.is_some() && stated.derivation_path != actual.derivation_path {
        return Err(Error::StaleWalletProperties("another derivation path"));
    }
    Ok(())
}

/// Checks that `shares` are customer shares of one generation of one wallet of this environment.
pub(crate) fn same_set(client: &WalletClient, shares: &[Arc<KeyShare>]) -> Result<()> {
    let first = shares.first().ok_or(Error::NoShare)?.header();
    for share in shares {
        let header = share.header();
        if header.environment != *client.environment() {
            return Err(Error::ShareOfAnotherEnvironment);
        }
        if header.party.role() != Role::Customer {
            return Err(Error::ShareOfAnotherParty);
        }
        if header.wallet != first.wallet || header.group_public_key != first.group_public_key {
            return Err(Error::ShareOfAnotherWallet);
        }
        if header.generation != first.generation || header.attempt != first.attempt {
            return Err(Error::ShareOfAnotherGeneration {
                share: header.generation,
            });
        }
    }
    Ok(())
}
