//! `process.csv`: what the historian of a perfect site would hold, one row a second.
//!
//! Columns: `time_s`, then every instrument as transmitted, every actuator as commanded, every hard-wired switch,
//! and every setpoint, command, status and alarm that a controller holds. Values are rounded to 0.0001. True values
//! are not in it: a failing probe looks here as it looked to the operator.

use std::io::{self, Write};

use record::VirtualTime;
use sim::{ActuatorIndex, InstrumentIndex, Plant, SwitchIndex};
use site::{Site, TagKind};

use crate::assembly::Controllers;

enum Column {
    Instrument(InstrumentIndex),
    Actuator(ActuatorIndex),
    Switch(SwitchIndex),
    Signal(plcs::Handle, plcs::SignalId),
}

/// The tags of a lab that a person could look at, and where their values come from.
pub(crate) struct ProcessColumns {
    tags: Vec<String>,
    columns: Vec<Column>,
}

impl ProcessColumns {
    /// Finds every tag of the site in plant or controllers.
    pub(crate) fn new(site: &Site, plant: &Plant, controllers: &Controllers) -> Self {
        let mut found = Self { tags: Vec::new(), columns: Vec::new() };
        for tag in &site.tags {
            let name = tag.name.get_ref();
            let column = if let Some(index) = plant.instrument_index(name) {
                Column::Instrument(index)
            } else if let Some(index) = plant.actuator_index(name) {
                Column::Actuator(index)
            } else if let Some(index) = plant.switch_index(name) {
                Column::Switch(index)
            } else if tag.kind == TagKind::Measurement {
                continue;
            } else {
                let holder = site
                    .devices
                    .iter()
                    .filter_map(|device| controllers.get(device.name.get_ref()))
                    .find_map(|handle| Some(Column::Signal(handle.clone(), handle.signal(name)?)));
                match holder {
                    Some(column) => column,
                    None => continue,
                }
            };
            found.tags.push(name.clone());
            found.columns.push(column);
        }
        found
    }

    /// The tags, in the order of the values.
    pub(crate) fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Present values, in the order of the tags.
    pub(crate) fn values<'a>(&'a self, plant: &'a Plant) -> impl Iterator<Item = f64> + 'a {
        self.columns.iter().map(move |column| match column {
            Column::Instrument(index) => plant.read(*index),
            Column::Actuator(index) => plant.commanded(*index),
            Column::Switch(index) => f64::from(u8::from(plant.is_made(*index))),
            Column::Signal(handle, signal) => handle.value(*signal),
        })
    }
}

/// Writes `process.csv`.
pub(crate) struct ProcessTable<W> {
    out: W,
    line: String,
}

impl<W: Write> ProcessTable<W> {
    /// Writes the header.
    pub(crate) fn new(mut out: W, columns: &ProcessColumns) -> io::Result<Self> {
        writeln!(out, "time_s,{}", columns.tags().join(","))?;
        Ok(Self { out, line: String::new() })
    }

    /// Writes one row.
    pub(crate) fn row(&mut self, t: VirtualTime, columns: &ProcessColumns, plant: &Plant) -> io::Result<()> {
        use std::fmt::Write as _;
        self.line.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.line, "{}", t.as_secs_f64());
        for value in columns.values(plant) {
            let _ = write!(self.line, ",{}", (value * 1e4).round() / 1e4);
        }
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }
}
