//! A tabletop: a scenario as a facilitated exercise, without a live lab.
//!
//! # Theory of operation
//! `tabletop.toml` stands beside `scenario.toml` and tells the same day as *moves*: scenes in the order of the day, each
//! at a time or so long after an event of the scenario. A move has *injects* (what one room is told and another is not),
//! *hand-offs* (what one room must tell another), a *verdict* that each team writes down, *questions* to talk about, and
//! *decisions*. An option of a decision is a list of commands, word for word those that a person gives to a live lab; whoever runs
//! the twins computes what comes of them. So nothing here says what an option leads to, and nothing here can be wrong
//! about it.
//!
//! What people read stands in `texts/tabletop.LANGUAGE.toml` ([`TabletopTexts`]). [`Deck`] is the same plant as a game of cards.
//!
//! # What can go wrong
//! A file that does not make sense is an error with its line ([`Tabletop::parse`]); times that a seed draws out of order
//! are one when the plan is known ([`Tabletop::schedule`]).

mod check;
mod deck;
pub mod fill;
pub mod standards;
mod texts;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use record::{Verdict, VirtualTime};
use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;
use site::FileError;
use site::file::Source;

use crate::deed::Name;
use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::span::parse_span;

pub use deck::{AttackCard, Deal, Deck, EventCard, Procedure, Throw};
pub use texts::{AskText, CardText, DecisionText, Furniture, HandoffText, MoveText, RoomText, TabletopTexts};

/// Scenario, file, and its texts by language.
type Bundled = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Tabletops that come with Fieldrange.
const BUNDLED: [Bundled; 1] = [(
    "oldsmar",
    include_str!("../../scenarios/oldsmar/tabletop.toml"),
    &[
        ("en", include_str!("../../scenarios/oldsmar/texts/tabletop.en.toml")),
        ("de", include_str!("../../scenarios/oldsmar/texts/tabletop.de.toml")),
    ],
)];

/// Where a hand-off can go besides a room: an authority, the public, a supplier.
pub const OUTSIDE: &str = "outside";

/// What a `tabletop.toml` holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TabletopFile {
    /// Counts up when sheets that were filled in for an older version can no longer be scored.
    pub version: u32,
    /// Rooms, by name: who sits apart and is told different things.
    pub rooms: Vec<Name>,
    /// Instruments whose highest and lowest value a consequence tells.
    pub watch: Vec<Name>,
    /// Event of the scenario from which the seconds to a limit are counted.
    pub clock_from: Name,
    /// Moves in the order of the day.
    #[serde(rename = "move")]
    pub moves: Vec<Move>,
    /// The game of cards.
    pub deck: Deck,
}

/// `[[move]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Name, unique among the moves.
    pub id: Name,
    /// When, counted from the start of the run.
    #[serde(default)]
    pub at: Option<Spanned<String>>,
    /// Event of the scenario after which it comes.
    #[serde(default)]
    pub after: Option<Name>,
    /// How long after.
    #[serde(default)]
    pub delay: Option<Spanned<String>>,
    /// How long people talk about it, min of their own time.
    pub minutes: Spanned<u32>,
    /// What it is about: the rooms write down attack, fault or authorised work, and this is right.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// What rooms are told.
    #[serde(rename = "inject", default)]
    pub injects: Vec<TableInject>,
    /// What rooms must tell each other.
    #[serde(rename = "handoff", default)]
    pub handoffs: Vec<Handoff>,
    /// What is to be decided.
    #[serde(rename = "decision", default)]
    pub decisions: Vec<Decision>,
    /// What to talk about.
    #[serde(rename = "question", default)]
    pub questions: Vec<Ask>,
}

/// `[[move.inject]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableInject {
    /// Name, unique among the injects.
    pub id: Name,
    /// Rooms that are told; all of them where it is left out.
    #[serde(default)]
    pub to: Vec<Name>,
    /// How it reaches them; its title stands in the texts.
    pub channel: Name,
    /// Earlier decisions and the options after which it is told; always where it is left out.
    #[serde(default)]
    pub when: BTreeMap<String, Vec<String>>,
}

