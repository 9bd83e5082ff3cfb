//! Signing: one round trip for Ed25519, two for ECDSA, under a slot where OT state is used.

use std::sync::Arc;

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{ActivityRef, CeremonyMessage, CeremonyReply, Operation, SignedReply};
use halfkey_core::{AttemptId, CeremonyId, PartyIndex, Signature, SigningInput};
use halfkey_mpc::{Error as MpcError, Sign, SignParams};
use halfkey_vault::Purpose;
use sha2::{Digest as _, Sha256};

use super::drive::{Progress, ceremony_error, drive};
use super::key_share::OpenFor;
use super::pool::{Class, StepFailure};
use super::running::{Running, Stepped};
use super::sign_end::Seen;
use super::signature_back::SignatureRun;
use super::table::Cell;
use super::wallet_permits::WalletPermit;
use super::{key_share, lock, sign_end, suspicion};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::db::slots::{SlotKey, SlotOutcome};
use crate::db::wallets::WalletRow;

/// What the signature is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The caller's message or transaction.
    Message {
        /// What the bytes are.
        operation: Operation,
        /// For the activity log.
        summary: serde_json::Value,
    },
    /// A proof that the customer's share is stored (custody rule 7).
    Proof {
        /// Of what.
        operation: ProofOperation,
        /// The attempt it is recorded for: of a start, the one to come.
        attempt: AttemptId,
        /// The message that is signed.
        message: Vec<u8>,
    },
}

impl Goal {
    pub(crate) const fn operation(&self) -> Operation {
        match self {
            Self::Message { operation, .. } => *operation,
            Self::Proof { .. } => Operation::Proof,
        }
    }

    /// What the activity log says of the signature of a message.
    pub(crate) fn detail(&self, party: PartyIndex) -> Option<serde_json::Value> {
        let Self::Message { operation, summary } = self else {
            return None;
        };
        Some(serde_json::json!({
            "operation": operation.as_str(),
            "party": party,
            "summary": summary,
        }))
    }
}

/// Everything about a signature except the engine's state.
#[derive(Debug)]
pub(crate) struct SignContext {
    pub(crate) caller: Caller,
    pub(crate) wallet: WalletRow,
    pub(crate) party: PartyIndex,
    pub(crate) ceremony: CeremonyId,
    pub(crate) goal: Goal,
    /// Where the opening of the share stands, until the first reply has said so.
    pub(crate) opened: Option<ActivityRef>,
}

impl SignContext {
    /// The slot this ceremony has or, for FROST, would have.
    pub(crate) fn slot_key(&self) -> SlotKey {
        SlotKey {
            environment: self.caller.environment.id.clone(),
            wallet: self.wallet.wallet,
            generation: self.wallet.generation,
            ceremony: self.ceremony,
            delegation: self.caller.delegate.as_ref().map(|delegate| delegate.id),
        }
    }

    /// What the last reply says of the signature.
    pub(crate) const fn signed_reply(&self) -> SignedReply {
        SignedReply {
            operation: self.goal.operation(),
            custody_origin: Some(self.wallet.origin()),
        }
    }

    /// For the one-round signature of a message: what its entry says, which is written when the
    /// share is opened.
    pub(crate) fn announced(&self) -> Option<serde_json::Value> {
        match &self.goal {
            Goal::Message { .. } if !self.uses_slot() => self.goal.detail(self.party),
            _ => None,
        }
    }

    /// Whether signing needs a slot.
    pub(crate) const fn uses_slot(&self) -> bool {
        self.wallet.key_type.uses_ot()
    }
}

/// A signature being made.
#[derive(Debug)]
pub(crate) struct SignRun {
    pub(crate) context: SignContext,
    sign: Sign,
    /// Given back when the run ends.
    permit: Option<WalletPermit>,
}

/// Opens the share, takes the slot and answers the first messages. The sealed share may come with
/// the context, from whoever read the wallet.
pub(crate) async fn start(
    app: &Arc<App>,
    cell: Option<&Cell>,
    (mut context, sealed): (SignContext, Option<Vec<u8>>),
    input: SigningInput,
    messages: Vec<CeremonyMessage>,
) -> Result<Stepped, ApiError> {
    let mut permit = None;
    if context.uses_slot() {
        suspicion::settle(app, cell, &context.slot_key()).await?;
        permit = app.permits.acquire(context.wallet.wallet).await;
        if permit.is_none() {
            return Err(key_share::too_many_open());
        }
    }
    let slot = context.slot_key();
    let purpose = match context.goal {
        Goal::Proof {
            operation: ProofOperation::Recover,
            ..
        } => Purpose::Recover,
        Goal::Proof { .. } => Purpose::Proof,
        Goal::Message { .. } => Purpose::Sign,
    };
    let why = match context.announced() {
        Some(detail) => OpenFor::Signature(detail),
        None if context.uses_slot() => OpenFor::Slot(purpose, &slot),
        None => OpenFor::This(purpose),
    };
    let wallet = (&context.wallet, sealed);
    let opened = key_share::open(app, &context.caller, wallet, why).await;
    let share = match opened {
        Ok(opened) => {
            context.opened = opened.activity;
            opened.share
        }
        Err((error, in_the_log)) => {
            if in_the_log {
                sign_end::close_slot(app, &context, SlotOutcome::Refused).await;
            }
            return Err(error);
        }
    };
    let params = SignParams {
        ceremony: context.ceremony,
        operation: context.goal.operation(),
        input,
        counterparty: context.party,
    };
    let ran = app
        .pool
        .run(Class::Sign, move || {
            let mut sign = Sign::responder(share, params, os_rng())?;
            let progress = drive(&mut sign, &messages)?;
            Ok((sign, progress))
        })
        .await;
    advance(app, cell, context, permit, ran).await
}

