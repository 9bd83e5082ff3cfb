//! DKLs23 keygen on the engine's phases, scheduled into two round trips.
//!
//! The provider's first message carries its rounds 1 and 2, each customer's second carries rounds 2
//! and 3. The provider has then committed before it sees an opening, and a customer opens to the
//! provider only after its commitments. Between two customers a message 3 carries commitments and
//! openings together: both are of one process, and neither is kept from the other.

use std::collections::BTreeMap;

use dkls23_core::protocols as engine;
use dkls23_core::protocols::dkg::{
    self, BroadcastDerivationPhase2to4, BroadcastDerivationPhase3to4, KeepInitMulPhase3to4,
    KeepInitZeroSharePhase2to3, KeepInitZeroSharePhase3to4, ProofCommitment, SessionData,
    TransmitInitMulPhase3to4, TransmitInitZeroSharePhase2to4, TransmitInitZeroSharePhase3to4,
    UniqueKeepDerivationPhase2to3,
};
use dkls23_core::protocols::{Parameters, PartiesMessage};
use halfkey_core::{PartyIndex, ThresholdSignatureScheme};
use k256::{Scalar, Secp256k1};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;
use crate::channel::DealPad;
use crate::codec::{decode_from, encode};
use crate::ecdsa::constant::Constant;
use crate::ecdsa::messages::{
    CommitPublic, CustomerSecondPrivate, CustomerSecondPublic, OpenPrivate, OpenPublic,
    ProviderFirst, ZeroSeed,
};
use crate::ecdsa::share::EcdsaShare;
use crate::ecdsa::{abort, engine_index};
use crate::keygen::engine::{AllIncoming, Engine, Outgoing, Session, part_of};
use crate::rng::{BoxRng, reseed_engine};
use crate::share::KeyMaterial;

/// One party's DKLs23 keygen.
pub(crate) struct EcdsaKeygen {
    scheme: ThresholdSignatureScheme,
    own: PartyIndex,
    /// Where the key exists: what our polynomial starts with.
    constant: Option<Constant>,
    /// Our polynomial at our own index, between rounds 1 and 2.
    own_fragment: Option<Scalar>,
    committed: Option<Committed>,
    opened: Option<Opened>,
    /// What the others committed to.
    commitments: BTreeMap<PartyIndex, Commitments>,
}

/// What phase 2 leaves behind.
struct Committed {
    data: SessionData,
    poly_point: Scalar,
    proof: ProofCommitment<Secp256k1>,
    zero: BTreeMap<engine::PartyIndex, KeepInitZeroSharePhase2to3>,
    bip: UniqueKeepDerivationPhase2to3,
    own_chain_code: BroadcastDerivationPhase2to4,
}

/// What phase 3 adds.
struct Opened {
    zero: BTreeMap<engine::PartyIndex, KeepInitZeroSharePhase3to4>,
    mul: BTreeMap<engine::PartyIndex, KeepInitMulPhase3to4<Secp256k1>>,
    own_chain_code: BroadcastDerivationPhase3to4,
}

struct Commitments {
    public: CommitPublic,
    zero: [u8; 32],
}

impl Drop for Committed {
    fn drop(&mut self) {
        self.poly_point.zeroize();
        for kept in self.zero.values_mut() {
            kept.seed.zeroize();
            kept.salt.zeroize();
        }
        self.bip.cc_salt.zeroize();
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.zero.values_mut().for_each(|kept| kept.seed.zeroize());
        for kept in self.mul.values_mut() {
            kept.ot_sender.s.zeroize();
            kept.vec_r.zeroize();
            kept.correlation.zeroize();
        }
    }
}

impl Drop for EcdsaKeygen {
    fn drop(&mut self) {
        self.own_fragment.zeroize();
    }
}

/// What phase 2 says to one party.
type ZeroCommitments = BTreeMap<PartyIndex, [u8; 32]>;

impl EcdsaKeygen {
    /// With a `constant` the key exists already; without one it is drawn.
    pub(crate) const fn new(
        scheme: ThresholdSignatureScheme,
        own: PartyIndex,
        constant: Option<Constant>,
    ) -> Self {
        Self {
            scheme,
            own,
            constant,
            own_fragment: None,
            committed: None,
            opened: None,
            commitments: BTreeMap::new(),
        }
    }

