//! Treatment: raw water, dosing, mixer, clearwell.
//!
//! # Theory of operation
//! Raw water runs through its valve into the mixer, where both chemicals join it; the mixer overflows into the
//! clearwell, from which the high-lift pumps draw. Mixer and clearwell are well mixed. What is carried and mixed is
//! matter: alkalinity (all of it sodium's), total carbonate, chlorine; pH is computed from them, see
//! [`crate::chemistry`]. Through the mixer the exact solution of `V dc/dt = q (c_in - c)` is taken over the step,
//! and what leaves is what the balance leaves over. Chlorine decays by first order.
//!
//! Chemicals come from day tanks that run dry. At fixed hours the shift begins to fill them from the bulk store
//! with a hand valve that is on no network.
//!
//! # What is neglected
//! The alkalinity that comes with hypochlorite (under 1 % of what is there), evaporation, the heat of dilution.

use std::collections::VecDeque;

use crate::chemistry::{Carbonate, NAOH_G_MOL};
use crate::design::water::{DosingDesign, TreatmentDesign};

/// What a cubic metre of water carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Burden {
    pub(crate) carbonate: Carbonate,
    pub(crate) chlorine_g_m3: f64,
}

impl Burden {
    /// `self` where `share` is 0, `other` where it is 1.
    fn towards(self, other: Self, share: f64) -> Self {
        let between = |from: f64, to: f64| from + share * (to - from);
        let (from, to) = (self.carbonate, other.carbonate);
        Self {
            carbonate: Carbonate {
                alkalinity_eq_m3: between(from.alkalinity_eq_m3, to.alkalinity_eq_m3),
                carbon_mol_m3: between(from.carbon_mol_m3, to.carbon_mol_m3),
            },
            chlorine_g_m3: between(self.chlorine_g_m3, other.chlorine_g_m3),
        }
    }
}

/// A day tank and its dosing pump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dosing {
    /// Solution in the day tank, m3.
    pub(crate) content_m3: f64,
    /// Solution pumped, m3/s.
    pub(crate) flow_m3_s: f64,
    /// Pure chemical dosed since the start, kg.
    pub(crate) dosed_kg: f64,
    next_refill_s: f64,
    is_filling: bool,
}

/// Solution moved in one step.
#[derive(Clone, Copy, Debug, Default)]
struct Dose {
    solution_m3: f64,
    chemical_kg: f64,
    refill_began: bool,
}

impl Dosing {
    fn new(design: &DosingDesign, speed_percent: f64) -> Self {
        Self {
            content_m3: design.initial_m3,
            flow_m3_s: 0.01 * speed_percent * design.capacity_kg_s / design.strength_kg_m3,
            dosed_kg: 0.0,
            next_refill_s: design.refill_first_s,
            is_filling: false,
        }
    }

    fn advance(&mut self, design: &DosingDesign, speed_percent: f64, now_s: f64, step_s: f64) -> Dose {
        let refill_began = now_s >= self.next_refill_s && self.content_m3 < design.refill_to_m3;
        if now_s >= self.next_refill_s {
            self.next_refill_s += design.refill_every_s;
            self.is_filling |= refill_began;
        }
        if self.is_filling {
            let room_m3 = design.refill_to_m3 - self.content_m3;
            self.content_m3 += (design.refill_m3_s * step_s).min(room_m3.max(0.0));
            self.is_filling = self.content_m3 < design.refill_to_m3;
        }
        let wanted_m3 = 0.01 * speed_percent * design.capacity_kg_s / design.strength_kg_m3 * step_s;
        let solution_m3 = wanted_m3.min(self.content_m3);
        self.content_m3 -= solution_m3;
        self.flow_m3_s = solution_m3 / step_s;
        let chemical_kg = solution_m3 * design.strength_kg_m3;
        self.dosed_kg += chemical_kg;
        Dose { solution_m3, chemical_kg, refill_began }
    }
}

/// Positions of the actuators of the treatment, per cent.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "names end in their unit")]
pub(crate) struct Settings {
    pub(crate) valve_percent: f64,
    pub(crate) naoh_percent: f64,
    pub(crate) hypochlorite_percent: f64,
}

/// What happened in one step of the treatment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Treated {
    /// Water and solutions that came in, m3.
    pub(crate) inflow_m3: f64,
    /// Water over the rim of the clearwell, m3.
    pub(crate) overflow_m3: f64,
    pub(crate) naoh_kg: f64,
    pub(crate) chlorine_kg: f64,
    pub(crate) naoh_refill_began: bool,
    pub(crate) hypochlorite_refill_began: bool,
    /// Whether the pumps began or ceased to draw air.
    pub(crate) suction_changed: bool,
}

/// State of the treatment.
#[derive(Clone, Debug)]
pub(crate) struct Treatment {
    pub(crate) raw_flow_m3_s: f64,
    pub(crate) mixer: Burden,
    pub(crate) mixer_ph: f64,
    pub(crate) clearwell: Burden,
    pub(crate) clearwell_ph: f64,
    pub(crate) clearwell_m3: f64,
    pub(crate) naoh: Dosing,
    pub(crate) hypochlorite: Dosing,
    /// Whether the pumps can draw from the clearwell.
    pub(crate) suction_holds: bool,
    /// (pH, chlorine) on the way through the sample line; the front has arrived.
    sample_line: VecDeque<(f64, f64)>,
    decay_over_step: f64,
}

