//! How faults are started and ended.

use std::sync::Arc;

use super::{Plant, Tick};
use crate::catalogue::{ActuatorIndex, FaultInfo, InstrumentIndex};
use crate::design::{Design, FaultDesign};
use crate::fault::{Ailment, FaultError, FaultKind, Stiction, Strikes};
use crate::journal::{Journal, PlantEventKind};
use crate::process::Process;

impl Plant {
    /// Faults that can be started.
    pub fn faults(&self) -> Vec<FaultInfo> {
        let info = |fault: &FaultDesign| FaultInfo {
            kind: fault.kind,
            tag: fault.tag.clone(),
            summary: fault.summary.clone(),
        };
        self.design.faults.iter().map(info).collect()
    }

    /// Starts a fault that the plant file lists. Parameters not given have the file's values.
    pub fn start_fault(&mut self, kind: &str, tag: &str, params: &[(&str, f64)]) -> Result<(), FaultError> {
        let design = Arc::clone(&self.design);
        let fault = find_fault(&design, kind, tag)?;
        let names = fault.kind.parameters();
        let mut values = fault.defaults.clone();
        for (parameter, value) in params {
            let Some(place) = names.iter().position(|name| name == parameter) else {
                return Err(FaultError::Parameter {
                    kind: kind.to_owned(),
                    parameter: (*parameter).to_owned(),
                    known: names.iter().map(|name| (*name).to_owned()).collect(),
                });
            };
            if !value.is_finite() {
                return Err(FaultError::NotFinite {
                    kind: kind.to_owned(),
                    parameter: (*parameter).to_owned(),
                    value: *value,
                });
            }
            values[place] = *value;
        }
        let since_s = self.world.resource::<Tick>().now_s();
        match (fault.kind, values.as_slice()) {
            (FaultKind::StickingValve, [stiction]) => self.set_stiction(tag, Some(stiction.abs())),
            (FaultKind::DriftingTransmitter, [rate_per_h, limit]) => {
                let rate_per_s = rate_per_h / 3600.0;
                self.set_ailment(tag, Ailment::Drift { since_s, rate_per_s, limit: *limit });
            }
            (FaultKind::FailingProbe, [offset, ramp_s, noise_sigma]) => {
                let (offset, ramp_s, noise_sigma) = (*offset, *ramp_s, noise_sigma.abs());
                self.set_ailment(tag, Ailment::Failing { since_s, offset, ramp_s, noise_sigma });
            }
            (FaultKind::FrozenTransmitter, []) => self.set_ailment(tag, Ailment::Frozen),
            (
                FaultKind::StickingGovernor
                | FaultKind::BreakerFailsToOpen
                | FaultKind::LineFault
                | FaultKind::BusFault,
                values,
            ) => self.set_ill(fault.kind, tag, Some(values.first().copied().unwrap_or(0.0))),
            // One value for each parameter: the file check and the search above see to it.
            _ => {}
        }
        self.report_fault(PlantEventKind::FaultStarted, tag, &fault.summary);
        Ok(())
    }

    /// Ends a fault.
    pub fn clear_fault(&mut self, kind: &str, tag: &str) -> Result<(), FaultError> {
        let design = Arc::clone(&self.design);
        let fault = find_fault(&design, kind, tag)?;
        match fault.kind.strikes() {
            Strikes::Actuator => self.set_stiction(tag, None),
            Strikes::Instrument => self.set_ailment(tag, Ailment::None),
            Strikes::Unit | Strikes::Breaker | Strikes::Line | Strikes::Bus => {
                self.set_ill(fault.kind, tag, None);
            }
        }
        self.report_fault(PlantEventKind::FaultCleared, tag, &fault.summary);
        Ok(())
    }

    fn set_stiction(&mut self, tag: &str, stiction: Option<f64>) {
        let Some(ActuatorIndex(index)) = self.actuator_index(tag) else { return };
        self.world.entity_mut(self.actuator_entities[index]).insert(Stiction(stiction));
    }

    fn set_ailment(&mut self, tag: &str, ailment: Ailment) {
        let Some(InstrumentIndex(index)) = self.instrument_index(tag) else { return };
        self.world.entity_mut(self.instrument_entities[index]).insert(ailment);
    }

    /// Makes a part of a power system ill, or well again.
    fn set_ill(&mut self, kind: FaultKind, tag: &str, value: Option<f64>) {
        let step = self.world.resource::<Tick>().step;
        if let Process::Power(grid) = &mut *self.world.resource_mut::<Process>() {
            grid.set_ill(kind, tag, value, step);
        }
    }

    fn report_fault(&mut self, kind: PlantEventKind, tag: &str, summary: &str) {
        let now = self.time();
        let mut journal = self.world.resource_mut::<Journal>();
        journal.now = now;
        journal.report(kind, tag, tag, 0.0, summary, 0);
    }
}

fn find_fault<'d>(design: &'d Design, kind: &str, tag: &str) -> Result<&'d FaultDesign, FaultError> {
    let found = design.faults.iter().find(|fault| fault.kind.name() == kind && fault.tag == tag);
    found.ok_or_else(|| FaultError::Unknown {
        kind: kind.to_owned(),
        tag: tag.to_owned(),
        known: design.faults.iter().map(|fault| format!("{} on {}", fault.kind.name(), fault.tag)).collect(),
    })
}
