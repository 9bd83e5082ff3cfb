//! Runs the parties of one ceremony to their end, with nothing going wrong.

use std::collections::BTreeMap;

use halfkey_core::PartyIndex;
use halfkey_core::wire::CeremonyMessage;

use crate::{Action, Ceremony, Error};

/// The parties of one ceremony.
pub type Parties<T> = BTreeMap<PartyIndex, Box<dyn Ceremony<Output = T>>>;

/// How a run went.
#[derive(Debug)]
pub struct Run<T> {
    /// What each party ended with; absent for one that still waits.
    pub results: BTreeMap<PartyIndex, Result<T, Error>>,
    /// Every message, in the order of sending.
    pub sent: Vec<CeremonyMessage>,
}

/// Delivers every message once, in the order of sending, until nobody has anything to say.
pub fn to_end<T>(mut parties: Parties<T>) -> Run<T> {
    let mut run = Run {
        results: BTreeMap::new(),
        sent: Vec::new(),
    };
    let mut next = 0_usize;
    loop {
        for (index, party) in &mut parties {
            while !run.results.contains_key(index) {
                match party.poll() {
                    Action::Send(messages) => run.sent.extend(messages),
                    Action::Wait => break,
                    Action::Done(result) => drop(run.results.insert(*index, Ok(result))),
                    Action::Failed(error) => drop(run.results.insert(*index, Err(error))),
                }
            }
        }
        let Some(message) = run.sent.get(next) else {
            return run;
        };
        next = next.saturating_add(1);
        if let Some(party) = parties.get_mut(&message.to) {
            // An error is polled above.
            party.message(message).ok();
        }
    }
}
