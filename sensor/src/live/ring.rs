//! Frames of a network interface, from a ring that the kernel fills: `AF_PACKET` with `TPACKET_V3`.
//!
//! # Theory of operation
//! The ring is memory shared with the kernel, cut into blocks. The kernel fills a block with frames and hands it over
//! when it is full, or when [`HANDOVER_MS`] have passed; the sensor reads it and hands it back. While the sensor has no
//! block to spare the kernel drops frames, and counts them. The layout is that of `linux/if_packet.h`:
//!
//! ```text
//! block: 8 status   12 frames   16 offset of the first frame
//! frame: 0 offset of the next   4 seconds   8 nanoseconds   12 captured   16 on the wire   20 status
//!        24 offset of the link header (16 bits)   32 VLAN tag   36 VLAN type (16 bits)   58 packet type
//! ```
//!
//! Network cards take VLAN tags out of the frames; they are put in again here, where tools expect them. What cards have
//! yet to compute of checksums shows in the frame itself (see `checksum`).
//!
//! # What can go wrong
//! Every offset is checked against the block, though it is the kernel that wrote it. A frame longer than the snap length
//! is cut by a filter in the kernel, so that the ring holds more frames.

#![expect(
    unsafe_code,
    reason = "sockets, mapped memory and the filter have no safe interface; each block says why it holds"
)]

use std::ffi::CString;
use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::LiveError;
use crate::capture::LinkType;

/// A block is handed over after this long, full or not: how late a finding can be.
const HANDOVER_MS: u32 = 50;
const BLOCK_LEN: usize = 512 << 10;
/// The kernel wants it; blocks are filled without regard to it.
const FRAME_LEN: u32 = 2048;
/// Where the kernel's header of a frame ends and the address of the link layer begins.
const PACKET_TYPE_AT: usize = 58;

// linux/if_packet.h
const PACKET_ADD_MEMBERSHIP: libc::c_int = 1;
const PACKET_RX_RING: libc::c_int = 5;
const PACKET_STATISTICS: libc::c_int = 6;
const PACKET_VERSION: libc::c_int = 10;
const TPACKET_V3: libc::c_int = 2;
const PACKET_MR_PROMISC: u16 = 1;
const PACKET_OUTGOING: u8 = 4;
const STATUS_USER: u32 = 1;
const STATUS_VLAN_VALID: u32 = 0x10;
const STATUS_VLAN_TPID_VALID: u32 = 0x40;
// linux/if_arp.h
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_PPP: u16 = 512;
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_NONE: u16 = 0xfffe;

/// What is asked of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RingOptions {
    /// Octets kept of each frame.
    pub(crate) snap_len: u32,
    /// Mebioctets of the ring.
    pub(crate) ring_mib: u32,
    /// Take frames that are not for this host, too.
    pub(crate) promiscuous: bool,
}

/// One frame in the ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingFrame<'a> {
    pub(crate) unix_nanos: u64,
    pub(crate) octets: &'a [u8],
    pub(crate) wire_len: u32,
}

/// What waiting for frames came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Frames,
    Nothing,
    /// The interface went down; it may come up again.
    Down,
}

/// An interface that is listened to.
#[derive(Debug)]
pub(crate) struct Ring {
    socket: OwnedFd,
    memory: *mut u8,
    blocks: usize,
    next: usize,
    link: LinkType,
    /// On the loopback interface every frame is seen leaving and coming: once is enough.
    skip_outgoing: bool,
    /// For frames that get their VLAN tag back.
    tagged: Vec<u8>,
}

/// A number of `struct ifreq`, in which the kernel answers about an interface.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    /// `sa_family` of the hardware address is the link's kind.
    family: u16,
    rest: [u8; 22],
}

