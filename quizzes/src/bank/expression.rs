//! What expressions may speak of: the record as variables and functions of CEL.
//!
//! | name | what it is |
//! |---|---|
//! | `truth` | steps and benign events by start: `step campaign verdict summary techniques start end source target points frames severity limit_time consequences ticket` |
//! | `findings` | findings of the sensor: `t rule level techniques entities message` |
//! | `modbus` | rows of `modbus.log`: `t uid client server unit function pdu exception request write` |
//! | `conn` | rows of `conn.log`: `t uid client server port protocol service duration client_octets server_octets state` |
//! | `run` | `scenario start duration site` |
//! | `process.at(tag, t)` | the value in the last row up to `t` |
//! | `process.max(tag, from, to)`, `process.min(tag, from, to)` | over the rows of a span |
//! | `process.first_above(tag, limit, from)`, `process.first_below(tag, limit, from)` | time of the first such row, null if none |
//! | `process.seconds_above(tag, limit)` | number of rows above, which stand one second apart |
//! | `name_of(address)` | canonical name of a host or device; the address itself where nobody knows it |
//! | `time_of_day(t)` | `HH:MM:SS` in UTC |
//! | `second_of_day(t)` | the same as seconds since midnight UTC, as an interval question wants it |
//! | `technique(id)` | id and name, `T0836 Modify Parameter` |
//! | `techniques_of(tactic)` | ids of a tactic |
//! | `distinct(list)`, `flatten(list)` | without repetition; lists in a list as one |
//! | `in_order(list of [t, text])` | the texts by time; those whose time is null are left out |
//! | `rounded(x, digits)` | a number in few digits |
//!
//! Times are seconds since the start of the run, as doubles; counts are ints. Tables are read from disk only where an
//! expression names them, and a row of a log hands out its fields when asked: a day of polling stays a day of polling
//! and does not become a million maps.

use std::any::Any;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use cel::common::traits::Indexer;
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::objects::{Key, Map};
use cel::{Context, ExecutionError, Program, Value};
use record::{Finding, Role, TruthStep, Verdict, attack};

use crate::logs::{ConnRow, ModbusRow, ProcessTable};
use crate::view::{RecordView, ViewError};

/// A row of a log as a value of CEL: fields are made when asked for.
trait Row: Debug + Send + Sync + 'static {
    /// The field, or nothing where the row has no such field or it is not set.
    fn field(&self, name: &str) -> Option<Box<dyn Val>>;
}

fn text(text: &str) -> Box<dyn Val> {
    Box::new(CelString::from(text.to_owned()))
}

fn count(count: u64) -> Box<dyn Val> {
    Box::new(CelInt::from(i64::try_from(count).unwrap_or(i64::MAX)))
}

impl Row for ModbusRow {
    fn field(&self, name: &str) -> Option<Box<dyn Val>> {
        Some(match name {
            "t" => Box::new(CelDouble::from(self.t.as_secs_f64())),
            "uid" => text(&self.uid),
            "client" => text(&self.client),
            "server" => text(&self.server),
            "unit" => count(self.unit?),
            "function" => text(&self.function),
            "pdu" => text(&self.pdu),
            "exception" => text(self.exception.as_deref().unwrap_or_default()),
            "request" => Box::new(CelBool::from(self.is_request())),
            "write" => Box::new(CelBool::from(self.is_write())),
            _ => return None,
        })
    }
}

impl Row for ConnRow {
    fn field(&self, name: &str) -> Option<Box<dyn Val>> {
        Some(match name {
            "t" => Box::new(CelDouble::from(self.t.as_secs_f64())),
            "uid" => text(&self.uid),
            "client" => text(&self.client),
            "server" => text(&self.server),
            "port" => count(self.port),
            "protocol" => text(&self.protocol),
            "service" => text(self.service.as_deref().unwrap_or_default()),
            "duration" => Box::new(CelDouble::from(self.duration_s?)),
            "client_octets" => count(self.client_octets?),
            "server_octets" => count(self.server_octets?),
            "state" => text(self.state.as_deref().unwrap_or_default()),
            _ => return None,
        })
    }
}

/// Shares the row with the table.
#[derive(Debug)]
struct RowVal<R>(Arc<R>);

static ROW_TYPE: LazyLock<Type> = LazyLock::new(|| Type::new_unspecified_type("row"));

impl<R: Row> Val for RowVal<R> {
    fn get_type(&self) -> &Type {
        &ROW_TYPE
    }
    fn cel_type() -> &'static Type {
        &ROW_TYPE
    }
    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(Self(self.0.clone()))
    }
    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl<R: Row> StaticVal for RowVal<R> {}

impl<R: Row> Indexer for RowVal<R> {
    fn get<'b, 'v>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = key.downcast_ref::<CelString<'_>>().map(CelString::inner).unwrap_or_default();
        self.0.field(name).map(CowVal::Owned).ok_or_else(|| ExecutionError::no_such_key(name))
    }
    fn steal<'v>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

