//! The tables of a water works.

use serde::Deserialize;
use serde_spanned::Spanned;

use super::{ActuatorUnit, AlarmTable, FaultTable, HarmTable, InstrumentTable, Name};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaterFile {
    pub(crate) plant: PlantTable,
    pub(crate) hydraulics: HydraulicsTable,
    #[serde(rename = "pattern", default)]
    pub(crate) patterns: Vec<PatternTable>,
    #[serde(rename = "junction", default)]
    pub(crate) junctions: Vec<JunctionTable>,
    pub(crate) reservoir: ReservoirTable,
    #[serde(rename = "tank", default)]
    pub(crate) tanks: Vec<TankTable>,
    #[serde(rename = "pipe", default)]
    pub(crate) pipes: Vec<PipeTable>,
    #[serde(rename = "pump", default)]
    pub(crate) pumps: Vec<PumpTable>,
    pub(crate) raw_water: RawWaterTable,
    pub(crate) mixer: MixerTable,
    pub(crate) clearwell: ClearwellTable,
    pub(crate) naoh: DosingTable,
    pub(crate) hypochlorite: DosingTable,
    pub(crate) chlorine: ChlorineTable,
    #[serde(rename = "actuator", default)]
    pub(crate) actuators: Vec<ActuatorTable>,
    #[serde(rename = "instrument", default)]
    pub(crate) instruments: Vec<InstrumentTable<MeasureKey>>,
    #[serde(rename = "switch", default)]
    pub(crate) switches: Vec<SwitchTable>,
    #[serde(rename = "alarm", default)]
    pub(crate) alarms: Vec<AlarmTable>,
    #[serde(rename = "trip", default)]
    pub(crate) trips: Vec<TripTable>,
    #[serde(rename = "fault", default)]
    pub(crate) faults: Vec<FaultTable>,
    pub(crate) harm: HarmTable<LossKey>,
    #[serde(rename = "reference_control", default)]
    pub(crate) reference_controls: Vec<ReferenceControlTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlantTable {
    pub(crate) name: String,
    #[expect(dead_code, reason = "read before, to know that this is a water works")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) step_s: Spanned<u64>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HydraulicsTable {
    pub(crate) pressure_driven: PressureDriven,
    pub(crate) required_pressure_m: Spanned<f64>,
    pub(crate) resume_level_m: Spanned<f64>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) source: String,
}