impl Ring {
    /// Listens to an interface.
    pub(crate) fn open(interface: &str, options: &RingOptions) -> Result<Self, LiveError> {
        let trouble = |doing: &'static str| {
            let interface = interface.to_owned();
            move |source| LiveError::Interface { interface, doing, source }
        };
        // Protocol 0: nothing comes before the ring stands and the socket is bound.
        // SAFETY: takes numbers, returns a descriptor or -1.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if raw < 0 {
            let error = io::Error::last_os_error();
            return Err(match error.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => {
                    LiveError::NotPermitted { interface: interface.to_owned() }
                }
                _ => trouble("open a packet socket")(error),
            });
        }
        // SAFETY: the descriptor was just made and is nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        let index = index_of(interface)?;
        let (link, skip_outgoing) = link_of(&socket, interface)?;

        set(&socket, libc::SOL_PACKET, PACKET_VERSION, &TPACKET_V3).map_err(trouble("ask for TPACKET_V3"))?;
        let blocks = ((options.ring_mib as usize) << 20).div_ceil(BLOCK_LEN).max(4);
        let frames = (blocks * BLOCK_LEN) as u32 / FRAME_LEN;
        // struct tpacket_req3: block size and number, frame size and number, time to hand over, private, features.
        let request: [u32; 7] = [BLOCK_LEN as u32, blocks as u32, FRAME_LEN, frames, HANDOVER_MS, 0, 0];
        set(&socket, libc::SOL_PACKET, PACKET_RX_RING, &request).map_err(trouble("make the ring"))?;
        // SAFETY: a new mapping of the ring that was just made, of its very length; it is checked before it is used.
        let memory = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(
                ptr::null_mut(),
                blocks * BLOCK_LEN,
                protection,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if ptr::eq(memory, libc::MAP_FAILED) {
            return Err(trouble("map the ring")(io::Error::last_os_error()));
        }
        let memory = memory.cast();
        let ring = Self { socket, memory, blocks, next: 0, link, skip_outgoing, tagged: Vec::new() };

        snap(&ring.socket, options.snap_len).map_err(trouble("set the snap length"))?;
        // SAFETY: all zeros is a value of this plain structure.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index;
        let len = size_of_val(&address) as u32;
        // SAFETY: the pointer is to a whole sockaddr_ll, and the length is its own.
        let bound = unsafe { libc::bind(ring.socket.as_raw_fd(), (&raw const address).cast(), len) };
        if bound != 0 {
            return Err(trouble("listen")(io::Error::last_os_error()));
        }
        if options.promiscuous {
            // struct packet_mreq: interface, type, length and octets of an address.
            let mut request = [0; 16];
            request[..4].copy_from_slice(&index.to_ne_bytes());
            request[4..6].copy_from_slice(&PACKET_MR_PROMISC.to_ne_bytes());
            set(&ring.socket, libc::SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request)
                .map_err(trouble("make it promiscuous"))?;
        }
        Ok(ring)
    }

    /// Blocks of the ring.
    pub(crate) fn block_count(&self) -> usize {
        self.blocks
    }

    /// How frames of this interface begin.
    pub(crate) fn link(&self) -> LinkType {
        self.link
    }

    /// Waits for frames, at most so long.
    pub(crate) fn wait(&self, milliseconds: i32) -> io::Result<Wait> {
        if self.status().load(Ordering::Acquire) & STATUS_USER != 0 {
            return Ok(Wait::Frames);
        }
        let mut poll =
            libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN | libc::POLLERR, revents: 0 };
        // SAFETY: one pollfd, and the count says one.
        let ready = unsafe { libc::poll(&raw mut poll, 1, milliseconds) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(Wait::Nothing) } else { Err(error) };
        }
        if poll.revents & libc::POLLERR != 0 {
            let [code] = get(&self.socket, libc::SOL_SOCKET, libc::SO_ERROR)?;
            return match code.cast_signed() {
                0 => Ok(Wait::Nothing),
                libc::ENETDOWN => Ok(Wait::Down),
                code => Err(io::Error::from_raw_os_error(code)),
            };
        }
        Ok(if ready > 0 { Wait::Frames } else { Wait::Nothing })
    }

    /// Gives out the frames of the next block that the kernel has handed over; false where there is none.
    pub(crate) fn take_block(&mut self, take: &mut dyn FnMut(RingFrame<'_>)) -> bool {
        if self.status().load(Ordering::Acquire) & STATUS_USER == 0 {
            return false;
        }
        // SAFETY: the block lies in the mapping, and is the sensor's until its status goes back below; nothing writes
        // to it meanwhile, and the slice is gone by then.
        let block = unsafe { std::slice::from_raw_parts(self.memory.add(self.next * BLOCK_LEN), BLOCK_LEN) };
        let mut at = word(block, 16) as usize;
        for _ in 0..word(block, 12) {
            let Some(header) = block.get(at..at + 64) else { break };
            let start = at + usize::from(half(header, 24));
            let Some(octets) = block.get(start..start + word(header, 12) as usize) else { break };
            let unix_nanos = u64::from(word(header, 4)) * 1_000_000_000 + u64::from(word(header, 8));
            let mut frame = RingFrame { unix_nanos, octets, wire_len: word(header, 16) };
            if !(self.skip_outgoing && header[PACKET_TYPE_AT] == PACKET_OUTGOING) {
                if word(header, 20) & STATUS_VLAN_VALID != 0 {
                    retag(&mut self.tagged, header, octets);
                    frame.octets = &self.tagged;
                    frame.wire_len += 4;
                }
                take(frame);
            }
            match word(header, 0) as usize {
                0 => break,
                next => at += next,
            }
        }
        self.status().store(0, Ordering::Release);
        self.next = (self.next + 1) % self.blocks;
        true
    }

    /// Frames that the kernel dropped since the last call, for want of a free block.
    pub(crate) fn drops(&self) -> io::Result<u64> {
        // struct tpacket_stats_v3: packets, drops, times that the ring stood still. Reading sets them to zero.
        let [_, drops, _] = get(&self.socket, libc::SOL_PACKET, PACKET_STATISTICS)?;
        Ok(u64::from(drops))
    }

    fn status(&self) -> &AtomicU32 {
        // SAFETY: octet 8 of a block in the mapping, aligned as the kernel aligns it; only ever used atomically.
        unsafe { AtomicU32::from_ptr(self.memory.add(self.next * BLOCK_LEN + 8).cast()) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping that `open` made, of its length; nothing refers to it any more.
        unsafe { libc::munmap(self.memory.cast(), self.blocks * BLOCK_LEN) };
    }
}

/// The frame with its VLAN tag where the card took it out.
fn retag(into: &mut Vec<u8>, header: &[u8], octets: &[u8]) {
    let kind = if word(header, 20) & STATUS_VLAN_TPID_VALID == 0 { 0x8100 } else { half(header, 36) };
    let (addresses, rest) = octets.split_at(octets.len().min(12));
    into.clear();
    into.extend_from_slice(addresses);
    into.extend_from_slice(&kind.to_be_bytes());
    into.extend_from_slice(&(word(header, 32) as u16).to_be_bytes());
    into.extend_from_slice(rest);
}

fn word(octets: &[u8], at: usize) -> u32 {
    octets.get(at..at + 4).and_then(|word| word.first_chunk()).map_or(0, |word| u32::from_ne_bytes(*word))
}

fn half(octets: &[u8], at: usize) -> u16 {
    octets.get(at..at + 2).and_then(|half| half.first_chunk()).map_or(0, |half| u16::from_ne_bytes(*half))
}

fn index_of(interface: &str) -> Result<libc::c_int, LiveError> {
    let unknown = || LiveError::NoInterface { interface: interface.to_owned(), there: interfaces() };
    let name = CString::new(interface).map_err(|_| unknown())?;
    // SAFETY: a string with its zero, read and not kept.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(unknown()),
        index => Ok(index as libc::c_int),
    }
}

