//! DNP3 as rules and baselines see it: one record per fragment, and per frame without user data.

use std::borrow::Cow;

use rsigma_eval::EventValue;
use site::Operation;
use wire::dnp3::object::{Crob, FileObject};
use wire::dnp3::{Fragment, FunctionCode, Iin, LinkHeader, Trouble};

use super::{Told, names};
use crate::facts::Dnp3News;

/// Fields of the service `dnp3`, beside the common ones.
pub(crate) const FIELDS: &[&str] = &[
    "dnp3.source",
    "dnp3.destination",
    "dnp3.from_master",
    "dnp3.broadcast",
    "dnp3.self_address",
    "dnp3.reserved_address",
    "dnp3.link_function",
    "dnp3.link_only",
    "dnp3.function",
    "dnp3.function_name",
    "dnp3.function_known",
    "dnp3.request",
    "dnp3.fir",
    "dnp3.fin",
    "dnp3.con",
    "dnp3.uns",
    "dnp3.sequence",
    "dnp3.matched",
    "dnp3.request_function",
    "dnp3.elapsed_ms",
    "dnp3.repeated",
    "dnp3.out_of_sequence",
    "dnp3.second_answer",
    "dnp3.unawaited",
    "dnp3.unselected",
    "dnp3.unanswered",
    "dnp3.time_needed",
    "dnp3.restart_shown",
    "dnp3.iin",
    "dnp3.restarted",
    "dnp3.refused",
    "dnp3.read",
    "dnp3.integrity_poll",
    "dnp3.write",
    "dnp3.select",
    "dnp3.operate",
    "dnp3.direct_operate",
    "dnp3.control",
    "dnp3.freeze",
    "dnp3.restart",
    "dnp3.application",
    "dnp3.file",
    "dnp3.file_name",
    "dnp3.enable_unsolicited",
    "dnp3.disable_unsolicited",
    "dnp3.assign_class",
    "dnp3.authentication",
    "dnp3.time_write",
    "dnp3.clear_restart",
    "dnp3.deadband_write",
    "dnp3.acts",
    "dnp3.objects",
    "dnp3.groups",
    "dnp3.headers",
    "dnp3.points",
    "dnp3.malformed",
    "dnp3.index",
    "dnp3.setpoint",
    "dnp3.control_code",
    "dnp3.operation_type",
    "dnp3.trip_control_code",
    "dnp3.execute_count",
    "dnp3.status",
    "dnp3.status_code",
    "site.writer",
    "site.operation",
    "site.other_address",
    "baseline.new_master",
    "baseline.new_function",
    "baseline.new_address",
    "baseline.new_control",
    "baseline.rate_factor",
];

/// What kind of point a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PointKind {
    BinaryInput,
    DoubleBitInput,
    BinaryOutput,
    Counter,
    FrozenCounter,
    AnalogInput,
    FrozenAnalogInput,
    AnalogOutput,
    /// Groups 12, 13, 41 and 43: what a point is told to do, not what it is.
    Command,
    /// Deadbands, times, octets, files, data sets, authentication.
    Other,
}

impl PointKind {
    /// By group; and whether the group is one of events.
    pub(crate) const fn of(group: u8) -> (Self, bool) {
        match group {
            1 => (Self::BinaryInput, false),
            2 => (Self::BinaryInput, true),
            3 => (Self::DoubleBitInput, false),
            4 => (Self::DoubleBitInput, true),
            10 => (Self::BinaryOutput, false),
            11 => (Self::BinaryOutput, true),
            20 => (Self::Counter, false),
            22 => (Self::Counter, true),
            21 => (Self::FrozenCounter, false),
            23 => (Self::FrozenCounter, true),
            30 => (Self::AnalogInput, false),
            32 => (Self::AnalogInput, true),
            31 => (Self::FrozenAnalogInput, false),
            33 => (Self::FrozenAnalogInput, true),
            40 => (Self::AnalogOutput, false),
            42 => (Self::AnalogOutput, true),
            12 | 41 => (Self::Command, false),
            13 | 43 => (Self::Command, true),
            _ => (Self::Other, false),
        }
    }
}

/// A value that a fragment carries for a point that has an index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SeenPoint {
    pub(crate) kind: PointKind,
    /// It comes as an event rather than as part of a static reading.
    pub(crate) event: bool,
    pub(crate) index: u32,
    /// Bits as 0 and 1, double bits as 0 to 3.
    pub(crate) value: f64,
    /// The octet of flags, where the variation has one: 1 alone is "on line".
    pub(crate) flags: Option<u8>,
}

/// A command to one output, in a request or repeated in its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Command {
    pub(crate) index: Option<u32>,
    /// Binary outputs (group 12).
    pub(crate) crob: Option<Crob>,
    /// Analog outputs (group 41).
    pub(crate) setpoint: Option<f64>,
    /// Of an answer: 0 for success.
    pub(crate) status: u8,
}

