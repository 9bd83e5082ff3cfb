//! What a ceremony has to say, in order, and how it ends.

use std::collections::VecDeque;

use halfkey_core::wire::CeremonyMessage;

use crate::{Action, Error};

/// Actions waiting to be polled.
pub(crate) struct Outbox<T> {
    actions: VecDeque<Action<T>>,
    over: bool,
}

impl<T> Outbox<T> {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self {
            actions: VecDeque::new(),
            over: false,
        }
    }

    /// Whether the ceremony is over.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    /// Messages to deliver.
    pub(crate) fn send(&mut self, messages: Vec<CeremonyMessage>) {
        self.actions.push_back(Action::Send(messages));
    }

    /// Ends the ceremony with its result.
    pub(crate) fn done(&mut self, result: T) {
        self.actions.push_back(Action::Done(result));
        self.over = true;
    }

    /// Ends the ceremony with an error; nothing unsent is sent any more.
    pub(crate) fn fail(&mut self, error: Error) {
        self.actions.clear();
        self.actions.push_back(Action::Failed(error));
        self.over = true;
    }

    /// The next action. After the end was given, asking again is the caller's mistake.
    pub(crate) fn poll(&mut self) -> Action<T> {
        self.actions.pop_front().unwrap_or(if self.over {
            Action::Failed(Error::Caller("polled after its end"))
        } else {
            Action::Wait
        })
    }
}
