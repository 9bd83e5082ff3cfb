//! One ceremony under simulation, with the invariants checked at every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfkey_core::wire::CeremonyMessage;
use halfkey_core::{PartyIndex, Signature, SigningInput};
use k256::ecdsa::{RecoveryId, VerifyingKey};

use crate::{Action, Ceremony, Error, KeyShare, Keygen, Sign};

/// One party's ceremony of either kind.
pub(super) enum Running {
    Sign(Box<Sign>),
    Keygen(Box<Keygen>),
}

/// What a party ended with.
pub(super) enum Ended {
    /// A signature, where the party learns it.
    Signed(Option<Signature>),
    /// A share.
    Made(Arc<KeyShare>),
    /// A benign error.
    Failed(Error),
    /// The party died.
    Crashed,
}

/// A party of a session.
pub(super) struct Member {
    running: Running,
    ended: Option<Ended>,
}

/// One ceremony and its parties.
pub(super) struct Session {
    pub(super) members: BTreeMap<PartyIndex, Member>,
    /// What the signature must verify under; none for keygen.
    signing: Option<(Vec<u8>, SigningInput)>,
    /// The key that goes into a change and must come out.
    key: Option<Vec<u8>>,
}

/// A broken invariant, in words.
pub(super) type Broken = String;

impl Session {
    /// A signature under `public_key`.
    pub(super) fn sign(public_key: Vec<u8>, input: SigningInput, one: Member, two: Member) -> Self {
        let members = [one, two]
            .into_iter()
            .map(|member| (member.party(), member))
            .collect();
        Self {
            members,
            signing: Some((public_key, input)),
            key: None,
        }
    }

    /// A keygen.
    pub(super) fn keygen(members: impl IntoIterator<Item = (PartyIndex, Keygen)>) -> Self {
        let members = members
            .into_iter()
            .map(|(party, keygen)| (party, Member::keygen(keygen)));
        Self {
            members: members.collect(),
            signing: None,
            key: None,
        }
    }

    /// New shares of the wallet whose account key is `key`.
    pub(super) fn change(
        key: Vec<u8>,
        members: impl IntoIterator<Item = (PartyIndex, Keygen)>,
    ) -> Self {
        Self {
            key: Some(key),
            ..Self::keygen(members)
        }
    }

    pub(super) const fn is_change(&self) -> bool {
        self.key.is_some()
    }

    /// Collects what every party has to say, and checks how parties end.
    pub(super) fn poll(&mut self) -> Result<Vec<CeremonyMessage>, Broken> {
        let mut sent = Vec::new();
        for member in self.members.values_mut() {
            if let Some(ended) = member.poll(&mut sent)? {
                if let (Ended::Signed(Some(signature)), Some((key, input))) =
                    (&ended, &self.signing)
                    && !verifies(key, input, signature)
                {
                    return Err("a signature that does not verify left a ceremony".to_owned());
                }
                member.ended = Some(ended);
            }
        }
        Ok(sent)
    }

    /// Gives a message to its receiver; one that is dead or absent does not notice.
    pub(super) fn deliver(&mut self, message: &CeremonyMessage) -> Result<(), Broken> {
        match self.members.get_mut(&message.to) {
            Some(member) => member.take(message),
            None => Ok(()),
        }
    }

    /// Kills the `nth` party, where there is one.
    pub(super) fn crash(&mut self, nth: usize) {
        if let Some(member) = self.members.values_mut().nth(nth)
            && member.ended.is_none()
        {
            member.ended = Some(Ended::Crashed);
        }
    }

    /// At the end: everybody who has a result has the same.
    pub(super) fn check_agreement(&self) -> Result<(), Broken> {
        let ended = || {
            self.members
                .values()
                .filter_map(|member| member.ended.as_ref())
        };
        let mut signatures = ended().filter_map(|ended| match ended {
            Ended::Signed(Some(signature)) => Some(signature),
            _ => None,
        });
        let first = signatures.next();
        if signatures.any(|signature| Some(signature) != first) {
            return Err("two different signatures of one ceremony".to_owned());
        }
        let shares = self.shares();
        let key = shares.first().map(|share| share.account_public_key());
        if shares
            .iter()
            .any(|share| Some(share.account_public_key()) != key)
        {
            return Err("two different keys of one keygen".to_owned());
        }
        if let (Some(before), Some(after)) = (&self.key, key)
            && before != after
        {
            return Err("a change made another key".to_owned());
        }
        let is_provider = |share: &Arc<KeyShare>| share.header().party == PartyIndex::PROVIDER;
        if !shares.is_empty() && !shares.iter().any(is_provider) {
            return Err("a customer has a share that the provider lacks".to_owned());
        }
        Ok(())
    }

