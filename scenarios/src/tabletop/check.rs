//! Whether a tabletop makes sense: every reference resolves, every command can be given to this plant, every move and
//! inject can be reached.

use std::collections::{BTreeMap, BTreeSet};

use record::attack;
use serde::de::DeserializeOwned;
use serde_spanned::Spanned;
use site::file::Source;
use site::{FileError, FirewallRule};

use super::{Choice, Decision, Handoff, Move, OUTSIDE, TableInject, Tabletop, standards};
use crate::deed::Name;
use crate::scenario::Scenario;
use crate::span::parse_span;

/// Seeds with which the order of the moves is tried.
const SEEDS_TRIED: u64 = 32;
/// Most minutes that a move may take.
const MINUTES_MAX: u32 = 120;
/// What two dice can reach.
const TWO_DICE: u8 = 12;

/// Names of one kind, each once.
struct Names<'a> {
    kind: &'static str,
    known: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    const fn new(kind: &'static str) -> Self {
        Self { kind, known: BTreeSet::new() }
    }

    fn add(&mut self, source: &Source<'_>, name: &'a Name) -> Result<(), FileError> {
        if self.known.insert(name.get_ref()) {
            return Ok(());
        }
        let (kind, id) = (self.kind, name.get_ref());
        Err(source.error(name, format!("two {kind} are called {id:?}"), "rename one of them"))
    }

    fn expect(&self, source: &Source<'_>, name: &Name) -> Result<(), FileError> {
        if self.known.contains(name.get_ref().as_str()) {
            return Ok(());
        }
        let known: Vec<&str> = self.known.iter().copied().collect();
        Err(source.error(
            name,
            format!("none of the {} is called {:?}", self.kind, name.get_ref()),
            format!("name one of: {}", known.join(", ")),
        ))
    }
}

impl Tabletop {
    pub(super) fn check(&self, source: &Source<'_>, scenario: &Scenario) -> Result<(), FileError> {
        let file = &self.file;
        let mut rooms = Names::new("rooms");
        for room in &file.rooms {
            rooms.add(source, room)?;
            if room.get_ref() == OUTSIDE {
                return Err(source.error(room, "a room cannot be called outside", "rename it"));
            }
        }
        for tag in &file.watch {
            if scenario.site().tag(tag.get_ref()).is_none() {
                let problem = format!("no tag is called {:?}", tag.get_ref());
                return Err(source.error(tag, problem, "name an instrument of the site"));
            }
        }
        let mut events = Names::new("events of the scenario");
        for event in scenario.events() {
            events.known.insert(event.id.get_ref());
        }
        events.expect(source, &file.clock_from)?;
        let mut moves = Checked { source, scenario, rooms: &rooms, earlier: BTreeMap::new() };
        let [mut ids, mut injects, mut handoffs, mut questions] =
            ["moves", "injects", "hand-offs", "questions"].map(Names::new);
        for it in &file.moves {
            ids.add(source, &it.id)?;
            moves.time(it, &events)?;
            for inject in &it.injects {
                injects.add(source, &inject.id)?;
                moves.inject(inject)?;
            }
            for handoff in &it.handoffs {
                handoffs.add(source, &handoff.id)?;
                moves.handoff(it, handoff)?;
            }
            for ask in &it.questions {
                questions.add(source, &ask.id)?;
                references(source, &ask.id, &ask.csf, standards::csf, "category of the NIST CSF 2.0")?;
                references(
                    source,
                    &ask.id,
                    &ask.iec,
                    standards::iec,
                    "requirement of IEC 62443-3-3 known here",
                )?;
            }
            for decision in &it.decisions {
                moves.decision(decision)?;
            }
        }
        self.check_deck(source, &rooms)?;
        // Moves stand in the order of the day whatever the seed draws.
        for seed in 1..=SEEDS_TRIED {
            let plan = scenario.plan(seed, &BTreeMap::new(), false)?;
            self.schedule(&plan).map_err(|mut error| {
                error.problem = format!("seed {seed}: {}", error.problem);
                error
            })?;
        }
        Ok(())
    }