    fn data(&self, session_id: &[u8]) -> Result<SessionData, Error> {
        let parameters = Parameters::new(self.scheme.min_signers(), self.scheme.max_signers())
            .map_err(|_| Error::Bug("scheme parameters"))?;
        let party_index = engine_index(self.own)?;
        Ok(SessionData {
            parameters,
            party_index,
            session_id: session_id.to_vec(),
        })
    }

    /// Room for everybody's fragments: growing would leave copies behind.
    fn room_for_fragments(&self) -> Zeroizing<Vec<Scalar>> {
        Zeroizing::new(Vec::with_capacity(self.scheme.max_signers().into()))
    }

    /// Phase 1: our polynomial at every index. Keeps our own and returns the others'.
    fn fragments(&mut self) -> Result<BTreeMap<PartyIndex, Zeroizing<Scalar>>, Error> {
        reseed_engine()?;
        let mut fragments = Zeroizing::new(dkg::phase1::<Secp256k1>(&self.data(&[])?));
        if let Some(constant) = &self.constant {
            constant.shift(&mut fragments)?;
        }
        let mut others = BTreeMap::new();
        for (party, fragment) in PartyIndex::all(self.scheme).iter().zip(fragments.iter()) {
            if *party == self.own {
                self.own_fragment = Some(*fragment);
            } else {
                others.insert(*party, Zeroizing::new(*fragment));
            }
        }
        Ok(others)
    }

    /// Phase 2: our point of the joint polynomial, and the commitments.
    fn commit(
        &mut self,
        session: &Session,
        mut fragments: Zeroizing<Vec<Scalar>>,
    ) -> Result<(CommitPublic, ZeroCommitments), Error> {
        let data = self.data(&session.id)?;
        fragments.push(
            self.own_fragment
                .take()
                .ok_or(Error::Bug("phase 2 without phase 1"))?,
        );
        reseed_engine()?;
        let (poly_point, proof, zero, zero_out, bip, bip_out) = dkg::phase2(&data, &fragments);
        drop(fragments);
        let public = CommitPublic {
            proof: proof.commitment,
            chain_code: bip_out.cc_commitment,
        };
        let zero_out = zero_out
            .into_iter()
            .map(|out| {
                Ok((
                    crate::ecdsa::party_index(out.parties.receiver)?,
                    out.commitment,
                ))
            })
            .collect::<Result<_, Error>>()?;
        self.committed = Some(Committed {
            data,
            poly_point,
            proof,
            zero,
            bip,
            own_chain_code: bip_out,
        });
        Ok((public, zero_out))
    }

    /// Phase 3: the openings and the start of the base OTs.
    fn open_all(&mut self) -> Result<(OpenPublic, BTreeMap<PartyIndex, OpenPrivate>), Error> {
        let kept = self
            .committed
            .as_ref()
            .ok_or(Error::Bug("phase 3 without phase 2"))?;
        reseed_engine()?;
        let (zero, zero_out, mul, mul_out, bip_out) =
            dkg::phase3::<Secp256k1>(&kept.data, &kept.zero, &kept.bip);
        let mut private = BTreeMap::new();
        for (mut zero, mul) in zero_out.into_iter().zip(mul_out) {
            if zero.parties.receiver != mul.parties.receiver {
                return Err(Error::Bug("phase 3 orders its messages differently"));
            }
            let to = crate::ecdsa::party_index(zero.parties.receiver)?;
            private.insert(
                to,
                OpenPrivate {
                    zero_seed: ZeroSeed(zero.seed),
                    zero_salt: core::mem::take(&mut zero.salt),
                    dlog_proof: mul.dlog_proof,
                    nonce: mul.nonce,
                    enc_proofs: mul.enc_proofs,
                    seed: mul.seed,
                },
            );
            zero.seed.zeroize();
        }
        let public = OpenPublic {
            proof: kept.proof.proof.clone(),
            chain_code: bip_out.aux_chain_code,
            chain_code_salt: bip_out.cc_salt.clone(),
        };
        self.opened = Some(Opened {
            zero,
            mul,
            own_chain_code: bip_out,
        });
        Ok((public, private))
    }

