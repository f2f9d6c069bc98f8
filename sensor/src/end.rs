//! One end of a TCP connection: its state, its place in sequence space, and what it showed so far.

use crate::stream::Stream;

/// Where an end of a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum EndState {
    #[default]
    Inactive,
    SynSent,
    SynAckSent,
    Partial,
    Established,
    Closed,
    Reset,
}

impl EndState {
    pub(crate) fn is_inactive(self) -> bool {
        matches!(self, Self::Inactive | Self::Partial)
    }
}

/// One end.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) state: EndState,
    pub(crate) before: EndState,
    /// Sequence number of position 0.
    pub(crate) start: u32,
    /// Highest position sent, exclusive.
    pub(crate) last: i64,
    /// Highest position acknowledged by the peer.
    pub(crate) acknowledged: i64,
    pub(crate) fins: u32,
    pub(crate) fin_position: i64,
    pub(crate) did_close: bool,
    pub(crate) close_deferred: bool,
    pub(crate) last_syn: Option<i64>,
    pub(crate) last_fin: Option<i64>,
    pub(crate) last_rst: Option<i64>,
    /// Letters written at most once.
    pub(crate) seen: u8,
    pub(crate) retransmissions: Scaled,
    pub(crate) zero_windows: Scaled,
    pub(crate) gaps: Scaled,
    pub(crate) stream: Stream,
    pub(crate) missed: u64,
}

/// A counter that shows in the history at 1, 10, 100...
#[derive(Debug)]
pub(crate) struct Scaled {
    count: u32,
    shown_at: u32,
}

impl Default for Scaled {
    fn default() -> Self {
        Self { count: 0, shown_at: 1 }
    }
}

impl Scaled {
    pub(crate) fn hit(&mut self) -> bool {
        self.count = self.count.saturating_add(1);
        let show = self.count == self.shown_at;
        if show {
            self.shown_at = self.shown_at.saturating_mul(10);
        }
        show
    }
}

pub(crate) const SEEN_SYN: u8 = 1;
pub(crate) const SEEN_FIN: u8 = 2;
pub(crate) const SEEN_RST: u8 = 4;
pub(crate) const SEEN_DATA: u8 = 8;
pub(crate) const SEEN_ACK: u8 = 16;
pub(crate) const SEEN_MULTI: u8 = 32;
pub(crate) const SEEN_FIN_RST: u8 = 64;

impl End {
    pub(crate) fn set(&mut self, state: EndState) {
        if state != self.state {
            self.before = self.state;
            self.state = state;
        }
    }

    /// Position of a sequence number, nearest to `near`.
    pub(crate) fn position(&self, sequence: u32, near: i64) -> i64 {
        let near_sequence = self.start.wrapping_add(near as u32);
        near + i64::from(sequence.wrapping_sub(near_sequence).cast_signed())
    }

    pub(crate) fn begin_at(&mut self, start: u32, last: i64) {
        self.start = start;
        self.acknowledged = 0;
        self.last = last;
        self.stream.restart();
    }

    /// Payload octets sent, by sequence numbers.
    pub(crate) fn size(&self, peer: EndState) -> u64 {
        if self.before == EndState::SynSent
            && self.state == EndState::Reset
            && peer == EndState::Inactive
            && self.acknowledged > 1
        {
            // A half-open connection was found and dropped: the numbers mean nothing.
            return 0;
        }
        let mut size = self.last.max(self.acknowledged);
        // Neither the SYN nor the FIN is payload.
        size -= i64::from(size > 0);
        size -= i64::from(self.fins > 0 && size > 0);
        u64::try_from(size).unwrap_or(0)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.state == EndState::Established
            || (self.state == EndState::Closed && self.before == EndState::Established)
    }
}
