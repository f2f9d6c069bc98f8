//! A substation's RTU: RTU-5, RTU-7 and RTU-9.
//!
//! # Theory of operation
//! An RTU decides nothing about the power system. It passes commands to coils as short pulses ([`super::breaker`]), counts what its
//! breakers do, and holds the settings of load shedding and tap changer, which protection and regulator read from its outputs. While the
//! switch on its panel (device 43) stands at local, commands are dropped here and refused by the outstation.
//!
//! # What can go wrong
//! Whoever may command may also set: pickups down to 55 Hz are taken, at which load shedding comes after the units have tripped. The
//! synchronism check is the relay's, not the RTU's, and the RTU carries the switch that bypasses it.

use std::time::Duration;

use crate::image::{Image, MissingSignal, SignalId};
use crate::logic::Logic;
use crate::logic::blocks::saturate;
use crate::logic::breaker::{BreakerControl, Interposer};

/// What stands in a substation.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Tag of the local or remote switch.
    pub switch: &'static str,
    /// Line breakers; each has a synchronism check of the same buses, `25-75` of `52-75`.
    pub lines: [&'static str; 4],
    /// Bus of the load with its breaker, tap changer and load shedding.
    pub load: &'static str,
}

/// Substation 5, with 4 behind it.
pub const RTU_5: Layout = Layout { switch: "43-5", lines: ["52-54", "52-57", "52-45", "52-46"], load: "5" };
/// Substation 7, with 8 behind it.
pub const RTU_7: Layout = Layout { switch: "43-7", lines: ["52-75", "52-78", "52-87", "52-89"], load: "8" };
/// Substation 9, with 6 behind it.
pub const RTU_9: Layout = Layout { switch: "43-9", lines: ["52-96", "52-98", "52-69", "52-64"], load: "6" };

/// Pickups of the stages of load shedding as commissioned, Hz.
const PICKUPS_HZ: [f64; 4] = [59.5, 59.3, 59.1, 58.9];
/// Pickups that the relay takes, Hz.
const PICKUP_RANGE_HZ: [f64; 2] = [55.0, 60.0];
/// Voltages that the tap changer's regulator takes, of nominal.
const TAP_RANGE_PU: [f64; 2] = [0.9, 1.1];

#[derive(Clone, Copy, Debug)]
struct Setting {
    signal: SignalId,
    range: [f64; 2],
}

/// The program of a substation's RTU.
#[derive(Debug)]
pub struct Substation {
    switch: SignalId,
    /// Each with its count of openings.
    breakers: Vec<(BreakerControl, SignalId)>,
    relays: Vec<Interposer>,
    settings: Vec<Setting>,
    retained: Vec<SignalId>,
}

impl Substation {
    /// Resolves the tags and sets what was commissioned.
    pub fn new(image: &mut Image, layout: &Layout) -> Result<Self, MissingSignal> {
        let load = layout.load;
        let switch = image.require(layout.switch)?;
        let (mut breakers, mut retained) = (Vec::new(), vec![switch]);
        let load_breaker = format!("52L{load}");
        for tag in layout.lines.into_iter().chain([load_breaker.as_str()]) {
            let operations = image.require(&format!("{tag}.OPS"))?;
            breakers.push((BreakerControl::new(image, tag)?, operations));
            retained.push(operations);
        }
        for line in layout.lines {
            let buses = line.trim_start_matches("52-");
            retained.push(image.require(&format!("25-{buses}.DEF"))?);
        }
        let automatic = image.require(&format!("TC-{load}.AUTO"))?;
        image.set_initial(automatic, 1.0);
        retained.extend([automatic, image.require(&format!("81-{load}.BLK"))?]);
        let mut settings = Vec::new();
        let mut setting = |tag: String, value: f64, range: [f64; 2]| -> Result<(), MissingSignal> {
            let signal = image.require(&tag)?;
            image.set_initial(signal, value);
            settings.push(Setting { signal, range });
            Ok(())
        };
        for (stage, pickup_hz) in (1..).zip(PICKUPS_HZ) {
            setting(format!("81-{load}.SP{stage}"), pickup_hz, PICKUP_RANGE_HZ)?;
        }
        setting(format!("TC-{load}.SP"), 1.0, TAP_RANGE_PU)?;
        retained.extend(settings.iter().map(|setting| setting.signal));
        let relay = |device: &str, command: &str, output: &str| {
            Interposer::new(
                image,
                &format!("{device}-{load}.{command}"),
                &format!("{device}-{load}.{output}"),
            )
        };
        let relays =
            vec![relay("TC", "RAISE", "R")?, relay("TC", "LOWER", "L")?, relay("81", "RESTORE", "RST")?];
        Ok(Self { switch, breakers, relays, settings, retained })
    }
}

impl Logic for Substation {
    fn scan(&mut self, image: &mut Image, dt: Duration) {
        let remote = !image.is_on(self.switch);
        for (breaker, operations) in &mut self.breakers {
            if breaker.scan(image, remote, dt) {
                image.set(*operations, image.get(*operations) + 1.0);
            }
        }
        for relay in &mut self.relays {
            relay.scan(image, remote, dt);
        }
        for Setting { signal, range: [low, high] } in self.settings.iter().copied() {
            image.set(signal, saturate(image.get(signal), low, high));
        }
    }

    fn restart(&mut self, image: &mut Image) {
        for (breaker, _) in &mut self.breakers {
            breaker.reset(image);
        }
        self.relays.iter_mut().for_each(Interposer::reset);
    }

    fn program(&self) -> &[u8] {
        include_bytes!("substation.rs")
    }

    fn retained(&self) -> &[SignalId] {
        &self.retained
    }
}
