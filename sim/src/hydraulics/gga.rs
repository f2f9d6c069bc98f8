//! The global gradient algorithm (Todini and Pilati 1987; Rossman, EPANET 2 manual, appendix D).
//!
//! # Theory of operation
//! Unknown are the head of every junction and the flow of every link. One iteration linearises each link's law
//! around its flow (`p = 1/gradient`, `y = p h`), assembles the symmetric matrix of the junctions, solves for the
//! heads, and corrects each flow by `q <- q - (y - p (Hi - Hj))`. After the first iteration continuity holds at
//! every junction to rounding, whatever the heads; iterations stop when the corrections are `TOLERANCE` of the flows.
//! The flows of the last call start the next one, so a call a second later takes two or three iterations.
//!
//! Demands are fixed flows. With pressure-driven demand (Wagner et al. 1988, `q = D sqrt((p - p0)/(pr - p0))`,
//! here p0 = 0) each demand becomes a link of its own from the junction to its elevation, whose loss is the
//! inverse of that law, with steep walls at no flow and at full demand.
//!
//! A pump runs forward only, and the inlet of an empty tank lets water in but not out: after convergence such a
//! link that would carry water backwards is shut, one whose heads would drive it forwards is opened, and the
//! network is solved again.
//!
//! # What can go wrong
//! Where nothing feeds a part of the network and demands are fixed, it has no solution: the file check makes sure
//! that every junction reaches a tank or reservoir through pipes, and demand is pressure-driven once a tank is empty.

use super::law::{Law, Loss};
use super::ldl;

/// Where a link begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A junction, by index: its head is unknown.
    Junction(usize),
    /// A tank or reservoir, by index: its head is given.
    Fixed(usize),
}

/// A pipe or a pump.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) law: Law,
}

/// How a link may carry water at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Both ways.
    Free,
    /// From its start to its end only.
    Forward,
    /// From its end to its start only.
    Backward,
    /// Not at all.
    Shut,
}

/// Wagner's law for demands, with p0 = 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wagner {
    /// Pressure at which the full demand flows, m.
    pub(crate) required_pressure_m: f64,
}

/// A network that does not change.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Elevation of each junction, m.
    pub(crate) elevation_m: Vec<f64>,
    /// Pipes and pumps.
    pub(crate) links: Vec<Link>,
}

/// What holds during one solution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boundary<'a> {
    /// Head of each tank and reservoir, m.
    pub(crate) fixed_head_m: &'a [f64],
    /// Demand of each junction, m3/s.
    pub(crate) demand_m3_s: &'a [f64],
    /// Passage of each link.
    pub(crate) passage: &'a [Passage],
    /// Pressure-driven demand, or fixed.
    pub(crate) wagner: Option<Wagner>,
}

/// Heads and flows, and the space to compute them in.
#[derive(Clone, Debug)]
pub(crate) struct Solution {
    /// Head of each junction, m.
    pub(crate) head_m: Vec<f64>,
    /// Flow of each link from start to end, m3/s.
    pub(crate) flow_m3_s: Vec<f64>,
    /// Water that each junction delivers to its customers, m3/s.
    pub(crate) delivered_m3_s: Vec<f64>,
    /// Whether the last solution met the tolerance.
    pub(crate) converged: bool,
    /// Iterations that the last solution took.
    pub(crate) iterations: u32,
    open: Vec<bool>,
    was_shut: Vec<bool>,
    matrix: Vec<f64>,
    losses: Vec<Loss>,
    demand_losses: Vec<Loss>,
}

