//! The baseline as a file: what was learnt, for people to read, compare, correct and put under version control.
//!
//! TOML, sorted by address, one table per host, per pair of hosts and service, and per table of registers or kind of
//! points of a device. Who edits it says what is normal: a
//! pair that is taken out is new from then on, one that is put in counts as learnt.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use site::{FileError, MacAddress, parse_toml};
use wire::modbus::Table;

use super::values::{BaselineValues, write_toml};
use super::{Dnp3Facts, Facts, ModbusFacts, Pair, Polls};
use crate::flow::Proto;

/// What was learnt of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Hosts, by address.
    #[serde(default, rename = "host", skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<BaselineHost>,
    /// Who calls whom on which service, by addresses and port.
    #[serde(default, rename = "pair", skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<BaselinePair>,
    /// What registers and points usually say, by device.
    #[serde(default, skip_serializing)]
    pub values: Vec<BaselineValues>,
}

/// A host that belongs to the network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineHost {
    /// Its address.
    pub address: IpAddr,
    /// Network cards that speak for it; none where it was only spoken to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mac: Vec<MacAddress>,
}

/// One host that calls a service of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselinePair {
    /// Who calls.
    pub source: IpAddr,
    /// Who is called.
    pub target: IpAddr,
    /// Transport: tcp, udp or icmp.
    pub transport: Proto,
    /// Service port; of ICMP the type.
    pub port: u16,
    /// Connections open at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub connections: u32,
    /// Mean seconds between requests, where the caller polls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<f64>,
    /// The most requests within a second.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub most_per_second: u32,
    /// Its Modbus requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modbus: Option<BaselineModbus>,
    /// Its DNP3 requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnp3: Option<BaselineDnp3>,
}

/// Modbus requests that are usual between two hosts. Addresses are those of the PDU, counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineModbus {
    /// Function codes.
    pub functions: BTreeSet<u8>,
    /// Unit identifiers.
    pub units: BTreeSet<u8>,
    /// Whether the caller reads.
    pub reads: bool,
    /// Whether the caller writes.
    pub writes: bool,
    /// Coils read, as first and last address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coils: Vec<(u16, u16)>,
    /// Discrete inputs read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discrete_inputs: Vec<(u16, u16)>,
    /// Holding registers read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holding_registers: Vec<(u16, u16)>,
    /// Input registers read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_registers: Vec<(u16, u16)>,
    /// Refusals: function and exception code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<(u8, u8)>,
}

/// DNP3 requests that are usual between two hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineDnp3 {
    /// Application function codes.
    pub functions: BTreeSet<u8>,
    /// Link addresses: master and outstation.
    pub addresses: Vec<(u16, u16)>,
    /// Binary outputs operated, as first and last index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub binary_outputs: Vec<(u16, u16)>,
    /// Analog outputs operated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub analog_outputs: Vec<(u16, u16)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Baseline {
    /// From the text of a file; `file` is its name in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        parse_toml(file, text)
    }

    /// As the text of a file.
    pub fn to_toml(&self) -> String {
        let head = "# What is normal on this network, as the sensor learnt it. Edit it: what stands here is not reported as new.\n\n";
        // A baseline always serialises: no map key is anything but text.
        let mut text = toml::to_string(self).map(|body| format!("{head}{body}")).unwrap_or_default();
        write_toml(&mut text, &self.values);
        text
    }
}

impl Facts {
    /// What was learnt so far, sorted.
    pub(crate) fn baseline(&self) -> Baseline {
        let hosts = self.hosts.iter().map(|(address, cards)| {
            let mut mac = cards.clone();
            mac.sort();
            BaselineHost { address: *address, mac }
        });
        let mut hosts: Vec<_> = hosts.collect();
        hosts.sort();
        let mut pairs: Vec<_> = self.pairs.values().filter(|pair| pair.learnt).map(told).collect();
        pairs.sort_by_key(|pair| (pair.source, pair.target, pair.transport, pair.port));
        Baseline { hosts, pairs, values: self.values.baseline() }
    }

    /// Takes what a file says as learnt.
    pub(crate) fn expect(&mut self, baseline: &Baseline) {
        for host in &baseline.hosts {
            self.hosts.insert(host.address, host.mac.clone());
        }
        self.values.expect(&baseline.values);
        for known in &baseline.pairs {
            let key = (known.source, known.target, known.transport, known.port);
            let pair = self.pairs.entry(key).or_insert_with(|| Pair::new(key));
            pair.learnt = true;
            pair.open_learnt = known.connections;
            // A service that was used accepts connections.
            pair.accepted = true;
            let interval = known.interval_s.filter(|seconds| (0.0..=1e6).contains(seconds));
            let interval = interval.map(|seconds| (seconds * 1e9) as u64);
            pair.polls = Polls::expected(interval, known.most_per_second);
            if let Some(modbus) = &known.modbus {
                if modbus.writes {
                    self.writers.insert(known.source);
                }
                pair.modbus = Some(Box::new(learnt_modbus(modbus)));
            }
            if let Some(dnp3) = &known.dnp3 {
                pair.dnp3 = Some(Box::new(Dnp3Facts {
                    known: true,
                    functions: dnp3.functions.iter().fold(0, |bits, code| bits | 1 << (code & 63)),
                    addresses: dnp3.addresses.clone(),
                    controls: [dnp3.binary_outputs.clone(), dnp3.analog_outputs.clone()],
                }));
            }
        }
    }
}

