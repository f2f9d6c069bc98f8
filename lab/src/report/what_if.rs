//! What-if: the same run, with what a person did about it changed.
//!
//! # Theory of operation
//! A person's actions are lines of `outside.jsonl`. A change moves them, leaves them out or says something else in their
//! place; the run is then made again from its seed with the actions put in at their times. Draws are keyed, so nothing
//! else differs: what comes out otherwise was brought about by the change.
//!
//! Acknowledging an alarm changes nothing in the plant and stays where it was. Octets that real clients sent over a
//! forward were meant for the run as it was; they are left out, and the result says how many inputs that were.

use std::str::FromStr;

use anyhow::{Result, bail};
use record::{Outside, OutsideInput, VirtualTime};
use scenarios::Cast;

use super::courses::{Course, Hands, Timed, run_course};
use crate::kernel_thread::on_kernel_thread;
use crate::recording::Order;

/// What is to be different. Actions are counted from 1, as the report lists them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// All actions this many seconds earlier, none before the start; negative is later.
    Earlier(f64),
    /// One action left out, or all of them.
    Without(Option<usize>),
    /// Another command in place of an action.
    Instead(usize, String),
    /// One more command, at seconds since the start.
    Also(f64, String),
}

/// How a change is written.
const FORMS: &str = "write 'earlier SECONDS', 'later SECONDS', 'without', 'without N', 'instead N COMMAND' or 'also SECONDS COMMAND', as in 'earlier 60' or 'instead 1 write NAOH.SP 100'";

impl FromStr for Change {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let seconds = |word: &str| {
            let given: Option<f64> = word.parse().ok();
            given
                .filter(|s| s.is_finite() && *s >= 0.0)
                .ok_or_else(|| format!("{word:?} is no number of seconds; {FORMS}"))
        };
        let number = |word: &str| {
            let given: Option<usize> = word.parse().ok();
            given
                .filter(|n| *n > 0)
                .ok_or_else(|| format!("{word:?} is no number of an action, counted from 1; {FORMS}"))
        };
        match words[..] {
            ["earlier", by] => Ok(Self::Earlier(seconds(by)?)),
            ["later", by] => Ok(Self::Earlier(-seconds(by)?)),
            ["without"] => Ok(Self::Without(None)),
            ["without", n] => Ok(Self::Without(Some(number(n)?))),
            ["instead", n, _, ..] => Ok(Self::Instead(number(n)?, words[2..].join(" "))),
            ["also", at, _, ..] => Ok(Self::Also(seconds(at)?, words[2..].join(" "))),
            _ => Err(FORMS.to_owned()),
        }
    }
}

impl Change {
    /// The change as a sentence would have it.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Earlier(by) if *by < 0.0 => format!("every action {} s later", -by),
            Self::Earlier(by) => format!("every action {by} s earlier"),
            Self::Without(None) => "no action at all".to_owned(),
            Self::Without(Some(n)) => format!("without action {n}"),
            Self::Instead(n, command) => format!("{command} in place of action {n}"),
            Self::Also(at, command) => format!("also {command} at {at} s"),
        }
    }

    /// The actions as they would have been, by time.
    fn applied(&self, actions: &[Timed], end: VirtualTime) -> Result<Vec<Timed>> {
        let count = actions.iter().filter(|action| changes_something(&action.command)).count();
        let mut changed = actions.to_vec();
        match self {
            Self::Earlier(_) | Self::Without(None) if count == 0 => {
                bail!(
                    "nobody acted in this run: there is nothing to move or to leave out\n  fix: try 'also SECONDS COMMAND'"
                )
            }
            Self::Earlier(by) => {
                for action in changed.iter_mut().filter(|action| changes_something(&action.command)) {
                    action.t = VirtualTime::from_secs_f64((action.t.as_secs_f64() - by).max(0.0));
                }
            }
            Self::Without(None) => changed.retain(|action| !changes_something(&action.command)),
            Self::Without(Some(n)) => {
                numbered(&mut changed, *n)?;
                changed.remove(n - 1);
            }
            Self::Instead(n, command) => numbered(&mut changed, *n)?.command.clone_from(command),
            Self::Also(at, command) => {
                let t = VirtualTime::from_secs_f64(*at);
                if t >= end {
                    bail!("{at} s lies after the end of the run at {end}\n  fix: choose an earlier moment");
                }
                changed.push(Timed { t, source: "what-if".to_owned(), command: command.clone() });
            }
        }
        changed.sort_by_key(|action| action.t);
        Ok(changed)
    }
}