    /// Phase 4: checks every opening and builds the share.
    fn complete(
        &mut self,
        openings: BTreeMap<PartyIndex, (OpenPublic, OpenPrivate)>,
    ) -> Result<KeyMaterial, Error> {
        const EARLY: Error = Error::Bug("phase 4 without phase 3");
        let kept = self.committed.take().ok_or(EARLY)?;
        let opened = self.opened.take().ok_or(EARLY)?;
        let own = engine_index(self.own)?;
        let mut inputs = Phase4::default();
        inputs.proofs.push(kept.proof.clone());
        inputs
            .chain_codes_2
            .insert(own, kept.own_chain_code.clone());
        inputs
            .chain_codes_3
            .insert(own, opened.own_chain_code.clone());
        for (from, (public, private)) in openings {
            let commitments = self.commitments.remove(&from).ok_or(EARLY)?;
            inputs.add(engine_index(from)?, own, &commitments, public, private);
        }
        let (mut party, public) = dkg::phase4::<Secp256k1>(
            &kept.data,
            &kept.poly_point,
            &inputs.proofs,
            &opened.zero,
            &inputs.zero_2,
            &inputs.zero_3,
            &opened.mul,
            &inputs.mul,
            &inputs.chain_codes_2,
            &inputs.chain_codes_3,
            |_| String::new(),
        )
        .map_err(|found| abort::of_keygen(&found, self.own))?;
        if let Some(constant) = &self.constant {
            // The DKG drew another one; the key's own stays, and with it every derived address.
            party.derivation_data.chain_code = constant.chain_code;
        }
        EcdsaShare::from_keygen(self.scheme, party, &public).map(KeyMaterial::Ecdsa)
    }
}

/// The lists that phase 4 takes.
#[derive(Default)]
struct Phase4 {
    proofs: Vec<ProofCommitment<Secp256k1>>,
    zero_2: Vec<TransmitInitZeroSharePhase2to4>,
    zero_3: Vec<TransmitInitZeroSharePhase3to4>,
    mul: Vec<TransmitInitMulPhase3to4<Secp256k1>>,
    chain_codes_2: BTreeMap<engine::PartyIndex, BroadcastDerivationPhase2to4>,
    chain_codes_3: BTreeMap<engine::PartyIndex, BroadcastDerivationPhase3to4>,
}

impl Drop for Phase4 {
    fn drop(&mut self) {
        self.zero_3.iter_mut().for_each(|sent| sent.seed.zeroize());
    }
}

impl Phase4 {
    /// Files one party's commitments and openings under its index, which comes from the channel and
    /// never from the message.
    fn add(
        &mut self,
        from: engine::PartyIndex,
        own: engine::PartyIndex,
        commitments: &Commitments,
        public: OpenPublic,
        private: OpenPrivate,
    ) {
        let parties = PartiesMessage {
            sender: from,
            receiver: own,
        };
        let commitment = commitments.public.proof;
        self.proofs.push(ProofCommitment {
            index: from,
            proof: public.proof,
            commitment,
        });
        self.zero_2.push(TransmitInitZeroSharePhase2to4 {
            parties: parties.clone(),
            commitment: commitments.zero,
        });
        self.zero_3.push(TransmitInitZeroSharePhase3to4 {
            parties: parties.clone(),
            seed: private.zero_seed.0,
            salt: private.zero_salt,
        });
        self.mul.push(TransmitInitMulPhase3to4 {
            parties,
            dlog_proof: private.dlog_proof,
            nonce: private.nonce,
            enc_proofs: private.enc_proofs,
            seed: private.seed,
        });
        let cc_commitment = commitments.public.chain_code;
        self.chain_codes_2.insert(
            from,
            BroadcastDerivationPhase2to4 {
                sender_index: from,
                cc_commitment,
            },
        );
        self.chain_codes_3.insert(
            from,
            BroadcastDerivationPhase3to4 {
                sender_index: from,
                aux_chain_code: public.chain_code,
                cc_salt: public.chain_code_salt,
            },
        );
    }
}

