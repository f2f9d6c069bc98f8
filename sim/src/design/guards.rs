//! The tables of switches, alarms, trips, faults, harm and the reference control.

use site::FileError;

use super::check::Check;
use super::water::{LoopDesign, LoopLaw};
use super::{
    AlarmDesign, Contact, FaultDesign, HarmDesign, LimitDesign, Loss, LossDesign, SECONDS_PER_HOUR,
    SwitchDesign, TripDesign,
};
use crate::fault::{FaultKind, Strikes};
use crate::file::water::{ReferenceLaw, TripTable, WaterFile};
use crate::file::{AlarmTable, FaultTable, HarmTable, Name};

pub(super) fn switches(
    check: &Check<'_>,
    file: &WaterFile,
    tanks: &[&Name],
) -> Result<Vec<SwitchDesign>, FileError> {
    file.switches
        .iter()
        .map(|table| {
            Ok(SwitchDesign {
                tag: check.tag(&table.tag)?,
                sees: Contact::TankLevel {
                    tank: check.find(&table.tank, "tank", tanks)?,
                    high_m: check.positive(&table.high_m, "high_m")?,
                    deadband_m: check.positive(&table.deadband_m, "deadband_m")?,
                },
                alarm: Some((check.priority(&table.priority)?, table.message.clone())),
            })
        })
        .collect()
}

pub(super) fn alarm(
    check: &Check<'_>,
    table: &AlarmTable,
    instruments: &[&Name],
) -> Result<AlarmDesign, FileError> {
    Ok(AlarmDesign {
        tag: check.tag(&table.tag)?,
        instrument: check.find(&table.instrument, "instrument", instruments)?,
        threshold: check.threshold(&table.tag, table.high.as_ref(), table.low.as_ref(), "high", "low")?,
        deadband: check.within(&table.deadband, "deadband", 0.0, 1e6)?,
        delay_s: check.within(&table.delay_s, "delay_s", 0.0, 86_400.0)?,
        priority: check.priority(&table.priority)?,
        message: table.message.clone(),
    })
}

pub(super) fn trip(
    check: &Check<'_>,
    table: &TripTable,
    instruments: &[&Name],
    actuators: &[&Name],
) -> Result<TripDesign, FileError> {
    Ok(TripDesign {
        tag: check.tag(&table.tag)?,
        instrument: check.find(&table.instrument, "instrument", instruments)?,
        threshold: check.threshold(&table.tag, table.high.as_ref(), table.low.as_ref(), "high", "low")?,
        delay_s: check.within(&table.delay_s, "delay_s", 0.0, 86_400.0)?,
        stops: table
            .stops
            .iter()
            .map(|tag| check.find(tag, "actuator", actuators))
            .collect::<Result<_, _>>()?,
        enabled: table.enabled,
        message: table.message.clone(),
    })
}

/// The faults of any plant; `targets` says what a kind of fault can strike there and what that is called, or nothing
/// where the plant has no such thing.
pub(super) fn faults<'n>(
    check: &Check<'_>,
    tables: &[FaultTable],
    targets: impl Fn(Strikes) -> Option<(&'static str, Vec<&'n Name>)>,
) -> Result<Vec<FaultDesign>, FileError> {
    let mut faults: Vec<FaultDesign> = Vec::new();
    for table in tables {
        let Some(kind) = FaultKind::named(table.kind.get_ref()) else {
            let problem = format!("unknown kind of fault {:?}", table.kind.get_ref());
            return Err(check.refuse(
                &table.kind,
                problem,
                format!("write one of {}", FaultKind::names().join(", ")),
            ));
        };
        let Some((what, known)) = targets(kind.strikes()) else {
            let problem = format!("a {} does not happen in this kind of plant", kind.name());
            return Err(check.refuse(&table.kind, problem, "take the table out"));
        };
        check.find(&table.tag, what, &known)?;
        if let Some((key, value)) =
            table.defaults.iter().find(|(key, _)| !kind.parameters().contains(&key.as_str()))
        {
            let problem = format!("a {} has no parameter {key:?}", kind.name());
            let fix = match kind.parameters() {
                [] => "take its defaults out".to_owned(),
                known => format!("write {}", known.join(", ")),
            };
            return Err(check.refuse(value, problem, fix));
        }
        let mut defaults = Vec::new();
        for parameter in kind.parameters() {
            let Some(value) = table.defaults.get(*parameter) else {
                let problem = format!("this {} lacks its parameter {parameter}", kind.name());
                return Err(check.refuse(&table.kind, problem, format!("add {parameter} to its defaults")));
            };
            defaults.push(check.within(value, parameter, -1e6, 1e6)?);
        }
        faults.push(FaultDesign {
            kind,
            tag: table.tag.get_ref().clone(),
            summary: table.summary.clone(),
            defaults,
        });
    }
    Ok(faults)
}

