//! The secret part of an ECDSA share, in memory and as bytes.

use std::collections::BTreeMap;

use dkls23_core::protocols as engine;
use dkls23_core::protocols::Parameters;
use dkls23_core::protocols::derivation::DerivData;
use dkls23_core::utilities::multiplication::{MulReceiver, MulSender};
use dkls23_core::utilities::zero_shares::ZeroShare;
use halfkey_core::{DerivationPath, PartyIndex, ThresholdSignatureScheme};
use k256::elliptic_curve::group::GroupEncoding;
use k256::{AffinePoint, ProjectivePoint, Scalar, Secp256k1};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;
use crate::codec::{decode, encode};
use crate::ecdsa::constant::Constant;
use crate::ecdsa::{Party, derive, engine_index, party_index};
use crate::error::ShareError;

/// One party's ECDSA share: the root's secret scalar and OT state, and (cached) the engine's party
/// at the account path, which is the only key that signs.
pub(crate) struct EcdsaShare {
    root: DerivData<Secp256k1>,
    /// Set by [`EcdsaShare::at_path`]; equal to the root's before.
    account: Party,
    verifying_shares: BTreeMap<PartyIndex, AffinePoint>,
}

/// The stored form; the engine's party minus what the header or the path give.
#[derive(Deserialize)]
struct Stored {
    session_id: Vec<u8>,
    poly_point: Scalar,
    pk: AffinePoint,
    chain_code: [u8; 32],
    verifying_shares: BTreeMap<u8, AffinePoint>,
    zero_share: ZeroShare,
    mul_senders: BTreeMap<engine::PartyIndex, MulSender<Secp256k1>>,
    mul_receivers: BTreeMap<engine::PartyIndex, MulReceiver<Secp256k1>>,
}

/// [`Stored`] by reference, so that encoding copies no secret.
#[derive(Serialize)]
struct StoredRef<'a> {
    session_id: &'a [u8],
    poly_point: &'a Scalar,
    pk: &'a AffinePoint,
    chain_code: &'a [u8; 32],
    verifying_shares: BTreeMap<u8, &'a AffinePoint>,
    zero_share: &'a ZeroShare,
    mul_senders: &'a BTreeMap<engine::PartyIndex, MulSender<Secp256k1>>,
    mul_receivers: &'a BTreeMap<engine::PartyIndex, MulReceiver<Secp256k1>>,
}

#[cfg(feature = "test-shares")]
impl EcdsaShare {
    /// The secret scalars of root and account.
    pub(crate) const fn scalars(&self) -> [&Scalar; 2] {
        [&self.root.poly_point, &self.account.poly_point]
    }
}

impl EcdsaShare {
    /// The share that keygen ends with.
    pub(crate) fn from_keygen(
        scheme: ThresholdSignatureScheme,
        account: Party,
        public: &engine::PublicKeyPackage<Secp256k1>,
    ) -> Result<Self, Error> {
        let mut verifying_shares = BTreeMap::new();
        for party in PartyIndex::all(scheme) {
            let share = public.verifying_share(engine_index(*party)?);
            verifying_shares.insert(*party, *share.ok_or(Error::Bug("no verifying share"))?);
        }
        Ok(Self {
            root: account.derivation_data.clone(),
            account,
            verifying_shares,
        })
    }

    /// The share with its account key derived at `path`.
    pub(crate) fn at_path(mut self, path: &DerivationPath) -> Result<Self, Error> {
        let data = derive::derive(&self.root, path)?;
        self.account.poly_point = data.poly_point;
        self.account.pk = data.pk;
        self.account.derivation_data = data;
        Ok(self)
    }

    #[cfg(test)]
    pub(crate) const fn root(&self) -> &DerivData<Secp256k1> {
        &self.root
    }

    /// The root with its secret share, to be replaced by the whole key.
    pub(crate) fn root_data(&self) -> DerivData<Secp256k1> {
        self.root.clone()
    }

    /// The root's secret scalar.
    pub(crate) const fn root_scalar(&self) -> &Scalar {
        &self.root.poly_point
    }

    /// One party's public share of the root, SEC1 compressed.
    pub(crate) fn verifying_share(&self, party: PartyIndex) -> Result<Vec<u8>, Error> {
        let share = self.verifying_shares.get(&party);
        let share = share.ok_or(Error::Bug("no verifying share"))?;
        Ok(share.to_bytes().to_vec())
    }

    /// What this share puts into a change, weighted for interpolation from `contributors`.
    pub(crate) fn contribution(
        &self,
        own: PartyIndex,
        contributors: &[PartyIndex],
    ) -> Result<Constant, Error> {
        Constant::share(&self.root, own, contributors, &self.root.chain_code)
    }