impl SignRun {
    /// Takes the messages of one more request.
    pub(crate) async fn step(
        self: Box<Self>,
        app: &Arc<App>,
        cell: Option<&Cell>,
        messages: Vec<CeremonyMessage>,
    ) -> Result<Stepped, ApiError> {
        let Self {
            context,
            mut sign,
            permit,
        } = *self;
        if messages.iter().any(|message| message.from != context.party) {
            sign_end::close_slot(app, &context, SlotOutcome::Refused).await;
            return Err(ApiError::invalid(
                "the messages are not from the party that began",
            ));
        }
        let ran = app
            .pool
            .run(Class::Sign, move || {
                let progress = drive(&mut sign, &messages)?;
                Ok((sign, progress))
            })
            .await;
        advance(app, cell, context, permit, ran).await
    }

    /// Ends it from outside.
    pub(crate) async fn dispose(self: Box<Self>, app: &App, outcome: SlotOutcome) {
        sign_end::close_slot(app, &self.context, outcome).await;
    }
}

type Ran = Result<Result<(Sign, Progress<Option<Signature>>), MpcError>, StepFailure>;

/// Decides what a step that ran means.
async fn advance(
    app: &Arc<App>,
    cell: Option<&Cell>,
    context: SignContext,
    permit: Option<WalletPermit>,
    ran: Ran,
) -> Result<Stepped, ApiError> {
    let slot = context.slot_key();
    match ran {
        Ok(Ok((sign, Progress::More(messages)))) => {
            let run = SignRun {
                context,
                sign,
                permit,
            };
            Ok(Stepped::More(Running::Sign(Box::new(run)), messages))
        }
        Ok(Ok((_, Progress::Done(messages, signature)))) => {
            if signature.is_none() && matches!(context.goal, Goal::Proof { .. }) {
                // Only the customer has an Ed25519 signature: it sends it back to be verified.
                let run = Running::Signature(Box::new(SignatureRun { context }));
                return Ok(Stepped::More(run, messages));
            }
            let seen = signature.map_or(Seen::Nothing, |_| Seen::Made);
            if signature.is_some_and(|signature| !proves(&context, &signature)) {
                suspicion::after_suspicion(app, cell, &slot).await?;
                return Err(ceremony_error(&MpcError::Suspect));
            }
            let activity = sign_end::signed(app, &context, seen).await?;
            Ok(Stepped::Finished(Box::new(CeremonyReply {
                next: None,
                messages,
                created: None,
                signed: Some(context.signed_reply()),
                activity: Some(activity),
            })))
        }
        Ok(Err(MpcError::PeerMisbehaved { check, .. })) => {
            Err(lock::after_cheating(app, cell, &slot, check).await)
        }
        // A panic or a bug of the engine's may be the work of a peer: it counts against it. Faults
        // of our own machine (randomness, a share that does not decode) are refusals, below.
        Ok(Err(error @ (MpcError::Suspect | MpcError::Bug(_)))) if context.uses_slot() => {
            suspicion::after_suspicion(app, cell, &slot).await?;
            Err(ceremony_error(&error))
        }
        Err(StepFailure::Panicked) if context.uses_slot() => {
            suspicion::after_suspicion(app, cell, &slot).await?;
            Err(StepFailure::Panicked.into())
        }
        Ok(Err(error)) => {
            sign_end::close_slot(app, &context, SlotOutcome::Refused).await;
            Err(ceremony_error(&error))
        }
        Err(failure) => {
            sign_end::close_slot(app, &context, SlotOutcome::Refused).await;
            Err(failure.into())
        }
    }
}

/// Whether the signature of a proof verifies by other code than the engine's; of anything else that
/// is the engine's matter.
fn proves(context: &SignContext, signature: &Signature) -> bool {
    let Goal::Proof { message, .. } = &context.goal else {
        return true;
    };
    let input = SigningInput::Digest(Sha256::digest(message).into());
    let WalletRow { chain, address, .. } = &context.wallet;
    halfkey_chain::verify_signature(*chain, address, &input, signature).is_ok()
}
