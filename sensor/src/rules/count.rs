//! Sigma's correlations: how many matches, or how many different values, within a time.
//!
//! # Theory of operation
//! A correlation names the rules whose matches it counts, the fields by which it keeps them apart (a *group*), a time,
//! and a threshold. Of each group it keeps what is needed to count the last `timespan` seconds exactly: of matches,
//! how many in each second; of values, when each was last seen. Whole seconds of the frames' time; the wall clock is
//! never asked. While a group is above its threshold, each further match says so again, and
//! [`crate::findings`] decides how often that is told.
//!
//! Sigma 2.1 has eight kinds. `event_count`, `value_count` and `temporal` are counted here; the others, and what would
//! change the meaning of these (aliases, windows that do not slide, correlations of correlations), are refused when
//! rules are loaded.
//!
//! # Bounds
//! At most [`GROUPS_MAX`] groups per correlation: those whose time is over make room, then the oldest. At most
//! [`VALUES_MIN`] values per group, or twice the threshold; beyond a time of [`SLOTS_MAX`] seconds, matches are counted
//! in slots of several.

use std::collections::VecDeque;
use std::fmt::Write as _;

use indexmap::IndexMap;
use rsigma_eval::{Event, EventValue};
use rsigma_parser::{ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, WindowMode};

/// Groups kept of one correlation.
const GROUPS_MAX: usize = 4096;
/// Values kept of one group, unless twice the threshold is more.
const VALUES_MIN: usize = 32;
/// Slots in which the matches of one group are counted.
const SLOTS_MAX: i64 = 256;

/// What is counted in one group.
#[derive(Debug)]
enum Window {
    /// Seconds in which something matched (or slots of several), and how often.
    Matches { slots: VecDeque<(i64, u64)>, sum: u64 },
    /// Values, and the second in which each was last seen; the second up to which the old ones are gone.
    Values { seen: Vec<(Counted, i64)>, tidied: i64 },
}

#[derive(Clone, Debug, PartialEq)]
enum Counted {
    Number(i64),
    Text(Box<str>),
}

impl Window {
    fn last(&self) -> i64 {
        match self {
            Self::Matches { slots, .. } => slots.back().map_or(i64::MIN, |slot| slot.0),
            Self::Values { seen, .. } => seen.iter().map(|value| value.1).max().unwrap_or(i64::MIN),
        }
    }
}

/// One correlation.
#[derive(Debug)]
pub(super) struct Correlation {
    kind: Kind,
    group_by: Vec<String>,
    span_s: i64,
    predicates: Vec<(ConditionOperator, u64)>,
    groups: IndexMap<String, Window, foldhash::fast::RandomState>,
    /// The second in which room was last made.
    cleared: i64,
    /// The group at hand; kept so that nothing is allocated for a group that is there.
    group: String,
}

#[derive(Debug)]
enum Kind {
    Matches,
    /// Different values of these fields, side by side.
    Values(Vec<String>),
    /// Different rules that matched.
    Rules,
}

impl Correlation {
    /// Compiles a correlation; or says what of it is not counted here.
    pub(super) fn new(rule: &CorrelationRule) -> Result<Self, String> {
        if rule.window != WindowMode::Sliding {
            return Err("a window that does not slide".to_owned());
        }
        if !rule.aliases.is_empty() {
            return Err("aliases of fields".to_owned());
        }
        let kind = rule.correlation_type;
        let (mut predicates, field) = match &rule.condition {
            CorrelationCondition::Threshold { predicates, field, .. } => {
                (predicates.clone(), field.clone().unwrap_or_default())
            }
            CorrelationCondition::Extended(_) => return Err("a condition in words".to_owned()),
        };
        let kind = match kind {
            CorrelationType::EventCount => Kind::Matches,
            CorrelationType::ValueCount if field.is_empty() => {
                return Err("value_count without the field whose values are counted".to_owned());
            }
            CorrelationType::ValueCount => Kind::Values(field),
            CorrelationType::Temporal => Kind::Rules,
            other => return Err(format!("the kind {}", other.as_str())),
        };
        if predicates.is_empty() {
            predicates.push((ConditionOperator::Gte, rule.rules.len().max(1) as u64));
        }
        Ok(Self {
            kind,
            group_by: rule.group_by.clone(),
            span_s: i64::try_from(rule.timespan.seconds).unwrap_or(i64::MAX / 2),
            predicates,
            groups: IndexMap::default(),
            cleared: i64::MIN,
            group: String::new(),
        })
    }

