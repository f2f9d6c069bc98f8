//! Inspection in line: the requests of one session, as the service on the other side will read them.
//!
//! # Theory of operation
//! The firewall lets a client's octets pass only if it knows what the service makes of them. So an octet passes in one
//! of three cases, and in no other:
//!   1. it is the next one in order, and the requests that it completes are allowed
//!   2. it repeats one that passed and is not yet acknowledged, and is the same
//!   3. it repeats one that the service has acknowledged: the service will not look at it again
//!
//! A segment ahead of its turn is dropped in silence, and comes again. One that repeats octets differently, or whose
//! octets make no sense, is denied: whoever does that wants firewall and service to read different things. A request may
//! come in pieces; pieces pass, and the one that would complete a denied request does not. Several requests may come
//! in one segment; all of it is dropped if one of them is denied.
//!
//! *The policy is to drop the segment and reset the session*, both ends, as industrial firewalls do. An exception in
//! the device's name would have to be forged in its sequence numbers, and would tell a prober what is filtered.
//!
//! What passed and is not acknowledged is kept, at most 64 KiB. A session that was open before a deep rule
//! came is inspected from the octet on that the service wants next, taken for the beginning of a request.
//!
//! Only what the client sends is inspected. What cannot be read is denied even if every rule would let it pass.

use serde::Serialize;
use site::{Dnp3Match, FirewallAction, FirewallRule, ModbusMatch, RequestKind};
use wire::dnp3::link::Framing as LinkFraming;
use wire::dnp3::{self, Fragment, LinkHeader, Reassembly};
use wire::modbus::{self, Framing, Packet};

/// Octets that may have passed without being acknowledged: four of the largest windows in use here.
const KEPT_MAX: usize = 64 * 1024;
/// Longest DNP3 fragment: what the standard asks devices to take, and what ours take.
const FRAGMENT_MAX: usize = 2048;

/// Protocols that can be inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Inspected {
    /// Modbus/TCP.
    Modbus,
    /// DNP3.
    Dnp3,
}

impl Inspected {
    /// What a rule inspects.
    pub(crate) const fn by(rule: &FirewallRule) -> Option<Self> {
        match (&rule.modbus, &rule.dnp3) {
            (Some(_), _) => Some(Self::Modbus),
            (None, Some(_)) => Some(Self::Dnp3),
            (None, None) => None,
        }
    }
}

/// A request that was denied, as far as it could be read. What it does not have is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeniedRequest {
    /// Its protocol.
    pub protocol: Inspected,
    /// Modbus unit or DNP3 link address of the outstation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<u16>,
    /// Function code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<u8>,
    /// First address, of a write the first that it writes; of DNP3 the first object group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<u16>,
    /// Why it could not be read, or could not be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<&'static str>,
}

impl DeniedRequest {
    const fn unreadable(protocol: Inspected, problem: &'static str) -> Self {
        Self { protocol, device: None, function: None, address: None, problem: Some(problem) }
    }
}

/// One request on its way.
pub(crate) enum Said<'a> {
    Modbus { unit: u8, packet: Packet<'a> },
    Dnp3 { header: LinkHeader, fragment: Option<Fragment<'a>> },
}

/// What becomes of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It passes.
    Pass,
    /// Not its turn: dropped in silence.
    Early,
    /// Denied: dropped, and the session with it. The rule's place, where a rule said so.
    Denied(Option<usize>, DeniedRequest),
}

/// What rules say of one request: allowed, or denied by the rule at this place, or by none.
pub(crate) type Judgement = Result<(), Option<usize>>;

/// The client's side of one session that is inspected.
#[derive(Debug)]
pub(crate) struct Inspection {
    pub(crate) protocol: Inspected,
    /// Sequence number of the next octet; not known before the first one of a session that was found under way.
    next: Option<u32>,
    /// Octets that passed, up to `next`: those that are not acknowledged, or not yet part of a whole request.
    kept: Vec<u8>,
    /// Octets at the front of `kept` whose requests were judged.
    judged: usize,
    fragments: Reassembly,
}

impl Inspection {
    /// An inspection that begins at a sequence number.
    pub(crate) fn new(protocol: Inspected, next: Option<u32>) -> Self {
        Self { protocol, next, kept: Vec::new(), judged: 0, fragments: Reassembly::default() }
    }

