//! What a tabletop says to people, in one language.
//!
//! What may stand in braces in them, [`fill`](super::fill) says; whoever runs the twins fills it in.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use site::FileError;
use site::file::Source;

use super::TabletopFile;
use super::fill::{Placeholder, placeholders};
use crate::scenario::Scenario;

/// Texts of one tabletop in one language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TabletopTexts {
    /// Title.
    pub title: String,
    /// What people shall be able to do afterwards.
    pub aims: Vec<String>,
    /// Rules of play.
    pub rules: Vec<String>,
    /// Rooms by name.
    pub room: BTreeMap<String, RoomText>,
    /// Channels by name: a title.
    pub channel: BTreeMap<String, String>,
    /// Moves by name.
    #[serde(rename = "move")]
    pub moves: BTreeMap<String, MoveText>,
    /// Injects by name: paragraphs.
    pub inject: BTreeMap<String, Vec<String>>,
    /// Hand-offs by name.
    pub handoff: BTreeMap<String, HandoffText>,
    /// Decisions by name.
    pub decision: BTreeMap<String, DecisionText>,
    /// Questions by name.
    pub question: BTreeMap<String, AskText>,
    /// What to ask each room at the end.
    pub hot_wash: Vec<String>,
    /// What the facilitator tells at the end.
    pub reveal: Vec<String>,
    /// Stages of the game of cards by name.
    pub stage: BTreeMap<String, String>,
    /// Cards by name.
    pub card: BTreeMap<String, CardText>,
    /// Rules of the game of cards.
    pub card_rules: Vec<String>,
}

/// A room.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomText {
    /// Its name.
    pub title: String,
    /// Who sits there, what they have, what they can do.
    pub brief: Vec<String>,
}

/// A move.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveText {
    /// Its title.
    pub title: String,
    /// What everybody is told.
    pub scene: Vec<String>,
    /// For the facilitator alone.
    pub notes: Vec<String>,
}

/// A hand-off.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandoffText {
    /// What has to be told.
    pub what: String,
    /// What it is good for.
    pub why: String,
}

/// A decision.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionText {
    /// What is to be decided.
    pub prompt: String,
    /// Options by name.
    pub option: BTreeMap<String, String>,
}

/// A question to talk about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskText {
    /// The question.
    pub ask: String,
    /// What to listen for.
    pub listen_for: String,
}

/// A card.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardText {
    /// Its title.
    pub title: String,
    /// What it says.
    pub text: String,
}

