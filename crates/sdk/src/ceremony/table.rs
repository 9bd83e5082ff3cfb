//! The customer's parties around one table: what they say to each other stays here.

use std::collections::VecDeque;

use halfkey_core::PartyIndex;
use halfkey_core::wire::CeremonyMessage;
use halfkey_mpc::{Action, Ceremony};

use super::pool::{self, Class};
use crate::Result;
use crate::error::Error;

struct Seat<C: Ceremony> {
    party: PartyIndex,
    ceremony: C,
    output: Option<C::Output>,
}

/// The local parties of one ceremony.
///
/// A message between two of them is delivered in memory and never handed out (custody rule 1: the
/// provider's own evaluation of a polynomial plus a relayed one would give it the whole key).
pub(crate) struct Table<C: Ceremony> {
    class: Class,
    seats: Vec<Seat<C>>,
}

impl<C> Table<C>
where
    C: Ceremony + 'static,
    C::Output: Send + 'static,
{
    pub(crate) fn new(class: Class, parties: impl IntoIterator<Item = (PartyIndex, C)>) -> Self {
        let seat = |(party, ceremony)| Seat {
            party,
            ceremony,
            output: None,
        };
        Self {
            class,
            seats: parties.into_iter().map(seat).collect(),
        }
    }

    /// Takes the provider's messages, lets the local parties talk until all of them wait or are
    /// done, and returns what has to be sent to the provider. Runs off the async threads, in turn
    /// with the other steps of its class.
    pub(crate) async fn step(
        mut self,
        incoming: Vec<CeremonyMessage>,
    ) -> Result<(Self, Vec<CeremonyMessage>)> {
        let class = self.class;
        pool::run(class, move || {
            self.talk(incoming).map(|outgoing| (self, outgoing))
        })
        .await
    }

    fn talk(&mut self, incoming: Vec<CeremonyMessage>) -> Result<Vec<CeremonyMessage>> {
        let mut outgoing = Vec::new();
        let mut local: VecDeque<CeremonyMessage> = VecDeque::new();
        for message in incoming {
            if message.from != PartyIndex::PROVIDER {
                return Err(Error::Protocol("a message in another party's name"));
            }
            local.push_back(message);
        }
        self.poll_all(&mut local, &mut outgoing)?;
        while let Some(message) = local.pop_front() {
            self.seat(message.to)?.ceremony.message(&message)?;
            self.poll_all(&mut local, &mut outgoing)?;
        }
        Ok(outgoing)
    }

    fn seat(&mut self, party: PartyIndex) -> Result<&mut Seat<C>> {
        let found = self.seats.iter_mut().find(|seat| seat.party == party);
        found.ok_or(Error::Protocol("a message for a party that is not here"))
    }

    /// Polls every party until it waits, sorting what it sends.
    fn poll_all(
        &mut self,
        local: &mut VecDeque<CeremonyMessage>,
        outgoing: &mut Vec<CeremonyMessage>,
    ) -> Result<()> {
        for seat in &mut self.seats {
            while seat.output.is_none() {
                match seat.ceremony.poll() {
                    Action::Send(messages) => {
                        for message in messages {
                            if message.to == PartyIndex::PROVIDER {
                                outgoing.push(message);
                            } else {
                                local.push_back(message);
                            }
                        }
                    }
                    Action::Wait => break,
                    Action::Done(output) => seat.output = Some(output),
                    Action::Failed(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Every party's result; all of them must be done.
    pub(crate) fn into_outputs(self) -> Result<Vec<(PartyIndex, C::Output)>> {
        let output = |seat: Seat<C>| seat.output.map(|output| (seat.party, output));
        let outputs: Option<Vec<_>> = self.seats.into_iter().map(output).collect();
        outputs.ok_or(Error::Protocol("the ceremony ended too early"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use halfkey_core::wire::Blob;

    use super::*;

    /// Says one word to everybody else and is done when it has heard from all of them.
    struct Talker {
        party: PartyIndex,
        spoken: bool,
        heard: Arc<Mutex<Vec<(u8, u8)>>>,
        missing: usize,
    }

    impl Ceremony for Talker {
        type Output = u8;

        fn message(
            &mut self,
            message: &CeremonyMessage,
        ) -> core::result::Result<(), halfkey_mpc::Error> {
            let pair = (message.from.as_u8(), message.to.as_u8());
            self.heard.lock().unwrap().push(pair);
            self.missing = self.missing.saturating_sub(1);
            Ok(())
        }

        fn poll(&mut self) -> Action<u8> {
            if !self.spoken {
                self.spoken = true;
                let others = [1, 2, 3].map(|n| PartyIndex::try_from(n).unwrap());
                let to_others = others.into_iter().filter(|to| *to != self.party);
                return Action::Send(
                    to_others
                        .map(|to| CeremonyMessage {
                            from: self.party,
                            to,
                            body: Blob(vec![1]),
                        })
                        .collect(),
                );
            }
            if self.missing == 0 {
                Action::Done(self.party.as_u8())
            } else {
                Action::Wait
            }
        }
    }

    #[tokio::test]
    async fn customer_to_customer_messages_never_leave_the_table() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let talker = |party| {
            (
                party,
                Talker {
                    party,
                    spoken: false,
                    heard: Arc::clone(&heard),
                    missing: 2,
                },
            )
        };
        let table = Table::new(
            Class::Sign,
            [PartyIndex::CUSTOMER_1, PartyIndex::CUSTOMER_2].map(talker),
        );
        let (table, outgoing) = table.step(Vec::new()).await.unwrap();
        assert_eq!(outgoing.len(), 2);
        assert!(
            outgoing
                .iter()
                .all(|message| message.to == PartyIndex::PROVIDER)
        );
        assert_eq!(*heard.lock().unwrap(), [(2, 3), (3, 2)]);
        let from_provider =
            [PartyIndex::CUSTOMER_1, PartyIndex::CUSTOMER_2].map(|to| CeremonyMessage {
                from: PartyIndex::PROVIDER,
                to,
                body: Blob(vec![]),
            });
        let (table, outgoing) = table.step(from_provider.to_vec()).await.unwrap();
        assert!(outgoing.is_empty());
        assert_eq!(table.into_outputs().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn table_rejects_messages_in_a_customers_name_from_outside() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let party = PartyIndex::CUSTOMER_1;
        let table = Table::new(
            Class::Sign,
            [(
                party,
                Talker {
                    party,
                    spoken: true,
                    heard,
                    missing: 1,
                },
            )],
        );
        let forged = CeremonyMessage {
            from: PartyIndex::CUSTOMER_2,
            to: party,
            body: Blob(vec![]),
        };
        assert!(matches!(
            table.step(vec![forged]).await,
            Err(Error::Protocol(_))
        ));
    }
}
