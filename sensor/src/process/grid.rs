//! What switching a breaker would do to the grid, told before it happens.
//!
//! # Theory of operation
//! The site file says which lines, units and loads a breaker joins; reports say which breakers are closed and what
//! flows. A command that opens one is tried on that network. Two things can be more than it bears: a piece that nothing
//! joins to the rest any more, with the units and loads in it; and a line that would carry more than its rating. Flows
//! come from a DC load flow (Wood, Wollenberg and Sheblé, Power Generation, Operation, and Control, 3rd ed., 6.17):
//! angles are small, voltages are 1 and lines lose nothing, so that the power of a line is the difference of its angles
//! over its reactance. What the last reports leave between generation and load is spread over the units. A command that
//! closes a breaker is more than the grid bears where both sides have units, nothing else joins them, and the synchronism
//! check that would wait until they are in step is bypassed.
//!
//! # What can go wrong
//! Breakers of which nothing was reported count as closed, powers that were not reported as the documentation's. Voltage,
//! stability and protection are not judged: the grid may bear less than is said here.

use crate::known::Known;

/// A line whose load is more than this share of its rating is over it.
const FULL: f64 = 1.0;
/// Powers below this are nothing, MW.
const NOTHING: f64 = 0.5;

#[derive(Debug)]
struct Line {
    name: String,
    ends: (usize, usize),
    /// Tags of its breakers.
    breakers: Vec<usize>,
    reactance_pu: f64,
    rating_mw: f64,
}

impl Line {
    fn is_in_service(&self, closed: &impl Fn(usize) -> bool) -> bool {
        self.breakers.iter().all(|tag| closed(*tag))
    }
}

/// A unit or a load.
#[derive(Debug)]
struct Part {
    name: String,
    is_unit: bool,
    bus: usize,
    breaker: usize,
    trips: Vec<usize>,
    power: usize,
    rating_mw: f64,
}

impl Part {
    fn title(&self) -> String {
        format!("{} {}", if self.is_unit { "unit" } else { "load" }, self.name)
    }
}

/// What switching a breaker would do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strain {
    /// Tag of the breaker.
    pub(crate) breaker: usize,
    /// The line it is on, where it is on one.
    pub(crate) line: Option<String>,
    /// The bus whose last line that is.
    pub(crate) last_of: Option<String>,
    /// Units and loads that would be cut off from the rest: `unit G2`.
    pub(crate) cut: Vec<String>,
    /// There are both units and loads among them, which would go on alone.
    pub(crate) is_island: bool,
    /// The greater of their generation and their load, MW.
    pub(crate) cut_mw: f64,
    /// That of what all loads take.
    pub(crate) cut_share: f64,
    /// Units and loads of the lesser side that a closing would join out of step, its check being bypassed.
    pub(crate) joined: Vec<String>,
    /// The line that would be loaded most of those above their rating: name, MW, rating in MW.
    pub(crate) overload: Option<(String, f64, f64)>,
}

impl Strain {
    /// Load of the most loaded line, of its rating.
    pub(crate) fn loading(&self) -> Option<f64> {
        self.overload.as_ref().map(|(_, found, rating)| found / rating)
    }
}

/// The network of the site file.
#[derive(Debug)]
pub(super) struct Grid {
    buses: Vec<String>,
    lines: Vec<Line>,
    parts: Vec<Part>,
    /// Synchronism checks: breaker, and what bypasses them.
    checks: Vec<(usize, usize)>,
}

