//! The game of cards: what an intruder may do, what a plant may do about it, and what gets in between.
//!
//! # The rule
//! One attack card of each stage lies face down. In a turn the rooms play one procedure and throw together: IT one die,
//! OT the other. The sum, and [`Deck::practised_bonus`] where the procedure is one that this plant has practised,
//! must reach [`Deck::target`]; then every card that the procedure reveals is turned over. Two dice that show the same
//! bring an event card, whatever they add up to. Who has turned all cards within [`Deck::turns`] turns has won.
//!
//! Everything is dealt by draws that are keyed by the seed, so that a deal can be printed, and had again.

use record::KeyedStream;
use serde::Deserialize;
use serde_spanned::Spanned;

use crate::deed::Name;

/// `[deck]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deck {
    /// What two dice and the bonus must reach.
    pub target: u8,
    /// What a practised procedure adds.
    pub practised_bonus: u8,
    /// Procedures that the plant has practised, so many of those there are.
    pub practised: usize,
    /// Turns until the game is lost.
    pub turns: u32,
    /// Stages of an attack in order; one card of each is dealt.
    pub stages: Vec<Name>,
    /// What an intruder may do.
    #[serde(rename = "attack")]
    pub attacks: Vec<AttackCard>,
    /// What a plant may do about it.
    #[serde(rename = "procedure")]
    pub procedures: Vec<Procedure>,
    /// What gets in between.
    #[serde(rename = "event")]
    pub events: Vec<EventCard>,
}

/// `[[deck.attack]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackCard {
    /// Name, unique among all cards.
    pub id: Name,
    /// Stage that it belongs to.
    pub stage: Name,
    /// ATT&CK for ICS techniques.
    pub techniques: Vec<Spanned<String>>,
    /// Procedures that turn it over.
    pub revealed_by: Vec<Name>,
}

/// `[[deck.procedure]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    /// Name, unique among all cards.
    pub id: Name,
    /// Room whose people do it.
    pub room: Name,
}

/// `[[deck.event]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventCard {
    /// Name, unique among all cards.
    pub id: Name,
}

/// One throw of both rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throw {
    /// The IT room's die.
    pub it: u8,
    /// The OT room's die.
    pub ot: u8,
}

impl Throw {
    /// Both dice.
    pub const fn sum(self) -> u8 {
        self.it + self.ot
    }

    /// Whether an event card comes.
    pub const fn is_double(self) -> bool {
        self.it == self.ot
    }
}

/// What a seed deals.
#[derive(Clone, Debug)]
pub struct Deal<'a> {
    /// One card of each stage, face down, in the order of the stages.
    pub hidden: Vec<&'a AttackCard>,
    /// What the plant has practised.
    pub practised: Vec<&'a Procedure>,
    /// Event cards from the top of their pile.
    pub pile: Vec<&'a EventCard>,
    /// Throws for a table without dice.
    pub throws: Vec<Throw>,
}

/// Throws that are dealt beyond one for each turn: a lost turn may be played again by an event.
const SPARE_THROWS: u32 = 2;

impl Deck {
    /// Deals by the seed.
    pub fn deal(&self, seed: u64) -> Deal<'_> {
        let mut stream = KeyedStream::new(seed, "tabletop", "attack");
        let hidden = self
            .stages
            .iter()
            .zip(0..)
            .filter_map(|(stage, occurrence)| {
                let of_stage: Vec<&AttackCard> =
                    self.attacks.iter().filter(|card| card.stage.get_ref() == stage.get_ref()).collect();
                of_stage.get(stream.below(occurrence, of_stage.len() as u64) as usize).copied()
            })
            .collect();
        let mut practised = shuffled(&self.procedures, seed, "practised");
        practised.truncate(self.practised);
        let mut dice = KeyedStream::new(seed, "tabletop", "dice");
        let mut die = |occurrence: u64| dice.below(occurrence, 6) as u8 + 1;
        let throws = (0..u64::from(self.turns + SPARE_THROWS))
            .map(|turn| Throw { it: die(2 * turn), ot: die(2 * turn + 1) })
            .collect();
        Deal { hidden, practised, pile: shuffled(&self.events, seed, "events"), throws }
    }
}

/// Items by a key that is drawn for each: the same as a shuffle, and no draw depends on another.
fn shuffled<'a, T>(items: &'a [T], seed: u64, purpose: &str) -> Vec<&'a T> {
    let mut stream = KeyedStream::new(seed, "tabletop", purpose);
    let mut keyed: Vec<(u64, usize)> =
        items.iter().zip(0_u64..).enumerate().map(|(index, (_, n))| (stream.bits(n), index)).collect();
    keyed.sort_unstable();
    keyed.into_iter().filter_map(|(_, index)| items.get(index)).collect()
}
