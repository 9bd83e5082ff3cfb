//! The network between the parties, and what it does to messages.

use halfkey_core::wire::CeremonyMessage;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

/// A message on its way to a session.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) session: usize,
    pub(super) message: CeremonyMessage,
}

/// What happens next.
#[derive(Debug)]
pub(super) enum Event {
    /// Nothing is on its way.
    Idle,
    /// This arrives.
    Deliver(Flight),
    /// A message was lost.
    Dropped,
    /// Some party of some session dies.
    Crash,
}

/// Messages on their way and messages once seen.
pub(super) struct Network {
    rng: ChaCha20Rng,
    flying: Vec<Flight>,
    seen: Vec<Flight>,
    pub(super) faults: u32,
}

/// How many seen messages stay available for replay.
const MEMORY: usize = 64;

impl Network {
    pub(super) const fn new(rng: ChaCha20Rng) -> Self {
        Self {
            rng,
            flying: Vec::new(),
            seen: Vec::new(),
            faults: 0,
        }
    }

    /// A number below `limit`, which is at least 1.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let drawn = usize::try_from(self.rng.next_u32()).unwrap_or_default();
        drawn.checked_rem(limit).unwrap_or_default()
    }

    /// Puts a message on its way.
    pub(super) fn send(&mut self, flight: Flight) {
        if self.seen.len() == MEMORY {
            let oldest = self.below(MEMORY);
            self.seen.swap_remove(oldest);
        }
        self.seen.push(flight.clone());
        self.flying.push(flight);
    }

    /// Lets something happen. `sessions` is how many there are.
    pub(super) fn next(&mut self, sessions: usize) -> Event {
        if self.flying.is_empty() {
            return Event::Idle;
        }
        let oldest = 0;
        let any = self.below(self.flying.len());
        match self.below(100) {
            // An honest network most of the time.
            0..60 => Event::Deliver(self.flying.remove(oldest)),
            60..70 => self.fault(|net| Event::Deliver(net.flying.swap_remove(any))),
            70..75 => self.fault(|net| {
                net.flying.swap_remove(any);
                Event::Dropped
            }),
            75..83 => self.fault(|net| Event::Deliver(net.flight(any))),
            83..90 => self.fault(|net| {
                let mut flight = net.flying.swap_remove(any);
                net.corrupt(&mut flight.message);
                Event::Deliver(flight)
            }),
            90..97 => self.fault(|net| net.replay(sessions)),
            _ => self.fault(|_| Event::Crash),
        }
    }

    fn fault(&mut self, fault: impl FnOnce(&mut Self) -> Event) -> Event {
        self.faults = self.faults.saturating_add(1);
        fault(self)
    }

    fn flight(&self, at: usize) -> Flight {
        #[expect(clippy::indexing_slicing, reason = "drawn below the length")]
        self.flying[at].clone()
    }

    /// Something seen before arrives again, as it was or readdressed, anywhere.
    fn replay(&mut self, sessions: usize) -> Event {
        let at = self.below(self.seen.len());
        let Some(mut flight) = self.seen.get(at).cloned() else {
            return Event::Dropped;
        };
        flight.session = self.below(sessions);
        if self.below(4) == 0 {
            core::mem::swap(&mut flight.message.from, &mut flight.message.to);
        }
        Event::Deliver(flight)
    }

    fn corrupt(&mut self, message: &mut CeremonyMessage) {
        let length = message.body.0.len();
        let at = self.below(length);
        match self.below(5) {
            0 => message.body.0.truncate(at),
            1 => message.body.0.push(0),
            2 => message.body.0.clear(),
            // Near the front sit version, step, tag and the first fields.
            3 => self.flip(message, at.min(40)),
            _ => self.flip(message, at),
        }
    }

    fn flip(&mut self, message: &mut CeremonyMessage, at: usize) {
        let bit = self.below(8);
        if let Some(byte) = message.body.0.get_mut(at) {
            *byte ^= 1_u8.rotate_left(u32::try_from(bit).unwrap_or_default());
        }
    }
}
