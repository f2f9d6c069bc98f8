//! A DNP3 record in one sentence.

use std::fmt::Write as _;

use wire::dnp3::FunctionCode;

use super::{Dnp3Record, names};

/// Commands that a sentence names one by one.
const NAMED_MAX: usize = 3;

impl Dnp3Record<'_> {
    /// What was said, for the message of a finding: words first, then numbers.
    pub(crate) fn sentence(&self, master: &str, outstation: &str) -> String {
        let (from, to) = if self.is_from_master() { (master, outstation) } else { (outstation, master) };
        let mut text = match (self.function(), self.link.control.function()) {
            (Some(function), _) => match function.name() {
                Some(name) => name.to_lowercase().replace('_', " "),
                None => format!("unknown function {}", function.0),
            },
            (None, Some(function)) => function.name().to_lowercase().replace('_', " "),
            (None, None) => "unknown link function".to_owned(),
        };
        let _ = write!(text, " from {from} to {to}");
        for command in self.commands.iter().take(NAMED_MAX) {
            let _ = match (&command.crob, command.setpoint) {
                (Some(crob), _) => {
                    write!(text, ", {}", names::operation(crob.operation()).to_lowercase())
                }
                (None, Some(setpoint)) => write!(text, ", setpoint {setpoint}"),
                (None, None) => Ok(()),
            };
            if let Some(index) = command.index {
                let _ = write!(text, " at point {index}");
            }
        }
        if self.commands.len() > NAMED_MAX {
            let _ = write!(text, " and {} more", self.commands.len() - NAMED_MAX);
        }
        if let Some(name) = self.file.and_then(|file| file.name()) {
            let _ = write!(text, ", file {}", String::from_utf8_lossy(name));
        }
        if let Some(iin) = self.iin().filter(|iin| iin.is_refusal()) {
            let said: Vec<_> = iin.names().map(|name| name.to_lowercase().replace('_', " ")).collect();
            let _ = write!(text, ", {}", said.join(", "));
        }
        if self.function() == Some(FunctionCode::WRITE) && self.commands.is_empty() {
            let groups: Vec<_> =
                self.headers.iter().map(|header| format!("g{}v{}", header.group, header.variation)).collect();
            let _ = write!(text, ", {}", groups.join(" "));
        }
        let _ = write!(text, ", link address {} to {}", self.link.source.0, self.link.destination.0);
        text
    }
}
