//! A baseline: who may ask what of whom. Replayed over runs with and without an attack.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use record::{TruthStep, Verdict};
use serde::Deserialize;
use site::{FileError, parse_toml};

use super::{Graded, at, f1};
use crate::logs::ModbusRow;

/// What is said to be usual.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Everything else is unusual.
    allow: Vec<Allowed>,
}

/// Requests that are usual.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    client: Ipv4Addr,
    server: Ipv4Addr,
    /// Functions by Zeek's names, `READ_HOLDING_REGISTERS`.
    functions: BTreeSet<String>,
}

/// Most entries of a baseline.
const ENTRIES_MAX: usize = 4096;

/// Reads a baseline.
///
/// # Errors
/// Text that is not TOML, unknown keys, more than 4096 entries.
pub fn read_baseline(file: &str, text: &str) -> Result<Baseline, FileError> {
    let baseline: Baseline = parse_toml(file, text)?;
    if baseline.allow.len() > ENTRIES_MAX {
        return Err(FileError {
            file: file.to_owned(),
            line: 0,
            problem: format!("{} entries, at most {ENTRIES_MAX}", baseline.allow.len()),
            fix: "join the functions of one pair of hosts in one entry".to_owned(),
        });
    }
    Ok(baseline)
}

impl Baseline {
    fn takes(&self, row: &ModbusRow) -> bool {
        self.allow.iter().any(|allowed| {
            row.client.parse() == Ok(allowed.client)
                && row.server.parse() == Ok(allowed.server)
                && allowed.functions.contains(&*row.function)
        })
    }
}

/// A run as its Modbus log and ground truth tell it.
#[derive(Clone, Debug)]
pub struct ModbusRun {
    /// Scenario and seed, for people.
    pub label: String,
    /// What happened.
    pub truth: Vec<TruthStep>,
    /// Every request and answer.
    pub modbus: Arc<[Arc<ModbusRow>]>,
    /// Address of each host and device by its canonical name.
    pub addresses: std::collections::BTreeMap<String, Ipv4Addr>,
}

/// What a baseline says of requests: client, server, function.
type Pattern = (Arc<str>, Arc<str>, Arc<str>);

/// Grades a baseline by F1: a hostile step that sent Modbus requests outside every known pattern is found where a
/// request from its source to its target in its time is outside the baseline; each other pattern (client, server, function) that is
/// outside the baseline is a false alarm once per run. A step whose requests all look like somebody's daily work cannot be
/// found by any baseline: it is told, and not asked for.
pub fn grade_baseline(runs: &[ModbusRun], baseline: &Baseline) -> Graded {
    let mut graded = Graded::empty();
    let (mut found, mut missed, mut besides) = (0, 0, 0);
    for run in runs {
        let requests = || run.modbus.iter().filter(|row| row.is_request());
        let of = |step: &TruthStep, row: &ModbusRow| {
            let address = |name: &str| run.addresses.get(name).map(ToString::to_string);
            let from = step.source.as_ref().and_then(|source| address(&source.to_string()));
            (step.start..=step.end).contains(&row.t)
                && from.as_deref() == Some(&*row.client)
                && address(&step.target.to_string()).as_deref() == Some(&*row.server)
        };
        let hostile: Vec<&TruthStep> =
            run.truth.iter().filter(|step| step.verdict == Verdict::Attack).collect();
        let pattern = |row: &ModbusRow| (row.client.clone(), row.server.clone(), row.function.clone());
        let (mut daily, mut unusual, mut seen) =
            (BTreeSet::<Pattern>::new(), BTreeSet::<Pattern>::new(), vec![false; hostile.len()]);
        for row in requests() {
            let mut is_hostile = false;
            for (step, seen) in hostile.iter().zip(&mut seen) {
                if of(step, row) {
                    is_hostile = true;
                    *seen |= !baseline.takes(row);
                }
            }
            if !is_hostile {
                daily.insert(pattern(row));
                if !baseline.takes(row) {
                    unusual.insert(pattern(row));
                }
            }
        }
        for (step, seen) in hostile.iter().zip(seen) {
            let mut own = requests().filter(|row| of(step, row)).peekable();
            if own.peek().is_none() {
                continue;
            }
            let what = format!("{}: {} at {}", run.label, step.step, at(step.start));
            if own.all(|row| daily.contains(&pattern(row))) {
                graded.line(
                    None,
                    what,
                    "its requests are the daily work of its source: no baseline can tell",
                );
                continue;
            }
            *(if seen { &mut found } else { &mut missed }) += 1;
            graded.line(
                seen,
                what,
                if seen { "outside the baseline" } else { "inside the baseline: too wide" },
            );
        }
        besides += unusual.len();
        for (client, server, function) in unusual {
            graded.line(
                false,
                format!("{}: {client} to {server}, {function}", run.label),
                "ordinary, and outside the baseline",
            );
        }
    }
    graded.score = f1(found, missed, besides);
    graded
}

#[cfg(test)]
mod tests {
    use record::{EntityId, VirtualTime};

    use super::*;
    use crate::task::rule::tests::step;

    fn row(t: u64, client: &str, function: &str) -> Arc<ModbusRow> {
        Arc::new(ModbusRow {
            t: VirtualTime::from_secs(t),
            uid: "C".into(),
            client: client.into(),
            server: "10.0.0.9".into(),
            unit: None,
            function: function.into(),
            pdu: "REQ".into(),
            exception: None,
        })
    }

    #[test]
    fn wide_and_narrow_baselines_both_cost() {
        let mut dose = step("dose", Verdict::Attack, &[1]);
        dose.source = Some(EntityId::host("laptop"));
        let run = ModbusRun {
            label: "x, seed 1".to_owned(),
            truth: vec![dose],
            modbus: [row(1, "10.0.0.1", "READ_COILS"), row(65, "10.0.0.7", "WRITE_SINGLE_REGISTER")].into(),
            addresses: [
                (EntityId::host("laptop").to_string(), "10.0.0.7".parse().unwrap()),
                (EntityId::device("PLC-1").to_string(), "10.0.0.9".parse().unwrap()),
            ]
            .into(),
        };
        let score = |text: &str| {
            grade_baseline(std::slice::from_ref(&run), &read_baseline("b.toml", text).unwrap()).score
        };
        let reads = "[[allow]]\nclient = \"10.0.0.1\"\nserver = \"10.0.0.9\"\nfunctions = [\"READ_COILS\"]\n";
        assert!((score(reads) - 100.0).abs() < 1e-9);
        assert!((score("allow = []") - 200.0 / 3.0).abs() < 1e-9);
        let wide = "[[allow]]\nclient = \"10.0.0.7\"\nserver = \"10.0.0.9\"\nfunctions = [\"WRITE_SINGLE_REGISTER\"]\n";
        assert_eq!(score(&format!("{reads}{wide}")), 0.0);
    }
}