    fn check_deck(&self, source: &Source<'_>, rooms: &Names<'_>) -> Result<(), FileError> {
        let deck = &self.file.deck;
        let (mut cards, mut stages, mut procedures) =
            (Names::new("cards"), Names::new("stages"), Names::new("procedures"));
        for stage in &deck.stages {
            stages.add(source, stage)?;
        }
        for card in &deck.procedures {
            cards.add(source, &card.id)?;
            procedures.add(source, &card.id)?;
            rooms.expect(source, &card.room)?;
        }
        for card in &deck.events {
            cards.add(source, &card.id)?;
        }
        for card in &deck.attacks {
            cards.add(source, &card.id)?;
            stages.expect(source, &card.stage)?;
            for technique in &card.techniques {
                if attack::technique(technique.get_ref()).is_none() {
                    let problem = format!("{:?} is no technique of {}", technique.get_ref(), attack::VERSION);
                    return Err(source.error(
                        technique,
                        problem,
                        "look it up in base/record/data/attack-ics-v18.1.tsv",
                    ));
                }
            }
            if card.revealed_by.is_empty() {
                let problem = format!("nothing reveals card {:?}", card.id.get_ref());
                return Err(source.error(&card.id, problem, "name a procedure under revealed_by"));
            }
            for procedure in &card.revealed_by {
                procedures.expect(source, procedure)?;
            }
        }
        if let Some(empty) = deck
            .stages
            .iter()
            .find(|stage| !deck.attacks.iter().any(|card| card.stage.get_ref() == stage.get_ref()))
        {
            let problem = format!("stage {:?} has no card", empty.get_ref());
            return Err(source.error(empty, problem, "add a card of this stage"));
        }
        if deck.target > TWO_DICE || deck.practised > deck.procedures.len() || deck.turns == 0 {
            return Err(source.error_at(
                source.text.find("[deck]").unwrap_or(0),
                "a target that two dice cannot reach, more practised procedures than there are, or no turn",
                "mend target, practised or turns",
            ));
        }
        Ok(())
    }
}

fn references(
    source: &Source<'_>,
    question: &Name,
    ids: &[Spanned<String>],
    known: fn(&str) -> Option<&'static str>,
    what: &str,
) -> Result<(), FileError> {
    if ids.is_empty() {
        let problem = format!("question {:?} names no {what}", question.get_ref());
        return Err(source.error(question, problem, "name at least one"));
    }
    match ids.iter().find(|id| known(id.get_ref()).is_none()) {
        Some(id) => Err(source.error(
            id,
            format!("{:?} is no {what}", id.get_ref()),
            "write it as in csf = [\"DE.AE\"] and iec = [\"SR 2.8\"]; scenarios/src/tabletop/standards.rs has them",
        )),
        None => Ok(()),
    }
}

