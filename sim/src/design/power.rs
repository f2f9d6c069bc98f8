//! The file of a power system: its network, its units, and the plant as a whole.

use std::sync::Arc;

use num_complex::Complex64;
use serde_spanned::Spanned;
use site::FileError;
use site::file::Source;

use super::check::Check;
use super::equipment::instruments;
use super::guards::{alarm, faults, harm};
use super::power_equipment::{Names, Terminals, breakers, checks, loads, measure, relays, sheddings, units};
use super::{Contact, Design, Loss, ProcessDesign, SwitchDesign};
use crate::fault::Strikes;
use crate::file::Name;
use crate::file::power::{GovernorTable, PowerFile, UnitTable};
use crate::power::design::{BreakerTiming, GridDesign, PowerContact};
use crate::power::{Branch, Governor, Network, System, SystemDesign, UnitDesign};

/// Longest step that the swings of machines bear, ms.
const STEP_MS_MAX: u64 = 20;

/// Reads and checks the file of a power system.
pub(super) fn read(source: Source<'_>) -> Result<Design, FileError> {
    let file: PowerFile = source.parse()?;
    let check = Check::new(source);
    let names = Names::of(&file);
    check.all_different(names.buses.iter().copied())?;
    check.all_different(names.lines.iter().copied())?;
    check.all_different(names.units.iter().copied())?;
    let step_ms = *file.plant.step_ms.get_ref();
    if step_ms == 0 || step_ms > STEP_MS_MAX {
        let problem = format!("a step of 1 to {STEP_MS_MAX} ms is needed");
        return Err(check.refuse(&file.plant.step_ms, problem, "write step_ms = 5"));
    }
    let every_ms = *file.plant.measure_every_ms.get_ref();
    if every_ms == 0 || !every_ms.is_multiple_of(step_ms) {
        let fix = format!("write a multiple of step_ms, for example {}", 10 * step_ms);
        return Err(check.refuse(&file.plant.measure_every_ms, "instruments look between two steps", fix));
    }
    let step_s = 1e-3 * step_ms as f64;
    let base_mva = check.positive(&file.system.base_mva, "base_mva")?;
    let system = system(&check, &file, &names, base_mva)?;
    let mut terminals = Terminals::default();
    let breakers = breakers(&check, &file, &names, &mut terminals)?;
    let units = units(&check, &file, &names, &system, base_mva, step_s, &mut terminals)?;
    let loads = loads(&check, &file, &names, step_s, &mut terminals)?;
    let checks = checks(&check, &file, &names, &mut terminals)?;
    let relays = relays(&check, &file, &names, step_s, &mut terminals)?;
    let sheddings = sheddings(&check, &file, &names, step_s, &mut terminals)?;
    let instruments = instruments(&check, &file.instruments, |key| measure(&check, &names, key))?;
    check_tags(&check, &file, &terminals)?;
    let timing = BreakerTiming {
        open: steps(1e-3 * check.within(&file.breakers.open_ms, "open_ms", 0.0, 1000.0)?, step_s),
        close: steps(1e-3 * check.within(&file.breakers.close_ms, "close_ms", 0.0, 1000.0)?, step_s),
        spring: steps(check.within(&file.breakers.spring_charge_s, "spring_charge_s", 0.0, 600.0)?, step_s),
    };
    let instrument_tags: Vec<&Name> = file.instruments.iter().map(|instrument| &instrument.tag).collect();
    let targets = |strikes| match strikes {
        Strikes::Actuator => None,
        Strikes::Instrument => Some(("instrument", instrument_tags.clone())),
        Strikes::Breaker => Some(("breaker", names.breakers.clone())),
        Strikes::Unit => Some(("unit", names.units.clone())),
        Strikes::Line => Some(("line", names.lines.clone())),
        Strikes::Bus => Some(("bus", names.buses.clone())),
    };
    if let Some(limit) = file.harm.limits.iter().find(|limit| limit.price_per_m3_supplied != 0.0) {
        let problem = format!("{} has a price for water", limit.name.get_ref());
        return Err(check.refuse(&limit.name, problem, "write price_per_h"));
    }
    let switches = terminals
        .contacts
        .into_iter()
        .map(|(tag, contact)| SwitchDesign { tag, sees: Contact::Power(contact), alarm: None })
        .collect();
    let grid = GridDesign {
        step_s,
        base_mva,
        bus_names: file.buses.iter().map(|bus| bus.name.get_ref().clone()).collect(),
        bus_kv: file
            .buses
            .iter()
            .map(|bus| check.positive(&bus.voltage_kv, "voltage_kv"))
            .collect::<Result<_, _>>()?,
        line_names: file.lines.iter().map(|line| line.name.get_ref().clone()).collect(),
        system,
        timing,
        breakers,
        units,
        loads,
        checks,
        relays,
        sheddings,
    };
    Ok(Design {
        alarms: file.alarms.iter().map(|a| alarm(&check, a, &instrument_tags)).collect::<Result<_, _>>()?,
        faults: faults(&check, &file.faults, targets)?,
        harm: harm(&check, &file.harm, &instrument_tags, Loss::Power)?,
        name: file.plant.name,
        title: file.plant.title,
        step_ms,
        measure_every: every_ms / step_ms,
        process: ProcessDesign::Power(Arc::new(grid)),
        actuators: terminals.actuators,
        instruments,
        switches,
        trips: Vec::new(),
        loops: Vec::new(),
    })
}

