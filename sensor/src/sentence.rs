//! Records in one sentence: words first, then numbers.

use std::fmt::Write as _;

use crate::event::{Facts, ModbusRecord, Point, Record};
use crate::facts::ReportsOff;
use crate::flow::Outcome;
use crate::known::HostView;
use crate::process::{Broken, Strain};

/// What happened, for the message of a finding.
pub(crate) fn sentence(record: &Record<'_>) -> String {
    let source = host(&record.source);
    let target = match (record.device, &record.target) {
        (Some(device), _) => device.to_owned(),
        (None, Some(target)) => host(target),
        (None, None) => String::new(),
    };
    match &record.facts {
        Facts::Modbus(modbus) => modbus_sentence(modbus, &source, &target),
        Facts::Dnp3(dnp3) => dnp3.sentence(&source, &target),
        Facts::Attempt { outcome, port, news } => {
            let what = match outcome {
                Outcome::Established => "connection taken",
                Outcome::Refused => "connection refused",
                Outcome::Unanswered => "connection not answered",
                Outcome::Dropped => "connection taken and dropped at once",
            };
            let mut text = format!("{what}, from {source} to {target}, port {port}");
            if news.open > 1 {
                let _ = write!(text, ", {} open", news.open);
            }
            text
        }
        Facts::Host { new: true, .. } => format!("first frame of {source} on the plant network"),
        Facts::Host { .. } => format!("another network card speaks for {source}"),
        Facts::Arp { target } => format!("question on the switch by {source}, for {target}"),
        Facts::Poll { lost } => format!(
            "no more polls of {target} by {source}, silent for {} s, before that one every {} s",
            number(lost.silence as f64 / 1e9),
            number(lost.interval as f64 / 1e9)
        ),
        Facts::Process { broken, names } => process_sentence(broken, names),
        Facts::Grid { strain, breaker } => {
            format!("{}, by {source} to {target}", grid_sentence(strain, breaker))
        }
        Facts::Reports { off, .. } => reports_sentence(off, &source, &target),
        Facts::Values(news) => news.sentence(&source),
        Facts::Conn(conn) => format!(
            "connection from {source} to {target} over, {}, {} and {} octets",
            conn.conn_state, conn.sizes.0, conn.sizes.1
        ),
        Facts::Weird { name } => format!("oddity {name}, from {source}"),
    }
}

fn modbus_sentence(modbus: &ModbusRecord<'_>, source: &str, target: &str) -> String {
    let count = usize::from(modbus.quantity.unwrap_or(1));
    let noun = match (modbus.bits, count) {
        (true, 1) => "bit",
        (true, _) => "bits",
        (false, 1) => "register",
        (false, _) => "registers",
    };
    if let Some(exception) = modbus.exception {
        let words = exception.to_lowercase().replace('_', " ");
        return format!("refusal by {target}, {words}, of function {} of {source}", modbus.function);
    }
    if modbus.write {
        let mut text = format!("write of {} {noun} to {target}", count_word(count));
        for point in modbus.points.iter().take(4) {
            let _ = write!(text, ", {}", change(point));
        }
        if modbus.points.is_empty()
            && let Some(address) = modbus.address
        {
            let _ = write!(text, ", address {address}, not in its register map");
        }
        if let Some(judged) = modbus.judged.as_ref().filter(|judged| judged.residual > 0.0) {
            text += &impossible(judged);
        }
        let _ = write!(text, ", by {source}");
        return text;
    }
    if modbus.identity {
        return format!("question to {target} who it is, function {}, by {source}", modbus.function);
    }
    if modbus.read {
        let from = modbus.address.map(|address| format!(", from address {address} on")).unwrap_or_default();
        return format!("read of {} {noun} from {target}{from}, by {source}", count_word(count));
    }
    let sub = modbus.sub_function.map(|sub| format!("/{sub}")).unwrap_or_default();
    let way = if modbus.request { "request to" } else { "answer of" };
    format!("{way} {target}, function {}{sub}, {source}", modbus.function)
}