impl Grid {
    pub(super) fn new(known: &Known) -> Option<Self> {
        let grid = known.site()?.grid.as_ref()?;
        let buses = grid.buses();
        let bus = |name: &str| buses.binary_search(&name).ok();
        let tags =
            |names: &[String]| names.iter().map(|name| known.tag_number(name)).collect::<Option<Vec<_>>>();
        let lines = grid.lines.iter().filter_map(|line| {
            Some(Line {
                name: line.name.get_ref().clone(),
                ends: (bus(&line.from)?, bus(&line.to)?),
                breakers: tags(&line.breakers)?,
                reactance_pu: line.reactance_pu,
                rating_mw: line.rating_mw,
            })
        });
        let units = grid.units.iter().map(|unit| (unit, true));
        let parts = units.chain(grid.loads.iter().map(|load| (load, false))).filter_map(|(part, is_unit)| {
            Some(Part {
                name: part.name.get_ref().clone(),
                is_unit,
                bus: bus(&part.bus)?,
                breaker: known.tag_number(&part.breaker)?,
                trips: tags(&part.trips)?,
                power: known.tag_number(&part.power)?,
                rating_mw: part.rating_mw,
            })
        });
        let check = |check: &site::GridCheck| {
            Some((known.tag_number(check.breaker.get_ref())?, known.tag_number(&check.bypass)?))
        };
        let (lines, parts) = (lines.collect(), parts.collect());
        let checks = grid.checks.iter().filter_map(check).collect();
        Some(Self { buses: buses.into_iter().map(str::to_owned).collect(), lines, parts, checks })
    }

    /// The breaker that a written value opens.
    fn opened(&self, tag: usize, value: f64) -> Option<usize> {
        if value >= 0.5 {
            return Some(self.parts.iter().find(|part| part.trips.contains(&tag))?.breaker);
        }
        let of_lines = self.lines.iter().flat_map(|line| &line.breakers);
        of_lines.chain(self.parts.iter().map(|part| &part.breaker)).copied().find(|breaker| *breaker == tag)
    }

    /// What writing a value to a tag would do, if it moves a breaker and that is more than nothing. `latest` gives the
    /// latest value of a tag.
    pub(super) fn judge(
        &self,
        tag: usize,
        value: f64,
        latest: impl Fn(usize) -> Option<f64>,
    ) -> Option<Strain> {
        match self.opened(tag, value) {
            Some(breaker) => self.opening(breaker, &latest),
            None if value >= 0.5 => self.closing(tag, &latest),
            None => None,
        }
    }

    /// What closing a breaker would do.
    fn closing(&self, breaker: usize, latest: &impl Fn(usize) -> Option<f64>) -> Option<Strain> {
        let (_, bypass) = self.checks.iter().find(|(checked, _)| *checked == breaker)?;
        let is_closed = |tag: usize| latest(tag).is_none_or(|value| value > 0.5);
        if is_closed(breaker) || latest(*bypass).is_none_or(|value| value < 0.5) {
            return None;
        }
        let pieces = self.pieces(&is_closed);
        let within = |piece: usize| -> Vec<&Part> {
            self.parts.iter().filter(|part| is_closed(part.breaker) && pieces[part.bus] == piece).collect()
        };
        let line = self.lines.iter().find(|line| line.breakers.contains(&breaker));
        let (one, other) = if let Some(line) = line {
            let after = |tag: usize| tag == breaker || is_closed(tag);
            let (one, other) = (pieces[line.ends.0], pieces[line.ends.1]);
            if one == other || !line.is_in_service(&after) {
                return None;
            }
            (within(one), within(other))
        } else {
            let part = self.parts.iter().find(|part| part.breaker == breaker)?;
            (vec![part], within(pieces[part.bus]))
        };
        let has_unit = |parts: &[&Part]| parts.iter().any(|part| part.is_unit);
        if !has_unit(&one) || !has_unit(&other) {
            return None;
        }
        let lesser = if one.len() < other.len() { one } else { other };
        Some(Strain {
            breaker,
            line: line.map(|line| line.name.clone()),
            last_of: None,
            cut: Vec::new(),
            is_island: false,
            cut_mw: 0.0,
            cut_share: 0.0,
            joined: lesser.iter().map(|part| part.title()).collect(),
            overload: None,
        })
    }

