//! Which rules match a record, for the next one like it.
//!
//! # Theory of operation
//! Plants poll: of a thousand records nearly all are like one before, but for their time, frame, transaction and the
//! hosts that speak. What rules can see of a record is its *key*, a row of octets; records with the same key match the
//! same rules. So a key is remembered with what it matched, and the rules are asked once. What counts matches over time
//! is told of each, remembered or not.
//!
//! Addresses are in a key where the site's documentation knows them, since names, roles and zones follow from them, and
//! where a rule asks for them. Elsewhere all hosts look alike.
//!
//! # What can go wrong
//! A field that rules see and that the key does not hold would be a finding that is missed. Keys are therefore made by
//! taking records apart whole: whoever adds a field cannot build without saying here what becomes of it. A rule that asks
//! for one of the few fields that are left out (the connection's id, sequence numbers), or for words anywhere, switches
//! the memory off.

use std::net::IpAddr;
use std::rc::Rc;

use indexmap::IndexMap;

use crate::dnp3::{Dnp3Record, Told};
use crate::event::{Facts, ModbusRecord, Record};
use crate::facts::{Crept, Dnp3News, RequestNews};
use crate::known::HostView;

/// Keys kept; then it begins anew.
const KEPT_MAX: usize = 8192;
/// Object headers, and commands, of a DNP3 fragment up to which it is likely to come again.
const OBJECTS_MAX: usize = 32;

/// Fields that a key does not hold.
pub(super) const LEFT_OUT: [&str; 5] = ["uid", "id.orig_p", "tid", "dnp3.sequence", "dnp3.elapsed_ms"];

/// Fields that a key holds where it is told to hold addresses.
pub(super) const ADDRESSES: [&str; 4] = ["id.orig_h", "id.resp_h", "source.address", "target.address"];

/// Rules that matched, by the key of the record.
#[derive(Debug)]
pub(super) struct Memo {
    matched: IndexMap<Box<[u8]>, Rc<[usize]>, foldhash::fast::RandomState>,
    /// Rules ask for addresses.
    addresses: bool,
    key: Vec<u8>,
}

impl Memo {
    /// `addresses`: rules ask for them.
    pub(super) fn new(addresses: bool) -> Self {
        Self { matched: IndexMap::default(), addresses, key: Vec::new() }
    }

    /// Which rules matched a record like this, if one was seen; where none was, `ask` says so, and it is remembered if
    /// another like it is likely.
    pub(super) fn matched(&mut self, record: &Record<'_>, ask: impl FnOnce() -> Rc<[usize]>) -> Rc<[usize]> {
        self.key.clear();
        if Key(&mut self.key).record(record, self.addresses).is_none() {
            return ask();
        }
        if let Some(matched) = self.matched.get(self.key.as_slice()) {
            return matched.clone();
        }
        let matched = ask();
        if self.matched.len() >= KEPT_MAX {
            self.matched.clear();
        }
        self.matched.insert(self.key.as_slice().into(), matched.clone());
        matched
    }
}

/// A key that is being written: each field at its place and of a fixed width, or behind its length.
struct Key<'a>(&'a mut Vec<u8>);

