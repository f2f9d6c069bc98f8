//! The works as a whole: treatment and distribution, solved together once a step.

use std::sync::Arc;

use crate::design::Design;
use crate::design::water::{Motor, WaterDesign, WaterMeasure};
use crate::distribution::{Distribution, Moved, PumpState, Suction};
use crate::file::water::LossKey;
use crate::journal::{Journal, PlantEventKind};
use crate::plant::Tick;
use crate::reference_control::ReferenceControl;
use crate::treatment::{Settings, Treated, Treatment};

/// The coupled state of the works.
#[derive(Clone, Debug)]
pub(crate) struct Works {
    design: Arc<Design>,
    pub(crate) water: Arc<WaterDesign>,
    pub(crate) distribution: Distribution,
    pub(crate) treatment: Treatment,
    /// Positions of the actuators as last solved for.
    pub(crate) positions: Vec<f64>,
    /// What moved in the last step.
    pub(crate) moved: Moved,
    pub(crate) treated: Treated,
    /// Seconds by which the demand patterns are ahead of the run.
    pub(crate) pattern_offset_s: u64,
    /// A head of the clearwell's outlet that does not follow the level, m.
    pub(crate) held_suction_head_m: Option<f64>,
    pub(crate) balance: WaterBalance,
}

/// Water that came, went and stayed since the start of the run, m3.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WaterBalance {
    /// Raw water and solutions that came in.
    pub inflow_m3: f64,
    /// Delivered to customers.
    pub delivered_m3: f64,
    /// Over the rims of tanks and clearwell.
    pub overflow_m3: f64,
    /// Stored in clearwell and tanks at the start.
    pub stored_first_m3: f64,
    /// Stored now.
    pub stored_now_m3: f64,
}

impl WaterBalance {
    /// What is unaccounted for, over all the water that moved.
    pub fn relative_error(&self) -> f64 {
        let out = self.delivered_m3 + self.overflow_m3;
        let unaccounted = self.inflow_m3 - out - (self.stored_now_m3 - self.stored_first_m3);
        unaccounted.abs() / (self.inflow_m3 + out).max(1.0)
    }
}

impl Works {
    pub(crate) fn new(design: Arc<Design>, water: Arc<WaterDesign>) -> Self {
        let positions: Vec<f64> = design.actuators.iter().map(|actuator| actuator.initial).collect();
        let settings = settings(&water, &positions);
        let step_s = 1e-3 * design.step_ms as f64;
        let mut works = Self {
            distribution: Distribution::new(&water.network),
            treatment: Treatment::new(&water.treatment, settings, step_s),
            positions,
            moved: Moved::default(),
            treated: Treated::default(),
            pattern_offset_s: 0,
            held_suction_head_m: None,
            balance: WaterBalance::default(),
            water,
            design,
        };
        works.settle(0);
        works.balance.stored_first_m3 = works.stored_m3();
        works.balance.stored_now_m3 = works.stored_m3();
        works
    }

    /// Brings the network into balance with what is there at a moment.
    pub(crate) fn settle(&mut self, now_s: u64) {
        let (pumps, suction) = (self.pumps(), self.suction());
        self.distribution.settle(&self.water.network, suction, &pumps, now_s + self.pattern_offset_s);
    }

    /// The quantity that an instrument is about, in the instrument's unit.
    pub(crate) fn value(&self, measure: WaterMeasure) -> f64 {
        let (design, treatment) = (&*self.water, &self.treatment);
        let solution = &self.distribution.solution;
        match measure {
            WaterMeasure::RawFlow => treatment.raw_flow_m3_s * 1e3,
            WaterMeasure::RawPh => design.treatment.raw_ph,
            WaterMeasure::RawTemperature => design.treatment.raw_temperature_degc,
            WaterMeasure::ActuatorPosition(actuator) => self.positions[actuator],
            WaterMeasure::MixerPh => treatment.mixer_ph,
            WaterMeasure::MixerChlorine => treatment.mixer.chlorine_g_m3,
            WaterMeasure::NaohFlow => treatment.naoh.flow_m3_s * 3.6e6,
            WaterMeasure::NaohLevel => 100.0 * treatment.naoh.content_m3 / design.treatment.naoh.day_tank_m3,
            WaterMeasure::HypochloriteFlow => treatment.hypochlorite.flow_m3_s * 3.6e6,
            WaterMeasure::HypochloriteLevel => {
                100.0 * treatment.hypochlorite.content_m3 / design.treatment.hypochlorite.day_tank_m3
            }
            WaterMeasure::ClearwellLevel => treatment.clearwell_level_m(&design.treatment),
            WaterMeasure::ClearwellPh => treatment.clearwell_ph,
            WaterMeasure::ClearwellChlorine => treatment.clearwell.chlorine_g_m3,
            WaterMeasure::LinkFlow(link) => solution.flow_m3_s[link] * 1e3,
            WaterMeasure::Pressure(junction) => {
                solution.head_m[junction] - design.network.network.elevation_m[junction]
            }
            WaterMeasure::MotorCurrent(pump) => {
                let pump = design.pumps[pump];
                let on = self.positions[pump.actuator] >= 0.5;
                if on { current_a(pump.motor, solution.flow_m3_s[pump.link]) } else { 0.0 }
            }
            WaterMeasure::TankLevel(tank) => self.distribution.level_m[tank],
        }
    }

