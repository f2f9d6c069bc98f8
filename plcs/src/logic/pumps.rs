//! The high-lift pumps' controller, PLC-2.
//!
//! # Theory of operation
//! Each pump starts when the tower tank falls below its start level and stops when it reaches its stop level; in
//! manual it follows its command. The level is not wired here: it comes from PLC-3 by Modbus once a second
//! ([`crate::peer`]), as TANK.LEVEL. Every value that arrives moves TANK.UPDATES on; when that has stood still for 3 s, the
//! link counts as lost, TANK.COMM goes to 0, and the configured [`CommLossAction`] says what the automatic does.
//!
//! A pump must not run dry: suction pressure below 0.8 m for 10 s stops both pumps whatever the mode (P-301.TRIPPED and
//! P-302.TRIPPED, seen in the controller alone). The trip lifts by itself once the suction has been above 1.2 m for 60 s.
//!
//! # What can go wrong
//! With *hold last*, a level that is lost while a pump runs never reaches the stop level: the tank overflows, or,
//! lost while it stands, runs empty. That is what the attack on MiniTown's link lives on.

use std::time::Duration;

use crate::image::{Image, MissingSignal, SignalId};
use crate::logic::Logic;
use crate::logic::blocks::{OnDelay, start_stop};
use crate::peer::CommLossAction;

/// Without a new level for this long the link to PLC-3 is lost.
const COMM_LOSS: Duration = Duration::from_secs(3);
/// Suction pressure that comes before a pump runs dry, m of water: a little above the plant's own pressure switch, so
/// that the controller acts first.
const SUCTION_LOW_M: f64 = 0.8;
/// How long it must last (B_water.md: "suction < NPSH: trip 10 s").
const SUCTION_LOW_DELAY: Duration = Duration::from_secs(10);
/// Suction pressure at which it is over, m of water.
const SUCTION_RESTORED_M: f64 = 1.2;
/// How long that must last.
const SUCTION_RESTORED_DELAY: Duration = Duration::from_mins(1);

/// Start and stop levels of MiniTown's controls, m.
const INITIAL_LEVELS_M: [(f64, f64); 2] = [(4.0, 6.3), (1.0, 4.5)];
/// Level of MiniTown's tank at hour 0, m.
const INITIAL_LEVEL_M: f64 = 3.0;

/// Tag of the count of values that arrived from PLC-3; in the image alone.
pub const UPDATES: &str = "TANK.UPDATES";

/// The program of PLC-2.
#[derive(Debug)]
pub struct Pumps {
    action: CommLossAction,
    suction: SignalId,
    level: SignalId,
    comm: SignalId,
    updates: SignalId,
    motors: [Pump; 2],
    retained: Vec<SignalId>,
    updates_seen: f64,
    silence: Duration,
    tripped: bool,
    suction_low: OnDelay,
    suction_restored: OnDelay,
}

#[derive(Clone, Copy, Debug)]
struct Pump {
    output: SignalId,
    run: SignalId,
    tripped: SignalId,
    mode: SignalId,
    command: SignalId,
    start: SignalId,
    stop: SignalId,
}

impl Pumps {
    /// Resolves the tags and sets the initial setpoints: both pumps in automatic and running, as in MiniTown at hour 0.
    pub fn new(image: &mut Image, action: CommLossAction) -> Result<Self, MissingSignal> {
        let mut pump = |name: &str, (start_m, stop_m): (f64, f64)| -> Result<Pump, MissingSignal> {
            let pump = Pump {
                output: image.require(name)?,
                run: image.require(&format!("{name}.RUN"))?,
                tripped: image.declare(&format!("{name}.TRIPPED")),
                mode: image.require(&format!("{name}.MODE"))?,
                command: image.require(&format!("{name}.CMD"))?,
                start: image.require(&format!("{name}.START"))?,
                stop: image.require(&format!("{name}.STOP"))?,
            };
            for (signal, value) in [
                (pump.mode, 1.0),
                (pump.start, start_m),
                (pump.stop, stop_m),
                (pump.output, 1.0),
                (pump.run, 1.0),
            ] {
                image.set_initial(signal, value);
            }
            image.watch(pump.tripped);
            Ok(pump)
        };
        let pumps = [pump("P-301", INITIAL_LEVELS_M[0])?, pump("P-302", INITIAL_LEVELS_M[1])?];
        let level = image.require("TANK.LEVEL")?;
        image.set_initial(level, INITIAL_LEVEL_M);
        let comm = image.require("TANK.COMM")?;
        image.set_initial(comm, 1.0);
        let mut retained = vec![level];
        for pump in &pumps {
            retained.extend([pump.mode, pump.command, pump.start, pump.stop]);
        }
        Ok(Self {
            action,
            suction: image.require("PIT-300")?,
            level,
            comm,
            updates: image.declare(UPDATES),
            motors: pumps,
            retained,
            updates_seen: 0.0,
            silence: Duration::ZERO,
            tripped: false,
            suction_low: OnDelay::new(SUCTION_LOW_DELAY),
            suction_restored: OnDelay::new(SUCTION_RESTORED_DELAY),
        })
    }

    /// Whether the level is fresh enough to act on.
    fn link_is_up(&mut self, image: &Image, dt: Duration) -> bool {
        let updates = image.get(self.updates);
        if updates == self.updates_seen {
            self.silence = self.silence.saturating_add(dt).min(COMM_LOSS);
        } else {
            self.updates_seen = updates;
            self.silence = Duration::ZERO;
        }
        self.silence < COMM_LOSS
    }

    fn suction_trip(&mut self, image: &Image, dt: Duration) -> bool {
        let suction = image.get(self.suction);
        // Both timers run in every scan.
        let low = self.suction_low.scan(suction < SUCTION_LOW_M, dt);
        let restored = self.suction_restored.scan(suction > SUCTION_RESTORED_M, dt);
        self.tripped = low || (self.tripped && !restored);
        self.tripped
    }
}

impl Logic for Pumps {
    fn scan(&mut self, image: &mut Image, dt: Duration) {
        let link_is_up = self.link_is_up(image, dt);
        image.set_on(self.comm, link_is_up);
        let tripped = self.suction_trip(image, dt);
        let level = image.get(self.level);
        for pump in self.motors {
            let automatic = match self.action {
                CommLossAction::StopPumps if !link_is_up => false,
                CommLossAction::StartPumps if !link_is_up => true,
                _ => start_stop(image.is_on(pump.output), level, image.get(pump.start), image.get(pump.stop)),
            };
            let wanted = if image.is_on(pump.mode) { automatic } else { image.is_on(pump.command) };
            let run = wanted && !tripped;
            image.set_on(pump.output, run);
            image.set_on(pump.run, run);
            image.set_on(pump.tripped, tripped);
        }
    }

    fn restart(&mut self, image: &mut Image) {
        self.updates_seen = image.get(self.updates);
        for pump in self.motors {
            image.set_on(pump.output, false);
        }
        self.silence = Duration::ZERO;
        self.tripped = false;
        self.suction_low.reset();
        self.suction_restored.reset();
    }

    fn program(&self) -> &[u8] {
        include_bytes!("pumps.rs")
    }

    fn retained(&self) -> &[SignalId] {
        &self.retained
    }
}
