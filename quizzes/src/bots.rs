//! Bots: players without understanding, which keep a scenario fair.
//!
//! A scenario is fair when knowing what happened pays and noise does not. Each bot here is a way to play without
//! looking (or, the oracle, with looking at the answers); `bands` says where its part D must lie, over all seeds. The
//! definitions and bands are those of `scoring.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use record::{Call, Confidence, EntityId, Finding, Level, Role, TruthStep, Verdict, VirtualTime};
use serde::Serialize;

use crate::calls::{LONGEST_INTERVAL_S, MOST_ENTITIES};
use crate::logs::{ConnRow, ModbusRow};
use crate::names::EntityNames;
use crate::score::{Form, Score, ScoreInput, score};
use crate::view::{RecordView, ViewError};

/// What a bot may look at. Only those that the law allows look at the truth.
#[derive(Clone, Copy, Debug)]
pub struct BotInput<'a> {
    /// What happened.
    pub truth: &'a [TruthStep],
    /// What the sensor concluded.
    pub findings: &'a [Finding],
    /// Protocol records.
    pub modbus: &'a [std::sync::Arc<ModbusRow>],
    /// Connections.
    pub conn: &'a [std::sync::Arc<ConnRow>],
    /// Names of the run.
    pub names: &'a EntityNames,
    /// Length of the run.
    pub duration: VirtualTime,
    /// Whose eyes it plays with.
    pub role: Role,
}

impl<'a> BotInput<'a> {
    /// Everything that bots look at, from a record with its truth.
    pub fn of(view: &'a RecordView, role: Role) -> Result<Self, ViewError> {
        Ok(Self {
            truth: view.truth()?,
            findings: view.findings()?,
            modbus: view.modbus()?,
            conn: view.conn()?,
            names: view.names(),
            duration: view.manifest().duration,
            role,
        })
    }
}

/// Where a bot's D must lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// No less.
    AtLeast(f64),
    /// No more.
    AtMost(f64),
    /// No more, and no fewer false calls: a scenario without ordinary traffic is no test.
    AtMostWithFalseCalls(f64, usize),
    /// Reported, not judged.
    Reported,
}

/// A bot: name, what it does, how it plays, where it must end.
#[derive(Clone, Copy, Debug)]
pub struct Bot {
    /// Short name.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Where its D must lie in a scenario with an attack.
    pub band: Band,
    play: fn(&BotInput<'_>) -> Vec<Call>,
}

impl Bot {
    /// The calls that it hands in, numbered from 1 by time.
    pub fn play(&self, input: &BotInput<'_>) -> Vec<Call> {
        let mut calls = (self.play)(input);
        calls.sort_by_key(|call| call.t);
        for (call, id) in calls.iter_mut().zip(1..) {
            call.id = id;
        }
        calls
    }
}

/// Every bot that hands in calls.
pub const BOTS: [Bot; 8] = [
    Bot {
        name: "oracle",
        about: "knows every step and event, and calls it 20 s after it can be seen, with the technique, at high confidence",
        band: Band::AtLeast(85.0),
        play: oracle,
    },
    Bot { name: "do-nothing", about: "hands in nothing", band: Band::AtMost(0.0), play: |_| Vec::new() },
    Bot {
        name: "alert-on-everything",
        about: "a low call for every new pair of hosts, every write and every exception",
        band: Band::AtMostWithFalseCalls(15.0, 9),
        play: alert_on_everything,
    },
    Bot {
        name: "silent",
        about: "one low call naming the last step's target only, 120 s after it can be seen",
        band: Band::AtMost(25.0),
        play: silent,
    },
    Bot {
        name: "all-entities",
        about: "every minute a low call naming the four busiest entities",
        band: Band::AtMost(10.0),
        play: all_entities,
    },
    Bot {
        name: "clock",
        about: "every five minutes a low call naming one controller in turn",
        band: Band::AtMost(10.0),
        play: clock,
    },
    Bot {
        name: "stuffed",
        about: "one low call per controller in the last minute of the run",
        band: Band::AtMost(5.0),
        play: stuffed,
    },
    Bot {
        name: "copy-the-sensor",
        about: "hands in every finding above informational: the sensor's own score",
        band: Band::Reported,
        play: copy_the_sensor,
    },
];

/// A bot by name.
pub fn bot(name: &str) -> Option<&'static Bot> {
    BOTS.iter().find(|bot| bot.name == name)
}