    /// The sequence number that the service wants next, as far as what passed arrived.
    pub(crate) fn next(&self) -> Option<u32> {
        self.next
    }

    /// The service acknowledged everything before `number`.
    pub(crate) fn acknowledged(&mut self, number: u32) {
        let Some(next) = self.next else { return };
        let ahead = number.wrapping_sub(next) as i32;
        if ahead > 0 {
            // Octets that passed before the inspection began.
            *self = Self::new(self.protocol, Some(number));
            return;
        }
        let unacknowledged = ahead.unsigned_abs() as usize;
        let gone = self.kept.len().saturating_sub(unacknowledged).min(self.judged);
        self.kept.drain(..gone);
        self.judged -= gone;
    }

    /// Reads a segment of the client. `acknowledged` is what the service acknowledged last.
    pub(crate) fn read(
        &mut self,
        sequence: u32,
        octets: &[u8],
        acknowledged: Option<u32>,
        judge: &mut dyn FnMut(&Said<'_>) -> Judgement,
    ) -> Reading {
        if octets.is_empty() {
            return Reading::Pass;
        }
        let next = *self.next.get_or_insert(sequence);
        let behind = next.wrapping_sub(sequence) as i32;
        if behind < 0 {
            return Reading::Early;
        }
        let (again, new) = octets.split_at(octets.len().min(behind as usize));
        if !self.is_repetition(sequence, again, behind as usize, acknowledged) {
            let denied = DeniedRequest::unreadable(self.protocol, "octets come again and are not the same");
            return Reading::Denied(None, denied);
        }
        if self.kept.len() + new.len() > KEPT_MAX {
            let denied = DeniedRequest::unreadable(self.protocol, "too much is not acknowledged");
            return Reading::Denied(None, denied);
        }
        self.kept.extend_from_slice(new);
        let verdict = match self.protocol {
            Inspected::Modbus => self.judge_modbus(judge),
            Inspected::Dnp3 => self.judge_dnp3(judge),
        };
        match verdict {
            Ok(()) => {
                self.next = Some(next.wrapping_add(new.len() as u32));
                Reading::Pass
            }
            Err((rule, denied)) => Reading::Denied(rule, denied),
        }
    }

    /// Whether octets that come again are those that passed. They begin `behind` octets before the next one.
    fn is_repetition(&self, sequence: u32, again: &[u8], behind: usize, acknowledged: Option<u32>) -> bool {
        let known = self.kept.len();
        // Octets that are no longer kept passed and were acknowledged.
        let old = behind.saturating_sub(known).min(again.len());
        let is_acknowledged = old == 0
            || acknowledged.is_some_and(|number| {
                let end = sequence.wrapping_add(old as u32);
                number.wrapping_sub(end) as i32 >= 0
            });
        let start = known.saturating_sub(behind);
        is_acknowledged && self.kept.get(start..start + again.len() - old) == Some(&again[old..])
    }

    fn judge_modbus(
        &mut self,
        judge: &mut dyn FnMut(&Said<'_>) -> Judgement,
    ) -> Result<(), (Option<usize>, DeniedRequest)> {
        let unreadable = |problem| Err((None, DeniedRequest::unreadable(Inspected::Modbus, problem)));
        loop {
            let (adu, consumed) = match modbus::next_adu(&self.kept[self.judged..]) {
                Framing::Short { .. } => return Ok(()),
                Framing::Whole { adu, consumed } => (adu, consumed),
                Framing::Foreign { .. } => return unreadable("protocol id is not 0"),
                Framing::Lost(_) => return unreadable("no length that Modbus has"),
            };
            let packet = Packet::request(adu.pdu);
            let said = Said::Modbus { unit: adu.unit.0, packet };
            let is_known = packet.function().is_some_and(modbus::FunctionCode::is_known);
            if is_known && modbus::Request::parse(adu.pdu).is_err() {
                let denied = DeniedRequest { problem: Some("malformed request"), ..said.describe() };
                return Err((None, denied));
            }
            judge(&said).map_err(|rule| (rule, said.describe()))?;
            self.judged += consumed;
        }
    }

    fn judge_dnp3(
        &mut self,
        judge: &mut dyn FnMut(&Said<'_>) -> Judgement,
    ) -> Result<(), (Option<usize>, DeniedRequest)> {
        let unreadable = |problem| Err((None, DeniedRequest::unreadable(Inspected::Dnp3, problem)));
        let mut user_data = Vec::new();
        loop {
            let (frame, consumed) = match dnp3::link::next_frame(&self.kept[self.judged..]) {
                LinkFraming::Short { .. } => return Ok(()),
                LinkFraming::Whole { frame, consumed } => (frame, consumed),
                LinkFraming::Noise { .. } => return unreadable("no DNP3 frame"),
            };
            user_data.clear();
            if frame.user_data(&mut user_data).is_err() {
                return unreadable("a block's CRC is wrong");
            }
            let header = frame.header;
            if header.control.has_user_data() {
                let segment = self.fragments.push(&user_data, FRAGMENT_MAX);
                if segment.lost.is_some() {
                    return unreadable("segments out of order");
                }
                if let Some(octets) = segment.fragment {
                    let fragment = Fragment::new(octets);
                    let said = Said::Dnp3 { header, fragment: Some(fragment) };
                    let mut blocks = fragment.blocks();
                    blocks.by_ref().for_each(drop);
                    if !fragment.has_whole_header() || blocks.trouble().is_some() {
                        let denied = DeniedRequest { problem: Some("malformed request"), ..said.describe() };
                        return Err((None, denied));
                    }
                    judge(&said).map_err(|rule| (rule, said.describe()))?;
                }
            } else {
                let said = Said::Dnp3 { header, fragment: None };
                judge(&said).map_err(|rule| (rule, said.describe()))?;
            }
            self.judged += consumed;
        }
    }
}

impl Said<'_> {
    fn describe(&self) -> DeniedRequest {
        match self {
            Self::Modbus { unit, packet } => DeniedRequest {
                protocol: Inspected::Modbus,
                device: Some(u16::from(*unit)),
                function: packet.raw_function(),
                address: packet
                    .write_range()
                    .map(|(address, _)| address.0)
                    .or(packet.address().map(|it| it.0)),
                problem: None,
            },
            Self::Dnp3 { header, fragment } => DeniedRequest {
                protocol: Inspected::Dnp3,
                device: Some(header.destination.0),
                function: fragment.and_then(|it| it.function()).map(|it| it.0),
                address: fragment.and_then(|it| it.blocks().next()).map(|block| u16::from(block.group)),
                problem: None,
            },
        }
    }

    /// Whether a deep rule speaks of this request.
    pub(crate) fn is_meant_by(&self, rule: &FirewallRule) -> bool {
        let is_deny = rule.action == FirewallAction::Deny;
        match (self, &rule.modbus, &rule.dnp3) {
            (Self::Modbus { unit, packet }, Some(wanted), _) => {
                is_modbus_meant(wanted, is_deny, *unit, packet)
            }
            (Self::Dnp3 { header, fragment }, _, Some(wanted)) => {
                is_dnp3_meant(wanted, is_deny, *header, fragment.as_ref())
            }
            _ => false,
        }
    }
}

/// Units that devices take for themselves, whatever their own number (the guide, section 4.4.2.1).
const DEVICE_ITSELF: [u8; 2] = [0, 255];

fn is_modbus_meant(wanted: &ModbusMatch, is_deny: bool, unit: u8, packet: &Packet<'_>) -> bool {
    let is_unit =
        wanted.units.is_empty() || wanted.units.contains(&unit) || (is_deny && DEVICE_ITSELF.contains(&unit));
    let is_function = wanted.functions.is_empty()
        || packet.raw_function().is_some_and(|function| wanted.functions.contains(&function));
    let is_read = reads(packet);
    let is_kind = match wanted.kind {
        None => true,
        Some(RequestKind::Read) if is_deny => is_read || packet.is_read(),
        Some(RequestKind::Read) => is_read,
        Some(RequestKind::Write) if is_deny => !is_read,
        Some(RequestKind::Write) => !is_read && !packet.is_read(),
    };
    is_unit && is_function && is_kind && are_addresses_meant(wanted, is_deny, packet)
}

fn are_addresses_meant(wanted: &ModbusMatch, is_deny: bool, packet: &Packet<'_>) -> bool {
    if wanted.addresses.is_empty() {
        return true;
    }
    // Of a function that does both, a deny for one kind looks at the addresses of that kind alone.
    let reads = packet.read_range().filter(|_| !is_deny || wanted.kind != Some(RequestKind::Write));
    let writes = packet.write_range().filter(|_| !is_deny || wanted.kind != Some(RequestKind::Read));
    let fifo = packet.address().filter(|_| packet.read_range().or(packet.write_range()).is_none());
    let touched = [reads, writes, fifo.map(|address| (address, 1))];
    let mut addresses = touched.into_iter().flatten().flat_map(|(address, count)| {
        let first = u32::from(address.0);
        first..first + u32::from(count)
    });
    let is_named = |address: u32| {
        wanted
            .addresses
            .iter()
            .any(|range| (u32::from(range.first())..=u32::from(range.last())).contains(&address))
    };
    if is_deny {
        return addresses.any(is_named);
    }
    let mut addresses = addresses.peekable();
    addresses.peek().is_some() && addresses.all(is_named)
}

/// Whether a request looks and changes nothing. What nobody knows may change something.
pub fn reads(packet: &Packet<'_>) -> bool {
    /// Sub-functions of Diagnostics that return something: query data, the register, counters (the specification,
    /// section 6.8.1).
    const LOOKS: [u16; 10] = [0, 2, 11, 12, 13, 14, 15, 16, 17, 18];
    match packet.raw_function() {
        Some(1..=4 | 7 | 11 | 12 | 17 | 20 | 24) => true,
        Some(8) => packet.sub_function().is_some_and(|sub| LOOKS.contains(&sub)),
        Some(43) => packet.interface() == Some(modbus::request::DEVICE_ID_INTERFACE),
        _ => false,
    }
}

fn is_dnp3_meant(
    wanted: &Dnp3Match,
    is_deny: bool,
    header: LinkHeader,
    fragment: Option<&Fragment<'_>>,
) -> bool {
    let to = header.destination;
    let is_outstation = wanted.outstations.is_empty()
        || wanted.outstations.contains(&to.0)
        || (is_deny && (to.is_broadcast() || to.is_self()));
    if !is_outstation {
        return false;
    }
    let function = fragment.and_then(Fragment::function);
    let Some(function) = function else {
        // The link layer by itself: no request, and needed by all of them.
        return !is_deny || (wanted.functions.is_empty() && wanted.groups.is_empty());
    };
    if function == dnp3::FunctionCode::CONFIRM && !is_deny {
        return true;
    }
    let is_function = wanted.functions.is_empty() || wanted.functions.contains(&function.0);
    let are_groups = wanted.groups.is_empty() || {
        let mut groups = fragment.into_iter().flat_map(Fragment::blocks).map(|block| block.group);
        if is_deny {
            groups.any(|group| wanted.groups.contains(&group))
        } else {
            groups.all(|group| wanted.groups.contains(&group))
        }
    };
    is_function && are_groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Read holding registers 100 to 109, and write single register 40: sections 6.3 and 6.6 of the specification.
    const READ: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 3, 0, 100, 0, 10];
    const WRITE: [u8; 12] = [0, 2, 0, 0, 0, 6, 1, 6, 0, 40, 1, 49];

    fn rule(action: &str, what: &str) -> FirewallRule {
        let text = format!("source = \"any\"\ndestination = \"any\"\naction = \"{action}\"\n{what}");
        toml::from_str(&text).unwrap()
    }

    /// Shows segments to an inspection under one deny rule; how many octets passed, and whether it was denied.
    fn pass(segments: &[(u32, &[u8])], deny: &FirewallRule) -> (usize, Option<DeniedRequest>) {
        let mut inspection = Inspection::new(Inspected::by(deny).unwrap(), Some(1000));
        let mut passed = 0;
        for (sequence, octets) in segments {
            let mut judge = |said: &Said<'_>| if said.is_meant_by(deny) { Err(Some(0)) } else { Ok(()) };
            match inspection.read(*sequence, octets, Some(1000), &mut judge) {
                Reading::Pass => passed += octets.len(),
                Reading::Early => {}
                Reading::Denied(_, denied) => return (passed, Some(denied)),
            }
        }
        (passed, None)
    }

    #[test]
    fn a_write_that_comes_octet_by_octet_never_becomes_whole() {
        let deny = rule("deny", "modbus = { kind = \"write\" }");
        let segments: Vec<(u32, &[u8])> =
            (0..12).map(|n| (1000 + n, &WRITE[n as usize..=n as usize])).collect();
        let (passed, denied) = pass(&segments, &deny);
        assert_eq!(passed, 11);
        let expected = DeniedRequest {
            protocol: Inspected::Modbus,
            device: Some(1),
            function: Some(6),
            address: Some(40),
            problem: None,
        };
        assert_eq!(denied, Some(expected));
    }

    #[test]
    fn a_write_behind_a_read_takes_the_segment_with_it() {
        let deny = rule("deny", "modbus = { functions = [6] }");
        let both = [READ, WRITE].concat();
        assert_eq!(pass(&[(1000, &both)], &deny).0, 0);
        let (passed, denied) = pass(&[(1000, &both[..13]), (1013, &both[13..])], &deny);
        assert_eq!(passed, 13, "the read passed with the first octet of the write");
        assert_eq!(denied.unwrap().function, Some(6));
    }

    #[test]
    fn what_comes_again_passes_if_it_is_the_same() {
        let deny = rule("deny", "modbus = { functions = [6] }");
        assert_eq!(pass(&[(1000, &READ), (1000, &READ), (1012, &READ)], &deny), (36, None));
        assert_eq!(pass(&[(1000, &READ[..5]), (1000, &READ), (1003, &READ[3..])], &deny), (5 + 12 + 9, None));
        let (passed, denied) = pass(&[(1000, &READ), (1000, &WRITE)], &deny);
        assert_eq!((passed, denied.unwrap().problem), (12, Some("octets come again and are not the same")));
    }

    #[test]
    fn what_comes_early_waits_for_its_turn_outside() {
        let deny = rule("deny", "modbus = { functions = [6] }");
        assert_eq!(pass(&[(1012, &WRITE), (1000, &READ)], &deny), (12, None));
        assert_eq!(pass(&[(1012, &READ), (1000, &READ), (1012, &READ)], &deny), (24, None));
    }

    #[test]
    fn old_octets_pass_only_once_they_are_acknowledged() {
        let deny = rule("deny", "modbus = { functions = [6] }");
        let mut inspection = Inspection::new(Inspected::Modbus, Some(0_u32.wrapping_sub(6)));
        let mut judge = |said: &Said<'_>| if said.is_meant_by(&deny) { Err(Some(0)) } else { Ok(()) };
        let first = 0_u32.wrapping_sub(6);
        assert_eq!(inspection.read(first, &READ, Some(first), &mut judge), Reading::Pass);
        // Older than all that is known, and not acknowledged.
        let before = first.wrapping_sub(12);
        assert!(matches!(inspection.read(before, &WRITE, None, &mut judge), Reading::Denied(None, _)));
        inspection.acknowledged(6);
        assert!(inspection.kept.is_empty());
        assert_eq!(
            inspection.read(first, &WRITE, Some(6), &mut judge),
            Reading::Pass,
            "nobody reads it any more"
        );
        assert_eq!(inspection.read(6, &READ, Some(6), &mut judge), Reading::Pass);
        // An inspection that begins under way takes the service's word for what arrived before.
        let mut inspection = Inspection::new(Inspected::Modbus, Some(100));
        assert_eq!(inspection.read(112, &READ, Some(100), &mut judge), Reading::Early);
        inspection.acknowledged(112);
        assert_eq!(inspection.read(112, &READ, Some(112), &mut judge), Reading::Pass);
    }

    #[track_caller]
    fn check(rule: &FirewallRule, request: &[u8], expected: bool) {
        let mut seen = None;
        let mut inspection = Inspection::new(Inspected::by(rule).unwrap(), None);
        let reading = inspection.read(0, request, None, &mut |said| {
            seen = Some(said.is_meant_by(rule));
            Ok(())
        });
        assert_eq!((reading, seen), (Reading::Pass, Some(expected)), "{rule:?} {request:?}");
    }

    fn modbus(unit: u8, pdu: &[u8]) -> Vec<u8> {
        [&[0, 1, 0, 0, 0, pdu.len() as u8 + 1, unit], pdu].concat()
    }

    #[test]
    fn a_deny_means_what_touches_and_an_allow_what_stays_within() {
        let (across, within) = (modbus(1, &[3, 0, 50, 0, 20]), modbus(1, &[3, 0, 50, 0, 10]));
        for (action, expected) in [("deny", true), ("allow", false)] {
            let rule = rule(action, "modbus = { addresses = [\"40-54\", \"55-59\"] }");
            check(&rule, &across, expected);
            check(&rule, &within, true);
            check(&rule, &modbus(1, &[3, 0, 60, 0, 10]), false);
            check(&rule, &modbus(1, &[43, 14, 1, 0]), false);
        }
        // 23 reads 100 and writes 40.
        let both = modbus(1, &[23, 0, 100, 0, 1, 0, 40, 0, 1, 2, 0, 7]);
        check(&rule("deny", "modbus = { kind = \"write\", addresses = [\"40\"] }"), &both, true);
        check(&rule("deny", "modbus = { kind = \"write\", addresses = [\"100\"] }"), &both, false);
        check(&rule("deny", "modbus = { kind = \"read\", addresses = [\"100\"] }"), &both, true);
        check(&rule("allow", "modbus = { kind = \"read\" }"), &both, false);
        check(&rule("allow", "modbus = { kind = \"write\" }"), &both, false);
    }

    #[test]
    fn what_may_change_a_device_is_a_write() {
        let rule = rule("deny", "modbus = { kind = \"write\" }");
        // Restart, listen only, the vendor's code, an unknown function; then an echo and an identification.
        for pdu in [&[8, 0, 1, 0, 0][..], &[8, 0, 4, 0, 0], &[90, 1], &[100, 1], &[43, 13, 1, 0]] {
            let mut inspection = Inspection::new(Inspected::Modbus, None);
            let reading = inspection.read(0, &modbus(1, pdu), None, &mut |said| {
                if said.is_meant_by(&rule) { Err(Some(0)) } else { Ok(()) }
            });
            assert!(matches!(reading, Reading::Denied(..)), "{pdu:?}");
        }
        for pdu in [&[8, 0, 0, 1, 2][..], &[43, 14, 1, 0], &[7], &[17]] {
            check(&rule, &modbus(1, pdu), false);
        }
    }

    #[test]
    fn a_unit_that_is_denied_cannot_be_reached_as_the_device_itself() {
        for (action, itself) in [("deny", true), ("allow", false)] {
            let rule = rule(action, "modbus = { units = [1] }");
            check(&rule, &modbus(1, &[7]), true);
            check(&rule, &modbus(2, &[7]), false);
            check(&rule, &modbus(0, &[7]), itself);
            check(&rule, &modbus(255, &[7]), itself);
        }
    }

    /// A request of a master to an outstation, in one frame.
    fn dnp3(outstation: u16, fragment: &[u8]) -> Vec<u8> {
        let function = dnp3::LinkFunction::UnconfirmedUserData;
        let header = LinkHeader {
            control: dnp3::LinkControl::new(true, function, false, false),
            destination: dnp3::LinkAddress(outstation),
            source: dnp3::LinkAddress(1),
        };
        let mut octets = Vec::new();
        header.emit(&[&[0xc0], fragment].concat(), &mut octets);
        octets
    }

    /// Read of class 1; direct operate of binary output 3 (CROB, latch on); confirmation.
    const CLASS_1: [u8; 5] = [0xc0, 1, 60, 2, 6];
    const OPERATE: [u8; 18] = [0xc1, 5, 12, 1, 0x17, 1, 3, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const CONFIRM: [u8; 2] = [0xc0, 0];

    #[test]
    fn dnp3_is_told_apart_by_function_outstation_and_group() {
        let deny = rule("deny", "dnp3 = { functions = [5], outstations = [10] }");
        check(&deny, &dnp3(10, &OPERATE), true);
        check(&deny, &dnp3(10, &CLASS_1), false);
        check(&deny, &dnp3(11, &OPERATE), false);
        check(&deny, &dnp3(0xffff, &OPERATE), true);
        check(&rule("deny", "dnp3 = { groups = [12] }"), &dnp3(10, &OPERATE), true);
        let allow = rule("allow", "dnp3 = { functions = [1], outstations = [10], groups = [60] }");
        check(&allow, &dnp3(10, &CLASS_1), true);
        check(&allow, &dnp3(10, &CONFIRM), true);
        check(&allow, &dnp3(10, &OPERATE), false);
        check(&allow, &dnp3(0xffff, &CLASS_1), false);
        check(&allow, &dnp3(10, &[0xc0, 1, 60, 2, 6, 30, 0, 6]), false);
    }

    #[test]
    fn a_fragment_in_two_frames_is_judged_as_one() {
        let deny = rule("deny", "dnp3 = { functions = [5] }");
        let mut octets = Vec::new();
        for (transport, part) in [(0x40, &OPERATE[..7]), (0x81, &OPERATE[7..])] {
            let mut frame = dnp3(10, part);
            frame.clear();
            let function = dnp3::LinkFunction::UnconfirmedUserData;
            let header = LinkHeader {
                control: dnp3::LinkControl::new(true, function, false, false),
                destination: dnp3::LinkAddress(10),
                source: dnp3::LinkAddress(1),
            };
            header.emit(&[&[transport], part].concat(), &mut frame);
            octets.push(frame);
        }
        let second = 1000 + octets[0].len() as u32;
        let (passed, denied) = pass(&[(1000, &octets[0]), (second, &octets[1])], &deny);
        assert_eq!((passed, denied.unwrap().function), (octets[0].len(), Some(5)));
    }

    #[test]
    fn what_makes_no_sense_is_denied() {
        let mut bad_crc = dnp3(10, &CLASS_1);
        bad_crc[12] ^= 1;
        let dnp3_rule = rule("deny", "dnp3 = { functions = [99] }");
        for octets in
            [&b"GET / HTTP/1.1"[..], &bad_crc, &dnp3(10, &[0xc0]), &dnp3(10, &[0xc0, 1, 60, 2, 0x4f])]
        {
            assert!(pass(&[(1000, octets)], &dnp3_rule).1.is_some(), "{octets:?}");
        }
        let modbus_rule = rule("deny", "modbus = { functions = [99] }");
        let foreign = [0, 1, 0, 1, 0, 2, 1, 7];
        for octets in [&b"GET / HTTP/1.1"[..], &foreign, &modbus(1, &[3, 0, 0, 0, 0]), &modbus(1, &[3, 0])] {
            assert!(pass(&[(1000, octets)], &modbus_rule).1.is_some(), "{octets:?}");
        }
    }

    #[test]
    fn memory_is_bounded_where_nothing_is_acknowledged() {
        let deny = rule("deny", "modbus = { functions = [99] }");
        let block = READ.repeat(100);
        let segments: Vec<(u32, &[u8])> = (0..60).map(|n| (1000 + n * 1200, &block[..])).collect();
        let (passed, denied) = pass(&segments, &deny);
        assert_eq!((passed, denied.unwrap().problem), (54 * 1200, Some("too much is not acknowledged")));
    }

    proptest! {
        /// However a stream is cut, the same requests come through, and never the end of a denied one.
        #[test]
        fn cuts_do_not_matter(
            requests in proptest::collection::vec(any::<bool>(), 1..12),
            cuts in proptest::collection::vec(1_usize..40, 1..60),
        ) {
            let deny = rule("deny", "modbus = { functions = [6] }");
            let stream: Vec<u8> = requests.iter().flat_map(|write| if *write { WRITE } else { READ }).collect();
            let good = requests.iter().take_while(|write| !**write).count() * 12;
            let mut segments: Vec<(u32, &[u8])> = Vec::new();
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                if at >= stream.len() {
                    break;
                }
                let end = (at + cut).min(stream.len());
                segments.push((1000 + at as u32, &stream[at..end]));
                at = end;
            }
            let (passed, denied) = pass(&segments, &deny);
            prop_assert_eq!(denied.is_some(), requests.contains(&true));
            prop_assert!(passed < good + 12 || denied.is_none());
        }

        #[test]
        fn nothing_makes_it_panic(
            segments in proptest::collection::vec(
                (any::<bool>(), 0_u32..2000, proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
            is_modbus in any::<bool>(),
        ) {
            let protocol = if is_modbus { Inspected::Modbus } else { Inspected::Dnp3 };
            let mut inspection = Inspection::new(protocol, None);
            for (is_ack, number, octets) in &segments {
                if *is_ack {
                    inspection.acknowledged(*number);
                } else {
                    let _ = inspection.read(*number, octets, Some(*number), &mut |_| Ok(()));
                }
                prop_assert!(inspection.kept.len() <= KEPT_MAX);
            }
        }
    }
}