fn rows<R: Row>(rows: &[Arc<R>]) -> Box<dyn Val> {
    let rows: Vec<Box<dyn Val>> =
        rows.iter().map(|row| Box::new(RowVal(row.clone())) as Box<dyn Val>).collect();
    Box::new(CelList::from(rows))
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let entries = entries.into_iter().map(|(name, value)| (Key::from(name), value));
    Value::Map(Map { map: Arc::new(entries.collect()) })
}

fn list<T>(items: impl IntoIterator<Item = T>, value: impl Fn(T) -> Value) -> Value {
    Value::List(Arc::new(items.into_iter().map(value).collect()))
}

fn string(text: impl ToString) -> Value {
    Value::from(text.to_string())
}

fn step_value(step: &TruthStep) -> Value {
    let seen = |role| step.observable_by(role).map_or(Value::Null, |t| Value::Float(t.as_secs_f64()));
    map([
        ("step", string(&step.step)),
        ("campaign", string(&step.campaign)),
        (
            "verdict",
            string(match step.verdict {
                Verdict::Attack => "attack",
                Verdict::Fault => "fault",
                Verdict::Authorised => "authorised",
            }),
        ),
        ("summary", string(&step.summary)),
        ("techniques", list(&step.techniques, string)),
        ("start", Value::Float(step.start.as_secs_f64())),
        ("end", Value::Float(step.end.as_secs_f64())),
        ("seen_by_analyst", seen(Role::Analyst)),
        ("seen_by_operator", seen(Role::Operator)),
        ("source", step.source.as_ref().map_or(Value::Null, string)),
        ("target", string(&step.target)),
        ("points", list(&step.points, string)),
        ("frames", list(&step.frames, |frame| Value::Int(*frame as i64))),
        ("severity", Value::Int(i64::from(step.severity))),
        ("limit_time", step.limit_time.map_or(Value::Null, |t| Value::Float(t.as_secs_f64()))),
        (
            "consequences",
            list(&step.consequences, |c| {
                map([
                    ("name", string(&c.name)),
                    ("point", string(&c.point)),
                    ("t", Value::Float(c.time.as_secs_f64())),
                ])
            }),
        ),
        ("ticket", step.ticket.as_ref().map_or(Value::Null, string)),
    ])
}

fn finding_value(finding: &Finding) -> Value {
    map([
        ("t", Value::Float(finding.t.as_secs_f64())),
        ("rule", string(&finding.rule)),
        ("level", string(finding.level)),
        ("techniques", list(&finding.techniques, string)),
        ("entities", list(&finding.entities, string)),
        ("message", string(&finding.message)),
    ])
}

/// The context in which expressions over a record are evaluated. Tables are loaded where one of `programs` names them.
pub(super) fn context<'v>(
    view: &RecordView,
    programs: &[&Program],
) -> Result<Context<'static, 'v>, ViewError> {
    let named = |name: &str| programs.iter().any(|program| program.references().has_variable(name));
    let mut context = Context::default();
    if named("truth") {
        let mut steps: Vec<&TruthStep> = view.truth()?.iter().collect();
        steps.sort_by(|a, b| (a.start, &a.step).cmp(&(b.start, &b.step)));
        context.add_variable_from_value("truth", list(steps, step_value));
    }
    if named("findings") {
        context.add_variable_from_value("findings", list(view.findings()?, finding_value));
    }
    if named("modbus") {
        context.add_variable_as_val("modbus", rows(view.modbus()?));
    }
    if named("conn") {
        context.add_variable_as_val("conn", rows(view.conn()?));
    }
    let manifest = view.manifest();
    let run = map([
        ("scenario", string(&manifest.scenario)),
        ("start", string(manifest.start)),
        ("duration", Value::Float(manifest.duration.as_secs_f64())),
        ("site", string(&manifest.site)),
    ]);
    context.add_variable_from_value("run", run);
    add_functions(&mut context, view);
    if named("process") {
        add_process(&mut context, view.process()?);
    }
    Ok(context)
}

