//! A test bench in virtual time: a clock moved by hand, streams in memory, an executor that waits for nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use record::{Clock, VirtualTime};

#[derive(Clone, Default)]
pub(crate) struct ManualClock(Rc<RefCell<Sleepers>>);

#[derive(Default)]
struct Sleepers {
    now: VirtualTime,
    tickets: u64,
    waiting: BTreeMap<(VirtualTime, u64), Waker>,
}

pub(crate) struct Sleep {
    clock: ManualClock,
    deadline: VirtualTime,
    ticket: u64,
}

impl Future for Sleep {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut sleepers = self.clock.0.borrow_mut();
        if sleepers.now >= self.deadline {
            return Poll::Ready(());
        }
        sleepers.waiting.insert((self.deadline, self.ticket), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.0.borrow_mut().waiting.remove(&(self.deadline, self.ticket));
    }
}

impl Clock for ManualClock {
    type Sleep = Sleep;

    fn now(&self) -> VirtualTime {
        self.0.borrow().now
    }

    fn sleep_until(&self, deadline: VirtualTime) -> Sleep {
        let mut sleepers = self.0.borrow_mut();
        sleepers.tickets += 1;
        Sleep { clock: self.clone(), deadline, ticket: sleepers.tickets }
    }
}

impl ManualClock {
    /// Moves to the next deadline; false where nobody sleeps.
    fn advance(&self) -> bool {
        let first = self.0.borrow_mut().waiting.pop_first();
        let Some(((deadline, _), waker)) = first else { return false };
        self.0.borrow_mut().now = deadline;
        waker.wake();
        true
    }
}

/// Runs `main` to its end; `others` for as long as that takes.
pub(crate) fn run<T: 'static>(
    clock: &ManualClock,
    others: Vec<Pin<Box<dyn Future<Output = ()>>>>,
    main: impl Future<Output = T> + 'static,
) -> T {
    let mut pool = LocalPool::new();
    for other in others {
        pool.spawner().spawn_local(other).unwrap();
    }
    let result = Rc::new(RefCell::new(None));
    let place = Rc::clone(&result);
    pool.spawner().spawn_local(async move { *place.borrow_mut() = Some(main.await) }).unwrap();
    loop {
        pool.run_until_stalled();
        if let Some(result) = result.borrow_mut().take() {
            return result;
        }
        assert!(clock.advance(), "everything waits and nobody sleeps");
    }
}
