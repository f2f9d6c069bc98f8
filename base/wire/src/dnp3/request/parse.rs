//! From a fragment to a [`Request`], function by function.

use super::{
    Assignment, Command, Control, ControlFunction, Freeze, Order, Read, ReadHeader, Readable, Request,
    RequestError, Selection, Write,
};
use crate::dnp3::object::{Block, Point, Qualifier, Value};
use crate::dnp3::point::{ClassSet, EventClass, PointKind};
use crate::dnp3::{Fragment, FunctionCode, Iin};

fn object_error(block: &Block<'_>) -> RequestError {
    RequestError::Object { group: block.group, variation: block.variation }
}

pub(super) fn qualifier_error(block: &Block<'_>) -> RequestError {
    RequestError::Qualifier { group: block.group, variation: block.variation, qualifier: block.qualifier.0 }
}

fn value_error(block: &Block<'_>) -> RequestError {
    RequestError::Value { group: block.group, variation: block.variation }
}

impl<'a> Request<'a> {
    /// Understands a fragment.
    pub fn parse(fragment: Fragment<'a>) -> Result<Self, RequestError> {
        let (Some(control), Some(function)) = (fragment.control(), fragment.function()) else {
            return Err(RequestError::Short { got: fragment.octets().len() });
        };
        if function.is_response() {
            return Err(RequestError::Response { function });
        }
        let misplaced = control.is_unsolicited() && function != FunctionCode::CONFIRM;
        if !control.is_first() || !control.is_last() || misplaced {
            return Err(RequestError::Control { control });
        }
        let objects = fragment.object_octets();
        let count_error = RequestError::ObjectCount { function, octets: objects.len() };
        let bare = |request| if objects.is_empty() { Ok(request) } else { Err(count_error) };
        let some = || if objects.is_empty() { Err(count_error) } else { Ok(()) };
        match function {
            FunctionCode::CONFIRM => bare(Self::Confirm),
            FunctionCode::READ => parse_read(fragment).map(Self::Read),
            FunctionCode::WRITE => {
                some()?;
                each(fragment, parse_write).map(Self::Write)
            }
            FunctionCode::SELECT => parse_control(fragment, ControlFunction::Select),
            FunctionCode::OPERATE => parse_control(fragment, ControlFunction::Operate),
            FunctionCode::DIRECT_OPERATE => parse_control(fragment, ControlFunction::DirectOperate),
            FunctionCode::DIRECT_OPERATE_NR => parse_control(fragment, ControlFunction::DirectOperateNoAck),
            FunctionCode::IMMED_FREEZE => parse_freeze(fragment, false, true),
            FunctionCode::IMMED_FREEZE_NR => parse_freeze(fragment, false, false),
            FunctionCode::FREEZE_CLEAR => parse_freeze(fragment, true, true),
            FunctionCode::FREEZE_CLEAR_NR => parse_freeze(fragment, true, false),
            FunctionCode::COLD_RESTART => bare(Self::ColdRestart),
            FunctionCode::WARM_RESTART => bare(Self::WarmRestart),
            FunctionCode::ENABLE_UNSOLICITED => {
                some()?;
                parse_classes(fragment).map(Self::EnableUnsolicited)
            }
            FunctionCode::DISABLE_UNSOLICITED => {
                some()?;
                parse_classes(fragment).map(Self::DisableUnsolicited)
            }
            FunctionCode::ASSIGN_CLASS => {
                some()?;
                parse_assignments(fragment).map(Self::AssignClass)
            }
            FunctionCode::DELAY_MEASURE => bare(Self::MeasureDelay),
            FunctionCode::RECORD_CURRENT_TIME => bare(Self::RecordTime),
            function => Err(RequestError::Function { function }),
        }
    }

    /// Whether an answer is due when all goes well.
    pub const fn is_answered(&self) -> bool {
        match self {
            Self::Confirm => false,
            Self::Control(control) => !matches!(control.function, ControlFunction::DirectOperateNoAck),
            Self::Freeze(freeze) => freeze.answered,
            _ => true,
        }
    }
}

/// Every block of a fragment through `parse`; all or nothing.
fn each<'a, T>(
    fragment: Fragment<'a>,
    mut parse: impl FnMut(&Block<'a>) -> Result<T, RequestError>,
) -> Result<Vec<T>, RequestError> {
    let (mut blocks, mut parsed) = (fragment.blocks(), Vec::new());
    while let Some(block) = blocks.next() {
        // A block that is cut short is given out too.
        if let Some(trouble) = blocks.trouble() {
            return Err(trouble.into());
        }
        parsed.push(parse(&block)?);
    }
    blocks.trouble().map_or(Ok(parsed), |trouble| Err(trouble.into()))
}

