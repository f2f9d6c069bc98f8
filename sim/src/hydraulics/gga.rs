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

#[cfg(test)]
mod tests {
    use super::*;

    const FOOT_M: f64 = 0.3048;
    const GPM_M3_S: f64 = 6.309_019_64e-5;
    /// The reference's psi, m. EPANET's own (0.4333 psi/ft) would give 127.54 for the same head.
    const PSI_M: f64 = 0.703_25;

    /// EPANET's example Net1 in SI units: junctions 10 11 12 13 21 22 23 31 32; fixed: reservoir 9, tank 2.
    fn net1() -> (Network, Vec<f64>) {
        let elevations = [710.0, 710.0, 700.0, 695.0, 700.0, 695.0, 690.0, 700.0, 710.0];
        let demands = [0.0, 150.0, 150.0, 100.0, 150.0, 200.0, 150.0, 100.0, 100.0];
        let place = |name: u32| match name {
            9 => End::Fixed(0),
            2 => End::Fixed(1),
            _ => End::Junction([10, 11, 12, 13, 21, 22, 23, 31, 32].iter().position(|n| *n == name).unwrap()),
        };
        let pipes = [
            (10, 11, 10_530.0, 18.0),
            (11, 12, 5280.0, 14.0),
            (12, 13, 5280.0, 10.0),
            (21, 22, 5280.0, 10.0),
            (22, 23, 5280.0, 12.0),
            (31, 32, 5280.0, 6.0),
            (2, 12, 200.0, 18.0),
            (11, 21, 5280.0, 10.0),
            (12, 22, 5280.0, 12.0),
            (13, 23, 5280.0, 8.0),
            (21, 31, 5280.0, 8.0),
            (22, 32, 5280.0, 6.0),
        ];
        let mut links: Vec<Link> = pipes
            .iter()
            .map(|(from, to, feet, inches)| Link {
                from: place(*from),
                to: place(*to),
                law: Law::hazen_williams(feet * FOOT_M, inches / 12.0 * FOOT_M, 100.0),
            })
            .collect();
        // EPANET's one-point curve: shut-off head 4/3 of the design head, no head at twice the design flow.
        let curve = [(0.0, 1000.0 / 3.0), (1500.0, 250.0), (3000.0, 0.0)]
            .map(|(gpm, feet): (f64, f64)| (gpm * GPM_M3_S, feet * FOOT_M));
        links.push(Link { from: place(9), to: place(10), law: Law::three_point_pump(curve).unwrap() });
        let network = Network { elevation_m: elevations.map(|feet| feet * FOOT_M).to_vec(), links };
        (network, demands.map(|gpm| gpm * GPM_M3_S).to_vec())
    }

    /// EPANET 2.2 through wntr 1.5.0, hour 0: pump 1866.18 gpm, 127.58 psi at junction 10 (`B_water.md`).
    #[test]
    fn net1_is_epanets() {
        let (network, demand_m3_s) = net1();
        let mut passage = [Passage::Free; 13];
        passage[12] = Passage::Forward;
        let boundary = Boundary {
            fixed_head_m: &[800.0 * FOOT_M, 970.0 * FOOT_M],
            demand_m3_s: &demand_m3_s,
            passage: &passage,
            wagner: None,
        };
        let mut solution = Solution::new(&network);
        solution.solve(&network, &boundary);
        assert!(solution.converged && solution.iterations < 15, "{}", solution.iterations);
        let pump_gpm = solution.flow_m3_s[12] / GPM_M3_S;
        assert!((pump_gpm - 1866.18).abs() < 0.05, "{pump_gpm}");
        let pressure_psi = (solution.head_m[0] - 710.0 * FOOT_M) / PSI_M;
        assert!((pressure_psi - 127.58).abs() < 0.01, "{pressure_psi}");
        let supplied: f64 = solution.flow_m3_s[12] + solution.flow_m3_s[6];
        let wanted: f64 = demand_m3_s.iter().sum();
        assert!((supplied - wanted).abs() < 1e-12, "continuity: {supplied} for {wanted}");
    }

    /// A pipe from a reservoir to one customer.
    fn one_customer(head_m: f64, passage: Passage) -> (Network, Solution) {
        let law = Law::hazen_williams(500.0, 0.1, 100.0);
        let network = Network {
            elevation_m: vec![10.0],
            links: vec![Link { from: End::Fixed(0), to: End::Junction(0), law }],
        };
        let mut solution = Solution::new(&network);
        let boundary = Boundary {
            fixed_head_m: &[head_m],
            demand_m3_s: &[0.008],
            passage: &[passage],
            wagner: Some(Wagner { required_pressure_m: 20.0 }),
        };
        solution.solve(&network, &boundary);
        assert!(solution.converged);
        (network, solution)
    }

    #[test]
    fn a_customer_under_low_pressure_gets_wagners_share() {
        let (network, solution) = one_customer(25.0, Passage::Free);
        let pressure_m = solution.head_m[0] - network.elevation_m[0];
        let share = (pressure_m / 20.0).sqrt();
        assert!(pressure_m > 0.0 && pressure_m < 15.0, "{pressure_m}");
        assert!((solution.delivered_m3_s[0] - 0.008 * share).abs() < 1e-9);
        assert!((solution.flow_m3_s[0] - solution.delivered_m3_s[0]).abs() < 1e-12);
    }

    #[test]
    fn a_customer_under_full_pressure_gets_all_and_one_above_the_water_gets_nothing() {
        let (_, full) = one_customer(60.0, Passage::Free);
        assert!((full.delivered_m3_s[0] - 0.008).abs() < 1e-6);
        let (_, dry) = one_customer(5.0, Passage::Forward);
        assert!(dry.delivered_m3_s[0].abs() < 1e-6 && dry.flow_m3_s[0] >= 0.0);
    }

    #[test]
    fn a_pump_against_too_much_head_carries_nothing_and_starts_again_when_it_can() {
        let law = Law::three_point_pump([(0.0, 70.0), (0.060, 50.0), (0.100, 30.0)]).unwrap();
        let pipe = Law::hazen_williams(100.0, 0.3, 100.0);
        let network = Network {
            elevation_m: vec![0.0],
            links: vec![
                Link { from: End::Fixed(0), to: End::Junction(0), law },
                Link { from: End::Junction(0), to: End::Fixed(1), law: pipe },
            ],
        };
        let mut solution = Solution::new(&network);
        for (tower_m, runs) in [(80.0, false), (40.0, true), (90.0, false)] {
            let boundary = Boundary {
                fixed_head_m: &[0.0, tower_m],
                demand_m3_s: &[0.0],
                passage: &[Passage::Forward, Passage::Free],
                wagner: None,
            };
            solution.solve(&network, &boundary);
            assert!(solution.converged);
            assert_eq!(solution.flow_m3_s[0] > 0.01, runs, "tower at {tower_m} m");
            assert!(solution.flow_m3_s[0] >= 0.0);
        }
    }
}