fn process_sentence(broken: &Broken<'_>, names: &[&str]) -> String {
    let name = |place: usize| names.get(place).copied().unwrap_or("?");
    let (found, limit) = (number(broken.found), number(broken.limit));
    let value = |place: usize| number(broken.values[place]);
    match broken.law {
        "agree" => format!(
            "{} and {} should agree, {} against {}, allowed difference {limit}",
            name(0),
            name(1),
            value(0),
            value(1)
        ),
        "rate" => {
            format!("{} moved faster than the plant can, {found} in a second, at most {limit}", name(0))
        }
        "moves" => format!(
            "{} has stood still to the last digit, at {} for {found} s, at most {limit} s",
            name(0),
            value(0)
        ),
        "balance" => format!(
            "{} does not follow what flows in and out ({}), {found} m3/s missing, at most {limit}",
            name(0),
            names.get(1..).unwrap_or_default().join(", ")
        ),
        "follows" => format!("{} does not follow {}, for {found} s, at most {limit} s", name(1), name(0)),
        "flow_needs" => format!(
            "{} shows a flow while {} are closed or stand, {found}, at most {limit}",
            name(0),
            names.get(1..).unwrap_or_default().join(" and ")
        ),
        "dose_within_capacity" => format!("{} set to {}", name(0), value(0)) + &impossible(broken),
        _ => format!(
            "readings of {} repeat earlier ones number for number, {found} in a row, at most {limit}",
            name(0)
        ),
    }
}

/// `opening of 52-78, the last line of bus 7: unit G2, 163 MW, would be cut off, 52 % of the load`.
fn grid_sentence(strain: &Strain, breaker: &str) -> String {
    if !strain.joined.is_empty() {
        let parts = strain.joined.join(" and ");
        return format!(
            "closing of {breaker} would join parts that run apart ({parts}), with the synchronism check bypassed"
        );
    }
    let mut text = format!("opening of {breaker}");
    match (&strain.last_of, &strain.line) {
        (Some(bus), _) => drop(write!(text, ", the last line of bus {bus}")),
        (None, Some(line)) => drop(write!(text, " on line {line}")),
        (None, None) => {}
    }
    let mut colon = ": ";
    if !strain.cut.is_empty() {
        let what = if strain.is_island { "go on alone" } else { "be cut off" };
        let _ = write!(
            text,
            ": {} would {what}, {:.0} MW, {:.0} % of the load",
            strain.cut.join(" and "),
            strain.cut_mw,
            strain.cut_share * 100.0
        );
        colon = "; ";
    }
    if let Some((line, found, rating)) = &strain.overload {
        let _ = write!(text, "{colon}line {line} would carry {found:.0} MW, rated {rating:.0}");
    }
    text
}

fn reports_sentence(off: &ReportsOff, master: &str, outstation: &str) -> String {
    let span = number((off.off as f64 / 1e9).round());
    let until = if off.ended { ", until one of the two started up" } else { "" };
    format!(
        "unsolicited reports of {outstation} disabled by {master} and not enabled again, for {span} s{until}"
    )
}

fn impossible(judged: &Broken<'_>) -> String {
    format!(
        ", more than the pump can give: {} kg/h asked at {} L/s, {} kg/h possible",
        number(judged.found),
        number(judged.values[1]),
        number(judged.limit)
    )
}

/// `NaOH dose setpoint 100 -> 11,100 mg/L`.
fn change(point: &Point<'_>) -> String {
    let value = |value: f64| match point.states.get(value as usize) {
        Some(state) if value >= 0.0 => state.clone(),
        _ => number(value),
    };
    let name = if point.description.is_empty() { point.tag } else { point.description };
    let before = point.before.map(|before| format!("{} -> ", value(before))).unwrap_or_default();
    let unit = if point.unit.is_empty() { String::new() } else { format!(" {}", point.unit) };
    format!("{name} {before}{}{unit}", value(point.value))
}

/// `hmi`, or the address with a word that nobody knows it.
fn host(view: &HostView<'_>) -> String {
    match view.name {
        Some(name) => name.to_owned(),
        None if view.known => view.address.to_string(),
        None => format!("{} (unknown)", view.address),
    }
}

fn count_word(count: usize) -> String {
    let words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    words.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

/// At most three decimals, thousands with commas.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{:.3}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = if value.abs() >= 1000.0 { "" } else { fraction.trim_end_matches('0') };
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 && (whole != "0" || !fraction.is_empty()) { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (11_100.0, "11,100"),
            (0.05, "0.05"),
            (-12.5, "-12.5"),
            (1_234_567.8, "1,234,567"),
            (-0.0001, "0"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_change_is_told_in_words_first() {
        let mut point = Point {
            address: 0,
            number: 0,
            tag: "NAOH.SP",
            description: "NaOH dose setpoint",
            unit: "mg/L",
            kind: "setpoint",
            states: &[],
            before: Some(100.0),
            value: 11_100.0,
            unusual: true,
        };
        assert_eq!(change(&point), "NaOH dose setpoint 100 -> 11,100 mg/L");
        let states = ["stop".to_owned(), "run".to_owned()];
        point = Point {
            states: &states,
            unit: "",
            description: "P-301 command",
            before: Some(1.0),
            value: 0.0,
            ..point
        };
        assert_eq!(change(&point), "P-301 command run -> stop");
    }
}