fn parse_read(fragment: Fragment<'_>) -> Result<Read<'_>, RequestError> {
    let mut refused = Iin::default();
    let headers = each(fragment, |block| {
        let object = Readable::of(block.group, block.variation).ok_or_else(|| object_error(block));
        let header = object.and_then(|object| {
            let selection = Selection::of(block)?;
            let fits = object.takes(&selection);
            if fits { Ok(ReadHeader { object, selection }) } else { Err(qualifier_error(block)) }
        });
        Ok(match header {
            Ok(header) => Some(header),
            Err(error) => {
                refused = refused.with(error.indications().unwrap_or_default());
                None
            }
        })
    })?;
    Ok(Read { headers: headers.into_iter().flatten().collect(), refused })
}

fn parse_write(block: &Block<'_>) -> Result<Write, RequestError> {
    let one_time = || match (block.qualifier, block.range.count(), block.points().next()) {
        (Qualifier::COUNT_8 | Qualifier::COUNT_16, 1, Some(Point { value: Value::Time(time), .. })) => {
            Ok(time)
        }
        (Qualifier::COUNT_8 | Qualifier::COUNT_16, _, _) => Err(value_error(block)),
        _ => Err(qualifier_error(block)),
    };
    match (block.group, block.variation) {
        (80, 1) => {
            if !matches!(block.qualifier, Qualifier::RANGE_8 | Qualifier::RANGE_16) {
                return Err(qualifier_error(block));
            }
            // The restart indication is the only one that a master may change (clause 4.2.2.6).
            let mut points = block.points();
            match (points.next(), points.next()) {
                (Some(Point { index: Some(7), value: Value::Bit(false), .. }), None) => {
                    Ok(Write::ClearRestart)
                }
                _ => Err(value_error(block)),
            }
        }
        (50, 1) => one_time().map(Write::Time),
        (50, 3) => one_time().map(Write::RecordedTime),
        (34, 1..=3) => {
            if matches!(Selection::of(block)?, Selection::All | Selection::Count(_)) {
                return Err(qualifier_error(block));
            }
            let deadband = |point: Point<'_>| {
                let index = u16::try_from(point.index?).ok()?;
                let width = point.value.number().filter(|width| *width >= 0.0)?;
                Some((index, width))
            };
            let deadbands: Option<Vec<_>> = block.points().map(deadband).collect();
            deadbands.map(Write::Deadbands).ok_or_else(|| value_error(block))
        }
        _ => Err(object_error(block)),
    }
}