/// The harm of any plant; `loss_of` says what the keys of its kind mean.
pub(super) fn harm<L: Copy>(
    check: &Check<'_>,
    table: &HarmTable<L>,
    instruments: &[&Name],
    loss_of: impl Fn(L) -> Loss,
) -> Result<HarmDesign, FileError> {
    check.all_different(table.limits.iter().map(|l| &l.name).chain(table.losses.iter().map(|l| &l.name)))?;
    let mut limits = Vec::new();
    for limit in &table.limits {
        limits.push(LimitDesign {
            name: check.tag(&limit.name)?,
            instrument: check.find(&limit.instrument, "instrument", instruments)?,
            threshold: check.threshold(
                &limit.name,
                limit.above.as_ref(),
                limit.below.as_ref(),
                "above",
                "below",
            )?,
            price_per_s: limit.price_per_h / SECONDS_PER_HOUR,
            price_per_m3_supplied: limit.price_per_m3_supplied,
            message: limit.message.clone(),
        });
    }
    let mut losses = Vec::new();
    for loss in &table.losses {
        let limit = match (&loss.limit_message, &loss.instrument) {
            (Some(message), Some(tag)) => {
                Some((message.clone(), check.find(tag, "instrument", instruments)?))
            }
            (None, None) => None,
            _ => {
                let problem = format!("{} needs limit_message and instrument together", loss.name.get_ref());
                return Err(check.refuse(&loss.name, problem, "write both or neither"));
            }
        };
        losses.push(LossDesign {
            name: check.tag(&loss.name)?,
            of: loss_of(loss.of),
            price_each: check.within(&loss.price_each, "price_each", 0.0, 1e9)?,
            free_per_s: loss.free_per_h / SECONDS_PER_HOUR,
            limit,
        });
    }
    Ok(HarmDesign { currency: table.currency.clone(), floor: table.floor, limits, losses })
}

pub(super) fn loops(
    check: &Check<'_>,
    file: &WaterFile,
    actuators: &[&Name],
    tanks: &[&Name],
) -> Result<Vec<LoopDesign>, FileError> {
    let mut loops: Vec<LoopDesign> = Vec::new();
    for table in &file.reference_controls {
        let actuator = check.find(&table.actuator, "actuator", actuators)?;
        if loops.iter().any(|known| known.actuator == actuator) {
            let problem = format!("{} has two reference controls", table.actuator.get_ref());
            return Err(check.refuse(&table.actuator, problem, "keep one"));
        }
        let law = match table.law.get_ref().clone() {
            ReferenceLaw::TankBand { tank, on_setpoint, on_below_m, off_setpoint, off_above_m } => {
                if on_below_m >= off_above_m {
                    let problem = format!("on below {on_below_m} m is not under off above {off_above_m} m");
                    return Err(check.refuse(&table.law, problem, "write on_below_m under off_above_m"));
                }
                let tank = serde_spanned::Spanned::new(table.law.span(), tank);
                LoopLaw::TankBand {
                    tank: check.find(&tank, "tank", tanks)?,
                    on: (on_setpoint, on_below_m),
                    off: (off_setpoint, off_above_m),
                }
            }
            ReferenceLaw::Dose { setpoint, initial_mg_l } => {
                let doses = [&file.naoh.pump, &file.hypochlorite.pump];
                check.find(&table.actuator, "dosing pump", &doses)?;
                LoopLaw::Dose { setpoint: (setpoint, initial_mg_l) }
            }
            ReferenceLaw::ClearwellLevel { setpoint, initial_m, gain_percent_per_m, reset_s } => {
                if !(reset_s > 0.0 && gain_percent_per_m > 0.0) {
                    let problem = "a level controller needs a gain and a reset time above 0";
                    return Err(check.refuse(&table.law, problem, "write both above 0"));
                }
                LoopLaw::ClearwellLevel { setpoint: (setpoint, initial_m), gain_percent_per_m, reset_s }
            }
        };
        loops.push(LoopDesign { actuator, law });
    }
    Ok(loops)
}