impl Treatment {
    pub(crate) fn new(design: &TreatmentDesign, settings: Settings, step_s: f64) -> Self {
        let initial = Burden {
            carbonate: Carbonate {
                alkalinity_eq_m3: design.raw.alkalinity_eq_m3 + design.naoh.initial_dose_g_m3 / NAOH_G_MOL,
                ..design.raw
            },
            chlorine_g_m3: design.hypochlorite.initial_dose_g_m3,
        };
        let ph = initial.carbonate.ph(7.0);
        Self {
            raw_flow_m3_s: 0.01 * settings.valve_percent * design.valve_capacity_m3_s,
            mixer: initial,
            mixer_ph: ph,
            clearwell: initial,
            clearwell_ph: ph,
            clearwell_m3: design.clearwell.initial_level_m * design.clearwell.area_m2,
            naoh: Dosing::new(&design.naoh, settings.naoh_percent),
            hypochlorite: Dosing::new(&design.hypochlorite, settings.hypochlorite_percent),
            suction_holds: true,
            sample_line: VecDeque::from(vec![(ph, initial.chlorine_g_m3); design.sample_delay_steps + 1]),
            decay_over_step: libm::exp(-design.chlorine_decay_per_s * step_s),
        }
    }

    /// Level of the clearwell, m.
    pub(crate) fn clearwell_level_m(&self, design: &TreatmentDesign) -> f64 {
        self.clearwell_m3 / design.clearwell.area_m2
    }

    /// pH and chlorine at the mixer's analysers, one sample line after they left the mixer.
    pub(crate) fn sample(&self) -> (f64, f64) {
        self.sample_line.front().copied().unwrap_or((self.mixer_ph, self.mixer.chlorine_g_m3))
    }

    /// One step, in which the pumps draw `drawn_m3` from the clearwell.
    pub(crate) fn advance(
        &mut self,
        design: &TreatmentDesign,
        settings: Settings,
        drawn_m3: f64,
        now_s: f64,
        step_s: f64,
    ) -> Treated {
        self.raw_flow_m3_s = 0.01 * settings.valve_percent * design.valve_capacity_m3_s;
        let raw_m3 = self.raw_flow_m3_s * step_s;
        let naoh = self.naoh.advance(&design.naoh, settings.naoh_percent, now_s, step_s);
        let hypochlorite =
            self.hypochlorite.advance(&design.hypochlorite, settings.hypochlorite_percent, now_s, step_s);
        let inflow_m3 = raw_m3 + naoh.solution_m3 + hypochlorite.solution_m3;
        if inflow_m3 > 0.0 {
            let feed = Burden {
                carbonate: Carbonate {
                    alkalinity_eq_m3: (raw_m3 * design.raw.alkalinity_eq_m3
                        + naoh.chemical_kg * 1e3 / NAOH_G_MOL)
                        / inflow_m3,
                    carbon_mol_m3: raw_m3 * design.raw.carbon_mol_m3 / inflow_m3,
                },
                chlorine_g_m3: hypochlorite.chemical_kg * 1e3 / inflow_m3,
            };
            let passed = self.pass_mixer(design, feed, inflow_m3);
            let share = inflow_m3 / (self.clearwell_m3 + inflow_m3);
            self.clearwell = self.clearwell.towards(passed, share);
        }
        self.mixer.chlorine_g_m3 *= self.decay_over_step;
        self.clearwell.chlorine_g_m3 *= self.decay_over_step;
        let overflow_m3 = self.balance_clearwell(design, inflow_m3, drawn_m3);
        self.mixer_ph = self.mixer.carbonate.ph(self.mixer_ph);
        self.clearwell_ph = self.clearwell.carbonate.ph(self.clearwell_ph);
        self.sample_line.push_back((self.mixer_ph, self.mixer.chlorine_g_m3));
        self.sample_line.pop_front();
        let held = self.suction_holds;
        self.watch_suction(design);
        Treated {
            inflow_m3,
            overflow_m3,
            naoh_kg: naoh.chemical_kg,
            chlorine_kg: hypochlorite.chemical_kg,
            naoh_refill_began: naoh.refill_began,
            hypochlorite_refill_began: hypochlorite.refill_began,
            suction_changed: held != self.suction_holds,
        }
    }