    /// What opening a breaker would do.
    fn opening(&self, breaker: usize, latest: &impl Fn(usize) -> Option<f64>) -> Option<Strain> {
        let is_closed = |tag: usize| latest(tag).is_none_or(|value| value > 0.5);
        if !is_closed(breaker) {
            return None;
        }
        let after = |tag: usize| tag != breaker && is_closed(tag);
        let power = |part: &Part| latest(part.power).unwrap_or(part.rating_mw).max(0.0);
        let sum = |parts: &[&Part], is_unit: bool| -> f64 {
            parts.iter().filter(|part| part.is_unit == is_unit).map(|part| power(part)).sum()
        };
        let mut alive: Vec<&Part> = self.parts.iter().filter(|part| is_closed(part.breaker)).collect();
        // What no unit feeds is dead already.
        let before = self.pieces(&is_closed);
        let fed: Vec<usize> = alive.iter().filter(|part| part.is_unit).map(|part| before[part.bus]).collect();
        alive.retain(|part| fed.contains(&before[part.bus]));
        let demand = sum(&alive, false);

        let line = self.lines.iter().find(|line| line.breakers.contains(&breaker));
        let pieces = self.pieces(&after);
        let (mut cut, mut last_of) = (Vec::new(), None);
        if let Some(line) = line.filter(|line| line.is_in_service(&is_closed)) {
            let (one, other) = (pieces[line.ends.0], pieces[line.ends.1]);
            if one != other {
                let within = |piece: usize| -> Vec<&Part> {
                    alive.iter().copied().filter(|part| pieces[part.bus] == piece).collect()
                };
                let (one, other) = ((one, within(one)), (other, within(other)));
                let weight = |parts: &[&Part]| sum(parts, true) + sum(parts, false);
                let lesser = if weight(&one.1) < weight(&other.1) { one } else { other };
                let mut buses = (0..self.buses.len()).filter(|bus| pieces[*bus] == lesser.0);
                last_of = buses.next().filter(|_| buses.next().is_none()).map(|bus| self.buses[bus].clone());
                cut = lesser.1;
            }
        } else {
            cut.extend(alive.iter().find(|part| part.breaker == breaker));
        }
        let (units, loads) = (sum(&cut, true), sum(&cut, false));
        let cut_mw = units.max(loads);
        let overload = self.overload(&is_closed, &after, &power);
        if cut_mw < NOTHING && overload.is_none() {
            return None;
        }
        Some(Strain {
            breaker,
            line: line.map(|line| line.name.clone()),
            last_of,
            cut: cut.iter().map(|part| part.title()).collect(),
            is_island: units > NOTHING && loads > NOTHING,
            cut_mw,
            cut_share: if demand > NOTHING { cut_mw / demand } else { 0.0 },
            joined: Vec::new(),
            overload,
        })
    }

    /// For each bus the lowest bus that lines in service join it to.
    fn pieces(&self, closed: &impl Fn(usize) -> bool) -> Vec<usize> {
        let mut pieces: Vec<usize> = (0..self.buses.len()).collect();
        for line in self.lines.iter().filter(|line| line.is_in_service(closed)) {
            let (one, other) = (pieces[line.ends.0], pieces[line.ends.1]);
            let (low, high) = (one.min(other), one.max(other));
            pieces.iter_mut().filter(|piece| **piece == high).for_each(|piece| *piece = low);
        }
        pieces
    }

    /// The line that is above its rating most, with `after` closed, and was not as much before.
    fn overload(
        &self,
        before: &impl Fn(usize) -> bool,
        after: &impl Fn(usize) -> bool,
        power: &impl Fn(&Part) -> f64,
    ) -> Option<(String, f64, f64)> {
        let flows = self.flows(after, power);
        let over = |(line, flow): &(&Line, f64)| *flow / line.rating_mw;
        let was = self.flows(before, power);
        let mut more = self.lines.iter().zip(flows).enumerate().filter_map(|(number, (line, flow))| {
            (flow > FULL * line.rating_mw && flow > was[number] + NOTHING).then_some((line, flow))
        });
        let first = more.next()?;
        let (line, flow) = more.fold(first, |most, one| if over(&one) > over(&most) { one } else { most });
        Some((line.name.clone(), flow, line.rating_mw))
    }

