//! A TAP device: an interface of this machine whose other end is the lab.

#![expect(unsafe_code, reason = "TUNSETIFF has no safe interface; its block says why it holds")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use crate::interface;

// linux/if_tun.h
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;

/// `struct ifreq` with flags.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: u16,
    rest: [u8; 22],
}

/// Makes the device and sets it up. It goes away when the file is closed. No offloading is offered, so frames come
/// whole, with checksums.
pub(crate) fn open(name: &str) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    let mut request = Request { name: [0; libc::IFNAMSIZ], flags: IFF_TAP | IFF_NO_PI, rest: [0; 22] };
    for (into, octet) in request.name.iter_mut().zip(name.bytes()).take(libc::IFNAMSIZ - 1) {
        *into = octet;
    }
    // SAFETY: the request reads a name and flags, and writes the name; it is a whole ifreq.
    if unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF as _, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    interface::set_up(name)?;
    Ok(file)
}