impl Key<'_> {
    fn octets(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    fn flags(&mut self, flags: &[bool]) {
        let word = flags.iter().fold(1_u32, |word, flag| word << 1 | u32::from(*flag));
        self.octets(&word.to_le_bytes());
    }

    /// Numbers, in one go: most of a key.
    fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        self.octets(numbers.map(u64::to_le_bytes).as_flattened());
    }

    /// A number that may be absent.
    fn number(&mut self, number: Option<impl Into<u64>>) {
        self.numbers([or_none(number)]);
    }

    fn text(&mut self, text: Option<&str>) {
        self.number(text.map(|text| text.len() as u64));
        self.octets(text.unwrap_or_default().as_bytes());
    }

    fn address(&mut self, address: Option<IpAddr>) {
        match address {
            None => self.octets(&[0]),
            Some(IpAddr::V4(address)) => {
                self.octets(&[4]);
                self.octets(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                self.octets(&[6]);
                self.octets(&address.octets());
            }
        }
    }

    fn host(&mut self, host: &HostView<'_>, addresses: bool) {
        let HostView { address, name, role, zone, level, known } = host;
        let is_documented = name.is_some() || *role != "unknown" || !zone.is_empty() || !level.is_empty();
        if addresses || is_documented {
            self.address(Some(*address));
            self.octets(&[u8::from(*known)]);
        } else {
            self.octets(&[0, u8::from(*known)]);
        }
    }

    /// `None` for a record that is rarely like another.
    fn record(&mut self, record: &Record<'_>, addresses: bool) -> Option<()> {
        // The device follows from the target's address, which is documented.
        let Record { at: _, frame: _, conn, source, target, device: _, learning, facts } = record;
        self.number(conn.map(|conn| conn.resp.1));
        for end in [conn.map(|conn| conn.orig.0), conn.map(|conn| conn.resp.0)] {
            self.address(end.filter(|_| addresses));
        }
        self.host(source, addresses);
        self.flags(&[target.is_some(), *learning]);
        if let Some(target) = target {
            self.host(target, addresses);
        }
        match facts {
            Facts::Modbus(modbus) => self.modbus(modbus),
            Facts::Dnp3(dnp3) => self.dnp3(dnp3),
            _ => None,
        }
    }

    fn modbus(&mut self, record: &ModbusRecord<'_>) -> Option<()> {
        let ModbusRecord {
            transaction: _,
            unit,
            function,
            // Follows from function and exception.
            name: _,
            request,
            exception,
            sub_function,
            read,
            write,
            identity,
            address,
            quantity,
            bits,
            points,
            site_writer,
            news,
            new_exception,
            crept,
            judged,
            tie_broken,
        } = record;
        // Values are seldom the same.
        if !points.is_empty() || judged.is_some() || *crept != Crept::default() {
            return None;
        }
        let RequestNews {
            new_reader,
            new_writer,
            usual_writer,
            new_function,
            new_range,
            new_unit,
            walk,
            rate,
        } = *news;
        self.octets(&[b'm', *unit, *function]);
        self.flags(&[
            *request,
            *read,
            *write,
            *identity,
            *bits,
            *site_writer,
            *new_exception,
            *tie_broken,
            new_reader,
            new_writer,
            usual_writer,
            new_function,
            new_range,
            new_unit,
        ]);
        let [sub_function, address, quantity] = [*sub_function, *address, *quantity].map(or_none);
        self.numbers([sub_function, address, quantity, walk.into(), rate.into()]);
        self.text(*exception);
        Some(())
    }

    fn dnp3(&mut self, record: &Dnp3Record<'_>) -> Option<()> {
        let Dnp3Record {
            link,
            fragment,
            told,
            headers,
            header_count,
            point_count,
            // No rule sees the values.
            points: _,
            commands,
            file,
            clear_restart,
            trouble,
            site_writer,
            site_operation,
            site_other_address,
            news,
        } = record;
        let Told {
            matched,
            request,
            elapsed: _,
            repeated,
            out_of_sequence,
            second_answer,
            unawaited,
            unanswered,
            unselected,
            // No rule sees it.
            first: _,
            iin_before,
        } = *told;
        let Dnp3News { new_master, new_function, new_address, new_control, rate } = *news;
        let is_rare = file.is_some() || trouble.is_some() || *header_count > OBJECTS_MAX;
        if is_rare || commands.len() > OBJECTS_MAX || commands.iter().any(|one| one.setpoint.is_some()) {
            return None;
        }
        let (source, destination) = (link.source.0.to_le_bytes(), link.destination.0.to_le_bytes());
        self.octets(&[b'd', link.control.0, source[0], source[1], destination[0], destination[1]]);
        let function = fragment.and_then(|fragment| fragment.function());
        // The upper half: first, last, confirm, unsolicited; the lower is the sequence number.
        let control = fragment.and_then(|fragment| fragment.control());
        self.numbers([
            or_none(function.map(|function| function.0)),
            or_none(control.map(|control| control.0 & 0xf0)),
            or_none(fragment.and_then(|fragment| fragment.iin()).map(|iin| iin.0)),
            or_none(request.map(|request| request.0)),
            or_none(iin_before.map(|iin| iin.0)),
            unanswered.into(),
            rate.into(),
            *point_count,
        ]);
        self.flags(&[
            matched.is_some(),
            matched == Some(true),
            repeated,
            out_of_sequence,
            second_answer,
            unawaited,
            unselected,
            *clear_restart,
            *site_writer,
            *site_other_address,
            site_operation.is_some(),
            *site_operation == Some(site::Operation::Select),
            new_master,
            new_function,
            new_address,
            new_control,
        ]);
        self.octets(&[headers.len() as u8, commands.len() as u8]);
        for header in *headers {
            self.octets(&[header.group, header.variation]);
        }
        for command in *commands {
            let crob = command.crob.map(|crob| u16::from_le_bytes([crob.control_code, crob.count]));
            self.numbers([or_none(command.index), or_none(crob), command.status.into()]);
        }
        Some(())
    }
}

