//! A thread of its own for each kernel: the kernel forbids it to make sockets, for ever.

use std::thread;

use anyhow::Context;

/// Stack of a kernel's thread: tasks are futures on the heap, so little is needed.
const STACK_OCTETS: usize = 8 << 20;

/// Runs `work` on a thread of its own and waits for it. A panic there goes on here; that the system gives no thread is
/// an error, and nothing has been recorded then.
pub(crate) fn on_kernel_thread<T, E>(work: impl FnOnce() -> Result<T, E> + Send) -> anyhow::Result<T>
where
    T: Send,
    E: Into<anyhow::Error> + Send,
{
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("kernel".to_owned()).stack_size(STACK_OCTETS);
        let thread = thread.spawn_scoped(scope, work).context(
            "no thread for the kernel: end other programs or raise the limit of processes (ulimit -u)",
        )?;
        match thread.join() {
            Ok(output) => output.map_err(Into::into),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
