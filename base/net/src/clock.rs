//! The virtual clock and its sleepers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use record::{Clock, VirtualTime};

use crate::slab::Key;
use crate::world::Shared;

/// The clock of one kernel. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KernelClock {
    pub(crate) shared: Arc<Shared>,
}

impl Clock for KernelClock {
    type Sleep = Sleep;

    fn now(&self) -> VirtualTime {
        VirtualTime::from_nanos(self.shared.now.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, deadline: VirtualTime) -> Sleep {
        Sleep { shared: self.shared.clone(), deadline, timer: None }
    }
}

/// Completes at a moment of virtual time.
#[derive(Debug)]
pub struct Sleep {
    shared: Arc<Shared>,
    deadline: VirtualTime,
    timer: Option<Key>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.shared.now.load(Ordering::Relaxed) >= self.deadline.as_nanos() {
            return Poll::Ready(());
        }
        let mut world = self.shared.world();
        if let Some(waker) = self.timer.and_then(|timer| world.timers.get_mut(timer)) {
            waker.clone_from(context.waker());
        } else {
            let timer = world.start_timer(self.deadline.as_nanos(), context.waker().clone());
            drop(world);
            self.timer = Some(timer);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.shared.with_world_now_or_later(move |world| world.stop_timer(timer));
        }
    }
}
