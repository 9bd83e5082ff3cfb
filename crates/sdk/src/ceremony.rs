//! Runs the customer's side of a ceremony against the provider.

use halfkey_core::PartyIndex;
use halfkey_core::wire::{
    CeremonyMessage, CeremonyReply, CeremonyRound, ChangeRequest, CreateRequest, ExportRequest,
    ProveRequest, SignMessageRequest,
};
use halfkey_mpc::Ceremony;
use serde::Serialize;

use crate::client::Credential;
use crate::error::Error;
use crate::transport::{Retry, api_path};
use crate::{Result, WalletClient};

pub(crate) mod pool;
mod table;

pub(crate) use pool::Class;
pub(crate) use table::Table;

/// More rounds than any ceremony has.
const MAX_ROUNDS: u32 = 8;

/// The request that opens a ceremony.
pub(crate) enum OpeningBody {
    Create(Box<CreateRequest>),
    Prove(ProveRequest),
    Sign(SignMessageRequest),
    Change(Box<ChangeRequest>),
    Export(ExportRequest),
}

pub(crate) struct Opening {
    pub(crate) path: String,
    pub(crate) body: OpeningBody,
    pub(crate) idempotency_key: Option<String>,
    /// For the opening and for every round.
    pub(crate) retry: Retry,
    /// Of the opening; rounds go by the session, which is the same token's.
    pub(crate) by: Credential,
}

/// How a ceremony ended.
pub(crate) struct Ended<T> {
    /// Each local party's result.
    pub(crate) outputs: Vec<(PartyIndex, T)>,
    /// The provider's last reply.
    pub(crate) last: CeremonyReply,
}

/// A ceremony that ended without a result.
pub(crate) struct Stopped {
    pub(crate) error: Error,
    /// Requests that may have reached the provider, the failed one included.
    pub(crate) reached: u32,
}

/// Drives the parties at `table` until each has its result.
pub(crate) async fn exchange<C>(
    client: &WalletClient,
    mut opening: Opening,
    table: Table<C>,
) -> core::result::Result<Ended<C::Output>, Stopped>
where
    C: Ceremony + 'static,
    C::Output: Send + 'static,
{
    let stopped = |error, reached| Stopped { error, reached };
    let (mut table, first) = table.step(Vec::new()).await.map_err(|e| stopped(e, 0))?;
    opening.body.put(first);
    let mut reply = opening.send(client).await.map_err(|e| stopped(e, 1))?;
    for reached in 1..=MAX_ROUNDS {
        let incoming = core::mem::take(&mut reply.messages);
        let (next_table, outgoing) = table
            .step(incoming)
            .await
            .map_err(|e| stopped(e, reached))?;
        table = next_table;
        if outgoing.is_empty() {
            let outputs = table.into_outputs().map_err(|e| stopped(e, reached))?;
            return Ok(Ended {
                outputs,
                last: reply,
            });
        }
        let Some(next) = reply.next.take() else {
            return Err(stopped(
                Error::Protocol("the ceremony ended too early"),
                reached,
            ));
        };
        reply = round(client, &next, outgoing, opening.retry)
            .await
            .map_err(|e| stopped(e, reached.saturating_add(1)))?;
    }
    Err(stopped(
        Error::Protocol("the ceremony does not end"),
        MAX_ROUNDS,
    ))
}

/// Posts one round to the path the provider named.
pub(crate) async fn round(
    client: &WalletClient,
    next: &str,
    messages: Vec<CeremonyMessage>,
    retry: Retry,
) -> Result<CeremonyReply> {
    // A relative path of the provider's own origin, of an opaque id: nothing to interpret.
    if !next
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_'))
    {
        return Err(Error::Protocol("the path of the next round is not one"));
    }
    let path = if next.starts_with('/') {
        next.to_owned()
    } else {
        api_path(next)
    };
    client
        .post(&path, &CeremonyRound { messages }, None, retry)
        .await
}

impl OpeningBody {
    fn put(&mut self, messages: Vec<CeremonyMessage>) {
        match self {
            Self::Create(body) => body.ceremony.messages = messages,
            Self::Prove(body) => body.ceremony.messages = messages,
            Self::Sign(body) => body.ceremony.messages = messages,
            Self::Change(body) => body.ceremony.messages = messages,
            Self::Export(body) => body.ceremony.messages = messages,
        }
    }
}

impl Opening {
    async fn send(&self, client: &WalletClient) -> Result<CeremonyReply> {
        match &self.body {
            OpeningBody::Create(body) => self.post(client, body).await,
            OpeningBody::Prove(body) => self.post(client, body).await,
            OpeningBody::Sign(body) => self.post(client, body).await,
            OpeningBody::Change(body) => self.post(client, body).await,
            OpeningBody::Export(body) => self.post(client, body).await,
        }
    }

    async fn post<B: Serialize>(&self, client: &WalletClient, body: &B) -> Result<CeremonyReply> {
        let key = self.idempotency_key.as_deref();
        client
            .post_by(self.by, &self.path, body, key, self.retry)
            .await
    }
}