/// One object header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) group: u8,
    pub(crate) variation: u8,
    /// First index named, where indices are; last one.
    pub(crate) range: Option<(u32, u32)>,
    /// How many objects it says.
    pub(crate) count: u64,
}

/// One fragment, or one frame without user data.
///
/// `Record::source` is the master's host and `Record::target` the outstation's, whoever sent the fragment and whoever
/// opened the connection; [`Self::is_from_master`] says who sent it.
#[derive(Clone, Debug)]
pub(crate) struct Dnp3Record<'a> {
    /// Link addresses, direction and function of the (last) frame. Broadcast, self and reserved addresses by its
    /// `destination`.
    pub(crate) link: LinkHeader,
    /// The fragment; `None` for a frame without user data: link status requests (keep-alive, or a sweep), resets.
    pub(crate) fragment: Option<Fragment<'a>>,
    /// What it is to the messages before it on this link.
    pub(crate) told: Told,
    /// Its object headers, the first [`super::take::HEADERS_MAX`] of them.
    pub(crate) headers: &'a [Header],
    /// How many object headers there are.
    pub(crate) header_count: usize,
    /// How many points its headers speak of, all together; names count like values.
    pub(crate) point_count: u64,
    /// Values with their indices, the first [`super::take::POINTS_MAX`]. For baselines and process values: of responses,
    /// what the outstation reports; of commands, setpoints and control codes.
    pub(crate) points: &'a [SeenPoint],
    /// Commands to outputs, the first [`super::take::COMMANDS_MAX`]: of requests 3 to 6, and of the answers to them.
    pub(crate) commands: &'a [Command],
    /// A file that it names (group 70).
    pub(crate) file: Option<FileObject<'a>>,
    /// It writes index 7 of group 80 as 0: the restart bit is cleared, as after every restart.
    pub(crate) clear_restart: bool,
    /// What is wrong with its objects, first of all.
    pub(crate) trouble: Option<Trouble>,
    /// The documentation lets this master write to this outstation.
    pub(crate) site_writer: bool,
    /// The outstation speaks under another link address than the documentation gives its host.
    pub(crate) site_other_address: bool,
    /// How the documentation says that the outputs of this command are operated: by select where that holds for any of
    /// them, directly where it holds for all.
    pub(crate) site_operation: Option<Operation>,
    /// What is new about a request of this pair of hosts; of confirmations and answers, nothing.
    pub(crate) news: Dnp3News,
}

