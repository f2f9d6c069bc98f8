//! Events that wait for a master: bounded by class, gone only when they are confirmed (IEEE 1815-2012, clause 5.1.5).
//!
//! # Theory of operation
//! One list in order of occurrence. A response *selects* events and *writes* as many as its fragment holds; a
//! confirmation removes what was written, anything else gives it back. A class that is full loses its oldest event and
//! says so (IIN2.3), until a confirmation has made room.

use std::collections::VecDeque;

use wire::dnp3::object::CommandStatus;
use wire::dnp3::{ClassSet, EventClass, Measurement, PointKind, ResponseWriter};

use super::database::Change;

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Occurrence {
    /// A point changed. The variation is for masters that leave it open.
    Change { measurement: Measurement, variation: u8 },
    /// A binary output was commanded (group 13).
    Command { index: u16, on: bool, status: CommandStatus, time_ms: u64 },
    /// A text changed (group 111).
    Text { index: u16, octets: Vec<u8> },
}

impl From<&Change> for Occurrence {
    fn from(change: &Change) -> Self {
        Self::Change { measurement: change.measurement, variation: change.variation }
    }
}

/// Which events a header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Class(EventClass),
    Classes(ClassSet),
    Kind(PointKind),
    Commands,
    Texts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// For the response under way, in this variation or the one of the event.
    Selected(Option<u8>),
    /// In a fragment that is not confirmed yet.
    Written,
}

#[derive(Clone, Debug)]
struct Event {
    class: EventClass,
    what: Occurrence,
    /// Whether the device's clock had been set when it happened.
    synchronised: bool,
    state: State,
}

impl Event {
    fn is(&self, wanted: Wanted) -> bool {
        match (wanted, &self.what) {
            (Wanted::Class(class), _) => self.class == class,
            (Wanted::Classes(classes), _) => classes.has(self.class),
            (Wanted::Kind(kind), Occurrence::Change { measurement, .. }) => measurement.kind == kind,
            (Wanted::Commands, Occurrence::Command { .. }) | (Wanted::Texts, Occurrence::Text { .. }) => true,
            _ => false,
        }
    }

    /// Group and variation that it is written in.
    fn object(&self) -> (u8, u8) {
        let State::Selected(asked) = self.state else { return (0, 0) };
        match &self.what {
            Occurrence::Change { measurement, variation } => {
                (measurement.kind.event_group(), asked.unwrap_or(*variation))
            }
            Occurrence::Command { .. } => (13, asked.unwrap_or(2)),
            Occurrence::Text { octets, .. } => (111, octets.len() as u8),
        }
    }

    fn index(&self) -> u16 {
        match &self.what {
            Occurrence::Change { measurement, .. } => measurement.index,
            Occurrence::Command { index, .. } | Occurrence::Text { index, .. } => *index,
        }
    }

    fn time_ms(&self) -> u64 {
        match &self.what {
            Occurrence::Change { measurement, .. } => measurement.time_ms.unwrap_or(0),
            Occurrence::Command { time_ms, .. } => *time_ms,
            Occurrence::Text { .. } => 0,
        }
    }

    fn emit(&self, base_ms: u64, out: &mut Vec<u8>) -> Result<(), wire::dnp3::object::Unfit> {
        let (group, variation) = self.object();
        match &self.what {
            Occurrence::Change { measurement, .. } => {
                let relative = u16::try_from(self.time_ms().saturating_sub(base_ms)).unwrap_or(u16::MAX);
                measurement.emit(group, variation, relative, out)
            }
            Occurrence::Command { on, status, time_ms, .. } => {
                out.push(status.0 & 0x7f | u8::from(*on) << 7);
                if variation == 2 {
                    out.extend_from_slice(&time_ms.to_le_bytes()[..6]);
                }
                Ok(())
            }
            Occurrence::Text { octets, .. } => {
                out.extend_from_slice(octets);
                Ok(())
            }
        }
    }
}