/// What a bot came to in one run.
#[derive(Clone, Debug, Serialize)]
pub struct BotResult {
    /// Name of the bot.
    pub bot: &'static str,
    /// Calls that it handed in.
    pub calls: usize,
    /// Its score.
    pub score: Score,
}

/// Lets every bot play a run. `false_call_weight` is W of the scenario (see [`ScoreInput`]).
pub fn play_all(input: &BotInput<'_>, false_call_weight: Option<f64>) -> Vec<BotResult> {
    let play = |bot: &Bot| {
        let calls = bot.play(input);
        let score = score(&ScoreInput {
            truth: input.truth,
            calls: &calls,
            duration: input.duration,
            role: input.role,
            form: Form::Live,
            names: input.names,
            false_call_weight,
        });
        BotResult { bot: bot.name, calls: calls.len(), score }
    };
    BOTS.iter().map(play).collect()
}

/// A bot outside its band.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[error("{bot}: {problem}")]
pub struct BandViolation {
    /// Name of the bot.
    pub bot: String,
    /// What it came to, and what it should have.
    pub problem: String,
}

/// Which bots of one run are outside their bands. For runs with an attack; the law has no bands for others.
pub fn bands(results: &[BotResult]) -> Vec<BandViolation> {
    let mut violations = Vec::new();
    for result in results {
        let Some(bot) = bot(result.bot) else { continue };
        let mut violate =
            |problem: String| violations.push(BandViolation { bot: bot.name.to_owned(), problem });
        let Some(d) = result.score.detect else {
            violate("no D: nothing of the attack can be seen".to_owned());
            continue;
        };
        match bot.band {
            Band::AtLeast(least) if d < least => violate(format!("D is {d:.1}, should be at least {least}")),
            Band::AtMost(most) | Band::AtMostWithFalseCalls(most, _) if d > most => {
                violate(format!("D is {d:.1}, should be at most {most}"));
            }
            _ => {}
        }
        if let Band::AtMostWithFalseCalls(_, fewest) = bot.band {
            let count = result.score.metrics.false_calls;
            if count < fewest {
                violate(format!(
                    "{count} false calls, the scenario's ordinary traffic should give at least {fewest}"
                ));
            }
        }
    }
    violations
}

/// A low call of *attack* at `t` about the span that ends there.
fn low(t: VirtualTime, span: Duration, entities: Vec<EntityId>) -> Call {
    Call {
        id: 0,
        t,
        interval: [t - span, t],
        entities,
        verdict: Verdict::Attack,
        technique: None,
        confidence: Confidence::Low,
        evidence: Vec::new(),
        case: None,
    }
}

const MINUTE: Duration = Duration::from_mins(1);

fn oracle(input: &BotInput<'_>) -> Vec<Call> {
    let longest = Duration::from_secs_f64(LONGEST_INTERVAL_S);
    let seen = input.truth.iter().filter_map(|step| Some((step, step.observable_by(input.role)?)));
    seen.map(|(step, observable)| {
        let t = (observable + Duration::from_secs(20)).min(input.duration);
        let mut entities = vec![step.target.clone()];
        entities.extend(step.entities().into_iter().filter(|entity| *entity != step.target));
        entities.truncate(MOST_ENTITIES);
        // The step may have been over, or long under way, when it could first be seen.
        let end = t.min(step.end.max(step.start));
        let start = step.start.max(end - longest);
        Call {
            interval: [start, end.max(start)],
            verdict: step.verdict,
            technique: step.techniques.first().cloned(),
            confidence: Confidence::High,
            ..low(t, MINUTE, entities)
        }
    })
    .collect()
}