impl Engine for EcdsaKeygen {
    fn open(&mut self, _rng: &mut BoxRng) -> Result<Outgoing, Error> {
        let mut out = Outgoing::default();
        for (to, fragment) in self.fragments()? {
            out.private.insert(to, encode(&*fragment)?);
        }
        Ok(out)
    }

    fn reply(
        &mut self,
        session: &Session,
        received: AllIncoming,
        _rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        let mut fragments = self.room_for_fragments();
        for (from, part) in received {
            fragments.push(decode_from(from, "key fragment", &part.private)?);
        }
        let out_fragments = self.fragments()?;
        let (public, zero) = self.commit(session, fragments)?;
        let mut out = Outgoing {
            public: encode(&public)?.to_vec(),
            ..Outgoing::default()
        };
        for (to, fragment) in out_fragments {
            let zero_commitment = *zero
                .get(&to)
                .ok_or(Error::Bug("no zero-share commitment"))?;
            let first = ProviderFirst {
                fragment: *fragment,
                zero_commitment,
            };
            out.private.insert(to, encode(&first)?);
        }
        Ok(out)
    }

    fn answer(
        &mut self,
        session: &Session,
        mut received: AllIncoming,
        _pads: &BTreeMap<PartyIndex, DealPad>,
        _rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        let from = PartyIndex::PROVIDER;
        let part = part_of(&mut received, from)?;
        let first: ProviderFirst = decode_from(from, "key fragment", &part.private)?;
        let public = decode_from(from, "commitments", &part.public)?;
        self.commitments.insert(
            from,
            Commitments {
                public,
                zero: first.zero_commitment,
            },
        );
        let mut fragments = self.room_for_fragments();
        fragments.push(first.fragment);
        for (from, part) in received {
            fragments.push(decode_from(from, "key fragment", &part.private)?);
        }
        let (commit, mut zero) = self.commit(session, fragments)?;
        let (open, private) = self.open_all()?;
        let public = CustomerSecondPublic { commit, open };
        let mut out = Outgoing {
            public: encode(&public)?.to_vec(),
            ..Outgoing::default()
        };
        for (to, open) in private {
            let zero_commitment = zero
                .remove(&to)
                .ok_or(Error::Bug("no zero-share commitment"))?;
            let second = CustomerSecondPrivate {
                zero_commitment,
                open,
            };
            out.private.insert(to, encode(&second)?);
        }
        Ok(out)
    }

    fn conclude(
        &mut self,
        _session: &Session,
        received: AllIncoming,
        _pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<(Outgoing, KeyMaterial), Error> {
        let openings = self.customer_openings(received)?;
        let (public, private) = self.open_all()?;
        let mut out = Outgoing {
            public: encode(&public)?.to_vec(),
            ..Outgoing::default()
        };
        for (to, open) in private {
            out.private.insert(to, encode(&open)?);
        }
        Ok((out, self.complete(openings)?))
    }

    fn finish(
        &mut self,
        _session: &Session,
        mut received: AllIncoming,
        _pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<KeyMaterial, Error> {
        let from = PartyIndex::PROVIDER;
        let part = part_of(&mut received, from)?;
        let public: OpenPublic = decode_from(from, "openings", &part.public)?;
        let private: OpenPrivate = decode_from(from, "openings", &part.private)?;
        public.check(from)?;
        private.check(from)?;
        let mut openings = self.customer_openings(received)?;
        openings.insert(from, (public, private));
        self.complete(openings)
    }
}

impl EcdsaKeygen {
    /// Rounds 2 and 3 of customers, checked; their commitments are filed.
    fn customer_openings(
        &mut self,
        received: AllIncoming,
    ) -> Result<BTreeMap<PartyIndex, (OpenPublic, OpenPrivate)>, Error> {
        let mut openings = BTreeMap::new();
        for (from, part) in received {
            let public: CustomerSecondPublic = decode_from(from, "openings", &part.public)?;
            let private: CustomerSecondPrivate = decode_from(from, "openings", &part.private)?;
            public.open.check(from)?;
            private.open.check(from)?;
            let zero = private.zero_commitment;
            self.commitments.insert(
                from,
                Commitments {
                    public: public.commit,
                    zero,
                },
            );
            openings.insert(from, (public.open, private.open));
        }
        Ok(openings)
    }
}