    /// Over how many seconds it counts.
    pub(super) fn span_s(&self) -> i64 {
        self.span_s
    }

    /// Counts a match of its rule `rule` at a second; the count, where it is above the threshold.
    pub(super) fn count(&mut self, event: &impl Event, rule: usize, second: i64) -> Option<f64> {
        self.group.clear();
        for field in &self.group_by {
            if let Some(value) = event.get_field(field) {
                push(&mut self.group, &value);
            }
            self.group.push('\u{1f}');
        }
        let place = self.groups.get_index_of(&self.group).unwrap_or_else(|| {
            self.make_room(second);
            let window = match self.kind {
                Kind::Matches => Window::Matches { slots: VecDeque::new(), sum: 0 },
                Kind::Values(_) | Kind::Rules => Window::Values { seen: Vec::new(), tidied: i64::MIN },
            };
            self.groups.insert_full(self.group.clone(), window).0
        });
        let value = match &self.kind {
            Kind::Matches => None,
            Kind::Rules => Some(Counted::Number(rule as i64)),
            // A match without the value is no value.
            Kind::Values(fields) => Some(value_of(event, fields)?),
        };
        let cutoff = second.saturating_sub(self.span_s);
        let values_max = self.values_max();
        let exact = self.predicates.iter().any(|(operator, _)| !is_lower_bound(*operator));
        let least = self.predicates.iter().map(|(_, number)| *number).max().unwrap_or(0);
        let (_, window) = self.groups.get_index_mut(place)?;
        let count = match (window, value) {
            (Window::Matches { slots, sum }, _) => {
                let slot = second - second.rem_euclid(self.span_s / SLOTS_MAX + 1);
                match slots.back_mut() {
                    // Time that goes backwards counts as now.
                    Some(last) if last.0 >= slot => last.1 += 1,
                    _ => slots.push_back((slot, 1)),
                }
                *sum += 1;
                while let Some((first, matches)) = slots.front().copied().filter(|slot| slot.0 < cutoff) {
                    debug_assert!(first < cutoff);
                    *sum -= matches;
                    slots.pop_front();
                }
                *sum
            }
            (Window::Values { seen, tidied }, Some(value)) => {
                if seen.len() >= values_max && *tidied < second {
                    tidy(seen, cutoff);
                    *tidied = second;
                }
                match seen.iter().position(|one| one.0 == value) {
                    Some(at) => seen[at].1 = seen[at].1.max(second),
                    None if seen.len() < values_max => seen.push((value, second)),
                    None => {}
                }
                // Few values cannot be too many, whether or not some of them are old.
                if (exact || seen.len() as u64 >= least) && *tidied < second {
                    tidy(seen, cutoff);
                    *tidied = second;
                }
                seen.len() as u64
            }
            (Window::Values { .. }, None) => return None,
        };
        let holds = self.predicates.iter().all(|(operator, number)| match operator {
            ConditionOperator::Lt => count < *number,
            ConditionOperator::Lte => count <= *number,
            ConditionOperator::Gt => count > *number,
            ConditionOperator::Gte => count >= *number,
            ConditionOperator::Eq => count == *number,
            ConditionOperator::Neq => count != *number,
        });
        holds.then_some(count as f64)
    }

    fn values_max(&self) -> usize {
        let highest = self.predicates.iter().map(|(_, number)| *number).max().unwrap_or(0);
        usize::try_from(highest.saturating_mul(2)).unwrap_or(usize::MAX).clamp(VALUES_MIN, GROUPS_MAX)
    }

