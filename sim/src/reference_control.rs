//! The stand-in for the controllers, for running the physics alone. A lab never switches it on: there the PLCs
//! command, over their own wiring.
//!
//! Tank bands are handed to the distribution, which switches at the exact moment inside a step. The other loops
//! run once a step on true values.

use std::sync::Arc;

use bevy_ecs::prelude::{Query, Res, ResMut, Resource};

use crate::actuator::Command;
use crate::design::water::{DosingDesign, LoopLaw, PumpDesign, WaterMeasure};
use crate::design::{Design, ProcessDesign};
use crate::distribution::Band;
use crate::plant::Tick;
use crate::process::{ActuatorEntities, Process};

/// Setpoints, and which loops are closed.
#[derive(Resource, Debug)]
pub(crate) struct ReferenceControl {
    design: Arc<Design>,
    is_on: bool,
    /// Loops that a person has taken over by hand.
    in_manual: Vec<bool>,
    /// One for each loop; only level controllers use it, per cent.
    integrals: Vec<f64>,
    setpoints: Vec<(String, f64)>,
    bands: Vec<Band>,
}

impl ReferenceControl {
    pub(crate) fn new(design: Arc<Design>) -> Self {
        let mut setpoints: Vec<(String, f64)> = Vec::new();
        for control in &design.loops {
            match &control.law {
                LoopLaw::TankBand { on, off, .. } => setpoints.extend([on.clone(), off.clone()]),
                LoopLaw::Dose { setpoint } | LoopLaw::ClearwellLevel { setpoint, .. } => {
                    setpoints.push(setpoint.clone());
                }
            }
        }
        let integrals =
            design.loops.iter().map(|control| design.actuators[control.actuator].initial).collect();
        Self {
            in_manual: vec![false; design.loops.len()],
            integrals,
            setpoints,
            bands: Vec::new(),
            is_on: false,
            design,
        }
    }

    pub(crate) fn switch(&mut self, on: bool) {
        self.is_on = on;
        self.arrange();
    }

    /// Names and values of the setpoints.
    pub(crate) fn setpoints(&self) -> &[(String, f64)] {
        &self.setpoints
    }

    /// Changes a setpoint; false where there is none of this name.
    pub(crate) fn set(&mut self, tag: &str, value: f64) -> bool {
        let mut found = false;
        for (name, setpoint) in &mut self.setpoints {
            if name == tag {
                *setpoint = value;
                found = true;
            }
        }
        self.arrange();
        found
    }

    /// Takes the loop of an actuator into manual.
    pub(crate) fn take_over(&mut self, actuator: usize) {
        for (manual, control) in self.in_manual.iter_mut().zip(&self.design.loops) {
            *manual |= control.actuator == actuator;
        }
        self.arrange();
    }

    /// Pumps that are switched by tank levels at present.
    pub(crate) fn bands(&self) -> &[Band] {
        &self.bands
    }

    fn setpoint(&self, name: &str) -> f64 {
        self.setpoints.iter().find(|(tag, _)| tag == name).map_or(0.0, |(_, value)| *value)
    }

    fn pumps(design: &Design) -> &[PumpDesign] {
        match &design.process {
            ProcessDesign::Water(water) => &water.pumps,
            ProcessDesign::Power(_) => &[],
        }
    }

    fn arrange(&mut self) {
        self.bands.clear();
        for (control, manual) in self.design.loops.iter().zip(&self.in_manual) {
            let LoopLaw::TankBand { tank, on, off } = &control.law else { continue };
            let pump = Self::pumps(&self.design).iter().position(|pump| pump.actuator == control.actuator);
            if let (Some(pump), true, false) = (pump, self.is_on, *manual) {
                self.bands.push(Band {
                    tank: *tank,
                    pump,
                    on_below_m: self.setpoint(&on.0),
                    off_above_m: self.setpoint(&off.0),
                });
            }
        }
    }
}

/// Speed of a dosing pump that gives a dose at a flow, per cent, as far as the pump can.
fn speed_for_dose(design: &DosingDesign, dose_g_m3: f64, flow_m3_s: f64) -> f64 {
    (100.0 * dose_g_m3 * 1e-3 * flow_m3_s / design.capacity_kg_s).clamp(0.0, 100.0)
}

/// Runs the closed loops that are not tank bands.
pub(crate) fn control(
    tick: Res<Tick>,
    process: Res<Process>,
    entities: Res<ActuatorEntities>,
    mut reference: ResMut<ReferenceControl>,
    mut commands: Query<&mut Command>,
) {
    let Process::Water(works) = &*process else { return };
    if !reference.is_on {
        return;
    }
    let design = Arc::clone(&reference.design);
    for (index, control) in design.loops.iter().enumerate() {
        if reference.in_manual[index] {
            continue;
        }
        let value = match &control.law {
            LoopLaw::TankBand { .. } => continue,
            LoopLaw::Dose { setpoint } => {
                let treatment = &works.water.treatment;
                let dosing = if control.actuator == treatment.naoh.pump {
                    &treatment.naoh
                } else {
                    &treatment.hypochlorite
                };
                speed_for_dose(dosing, reference.setpoint(&setpoint.0), works.treatment.raw_flow_m3_s)
            }
            LoopLaw::ClearwellLevel { setpoint, gain_percent_per_m, reset_s } => {
                let error_m = reference.setpoint(&setpoint.0) - works.value(WaterMeasure::ClearwellLevel);
                let proportional = gain_percent_per_m * error_m;
                let integral = reference.integrals[index] + proportional * tick.step_s() / reset_s;
                let output = proportional + integral;
                // The integral waits while the valve is at an end of its travel.
                if (0.0..=100.0).contains(&output) {
                    reference.integrals[index] = integral;
                }
                output.clamp(0.0, 100.0)
            }
        };
        if let Ok(mut command) = commands.get_mut(entities.0[control.actuator]) {
            command.0 = value;
        }
    }
}