    /// The engine's party at the account path.
    pub(crate) const fn account(&self) -> &Party {
        &self.account
    }

    /// The root public key, SEC1 compressed.
    pub(crate) fn group_public_key(&self) -> Vec<u8> {
        self.root.pk.to_bytes().to_vec()
    }

    /// The account public key, SEC1 compressed.
    pub(crate) fn account_public_key(&self) -> Vec<u8> {
        self.account.pk.to_bytes().to_vec()
    }

    /// The root's chain code. With the root public key it is the wallet's extended public key.
    pub(crate) const fn chain_code(&self) -> &[u8; 32] {
        &self.root.chain_code
    }

    /// Every party's public share of the root, SEC1 compressed.
    pub(crate) fn verifying_shares(&self) -> BTreeMap<PartyIndex, Vec<u8>> {
        self.verifying_shares
            .iter()
            .map(|(p, share)| (*p, share.to_bytes().to_vec()))
            .collect()
    }

    /// The secret part as bytes.
    pub(crate) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        encode(&StoredRef {
            session_id: &self.account.session_id,
            poly_point: &self.root.poly_point,
            pk: &self.root.pk,
            chain_code: &self.root.chain_code,
            verifying_shares: self
                .verifying_shares
                .iter()
                .map(|(party, share)| (party.as_u8(), share))
                .collect(),
            zero_share: &self.account.zero_share,
            mul_senders: &self.account.mul_senders,
            mul_receivers: &self.account.mul_receivers,
        })
    }

    /// Reads the secret part of `own`'s share under `scheme`, without an account key yet.
    pub(crate) fn decode(
        bytes: &[u8],
        scheme: ThresholdSignatureScheme,
        own: PartyIndex,
    ) -> Result<Self, ShareError> {
        let stored: Stored = decode(bytes).ok_or(ShareError::Damaged)?;
        stored
            .into_share(scheme, own)
            .map_err(|_| ShareError::Damaged)
    }
}

impl Stored {
    fn into_share(
        mut self,
        scheme: ThresholdSignatureScheme,
        own: PartyIndex,
    ) -> Result<EcdsaShare, Error> {
        const DAMAGED: Error = Error::Share(ShareError::Damaged);
        let parameters =
            Parameters::new(scheme.min_signers(), scheme.max_signers()).map_err(|_| DAMAGED)?;
        let mut verifying_shares = BTreeMap::new();
        for (index, share) in core::mem::take(&mut self.verifying_shares) {
            verifying_shares.insert(PartyIndex::try_from(index).map_err(|_| DAMAGED)?, share);
        }
        let own_point = ProjectivePoint::mul_by_generator(&self.poly_point).to_affine();
        let fits = verifying_shares.keys().eq(PartyIndex::all(scheme))
            && verifying_shares.get(&own) == Some(&own_point)
            && self.has_ot_state_for_all_but(scheme, own)?;
        if !fits {
            return Err(DAMAGED);
        }
        let root = DerivData {
            depth: 0,
            child_number: 0,
            parent_fingerprint: [0; 4],
            poly_point: self.poly_point,
            pk: self.pk,
            chain_code: self.chain_code,
        };
        let account = Party {
            parameters,
            party_index: engine_index(own)?,
            session_id: core::mem::take(&mut self.session_id),
            poly_point: self.poly_point,
            pk: self.pk,
            zero_share: ZeroShare {
                seeds: core::mem::take(&mut self.zero_share.seeds),
            },
            mul_senders: core::mem::take(&mut self.mul_senders),
            mul_receivers: core::mem::take(&mut self.mul_receivers),
            derivation_data: root.clone(),
            address: String::new(),
        };
        Ok(EcdsaShare {
            root,
            account,
            verifying_shares,
        })
    }

    fn has_ot_state_for_all_but(
        &self,
        scheme: ThresholdSignatureScheme,
        own: PartyIndex,
    ) -> Result<bool, Error> {
        let ours = |indices: Vec<engine::PartyIndex>| {
            indices
                .into_iter()
                .map(party_index)
                .collect::<Result<Vec<_>, _>>()
        };
        let others: Vec<PartyIndex> = PartyIndex::all(scheme)
            .iter()
            .copied()
            .filter(|party| *party != own)
            .collect();
        let seeds = self
            .zero_share
            .seeds
            .iter()
            .map(|seed| seed.index_counterparty)
            .collect();
        Ok(ours(self.mul_senders.keys().copied().collect())? == others
            && ours(self.mul_receivers.keys().copied().collect())? == others
            && ours(seeds)? == others
            && self
                .mul_senders
                .values()
                .all(|state| state.check_state().is_ok())
            && self
                .mul_receivers
                .values()
                .all(|state| state.check_state(None).is_ok()))
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.poly_point.zeroize();
    }
}
