//! Runs tasks until all of them wait.
//!
//! A task is a named `async` block. Tasks run in the order in which they were woken, on the kernel's thread; a
//! task that panics ends the lab by name instead of the process.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::KernelError;

/// Polls of tasks at one moment of virtual time after which the run counts as stuck.
const POLLS_AT_ONE_MOMENT: u64 = 10_000_000;

#[derive(Debug, Default)]
struct ReadyQueue {
    tasks: Mutex<VecDeque<Arc<TaskWaker>>>,
}

#[derive(Debug)]
struct TaskWaker {
    index: usize,
    serial: u64,
    is_queued: AtomicBool,
    ready: Arc<ReadyQueue>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            self.ready.tasks.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.clone());
        }
    }
}

#[derive(Debug, Default)]
struct Flags {
    is_aborted: Cell<bool>,
    is_finished: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Ends a task, or tells whether it has ended. Dropping the handle leaves the task alone.
#[derive(Clone, Debug)]
pub struct TaskHandle {
    flags: Rc<Flags>,
}

impl TaskHandle {
    /// Drops the task before it runs again; its streams close as they do when a program is killed.
    pub fn abort(&self) {
        self.flags.is_aborted.set(true);
        if let Some(waker) = &*self.flags.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Whether it has ended, by itself or aborted.
    pub fn is_finished(&self) -> bool {
        self.flags.is_finished.get()
    }
}

struct NewTask {
    name: Rc<str>,
    future: Pin<Box<dyn Future<Output = ()>>>,
    flags: Rc<Flags>,
}

/// Starts tasks. Cheap to clone; stays on the kernel's thread.
#[derive(Clone, Default)]
pub struct Spawner {
    inbox: Rc<RefCell<Vec<NewTask>>>,
}

impl std::fmt::Debug for Spawner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

impl Spawner {
    /// Starts a task under a name, which an error will quote. It first runs when the present task waits.
    pub fn spawn(&self, name: &str, future: impl Future<Output = ()> + 'static) -> TaskHandle {
        let flags = Rc::new(Flags::default());
        self.inbox.borrow_mut().push(NewTask {
            name: name.into(),
            future: Box::pin(future),
            flags: flags.clone(),
        });
        TaskHandle { flags }
    }
}

struct Task {
    name: Rc<str>,
    serial: u64,
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    waker: Waker,
    flags: Rc<Flags>,
}

/// All tasks of one kernel.
#[derive(Default)]
pub(crate) struct Executor {
    tasks: Vec<Option<Task>>,
    free: Vec<usize>,
    ready: Arc<ReadyQueue>,
    spawner: Spawner,
    next_serial: u64,
    polls: u64,
}

impl Executor {
    /// A spawner for this executor.
    pub(crate) fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Number of tasks that have not ended.
    pub(crate) fn len(&self) -> usize {
        self.tasks.iter().flatten().count() + self.spawner.inbox.borrow().len()
    }

    /// Notes that time moved on: the count against being stuck starts again.
    pub(crate) fn moment_passed(&mut self) {
        self.polls = 0;
    }

    /// Runs tasks until none is ready. True if any ran.
    pub(crate) fn run_until_stalled(&mut self) -> Result<bool, KernelError> {
        let mut ran = false;
        loop {
            self.take_in();
            let next = self.ready.tasks.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(waker) = next else { return Ok(ran) };
            waker.is_queued.store(false, Ordering::Relaxed);
            ran = true;
            self.poll(&waker)?;
        }
    }

    /// Drops all tasks.
    pub(crate) fn clear(&mut self) {
        // One by one: a task that is dropped may look at the spawner.
        while let Some(task) = self.tasks.pop() {
            drop(task);
        }
        let waiting = std::mem::take(&mut *self.spawner.inbox.borrow_mut());
        drop(waiting);
    }

    fn take_in(&mut self) {
        let new = std::mem::take(&mut *self.spawner.inbox.borrow_mut());
        for NewTask { name, future, flags } in new {
            let index = self.free.pop().unwrap_or_else(|| {
                self.tasks.push(None);
                self.tasks.len() - 1
            });
            let serial = self.next_serial;
            self.next_serial += 1;
            let waker = Waker::from(Arc::new(TaskWaker {
                index,
                serial,
                is_queued: AtomicBool::new(false),
                ready: self.ready.clone(),
            }));
            *flags.waker.borrow_mut() = Some(waker.clone());
            waker.wake_by_ref();
            self.tasks[index] = Some(Task { name, serial, future: Some(future), waker, flags });
        }
    }

    fn poll(&mut self, ready: &TaskWaker) -> Result<(), KernelError> {
        let Some(task) = self.tasks[ready.index].as_mut().filter(|task| task.serial == ready.serial) else {
            return Ok(());
        };
        let Some(mut future) = task.future.take() else { return Ok(()) };
        self.polls += 1;
        if self.polls > POLLS_AT_ONE_MOMENT {
            return Err(KernelError::Stuck { task: task.name.to_string() });
        }
        let flags = task.flags.clone();
        let mut is_over = flags.is_aborted.get();
        if !is_over {
            let mut context = Context::from_waker(&task.waker);
            match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context))) {
                Ok(Poll::Pending) => is_over = flags.is_aborted.get(),
                Ok(Poll::Ready(())) => is_over = true,
                Err(payload) => {
                    return Err(KernelError::TaskPanicked {
                        task: task.name.to_string(),
                        message: panic_message(&*payload),
                    });
                }
            }
        }
        if is_over {
            flags.is_finished.set(true);
            flags.waker.borrow_mut().take();
            self.tasks[ready.index] = None;
            self.free.push(ready.index);
            drop(future);
        } else {
            task.future = Some(future);
        }
        Ok(())
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_run_in_the_order_in_which_they_were_spawned() {
        let mut executor = Executor::default();
        let order = Rc::new(RefCell::new(Vec::new()));
        for n in 0..5 {
            let order = order.clone();
            executor.spawner().spawn("test", async move { order.borrow_mut().push(n) });
        }
        assert!(executor.run_until_stalled().unwrap());
        assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
        assert_eq!(executor.len(), 0);
    }

    #[test]
    fn a_panic_names_its_task() {
        let mut executor = Executor::default();
        executor.spawner().spawn("hmi poller", async { panic!("unit {} is gone", 7) });
        match executor.run_until_stalled() {
            Err(KernelError::TaskPanicked { task, message }) => {
                assert_eq!((task.as_str(), message.as_str()), ("hmi poller", "unit 7 is gone"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_aborted_task_is_dropped() {
        let mut executor = Executor::default();
        let alive = Rc::new(());
        let inside = alive.clone();
        let handle = executor.spawner().spawn("test", async move {
            std::future::pending::<()>().await;
            drop(inside);
        });
        executor.run_until_stalled().unwrap();
        assert_eq!(Rc::strong_count(&alive), 2);
        handle.abort();
        executor.run_until_stalled().unwrap();
        assert_eq!(Rc::strong_count(&alive), 1);
        assert!(handle.is_finished());
    }

    #[test]
    fn a_task_that_never_lets_time_pass_is_named() {
        let mut executor = Executor::default();
        executor.spawner().spawn("spinner", async {
            loop {
                let mut yielded = false;
                std::future::poll_fn(|context| {
                    if yielded {
                        return Poll::Ready(());
                    }
                    yielded = true;
                    context.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            }
        });
        assert!(
            matches!(executor.run_until_stalled(), Err(KernelError::Stuck { task }) if task == "spinner")
        );
    }
}
