//! A thread of its own for each kernel: the kernel forbids it to make sockets, for ever.

use std::thread;

/// Stack of a kernel's thread: tasks are futures on the heap, so little is needed.
const STACK_OCTETS: usize = 8 << 20;

/// Runs `work` on a thread of its own and waits for it. A panic there goes on here.
pub(crate) fn on_kernel_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("kernel".to_owned())
            .stack_size(STACK_OCTETS)
            .spawn_scoped(scope, work);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(output)) => output,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // The system is out of threads or memory; nothing has been recorded yet.
            Err(error) => panic!("no thread for the kernel: {error}"),
        }
    })
}
