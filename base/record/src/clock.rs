//! The clock that controllers, clients and actors are given: virtual in the lab, real in a test against real sockets.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use crate::VirtualTime;

/// A source of time and of waiting. Cheap to clone; never the host's clock inside a run.
pub trait Clock: Clone + 'static {
    /// What [`Clock::sleep_until`] returns.
    type Sleep: Future<Output = ()> + Unpin + 'static;

    /// The present moment.
    fn now(&self) -> VirtualTime;

    /// Completes at `deadline`, at once if that has passed.
    fn sleep_until(&self, deadline: VirtualTime) -> Self::Sleep;

    /// Completes after `span`.
    fn sleep(&self, span: Duration) -> Self::Sleep {
        self.sleep_until(self.now() + span)
    }
}

/// The output of `work`, or `None` if it is not ready within `limit`; the work is then dropped.
pub async fn with_timeout<C: Clock, F: Future>(clock: &C, limit: Duration, work: F) -> Option<F::Output> {
    let work = pin!(work);
    match select(work, clock.sleep(limit)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(((), _)) => None,
    }
}