fn add_functions(context: &mut Context<'_, '_>, view: &RecordView) {
    let start = view.manifest().start;
    let names = view.names().clone();
    // None of these names is one of the standard library's, so adding cannot fail.
    let _ = context.add_function("time_of_day", move |t: Value| {
        let at = record::VirtualTime::from_secs_f64(real("time_of_day", &t)?);
        Ok::<_, ExecutionError>(string(start.time_of_day(at)))
    });
    let _ = context.add_function("second_of_day", move |t: Value| {
        let at = record::VirtualTime::from_secs_f64(real("second_of_day", &t)?);
        Ok::<f64, ExecutionError>((start.unix_nanos(at) % (86_400 * 1_000_000_000)) as f64 / 1e9)
    });
    let _ = context.add_function("name_of", move |address: Arc<String>| {
        names.resolve(&address).map_or_else(|_| address.to_string(), |entity| entity.to_string())
    });
    let _ = context.add_function("technique", |id: Arc<String>| {
        attack::technique(&id)
            .map(|technique| string(format!("{} {}", technique.id, technique.name)))
            .ok_or_else(|| ExecutionError::function_error("technique", format!("{id:?} is no technique")))
    });
    let _ = context.add_function("techniques_of", |tactic: Arc<String>| {
        let of = attack::techniques().filter(|t| t.tactics().any(|name| name == *tactic));
        list(of, |technique| string(technique.id))
    });
    let _ = context.add_function("distinct", |items: Arc<Vec<Value>>| {
        let mut found: Vec<Value> = Vec::new();
        for item in items.iter() {
            if !found.contains(item) {
                found.push(item.clone());
            }
        }
        Value::List(Arc::new(found))
    });
    let _ = context.add_function("flatten", |items: Arc<Vec<Value>>| {
        let mut found = Vec::new();
        for item in items.iter() {
            match item {
                Value::List(inner) => found.extend(inner.iter().cloned()),
                other => found.push(other.clone()),
            }
        }
        Value::List(Arc::new(found))
    });
    let _ = context.add_function("in_order", |items: Arc<Vec<Value>>| {
        let mut timed: Vec<(f64, Value)> = Vec::new();
        for item in items.iter() {
            let Value::List(pair) = item else {
                return Err(ExecutionError::function_error("in_order", "wants a list of [time, text]"));
            };
            match pair.as_slice() {
                [Value::Null, _] => {}
                [t, text] => timed.push((real("in_order", t)?, text.clone())),
                _ => return Err(ExecutionError::function_error("in_order", "wants a list of [time, text]")),
            }
        }
        timed.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(list(timed, |(_, text)| text))
    });
    let _ = context.add_function("rounded", |x: Value, digits: i64| {
        let scale = libm::pow(10.0, digits.clamp(0, 9) as f64);
        Ok::<f64, ExecutionError>((real("rounded", &x)? * scale).round() / scale)
    });
}

/// Takes the better of two values.
type Better = fn(f64, f64) -> f64;
/// Whether a value is beyond a limit.
type Beyond = fn(&f64, &f64) -> bool;

fn add_process(context: &mut Context<'_, '_>, table: &Arc<ProcessTable>) {
    let read = |function: &'static str| {
        let table = table.clone();
        move |tag: &str| {
            let failed = |error: crate::logs::TableError| ExecutionError::function_error(function, error);
            Ok::<_, ExecutionError>((table.times().map_err(failed)?, table.column(tag).map_err(failed)?))
        }
    };
    let columns = read("process.at");
    let _ = context.add_function("process.at", move |tag: Arc<String>, t: Value| {
        let (times, values) = columns(&tag)?;
        let t = real("process.at", &t)?;
        let row = times.partition_point(|time| *time <= t);
        let value = row.checked_sub(1).and_then(|row| values.get(row));
        value
            .copied()
            .ok_or_else(|| ExecutionError::function_error("process.at", format!("no row up to {t} s")))
    });
    let extremes: [(&'static str, Better); 2] = [("process.max", f64::max), ("process.min", f64::min)];
    for (name, better) in extremes {
        let columns = read(name);
        let _ = context.add_function(name, move |tag: Arc<String>, from: Value, to: Value| {
            let (times, values) = columns(&tag)?;
            let (from, to) = (real(name, &from)?, real(name, &to)?);
            let within =
                times.iter().zip(values.iter()).filter(|(t, v)| (from..=to).contains(*t) && !v.is_nan());
            within.map(|(_, value)| *value).reduce(better).ok_or_else(|| {
                ExecutionError::function_error(name, format!("no row from {from} s to {to} s"))
            })
        });
    }
    let firsts: [(&'static str, Beyond); 2] =
        [("process.first_above", f64::gt), ("process.first_below", f64::lt)];
    for (name, beyond) in firsts {
        let columns = read(name);
        let _ = context.add_function(name, move |tag: Arc<String>, limit: Value, from: Value| {
            let (times, values) = columns(&tag)?;
            let (limit, from) = (real(name, &limit)?, real(name, &from)?);
            let first = times.iter().zip(values.iter()).find(|(t, v)| **t >= from && beyond(v, &limit));
            Ok::<Value, ExecutionError>(first.map_or(Value::Null, |(t, _)| Value::Float(*t)))
        });
    }
    let columns = read("process.seconds_above");
    let _ = context.add_function("process.seconds_above", move |tag: Arc<String>, limit: Value| {
        let (_, values) = columns(&tag)?;
        let limit = real("process.seconds_above", &limit)?;
        Ok::<i64, ExecutionError>(values.iter().filter(|value| **value > limit).count() as i64)
    });
}

/// A number of CEL of any kind.
fn real(function: &str, value: &Value) -> Result<f64, ExecutionError> {
    number(value)
        .ok_or_else(|| ExecutionError::function_error(function, format!("wants a number, got {value:?}")))
}

/// The number that a value is.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::UInt(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// A value as people read it; nothing for lists, maps and rows.
pub(super) fn words(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => format!("{}", (number * 1000.0).round() / 1000.0),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        _ => return None,
    })
}