/// Names of the interfaces that there are.
fn interfaces() -> String {
    // SAFETY: the list is walked to its zero index and freed once, by the function that is for it.
    let mut names: Vec<String> = unsafe {
        let list = libc::if_nameindex();
        let mut names = Vec::new();
        let mut at = list;
        while !at.is_null() && (*at).if_index != 0 {
            names.push(std::ffi::CStr::from_ptr((*at).if_name).to_string_lossy().into_owned());
            at = at.add(1);
        }
        if !list.is_null() {
            libc::if_freenameindex(list);
        }
        names
    };
    names.sort();
    names.join(", ")
}

/// How frames of an interface begin, and whether those that leave are to be left out.
fn link_of(socket: &OwnedFd, interface: &str) -> Result<(LinkType, bool), LiveError> {
    let mut request = Request { name: [0; libc::IFNAMSIZ], family: 0, rest: [0; 22] };
    for (into, octet) in request.name.iter_mut().zip(interface.bytes()).take(libc::IFNAMSIZ - 1) {
        *into = octet;
    }
    // SAFETY: SIOCGIFHWADDR reads the name and writes a sockaddr behind it, for which there is room.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR as _, &raw mut request) };
    if done != 0 {
        let source = io::Error::last_os_error();
        return Err(LiveError::Interface {
            interface: interface.to_owned(),
            doing: "ask for its kind",
            source,
        });
    }
    match request.family {
        ARPHRD_ETHER => Ok((LinkType::Ethernet, false)),
        ARPHRD_LOOPBACK => Ok((LinkType::Ethernet, true)),
        ARPHRD_NONE | ARPHRD_PPP => Ok((LinkType::RawIp, false)),
        kind => Err(LiveError::Kind { interface: interface.to_owned(), kind }),
    }
}

/// Has the kernel keep at most so many octets of each frame.
fn snap(socket: &OwnedFd, snap_len: u32) -> io::Result<()> {
    // One instruction: return the number of octets to keep.
    let mut program =
        [libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: snap_len.max(1) }];
    let filter = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
}

fn set<T>(socket: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let len = size_of_val(value) as libc::socklen_t;
    // SAFETY: the pointer is to a whole value, the length is its own, and the kernel only reads it.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(value).cast(), len) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A socket option that is so many words.
fn get<const N: usize>(socket: &OwnedFd, level: libc::c_int, name: libc::c_int) -> io::Result<[u32; N]> {
    let mut words = [0; N];
    let mut len = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the kernel writes at most the length that it is given, which is the words' own; any octets are words.
    let done =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, words.as_mut_ptr().cast(), &raw mut len) };
    if done == 0 { Ok(words) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vlan_tag_is_put_in_again() {
        let mut header = [0; 64];
        header[20..24].copy_from_slice(&(STATUS_VLAN_VALID | STATUS_VLAN_TPID_VALID).to_ne_bytes());
        header[32..36].copy_from_slice(&7_u32.to_ne_bytes());
        header[36..38].copy_from_slice(&0x88a8_u16.to_ne_bytes());
        let mut tagged = Vec::new();
        retag(&mut tagged, &header, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0, 9]);
        assert_eq!(tagged, [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x88, 0xa8, 0, 7, 8, 0, 9]);
        header[20] = STATUS_VLAN_VALID as u8;
        retag(&mut tagged, &header, &[3; 5]);
        assert_eq!(tagged, [3, 3, 3, 3, 3, 0x81, 0, 0, 7]);
    }

    #[test]
    fn an_interface_that_is_not_there_is_refused_with_those_that_are() {
        let error = index_of("no-such-interface").unwrap_err().to_string();
        assert!(error.contains("no-such-interface") && error.contains("there are"), "{error}");
    }
}