    /// What each line carries, MW, without its direction.
    fn flows(&self, closed: &impl Fn(usize) -> bool, power: &impl Fn(&Part) -> f64) -> Vec<f64> {
        let pieces = self.pieces(closed);
        let count = self.buses.len();
        let mut injected = vec![0.0; count];
        // Units make up what is missing, in proportion; a piece without units is dead.
        let mut generated = vec![0.0; count];
        let mut taken = vec![0.0; count];
        let in_service = || self.parts.iter().filter(|part| closed(part.breaker));
        for part in in_service() {
            let sum = if part.is_unit { &mut generated } else { &mut taken };
            sum[pieces[part.bus]] += power(part);
        }
        for part in in_service() {
            let (made, used) = (generated[pieces[part.bus]], taken[pieces[part.bus]]);
            if made > NOTHING {
                injected[part.bus] += if part.is_unit { power(part) * used / made } else { -power(part) };
            }
        }
        let mut matrix = vec![vec![0.0; count]; count];
        for line in self.lines.iter().filter(|line| line.is_in_service(closed)) {
            let (from, to) = line.ends;
            let susceptance = 1.0 / line.reactance_pu;
            matrix[from][from] += susceptance;
            matrix[to][to] += susceptance;
            matrix[from][to] -= susceptance;
            matrix[to][from] -= susceptance;
        }
        // The lowest bus of each piece is its angle 0.
        for bus in (0..count).filter(|bus| pieces[*bus] == *bus) {
            matrix[bus].fill(0.0);
            for row in &mut matrix {
                row[bus] = 0.0;
            }
            matrix[bus][bus] = 1.0;
            injected[bus] = 0.0;
        }
        let angles = solve(matrix, injected);
        let flow = |line: &Line| {
            let (from, to) = line.ends;
            if line.is_in_service(closed) {
                ((angles[from] - angles[to]) / line.reactance_pu).abs()
            } else {
                0.0
            }
        };
        self.lines.iter().map(flow).collect()
    }
}

