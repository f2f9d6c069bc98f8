//! A tabletop exercise: what its decisions lead to, its score, its pages.
//!
//! # Theory of operation
//! [`Table`] is a tabletop file laid over one plan: every move and decision has its time. [`Worked`] holds what comes of
//! each option: the day is run again with the option's commands at their time ([`consequence`]), by the same courses that
//! a report is made of. A sheet says what one team did; [`Outcome`] runs the day once more with all its decisions together
//! and scores it ([`outcome`]). [`pages`] writes all that for print.
//!
//! Everything is a function of file, seed and sheet: the same pages come out word for word.
//!
//! # What can go wrong
//! A command that this plant refuses ends the work with the lab's reason: an option that does nothing must not look like
//! one that was tried.

mod consequence;
mod outcome;
pub(crate) mod pages;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use record::VirtualTime;
use scenarios::Tabletop;
use scenarios::tabletop::fill::{Moment, Placeholder, filled, placeholders};
use scenarios::tabletop::{Choice, Decision, Schedule, Sheet};
use serde::Serialize;

pub(crate) use consequence::Consequence;
use consequence::day;
pub(crate) use outcome::{Outcome, play_out};

use crate::cli::WhichRun;
use crate::order::{Ordered, order};
use crate::report::Timed;
use crate::side_by_side::in_order;

/// Where a decision's commands come from, in the journal of a twin.
const SOURCE: &str = "tabletop";

/// A tabletop for one seed.
pub(crate) struct Table {
    pub(crate) tabletop: Tabletop,
    pub(crate) ordered: Ordered,
    pub(crate) schedule: Schedule,
}

impl Table {
    /// Reads a tabletop and lays it over the plan of a seed.
    ///
    /// # Errors
    /// There is none, it does not make sense, or the plan has another cause than the attack.
    pub(crate) fn open(name: &str, language: &str, which: &WhichRun) -> Result<Self> {
        if which.blind {
            bail!("a tabletop plays the scenario's attack\n  fix: leave --blind out");
        }
        let ordered = order(name, which)?;
        let tabletop = Tabletop::load(name, language, &ordered.scenario)?;
        let schedule = tabletop.schedule(&ordered.order.plan)?;
        Ok(Self { tabletop, ordered, schedule })
    }

    /// Hour and minute of a moment, by the plant's clock.
    pub(crate) fn clock(&self, t: VirtualTime) -> String {
        let time = self.ordered.order.plan.start.time_of_day(t);
        time.get(..5).unwrap_or(&time).to_owned()
    }

    /// When a move or an event of the scenario comes.
    fn time_of(&self, name: &str) -> Option<VirtualTime> {
        let moves = &self.tabletop.file().moves;
        let number = moves.iter().position(|it| it.id.get_ref() == name);
        let event = || self.ordered.order.plan.event(name).map(|event| event.at);
        number.and_then(|number| self.schedule.moves.get(number).copied()).or_else(event)
    }

    /// A moment to the second: what instruments show, they show each second.
    fn time_at(&self, moment: &Moment) -> Option<VirtualTime> {
        let of = self.time_of(&moment.of)?;
        let seconds = if moment.is_before {
            of.as_secs_f64() - moment.by.as_secs_f64()
        } else {
            of.as_secs_f64() + moment.by.as_secs_f64()
        };
        Some(VirtualTime::from_secs(seconds.max(1.0) as u64))
    }

    /// What the texts ask instruments for.
    fn readings(&self) -> BTreeSet<(VirtualTime, String)> {
        let found = self.tabletop.texts().sentences().flat_map(|text| placeholders(text).unwrap_or_default());
        found
            .filter_map(|placeholder| match placeholder {
                Placeholder::Value(tag, moment) => Some((self.time_at(&moment)?, tag)),
                Placeholder::Clock(_) => None,
            })
            .collect()
    }

    /// What was chosen, and for each decision that nobody took the first option that does nothing: that is what not to decide
    /// comes to.
    pub(crate) fn effective(&self, choice: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut all = choice.clone();
        for (_, decision) in self.tabletop.decisions() {
            if let Some(idle) = decision.options.iter().find(|option| option.acts.is_empty()) {
                let id = decision.id.get_ref().clone();
                all.entry(id).or_insert_with(|| idle.id.get_ref().clone());
            }
        }
        all
    }

    /// The commands of what was chosen, by time.
    pub(crate) fn acts(&self, choice: &BTreeMap<String, String>) -> Vec<Timed> {
        let mut acts = Vec::new();
        for (_, decision) in self.tabletop.decisions() {
            let id = decision.id.get_ref();
            let chosen = choice.get(id).and_then(|option| decision.option(option));
            if let (Some(chosen), Some(t)) = (chosen, self.schedule.decisions.get(id)) {
                acts.extend(timed(*t, chosen));
            }
        }
        acts.sort_by_key(|act| act.t);
        acts
    }
}