    fn make_room(&mut self, second: i64) {
        if self.groups.len() < GROUPS_MAX {
            return;
        }
        // Not for each new one: going through all of them is what a flood is after.
        if self.cleared < second {
            self.cleared = second;
            let cutoff = second.saturating_sub(self.span_s);
            self.groups.retain(|_, window| window.last() >= cutoff);
        }
        if self.groups.len() >= GROUPS_MAX {
            self.groups.drain(..GROUPS_MAX / 8);
        }
    }
}

const fn is_lower_bound(operator: ConditionOperator) -> bool {
    matches!(operator, ConditionOperator::Gt | ConditionOperator::Gte)
}

fn tidy(seen: &mut Vec<(Counted, i64)>, cutoff: i64) {
    seen.retain(|value| value.1 >= cutoff);
}

fn value_of(event: &impl Event, fields: &[String]) -> Option<Counted> {
    if let [field] = fields
        && let EventValue::Int(number) = event.get_field(field)?
    {
        return Some(Counted::Number(number));
    }
    let mut text = String::new();
    for field in fields {
        push(&mut text, &event.get_field(field)?);
        text.push('\u{1f}');
    }
    Some(Counted::Text(text.into_boxed_str()))
}

/// A value as text. Writing to a String cannot fail.
fn push(text: &mut String, value: &EventValue<'_>) {
    match value {
        EventValue::Str(value) => text.push_str(value),
        EventValue::Int(number) => drop(write!(text, "{number}")),
        EventValue::Float(number) => drop(write!(text, "{number}")),
        EventValue::Bool(flag) => drop(write!(text, "{flag}")),
        EventValue::Null => {}
        EventValue::Array(items) => {
            for item in items {
                push(text, item);
                text.push(',');
            }
        }
        EventValue::Map(fields) => {
            for (name, value) in fields {
                text.push_str(name);
                text.push('=');
                push(text, value);
                text.push(',');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsigma_eval::JsonEvent;
    use rsigma_parser::parse_sigma_yaml;
    use serde_json::json;

    fn correlation(text: &str) -> Result<Correlation, String> {
        let head = "title: t\nid: 144bdeb2-9d26-5562-9a43-c3ea71ef90a6\nlevel: low\ncorrelation:\n";
        let collection = parse_sigma_yaml(&format!("{head}{}", indented(text))).unwrap();
        assert!(collection.errors.is_empty(), "{:?}", collection.errors);
        Correlation::new(&collection.correlations[0])
    }

    /// As what stands under `correlation:`.
    fn indented(text: &str) -> String {
        text.lines().flat_map(|line| ["  ", line.trim(), "\n"]).collect()
    }

    /// Counts at these seconds of this host and value.
    fn counts(correlation: &mut Correlation, matches: &[(i64, &str, i64)]) -> Vec<Option<f64>> {
        let one = |(second, host, value): &(i64, &str, i64)| {
            let event = json!({ "id.orig_h": host, "unit": value });
            correlation.count(&Plain(&event), 0, *second)
        };
        matches.iter().map(one).collect()
    }

    struct Plain<'a>(&'a serde_json::Value);

    impl Event for Plain<'_> {
        fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
            match self.0.get(path)? {
                serde_json::Value::String(text) => Some(EventValue::Str(text.into())),
                other => other.as_i64().map(EventValue::Int),
            }
        }
        fn any_string_value(&self, _: &dyn Fn(&str) -> bool) -> bool {
            false
        }
        fn all_string_values(&self) -> Vec<std::borrow::Cow<'_, str>> {
            Vec::new()
        }
        fn to_json(&self) -> serde_json::Value {
            self.0.clone()
        }
    }

    const EVENTS: &str =
        "type: event_count\nrules: [a]\ngroup-by: [id.orig_h]\ntimespan: 10s\ncondition: {gte: 3}";
    const VALUES: &str = "type: value_count\nrules: [a]\ngroup-by: [id.orig_h]\ntimespan: 10s\ncondition: {field: unit, gte: 3}";

    #[test]
    fn matches_are_counted_by_group_and_over_the_time_alone() {
        let mut events = correlation(EVENTS).unwrap();
        let said = counts(
            &mut events,
            &[(0, "a", 1), (5, "a", 1), (6, "b", 1), (10, "a", 1), (11, "a", 1), (21, "a", 1), (40, "a", 1)],
        );
        assert_eq!(said, [None, None, None, Some(3.0), Some(3.0), None, None]);
    }

    #[test]
    fn values_are_counted_once_each_for_as_long_as_they_are_seen() {
        let mut values = correlation(VALUES).unwrap();
        let said = counts(
            &mut values,
            &[(0, "a", 1), (0, "a", 1), (1, "a", 2), (9, "a", 1), (11, "a", 3), (12, "a", 4), (30, "a", 5)],
        );
        assert_eq!(said, [None, None, None, None, Some(3.0), Some(3.0), None]);
        assert_eq!(counts(&mut values, &[(31, "b", 1), (31, "a", 2), (31, "a", 7)]), [None, None, Some(3.0)]);
    }

    #[test]
    fn the_counts_are_those_of_the_library() {
        use rsigma_eval::{CorrelationConfig, CorrelationEngine};
        let rule = "title: r\nname: a\nid: e76b7424-a90b-584e-8517-871eb425dae5\nlevel: low\nlogsource: {product: x}\n\
                    detection: {s: {unit|exists: true}, condition: s}\n---\n";
        for body in [EVENTS, VALUES] {
            let text = format!("{rule}title: t\nname: c\nlevel: low\ncorrelation:\n{}", indented(body));
            let collection = parse_sigma_yaml(&text.replace("id.orig_h", "host")).unwrap();
            let mut library = CorrelationEngine::new(CorrelationConfig::default());
            library.add_collection(&collection).unwrap();
            let mut ours = correlation(body).unwrap();
            // A walk that is the same every time: hosts, values and pauses by a linear congruence (Knuth, MMIX).
            let (mut state, mut second) = (7_u64, 0);
            for _ in 0..3000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                second += (state >> 60 & 3) as i64;
                let (host, unit) = (if state >> 40 & 1 == 0 { "a" } else { "b" }, (state >> 50 & 7) as i64);
                let event = json!({ "host": host, "unit": unit });
                let found = library.process_event_at(&JsonEvent::borrow(&event), second);
                let theirs =
                    found.iter().find_map(|one| one.as_correlation().map(|body| body.aggregated_value));
                assert_eq!(counts(&mut ours, &[(second, host, unit)]), [theirs], "{body} at {second}");
            }
        }
    }

    #[test]
    fn what_is_not_counted_is_refused() {
        let refused = |from: &str, to: &str| correlation(&EVENTS.replacen(from, to, 1)).unwrap_err();
        assert!(refused("event_count", "temporal_ordered").contains("temporal_ordered"));
        assert!(refused("timespan", "aliases: {h: {a: b}}\ntimespan").contains("alias"));
        assert!(correlation(&VALUES.replace("field: unit, ", "")).is_err());
    }

    #[test]
    fn a_flood_of_groups_and_values_takes_no_more_than_its_share() {
        let mut values = correlation(VALUES).unwrap();
        for n in 0..20_000 {
            counts(&mut values, &[(0, &format!("10.0.0.{n}"), n)]);
        }
        assert!(values.groups.len() <= GROUPS_MAX);
        for n in 0..20_000 {
            counts(&mut values, &[(0, "a", n)]);
        }
        let Some(Window::Values { seen, .. }) = values.groups.get("a\u{1f}") else { panic!("no group") };
        assert_eq!(seen.len(), VALUES_MIN);
        let mut events = correlation(&EVENTS.replace("10s", "30d")).unwrap();
        for n in 0..100_000 {
            counts(&mut events, &[(n * 60, "a", 0)]);
        }
        let Some(Window::Matches { slots, .. }) = events.groups.get("a\u{1f}") else { panic!("no group") };
        assert!(slots.len() <= SLOTS_MAX as usize + 2, "{}", slots.len());
    }
}
