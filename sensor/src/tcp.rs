//! Both ends of a TCP connection, as an observer in the middle sees them.
//!
//! # Theory of operation
//! The states, history letters and sizes are those of Zeek's `conn.log`, so that a row means the same. Each end
//! moves through *inactive*, *SYN sent*, *established* or *partial* (seen from the middle), *closed* (FIN) and
//! *reset*; the pair of states names the connection's state (`SF`, `REJ`, ...). Sizes come from sequence numbers, as
//! Zeek's do, and so count what was lost on the way to the sensor too.
//!
//! # Terms
//! *Originator*: the end that opened, *responder*: the other; letters of the originator are capitals in the history.
//! Positions are relative to the SYN of their end: 0 is the SYN, 1 the first octet.
//!
//! # What can go wrong
//! Sequence numbers may be anything. A segment before its end's start is reported and its payload not used; an
//! acknowledgement of something before the start is not believed.

use crate::end::{
    End, EndState, SEEN_ACK, SEEN_DATA, SEEN_FIN, SEEN_FIN_RST, SEEN_MULTI, SEEN_RST, SEEN_SYN,
};
use crate::frame::{Segment, TcpFlags};
use crate::stream::Piece;

/// A sequence number this far off in a SYN or RST is not believed.
const FAR: i64 = 1 << 20;

/// Something worth a line in `weird.log`.
pub(crate) type Weird = &'static str;

/// Another connection between the same ports begins; with the oddity of it, if it is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reuse(pub(crate) Option<Weird>);

/// What one segment did to a connection.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) weirds: Vec<Weird>,
    /// Became established with this segment.
    pub(crate) established: bool,
    /// The responder refused the opening SYN with this segment.
    pub(crate) refused: bool,
    /// Closed for good with this segment.
    pub(crate) closed: bool,
}

/// Both ends.
#[derive(Debug, Default)]
pub(crate) struct Tcp {
    pub(crate) orig: End,
    pub(crate) resp: End,
    pub(crate) history: String,
    partial: bool,
    first_seen: (bool, bool),
    is_closed: bool,
}

impl Tcp {
    /// Whether both ends have closed, or one has and the other will not.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether both ends closed: from then on the connection's last moment stands.
    pub(crate) fn both_closed(&self) -> bool {
        self.orig.did_close && self.resp.did_close
    }

    /// An opening SYN that nobody answered.
    pub(crate) fn is_unanswered(&self) -> bool {
        matches!(self.orig.state, EndState::SynSent | EndState::SynAckSent)
            && self.resp.state == EndState::Inactive
    }

    /// Whether the handshake is over, or was never seen.
    pub(crate) fn is_past_handshake(&self) -> bool {
        let handshake =
            |state| matches!(state, EndState::Inactive | EndState::SynSent | EndState::SynAckSent);
        !handshake(self.orig.state) || !handshake(self.resp.state)
    }

    /// Octets of memory that segments behind holes take.
    pub(crate) fn held(&self) -> usize {
        self.orig.stream.held() + self.resp.stream.held()
    }

    /// Drops the segments behind holes.
    pub(crate) fn forget_waiting(&mut self) {
        self.orig.stream.forget_waiting();
        self.resp.stream.forget_waiting();
    }

    /// Whether this SYN opens another connection between the same ports.
    pub(crate) fn is_reuse(&self, segment: &Segment<'_>) -> Option<Reuse> {
        if !segment.flags.syn() {
            return None;
        }
        let end = if segment.flags.ack() {
            if self.orig.state != EndState::Inactive {
                return None;
            }
            &self.resp
        } else {
            &self.orig
        };
        if self.both_closed() {
            return Some(Reuse(None));
        }
        if segment.sequence == end.start {
            return None;
        }
        let jumped = end.state == EndState::SynSent;
        Some(Reuse(Some(if jumped { "SYN_seq_jump" } else { "active_connection_reuse" })))
    }

