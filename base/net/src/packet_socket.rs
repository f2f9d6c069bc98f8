//! An interface that is there already: every frame of it, and frames of our own (`AF_PACKET`).

#![expect(
    unsafe_code,
    reason = "packet sockets and poll have no safe interface; each block says why it holds"
)]

use std::fs::File;
use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

// linux/if_packet.h
const PACKET_ADD_MEMBERSHIP: libc::c_int = 1;
const PACKET_STATISTICS: libc::c_int = 6;
const PACKET_VNET_HDR: libc::c_int = 15;
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
const PACKET_MR_PROMISC: u16 = 1;
/// Octets that wait for us in the kernel; it doubles and bounds them as it sees fit.
const BUFFER: libc::c_int = 2 << 20;

/// Opens a socket that reads and writes whole frames of the interface with this number, each behind the header of
/// [`crate::offload`]. What the machine itself sends there is not read.
pub(crate) fn open(index: i32) -> io::Result<File> {
    // SAFETY: takes numbers, returns a descriptor or -1. Protocol 0: nothing comes before it is bound.
    let raw = unsafe {
        libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)
    };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and is nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    set(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, &1)?;
    set(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1)?;
    set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &BUFFER)?;
    // SAFETY: all zeros is a value of this plain structure.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index;
    let length = size_of_val(&address) as u32;
    // SAFETY: the pointer is to a whole sockaddr_ll, and the length is its own.
    if unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // struct packet_mreq: interface, type, length and octets of an address.
    let mut membership = [0; 16];
    membership[..4].copy_from_slice(&index.to_ne_bytes());
    membership[4..6].copy_from_slice(&PACKET_MR_PROMISC.to_ne_bytes());
    set(&socket, libc::SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership)?;
    Ok(File::from(socket))
}

/// Frames that the kernel dropped since the last call because we were too slow.
pub(crate) fn drops(socket: &File) -> u64 {
    // struct tpacket_stats: packets, drops. Reading sets them to zero.
    let mut words = [0_u32; 2];
    let mut length = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the kernel writes at most the length that it is given, which is the words' own.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_STATISTICS,
            words.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if done == 0 { u64::from(words[1]) } else { 0 }
}

/// Waits until something can be read, at most so long. What is wrong with the file shows when it is read.
pub(crate) fn wait(file: &File, milliseconds: i32) {
    let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, and the count says one. An error means that the reader looks once more.
    unsafe { libc::poll(&raw mut poll, 1, milliseconds) };
}

fn set<T>(socket: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of_val(value) as libc::socklen_t;
    // SAFETY: the pointer is to a whole value, the length is its own, and the kernel only reads it.
    let done =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(value).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
