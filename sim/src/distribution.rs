//! Distribution: tanks fill and empty while the network above them is in balance.
//!
//! # Theory of operation
//! Between two events the network is in a steady state and a tank's level moves by `A dL/dt = q` (explicit Euler).
//! An event is a tank that becomes empty, reaches its rim, or crosses a level at which the reference control
//! switches a pump. Its moment follows from the level's straight line; the step is cut there, so that a switch
//! happens when it happens, not when somebody looks.
//!
//! A tank at its rim overflows with what runs into it. An empty tank takes water and gives none, and demands then
//! follow pressure until it has recovered (see `gga`): customers get what there is.
//!
//! # Why the network is solved at the end of a step
//! The heads and flows that are shown belong to the levels that are shown with them. If nothing is switched, the
//! same solution begins the next step: one solution a step.

use crate::design::water::WaterNetwork;
use crate::file::water::PressureDriven;
use crate::hydraulics::gga::{Boundary, Passage, Solution, Wagner};

/// A pump that the reference control switches by a tank's level, at the exact moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Band {
    pub(crate) tank: usize,
    pub(crate) pump: usize,
    pub(crate) on_below_m: f64,
    pub(crate) off_above_m: f64,
}

/// One pump as the network sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PumpState {
    pub(crate) link: usize,
    pub(crate) on: bool,
}

/// Water moved during a step, m3.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::struct_field_names, reason = "names end in their unit")]
pub(crate) struct Moved {
    /// Out of the clearwell.
    pub(crate) drawn_m3: f64,
    /// To customers.
    pub(crate) delivered_m3: f64,
    /// Wanted by customers.
    pub(crate) wanted_m3: f64,
    /// Over the rims of tanks.
    pub(crate) overflow_m3: f64,
}

/// Levels, heads and flows.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    /// Water surface above the bottom of each tank, m.
    pub(crate) level_m: Vec<f64>,
    /// The network in balance with these levels.
    pub(crate) solution: Solution,
    /// Whether demands follow pressure at present.
    pub(crate) pressure_driven: bool,
    /// Solutions that missed the tolerance since the start.
    pub(crate) unconverged: u64,
    demand_m3_s: Vec<f64>,
    pattern_slots: Vec<usize>,
    fixed_head_m: Vec<f64>,
    passage: Vec<Passage>,
    solved_for: Option<(Vec<f64>, Vec<Passage>, bool)>,
}

/// Events in one step before the rest of it is taken in one piece.
const EVENTS_MOST: u32 = 64;

impl Distribution {
    pub(crate) fn new(water: &WaterNetwork) -> Self {
        let links = water.network.links.len();
        Self {
            level_m: water.tanks.iter().map(|tank| tank.initial_level_m).collect(),
            solution: Solution::new(&water.network),
            pressure_driven: water.pressure_driven == PressureDriven::Always,
            unconverged: 0,
            demand_m3_s: vec![0.0; water.network.elevation_m.len()],
            pattern_slots: vec![usize::MAX; water.patterns.len()],
            fixed_head_m: vec![0.0; 1 + water.tanks.len()],
            passage: vec![Passage::Free; links],
            solved_for: None,
        }
    }

    /// Brings heads and flows into balance with levels, pumps and the demand of a moment.
    pub(crate) fn settle(&mut self, water: &WaterNetwork, suction: Suction, pumps: &[PumpState], now_s: u64) {
        self.draw_demand(water, now_s);
        self.fixed_head_m[0] = suction.head_m;
        for (index, tank) in water.tanks.iter().enumerate() {
            let level_m = self.level_m[index];
            self.fixed_head_m[1 + index] = tank.bottom_m + level_m;
            for (link, sign) in &tank.inlets {
                self.passage[*link] = match (level_m > 0.0, *sign > 0.0) {
                    (true, _) => Passage::Free,
                    (false, true) => Passage::Forward,
                    (false, false) => Passage::Backward,
                };
            }
        }
        for pump in pumps {
            self.passage[pump.link] = if pump.on && suction.holds { Passage::Forward } else { Passage::Shut };
        }
        let unchanged = self.solved_for.as_ref().is_some_and(|(heads, passages, pressure_driven)| {
            *heads == self.fixed_head_m
                && *passages == self.passage
                && *pressure_driven == self.pressure_driven
        });
        if unchanged {
            return;
        }
        let wagner =
            self.pressure_driven.then_some(Wagner { required_pressure_m: water.required_pressure_m });
        let boundary = Boundary {
            fixed_head_m: &self.fixed_head_m,
            demand_m3_s: &self.demand_m3_s,
            passage: &self.passage,
            wagner,
        };
        self.solution.solve(&water.network, &boundary);
        self.unconverged += u64::from(!self.solution.converged);
        let (heads, passages, pressure_driven) =
            self.solved_for.get_or_insert_with(|| (Vec::new(), Vec::new(), false));
        heads.clone_from(&self.fixed_head_m);
        passages.clone_from(&self.passage);
        *pressure_driven = self.pressure_driven;
    }