    /// The connection's state in Zeek's words.
    pub(crate) fn conn_state(&self) -> &'static str {
        let (orig, resp) = (self.orig.state, self.resp.state);
        let sizes = (self.orig.size(resp), self.resp.size(orig));
        match (orig, resp) {
            (EndState::SynSent | EndState::SynAckSent, EndState::Reset) => "REJ",
            (EndState::Reset, EndState::Reset) if sizes == (0, 0) => "REJ",
            (_, EndState::Reset) if orig.is_inactive() => "RSTRH",
            (_, EndState::Reset) => "RSTR",
            (EndState::Reset, _) if resp.is_inactive() && self.is_syn_then_reset() => "RSTOS0",
            (EndState::Reset, _) if resp.is_inactive() => "OTH",
            (EndState::Reset, _) => "RSTO",
            (EndState::Closed, EndState::Closed) => "SF",
            (EndState::Closed, _) => {
                if resp.is_inactive() {
                    "SH"
                } else {
                    "S2"
                }
            }
            (_, EndState::Closed) => {
                if orig.is_inactive() {
                    "SHR"
                } else {
                    "S3"
                }
            }
            (EndState::SynSent, EndState::Inactive) => "S0",
            (EndState::Established, EndState::Established) => "S1",
            _ => "OTH",
        }
    }

    /// A SYN, then a RST, and nothing from the responder in between.
    fn is_syn_then_reset(&self) -> bool {
        let letters = self.history.trim_start_matches('^');
        let Some(rest) = letters.strip_prefix('S') else { return false };
        rest.split_once('R').is_some_and(|(between, _)| !between.contains(['H', 'A', 'F', 'G', 'I', 'Q']))
    }

    fn ends(&mut self, from_orig: bool) -> (&mut End, &mut End) {
        if from_orig { (&mut self.orig, &mut self.resp) } else { (&mut self.resp, &mut self.orig) }
    }

    fn letter(&mut self, from_orig: bool, letter: char) {
        // Letters that recur are bounded by their scaling or by distinct positions; a forger could vary those.
        if self.history.len() < 256 {
            self.history.push(if from_orig { letter } else { letter.to_ascii_lowercase() });
        }
    }

    /// Writes a letter at most once; says whether it was there already.
    fn letter_once(&mut self, from_orig: bool, mask: u8, letter: char) -> bool {
        let (end, _) = self.ends(from_orig);
        let known = end.seen & mask != 0;
        end.seen |= mask;
        if !known {
            self.letter(from_orig, letter);
        }
        known
    }

    /// Takes one segment; `deliver(from_orig, piece)` gets payload and gaps of either direction.
    pub(crate) fn segment(
        &mut self,
        from_orig: bool,
        segment: &Segment<'_>,
        wanted: bool,
        deliver: &mut dyn FnMut(bool, Piece<'_>),
    ) -> Step {
        let mut step = Step::default();
        let flags = segment.flags;
        let len = i64::from(segment.payload_len);
        let sequence_len =
            i64::from(flags.syn()) + i64::from(flags.fin()) + if flags.rst() { 0 } else { len };

        if from_orig && !self.first_seen.0 {
            self.partial = !flags.syn() || flags.ack();
        } else if !from_orig && !self.first_seen.1 && !self.partial {
            self.partial = !flags.syn();
        }

        self.place_end(from_orig, segment, sequence_len, &mut step);
        let (end, _) = self.ends(from_orig);
        let position = end.position(segment.sequence, end.last);
        let before_start = position < 0;
        if before_start && !flags.rst() {
            step.weirds.push("TCP_seq_underflow_or_misorder");
        }
        self.write_history(from_orig, flags, position, len);
        self.note_window(from_orig, segment);
        if flags.syn() {
            syn_weirds(flags, len, &mut step);
        }
        if flags.fin() {
            let (end, _) = self.ends(from_orig);
            end.fins = end.fins.saturating_add(1);
            end.fin_position = position + sequence_len;
        }
        let acknowledged = if flags.ack() { self.take_ack(from_orig, segment, &mut step) } else { None };
        let advance = self.take_last(from_orig, segment, position + sequence_len, len);
        let closes = self.move_state(from_orig, segment, len, advance, &mut step);
        if let Some(acknowledged) = acknowledged {
            self.acknowledge(from_orig, acknowledged, deliver);
        }
        if from_orig {
            self.first_seen.0 = true;
        } else {
            self.first_seen.1 = true;
        }
        if len > 0 && !flags.rst() && !before_start {
            self.take_payload(from_orig, segment, position + i64::from(flags.syn()), wanted, deliver);
        }
        self.close(from_orig, closes, &mut step);
        step
    }

    /// Fixes position 0 of an end with its first segment, or anew with a new SYN.
    fn place_end(&mut self, from_orig: bool, segment: &Segment<'_>, sequence_len: i64, step: &mut Step) {
        let (end, peer) = self.ends(from_orig);
        let syn = segment.flags.syn();
        match end.state {
            EndState::Inactive => {
                if syn {
                    end.begin_at(segment.sequence, sequence_len);
                } else {
                    // As though there had been a SYN, so that the first octet is at position 1.
                    end.begin_at(segment.sequence.wrapping_sub(1), 1);
                }
            }
            EndState::SynSent | EndState::SynAckSent if syn && segment.sequence != end.start => {
                step.weirds.push("SYN_seq_jump");
                end.begin_at(segment.sequence, sequence_len);
            }
            EndState::Established | EndState::Partial if syn => {
                if end.size(peer.state) > 0 {
                    step.weirds.push("SYN_inside_connection");
                }
                if segment.sequence != end.start {
                    step.weirds.push("SYN_seq_jump");
                }
                end.begin_at(segment.sequence, sequence_len);
            }
            EndState::Reset if syn && end.before == EndState::Inactive => {
                end.begin_at(segment.sequence, sequence_len);
            }
            _ => {}
        }
    }

    fn write_history(&mut self, from_orig: bool, flags: TcpFlags, position: i64, len: i64) {
        match (flags.syn(), flags.fin(), flags.rst()) {
            (_, true, true) => {
                self.letter_once(from_orig, SEEN_FIN_RST, 'I');
            }
            (true, true, _) | (true, _, true) => {
                self.letter_once(from_orig, SEEN_MULTI, 'Q');
            }
            (true, false, false) => {
                let letter = if flags.ack() { 'H' } else { 'S' };
                let known = self.letter_once(from_orig, SEEN_SYN, letter);
                let last = self.ends(from_orig).0.last_syn.replace(position).unwrap_or(0);
                if known && last != position {
                    self.letter(from_orig, letter);
                }
            }
            (false, true, false) => {
                let known = self.letter_once(from_orig, SEEN_FIN, 'F');
                let last = self.ends(from_orig).0.last_fin.replace(position + len).unwrap_or(0);
                if known && last != position + len {
                    self.letter(from_orig, 'F');
                }
            }
            (false, false, true) => {
                let known = self.letter_once(from_orig, SEEN_RST, 'R');
                let last = self.ends(from_orig).0.last_rst.replace(position).unwrap_or(0);
                if known && last != position {
                    self.letter(from_orig, 'R');
                }
            }
            (false, false, false) if len > 0 => {
                self.letter_once(from_orig, SEEN_DATA, 'D');
            }
            (false, false, false) => {
                if flags.ack() {
                    self.letter_once(from_orig, SEEN_ACK, 'A');
                }
            }
        }
    }

    fn note_window(&mut self, from_orig: bool, segment: &Segment<'_>) {
        if segment.window != 0 || segment.flags.rst() {
            return;
        }
        let (end, peer) = self.ends(from_orig);
        if peer.state != EndState::Closed && end.state != EndState::Reset && end.zero_windows.hit() {
            self.letter(from_orig, 'W');
        }
    }

    /// The position that the segment acknowledges, where it can be believed.
    fn take_ack(&mut self, from_orig: bool, segment: &Segment<'_>, step: &mut Step) -> Option<i64> {
        let (end, peer) = self.ends(from_orig);
        let flags = segment.flags;
        if peer.state == EndState::Inactive {
            if !flags.syn()
                && !flags.fin()
                && !flags.rst()
                && matches!(end.state, EndState::SynSent | EndState::SynAckSent | EndState::Established)
            {
                step.weirds.push("possible_split_routing");
            }
            peer.begin_at(segment.acknowledgement.wrapping_sub(1), 0);
            return Some(1);
        }
        let position = peer.position(segment.acknowledgement, peer.acknowledged);
        if position < 0 {
            step.weirds.push("TCP_ack_underflow_or_misorder");
            return None;
        }
        let broken = segment.acknowledgement == 0 && position - peer.acknowledged > FAR;
        if !flags.rst() && !broken && position > peer.acknowledged {
            peer.acknowledged = position;
        }
        Some(position)
    }

    /// Moves the highest position sent; says by how much the segment went beyond it.
    fn take_last(&mut self, from_orig: bool, segment: &Segment<'_>, new: i64, len: i64) -> i64 {
        let flags = segment.flags;
        let (end, _) = self.ends(from_orig);
        let advance = new - end.last;
        let far = (flags.syn() || flags.rst()) && advance.abs() > FAR;
        if far {
            // Not believed.
        } else if flags.fin() && end.last == 1 {
            end.last = new.max(0);
        } else if end.state == EndState::Reset {
            // Nothing after a RST is believed.
        } else if advance > 0 {
            end.last = new;
        } else if len > 0 && end.retransmissions.hit() {
            self.letter(from_orig, 'T');
        }
        advance
    }

    /// The state machine; says whether the segment closes its end.
    fn move_state(
        &mut self,
        from_orig: bool,
        segment: &Segment<'_>,
        len: i64,
        advance: i64,
        step: &mut Step,
    ) -> bool {
        let state = self.ends(from_orig).0.state;
        match state {
            EndState::Inactive => self.move_inactive(from_orig, segment, len, step),
            EndState::SynSent | EndState::SynAckSent => {
                self.move_syn_sent(from_orig, segment.flags, len, step)
            }
            EndState::Established | EndState::Partial => {
                self.move_established(from_orig, segment.flags, step)
            }
            EndState::Closed => self.move_closed(from_orig, segment.flags, advance, step),
            EndState::Reset => {
                if segment.flags.syn() {
                    step.weirds.push("SYN_after_reset");
                }
                if segment.flags.fin() {
                    step.weirds.push("FIN_after_reset");
                }
                if len > 0 && !segment.flags.rst() {
                    step.weirds.push("data_after_reset");
                }
                false
            }
        }
    }

    fn move_inactive(&mut self, from_orig: bool, segment: &Segment<'_>, len: i64, step: &mut Step) -> bool {
        let flags = segment.flags;
        let mut closes = false;
        let mut partial = self.partial;
        let (end, peer) = self.ends(from_orig);
        if flags.syn() && from_orig {
            if flags.ack() {
                step.weirds.push("connection_originator_SYN_ack");
            }
            end.set(if flags.ack() { EndState::SynAckSent } else { EndState::SynSent });
        } else if flags.syn() {
            if flags.ack() {
                let acknowledged = peer.position(segment.acknowledgement, peer.last);
                if !matches!(peer.state, EndState::Inactive | EndState::Partial)
                    && !(0..=peer.last).contains(&acknowledged)
                {
                    step.weirds.push("bad_SYN_ack");
                }
            } else {
                step.weirds.push("simultaneous_open");
            }
            match peer.state {
                EndState::SynSent => peer.set(EndState::Established),
                EndState::Inactive => step.weirds.push("unsolicited_SYN_response"),
                _ => {}
            }
            end.set(EndState::Established);
            step.established = peer.state == EndState::Established;
        }
        if flags.fin() {
            end.set(EndState::Closed);
            closes = true;
            if peer.state != EndState::Partial && !flags.syn() {
                step.weirds.push("spontaneous_FIN");
            }
        }
        if flags.rst() {
            end.set(EndState::Reset);
            closes = true;
            if !from_orig && matches!(peer.state, EndState::SynSent | EndState::SynAckSent) {
                step.refused = true;
            } else if peer.state == EndState::Inactive {
                step.weirds.push("spontaneous_RST");
            }
        }
        if end.state == EndState::Inactive {
            if !from_orig && len == 0 && peer.state == EndState::SynSent {
                // Some stacks acknowledge a SYN before they answer it: not yet a connection.
            } else if flags.ack() && peer.state == EndState::Established {
                // Only the first SYN was missed.
                end.set(EndState::Established);
                partial = false;
            } else {
                end.set(EndState::Partial);
            }
        }
        self.partial = partial;
        closes
    }

    fn move_syn_sent(&mut self, from_orig: bool, flags: TcpFlags, len: i64, step: &mut Step) -> bool {
        let (end, peer) = self.ends(from_orig);
        if flags.syn() {
            if from_orig && flags.ack() && end.state != EndState::SynAckSent {
                step.weirds.push("repeated_SYN_with_ack");
            } else if !from_orig && !flags.ack() && end.state != EndState::SynSent {
                step.weirds.push("repeated_SYN_reply_wo_ack");
            }
        }
        if flags.fin() {
            if matches!(peer.state, EndState::Inactive | EndState::SynSent) {
                step.weirds.push("inappropriate_FIN");
            }
            end.set(EndState::Closed);
        }
        if flags.rst() {
            end.set(EndState::Reset);
        } else if len > 0 {
            step.weirds.push("data_before_established");
        }
        flags.fin() || flags.rst()
    }

    fn move_established(&mut self, from_orig: bool, flags: TcpFlags, step: &mut Step) -> bool {
        let (end, peer) = self.ends(from_orig);
        if flags.syn() && end.state == EndState::Partial && peer.state == EndState::Inactive && !flags.ack() {
            step.weirds.push("SYN_after_partial");
            end.set(EndState::SynSent);
        }
        if flags.fin() && !flags.rst() {
            end.set(EndState::Closed);
            if peer.state == EndState::Reset && peer.before == EndState::Closed {
                // The peer sent a FIN and then a RST: in truth an ordinary end.
                peer.set(EndState::Closed);
            }
        }
        if flags.rst() {
            end.set(EndState::Reset);
        }
        flags.fin() || flags.rst()
    }

    fn move_closed(&mut self, from_orig: bool, flags: TcpFlags, advance: i64, step: &mut Step) -> bool {
        let (end, peer) = self.ends(from_orig);
        if flags.syn() {
            step.weirds.push("SYN_after_close");
        }
        if flags.fin() && advance > 0 {
            step.weirds.push("FIN_advanced_last_seq");
        }
        if flags.rst() && peer.state != EndState::Closed {
            end.set(EndState::Reset);
            return !end.did_close;
        }
        false
    }

    /// The peer of `from_orig` has been acknowledged up to a position: what is missing before it is lost.
    fn acknowledge(&mut self, from_orig: bool, position: i64, deliver: &mut dyn FnMut(bool, Piece<'_>)) {
        let clean = self.orig.is_clean() && self.resp.is_clean();
        let partial = self.partial;
        let (_, peer) = self.ends(from_orig);
        let mut position = position;
        if peer.fins > 0 && position >= peer.fin_position {
            position = peer.fin_position - 1;
        }
        // The first acknowledgement of a connection seen from the middle speaks of octets before the sensor's time.
        if position <= 1 || (position <= 2 && partial) {
            return;
        }
        let mut gap_seen = false;
        let mut missed = 0;
        peer.stream.acknowledged(position as u64, &mut |piece| {
            if let Piece::Gap(count) = piece {
                gap_seen = true;
                missed += count;
            }
            deliver(!from_orig, piece);
        });
        if gap_seen && clean {
            peer.missed = peer.missed.saturating_add(missed);
            if peer.gaps.hit() {
                self.letter(!from_orig, 'G');
            }
        }
    }

    fn take_payload(
        &mut self,
        from_orig: bool,
        segment: &Segment<'_>,
        position: i64,
        wanted: bool,
        deliver: &mut dyn FnMut(bool, Piece<'_>),
    ) {
        let (end, _) = self.ends(from_orig);
        let mut position = position;
        let mut len = segment.payload_len;
        let mut octets = segment.payload;
        if position < end.acknowledged {
            // Acknowledged already: given out, or lost and reported.
            let known = end.acknowledged - position;
            if known >= i64::from(len) {
                return;
            }
            octets = octets.get(known as usize..).unwrap_or_default();
            len -= known as u32;
            position = end.acknowledged;
        }
        // Position 0 can only be payload after a keep-alive in a connection seen from the middle.
        let start = u64::try_from(position).unwrap_or(0);
        end.stream.segment(start, len, octets, wanted, &mut |piece| deliver(from_orig, piece));
    }

    fn close(&mut self, from_orig: bool, closes: bool, step: &mut Step) {
        let was_closed = self.is_closed;
        for orig in [from_orig, !from_orig] {
            let (end, peer) = self.ends(orig);
            let now = (orig == from_orig && closes) || end.close_deferred;
            if !now || end.did_close {
                continue;
            }
            if end.stream.is_waiting() {
                end.close_deferred = true;
                continue;
            }
            end.close_deferred = false;
            end.did_close = true;
            let complete = end.state == EndState::Reset || peer.did_close || peer.state == EndState::Inactive;
            self.is_closed |= complete;
        }
        step.closed = self.is_closed && !was_closed;
    }
}

fn syn_weirds(flags: TcpFlags, len: i64, step: &mut Step) {
    if flags.rst() {
        step.weirds.push("TCP_christmas");
    }
    if flags.0 & 0x20 != 0 {
        step.weirds.push("baroque_SYN");
    }
    if len > 0 {
        step.weirds.push("SYN_with_data");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(flags: u8, sequence: u32, acknowledgement: u32, payload: &[u8]) -> Segment<'_> {
        Segment {
            source_port: 1,
            destination_port: 2,
            sequence,
            acknowledgement,
            flags: TcpFlags(flags),
            window: 1000,
            payload,
            payload_len: payload.len() as u32,
        }
    }

    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const ACK: u8 = 16;

    fn run(segments: &[(bool, u8, u32, u32, &str)]) -> (Tcp, String) {
        let mut tcp = Tcp::default();
        let mut said = String::new();
        for (from_orig, flags, sequence, acknowledgement, payload) in segments {
            let segment = segment(*flags, *sequence, *acknowledgement, payload.as_bytes());
            tcp.segment(*from_orig, &segment, true, &mut |_, piece| match piece {
                Piece::Octets(octets) => said.push_str(&String::from_utf8_lossy(octets)),
                Piece::Gap(count) => said += &["<", &count.to_string(), ">"].concat(),
            });
        }
        (tcp, said)
    }

    const OPEN: [(bool, u8, u32, u32, &str); 3] =
        [(true, SYN, 100, 0, ""), (false, SYN | ACK, u32::MAX, 101, ""), (true, ACK, 101, 0, "")];

    #[test]
    fn an_ordinary_connection_is_sf() {
        let mut segments = OPEN.to_vec();
        segments.extend([
            (true, ACK, 101, 0, "ask"),
            (false, ACK, 0, 104, "tell"),
            (true, FIN | ACK, 104, 4, ""),
            (false, FIN | ACK, 4, 105, ""),
            (true, ACK, 105, 5, ""),
        ]);
        let (tcp, said) = run(&segments);
        assert_eq!((tcp.conn_state(), tcp.history.as_str(), said.as_str()), ("SF", "ShADdFf", "asktell"));
        assert_eq!(tcp.orig.size(tcp.resp.state), 3);
        assert_eq!(tcp.resp.size(tcp.orig.state), 4);
        assert!(tcp.is_closed());
    }

    #[test]
    fn a_refused_connection_is_rej() {
        let (tcp, _) = run(&[(true, SYN, 100, 0, ""), (false, RST | ACK, 0, 101, "")]);
        assert_eq!((tcp.conn_state(), tcp.history.as_str()), ("REJ", "Sr"));
    }

    #[test]
    fn an_unanswered_syn_is_s0_and_a_reset_one_rstos0() {
        let (tcp, _) = run(&[(true, SYN, 100, 0, "")]);
        assert_eq!(tcp.conn_state(), "S0");
        let (tcp, _) = run(&[(true, SYN, 100, 0, ""), (true, RST, 101, 0, "")]);
        assert_eq!(tcp.conn_state(), "RSTOS0");
    }

    #[test]
    fn lost_octets_are_missed_once_acknowledged() {
        let mut segments = OPEN.to_vec();
        segments.extend([(true, ACK, 104, 0, "late"), (false, ACK, 0, 108, "")]);
        let (tcp, said) = run(&segments);
        assert_eq!((said.as_str(), tcp.orig.missed), ("<3>late", 3));
        assert!(tcp.history.contains('G'), "{}", tcp.history);
    }

    #[test]
    fn a_retransmission_shows_in_the_history_and_nowhere_else() {
        let mut segments = OPEN.to_vec();
        segments.extend([(true, ACK, 101, 0, "ask"), (true, ACK, 101, 0, "ask")]);
        let (tcp, said) = run(&segments);
        assert_eq!((said.as_str(), tcp.history.as_str()), ("ask", "ShADT"));
    }

    #[test]
    fn a_connection_seen_from_the_middle_starts_with_its_first_octet() {
        let (tcp, said) = run(&[(true, ACK, 5000, 900, "ask"), (false, ACK, 900, 5003, "tell")]);
        assert_eq!((said.as_str(), tcp.conn_state(), tcp.history.as_str()), ("asktell", "OTH", "Dd"));
        assert_eq!(tcp.orig.size(tcp.resp.state), 3);
    }
}
