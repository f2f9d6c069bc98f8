//! Findings of one story, grouped.
//!
//! # Theory of operation
//! A finding of medium or above belongs to the open incident that shares a host with it, and opens one where there is
//! none. Where it shares hosts with several, they were one story, and become one: the older number stays. A finding
//! below medium is counted in an incident that is open, and neither opens nor prolongs nor widens one. An incident is over, and is
//! written, when nothing of it was seen for [`QUIET`]; what is repeated and not said again counts as seen.
//!
//! # What can go wrong
//! A host that is part of everything (the HMI) joins stories that only happen at the same time. At most [`OPEN_MAX`]
//! incidents are open at once: the one that was quiet longest is written early to make room.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use indexmap::IndexMap;
use record::{EntityId, Incident, Level, StartTime};

use crate::log::finding_time;
use crate::rules::RuleCard;

/// Nanoseconds of silence after which an incident is over.
pub(crate) const QUIET: u64 = 600 * 1_000_000_000;
const OPEN_MAX: usize = 256;
const FRAMES_MAX: usize = 64;
/// Hosts and entities kept of one incident.
const NAMES_MAX: usize = 256;

/// A finding, as incidents see it.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) at: u64,
    pub(crate) card: &'a RuleCard,
    /// Who takes part: the source, and the target where the rule is about one.
    pub(crate) hosts: [Option<IpAddr>; 2],
    pub(crate) frame: u64,
    /// Its entities are more than these hosts.
    pub(crate) names_points: bool,
}

/// What an incident has had of one rule.
#[derive(Debug, Default)]
struct Had {
    count: u64,
    /// Who took part the last time that it was taken: of the same again there is nothing to take but its time and frame.
    hosts: Option<[Option<IpAddr>; 2]>,
}

#[derive(Debug)]
struct Open {
    number: u32,
    joined: Vec<u32>,
    first: u64,
    last: u64,
    level: Level,
    title: String,
    message: String,
    hosts: BTreeSet<IpAddr>,
    entities: BTreeSet<EntityId>,
    techniques: BTreeSet<String>,
    rules: BTreeMap<String, Had>,
    frames: BTreeSet<u64>,
}

impl Open {
    /// Takes the same again, as far as it tells more than the first time; whether it is of the hosts of the time before.
    fn repeat(&mut self, seen: &Seen<'_>) -> bool {
        let had = match self.rules.get_mut(&seen.card.name) {
            Some(had) => had,
            None => self.rules.entry(seen.card.name.clone()).or_default(),
        };
        had.count += 1;
        let is_same = had.hosts == Some(seen.hosts) && !seen.names_points;
        had.hosts = Some(seen.hosts);
        if seen.card.level < Level::Medium {
            return is_same;
        }
        self.last = self.last.max(seen.at);
        if seen.frame > 0 {
            insert(&mut self.frames, seen.frame, FRAMES_MAX);
        }
        is_same
    }

    fn take(
        &mut self,
        seen: &Seen<'_>,
        entities: impl FnOnce() -> Vec<EntityId>,
        message: impl FnOnce() -> String,
    ) {
        if self.repeat(seen) || seen.card.level < Level::Medium {
            return;
        }
        if seen.card.level > self.level || self.title.is_empty() {
            self.level = seen.card.level;
            self.title.clone_from(&seen.card.title);
            self.message = message();
        }
        for host in seen.hosts.into_iter().flatten() {
            insert(&mut self.hosts, host, NAMES_MAX);
        }
        for entity in entities() {
            insert(&mut self.entities, entity, NAMES_MAX);
        }
        for technique in &seen.card.techniques {
            insert(&mut self.techniques, technique.clone(), NAMES_MAX);
        }
    }

    fn join(&mut self, other: Self) {
        self.joined.push(other.number);
        self.joined.extend(other.joined);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        if other.level > self.level {
            (self.level, self.title, self.message) = (other.level, other.title, other.message);
        }
        other.hosts.into_iter().for_each(|host| insert(&mut self.hosts, host, NAMES_MAX));
        other.entities.into_iter().for_each(|entity| insert(&mut self.entities, entity, NAMES_MAX));
        other.frames.into_iter().for_each(|frame| insert(&mut self.frames, frame, FRAMES_MAX));
        self.techniques.extend(other.techniques);
        for (rule, had) in other.rules {
            self.rules.entry(rule).or_default().count += had.count;
        }
    }

