//! MITRE ATT&CK for ICS, pinned to v18.1: techniques and the tactics that each belongs to.
//!
//! The table is `data/attack-ics-v18.1.tsv`, 83 techniques. Names in scenarios, rules and calls are checked
//! against it, so that an id means the same in every record, whatever MITRE publishes later.

/// The table as it stands in the project.
const TABLE: &str = include_str!("../data/attack-ics-v18.1.tsv");

/// The version that every id in a record refers to.
pub const VERSION: &str = "ATT&CK for ICS v18.1";

/// One technique of the pinned table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Technique {
    /// `T0836`.
    pub id: &'static str,
    /// `Modify Parameter`.
    pub name: &'static str,
    tactics: &'static str,
}

impl Technique {
    /// Short names of the tactics it belongs to, `impair-process-control`; one or two.
    pub fn tactics(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.tactics.split(',')
    }

    fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        let technique = Self { id: fields.next()?, name: fields.next()?, tactics: fields.next()? };
        technique.id.starts_with('T').then_some(technique)
    }
}

/// Every technique, by ascending id.
pub fn techniques() -> impl Iterator<Item = Technique> {
    TABLE.lines().filter_map(Technique::parse)
}

/// A technique by its id, `T0836`.
pub fn technique(id: &str) -> Option<Technique> {
    techniques().find(|technique| technique.id == id)
}

/// Short names of the tactics of a technique; empty for an id that the table does not have.
pub fn tactics(id: &str) -> Vec<&'static str> {
    technique(id).map(|technique| technique.tactics().collect()).unwrap_or_default()
}

/// Whether a word is the short name of a tactic of the table.
pub fn is_tactic(name: &str) -> bool {
    techniques().any(|technique| technique.tactics().any(|tactic| tactic == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_in_order() {
        let ids: Vec<_> = techniques().map(|technique| technique.id).collect();
        assert_eq!(ids.len(), 83);
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 5), "{ids:?}");
        let tactics: std::collections::BTreeSet<_> = techniques().flat_map(|t| t.tactics()).collect();
        assert_eq!(tactics.len(), 12, "{tactics:?}");
    }

    #[test]
    fn a_technique_has_its_name_and_tactics() {
        assert_eq!(technique("T0836").unwrap().name, "Modify Parameter");
        assert_eq!(tactics("T0836"), ["impair-process-control"]);
        assert_eq!(tactics("T0856"), ["evasion", "impair-process-control"]);
        assert!(technique("T9999").is_none() && tactics("T9999").is_empty());
        assert!(is_tactic("evasion") && !is_tactic("T0856"));
    }
}
