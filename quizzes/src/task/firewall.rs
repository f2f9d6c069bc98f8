//! Firewall rules, probed from several places of the network.

use serde::Deserialize;
use site::{FileError, FirewallRule, parse_toml};

use super::Graded;

/// One thing that is tried.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Host that tries.
    pub from: String,
    /// Host that is tried.
    pub to: String,
    /// TCP port.
    pub port: u16,
    /// A Modbus request that is sent where the port can be reached: what counts then is whether it is answered.
    #[serde(default)]
    pub modbus: Option<ModbusProbe>,
    /// What should be.
    pub expect: Reach,
    /// Why.
    pub why: String,
}

/// A request for one value.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModbusProbe {
    /// Function code: 3 or 4 reads a register, 6 writes what was read there.
    pub function: u8,
    /// Register.
    pub address: u16,
}

/// Whether somebody gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// A connection, or an answer.
    Through,
    /// None.
    Blocked,
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOutcome {
    /// Whether it got through.
    pub reach: Reach,
    /// In words: `open`, `no answer in 5 s`, `reset`.
    pub said: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    #[serde(default)]
    firewall: Vec<FirewallRule>,
}

/// Most rules that are taken.
const RULES_MAX: usize = 256;

/// Reads rules as a site file writes them, `[[firewall]]`, each checked by itself.
///
/// # Errors
/// Text that is not TOML, unknown keys, a rule that makes no sense, more than 256 of them.
pub fn read_firewall(file: &str, text: &str) -> Result<Vec<FirewallRule>, FileError> {
    let rules = parse_toml::<RulesFile>(file, text)?.firewall;
    let wrong = |problem: String| FileError {
        file: file.to_owned(),
        line: 0,
        problem,
        fix: "write rules as the site file does: [[firewall]] with name, source, destination, ports, action"
            .to_owned(),
    };
    if rules.len() > RULES_MAX {
        return Err(wrong(format!("{} rules, at most {RULES_MAX}", rules.len())));
    }
    for (index, rule) in rules.iter().enumerate() {
        rule.check().map_err(|problem| wrong(format!("rule {} ({:?}): {problem}", index + 1, rule.name)))?;
    }
    Ok(rules)
}

/// Grades what the probes found: 100 x share blocked of what should be x (share through of what should be) squared, as
/// part C of the score has it. Blocking everything gives 0, allowing everything too.
pub fn grade_firewall(probes: &[Probe], outcomes: &[ProbeOutcome]) -> Graded {
    let mut graded = Graded::empty();
    let share = |wanted: Reach| {
        let asked = || probes.iter().zip(outcomes).filter(move |(probe, _)| probe.expect == wanted);
        let right = asked().filter(|(probe, outcome)| outcome.reach == probe.expect).count();
        (right, asked().count())
    };
    for (probe, outcome) in probes.iter().zip(outcomes) {
        let request = probe
            .modbus
            .map(|modbus| format!(", Modbus function {} register {}", modbus.function, modbus.address));
        let what = format!("{} to {}:{}{}", probe.from, probe.to, probe.port, request.unwrap_or_default());
        let wanted = match probe.expect {
            Reach::Through => "should get through",
            Reach::Blocked => "should be blocked",
        };
        let why = format!("{}; {wanted}: {}", outcome.said, probe.why);
        graded.line(outcome.reach == probe.expect, what, why);
    }
    let (through, legitimate) = share(Reach::Through);
    let (blocked, unwanted) = share(Reach::Blocked);
    let served = through as f64 / legitimate.max(1) as f64;
    graded.score = 100.0 * blocked as f64 / unwanted.max(1) as f64 * served * served;
    graded.line(
        None,
        "in all",
        format!("{blocked} of {unwanted} blocked, {through} of {legitimate} still served: what is blocked times the square of what is served"),
    );
    graded
}

#[cfg(test)]
mod tests {
    use super::*;

    use Reach::{Blocked, Through};

    #[test]
    fn neither_a_wall_nor_a_hole_is_a_firewall() {
        let probe = |expect| Probe {
            from: "a".to_owned(),
            to: "b".to_owned(),
            port: 502,
            modbus: None,
            expect,
            why: "because".to_owned(),
        };
        let probes =
            [probe(Reach::Through), probe(Reach::Blocked), probe(Reach::Blocked), probe(Reach::Through)];
        let score = |reaches: [Reach; 4]| {
            let outcomes = reaches.map(|reach| ProbeOutcome { reach, said: "so".to_owned() });
            grade_firewall(&probes, &outcomes).score
        };
        assert!((score([Through, Blocked, Blocked, Through]) - 100.0).abs() < 1e-9);
        assert_eq!(score([Blocked; 4]), 0.0);
        assert_eq!(score([Through; 4]), 0.0);
        assert!((score([Through, Blocked, Blocked, Blocked]) - 25.0).abs() < 1e-9);
        assert!((score([Through, Blocked, Through, Through]) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn rules_are_read_as_in_a_site_file() {
        let one = "[[firewall]]\nname = \"x\"\nsource = \"10.0.4.10\"\ndestination = \"192.168.1.10\"\nprotocol = \"tcp\"\nports = [1433]\naction = \"allow\"\n";
        assert_eq!(read_firewall("r.toml", one).unwrap().len(), 1);
        assert!(read_firewall("r.toml", &one.replace("1433", "0")).is_err());
        assert!(read_firewall("r.toml", "[[rule]]").is_err());
    }
}