    fn told(self, origin: Option<StartTime>) -> Incident {
        Incident {
            incident: self.number,
            joined: self.joined,
            first: finding_time(origin, self.first),
            last: finding_time(origin, self.last),
            level: self.level,
            title: self.title,
            hosts: self.hosts.iter().map(ToString::to_string).collect(),
            entities: self.entities.into_iter().collect(),
            techniques: self.techniques.into_iter().collect(),
            rules: self.rules.into_iter().map(|(rule, had)| (rule, had.count)).collect(),
            frames: self.frames.into_iter().collect(),
            message: self.message,
        }
    }
}

fn insert<T: Ord>(set: &mut BTreeSet<T>, item: T, max: usize) {
    if set.len() < max {
        set.insert(item);
    }
}

/// The incidents that are open.
#[derive(Debug)]
pub(crate) struct Incidents {
    /// By number, so that the oldest is first.
    open: BTreeMap<u32, Open>,
    /// Which of them a host takes part in: one at most, as two that share a host are one.
    by_host: IndexMap<IpAddr, u32, foldhash::fast::RandomState>,
    /// Those that were written early.
    early: Vec<Open>,
    numbers: u32,
    origin: Option<StartTime>,
    next_over: u64,
}

impl Incidents {
    pub(crate) fn new(origin: Option<StartTime>) -> Self {
        Self {
            open: BTreeMap::new(),
            by_host: IndexMap::default(),
            early: Vec::new(),
            numbers: 0,
            origin,
            next_over: u64::MAX,
        }
    }

    /// Counts the repeat of a finding in the incident in which it was before; `false` where that is over, or part of
    /// another by now.
    pub(crate) fn again(&mut self, number: u32, seen: &Seen<'_>) -> bool {
        let Some(open) = self.open.get_mut(&number) else { return false };
        open.repeat(seen);
        true
    }

    /// Puts a finding where it belongs; returns the number of its incident.
    pub(crate) fn note(
        &mut self,
        seen: &Seen<'_>,
        entities: impl FnOnce() -> Vec<EntityId>,
        message: impl FnOnce() -> String,
    ) -> Option<u32> {
        let of_host = |host: Option<IpAddr>| self.by_host.get(&host?).copied();
        let [one, other] = seen.hosts.map(of_host);
        let opens = seen.card.level >= Level::Medium;
        let number = match one.into_iter().chain(other).min() {
            Some(number) => number,
            None if opens => self.begin(seen),
            None => return None,
        };
        if opens
            && let (Some(one), Some(other)) = (one, other)
            && one != other
        {
            // Nothing of a lower level proves two stories to be one.
            self.join(one.min(other), one.max(other));
        }
        let open = self.open.get_mut(&number)?;
        open.take(seen, entities, message);
        for host in seen.hosts.into_iter().flatten() {
            if open.hosts.contains(&host) {
                self.by_host.entry(host).or_insert(number);
            }
        }
        self.next_over = self.next_over.min(open.last + QUIET);
        Some(number)
    }

    fn join(&mut self, older: u32, younger: u32) {
        let Some(younger) = self.open.remove(&younger) else { return };
        for host in &younger.hosts {
            self.by_host.insert(*host, older);
        }
        if let Some(open) = self.open.get_mut(&older) {
            open.join(younger);
            // There is no room for all hosts in one.
            self.by_host.retain(|host, number| *number != older || open.hosts.contains(host));
        }
    }

    fn begin(&mut self, seen: &Seen<'_>) -> u32 {
        if self.open.len() >= OPEN_MAX
            && let Some(quietest) = self.open.values().min_by_key(|open| open.last).map(|open| open.number)
            && let Some(open) = self.close(quietest)
        {
            self.early.push(open);
            self.next_over = 0;
        }
        self.numbers += 1;
        let open = Open {
            number: self.numbers,
            joined: Vec::new(),
            first: seen.at,
            last: seen.at,
            level: seen.card.level,
            title: String::new(),
            message: String::new(),
            hosts: BTreeSet::new(),
            entities: BTreeSet::new(),
            techniques: BTreeSet::new(),
            rules: BTreeMap::new(),
            frames: BTreeSet::new(),
        };
        self.open.insert(self.numbers, open);
        self.numbers
    }