fn timed(t: VirtualTime, choice: &Choice) -> impl Iterator<Item = Timed> {
    let act = move |command: &str| Timed { t, source: SOURCE.to_owned(), command: command.to_owned() };
    choice.acts.iter().map(move |command| act(command.get_ref()))
}

/// One option of a decision and what comes of it alone.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tried {
    pub(crate) decision: String,
    pub(crate) option: String,
    /// When its commands are given.
    pub(crate) at: VirtualTime,
    pub(crate) commands: Vec<String>,
    pub(crate) consequence: Consequence,
}

/// What comes of every option.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Worked {
    /// The attack, and nobody acts.
    pub(crate) none: Consequence,
    /// No attack, and nobody acts.
    pub(crate) clean: Consequence,
    /// Options in the order of the file.
    pub(crate) options: Vec<Tried>,
    /// What instruments show at the moments that the texts ask for, where nobody acts.
    #[serde(skip)]
    values: BTreeMap<(VirtualTime, String), f64>,
}

impl Worked {
    /// Runs the day for nobody, without the attack, and once for every option; options without commands are as nobody.
    ///
    /// # Errors
    /// The lab refuses a command, or cannot be put together.
    pub(crate) fn of(table: &Table) -> Result<Self> {
        let tabletop = &table.tabletop;
        let options: Vec<(&Decision, &Choice)> = tabletop
            .decisions()
            .flat_map(|(_, it)| it.options.iter().map(move |option| (it, option)))
            .collect();
        let commands = |(decision, option): &(&Decision, &Choice)| -> Vec<Timed> {
            let at = table.schedule.decisions.get(decision.id.get_ref());
            at.map(|t| timed(*t, option).collect()).unwrap_or_default()
        };
        let mut jobs: Vec<(bool, Vec<Timed>)> = vec![(true, Vec::new()), (false, Vec::new())];
        for acts in options.iter().map(commands).filter(|acts| !acts.is_empty()) {
            if !jobs.contains(&(true, acts.clone())) {
                jobs.push((true, acts));
            }
        }
        let readings = table.readings();
        let mut days = Vec::new();
        in_order(
            &jobs,
            |(attacked, acts)| day(table, *attacked, acts, &readings),
            |it| {
                days.push(it);
                Ok(())
            },
        )?;
        let [none, clean, ..] = &days[..] else { bail!("the day could not be run") };
        let told = |index: usize| Consequence::of(table, &days[index], none);
        let mut tried = Vec::new();
        for pair in &options {
            let acts = commands(pair);
            let index = jobs.iter().position(|job| *job == (true, acts.clone())).unwrap_or_default();
            tried.push(Tried {
                decision: pair.0.id.get_ref().clone(),
                option: pair.1.id.get_ref().clone(),
                at: table.schedule.decisions.get(pair.0.id.get_ref()).copied().unwrap_or_default(),
                commands: acts.into_iter().map(|act| act.command).collect(),
                consequence: told(index),
            });
        }
        Ok(Self {
            none: told(0),
            clean: Consequence { stopped: Vec::new(), ..Consequence::of(table, clean, none) },
            options: tried,
            values: none.pens.values.clone(),
        })
    }

    /// What comes of an option alone.
    pub(crate) fn option(&self, decision: &str, option: &str) -> Option<&Tried> {
        self.options.iter().find(|it| it.decision == decision && it.option == option)
    }

    /// A text with its times and values.
    pub(crate) fn fill(&self, table: &Table, text: &str) -> String {
        filled(text, |placeholder| {
            let at = table.time_at(placeholder.moment());
            match (placeholder, at) {
                // The clock of a move is what stands on its page: not moved to a second.
                (Placeholder::Clock(_), Some(t)) => table.clock(t),
                (Placeholder::Value(tag, _), Some(t)) => {
                    let value = self.values.get(&(t, tag.clone()));
                    value.map_or_else(|| "?".to_owned(), |value| shown(*value))
                }
                (_, None) => "?".to_owned(),
            }
        })
    }
}

/// A value as a screen shows it: about three figures.
pub(crate) fn shown(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 20.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    text.replace('-', "\u{2212}")
}

/// Reads a sheet and holds it against a tabletop.
///
/// # Errors
/// It is no sheet, or names what the tabletop does not have.
pub(crate) fn read_sheet(table: &Table, file: &str, text: &str) -> Result<Sheet> {
    let sheet: Sheet = site::file::parse_toml(file, text)?;
    table.tabletop.check_sheet(file, &sheet)?;
    Ok(sheet)
}