/// Events of one master.
#[derive(Clone, Debug)]
pub(crate) struct EventBuffer {
    events: VecDeque<Event>,
    counts: [usize; 3],
    limits: [usize; 3],
    overflown: [bool; 3],
}

/// Times relative to a common time fit in 16 bits.
const RELATIVE_MAX: u64 = u16::MAX as u64;

impl EventBuffer {
    pub(crate) fn new(limits: [usize; 3]) -> Self {
        Self { events: VecDeque::new(), counts: [0; 3], limits, overflown: [false; 3] }
    }

    pub(crate) fn push(&mut self, class: EventClass, what: Occurrence, synchronised: bool) {
        let place = class.place();
        if self.counts[place] >= self.limits[place] {
            self.overflown[place] = true;
            if let Some(oldest) = self.events.iter().position(|event| event.class == class) {
                self.events.remove(oldest);
                self.counts[place] -= 1;
            }
        }
        self.counts[place] += 1;
        self.events.push_back(Event { class, what, synchronised, state: State::Waiting });
    }

    /// Marks the first `limit` events that are wanted and not marked yet.
    pub(crate) fn select(&mut self, wanted: Wanted, variation: Option<u8>, limit: Option<u16>) {
        let limit = limit.map_or(usize::MAX, usize::from);
        let waiting =
            self.events.iter_mut().filter(|event| event.state == State::Waiting && event.is(wanted));
        for event in waiting.take(limit) {
            event.state = State::Selected(variation);
        }
    }

    /// Nothing is selected or written any more: what was not confirmed waits again.
    pub(crate) fn give_back(&mut self) {
        for event in &mut self.events {
            event.state = State::Waiting;
        }
    }