/// Moves that were looked at, and what they let later ones refer to.
struct Checked<'a> {
    source: &'a Source<'a>,
    scenario: &'a Scenario,
    rooms: &'a Names<'a>,
    /// Decisions of earlier moves with their options.
    earlier: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Checked<'a> {
    fn time(&self, it: &Move, events: &Names<'_>) -> Result<(), FileError> {
        let id = it.id.get_ref();
        match (&it.at, &it.after, &it.delay) {
            (Some(at), None, None) => self.span(at)?,
            (None, Some(after), Some(delay)) => {
                events.expect(self.source, after)?;
                self.span(delay)?;
            }
            _ => {
                return Err(self.source.error(
                    &it.id,
                    format!("{id}: a move has at, or after and delay"),
                    "write at = \"20min\", or after = \"...\" and delay = \"30s\"",
                ));
            }
        }
        if (1..=MINUTES_MAX).contains(it.minutes.get_ref()) {
            return Ok(());
        }
        Err(self.source.error(
            &it.minutes,
            format!("{id}: a move takes 1 to {MINUTES_MAX} minutes"),
            "mend it",
        ))
    }

    fn span(&self, text: &Spanned<String>) -> Result<(), FileError> {
        match parse_span(text.get_ref()) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.source.error(text, error.to_string(), "write it as in 3min20s")),
        }
    }

    fn inject(&self, inject: &TableInject) -> Result<(), FileError> {
        for room in &inject.to {
            self.rooms.expect(self.source, room)?;
        }
        for (decision, options) in &inject.when {
            let problem = match self.earlier.get(decision.as_str()) {
                None => format!("no earlier move has a decision {decision:?}"),
                Some(_) if options.is_empty() => format!("decision {decision:?} without an option"),
                Some(known) => match options.iter().find(|option| !known.contains(&option.as_str())) {
                    Some(stray) => format!("decision {decision:?} has no option {stray:?}"),
                    None => continue,
                },
            };
            let id = inject.id.get_ref();
            return Err(self.source.error(
                &inject.id,
                format!("inject {id} is never told: {problem}"),
                "name a decision of an earlier move, and some of its options",
            ));
        }
        Ok(())
    }

    fn handoff(&self, it: &Move, handoff: &Handoff) -> Result<(), FileError> {
        let (id, from) = (handoff.id.get_ref(), handoff.from.get_ref());
        self.rooms.expect(self.source, &handoff.from)?;
        if handoff.to.get_ref() != OUTSIDE {
            self.rooms.expect(self.source, &handoff.to)?;
        }
        self.span(&handoff.window)?;
        if handoff.to == handoff.from || *handoff.points.get_ref() <= 0.0 {
            return Err(self.source.error(
                &handoff.id,
                format!("hand-off {id} goes to another room and is worth something"),
                "mend to or points",
            ));
        }
        // What nobody was told, nobody can hand on.
        if it.injects.iter().any(|inject| inject.reaches(from)) {
            return Ok(());
        }
        Err(self.source.error(
            &handoff.from,
            format!("hand-off {id}: room {from:?} is told nothing in this move that it could hand on"),
            "give the room an inject, or move the hand-off",
        ))
    }

    fn decision(&mut self, decision: &'a Decision) -> Result<(), FileError> {
        let id = decision.id.get_ref();
        for room in &decision.by {
            self.rooms.expect(self.source, room)?;
        }
        self.span(&decision.delay)?;
        if decision.by.is_empty() || decision.options.len() < 2 {
            return Err(self.source.error(
                &decision.id,
                format!("{id}: a decision is somebody's, and has at least two options"),
                "add by = [\"...\"] or an option",
            ));
        }
        let mut options = Names::new("options of a decision");
        for option in &decision.options {
            options.add(self.source, &option.id)?;
            self.acts(option)?;
        }
        let known = decision.options.iter().map(|option| option.id.get_ref().as_str()).collect();
        if self.earlier.insert(id, known).is_some() {
            let problem = format!("two decisions are called {id:?}");
            return Err(self.source.error(&decision.id, problem, "rename one of them"));
        }
        Ok(())
    }

    fn acts(&self, option: &Choice) -> Result<(), FileError> {
        for act in &option.acts {
            if let Err(problem) = self.act(act.get_ref()) {
                let id = option.id.get_ref();
                return Err(self.source.error(
                    act,
                    format!("option {id}: {problem}"),
                    "write it as for fieldrange simulate --act, without the time",
                ));
            }
        }
        Ok(())
    }

    /// Whether a command can be given to this plant.
    fn act(&self, command: &str) -> Result<(), String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let site = self.scenario.site();
        match words[..] {
            ["write", tag, value] => {
                if site.device_that_takes(tag).is_none() {
                    return Err(format!("no controller takes the tag {tag:?}"));
                }
                let number = value.parse().ok().filter(|number: &f64| number.is_finite());
                number.map(|_| ()).ok_or_else(|| format!("{value:?} is no number"))
            }
            ["safe-stop"] if site.safe_stop.is_empty() => Err("this site has no safe stop".to_owned()),
            ["safe-stop"] => Ok(()),
            ["rule", "add", ..] => {
                let rule: FirewallRule = from_json(command, "rule add")?;
                rule.check().map_err(|problem| problem.to_string())
            }
            ["session", "kill", ..] => from_json::<net::SessionSelector>(command, "session kill").map(|_| ()),
            _ => Err(format!(
                "{command:?} is not among write TAG VALUE, safe-stop, rule add {{JSON}}, session kill {{JSON}}"
            )),
        }
    }
}

fn from_json<T: DeserializeOwned>(command: &str, verb: &str) -> Result<T, String> {
    let body = command.trim_start().strip_prefix(verb).unwrap_or_default();
    serde_json::from_str(body).map_err(|error| error.to_string())
}