const TOLERANCE: f64 = 1e-10;
/// Flows are exact to `TOLERANCE` of at least this sum, m3/s: a network at rest is at rest to rounding.
const LEAST_TOTAL_M3_S: f64 = 1.0;
const ITERATIONS_MOST: u32 = 200;
const PASSES_MOST: u32 = 12;
/// Slope of the walls of a pressure-driven demand, m per m3/s: 10 m of suction draw a tenth of a millilitre per second.
const WALL_S_M2: f64 = 1e8;
/// Smallest gradient of a pressure-driven demand, m per m3/s.
const DEMAND_GRADIENT_S_M2: f64 = 1.0;
/// Flow to begin from, m3/s.
const FIRST_FLOW_M3_S: f64 = 0.03;
/// A head difference below this drives nothing, m.
const HEAD_NOISE_M: f64 = 1e-7;

impl Solution {
    /// A first guess for a network.
    pub(crate) fn new(network: &Network) -> Self {
        let (junctions, links) = (network.elevation_m.len(), network.links.len());
        let none = Loss { head_m: 0.0, gradient_s_m2: 1.0 };
        Self {
            head_m: network.elevation_m.clone(),
            flow_m3_s: vec![FIRST_FLOW_M3_S; links],
            delivered_m3_s: vec![0.0; junctions],
            converged: false,
            iterations: 0,
            open: vec![true; links],
            was_shut: vec![false; links],
            matrix: vec![0.0; junctions * junctions],
            losses: vec![none; links],
            demand_losses: vec![none; junctions],
        }
    }

    /// Solves the network for a boundary, starting from what is there.
    pub(crate) fn solve(&mut self, network: &Network, boundary: &Boundary<'_>) {
        self.iterations = 0;
        for (index, passage) in boundary.passage.iter().enumerate() {
            let shut = *passage == Passage::Shut;
            if shut || self.was_shut[index] || *passage == Passage::Free {
                self.open[index] = !shut;
            }
            self.was_shut[index] = shut;
        }
        for _ in 0..PASSES_MOST {
            self.prepare(boundary);
            self.converged = self.iterate(network, boundary);
            if !self.reconsider(network, boundary) {
                return;
            }
        }
        self.converged = false;
    }

    /// Takes a sensible flow in links that open, none in those that are shut.
    fn prepare(&mut self, boundary: &Boundary<'_>) {
        for (flow, open) in self.flow_m3_s.iter_mut().zip(&self.open) {
            if !open {
                *flow = 0.0;
            } else if *flow == 0.0 {
                *flow = FIRST_FLOW_M3_S;
            }
        }
        for (delivered, demand) in self.delivered_m3_s.iter_mut().zip(boundary.demand_m3_s) {
            *delivered = match boundary.wagner {
                None => *demand,
                Some(_) if *delivered == 0.0 => 0.5 * demand,
                Some(_) => delivered.min(*demand),
            };
        }
    }

    fn iterate(&mut self, network: &Network, boundary: &Boundary<'_>) -> bool {
        for _ in 0..ITERATIONS_MOST {
            self.iterations += 1;
            self.assemble(network, boundary);
            ldl::solve(&mut self.matrix, &mut self.head_m);
            let (correction, total) = self.correct(network, boundary);
            if correction <= TOLERANCE * total.max(LEAST_TOTAL_M3_S) {
                return true;
            }
        }
        false
    }

    /// Fills the matrix, and the right-hand side into the place of the heads.
    fn assemble(&mut self, network: &Network, boundary: &Boundary<'_>) {
        let n = network.elevation_m.len();
        self.matrix.fill(0.0);
        self.head_m.fill(0.0);
        for (index, link) in network.links.iter().enumerate() {
            if !self.open[index] {
                continue;
            }
            let flow = self.flow_m3_s[index];
            let loss = link.law.loss(flow);
            self.losses[index] = loss;
            let p = 1.0 / loss.gradient_s_m2;
            let carried = flow - p * loss.head_m;
            for (end, other, sign) in [(link.from, link.to, -1.0), (link.to, link.from, 1.0)] {
                let End::Junction(i) = end else { continue };
                self.matrix[i * n + i] += p;
                self.head_m[i] += sign * carried;
                match other {
                    End::Junction(j) => self.matrix[i * n + j] -= p,
                    End::Fixed(k) => self.head_m[i] += p * boundary.fixed_head_m[k],
                }
            }
        }
        for (i, demand) in boundary.demand_m3_s.iter().enumerate() {
            match boundary.wagner {
                Some(wagner) if *demand > 0.0 => {
                    let flow = self.delivered_m3_s[i];
                    let loss = demand_loss(wagner, *demand, flow);
                    self.demand_losses[i] = loss;
                    let p = 1.0 / loss.gradient_s_m2;
                    self.matrix[i * n + i] += p;
                    self.head_m[i] += p * (network.elevation_m[i] + loss.head_m) - flow;
                }
                _ => self.head_m[i] -= demand,
            }
        }
    }