impl Dnp3Record<'_> {
    /// The function code.
    pub(crate) fn function(&self) -> Option<FunctionCode> {
        self.fragment.and_then(|fragment| fragment.function())
    }

    /// Sent by a master, as its link header says.
    pub(crate) fn is_from_master(&self) -> bool {
        self.link.control.from_master()
    }

    /// A request (confirmations are requests).
    pub(crate) fn is_request(&self) -> bool {
        self.function().is_some_and(|function| !function.is_response())
    }

    /// Internal indications, of responses.
    pub(crate) fn iin(&self) -> Option<Iin> {
        self.fragment.and_then(|fragment| fragment.iin())
    }

    fn has_group(&self, group: u8) -> bool {
        self.headers.iter().any(|header| header.group == group)
    }

    fn is(&self, function: FunctionCode) -> bool {
        self.function() == Some(function)
    }

    /// It sets the outstation's clock: group 50 or 51 written.
    pub(crate) fn is_time_write(&self) -> bool {
        self.is(FunctionCode::WRITE) && (self.has_group(50) || self.has_group(51))
    }

    /// A read of class 0, which is all that an outstation has.
    pub(crate) fn is_integrity_poll(&self) -> bool {
        let class_0 = |header: &Header| header.group == 60 && header.variation == 1;
        self.is(FunctionCode::READ) && self.headers.iter().any(class_0)
    }

    /// Whether a request changes what an outstation does, rather than reading it or keeping up the conversation: commands,
    /// writes other than of the time and of the restart bit, freezes that clear, restarts, applications and
    /// configurations, files. What a master does at every start (disable and enable unsolicited, assign classes, time,
    /// restart bit) is not meant.
    pub(crate) fn acts(&self) -> bool {
        let Some(function) = self.function() else { return false };
        match function {
            FunctionCode::WRITE => {
                let is_upkeep = |header: &Header| match header.group {
                    50 | 51 => true,
                    80 => self.clear_restart,
                    _ => false,
                };
                self.header_count > self.headers.len() || !self.headers.iter().all(is_upkeep)
            }
            FunctionCode::FREEZE_CLEAR
            | FunctionCode::FREEZE_CLEAR_NR
            | FunctionCode::DELETE_FILE
            | FunctionCode::OPEN_FILE => true,
            _ => function.is_control() || function.is_restart() || function.is_application_control(),
        }
    }

    pub(crate) fn field(&self, path: &str) -> Option<EventValue<'_>> {
        let flag = |value: bool| Some(EventValue::Bool(value));
        let int = |number: i64| Some(EventValue::Int(number));
        match path {
            "dnp3.source" => int(self.link.source.0.into()),
            "dnp3.destination" => int(self.link.destination.0.into()),
            "dnp3.from_master" => flag(self.is_from_master()),
            "dnp3.broadcast" => flag(self.link.destination.is_broadcast()),
            "dnp3.self_address" => flag(self.link.destination.is_self()),
            "dnp3.reserved_address" => {
                flag(self.link.destination.is_reserved() || self.link.source.0 >= 0xfff0)
            }
            "dnp3.link_function" => text(self.link.control.function()?.name()),
            "dnp3.link_only" => flag(self.fragment.is_none()),
            "site.writer" => flag(self.site_writer),
            "site.other_address" => flag(self.site_other_address),
            "site.operation" => text(match self.site_operation? {
                Operation::Select => "select",
                Operation::Direct => "direct",
            }),
            "baseline.new_master" => flag(self.news.new_master),
            "baseline.new_function" => flag(self.news.new_function),
            "baseline.rate_factor" => int(self.news.rate.into()),
            "baseline.new_address" => flag(self.news.new_address),
            "baseline.new_control" => flag(self.news.new_control),
            _ => self.application_field(path),
        }
    }

    fn application_field(&self, path: &str) -> Option<EventValue<'_>> {
        let flag = |value: bool| Some(EventValue::Bool(value));
        let int = |number: i64| Some(EventValue::Int(number));
        let control = self.fragment?.control()?;
        let function = self.function()?;
        match path {
            "dnp3.function" => int(function.0.into()),
            "dnp3.function_name" => text(function.name()?),
            "dnp3.function_known" => flag(function.name().is_some()),
            "dnp3.request" => flag(self.is_request()),
            "dnp3.fir" => flag(control.is_first()),
            "dnp3.fin" => flag(control.is_last()),
            "dnp3.con" => flag(control.wants_confirm()),
            "dnp3.uns" => flag(control.is_unsolicited()),
            "dnp3.sequence" => int(control.sequence().into()),
            "dnp3.matched" => flag(self.told.matched?),
            "dnp3.request_function" => int(self.told.request?.0.into()),
            "dnp3.elapsed_ms" => Some(EventValue::Float(self.told.elapsed? as f64 / 1e6)),
            "dnp3.repeated" => flag(self.told.repeated),
            "dnp3.out_of_sequence" => flag(self.told.out_of_sequence),
            "dnp3.second_answer" => flag(self.told.second_answer),
            "dnp3.unawaited" => flag(self.told.unawaited),
            "dnp3.unselected" => flag(self.told.unselected),
            "dnp3.unanswered" => int(self.told.unanswered.into()),
            "dnp3.time_needed" => flag(self.told.iin_before?.has(Iin::NEED_TIME)),
            "dnp3.restart_shown" => flag(self.told.iin_before?.has(Iin::DEVICE_RESTART)),
            "dnp3.iin" => {
                let names = self.iin()?.names().map(|name| EventValue::Str(Cow::Borrowed(name)));
                Some(EventValue::Array(names.collect()))
            }
            "dnp3.restarted" => flag(self.iin()?.has(Iin::DEVICE_RESTART)),
            "dnp3.refused" => flag(self.iin()?.is_refusal()),
            "dnp3.read" => flag(function == FunctionCode::READ),
            "dnp3.integrity_poll" => flag(self.is_integrity_poll()),
            "dnp3.write" => flag(function == FunctionCode::WRITE),
            "dnp3.select" => flag(function == FunctionCode::SELECT),
            "dnp3.operate" => flag(matches!(function.0, 4..=6)),
            "dnp3.direct_operate" => flag(matches!(function.0, 5 | 6)),
            "dnp3.control" => flag(function.is_control()),
            "dnp3.freeze" => flag(function.is_freeze()),
            "dnp3.restart" => flag(function.is_restart()),
            "dnp3.application" => flag(function.is_application_control()),
            "dnp3.file" => flag(function.is_file() || self.has_group(70)),
            "dnp3.file_name" => Some(EventValue::Str(String::from_utf8_lossy(self.file.as_ref()?.name()?))),
            "dnp3.enable_unsolicited" => flag(function == FunctionCode::ENABLE_UNSOLICITED),
            "dnp3.disable_unsolicited" => flag(function == FunctionCode::DISABLE_UNSOLICITED),
            "dnp3.assign_class" => flag(function == FunctionCode::ASSIGN_CLASS),
            "dnp3.authentication" => flag(self.has_group(120) || matches!(function.0, 0x20 | 0x21 | 0x83)),
            "dnp3.time_write" => flag(self.is_time_write()),
            "dnp3.clear_restart" => flag(self.clear_restart),
            "dnp3.deadband_write" => flag(function == FunctionCode::WRITE && self.has_group(34)),
            "dnp3.acts" => flag(self.acts()),
            _ => self.object_field(path),
        }
    }

    fn object_field(&self, path: &str) -> Option<EventValue<'_>> {
        match path {
            "dnp3.objects" => list(self.headers.iter().map(|header| {
                EventValue::Str(Cow::Owned(format!("g{}v{}", header.group, header.variation)))
            })),
            "dnp3.groups" => list(self.headers.iter().map(|header| EventValue::Int(header.group.into()))),
            "dnp3.headers" => Some(EventValue::Int(self.header_count as i64)),
            "dnp3.points" => Some(EventValue::Int(i64::try_from(self.point_count).unwrap_or(i64::MAX))),
            "dnp3.malformed" => self.trouble.map(|trouble| EventValue::Str(Cow::Owned(trouble.to_string()))),
            "dnp3.index" => self.of_commands(|command| Some(EventValue::Int(command.index?.into()))),
            "dnp3.setpoint" => self.of_commands(|command| command.setpoint.map(EventValue::Float)),
            "dnp3.control_code" => self.of_crobs(|crob| EventValue::Int(crob.control_code.into())),
            "dnp3.operation_type" => {
                self.of_crobs(|crob| EventValue::Str(Cow::Borrowed(names::operation(crob.operation()))))
            }
            "dnp3.trip_control_code" => {
                self.of_crobs(|crob| EventValue::Str(Cow::Borrowed(names::trip_close(crob.trip_close()))))
            }
            "dnp3.execute_count" => self.of_crobs(|crob| EventValue::Int(crob.count.into())),
            "dnp3.status" if !self.is_request() => {
                self.of_commands(|command| Some(EventValue::Int(command.status.into())))
            }
            "dnp3.status_code" if !self.is_request() => self.of_commands(|command| {
                names::status(command.status).map(|name| EventValue::Str(Cow::Borrowed(name)))
            }),
            _ => None,
        }
    }

    fn of_commands<'b>(
        &'b self,
        value: impl Fn(&'b Command) -> Option<EventValue<'b>>,
    ) -> Option<EventValue<'b>> {
        list(self.commands.iter().filter_map(value))
    }

    fn of_crobs<'b>(&'b self, value: impl Fn(&'b Crob) -> EventValue<'b>) -> Option<EventValue<'b>> {
        list(self.commands.iter().filter_map(|command| command.crob.as_ref()).map(value))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a field's value stands beside others that may be absent")]
