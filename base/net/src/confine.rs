//! Confinement: the kernel's thread may not make sockets.
//!
//! A seccomp filter (Linux) answers `socket(2)` and `socketpair(2)` with EACCES, and `io_uring_setup(2)` too,
//! because a ring can make sockets without `socket(2)`. What was open before stays usable, so a lab's console
//! and port forwards live on other threads. A filter cannot be taken off again; threads started by a confined
//! thread are confined as well.

use std::cell::Cell;

/// Why a thread could not be confined.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The filter did not compile: the machine's architecture is unknown to seccompiler.
    #[error("no seccomp filter for architecture {architecture}")]
    Architecture {
        /// What this was built for.
        architecture: &'static str,
    },
    /// The operating system refused the filter.
    #[error("the system refused the seccomp filter: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// There is no seccomp here.
    #[error("no seccomp on {system}: set KernelConfig::confine to false to run without")]
    Unsupported {
        /// The operating system.
        system: &'static str,
    },
}

thread_local! {
    static IS_CONFINED: Cell<bool> = const { Cell::new(false) };
}

/// Forbids the calling thread to make sockets, for ever. A second call does nothing.
pub fn confine_thread() -> Result<(), ConfineError> {
    if IS_CONFINED.get() {
        return Ok(());
    }
    install()?;
    IS_CONFINED.set(true);
    Ok(())
}

/// Marks the system call numbers of x86-64's x32 ABI, which would slip past a filter of plain numbers.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const X32: i64 = 0x4000_0000;

#[cfg(target_os = "linux")]
fn install() -> Result<(), ConfineError> {
    use std::collections::BTreeMap;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

    let architecture = std::env::consts::ARCH;
    let target = architecture.try_into().map_err(|_| ConfineError::Architecture { architecture })?;
    let forbidden = [libc::SYS_socket, libc::SYS_socketpair, libc::SYS_io_uring_setup];
    // An empty list of conditions forbids the call whatever its arguments.
    let mut rules: BTreeMap<i64, Vec<_>> = forbidden.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend(forbidden.iter().map(|call| (*call | X32, Vec::new())));
    let refused = |error: &dyn std::fmt::Display| ConfineError::Refused { reason: error.to_string() };
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EACCES as u32), target)
            .map_err(|error| refused(&error))?;
    let program: BpfProgram =
        filter.try_into().map_err(|error: seccompiler::BackendError| refused(&error))?;
    apply_filter(&program).map_err(|error| refused(&error))
}

#[cfg(not(target_os = "linux"))]
fn install() -> Result<(), ConfineError> {
    Err(ConfineError::Unsupported { system: std::env::consts::OS })
}