/// Solves a system of equations whose matrix is symmetric and positive definite, so that no pivot is 0.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let count = right.len();
    for pivot in 0..count {
        let (above, below) = matrix.split_at_mut(pivot + 1);
        let Some(row) = above.last() else { break };
        for (offset, other) in below.iter_mut().enumerate() {
            let factor = other[pivot] / row[pivot];
            if factor != 0.0 {
                other.iter_mut().zip(row).for_each(|(one, over)| *one -= factor * over);
                right[pivot + 1 + offset] -= factor * right[pivot];
            }
        }
    }
    for pivot in (0..count).rev() {
        let known: f64 = (pivot + 1..count).map(|at| matrix[pivot][at] * right[at]).sum();
        right[pivot] = (right[pivot] - known) / matrix[pivot][pivot];
    }
    right
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;

    /// The nine-bus system as it is dispatched.
    const DISPATCH: [(&str, f64); 6] =
        [("P-G1", 71.6), ("P-G2", 163.0), ("P-G3", 85.0), ("P-L5", 125.0), ("P-L6", 90.0), ("P-L8", 100.0)];

    struct Bench {
        known: Known,
        grid: Grid,
        latest: BTreeMap<usize, f64>,
    }

    impl Bench {
        fn new() -> Self {
            let known = Known::new(Some(Arc::new(site::Site::named("power").unwrap())));
            let grid = Grid::new(&known).unwrap();
            let latest = DISPATCH.iter().map(|(tag, mw)| (known.tag_number(tag).unwrap(), *mw)).collect();
            Self { known, grid, latest }
        }

        fn write(&mut self, tag: &str, value: f64) -> Option<Strain> {
            let tag = self.known.tag_number(tag).unwrap();
            let strain = self.grid.judge(tag, value, |tag| self.latest.get(&tag).copied());
            self.latest.insert(tag, value);
            strain
        }

        fn flow(&self, name: &str) -> f64 {
            let power = |part: &Part| self.latest.get(&part.power).copied().unwrap();
            let flows =
                self.grid.flows(&|tag| self.latest.get(&tag).is_none_or(|value| *value > 0.5), &power);
            flows[self.grid.lines.iter().position(|line| line.name == name).unwrap()]
        }
    }

    /// Anderson and Fouad, example 2.6 (figure 2.18): 86.6 MW from bus 7 to 5, 76.4 to 8, 24.2 from 9 to 8, 60.8 to 6.
    #[test]
    fn flows_are_those_of_the_book_but_for_losses() {
        let bench = Bench::new();
        for (line, mw) in
            [("5-7", 86.6), ("7-8", 76.4), ("8-9", 24.1), ("6-9", 60.8), ("4-5", 40.9), ("4-6", 30.7)]
        {
            assert!((bench.flow(line) - mw).abs() < 4.0, "{line}: {} for {mw}", bench.flow(line));
        }
    }

    #[test]
    fn a_line_that_is_taken_out_and_put_back_is_borne() {
        let mut bench = Bench::new();
        for breaker in ["52-89", "52-98"] {
            assert_eq!(bench.write(breaker, 0.0), None, "{breaker}");
        }
        assert!(bench.write("52-98", 1.0).is_none() && bench.write("52-89", 1.0).is_none());
    }

    #[test]
    fn the_second_line_of_a_bus_takes_its_unit_along() {
        let mut bench = Bench::new();
        assert_eq!(bench.write("52-75", 0.0), None);
        let strain = bench.write("52-78", 0.0).unwrap();
        assert_eq!((strain.last_of.as_deref(), strain.line.as_deref()), (Some("7"), Some("7-8")));
        assert_eq!((strain.cut.as_slice(), strain.is_island), (["unit G2".to_owned()].as_slice(), false));
        assert!((strain.cut_share - 163.0 / 315.0).abs() < 1e-9, "{strain:?}");
        assert_eq!(bench.write("52-87", 0.0), None, "the other end of a line that is out");
        let strain = bench.write("52-89", 0.0).unwrap();
        assert_eq!((strain.last_of.as_deref(), strain.cut[0].as_str()), (Some("8"), "load L8"));
        assert_eq!(bench.write("52L8", 0.0), None, "a load that nothing feeds");
    }

    #[test]
    fn units_and_loads_are_cut_off_by_their_own_breakers_and_trips() {
        let mut bench = Bench::new();
        let strain = bench.write("52L8", 0.0).unwrap();
        assert!(strain.line.is_none() && (strain.cut_mw - 100.0).abs() < 1e-9, "{strain:?}");
        assert!(bench.write("52L8", 0.0).is_none(), "open already");
        assert_eq!(bench.write("86-G3.TRIP", 1.0).unwrap().cut, ["unit G3"]);
        assert!(bench.write("86-G3.TRIP", 0.0).is_none());
    }

    #[test]
    fn a_part_that_goes_on_alone_is_an_island() {
        let mut bench = Bench::new();
        for breaker in ["52-57", "52-89"] {
            bench.write(breaker, 0.0);
        }
        // 7 hangs on 8 and nothing else; then 4, 5, 6 and 9 part.
        bench.write("52-98", 0.0);
        let strain = bench.write("52-96", 0.0).unwrap();
        assert_eq!((strain.last_of.as_deref(), strain.cut[0].as_str()), (Some("9"), "unit G3"));
        let mut bench = Bench::new();
        bench.write("52-75", 0.0);
        let strain = bench.write("52-98", 0.0).unwrap();
        assert_eq!(strain.cut, ["unit G2", "load L8"].map(str::to_owned));
        assert!(strain.is_island && strain.last_of.is_none(), "{strain:?}");
    }

    #[test]
    fn parts_are_joined_out_of_step_where_the_check_is_bypassed() {
        let mut bench = Bench::new();
        bench.write("52-96", 0.0);
        bench.write("52-98", 0.0);
        assert_eq!(bench.write("52-96", 1.0), None, "its check sees to it");
        bench.write("52-96", 0.0);
        bench.write("25-96.DEF", 1.0);
        assert_eq!(bench.write("52-96", 1.0).unwrap().joined, ["unit G3"]);
        bench.write("25-98.DEF", 1.0);
        assert_eq!(bench.write("52-98", 1.0), None, "joined already");
        bench.write("52G2", 0.0);
        bench.write("25-G2.DEF", 1.0);
        assert_eq!(bench.write("52G2", 1.0).unwrap().joined, ["unit G2"]);
    }

    #[test]
    fn a_line_that_would_be_overloaded_is_named() {
        let mut bench = Bench::new();
        let unit = bench.known.tag_number("P-G3").unwrap();
        bench.latest.insert(unit, 128.0);
        let strain = bench.write("52-57", 0.0).unwrap();
        let (line, mw, rating) = strain.overload.clone().unwrap();
        // All of units 2 and 3 but for load 8 goes by 6: what bus 4 does not make up.
        assert_eq!((line.as_str(), rating), ("6-9", 150.0));
        assert!(mw > 150.0 && strain.cut.is_empty() && strain.loading() > Some(1.0), "{strain:?}");
    }
}