fn parse_control(fragment: Fragment<'_>, function: ControlFunction) -> Result<Request<'_>, RequestError> {
    let objects = fragment.object_octets();
    if objects.is_empty() {
        let function = fragment.function().unwrap_or(FunctionCode::SELECT);
        return Err(RequestError::ObjectCount { function, octets: 0 });
    }
    let (mut commands, mut end) = (Vec::new(), 0);
    each(fragment, |block| {
        if !matches!((block.group, block.variation), (12, 1) | (41, 1..=4)) {
            return Err(object_error(block));
        }
        if !matches!(block.qualifier, Qualifier::INDEXED_8 | Qualifier::INDEXED_16) {
            return Err(qualifier_error(block));
        }
        // Group, variation, qualifier and count stand before the data.
        end += 3 + block.qualifier.range_len().unwrap_or(0);
        let prefix = block.qualifier.prefix().len();
        let size = block.shape.and_then(|shape| shape.len(block.variation)).unwrap_or(0);
        for point in block.points() {
            end += prefix + size;
            let order = match point.value {
                Value::Crob(crob) => Order::Crob(crob),
                // A setpoint has to be a number.
                value => match value.number().filter(|number| number.is_finite()) {
                    Some(number) => Order::Setpoint(number),
                    None => return Err(value_error(block)),
                },
            };
            let index = point.index.and_then(|index| u16::try_from(index).ok());
            let index = index.ok_or_else(|| qualifier_error(block))?;
            commands.push(Command { index, order, status_at: end - 1 });
        }
        Ok(())
    })?;
    Ok(Request::Control(Control { function, objects, commands }))
}

fn parse_freeze(fragment: Fragment<'_>, clear: bool, answered: bool) -> Result<Request<'_>, RequestError> {
    if fragment.object_octets().is_empty() {
        let function = fragment.function().unwrap_or(FunctionCode::IMMED_FREEZE);
        return Err(RequestError::ObjectCount { function, octets: 0 });
    }
    let counters = each(fragment, |block| match (block.group, block.variation) {
        (20, 0) => match Selection::of(block)? {
            Selection::Count(_) => Err(qualifier_error(block)),
            selection => Ok(selection),
        },
        _ => Err(object_error(block)),
    })?;
    Ok(Request::Freeze(Freeze { clear, answered, counters }))
}

fn parse_classes(fragment: Fragment<'_>) -> Result<ClassSet, RequestError> {
    let classes = each(fragment, |block| match (block.group, EventClass::from_variation(block.variation)) {
        (60, Some(_)) if block.qualifier != Qualifier::ALL => Err(qualifier_error(block)),
        (60, Some(class)) => Ok(class),
        _ => Err(object_error(block)),
    })?;
    Ok(classes.into_iter().fold(ClassSet::NONE, ClassSet::with))
}

fn parse_assignments(fragment: Fragment<'_>) -> Result<Vec<Assignment<'_>>, RequestError> {
    let mut to = None;
    let assignments = each(fragment, |block| {
        if block.group == 60 {
            if block.qualifier != Qualifier::ALL {
                return Err(qualifier_error(block));
            }
            to = Some(match block.variation {
                1 => None,
                variation => Some(EventClass::from_variation(variation).ok_or_else(|| object_error(block))?),
            });
            return Ok(None);
        }
        let kind = PointKind::of_static_group(block.group).filter(|_| block.variation == 0);
        let kind = kind.ok_or_else(|| object_error(block))?;
        // Which class must have been said before.
        let class = to.ok_or_else(|| value_error(block))?;
        match Selection::of(block)? {
            Selection::Count(_) => Err(qualifier_error(block)),
            selection => Ok(Some(Assignment { class, kind, selection })),
        }
    })?;
    Ok(assignments.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(octets: &[u8], expected: Result<Request<'_>, RequestError>) {
        assert_eq!(Request::parse(Fragment::new(octets)), expected, "{octets:02x?}");
    }

    fn refused(octets: &[u8]) -> Option<Iin> {
        Request::parse(Fragment::new(octets)).unwrap_err().indications()
    }

    #[test]
    fn an_integrity_poll_reads_four_classes() {
        // The master's request of conformance procedure 8.9.2.2, step 1.
        let octets = [0xc0, 1, 60, 2, 6, 60, 3, 6, 60, 4, 6, 60, 1, 6];
        let all = |object| ReadHeader { object, selection: Selection::All };
        let mut headers: Vec<_> =
            EventClass::ALL.into_iter().map(|class| all(Readable::Class(class))).collect();
        headers.push(all(Readable::Class0));
        check(&octets, Ok(Request::Read(Read { headers, refused: Iin::default() })));
    }

    #[test]
    fn a_read_goes_on_behind_what_it_cannot_have() {
        let octets = [0xc1, 1, 99, 1, 6, 1, 0, 0, 2, 5, 2, 0, 0, 1, 2, 1, 9, 6];
        let range = Selection::Range { start: 2, stop: 5 };
        let header = ReadHeader { object: Readable::Static(PointKind::BinaryInput, None), selection: range };
        let refused = Iin::OBJECT_UNKNOWN.with(Iin::PARAMETER_ERROR);
        check(&octets, Ok(Request::Read(Read { headers: vec![header], refused })));
    }

    #[test]
    fn a_read_that_is_no_header_is_refused_whole() {
        for octets in [
            &[0xc0, 1, 60][..],
            &[0xc0, 1, 1, 0, 0, 5, 2],
            &[0xc0, 1, 1, 0, 0x0d],
            &[0xc0, 1, 1, 0, 0x28, 2, 0, 1],
        ] {
            assert_eq!(refused(octets), Some(Iin::PARAMETER_ERROR), "{octets:02x?}");
        }
    }

    #[test]
    fn a_command_knows_where_its_status_stands() {
        // Conformance procedure 8.2.1.2.1, step 1: latch on, count 1, 100 ms on, 200 ms off, index 0.
        let octets = [
            0xc0, 3, 12, 1, 0x28, 1, 0, 0, 0, 3, 1, 100, 0, 0, 0, 200, 0, 0, 0, 0, 41, 2, 0x17, 1, 7, 10, 0,
            0,
        ];
        let Ok(Request::Control(control)) = Request::parse(Fragment::new(&octets)) else {
            panic!("a control")
        };
        assert_eq!((control.function, control.objects), (ControlFunction::Select, &octets[2..]));
        let [crob, setpoint] = control.commands[..] else { panic!("two commands") };
        assert!(matches!(crob.order, Order::Crob(crob) if crob.on_time_ms == 100 && crob.off_time_ms == 200));
        assert_eq!((crob.index, crob.status_at), (0, 17));
        assert_eq!((setpoint.index, setpoint.order, setpoint.status_at), (7, Order::Setpoint(10.0), 25));
    }

    #[test]
    fn refusals_carry_the_indication_of_their_cause() {
        for (octets, expected) in [
            (&[0xc0][..], None),
            (&[], None),
            (&[0x80, 1], None),
            (&[0x40, 1], None),
            (&[0xd0, 1, 60, 1, 6], None),
            (&[0xc0, 0x81, 0, 0], None),
            (&[0xc0, 25], Some(Iin::NO_FUNCTION_CODE_SUPPORT)),
            (&[0xc0, 11, 20, 0, 6], Some(Iin::NO_FUNCTION_CODE_SUPPORT)),
            (&[0xc0, 32], Some(Iin::NO_FUNCTION_CODE_SUPPORT)),
            (&[0xc0, 0x70], Some(Iin::NO_FUNCTION_CODE_SUPPORT)),
            (&[0xc0, 2, 1, 1, 0, 0, 0, 0], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 2, 222, 1, 0, 0, 0, 0], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 2, 80, 1, 0, 7, 7, 1], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 2, 80, 1, 0, 4, 4, 0], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 2, 80, 1, 0, 6, 7, 0], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 2, 50, 1, 7, 2, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 2], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 5, 12, 1, 6], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 5, 10, 2, 0x17, 1, 0, 1], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 5, 12, 1, 0x17, 1, 0, 3, 1], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 7, 30, 0, 6], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 13, 60, 1, 6], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 21, 60, 1, 6], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 22, 1, 0, 6], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 23, 60, 1, 6], Some(Iin::PARAMETER_ERROR)),
        ] {
            assert_eq!(refused(octets), expected, "{octets:02x?}");
        }
    }

    #[test]
    fn writes_of_time_restart_and_deadbands_are_understood() {
        check(&[0xc0, 2, 80, 1, 0, 7, 7, 0], Ok(Request::Write(vec![Write::ClearRestart])));
        check(
            &[0xc0, 2, 50, 1, 7, 1, 6, 5, 4, 3, 2, 1],
            Ok(Request::Write(vec![Write::Time(0x0102_0304_0506)])),
        );
        check(&[0xc0, 2, 50, 3, 7, 1, 1, 0, 0, 0, 0, 0], Ok(Request::Write(vec![Write::RecordedTime(1)])));
        let deadbands = Write::Deadbands(vec![(3, 10.0), (4, 11.0)]);
        check(&[0xc0, 2, 34, 1, 0, 3, 4, 10, 0, 11, 0], Ok(Request::Write(vec![deadbands])));
    }

    #[test]
    fn classes_are_enabled_and_assigned() {
        let classes = ClassSet::NONE.with(EventClass::Class1).with(EventClass::Class3);
        check(&[0xc0, 20, 60, 2, 6, 60, 4, 6], Ok(Request::EnableUnsolicited(classes)));
        let octets = [0xc0, 22, 60, 1, 6, 1, 0, 6, 60, 3, 6, 30, 0, 0, 1, 2];
        let muted = Assignment { class: None, kind: PointKind::BinaryInput, selection: Selection::All };
        let second = Assignment {
            class: Some(EventClass::Class2),
            kind: PointKind::AnalogInput,
            selection: Selection::Range { start: 1, stop: 2 },
        };
        check(&octets, Ok(Request::AssignClass(vec![muted, second])));
    }

    #[test]
    fn indices_are_read_from_their_header() {
        let octets = [0xc0, 1, 30, 2, 0x28, 2, 0, 1, 0, 0, 4];
        let Ok(Request::Read(read)) = Request::parse(Fragment::new(&octets)) else { panic!("a read") };
        let Selection::Indices(indices) = read.headers[0].selection else { panic!("indices") };
        assert_eq!(indices.iter().collect::<Vec<_>>(), [1, 1024]);
    }
}