    /// Corrects the flows by the new heads; gives the sum of corrections and the sum of flows.
    fn correct(&mut self, network: &Network, boundary: &Boundary<'_>) -> (f64, f64) {
        let (mut corrections, mut total) = (0.0, 0.0);
        for (index, link) in network.links.iter().enumerate() {
            if !self.open[index] {
                continue;
            }
            let loss = self.losses[index];
            let driving = self.head_at(link.from, boundary) - self.head_at(link.to, boundary);
            let correction = (loss.head_m - driving) / loss.gradient_s_m2;
            self.flow_m3_s[index] -= correction;
            corrections += correction.abs();
            total += self.flow_m3_s[index].abs();
        }
        let Some(_) = boundary.wagner else { return (corrections, total) };
        for (i, demand) in boundary.demand_m3_s.iter().enumerate() {
            if *demand > 0.0 {
                let loss = self.demand_losses[i];
                let correction =
                    (loss.head_m - (self.head_m[i] - network.elevation_m[i])) / loss.gradient_s_m2;
                self.delivered_m3_s[i] -= correction;
                corrections += correction.abs();
                total += self.delivered_m3_s[i].abs();
            }
        }
        (corrections, total)
    }

    /// Shuts links that would carry water the wrong way and opens those that would carry it the right way.
    fn reconsider(&mut self, network: &Network, boundary: &Boundary<'_>) -> bool {
        let mut changed = false;
        for (index, link) in network.links.iter().enumerate() {
            let sign = match boundary.passage[index] {
                Passage::Free | Passage::Shut => continue,
                Passage::Forward => 1.0,
                Passage::Backward => -1.0,
            };
            if self.open[index] {
                if sign * self.flow_m3_s[index] < 0.0 {
                    self.open[index] = false;
                    changed = true;
                }
            } else {
                let driving = self.head_at(link.from, boundary) - self.head_at(link.to, boundary)
                    + link.law.lift_at_rest_m();
                if sign * driving > HEAD_NOISE_M {
                    self.open[index] = true;
                    self.flow_m3_s[index] = sign * FIRST_FLOW_M3_S;
                    changed = true;
                }
            }
        }
        changed
    }

    fn head_at(&self, end: End, boundary: &Boundary<'_>) -> f64 {
        match end {
            End::Junction(i) => self.head_m[i],
            End::Fixed(k) => boundary.fixed_head_m[k],
        }
    }
}

/// Pressure at which a demand takes a flow, with walls at nothing and at everything.
fn demand_loss(wagner: Wagner, demand_m3_s: f64, flow_m3_s: f64) -> Loss {
    let required = wagner.required_pressure_m;
    if flow_m3_s < 0.0 {
        return Loss { head_m: WALL_S_M2 * flow_m3_s, gradient_s_m2: WALL_S_M2 };
    }
    if flow_m3_s > demand_m3_s {
        let head_m = required + WALL_S_M2 * (flow_m3_s - demand_m3_s);
        return Loss { head_m, gradient_s_m2: WALL_S_M2 };
    }
    let share = flow_m3_s / demand_m3_s;
    let gradient = 2.0 * required * share / demand_m3_s;
    Loss { head_m: required * share * share, gradient_s_m2: gradient.max(DEMAND_GRADIENT_S_M2) }
}