    /// The quantity where the probe sits.
    pub(crate) fn value_at_probe(&self, measure: WaterMeasure) -> f64 {
        match measure {
            WaterMeasure::MixerPh => self.treatment.sample().0,
            WaterMeasure::MixerChlorine => self.treatment.sample().1,
            other => self.value(other),
        }
    }

    fn pumps(&self) -> Vec<PumpState> {
        let on = |actuator: usize| self.positions[actuator] >= 0.5;
        self.water.pumps.iter().map(|pump| PumpState { link: pump.link, on: on(pump.actuator) }).collect()
    }

    fn suction(&self) -> Suction {
        let clearwell = &self.water.treatment.clearwell;
        let level_m = self.treatment.clearwell_level_m(&self.water.treatment);
        Suction {
            head_m: self.held_suction_head_m.unwrap_or(clearwell.floor_m + level_m),
            holds: self.treatment.suction_holds,
        }
    }

    fn stored_m3(&self) -> f64 {
        let tanks = self.water.network.tanks.iter().zip(&self.distribution.level_m);
        tanks.map(|(tank, level_m)| tank.area_m2 * level_m).sum::<f64>() + self.treatment.clearwell_m3
    }

    pub(crate) fn advance(&mut self, control: &ReferenceControl, tick: Tick) {
        let design = Arc::clone(&self.water);
        let (step_s, before_s) = (tick.step_s(), (tick.step - 1) * tick.whole_step_s());
        let mut pumps = self.pumps();
        let suction = self.suction();
        self.moved = self.distribution.advance(
            &design.network,
            suction,
            &mut pumps,
            control.bands(),
            before_s + self.pattern_offset_s,
            step_s,
        );
        for (pump, state) in design.pumps.iter().zip(&pumps) {
            self.positions[pump.actuator] = f64::from(u8::from(state.on));
        }
        let settings = settings(&design, &self.positions);
        self.treated =
            self.treatment.advance(&design.treatment, settings, self.moved.drawn_m3, before_s as f64, step_s);
        self.settle(before_s + tick.whole_step_s());
        self.balance.inflow_m3 += self.treated.inflow_m3;
        self.balance.delivered_m3 += self.moved.delivered_m3;
        self.balance.overflow_m3 += self.moved.overflow_m3 + self.treated.overflow_m3;
        self.balance.stored_now_m3 = self.stored_m3();
    }

    /// Says what happened in the last step.
    pub(crate) fn report(&self, journal: &mut Journal) {
        let (design, treated) = (&self.water, &self.treated);
        let tag_of = |actuator: usize| self.design.actuators[actuator].tag.as_str();
        if treated.naoh_refill_began {
            let (tag, level) = (tag_of(design.treatment.naoh.pump), self.value(WaterMeasure::NaohLevel));
            journal.report(
                PlantEventKind::RefillStarted,
                tag,
                tag,
                level,
                "the shift fills the NaOH day tank",
                0,
            );
        }
        if treated.hypochlorite_refill_began {
            let (tag, level) =
                (tag_of(design.treatment.hypochlorite.pump), self.value(WaterMeasure::HypochloriteLevel));
            let message = "the shift fills the hypochlorite day tank";
            journal.report(PlantEventKind::RefillStarted, tag, tag, level, message, 0);
        }
        let level_m = self.treatment.clearwell_level_m(&design.treatment);
        if treated.suction_changed {
            let (kind, message, priority) = if self.treatment.suction_holds {
                (PlantEventKind::SuctionRegained, "the high-lift pumps draw water again", 3)
            } else {
                (PlantEventKind::SuctionLost, "the high-lift pumps draw air: the clearwell is empty", 1)
            };
            journal.report(kind, "CLEARWELL", "CLEARWELL", level_m, message, priority);
        }
    }

    /// What was lost in the last step. Trips are counted where they are made.
    pub(crate) fn lost(&self, loss: LossKey) -> f64 {
        match loss {
            LossKey::TankOverflowM3 => self.moved.overflow_m3,
            LossKey::ClearwellOverflowM3 => self.treated.overflow_m3,
            LossKey::UnservedM3 => self.moved.wanted_m3 - self.moved.delivered_m3,
            LossKey::NaohKg => self.treated.naoh_kg,
            LossKey::ChlorineKg => self.treated.chlorine_kg,
            LossKey::Trips => 0.0,
        }
    }

    /// Overflow of tanks and clearwell, and demand that was not served, L/s.
    pub(crate) fn unseen_l_s(&self) -> [f64; 3] {
        let per_step = 1e6 / self.design.step_ms as f64;
        [
            self.moved.overflow_m3 * per_step,
            self.treated.overflow_m3 * per_step,
            (self.moved.wanted_m3 - self.moved.delivered_m3) * per_step,
        ]
    }
}

fn settings(design: &WaterDesign, positions: &[f64]) -> Settings {
    Settings {
        valve_percent: positions[design.treatment.valve],
        naoh_percent: positions[design.treatment.naoh.pump],
        hypochlorite_percent: positions[design.treatment.hypochlorite.pump],
    }
}

/// Current of a running motor: the active part from the shaft power, the magnetising part at right angles to it.
fn current_a(motor: Motor, flow_m3_s: f64) -> f64 {
    let active_a = (motor.shutoff_power_w + motor.power_j_m3 * flow_m3_s.max(0.0)) * motor.amperes_per_watt;
    (active_a * active_a + motor.magnetising_a * motor.magnetising_a).sqrt()
}