fn alert_on_everything(input: &BotInput<'_>) -> Vec<Call> {
    let about = |t: VirtualTime, client: &str, server: &str| {
        let entities: Vec<EntityId> =
            [server, client].into_iter().filter_map(|address| input.names.at(address)).collect();
        (!entities.is_empty())
            .then(|| low((t + Duration::from_secs(1)).min(input.duration), MINUTE, entities))
    };
    let mut pairs = BTreeSet::new();
    let new_pairs = input.conn.iter().filter(|row| pairs.insert((row.client.clone(), row.server.clone())));
    let mut calls: Vec<Call> = new_pairs.filter_map(|row| about(row.t, &row.client, &row.server)).collect();
    let loud = input.modbus.iter().filter(|row| row.is_write() || row.exception.is_some());
    calls.extend(loud.filter_map(|row| about(row.t, &row.client, &row.server)));
    calls
}

fn silent(input: &BotInput<'_>) -> Vec<Call> {
    let attack = input.truth.iter().filter(|step| step.verdict == Verdict::Attack);
    let seen = attack.filter_map(|step| Some((step.observable_by(input.role)?, step)));
    let last = seen.max_by_key(|(observable, step)| (*observable, step.step.clone()));
    last.map(|(observable, step)| {
        let t = (observable + 2 * MINUTE).min(input.duration);
        low(t, 2 * MINUTE, vec![step.target.clone()])
    })
    .into_iter()
    .collect()
}

/// The busiest by rows of the protocol log in the minute before; where it was quiet, by all rows so far.
fn all_entities(input: &BotInput<'_>) -> Vec<Call> {
    let mut so_far: BTreeMap<EntityId, u64> = BTreeMap::new();
    let mut next = 0;
    let mut calls = Vec::new();
    let mut t = VirtualTime::ZERO + MINUTE;
    while t <= input.duration {
        let mut minute: BTreeMap<EntityId, u64> = BTreeMap::new();
        while let Some(row) = input.modbus.get(next).filter(|row| row.t <= t) {
            for entity in [&row.client, &row.server].into_iter().filter_map(|a| input.names.at(a)) {
                *minute.entry(entity).or_default() += 1;
            }
            next += 1;
        }
        for (entity, count) in &minute {
            *so_far.entry(entity.clone()).or_default() += count;
        }
        let counts = if minute.is_empty() { &so_far } else { &minute };
        let mut busiest: Vec<(&EntityId, &u64)> = counts.iter().collect();
        busiest.sort_by_key(|(entity, count)| (std::cmp::Reverse(**count), *entity));
        let entities: Vec<EntityId> =
            busiest.into_iter().take(MOST_ENTITIES).map(|(entity, _)| entity.clone()).collect();
        if !entities.is_empty() {
            calls.push(low(t, MINUTE, entities));
        }
        t += MINUTE;
    }
    calls
}

fn clock(input: &BotInput<'_>) -> Vec<Call> {
    let devices: Vec<&EntityId> = input.names.devices().collect();
    let mut calls = Vec::new();
    let mut t = VirtualTime::ZERO + 5 * MINUTE;
    for device in devices.iter().cycle() {
        if t > input.duration {
            break;
        }
        calls.push(low(t, 5 * MINUTE, vec![(*device).clone()]));
        t += 5 * MINUTE;
    }
    calls
}

fn stuffed(input: &BotInput<'_>) -> Vec<Call> {
    let t = input.duration - MINUTE / 2;
    input.names.devices().map(|device| low(t, 15 * MINUTE, vec![device.clone()])).collect()
}

fn copy_the_sensor(input: &BotInput<'_>) -> Vec<Call> {
    let loud = input.findings.iter().filter(|f| f.level > Level::Informational && f.t <= input.duration);
    loud.filter_map(|finding| {
        let entities: Vec<EntityId> = finding.entities.iter().take(MOST_ENTITIES).cloned().collect();
        (!entities.is_empty()).then(|| Call {
            technique: finding.techniques.first().cloned(),
            confidence: match finding.level {
                Level::Informational | Level::Low => Confidence::Low,
                Level::Medium => Confidence::Mid,
                Level::High | Level::Critical => Confidence::High,
            },
            evidence: finding.frames.iter().map(ToString::to_string).collect(),
            ..low(finding.t, MINUTE, entities)
        })
    })
    .collect()
}
