//! The tables of the distribution network.

use site::FileError;

use super::check::Check;
use super::water::{Demand, Motor, Pattern, PumpDesign, TankDesign, WaterNetwork};
use crate::file::water::{MotorTable, PipeTable, PumpTable, WaterFile};
use crate::file::{ActuatorUnit, Name};
use crate::hydraulics::gga::{End, Link, Network};
use crate::hydraulics::law::Law;

pub(super) fn water_network(check: &Check<'_>, file: &WaterFile) -> Result<WaterNetwork, FileError> {
    let junction_names: Vec<&Name> = file.junctions.iter().map(|junction| &junction.name).collect();
    let fixed_names: Vec<&Name> =
        std::iter::once(&file.reservoir.name).chain(file.tanks.iter().map(|tank| &tank.name)).collect();
    check.all_different(junction_names.iter().copied().chain(fixed_names.iter().copied()))?;
    check.all_different(file.pipes.iter().map(|p| &p.name).chain(file.pumps.iter().map(|p| &p.name)))?;
    check.all_different(file.patterns.iter().map(|pattern| &pattern.name))?;
    let node_names: Vec<&Name> = junction_names.iter().chain(&fixed_names).copied().collect();
    let end = |name: &Name| -> Result<End, FileError> {
        let index = check.find(name, "node", &node_names)?;
        Ok(index.checked_sub(junction_names.len()).map_or(End::Junction(index), End::Fixed))
    };
    let pipe = |table: &PipeTable| -> Result<Link, FileError> {
        let law = Law::hazen_williams(
            check.positive(&table.length_m, "length_m")?,
            check.positive(&table.diameter_mm, "diameter_mm")? * 1e-3,
            check.positive(&table.roughness_c, "roughness_c")?,
        );
        Ok(Link { from: end(&table.from)?, to: end(&table.to)?, law })
    };
    let pump = |table: &PumpTable| -> Result<Link, FileError> {
        let points = table.curve_l_s_m.get_ref().map(|[flow_l_s, head_m]| (flow_l_s * 1e-3, head_m));
        let law = Law::three_point_pump(points).ok_or_else(|| {
            let problem = format!("no falling curve passes through the points of {}", table.name.get_ref());
            let fix = "give three points [L/s, m], the first at 0 L/s, flows rising, heads falling";
            check.refuse(&table.curve_l_s_m, problem, fix)
        })?;
        Ok(Link { from: end(&table.from)?, to: end(&table.to)?, law })
    };
    let mut links: Vec<Link> = file.pipes.iter().map(pipe).collect::<Result<_, _>>()?;
    check.all_fed(&junction_names, &links)?;
    for table in &file.pumps {
        links.push(pump(table)?);
    }
    let at_fixed = |fixed: usize, sign: f64| -> Vec<(usize, f64)> {
        let mut found = Vec::new();
        for (index, link) in links.iter().enumerate() {
            if link.to == End::Fixed(fixed) {
                found.push((index, sign));
            }
            if link.from == End::Fixed(fixed) {
                found.push((index, -sign));
            }
        }
        found
    };
    let tanks = tanks(check, file, at_fixed)?;
    let outlets = at_fixed(0, -1.0);
    let (demands, patterns) = demands(check, file)?;
    Ok(WaterNetwork {
        demands,
        patterns,
        tanks,
        outlets,
        network: Network {
            elevation_m: file.junctions.iter().map(|junction| junction.elevation_m).collect(),
            links,
        },
        pressure_driven: file.hydraulics.pressure_driven,
        required_pressure_m: check.positive(&file.hydraulics.required_pressure_m, "required_pressure_m")?,
        resume_level_m: check.positive(&file.hydraulics.resume_level_m, "resume_level_m")?,
    })
}

fn tanks(
    check: &Check<'_>,
    file: &WaterFile,
    at_fixed: impl Fn(usize, f64) -> Vec<(usize, f64)>,
) -> Result<Vec<TankDesign>, FileError> {
    file.tanks
        .iter()
        .enumerate()
        .map(|(index, table)| {
            let diameter_m = check.positive(&table.diameter_m, "diameter_m")?;
            let rim_level_m = check.positive(&table.rim_level_m, "rim_level_m")?;
            Ok(TankDesign {
                bottom_m: table.bottom_m,
                area_m2: 0.25 * std::f64::consts::PI * diameter_m * diameter_m,
                rim_level_m,
                initial_level_m: check.within(&table.initial_level_m, "initial_level_m", 0.0, rim_level_m)?,
                inlets: at_fixed(1 + index, 1.0),
            })
        })
        .collect()
}

fn demands(check: &Check<'_>, file: &WaterFile) -> Result<(Vec<Demand>, Vec<Pattern>), FileError> {
    let pattern_names: Vec<&Name> = file.patterns.iter().map(|pattern| &pattern.name).collect();
    let mut demands = Vec::new();
    for (junction, table) in file.junctions.iter().enumerate() {
        for demand in &table.demands {
            let base_l_s = check.within(&demand.base_l_s, "base_l_s", 0.0, 1e5)?;
            let pattern = check.find(&demand.pattern, "pattern", &pattern_names)?;
            demands.push(Demand { junction, base_m3_s: base_l_s * 1e-3, pattern });
        }
    }
    let mut patterns = Vec::new();
    for table in &file.patterns {
        let multipliers = table.multipliers.get_ref();
        if multipliers.is_empty() || multipliers.iter().any(|value| !(value.is_finite() && *value >= 0.0)) {
            let problem = format!("pattern {} needs multipliers of 0 or more", table.name.get_ref());
            return Err(check.refuse(&table.multipliers, problem, "write one multiplier for each step"));
        }
        let step_s = *table.step_s.get_ref();
        if step_s == 0 || step_s % *file.plant.step_s.get_ref() != 0 {
            let problem = "a pattern changes on a step of the plant";
            return Err(check.refuse(&table.step_s, problem, "write a multiple of the plant's step_s"));
        }
        patterns.push(Pattern { step_s, multipliers: multipliers.clone() });
    }
    Ok((demands, patterns))
}

pub(super) fn pumps(
    check: &Check<'_>,
    file: &WaterFile,
    actuators: &[&Name],
) -> Result<Vec<PumpDesign>, FileError> {
    let first = file.pipes.len();
    file.pumps
        .iter()
        .enumerate()
        .map(|(index, table)| {
            let actuator = check.find(&table.actuator, "actuator", actuators)?;
            if file.actuators[actuator].unit != ActuatorUnit::OnOff {
                let problem = format!("pump {} needs an actuator that is on or off", table.name.get_ref());
                return Err(check.refuse(&table.actuator, problem, "give that actuator unit = \"on_off\""));
            }
            Ok(PumpDesign { link: first + index, actuator, motor: motor(&table.motor) })
        })
        .collect()
}

/// Three-phase motor: `P = sqrt(3) U I cos(phi) eta` for the active part of the current.
fn motor(table: &MotorTable) -> Motor {
    Motor {
        shutoff_power_w: table.shutoff_power_kw * 1e3,
        power_j_m3: table.power_kw_per_l_s * 1e6,
        amperes_per_watt: 1.0 / (3.0_f64.sqrt() * table.voltage_v * table.power_factor * table.efficiency),
        magnetising_a: table.magnetising_a,
    }
}