fn numbered(actions: &mut [Timed], n: usize) -> Result<&mut Timed> {
    let count = actions.len();
    match n.checked_sub(1).and_then(|index| actions.get_mut(index)) {
        Some(action) => Ok(action),
        None => bail!(
            "there is no action {n}: the run has {count}\n  fix: the report lists them with their numbers"
        ),
    }
}

/// Whether a command changes plant or network; to acknowledge an alarm does not.
pub(crate) fn changes_something(command: &str) -> bool {
    !matches!(command.split_whitespace().next(), None | Some("acknowledge" | "attend"))
}

/// Whether a command that was carried out changes the plant itself.
pub(super) fn writes_to_plant(command: &str) -> bool {
    matches!(command.split_whitespace().next(), Some("write" | "safe-stop"))
}

/// A person's actions among what came from outside, in order.
pub(crate) fn actions(inputs: &[OutsideInput]) -> Vec<Timed> {
    let action = |input: &OutsideInput| match &input.input {
        Outside::Action { command } => {
            Some(Timed { t: input.t, source: input.source.clone(), command: command.clone() })
        }
        _ => None,
    };
    inputs.iter().filter_map(action).collect()
}

/// How the plant would have gone.
#[derive(Clone, Debug)]
pub(crate) struct Otherwise {
    pub(crate) change: String,
    pub(crate) course: Course,
    /// Inputs of real clients that had no place in it.
    pub(crate) left_out: usize,
}

/// Runs a recorded run again with a change.
///
/// # Errors
/// The change does not fit the run, or the lab refuses the command that it names.
pub(crate) fn what_if(
    order: &Order,
    inputs: &[OutsideInput],
    change: &Change,
    end: VirtualTime,
) -> Result<Otherwise> {
    let recorded = actions(inputs);
    let changed = change.applied(&recorded, end)?;
    let course = on_kernel_thread(|| run_course(order, &Cast::full(), &Hands::At(&changed), end))?;
    if let Change::Instead(_, command) | Change::Also(_, command) = change
        && let Some((_, reason)) = course.refused.iter().find(|(refused, _)| refused == command)
    {
        bail!("{command:?} was refused: {reason}");
    }
    Ok(Otherwise { change: change.words(), course, left_out: inputs.len() - recorded.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acted() -> Vec<Timed> {
        [(100, "write NAOH.SP 100"), (110, "acknowledge AIT-202.HH"), (120, "write NAOH.MODE 0")]
            .map(|(t, command)| Timed {
                t: VirtualTime::from_secs(t),
                source: "console".to_owned(),
                command: command.to_owned(),
            })
            .to_vec()
    }

    fn times(change: &str) -> Vec<(f64, String)> {
        let change: Change = change.parse().unwrap();
        let applied = change.applied(&acted(), VirtualTime::from_secs(600)).unwrap();
        applied.into_iter().map(|action| (action.t.as_secs_f64(), action.command)).collect()
    }

    #[test]
    fn actions_move_and_acknowledgements_stay() {
        let seconds = |change| times(change).into_iter().map(|(t, _)| t).collect::<Vec<f64>>();
        assert_eq!(seconds("earlier 30"), [70.0, 90.0, 110.0]);
        assert_eq!(seconds("later 15"), [110.0, 115.0, 135.0]);
        assert_eq!(seconds("earlier 500"), [0.0, 0.0, 110.0]);
        assert_eq!(seconds("without"), [110.0]);
        assert_eq!(seconds("without 1"), [110.0, 120.0]);
    }

    #[test]
    fn a_command_takes_the_place_of_another_or_joins_them() {
        assert_eq!(times("instead 3 write NAOH.SP.MAX 150")[2], (120.0, "write NAOH.SP.MAX 150".to_owned()));
        assert_eq!(times("also 105.5  write  CL2.SP 1")[1], (105.5, "write CL2.SP 1".to_owned()));
    }

    #[test]
    fn what_does_not_fit_is_said_with_what_would() {
        for wrong in [
            "",
            "sooner 5",
            "earlier",
            "earlier soon",
            "earlier -5",
            "without 0",
            "instead 1",
            "also 5",
            "later inf",
        ] {
            let problem = wrong.parse::<Change>().unwrap_err();
            assert!(problem.contains("earlier SECONDS"), "{wrong}: {problem}");
        }
        let end = VirtualTime::from_secs(600);
        assert!(Change::Without(Some(4)).applied(&acted(), end).is_err());
        assert!(Change::Earlier(5.0).applied(&[], end).is_err());
        assert!(Change::Also(600.0, "write CL2.SP 1".to_owned()).applied(&[], end).is_err());
    }
}
