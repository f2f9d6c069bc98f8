//! What every way of sending has in common.

use super::queue::Queued;

/// One way to a collector. Used by one thread.
pub(super) trait Carry: Send {
    /// Sends records in order. An error means that those after [`Carry::confirmed`] may not have arrived: they are sent
    /// again, from the first of them on.
    fn send(&mut self, records: &[Queued]) -> Result<(), Trouble>;

    /// Nothing is to be sent at the moment: a chance to notice that the collector is gone.
    fn idle(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    /// Sequence number up to which the collector has everything; 0 for nothing yet.
    fn confirmed(&mut self) -> u64;

    /// There is nothing more: ends the connection so that as much as possible is confirmed.
    fn end(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    /// Records that the collector will never take, and why it refused the first.
    fn rejected(&self) -> (u64, Option<String>) {
        (0, None)
    }
}

/// Why it does not go on for now: in words, for people.
#[derive(Debug)]
pub(super) struct Trouble(pub(super) String);

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
