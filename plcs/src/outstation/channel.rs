//! One connection of an outstation: octets that wait to be sent, and whether the other end is still there.

use std::task::Waker;
use std::time::Duration;

use record::VirtualTime;
use wire::dnp3::{Framer, LinkAddress, LinkControl, LinkFunction, LinkHeader};

/// A connection, among those of one outstation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub(crate) u64);

/// Octets that may wait for a master that does not read. Beyond that the connection is closed.
const OUTBOX_MAX: usize = 256 * 1024;
/// Time that a frame may take from its first octet to its last, and a link status from its request.
pub(crate) const LINK_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(crate) struct Channel {
    pub(crate) framer: Framer,
    pub(crate) outbox: Vec<u8>,
    pub(crate) closing: bool,
    /// Woken when there is something to send.
    pub(crate) waker: Option<Waker>,
    heard: VirtualTime,
    /// When octets came last, while a frame is not whole.
    partial_since: Option<VirtualTime>,
    /// When a link status was asked for that has not come.
    asked: Option<VirtualTime>,
    /// The master that was heard last.
    pub(crate) master: Option<u16>,
}

impl Channel {
    pub(crate) fn new(now: VirtualTime) -> Self {
        Self { heard: now, ..Self::default() }
    }

    /// A frame came.
    pub(crate) fn hear(&mut self, now: VirtualTime) {
        (self.heard, self.asked) = (now, None);
    }

    /// Octets came, and all frames among them are taken.
    pub(crate) fn received(&mut self, now: VirtualTime) {
        self.partial_since = self.framer.is_waiting().then_some(now);
    }

    pub(crate) fn send(&mut self, header: LinkHeader, user_data: &[u8]) {
        if self.outbox.len() > OUTBOX_MAX {
            self.closing = true;
            return;
        }
        header.emit(user_data, &mut self.outbox);
        self.wake();
    }

    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn close(&mut self) {
        self.closing = true;
        self.wake();
    }

    pub(crate) fn deadline(&self, keep_alive: Duration) -> Option<VirtualTime> {
        let partial = self.partial_since.map(|since| since + LINK_TIMEOUT);
        let alive = match (self.asked, self.master) {
            (Some(asked), _) => Some(asked + LINK_TIMEOUT),
            (None, Some(_)) if !keep_alive.is_zero() => Some(self.heard + keep_alive),
            _ => None,
        };
        partial.into_iter().chain(alive).min()
    }

    /// Asks a silent master whether it is there; closes when it does not say so. True where octets that never became a
    /// frame are to be given up.
    pub(crate) fn tick(&mut self, now: VirtualTime, keep_alive: Duration, own: u16) -> bool {
        match (self.asked, self.master) {
            (Some(asked), _) if now >= asked + LINK_TIMEOUT => self.close(),
            (None, Some(master)) if !keep_alive.is_zero() && now >= self.heard + keep_alive => {
                let control = LinkControl::new(false, LinkFunction::RequestLinkStatus, false, false);
                let header =
                    LinkHeader { control, destination: LinkAddress(master), source: LinkAddress(own) };
                self.send(header, &[]);
                self.asked = Some(now);
            }
            _ => {}
        }
        let late = self.partial_since.is_some_and(|since| now >= since + LINK_TIMEOUT);
        if late {
            self.partial_since = None;
        }
        late
    }
}