    fn close(&mut self, number: u32) -> Option<Open> {
        let open = self.open.remove(&number)?;
        for host in &open.hosts {
            self.by_host.swap_remove(host);
        }
        Some(open)
    }

    /// Those that are over by now.
    pub(crate) fn over(&mut self, now: u64) -> Vec<Incident> {
        if now < self.next_over {
            return Vec::new();
        }
        let is_over = |open: &&Open| open.last + QUIET <= now;
        let numbers: Vec<u32> = self.open.values().filter(is_over).map(|open| open.number).collect();
        let mut over = std::mem::take(&mut self.early);
        over.extend(numbers.into_iter().filter_map(|number| self.close(number)));
        self.next_over = self.open.values().map(|open| open.last + QUIET).min().unwrap_or(u64::MAX);
        over.into_iter().map(|open| open.told(self.origin)).collect()
    }

    /// All that are left: the traffic has ended.
    pub(crate) fn all(&mut self) -> Vec<Incident> {
        let early = std::mem::take(&mut self.early);
        let open = std::mem::take(&mut self.open);
        self.by_host.clear();
        early.into_iter().chain(open.into_values()).map(|open| open.told(self.origin)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn card(level: Level) -> RuleCard {
        RuleCard {
            name: format!("rule-{level}"),
            title: format!("Title {level}"),
            file: String::new(),
            level,
            techniques: vec!["T0855".to_owned()],
            falsepositives: Vec::new(),
            misses: String::new(),
            base: false,
            counts: Vec::new(),
            by_target: true,
            examples: Vec::new(),
        }
    }

    fn see(incidents: &mut Incidents, second: u64, level: Level, hosts: [u8; 2]) -> Option<u32> {
        let host = |last| Some(IpAddr::from([192, 0, 2, last]));
        let card = card(level);
        let hosts = [host(hosts[0]), host(hosts[1])];
        let seen = Seen { at: second * SECOND, card: &card, hosts, frame: second, names_points: false };
        incidents.note(&seen, Vec::new, || "what happened".to_owned())
    }

    #[test]
    fn one_story_is_one_incident_until_it_is_quiet() {
        let mut incidents = Incidents::new(None);
        assert_eq!(see(&mut incidents, 1, Level::Low, [1, 2]), None, "low opens none");
        assert_eq!(see(&mut incidents, 2, Level::Medium, [1, 2]), Some(1));
        assert_eq!(see(&mut incidents, 3, Level::Low, [2, 3]), Some(1));
        assert_eq!(see(&mut incidents, 300, Level::High, [2, 4]), Some(1));
        assert!(incidents.over(899 * SECOND).is_empty());
        let over = incidents.over(900 * SECOND);
        assert_eq!(over.len(), 1);
        assert_eq!((over[0].first.as_secs_f64(), over[0].last.as_secs_f64()), (2.0, 300.0));
        assert_eq!((over[0].level, over[0].title.as_str()), (Level::High, "Title high"));
        assert_eq!(over[0].hosts, ["192.0.2.1", "192.0.2.2", "192.0.2.4"]);
        assert_eq!(over[0].frames, [2, 300]);
        assert_eq!(see(&mut incidents, 901, Level::Medium, [1, 2]), Some(2), "another story");
    }

    #[test]
    fn two_stories_that_meet_become_one() {
        let mut incidents = Incidents::new(None);
        assert_eq!(see(&mut incidents, 1, Level::Medium, [1, 2]), Some(1));
        assert_eq!(see(&mut incidents, 2, Level::High, [3, 4]), Some(2));
        assert_eq!(see(&mut incidents, 3, Level::Medium, [2, 3]), Some(1));
        let all = incidents.all();
        assert_eq!((all.len(), &all[0].joined, all[0].level), (1, &vec![2], Level::High));
        assert_eq!(all[0].message, "what happened");
    }

    #[test]
    fn open_incidents_are_bounded() {
        let mut incidents = Incidents::new(None);
        let card = card(Level::Medium);
        for n in 0..1000u32 {
            let hosts = [Some(IpAddr::from(n.to_be_bytes())), None];
            let seen = Seen { at: u64::from(n), card: &card, hosts, frame: 1, names_points: false };
            incidents.note(&seen, Vec::new, String::new);
        }
        assert_eq!(incidents.open.len(), OPEN_MAX);
        assert_eq!(incidents.all().len(), 1000);
    }
}