/// `[[move.handoff]]`: something that one room knows and another needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handoff {
    /// Name, unique among the hand-offs.
    pub id: Name,
    /// Room that knows it.
    pub from: Name,
    /// Room that needs it, or [`OUTSIDE`].
    pub to: Name,
    /// What it is worth.
    pub points: Spanned<f64>,
    /// How late, by the exercise's clock, it is worth half.
    pub window: Spanned<String>,
}

/// `[[move.decision]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Name, unique among the decisions.
    pub id: Name,
    /// Rooms that decide; more than one have to agree.
    pub by: Vec<Name>,
    /// How long after the move it is carried out.
    pub delay: Spanned<String>,
    /// What there is to choose.
    #[serde(rename = "option")]
    pub options: Vec<Choice>,
}

/// `[[move.decision.option]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Name, unique within its decision.
    pub id: Name,
    /// Commands to the lab, in order; none where nothing is done.
    pub acts: Vec<Spanned<String>>,
    /// Whether evidence is gone that nobody has kept.
    #[serde(default)]
    pub destroys_evidence: bool,
}

/// `[[move.question]]`: something to talk about, and what in the standards it belongs to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Name, unique among the questions.
    pub id: Name,
    /// Categories of the NIST Cybersecurity Framework 2.0.
    pub csf: Vec<Spanned<String>>,
    /// Requirements of IEC 62443-3-3.
    pub iec: Vec<Spanned<String>>,
}

/// What a team did: the sheet that is filled in on paper or in the browser.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sheet {
    /// Decision by name, and the option that was chosen.
    pub choice: BTreeMap<String, String>,
    /// Hand-off by name, and the move in which it was made.
    pub handoff: BTreeMap<String, String>,
    /// Move by name, and what was written down.
    pub verdict: BTreeMap<String, Verdict>,
    /// Name of the team.
    pub team: String,
    /// What was said and noted: by move, or anything else.
    pub notes: BTreeMap<String, String>,
}

/// When each move and each decision of a tabletop falls, for one plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// Moves in their order.
    pub moves: Vec<VirtualTime>,
    /// Decisions by name: when what was decided is carried out.
    pub decisions: BTreeMap<String, VirtualTime>,
    /// The event from which the seconds to a limit are counted.
    pub clock_from: VirtualTime,
}

/// A tabletop with its texts, checked.
#[derive(Clone, Debug)]
pub struct Tabletop {
    file_name: String,
    file: TabletopFile,
    texts: TabletopTexts,
    words: Furniture,
    language: String,
}