    /// Moves the levels through one step. `pumps` change where a band switches one.
    pub(crate) fn advance(
        &mut self,
        water: &WaterNetwork,
        suction: Suction,
        pumps: &mut [PumpState],
        bands: &[Band],
        now_s: u64,
        step_s: f64,
    ) -> Moved {
        let mut moved = Moved::default();
        let mut left_s = step_s;
        for event in 0.. {
            self.switch(pumps, bands);
            self.settle(water, suction, pumps, now_s);
            let piece_s =
                if event < EVENTS_MOST { self.next_event(water, pumps, bands, left_s) } else { left_s };
            self.move_for(water, piece_s, &mut moved);
            left_s -= piece_s;
            if left_s <= 0.0 {
                break;
            }
        }
        self.switch(pumps, bands);
        moved
    }

    /// Flow into a tank, m3/s.
    pub(crate) fn inflow_m3_s(&self, water: &WaterNetwork, tank: usize) -> f64 {
        water.tanks[tank].inlets.iter().map(|(link, sign)| sign * self.solution.flow_m3_s[*link]).sum()
    }

    /// Demand of all customers, m3/s.
    pub(crate) fn wanted_m3_s(&self) -> f64 {
        self.demand_m3_s.iter().sum()
    }

    /// What all customers get, m3/s.
    pub(crate) fn delivered_m3_s(&self) -> f64 {
        self.solution.delivered_m3_s.iter().sum()
    }

    fn draw_demand(&mut self, water: &WaterNetwork, now_s: u64) {
        let mut changed = false;
        for (slot, pattern) in self.pattern_slots.iter_mut().zip(&water.patterns) {
            let now = (now_s / pattern.step_s) as usize % pattern.multipliers.len();
            changed |= *slot != now;
            *slot = now;
        }
        if !changed {
            return;
        }
        self.demand_m3_s.fill(0.0);
        for demand in &water.demands {
            let multiplier = water.patterns[demand.pattern].multipliers[self.pattern_slots[demand.pattern]];
            self.demand_m3_s[demand.junction] += demand.base_m3_s * multiplier;
        }
        self.solved_for = None;
    }

    /// Lets the bands switch their pumps for the present levels.
    fn switch(&self, pumps: &mut [PumpState], bands: &[Band]) {
        for band in bands {
            let level_m = self.level_m[band.tank];
            if level_m <= band.on_below_m {
                pumps[band.pump].on = true;
            } else if level_m >= band.off_above_m {
                pumps[band.pump].on = false;
            }
        }
    }

    /// Time to the next event, at most what is left of the step.
    fn next_event(&self, water: &WaterNetwork, pumps: &[PumpState], bands: &[Band], left_s: f64) -> f64 {
        let mut soonest_s = left_s;
        for (index, tank) in water.tanks.iter().enumerate() {
            let rate_m_s = self.inflow_m3_s(water, index) / tank.area_m2;
            let level_m = self.level_m[index];
            let mut at = |target_m: f64| {
                let wait_s = (target_m - level_m) / rate_m_s;
                if wait_s > 0.0 && wait_s < soonest_s {
                    soonest_s = wait_s;
                }
            };
            if rate_m_s == 0.0 {
                continue;
            }
            at(0.0);
            at(tank.rim_level_m);
            for band in bands.iter().filter(|band| band.tank == index) {
                at(if pumps[band.pump].on { band.off_above_m } else { band.on_below_m });
            }
        }
        soonest_s
    }

    fn move_for(&mut self, water: &WaterNetwork, piece_s: f64, moved: &mut Moved) {
        let outflow: f64 =
            water.outlets.iter().map(|(link, sign)| sign * self.solution.flow_m3_s[*link]).sum();
        moved.drawn_m3 += outflow * piece_s;
        moved.delivered_m3 += self.delivered_m3_s() * piece_s;
        moved.wanted_m3 += self.wanted_m3_s() * piece_s;
        for (index, tank) in water.tanks.iter().enumerate() {
            let inflow_m3 = self.inflow_m3_s(water, index) * piece_s;
            let level_m = self.level_m[index] + inflow_m3 / tank.area_m2;
            // A level that misses an end of the tank by rounding is at that end; the difference goes over the rim, or
            // is made good by the next inflow.
            if level_m > tank.rim_level_m {
                moved.overflow_m3 += (level_m - tank.rim_level_m) * tank.area_m2;
                self.level_m[index] = tank.rim_level_m;
            } else if level_m < LEVEL_NOISE_M {
                moved.overflow_m3 += level_m * tank.area_m2;
                self.level_m[index] = 0.0;
            } else {
                self.level_m[index] = level_m;
            }
        }
        self.follow_tanks(water);
    }

    /// Decides whether demands follow pressure.
    fn follow_tanks(&mut self, water: &WaterNetwork) {
        if water.pressure_driven == PressureDriven::Always {
            return;
        }
        if self.level_m.contains(&0.0) {
            self.pressure_driven = true;
        } else if self.pressure_driven {
            self.pressure_driven = self.level_m.iter().any(|level_m| *level_m < water.resume_level_m);
        }
    }
}

/// A film thinner than this is an empty tank, m.
const LEVEL_NOISE_M: f64 = 1e-9;

/// The clearwell's outlet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Suction {
    /// Head of the reservoir node, m.
    pub(crate) head_m: f64,
    /// Whether pumps draw water and not air.
    pub(crate) holds: bool,
}