fn told(pair: &Pair) -> BaselinePair {
    let (source, target, transport, port) = pair.key;
    let modbus = pair.modbus.as_deref().map(|modbus| {
        let ranges = |table: Table| sorted(&modbus.ranges[table as usize]);
        BaselineModbus {
            functions: (0..128).filter(|code| modbus.functions & (1 << code) != 0).collect(),
            units: (0..=255).filter(|unit| modbus.has_unit(*unit)).collect(),
            reads: modbus.reads,
            writes: modbus.writes,
            coils: ranges(Table::Coils),
            discrete_inputs: ranges(Table::DiscreteInputs),
            holding_registers: ranges(Table::HoldingRegisters),
            input_registers: ranges(Table::InputRegisters),
            exceptions: sorted(&modbus.exceptions),
        }
    });
    let dnp3 = pair.dnp3.as_deref().map(|dnp3| BaselineDnp3 {
        functions: (0..64).filter(|code| dnp3.functions & (1 << code) != 0).collect(),
        addresses: sorted(&dnp3.addresses),
        binary_outputs: sorted(&dnp3.controls[0]),
        analog_outputs: sorted(&dnp3.controls[1]),
    });
    BaselinePair {
        source,
        target,
        transport,
        port,
        connections: pair.open_learnt,
        interval_s: pair.polls.interval().map(|nanos| nanos as f64 / 1e9),
        most_per_second: pair.polls.most(),
        modbus,
        dnp3,
    }
}

fn learnt_modbus(modbus: &BaselineModbus) -> ModbusFacts {
    let mut facts = ModbusFacts {
        functions: modbus.functions.iter().fold(0, |bits, code| bits | 1 << (code & 127)),
        exceptions: modbus.exceptions.clone(),
        reads: modbus.reads,
        writes: modbus.writes,
        ..ModbusFacts::default()
    };
    modbus.units.iter().for_each(|unit| facts.learn_unit(*unit));
    for (table, ranges) in [
        (Table::Coils, &modbus.coils),
        (Table::DiscreteInputs, &modbus.discrete_inputs),
        (Table::HoldingRegisters, &modbus.holding_registers),
        (Table::InputRegisters, &modbus.input_registers),
    ] {
        facts.ranges[table as usize].clone_from(ranges);
    }
    facts
}

fn sorted<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort();
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Dnp3Request, RequestFacts, ValueKind};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn what_was_learnt_survives_the_file_and_can_be_edited() {
        let mut facts = Facts::new(100 * SECOND);
        let (hmi, plc) = (IpAddr::from([192, 0, 2, 20]), IpAddr::from([192, 0, 2, 101]));
        let (modbus, dnp3) = ((hmi, plc, Proto::Tcp, 502), (hmi, plc, Proto::Tcp, 20_000));
        facts.tick(1);
        facts.host_seen(hmi, Some(MacAddress([2, 0, 0, 0, 0, 1])));
        facts.host_seen(plc, None);
        let ((one, _), (other, _)) = (facts.open_pair(modbus), facts.open_pair(dnp3));
        facts.accepted(one, modbus);
        facts.accepted(other, dnp3);
        for at in 1..100 {
            facts.tick(at * SECOND);
            let range = Some((Table::HoldingRegisters, 0, 9));
            let request =
                RequestFacts { function: 3, unit: 1, reads: true, writes: false, range, at: at * SECOND };
            facts.request(one, modbus, &request);
        }
        facts.exception(one, modbus, 3, 2);
        let controls = [(false, 3)];
        let request = Dnp3Request { function: 5, addresses: (1, 10), controls: &controls, at: SECOND };
        facts.dnp3_request(other, dnp3, &request);
        for at in 1..100u64 {
            let key = (plc, 1, ValueKind::Holding);
            let sign = f64::from((at as i16 % 7 - 3).cast_unsigned());
            let values = [(0, 5.0), (1, 5.0), (2, at as f64 / 8.0), (9, sign)];
            facts.values.take(key, (0, 10), at * SECOND, true, values.into_iter(), |_| false);
        }
        facts.tick(101 * SECOND);

        let baseline = facts.baseline();
        let text = baseline.to_toml();
        assert!(text.contains("interval_s = 1.0") && text.contains("holding_registers = [[0, 9]]"), "{text}");
        assert_eq!(Baseline::parse("b.toml", &text).unwrap(), baseline);
        assert!(
            text.contains("  { at = [0, 1], low = 5.0, high = 5.0, still_s = 98, "),
            "neighbours: {text}"
        );
        assert!(text.contains("  { at = [9, 9], low = -3.0, high = 3.0, step = 6.0, "), "{text}");
        assert!(text.contains("  { at = [0, 10], readings = 99, repeats = false },"), "{text}");
        let mut again = Facts::new(0);
        again.expect(&baseline);
        again.tick(SECOND);
        assert!(!again.is_learning());
        assert_eq!(again.baseline(), baseline);
        assert!(
            again.is_other_card(hmi, MacAddress([2; 6])) && !again.is_other_card(plc, MacAddress([2; 6]))
        );

        let wrong = text.replace("interval_s", "intervals");
        let error = Baseline::parse("b.toml", &wrong).unwrap_err();
        assert!(error.line > 0 && error.problem.contains("intervals"), "{error}");
    }
}