    /// The shares that a keygen has ended with.
    pub(super) fn shares(&self) -> Vec<Arc<KeyShare>> {
        let made = |member: &Member| match &member.ended {
            Some(Ended::Made(share)) => Some(Arc::clone(share)),
            _ => None,
        };
        self.members.values().filter_map(made).collect()
    }

    /// How many parties ended with a result.
    pub(super) fn results(&self) -> usize {
        let has_result =
            |member: &&Member| matches!(member.ended, Some(Ended::Signed(_) | Ended::Made(_)));
        self.members.values().filter(has_result).count()
    }
}

impl Member {
    /// A signing party.
    pub(super) fn sign(sign: Sign) -> Self {
        Self {
            running: Running::Sign(Box::new(sign)),
            ended: None,
        }
    }

    fn keygen(keygen: Keygen) -> Self {
        Self {
            running: Running::Keygen(Box::new(keygen)),
            ended: None,
        }
    }

    /// How it ended, if it has.
    pub(super) const fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    fn party(&self) -> PartyIndex {
        match &self.running {
            Running::Sign(sign) => sign.party(),
            Running::Keygen(keygen) => keygen.party(),
        }
    }

    fn step(&mut self) -> Action<Ended> {
        match &mut self.running {
            Running::Sign(sign) => match sign.poll() {
                Action::Send(messages) => Action::Send(messages),
                Action::Wait => Action::Wait,
                Action::Done(signature) => Action::Done(Ended::Signed(signature)),
                Action::Failed(error) => Action::Failed(error),
            },
            Running::Keygen(keygen) => match keygen.poll() {
                Action::Send(messages) => Action::Send(messages),
                Action::Wait => Action::Wait,
                Action::Done(share) => Action::Done(Ended::Made(Arc::new(share))),
                Action::Failed(error) => Action::Failed(error),
            },
        }
    }

    fn poll(&mut self, sent: &mut Vec<CeremonyMessage>) -> Result<Option<Ended>, Broken> {
        loop {
            if matches!(self.ended, Some(Ended::Crashed)) {
                return Ok(None);
            }
            let was_over = self.ended.is_some();
            match self.step() {
                Action::Wait if !was_over => return Ok(None),
                Action::Send(messages) if !was_over => sent.extend(messages),
                Action::Done(ended) if !was_over => return Ok(Some(ended)),
                Action::Failed(error) if !was_over => {
                    benign(&error)?;
                    return Ok(Some(Ended::Failed(error)));
                }
                Action::Failed(Error::Caller(_)) => return Ok(None),
                other => return Err(format!("after its end a ceremony said {other:?}")),
            }
        }
    }

    fn take(&mut self, message: &CeremonyMessage) -> Result<(), Broken> {
        if matches!(self.ended, Some(Ended::Crashed)) {
            return Ok(());
        }
        let taken = match &mut self.running {
            Running::Sign(sign) => sign.message(message),
            Running::Keygen(keygen) => keygen.message(message),
        };
        taken.or_else(|error| benign(&error))
    }
}

impl core::fmt::Debug for Ended {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Signed(_) => f.write_str("Signed"),
            Self::Made(_) => f.write_str("Made"),
            Self::Failed(error) => write!(f, "Failed({error})"),
            Self::Crashed => f.write_str("Crashed"),
        }
    }
}

/// Nobody cheats in a simulation, so nothing may look like it.
fn benign(error: &Error) -> Result<(), Broken> {
    match error {
        Error::Refused { .. } | Error::Disagreement(_) => Ok(()),
        other => Err(format!("a network fault ended as {other:?}")),
    }
}

fn verifies(public_key: &[u8], input: &SigningInput, signature: &Signature) -> bool {
    match (input, signature) {
        (SigningInput::Digest(digest), Signature::Ecdsa { r, s, recovery_id }) => {
            let signature = k256::ecdsa::Signature::from_scalars(*r, *s);
            let id = RecoveryId::from_byte(*recovery_id);
            let (Ok(signature), Some(id)) = (signature, id) else {
                return false;
            };
            VerifyingKey::recover_from_prehash(digest, &signature, id)
                .is_ok_and(|key| key.to_sec1_point(true).as_bytes() == public_key)
        }
        (SigningInput::Message(message), Signature::Ed25519(bytes)) => {
            let Ok(key) = public_key.try_into() else {
                return false;
            };
            let signature = ed25519_dalek::Signature::from_bytes(bytes);
            ed25519_dalek::VerifyingKey::from_bytes(key)
                .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
        }
        _ => false,
    }
}