impl Tabletop {
    /// Scenarios that have a tabletop.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUNDLED.iter().map(|(name, _, _)| *name)
    }

    /// The tabletop of a scenario, by the bundled name or the path of the scenario's folder, as [`Scenario::load`] has it.
    pub fn load(name: &str, language: &str, scenario: &Scenario) -> Result<Self, FileError> {
        if name.contains(['/', '\\', '.']) {
            return Self::from_folder(Path::new(name), language, scenario);
        }
        let Some((_, text, languages)) = BUNDLED.iter().find(|(bundled, _, _)| *bundled == name) else {
            return Err(FileError {
                file: name.to_owned(),
                line: 0,
                problem: format!("scenario {name:?} has no tabletop"),
                fix: format!("name one of {}", Self::names().collect::<Vec<_>>().join(", ")),
            });
        };
        let Some((_, texts)) = languages.iter().find(|(known, _)| *known == language) else {
            let known: Vec<&str> = languages.iter().map(|(known, _)| *known).collect();
            return Err(FileError {
                file: format!("{name}/texts/tabletop.{language}.toml"),
                line: 0,
                problem: format!("the tabletop of {name} has no texts in {language:?}"),
                fix: format!("choose one of {}", known.join(", ")),
            });
        };
        let names = [format!("{name}/tabletop.toml"), format!("{name}/texts/tabletop.{language}.toml")];
        Self::parse([(&names[0], text), (&names[1], texts)], language, scenario)
    }

    fn from_folder(folder: &Path, language: &str, scenario: &Scenario) -> Result<Self, FileError> {
        let folder = if folder.is_dir() { folder } else { folder.parent().unwrap_or(folder) };
        let paths = [folder.join("tabletop.toml"), folder.join(format!("texts/tabletop.{language}.toml"))];
        let names = paths.each_ref().map(|path| path.display().to_string());
        let mut texts = Vec::new();
        for (path, name) in paths.iter().zip(&names) {
            texts.push(fs::read_to_string(path).map_err(|error| {
                FileError {
                    file: name.clone(),
                    line: 0,
                    problem: error.to_string(),
                    fix: "a tabletop is tabletop.toml and texts/tabletop.en.toml in the folder of a scenario"
                        .to_owned(),
                }
            })?);
        }
        Self::parse([(&names[0], &texts[0]), (&names[1], &texts[1])], language, scenario)
    }

    /// Reads a tabletop and its texts, each given with its name, and checks both whole.
    pub fn parse(files: [(&str, &str); 2], language: &str, scenario: &Scenario) -> Result<Self, FileError> {
        let [(file_name, text), (texts_name, texts)] = files;
        let source = Source { file: file_name, text };
        let file: TabletopFile = source.parse()?;
        let tabletop = Self {
            file_name: file_name.to_owned(),
            texts: Source { file: texts_name, text: texts }.parse()?,
            file,
            words: Furniture::named(language)?,
            language: language.to_owned(),
        };
        tabletop.check(&source, scenario)?;
        tabletop.texts.check(&Source { file: texts_name, text: texts }, &tabletop.file, scenario)?;
        Ok(tabletop)
    }

    /// What the file holds.
    pub fn file(&self) -> &TabletopFile {
        &self.file
    }

    /// What it says to people.
    pub fn texts(&self) -> &TabletopTexts {
        &self.texts
    }

    /// What stands on the pages of every tabletop.
    pub fn words(&self) -> &Furniture {
        &self.words
    }

    /// Language of its texts, as in `en`.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Decisions with the move that each belongs to, in order.
    pub fn decisions(&self) -> impl Iterator<Item = (&Move, &Decision)> {
        self.file.moves.iter().flat_map(|it| it.decisions.iter().map(move |decision| (it, decision)))
    }

    /// Hand-offs with the number of the move in which each is due.
    pub fn handoffs(&self) -> impl Iterator<Item = (usize, &Handoff)> {
        let numbered = self.file.moves.iter().enumerate();
        numbered.flat_map(|(number, it)| it.handoffs.iter().map(move |handoff| (number, handoff)))
    }

    /// Length of the exercise without welcome and hot wash, min.
    pub fn minutes(&self) -> u32 {
        self.file.moves.iter().map(|it| *it.minutes.get_ref()).sum()
    }

    /// When everything falls for a plan.
    ///
    /// # Errors
    /// An event does not happen in this plan, or the plan puts two moves out of order or one beyond its end.
    pub fn schedule(&self, plan: &Plan) -> Result<Schedule, FileError> {
        let wrong = |problem: String, fix: &str| FileError {
            file: self.file_name.clone(),
            line: 0,
            problem,
            fix: fix.to_owned(),
        };
        let event = |id: &str| {
            plan.event(id).map(|event| event.at).ok_or_else(|| {
                wrong(
                    format!("event {id:?} does not happen in this run"),
                    "play the scenario's attack: leave cause and the variables that decide it alone",
                )
            })
        };
        let span = |text: &Option<Spanned<String>>| {
            text.as_ref().map_or(Ok(std::time::Duration::ZERO), |text| {
                parse_span(text.get_ref()).map_err(|error| wrong(error.to_string(), "mend it"))
            })
        };
        let mut schedule =
            Schedule { clock_from: event(self.file.clock_from.get_ref())?, ..Schedule::default() };
        let mut latest = VirtualTime::ZERO;
        for it in &self.file.moves {
            let begins = match &it.after {
                Some(after) => event(after.get_ref())? + span(&it.delay)?,
                None => VirtualTime::ZERO + span(&it.at)?,
            };
            if begins < latest || begins >= plan.end {
                return Err(wrong(
                    format!(
                        "move {:?} comes at {begins}, before the one ahead of it or after the end",
                        it.id.get_ref()
                    ),
                    "give it another time, so that moves stand in the order of the day with every seed",
                ));
            }
            schedule.moves.push(begins);
            latest = begins;
            for decision in &it.decisions {
                let carried_out = begins + span(&Some(decision.delay.clone()))?;
                if carried_out >= plan.end {
                    return Err(wrong(
                        format!(
                            "decision {:?} is carried out after the end of the run",
                            decision.id.get_ref()
                        ),
                        "choose a shorter delay",
                    ));
                }
                latest = latest.max(carried_out);
                schedule.decisions.insert(decision.id.get_ref().clone(), carried_out);
            }
        }
        Ok(schedule)
    }

    /// Checks a filled-in sheet against the tabletop; what is left out is left out.
    ///
    /// # Errors
    /// The first name that nothing has, with those that there are.
    pub fn check_sheet(&self, file: &str, sheet: &Sheet) -> Result<(), FileError> {
        let wrong = |problem: String, known: Vec<&str>| FileError {
            file: file.to_owned(),
            line: 0,
            problem,
            fix: format!("write one of: {}", known.join(", ")),
        };
        let moves = || self.file.moves.iter().map(|it| it.id.get_ref().as_str()).collect::<Vec<_>>();
        for (name, chosen) in &sheet.choice {
            let Some((_, decision)) = self.decisions().find(|(_, it)| it.id.get_ref() == name) else {
                let known = self.decisions().map(|(_, it)| it.id.get_ref().as_str()).collect();
                return Err(wrong(format!("no decision is called {name:?}"), known));
            };
            if decision.option(chosen).is_none() {
                let known = decision.options.iter().map(|it| it.id.get_ref().as_str()).collect();
                return Err(wrong(format!("decision {name:?} has no option {chosen:?}"), known));
            }
        }
        for (name, made) in &sheet.handoff {
            if !self.handoffs().any(|(_, it)| it.id.get_ref() == name) {
                let known = self.handoffs().map(|(_, it)| it.id.get_ref().as_str()).collect();
                return Err(wrong(format!("no hand-off is called {name:?}"), known));
            }
            if !moves().contains(&made.as_str()) {
                return Err(wrong(format!("hand-off {name:?}: no move is called {made:?}"), moves()));
            }
        }
        match sheet.verdict.keys().find(|name| !moves().contains(&name.as_str())) {
            Some(name) => Err(wrong(format!("no move is called {name:?}"), moves())),
            None => Ok(()),
        }
    }
}

impl Decision {
    /// An option by its name.
    pub fn option(&self, id: &str) -> Option<&Choice> {
        self.options.iter().find(|option| option.id.get_ref() == id)
    }
}

impl TableInject {
    /// Whether it is told after what was chosen; what was not decided counts as none of the options.
    pub fn is_told(&self, choice: &BTreeMap<String, String>) -> bool {
        let fits = |(decision, options): (&String, &Vec<String>)| {
            choice.get(decision).is_some_and(|chosen| options.contains(chosen))
        };
        self.when.iter().all(fits)
    }

    /// Whether a room is told.
    pub fn reaches(&self, room: &str) -> bool {
        self.to.is_empty() || self.to.iter().any(|to| to.get_ref() == room)
    }
}