/// When demands follow pressure instead of being fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PressureDriven {
    /// From the moment a tank is empty until it has recovered.
    WhenTankEmpty,
    /// Always.
    Always,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatternTable {
    pub(crate) name: Name,
    pub(crate) step_s: Spanned<u64>,
    pub(crate) multipliers: Spanned<Vec<f64>>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JunctionTable {
    pub(crate) name: Name,
    pub(crate) elevation_m: f64,
    #[serde(default)]
    pub(crate) demands: Vec<DemandTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DemandTable {
    pub(crate) base_l_s: Spanned<f64>,
    pub(crate) pattern: Name,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReservoirTable {
    pub(crate) name: Name,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TankTable {
    pub(crate) name: Name,
    pub(crate) bottom_m: f64,
    pub(crate) rim_level_m: Spanned<f64>,
    pub(crate) diameter_m: Spanned<f64>,
    pub(crate) initial_level_m: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipeTable {
    pub(crate) name: Name,
    pub(crate) from: Name,
    pub(crate) to: Name,
    pub(crate) length_m: Spanned<f64>,
    pub(crate) diameter_mm: Spanned<f64>,
    pub(crate) roughness_c: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PumpTable {
    pub(crate) name: Name,
    pub(crate) from: Name,
    pub(crate) to: Name,
    pub(crate) actuator: Name,
    pub(crate) curve_l_s_m: Spanned<[[f64; 2]; 3]>,
    pub(crate) motor: MotorTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MotorTable {
    pub(crate) shutoff_power_kw: f64,
    pub(crate) power_kw_per_l_s: f64,
    pub(crate) voltage_v: f64,
    pub(crate) power_factor: f64,
    pub(crate) efficiency: f64,
    pub(crate) magnetising_a: f64,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWaterTable {
    pub(crate) ph: Spanned<f64>,
    pub(crate) alkalinity_meq_l: Spanned<f64>,
    pub(crate) temperature_degc: f64,
    pub(crate) valve: Name,
    pub(crate) valve_capacity_l_s: Spanned<f64>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MixerTable {
    pub(crate) volume_m3: Spanned<f64>,
    pub(crate) sample_delay_s: Spanned<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClearwellTable {
    pub(crate) feeds: Name,
    pub(crate) floor_m: f64,
    pub(crate) area_m2: Spanned<f64>,
    pub(crate) rim_level_m: Spanned<f64>,
    pub(crate) initial_level_m: Spanned<f64>,
    pub(crate) suction_lost_level_m: Spanned<f64>,
    pub(crate) suction_regained_level_m: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DosingTable {
    pub(crate) pump: Name,
    pub(crate) capacity_kg_per_h: Spanned<f64>,
    pub(crate) strength_kg_m3: Spanned<f64>,
    pub(crate) day_tank_m3: Spanned<f64>,
    pub(crate) initial_level_percent: Spanned<f64>,
    pub(crate) initial_dose_mg_l: f64,
    pub(crate) refill_first_h: f64,
    pub(crate) refill_every_h: Spanned<f64>,
    pub(crate) refill_to_percent: f64,
    pub(crate) refill_m3_per_h: f64,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChlorineTable {
    pub(crate) decay_per_day: Spanned<f64>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActuatorTable {
    pub(crate) tag: Name,
    pub(crate) description: String,
    pub(crate) unit: ActuatorUnit,
    pub(crate) stroke_s: Spanned<f64>,
    pub(crate) initial: Spanned<f64>,
}

/// What an instrument looks at, by the names of the plant file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MeasureKey {
    RawFlow,
    RawPh,
    RawTemperature,
    ActuatorPosition(String),
    MixerPh,
    MixerChlorine,
    NaohFlow,
    NaohLevel,
    HypochloriteFlow,
    HypochloriteLevel,
    ClearwellLevel,
    ClearwellPh,
    ClearwellChlorine,
    LinkFlow(String),
    Pressure(String),
    MotorCurrent(String),
    TankLevel(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchTable {
    pub(crate) tag: Name,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) description: String,
    pub(crate) tank: Name,
    pub(crate) high_m: Spanned<f64>,
    pub(crate) deadband_m: Spanned<f64>,
    pub(crate) priority: Spanned<u8>,
    pub(crate) message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TripTable {
    pub(crate) tag: Name,
    pub(crate) instrument: Name,
    pub(crate) high: Option<Spanned<f64>>,
    pub(crate) low: Option<Spanned<f64>>,
    pub(crate) delay_s: Spanned<f64>,
    pub(crate) stops: Vec<Name>,
    pub(crate) enabled: bool,
    pub(crate) message: String,
}

/// A quantity that money is lost with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LossKey {
    /// Water over the rim of any tower tank, m3.
    TankOverflowM3,
    /// Water over the rim of the clearwell, m3.
    ClearwellOverflowM3,
    /// Water that customers wanted and did not get, m3.
    UnservedM3,
    /// Sodium hydroxide dosed, kg.
    NaohKg,
    /// Chlorine dosed, kg.
    ChlorineKg,
    /// Hard-wired trips.
    Trips,
}

/// One loop of the stand-in for the controllers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReferenceControlTable {
    pub(crate) actuator: Name,
    pub(crate) law: Spanned<ReferenceLaw>,
}

/// What a reference loop does.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ReferenceLaw {
    /// On below one level of a tank, off above another; switched at the exact moment.
    TankBand { tank: String, on_setpoint: String, on_below_m: f64, off_setpoint: String, off_above_m: f64 },
    /// A dose in proportion to the raw water flow.
    Dose { setpoint: String, initial_mg_l: f64 },
    /// Proportional and integral control of the clearwell level.
    ClearwellLevel { setpoint: String, initial_m: f64, gain_percent_per_m: f64, reset_s: f64 },
}