/// One more than a number, so that none and 0 differ; no field has all 64 bits.
fn or_none(number: Option<impl Into<u64>>) -> u64 {
    number.map_or(0, |number| number.into().wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn host(last: u8, role: &'static str) -> HostView<'static> {
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        HostView { address, name: None, role, zone: "", level: "", known: false }
    }

    fn record(source: HostView<'_>, transaction: u16, address: u16) -> Record<'_> {
        let modbus = ModbusRecord {
            transaction,
            unit: 1,
            function: 3,
            name: "READ_HOLDING_REGISTERS",
            request: true,
            exception: None,
            sub_function: None,
            read: true,
            write: false,
            identity: false,
            address: Some(address),
            quantity: Some(1),
            bits: false,
            points: &[],
            site_writer: false,
            news: RequestNews::default(),
            new_exception: false,
            crept: Crept::default(),
            judged: None,
            tie_broken: false,
        };
        Record {
            at: u64::from(transaction),
            frame: u64::from(transaction),
            conn: None,
            source,
            target: None,
            device: None,
            learning: false,
            facts: Facts::Modbus(modbus),
        }
    }

    /// How many different keys these records have.
    fn asked(addresses: bool, records: &[Record<'_>]) -> usize {
        let (mut memo, mut asked) = (Memo::new(addresses), 0);
        for record in records {
            memo.matched(record, || {
                asked += 1;
                Rc::new([asked])
            });
        }
        asked
    }

    #[test]
    fn polls_that_differ_in_time_and_transaction_alone_are_one() {
        let unknown = host(1, "unknown");
        assert_eq!(asked(false, &[record(unknown, 1, 7), record(unknown, 2, 7)]), 1);
        assert_eq!(asked(false, &[record(unknown, 1, 7), record(unknown, 1, 8)]), 2);
    }

    #[test]
    fn hosts_are_alike_unless_they_are_documented_or_asked_for() {
        let two = |role| [record(host(1, role), 1, 7), record(host(2, role), 1, 7)];
        assert_eq!(asked(false, &two("unknown")), 1);
        assert_eq!(asked(false, &two("hmi")), 2);
        assert_eq!(asked(true, &two("unknown")), 2);
    }

    #[test]
    fn absent_and_zero_are_two_things() {
        let mut none = record(host(1, "unknown"), 1, 0);
        let Facts::Modbus(modbus) = &mut none.facts else { panic!() };
        modbus.address = None;
        assert_eq!(asked(false, &[record(host(1, "unknown"), 1, 0), none]), 2);
    }
}