macro_rules! furniture {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Words of the pages themselves. `{}` stands for a number or name.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Furniture {
            $($(#[$doc])* pub $name: String,)*
        }
    };
}

furniture! {
    /// Marking on every page.
    marking,
    /// Title of the facilitator's book.
    facilitator,
    /// Title of a room's handout.
    handout,
    /// Title of the cards.
    cards,
    /// Title of the after-action form.
    after_action,
    /// Title of the after-action report of a sheet.
    after_action_report,
    /// Aims.
    aims,
    /// Rules.
    rules,
    /// Agenda.
    agenda,
    /// Your room.
    your_room,
    /// Time of the exercise.
    time,
    /// Move.
    turn,
    /// Minutes.
    minutes,
    /// Room.
    room,
    /// Inject.
    inject,
    /// Told only after a decision.
    only_if,
    /// The facilitator has a slip.
    slip,
    /// The seed.
    seed,
    /// Who was told what.
    told,
    /// To all.
    everybody,
    /// Hand-off.
    handoff,
    /// Hand-offs.
    handoffs,
    /// Due in.
    due,
    /// Made in move.
    made_in,
    /// Points.
    points,
    /// Decision.
    decision,
    /// Who decides.
    by,
    /// Carried out at.
    carried_out,
    /// Option.
    option,
    /// What the commands are.
    done_as,
    /// Nothing is done.
    nothing_done,
    /// Consequence, computed.
    consequence,
    /// How it was computed.
    how_computed,
    /// Harm.
    harm,
    /// Limits.
    limits,
    /// No limit.
    no_limit,
    /// So long after the clock's event.
    after_clock,
    /// Highest value.
    highest,
    /// Lowest value.
    lowest,
    /// Steps of the attack that did not get through.
    stopped,
    /// Legitimate work that was turned away.
    turned_away,
    /// As where nobody acts.
    same_as_nobody,
    /// Evidence is lost.
    evidence_lost,
    /// Nobody acts.
    nobody_acts,
    /// No attack.
    no_attack,
    /// Questions.
    questions,
    /// Listen for.
    listen_for,
    /// Notes.
    notes,
    /// For the facilitator.
    for_facilitator,
    /// Verdict to write down.
    write_verdict,
    /// The right verdict.
    right_verdict,
    /// Attack.
    attack,
    /// Fault.
    fault,
    /// Authorised work.
    authorised,
    /// Hot wash.
    hot_wash,
    /// Reveal.
    reveal,
    /// What went well.
    went_well,
    /// What did not.
    went_badly,
    /// Improvement plan.
    improvement_plan,
    /// What is to be improved.
    improvement,
    /// Who.
    owner,
    /// By when.
    until,
    /// How one will see that it is done.
    proof,
    /// Belongs to.
    belongs_to,
    /// Name of the team.
    team,
    /// Date.
    date,
    /// Score.
    score,
    /// The plant, part P.
    part_p,
    /// Report, part R.
    part_r,
    /// The whole.
    whole,
    /// Why.
    why,
    /// What was decided.
    decided,
    /// How to score on paper.
    scoring,
    /// Stage.
    stage,
    /// Revealed by.
    revealed_by,
    /// Attack card.
    attack_card,
    /// Procedure card.
    procedure_card,
    /// Event card.
    event_card,
    /// The deal of this seed.
    deal,
    /// Practised.
    practised,
    /// Throws.
    throws,
    /// Face down.
    face_down,
}

/// Languages in which the pages' own words are there.
const PAGES: [(&str, &str); 2] = [("en", include_str!("page.en.toml")), ("de", include_str!("page.de.toml"))];

impl Furniture {
    /// The words in a language.
    pub(super) fn named(language: &str) -> Result<Self, FileError> {
        let known = || PAGES.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
        let Some((_, text)) = PAGES.iter().find(|(known, _)| *known == language) else {
            return Err(FileError {
                file: format!("page.{language}.toml"),
                line: 0,
                problem: format!("a tabletop's pages are not written in {language:?}"),
                fix: format!("choose one of {}", known()),
            });
        };
        Source { file: &format!("page.{language}.toml"), text }.parse()
    }
}

impl TabletopTexts {
    /// Checks that everything in the file has its text, and that no text speaks of something else.
    pub(super) fn check(
        &self,
        source: &Source<'_>,
        file: &TabletopFile,
        scenario: &Scenario,
    ) -> Result<(), FileError> {
        let moves = || file.moves.iter();
        let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
        let decisions = || moves().flat_map(|it| &it.decisions);
        let injects = || moves().flat_map(|it| &it.injects);
        let deck = &file.deck;
        let cards = (deck.attacks.iter().map(|card| &card.id))
            .chain(deck.procedures.iter().map(|card| &card.id))
            .chain(deck.events.iter().map(|card| &card.id));
        let wanted = [
            ("room", names(file.rooms.iter().map(|it| it.get_ref().as_str()).collect()), keys(&self.room)),
            (
                "channel",
                names(injects().map(|it| it.channel.get_ref().as_str()).collect()),
                keys(&self.channel),
            ),
            ("move", names(moves().map(|it| it.id.get_ref().as_str()).collect()), keys(&self.moves)),
            ("inject", names(injects().map(|it| it.id.get_ref().as_str()).collect()), keys(&self.inject)),
            (
                "handoff",
                names(moves().flat_map(|it| &it.handoffs).map(|it| it.id.get_ref().as_str()).collect()),
                keys(&self.handoff),
            ),
            (
                "decision",
                names(decisions().map(|it| it.id.get_ref().as_str()).collect()),
                keys(&self.decision),
            ),
            (
                "question",
                names(moves().flat_map(|it| &it.questions).map(|it| it.id.get_ref().as_str()).collect()),
                keys(&self.question),
            ),
            ("stage", names(deck.stages.iter().map(|it| it.get_ref().as_str()).collect()), keys(&self.stage)),
            ("card", names(cards.map(|id| id.get_ref().as_str()).collect()), keys(&self.card)),
        ];
        for (what, wanted, given) in wanted {
            compare(source, what, &wanted, &given)?;
        }
        for decision in decisions() {
            let id = decision.id.get_ref();
            let wanted = names(decision.options.iter().map(|it| it.id.get_ref().as_str()).collect());
            let given = self.decision.get(id).map(|text| keys(&text.option)).unwrap_or_default();
            compare(source, &format!("decision.{id}.option"), &wanted, &given)?;
        }
        self.sentences().try_for_each(|text| check_braces(source, text, file, scenario))
    }

    /// Every text that may hold braces.
    pub fn sentences(&self) -> impl Iterator<Item = &str> {
        let moves = self.moves.values().flat_map(|text| text.scene.iter().chain(&text.notes));
        let rooms = self.room.values().flat_map(|text| &text.brief);
        let injects = self.inject.values().flatten();
        moves.chain(rooms).chain(injects).chain(&self.reveal).map(String::as_str)
    }
}

fn check_braces(
    source: &Source<'_>,
    text: &str,
    file: &TabletopFile,
    scenario: &Scenario,
) -> Result<(), FileError> {
    let place = source.text.find(text).unwrap_or(0);
    let found = placeholders(text).map_err(|problem| source.error_at(place, problem, "mend the braces"))?;
    for placeholder in found {
        let of = &placeholder.moment().of;
        let is_known = file.moves.iter().any(|it| it.id.get_ref() == of)
            || scenario.events().any(|event| event.id.get_ref() == of);
        if !is_known {
            let problem = format!("no event and no move is called {of:?}");
            return Err(source.error_at(place, problem, "mend the name in the braces"));
        }
        if let Placeholder::Value(tag, _) = &placeholder
            && scenario.site().tag(tag).is_none()
        {
            return Err(source.error_at(place, format!("no tag is called {tag:?}"), "name an instrument"));
        }
    }
    Ok(())
}

fn keys<T>(map: &BTreeMap<String, T>) -> BTreeSet<String> {
    map.keys().cloned().collect()
}

fn compare(
    source: &Source<'_>,
    what: &str,
    wanted: &BTreeSet<String>,
    given: &BTreeSet<String>,
) -> Result<(), FileError> {
    if let Some(missing) = wanted.difference(given).next() {
        return Err(source.error_at(
            source.text.len(),
            format!("{what} {missing:?} has no text"),
            format!("add {what}.{missing}"),
        ));
    }
    match given.difference(wanted).next() {
        Some(stray) => Err(source.error_at(
            source.text.find(&format!("{what}.{stray}")).unwrap_or(0),
            format!("the tabletop has no {what} {stray:?}"),
            "mend the name, or remove the text",
        )),
        None => Ok(()),
    }
}
