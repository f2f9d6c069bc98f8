//! What switches join in an electrical network: which lines, units and loads hang on which bus.
//!
//! ```toml
//! [grid]
//! lines = [{ name = "5-7", from = "5", to = "7", breakers = ["52-57", "52-75"], reactance_pu = 0.161, rating_mw = 250.0 }]
//! units = [{ name = "G2", bus = "7", breaker = "52G2", trips = ["86-G2.TRIP"], power = "P-G2", rating_mw = 192.0 }]
//! loads = [{ name = "L8", bus = "8", breaker = "52L8", power = "P-L8", rating_mw = 100.0 }]
//! checks = [{ breaker = "52-75", bypass = "25-75.DEF" }]
//! ```

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_spanned::Spanned;

use crate::FileError;
use crate::file::Source;

/// Most buses of a network: load flows are solved whole.
const BUSES_MAX: usize = 128;

/// An electrical network, as far as a switching command can be judged by it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Lines, and transformers between buses.
    pub lines: Vec<GridLine>,
    /// Generating units.
    pub units: Vec<GridPart>,
    /// Loads.
    pub loads: Vec<GridPart>,
    /// Synchronism checks that can be bypassed.
    #[serde(default)]
    pub checks: Vec<GridCheck>,
}

/// A synchronism check, which keeps a breaker from joining parts that are out of step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridCheck {
    /// Tag of the breaker.
    pub breaker: Spanned<String>,
    /// Tag that is 1 while the check is bypassed.
    pub bypass: String,
}

/// A line between two buses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridLine {
    /// What people call it, `5-7`.
    pub name: Spanned<String>,
    /// The bus at one end.
    pub from: String,
    /// The bus at the other end.
    pub to: String,
    /// Tags of its breakers, 1 for closed; it is in service while all are closed.
    #[serde(default)]
    pub breakers: Vec<String>,
    /// Series reactance, per unit of a base that is the same for all lines.
    pub reactance_pu: f64,
    /// What it carries for good, MW.
    pub rating_mw: f64,
}

/// A unit or a load on a bus.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridPart {
    /// What people call it, `G2`.
    pub name: Spanned<String>,
    /// Its bus.
    pub bus: String,
    /// Tag of its breaker, 1 for closed.
    pub breaker: String,
    /// Tags that open the breaker when they are written as 1.
    #[serde(default)]
    pub trips: Vec<String>,
    /// Tag of its active power, MW, out of a unit and into a load.
    pub power: String,
    /// Its power where none has been measured yet, MW.
    pub rating_mw: f64,
}

impl Grid {
    /// Names of the buses, sorted.
    pub fn buses(&self) -> Vec<&str> {
        let of_lines = self.lines.iter().flat_map(|line| [&line.from, &line.to]);
        let buses: BTreeSet<_> = of_lines.chain(self.parts().map(|part| &part.bus)).collect();
        buses.into_iter().map(String::as_str).collect()
    }

    /// Units and loads.
    pub fn parts(&self) -> impl Iterator<Item = &GridPart> {
        self.units.iter().chain(&self.loads)
    }

    /// `is_tag` says whether a tag is one of the site's.
    pub(crate) fn check(&self, source: &Source<'_>, is_tag: impl Fn(&str) -> bool) -> Result<(), FileError> {
        let wrong = |at: &Spanned<String>, problem: String, fix: &str| Err(source.error(at, problem, fix));
        for line in &self.lines {
            if let Some(tag) = line.breakers.iter().find(|tag| !is_tag(tag)) {
                return wrong(&line.name, format!("no tag is called {tag:?}"), "name a tag of this file");
            }
            let is_positive = line.reactance_pu > 0.0 && line.rating_mw > 0.0;
            if !is_positive || line.from == line.to {
                return wrong(
                    &line.name,
                    format!(
                        "line {}: two ends, a reactance and a rating above 0 are needed",
                        line.name.get_ref()
                    ),
                    "mend from, to, reactance_pu and rating_mw",
                );
            }
        }
        for part in self.parts() {
            let mut tags = [&part.breaker, &part.power].into_iter().chain(&part.trips);
            if let Some(tag) = tags.find(|tag| !is_tag(tag)) {
                return wrong(&part.name, format!("no tag is called {tag:?}"), "name a tag of this file");
            }
            let on_a_line = self.lines.iter().any(|line| line.from == part.bus || line.to == part.bus);
            if !on_a_line || part.rating_mw.is_nan() || part.rating_mw <= 0.0 {
                return wrong(
                    &part.name,
                    format!(
                        "{}: a bus that a line reaches and a rating above 0 are needed",
                        part.name.get_ref()
                    ),
                    "mend bus and rating_mw",
                );
            }
        }
        for check in &self.checks {
            if let Some(tag) = [check.breaker.get_ref(), &check.bypass].into_iter().find(|tag| !is_tag(tag)) {
                return wrong(&check.breaker, format!("no tag is called {tag:?}"), "name a tag of this file");
            }
        }
        if self.buses().len() > BUSES_MAX
            && let Some(line) = self.lines.first()
        {
            return wrong(
                &line.name,
                format!("more than {BUSES_MAX} buses"),
                "leave out what is not switched",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Site;

    const POWER: &str = include_str!("../sites/power.toml");

    #[test]
    fn the_power_system_has_six_buses_of_lines() {
        let site = Site::named("power").unwrap();
        let grid = site.grid.unwrap();
        assert_eq!(grid.buses(), ["4", "5", "6", "7", "8", "9"]);
        assert_eq!((grid.lines.len(), grid.units.len(), grid.loads.len()), (6, 3, 3));
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line() {
        for (from, to, problem) in [
            ("breakers = [\"52-57\", \"52-75\"]", "breakers = [\"52-57\", \"52-7\"]", "\"52-7\""),
            ("bypass = \"25-75.DEF\"", "bypass = \"25-57.DEF.\"", "25-57.DEF."),
            ("power = \"P-G2\"", "power = \"P-G7\"", "\"P-G7\""),
            ("reactance_pu = 0.161", "reactance_pu = 0.0", "line 5-7"),
            (
                "bus = \"8\", breaker = \"52L8\"",
                "bus = \"18\", breaker = \"52L8\"",
                "a bus that a line reaches",
            ),
        ] {
            assert!(POWER.contains(from), "{from:?} is gone from the site file");
            let error = Site::parse("power.toml", &POWER.replacen(from, to, 1)).unwrap_err();
            assert!(error.problem.contains(problem) && error.line > 0, "{error}");
        }
    }
}