fn text(text: &'static str) -> Option<EventValue<'static>> {
    Some(EventValue::Str(Cow::Borrowed(text)))
}

/// Absent where there is none, itself where there is one.
fn list<'a>(mut values: impl Iterator<Item = EventValue<'a>>) -> Option<EventValue<'a>> {
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(first) };
    Some(EventValue::Array([first, second].into_iter().chain(values).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::dnp3::{LinkAddress, LinkControl};

    fn acts(fragment: &[u8], headers: &[(u8, u8)], clear_restart: bool) -> bool {
        let headers: Vec<_> = headers
            .iter()
            .map(|&(group, variation)| Header { group, variation, range: None, count: 1 })
            .collect();
        let record = Dnp3Record {
            link: LinkHeader {
                control: LinkControl(0xc4),
                destination: LinkAddress(10),
                source: LinkAddress(1),
            },
            fragment: Some(Fragment::new(fragment)),
            told: Told::default(),
            headers: &headers,
            header_count: headers.len(),
            point_count: 1,
            points: &[],
            commands: &[],
            file: None,
            clear_restart,
            trouble: None,
            site_writer: false,
            site_operation: None,
            site_other_address: false,
            news: Dnp3News::default(),
        };
        record.acts()
    }

    #[test]
    fn what_a_master_does_at_every_start_is_no_act() {
        assert!(!acts(&[0xc0, 2], &[(50, 1)], false));
        assert!(!acts(&[0xc0, 2], &[(80, 1)], true));
        assert!(!acts(&[0xc0, 21], &[(60, 2), (60, 3)], false));
        assert!(!acts(&[0xc0, 1], &[(60, 1)], false));
    }

    #[test]
    fn an_act_does_not_hide_behind_upkeep() {
        assert!(acts(&[0xc0, 2], &[(50, 1), (34, 1)], false));
        assert!(acts(&[0xc0, 2], &[(80, 1), (41, 2)], true));
        assert!(acts(&[0xc0, 2], &[(80, 1)], false));
        assert!(acts(&[0xc0, 5], &[(12, 1)], false) && acts(&[0xc0, 13], &[], false));
    }
}