    /// Sends feed through the mixer; gives the mean of what leaves it.
    fn pass_mixer(&mut self, design: &TreatmentDesign, feed: Burden, inflow_m3: f64) -> Burden {
        let before = self.mixer;
        let renewed = inflow_m3 / design.mixer_m3;
        self.mixer = before.towards(feed, -libm::expm1(-renewed));
        // What left = what came - what stayed: feed - (after - before) / renewed.
        let left = |came: f64, before: f64, after: f64| came - (after - before) / renewed;
        let (came, was, is) = (feed.carbonate, before.carbonate, self.mixer.carbonate);
        Burden {
            carbonate: Carbonate {
                alkalinity_eq_m3: left(came.alkalinity_eq_m3, was.alkalinity_eq_m3, is.alkalinity_eq_m3),
                carbon_mol_m3: left(came.carbon_mol_m3, was.carbon_mol_m3, is.carbon_mol_m3),
            },
            chlorine_g_m3: left(feed.chlorine_g_m3, before.chlorine_g_m3, self.mixer.chlorine_g_m3),
        }
    }

    /// New content of the clearwell; gives what runs over its rim.
    fn balance_clearwell(&mut self, design: &TreatmentDesign, inflow_m3: f64, drawn_m3: f64) -> f64 {
        let rim_m3 = design.clearwell.rim_level_m * design.clearwell.area_m2;
        let content_m3 = self.clearwell_m3 + inflow_m3 - drawn_m3;
        let overflow_m3 = (content_m3 - rim_m3).max(0.0);
        self.clearwell_m3 = content_m3 - overflow_m3;
        overflow_m3
    }

    fn watch_suction(&mut self, design: &TreatmentDesign) {
        let level_m = self.clearwell_level_m(design);
        if self.suction_holds {
            self.suction_holds = level_m > design.clearwell.suction_lost_level_m;
        } else {
            self.suction_holds = level_m >= design.clearwell.suction_regained_level_m;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::{Design, ProcessDesign};

    fn design() -> TreatmentDesign {
        let design = Design::read("water.toml", include_str!("../plants/water.toml")).unwrap();
        let ProcessDesign::Water(water) = &design.process else { panic!("not a water works") };
        water.treatment.clone()
    }

    const USUAL: Settings = Settings { valve_percent: 50.0, naoh_percent: 28.0, hypochlorite_percent: 25.0 };

    #[test]
    fn alkalinity_and_carbon_are_conserved_through_a_change_of_dose() {
        let design = design();
        let mut treatment = Treatment::new(&design, USUAL, 1.0);
        let stored = |treatment: &Treatment, of: fn(Carbonate) -> f64| {
            of(treatment.mixer.carbonate) * design.mixer_m3
                + of(treatment.clearwell.carbonate) * treatment.clearwell_m3
        };
        let parts: [fn(Carbonate) -> f64; 2] = [|c| c.alkalinity_eq_m3, |c| c.carbon_mol_m3];
        let before = parts.map(|of| stored(&treatment, of));
        let (mut came, mut went) = ([0.0; 2], [0.0; 2]);
        for second in 0..5000 {
            let naoh_percent = if second < 1000 { 28.0 } else { 90.0 };
            let settings = Settings { naoh_percent, ..USUAL };
            let treated = treatment.advance(&design, settings, 0.15, f64::from(second), 1.0);
            let raw_m3 = treatment.raw_flow_m3_s;
            came[0] += raw_m3 * design.raw.alkalinity_eq_m3 + treated.naoh_kg * 1e3 / NAOH_G_MOL;
            came[1] += raw_m3 * design.raw.carbon_mol_m3;
            for (sum, of) in went.iter_mut().zip(parts) {
                *sum += (0.15 + treated.overflow_m3) * of(treatment.clearwell.carbonate);
            }
        }
        for (index, of) in parts.into_iter().enumerate() {
            let unaccounted = came[index] - went[index] - (stored(&treatment, of) - before[index]);
            assert!(unaccounted.abs() < 1e-9 * came[index], "{unaccounted} of {}", came[index]);
        }
    }

    #[test]
    fn the_mixer_follows_the_closed_form() {
        let design = design();
        let still = Settings { naoh_percent: 0.0, hypochlorite_percent: 0.0, ..USUAL };
        let mut treatment = Treatment::new(&design, still, 1.0);
        let first = treatment.mixer.carbonate.alkalinity_eq_m3 - design.raw.alkalinity_eq_m3;
        for second in 0..30 {
            treatment.advance(&design, still, 0.19, f64::from(second), 1.0);
        }
        let left = treatment.mixer.carbonate.alkalinity_eq_m3 - design.raw.alkalinity_eq_m3;
        let expected = first * libm::exp(-30.0 * 0.19 / 4.0);
        assert!((left - expected).abs() < 1e-9, "{left} {expected}");
    }

    #[test]
    fn chlorine_decays_by_half_in_its_half_life_where_nothing_flows() {
        let design = design();
        let shut = Settings { valve_percent: 0.0, naoh_percent: 0.0, hypochlorite_percent: 0.0 };
        let mut treatment = Treatment::new(&design, shut, 1.0);
        let first = treatment.clearwell.chlorine_g_m3;
        let half_life_s = (libm::log(2.0) / design.chlorine_decay_per_s) as u32;
        for second in 0..half_life_s {
            treatment.advance(&design, shut, 0.0, f64::from(second), 1.0);
        }
        assert!((treatment.clearwell.chlorine_g_m3 / first - 0.5).abs() < 1e-4);
    }
}
