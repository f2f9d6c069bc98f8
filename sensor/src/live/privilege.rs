//! Giving up root, and hearing signals.

#![expect(
    unsafe_code,
    reason = "users, capabilities and signals have no safe interface; each block says why it holds"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::Ordering;

use super::{LiveError, STOP};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    uid: u32,
    gid: u32,
}

/// Becomes `user` where the process is root, and gives up every capability in any case; returns who it became. The
/// directory of the logs is made before and becomes the user's if it was not there, and so do those that were `made`.
pub(super) fn give_up(
    user: &str,
    log_dir: Option<&Path>,
    made: &[PathBuf],
) -> Result<Option<String>, LiveError> {
    let mut made: Vec<&Path> = made.iter().map(PathBuf::as_path).collect();
    if let Some(directory) = log_dir.filter(|directory| !directory.is_dir()) {
        fs::create_dir_all(directory).map_err(LiveError::Logs)?;
        made.push(directory);
    }
    // SAFETY: takes nothing, cannot fail.
    let became = if unsafe { libc::geteuid() } == 0 {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let account = account(&passwd, user).ok_or_else(|| LiveError::NoUser { user: user.to_owned() })?;
        for directory in made {
            std::os::unix::fs::chown(directory, Some(account.uid), Some(account.gid))
                .map_err(LiveError::Logs)?;
        }
        become_user(account)?;
        Some(user.to_owned())
    } else {
        None
    };
    drop_capabilities()?;
    let Some(log_dir) = log_dir else { return Ok(became) };
    let probe = log_dir.join(".fieldrange-probe");
    match fs::File::create(&probe) {
        Ok(_) => drop(fs::remove_file(&probe)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let user = became.clone().unwrap_or_else(|| "this user".to_owned());
            let directory = log_dir.to_owned();
            return Err(match closed(log_dir) {
                Some(above) => LiveError::AboveLogDir { above, directory, user },
                None => LiveError::LogDir { directory, user },
            });
        }
        Err(error) => return Err(LiveError::Logs(error)),
    }
    Ok(became)
}

/// The first directory on the way to another that this process may not pass, the other itself left out.
fn closed(directory: &Path) -> Option<PathBuf> {
    let directory = std::path::absolute(directory).ok()?;
    let mut above: Vec<&Path> = directory.ancestors().skip(1).collect();
    above.reverse();
    // What lies in a directory that may not be passed is not even seen.
    let below = above.iter().skip(1).copied().chain([directory.as_path()]);
    let first = above.iter().copied().zip(below).find(|(_, below)| {
        fs::symlink_metadata(below).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    });
    first.map(|(above, _)| above.to_owned())
}

/// A line of passwd(5): `name:password:uid:gid:...`. Read here rather than by the C library, whose way may lead over
/// the network.
fn account(passwd: &str, user: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == user).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        Some(Account { uid, gid: fields.next()?.parse().ok()? })
    })
}

fn become_user(account: Account) -> Result<(), LiveError> {
    let step = |doing: &'static str, result: libc::c_int| {
        if result == 0 {
            return Ok(());
        }
        Err(LiveError::Privilege { doing, source: io::Error::last_os_error() })
    };
    // Groups first: the right to change them goes with root.
    // SAFETY: these take numbers, and an empty list with its length 0.
    unsafe {
        step("drop groups", libc::setgroups(0, ptr::null()))?;
        step("change the group", libc::setresgid(account.gid, account.gid, account.gid))?;
        step("change the user", libc::setresuid(account.uid, account.uid, account.uid))?;
    }
    // SAFETY: takes a number. It must fail now.
    if account.uid != 0 && unsafe { libc::setuid(0) } == 0 {
        let source = io::Error::other("root could be had again");
        return Err(LiveError::Privilege { doing: "check", source });
    }
    Ok(())
}

/// Gives up what file capabilities gave. Root's went with root.
fn drop_capabilities() -> Result<(), LiveError> {
    // struct __user_cap_header_struct: version 3, this thread; then effective, permitted and inheritable, twice.
    let header: [u32; 2] = [0x2008_0522, 0];
    let none = [0_u32; 6];
    // SAFETY: capset reads the header and the six words that version 3 has, and keeps neither.
    let done = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    if done == 0 {
        return Ok(());
    }
    Err(LiveError::Privilege { doing: "drop capabilities", source: io::Error::last_os_error() })
}

extern "C" fn on_signal(_: libc::c_int) {
    // All that a signal handler may do.
    STOP.store(true, Ordering::Relaxed);
}

/// Hears SIGINT and SIGTERM once; the second one has its usual effect. Reads that wait are interrupted.
pub(super) fn catch_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: a zeroed sigaction with a handler that only stores to an atomic; no old action is asked for.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as libc::sighandler_t;
            action.sa_flags = libc::SA_RESETHAND;
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\nbroken:x\n";
        assert_eq!(account(passwd, "nobody"), Some(Account { uid: 65534, gid: 65533 }));
        assert_eq!(account(passwd, "root"), Some(Account { uid: 0, gid: 0 }));
        assert_eq!(account(passwd, "broken"), None);
        assert_eq!(account(passwd, "no"), None);
    }

    #[test]
    fn nothing_is_closed_on_the_way_to_where_one_is() {
        assert_eq!(closed(&std::env::temp_dir().join("not-there")), None);
    }
}
