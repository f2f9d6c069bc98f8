//! Confinement: what is left to a sensor that a hostile frame has taken over.
//!
//! Two filters, each kept by the kernel to the end of the process and inherited by its threads:
//! - *landlock* lets files be made, written and removed below the directories of the logs alone, and nothing be read
//!   elsewhere or run at all;
//! - *seccomp* lets only those system calls through that reading a ring and writing files take: no other program, no
//!   other user, no tracing, no mounting, and no new socket unless logs go to collectors. What is not on the list is
//!   answered with EPERM, so that a call that was forgotten here shows as an error and not as a sudden end.
//!
//! A kernel that has one of them not is no reason to stop: what holds is said at the start.

use std::fmt;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, path_beneath_rules,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use super::LiveError;

/// What holds the process.
#[derive(Debug, PartialEq, Eq)]
pub struct Confined {
    /// Landlock: whether the kernel enforces all of it, a part, or nothing.
    files: RulesetStatus,
    /// How many system calls seccomp leaves.
    calls: Option<usize>,
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.files {
            RulesetStatus::FullyEnforced => "landlock: files below the logs alone",
            RulesetStatus::PartiallyEnforced => {
                "landlock (what this kernel has of it): files below the logs alone"
            }
            RulesetStatus::NotEnforced => "no landlock in this kernel",
        })?;
        match self.calls {
            Some(calls) => write!(f, "; seccomp: {calls} system calls left"),
            None => f.write_str("; no seccomp in this kernel"),
        }
    }
}

/// Confines the process for good: files below `writes` alone; sockets only with `network`.
pub fn confine(writes: &[PathBuf], network: bool) -> Result<Confined, LiveError> {
    let files = restrict_files(writes).map_err(|error| LiveError::Confine { reason: error.to_string() })?;
    let calls = restrict_calls(network)?;
    Ok(Confined { files, calls })
}

fn restrict_files(writes: &[PathBuf]) -> Result<RulesetStatus, landlock::RulesetError> {
    // The newest rights that are known here; an older kernel enforces those that it knows.
    let abi = ABI::V5;
    let all = AccessFs::from_all(abi);
    let status = Ruleset::default()
        .handle_access(all)?
        .create()?
        .add_rules(path_beneath_rules(writes, all & !AccessFs::Execute))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// System calls that the sensor, the allocator and the standard library make.
fn calls(network: bool) -> Vec<i64> {
    let mut calls = vec![
        // Files and directories.
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_pwrite64,
        libc::SYS_openat,
        libc::SYS_close,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_fsync,
        libc::SYS_fdatasync,
        libc::SYS_ftruncate,
        libc::SYS_fallocate,
        libc::SYS_fcntl,
        libc::SYS_ioctl,
        libc::SYS_mkdirat,
        libc::SYS_unlinkat,
        libc::SYS_renameat,
        libc::SYS_renameat2,
        libc::SYS_getdents64,
        libc::SYS_getcwd,
        libc::SYS_faccessat,
        libc::SYS_readlinkat,
        libc::SYS_flock,
        // The ring: what was opened is asked, not opened anew.
        libc::SYS_ppoll,
        libc::SYS_getsockopt,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        // Memory.
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        // Time, signals, threads, the end.
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_getrandom,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_prctl,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_tgkill,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    #[cfg(target_arch = "x86_64")]
    calls.extend([
        libc::SYS_open,
        libc::SYS_stat,
        libc::SYS_lstat,
        libc::SYS_poll,
        libc::SYS_mkdir,
        libc::SYS_unlink,
        libc::SYS_rename,
        libc::SYS_access,
    ]);
    if network {
        calls.extend([
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_sendto,
            libc::SYS_sendmsg,
            libc::SYS_sendmmsg,
            libc::SYS_setsockopt,
            libc::SYS_getsockname,
            libc::SYS_getpeername,
            libc::SYS_shutdown,
            libc::SYS_bind,
            libc::SYS_uname,
        ]);
    }
    calls
}

fn restrict_calls(network: bool) -> Result<Option<usize>, LiveError> {
    let Ok(target) = std::env::consts::ARCH.try_into() else { return Ok(None) };
    let refused = |error: &dyn fmt::Display| LiveError::Confine { reason: error.to_string() };
    let calls = calls(network);
    let count = calls.len();
    // An empty list of conditions lets the call through whatever its arguments.
    let rules = calls.into_iter().map(|call| (call, Vec::new())).collect();
    let (else_refuse, let_through) = (SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow);
    let filter =
        SeccompFilter::new(rules, else_refuse, let_through, target).map_err(|error| refused(&error))?;
    let program: BpfProgram =
        filter.try_into().map_err(|error: seccompiler::BackendError| refused(&error))?;
    match apply_filter(&program) {
        Ok(()) => Ok(Some(count)),
        // A kernel without it; seccomp(2) says ENOSYS or EINVAL.
        Err(seccompiler::Error::Seccomp(error))
            if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) =>
        {
            Ok(None)
        }
        Err(error) => Err(refused(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confined_thread_writes_its_logs_and_nothing_else() {
        let logs = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (inside, outside) = (logs.path().join("conn.log"), elsewhere.path().join("x"));
        let writes = [logs.path().to_owned()];
        // Confinement is a thread's own and never taken off: this one ends with it.
        std::thread::spawn(move || {
            let confined = confine(&writes, false).unwrap();
            std::fs::write(&inside, "row").unwrap();
            std::fs::write(&inside, "another").unwrap();
            assert_eq!(std::fs::read_to_string(&inside).unwrap(), "another");
            if confined.files == RulesetStatus::NotEnforced {
                println!("skipped: no landlock in this kernel");
            } else {
                assert!(std::fs::write(&outside, "x").is_err());
                assert!(std::fs::read("/etc/passwd").is_err());
            }
            if confined.calls.is_none() {
                println!("skipped: no seccomp in this kernel");
            } else {
                assert!(std::net::UdpSocket::bind("127.0.0.1:0").is_err());
                assert!(std::process::Command::new("/bin/true").status().is_err());
            }
        })
        .join()
        .unwrap();
    }
}