/// The machines and the network of a plant file, without protection and settings.
pub(super) fn read_system(source: Source<'_>) -> Result<System, FileError> {
    let file: PowerFile = source.parse()?;
    let check = Check::new(source);
    let base_mva = check.positive(&file.system.base_mva, "base_mva")?;
    system(&check, &file, &Names::of(&file), base_mva)
}

/// Whole steps in a time.
pub(super) fn steps(time_s: f64, step_s: f64) -> u64 {
    libm::round(time_s / step_s) as u64
}

/// Every tag once: those that the file gives, and those that its tables make.
fn check_tags(check: &Check<'_>, file: &PowerFile, terminals: &Terminals) -> Result<(), FileError> {
    let instruments = file.instruments.iter().map(|instrument| &instrument.tag);
    check.all_different(instruments.clone().chain(file.alarms.iter().map(|alarm| &alarm.tag)))?;
    let mut made: Vec<(&str, &str)> = Vec::new();
    let actuators = terminals.actuators.iter().map(|actuator| (actuator.tag.as_str(), "actuator"));
    let contacts = terminals.contacts.iter().map(|(tag, _)| (tag.as_str(), "contact"));
    for (tag, what) in actuators.chain(contacts) {
        if let Some((_, other)) = made.iter().find(|(known, _)| *known == tag) {
            let problem = format!("{tag} is the tag of two terminals: an {other} and an {what}");
            return Err(check.refuse(&file.plant.step_ms, problem, "give one of their tables another tag"));
        }
        made.push((tag, what));
        if let Some(instrument) = instruments.clone().find(|name| name.get_ref() == tag) {
            let problem = format!("{tag} is also the tag of an {what} that a table of this file makes");
            return Err(check.refuse(instrument, problem, "give one of them another tag"));
        }
    }
    Ok(())
}