    /// What was written has arrived.
    pub(crate) fn confirm(&mut self) {
        let counts = &mut self.counts;
        self.events.retain(|event| {
            let stays = event.state != State::Written;
            if !stays {
                counts[event.class.place()] -= 1;
            }
            stays
        });
        for place in 0..3 {
            if self.counts[place] < self.limits[place] {
                self.overflown[place] = false;
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Whether events of these classes wait.
    pub(crate) fn has(&self, classes: ClassSet) -> bool {
        self.events.iter().any(|event| classes.has(event.class))
    }

    /// Classes of events that are in no fragment under way.
    pub(crate) fn waiting(&self) -> ClassSet {
        let waiting = self.events.iter().filter(|event| event.state != State::Written);
        waiting.fold(ClassSet::NONE, |set, event| set.with(event.class))
    }

    pub(crate) fn overflown(&self) -> bool {
        self.overflown.contains(&true)
    }

    /// Writes selected events, oldest first, until the fragment is full. Gives whether any were written, and whether all
    /// are.
    pub(crate) fn write(&mut self, writer: &mut ResponseWriter) -> (bool, bool) {
        let selected: Vec<usize> = (0..self.events.len())
            .filter(|place| matches!(self.events[*place].state, State::Selected(_)))
            .collect();
        let mut at = 0;
        while let Some(first) = selected.get(at).map(|place| &self.events[*place]) {
            let object = first.object();
            let relative = matches!(object, (2 | 4, 3));
            let (base, synchronised) = (first.time_ms(), first.synchronised);
            let alike = |event: &Event| {
                event.object() == object
                    && (!relative
                        || (event.synchronised == synchronised
                            && event.time_ms().checked_sub(base).is_some_and(|after| after <= RELATIVE_MAX)))
            };
            let run = selected.get(at..).unwrap_or_default();
            let length = run.iter().take_while(|place| alike(&self.events[**place])).count();
            let run = run.get(..length).unwrap_or_default();
            let wide = run.iter().any(|place| self.events[*place].index() > 0xff);
            let mut trial = writer.clone();
            if relative {
                let variation = if synchronised { 1 } else { 2 };
                if !trial.counted(51, variation, &base.to_le_bytes()[..6]) {
                    return (at > 0, false);
                }
            }
            let objects = run.iter().map(|place| {
                let event = &self.events[*place];
                (event.index(), move |out: &mut Vec<u8>| event.emit(base, out))
            });
            // Variations are checked where they come in, so an event always fits its own.
            let written = trial.indexed(object.0, object.1, wide, objects).unwrap_or(0);
            if written == 0 {
                return (at > 0, false);
            }
            *writer = trial;
            for place in run.get(..written).unwrap_or_default() {
                self.events[*place].state = State::Written;
            }
            at += written;
            if written < length && written < 0xff {
                return (true, false);
            }
        }
        (at > 0, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::dnp3::object::Flags;
    use wire::dnp3::{AppControl, FunctionCode, Iin};

    fn change(index: u16, time: u64) -> Occurrence {
        let measurement = Measurement {
            kind: PointKind::BinaryInput,
            index,
            value: 1.0,
            flags: Flags::ONLINE,
            time_ms: Some(time),
        };
        Occurrence::Change { measurement, variation: 1 }
    }

    fn written(buffer: &mut EventBuffer, limit: usize) -> (Vec<u8>, bool) {
        let mut writer = ResponseWriter::new(limit);
        let (_, all) = buffer.write(&mut writer);
        (writer.finish(AppControl::single(0), FunctionCode::RESPONSE, Iin::default())[4..].to_vec(), all)
    }

    #[test]
    fn a_full_class_loses_its_oldest_and_says_so_until_there_is_room() {
        let mut buffer = EventBuffer::new([2, 1, 1]);
        for index in 0..3 {
            buffer.push(EventClass::Class1, change(index, 0), true);
        }
        assert!(buffer.overflown());
        buffer.select(Wanted::Class(EventClass::Class1), None, Some(1));
        assert_eq!(written(&mut buffer, 2048), (vec![2, 1, 0x17, 1, 1, 0x81], true));
        assert!(buffer.overflown() && buffer.waiting().has(EventClass::Class1));
        buffer.confirm();
        assert!(!buffer.overflown() && buffer.has(ClassSet::ALL));
    }

    #[test]
    fn what_is_not_confirmed_waits_again() {
        let mut buffer = EventBuffer::new([9; 3]);
        buffer.push(EventClass::Class2, change(7, 0), true);
        buffer.select(Wanted::Classes(ClassSet::ALL), None, None);
        let first = written(&mut buffer, 2048);
        assert!(buffer.waiting().is_empty() && buffer.has(ClassSet::ALL));
        buffer.give_back();
        buffer.select(Wanted::Kind(PointKind::BinaryInput), None, None);
        assert_eq!(written(&mut buffer, 2048), first);
    }

    #[test]
    fn a_common_time_is_said_again_when_65535_ms_have_passed() {
        let mut buffer = EventBuffer::new([9; 3]);
        for (index, time) in [(0, 10), (1, 65_545), (2, 65_546)] {
            buffer.push(EventClass::Class1, change(index, time), false);
        }
        buffer.select(Wanted::Kind(PointKind::BinaryInput), Some(3), None);
        let (octets, all) = written(&mut buffer, 2048);
        assert!(all);
        let expected = [
            &[51, 2, 7, 1, 10, 0, 0, 0, 0, 0, 2, 3, 0x17, 2, 0, 0x81, 0, 0, 1, 0x81, 0xff, 0xff][..],
            &[51, 2, 7, 1, 0x0a, 0, 1, 0, 0, 0, 2, 3, 0x17, 1, 2, 0x81, 0, 0],
        ]
        .concat();
        assert_eq!(octets, expected);
    }

    #[test]
    fn a_fragment_takes_what_fits_and_the_next_one_the_rest() {
        let mut buffer = EventBuffer::new([300; 3]);
        for index in 0..300 {
            buffer.push(EventClass::Class1, change(index % 200, 0), true);
        }
        buffer.select(Wanted::Classes(ClassSet::ALL), None, None);
        let (octets, all) = written(&mut buffer, 512);
        assert_eq!((octets.len(), all), (508, false));
        buffer.confirm();
        let (rest, all) = written(&mut buffer, 512);
        assert!(all);
        assert_eq!((508 - 4) / 2 + (rest.len() - 4) / 2, 300);
    }
}