fn system(
    check: &Check<'_>,
    file: &PowerFile,
    names: &Names<'_>,
    base_mva: f64,
) -> Result<System, FileError> {
    let frequency_hz = check.within(&file.system.frequency_hz, "frequency_hz", 15.0, 400.0)?;
    let damping_per_s = check.within(&file.system.swing_damping_per_s, "swing_damping_per_s", 0.0, 10.0)?;
    let mut branches = Vec::new();
    for line in &file.lines {
        let resistance = check.within(&line.resistance_pu, "resistance_pu", 0.0, 10.0)?;
        let reactance = check.within(&line.reactance_pu, "reactance_pu", 1e-4, 10.0)?;
        branches.push(Branch {
            from: names.bus(check, &line.from)?,
            to: names.bus(check, &line.to)?,
            impedance: Complex64::new(resistance, reactance),
            charging: check.within(&line.charging_pu, "charging_pu", 0.0, 2.0)?,
        });
        ends_differ(check, &line.from, &line.to)?;
    }
    let mut loads = vec![Complex64::default(); file.buses.len()];
    for load in &file.loads {
        let bus = names.bus(check, &load.bus)?;
        if loads[bus] != Complex64::default() {
            let problem = format!("bus {} has two loads", load.bus.get_ref());
            return Err(check.refuse(&load.bus, problem, "add them up in one table"));
        }
        let active = check.positive(&load.active_mw, "active_mw")?;
        let reactive = check.within(&load.reactive_mvar, "reactive_mvar", -1e4, 1e4)?;
        loads[bus] = Complex64::new(active, reactive) / base_mva;
    }
    let (mut units, mut dispatch) = (Vec::new(), Vec::new());
    for table in &file.units {
        let unit = unit(check, table, names, base_mva)?;
        if units.iter().any(|known: &UnitDesign| known.bus == unit.bus) {
            let problem = format!("bus {} has two units", table.bus.get_ref());
            return Err(check.refuse(&table.bus, problem, "give each unit a bus of its own"));
        }
        ends_differ(check, &table.bus, &table.to)?;
        let reactance =
            check.within(&table.transformer_reactance_pu, "transformer_reactance_pu", 1e-4, 10.0)?;
        branches.push(Branch {
            from: unit.bus,
            to: names.bus(check, &table.to)?,
            impedance: Complex64::new(0.0, reactance),
            charging: 0.0,
        });
        units.push(unit);
        let voltage = check.within(&table.voltage_pu, "voltage_pu", 0.8, 1.2)?;
        let active = table.dispatch_mw.as_ref();
        let active = active.map(|active| check.within(active, "dispatch_mw", 0.0, 1e5)).transpose()?;
        dispatch.push((voltage, active.map(|active_mw| active_mw / base_mva)));
    }
    if dispatch.iter().filter(|(_, active)| active.is_none()).count() != 1 {
        return Err(check.refuse(
            &file.system.base_mva,
            "one unit, and only one, makes up what the others do not give",
            "leave dispatch_mw out of one [[unit]]",
        ));
    }
    let sources = SystemDesign::sources(&units);
    let network = Network { buses: file.buses.len(), branches, sources };
    System::steady(SystemDesign { frequency_hz, damping_per_s, network, units, dispatch, loads }).map_err(
        |error| {
            check.refuse(
                &file.system.base_mva,
                error.to_string(),
                "connect every bus, and ask no more of the lines than they carry",
            )
        },
    )
}

fn ends_differ(check: &Check<'_>, from: &Name, to: &Name) -> Result<(), FileError> {
    if from.get_ref() == to.get_ref() {
        let problem = format!("both ends are at bus {}", to.get_ref());
        return Err(check.refuse(to, problem, "write two different buses"));
    }
    Ok(())
}

fn unit(
    check: &Check<'_>,
    table: &UnitTable,
    names: &Names<'_>,
    base_mva: f64,
) -> Result<UnitDesign, FileError> {
    let rating = check.positive(&table.rating_mva, "rating_mva")? / base_mva;
    let loss = check.within(&table.no_load_loss_percent, "no_load_loss_percent", 0.0, 10.0)?;
    Ok(UnitDesign {
        bus: names.bus(check, &table.bus)?,
        rating,
        inertia_s: check.positive(&table.stored_energy_mws, "stored_energy_mws")? / base_mva,
        reactance: check.within(&table.transient_reactance_pu, "transient_reactance_pu", 1e-3, 10.0)?,
        no_load_loss: 0.01 * loss * rating,
        governor: governor(check, &table.governor)?,
    })
}

fn governor(check: &Check<'_>, table: &GovernorTable) -> Result<Governor, FileError> {
    let time = |value: &Spanned<f64>, key: &str| check.within(value, key, 0.02, 1000.0);
    let valve_min = check.within(&table.valve_min, "valve_min", 0.0, 1.0)?;
    Ok(Governor {
        droop: check.within(&table.droop, "droop", 0.001, 1.0)?,
        t1_s: time(&table.t1_s, "t1_s")?,
        t2_s: check.within(&table.t2_s, "t2_s", 0.0, 1000.0)?,
        t3_s: time(&table.t3_s, "t3_s")?,
        dt: check.within(&table.dt, "dt", 0.0, 10.0)?,
        valve_min,
        valve_max: check.within(&table.valve_max, "valve_max", valve_min, 2.0)?,
    })
}

/// The three contacts of a breaker.
pub(super) fn breaker_contacts(tag: &str, breaker: usize) -> [(String, PowerContact); 3] {
    [
        (tag.to_owned(), PowerContact::BreakerClosed(breaker)),
        (format!("{tag}.B"), PowerContact::BreakerOpen(breaker)),
        (format!("{tag}.SPR"), PowerContact::SpringCharged(breaker)),
    ]
}
