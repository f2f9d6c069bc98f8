//! Commands on their way to coils: interposing relays, and the two of a breaker.
//!
//! A command is a signal that a client or a master sets; a coil is an output. In between stands a relay that is energised while its
//! command stands, but never for longer than [`LONGEST`]: coils are made for a moment. Then the command is taken back, and has to
//! come anew. A trip keeps a close that stands with it from ever being carried out, so that a breaker does not pump.

use std::time::Duration;

use crate::image::{Image, MissingSignal, SignalId};

/// How long a coil is energised at most. Ten times what the contacts of a transmission breaker take to part.
pub const LONGEST: Duration = Duration::from_millis(500);

/// A command and the relay that carries it out.
#[derive(Debug)]
pub struct Interposer {
    command: SignalId,
    output: SignalId,
    energised: Duration,
}

impl Interposer {
    /// A relay at rest between two signals, by their tags.
    pub fn new(image: &Image, command: &str, output: &str) -> Result<Self, MissingSignal> {
        let (command, output) = (image.require(command)?, image.require(output)?);
        Ok(Self { command, output, energised: Duration::ZERO })
    }

    /// One scan; whether the coil is energised. A command that is not permitted is taken back.
    pub fn scan(&mut self, image: &mut Image, permitted: bool, dt: Duration) -> bool {
        let commanded = image.is_on(self.command);
        if !commanded {
            self.energised = Duration::ZERO;
        } else if !permitted {
            self.energised = LONGEST;
        }
        let drives = commanded && self.energised < LONGEST;
        if drives {
            self.energised = self.energised.saturating_add(dt);
        } else {
            image.set_on(self.command, false);
        }
        image.set_on(self.output, drives);
        drives
    }

    /// Back to rest.
    pub fn reset(&mut self) {
        self.energised = Duration::ZERO;
    }
}

/// The two relays of a breaker.
#[derive(Debug)]
pub struct BreakerControl {
    close: Interposer,
    trip: Interposer,
    closed: SignalId,
    was_closed: bool,
}

impl BreakerControl {
    /// Those of the breaker with this tag: commands `.CLOSE` and `.TRIP`, coils `.C` and `.T`, contact of the same name.
    pub fn new(image: &Image, breaker: &str) -> Result<Self, MissingSignal> {
        let relay = |command: &str, coil: &str| {
            Interposer::new(image, &format!("{breaker}.{command}"), &format!("{breaker}.{coil}"))
        };
        Ok(Self {
            close: relay("CLOSE", "C")?,
            trip: relay("TRIP", "T")?,
            closed: image.require(breaker)?,
            was_closed: false,
        })
    }

    /// One scan; whether the breaker has opened since the last.
    pub fn scan(&mut self, image: &mut Image, permitted: bool, dt: Duration) -> bool {
        let trips = self.trip.scan(image, permitted, dt);
        self.close.scan(image, permitted && !trips, dt);
        let closed = image.is_on(self.closed);
        let opened = self.was_closed && !closed;
        self.was_closed = closed;
        opened
    }

    /// Whether the breaker is closed, as of the last scan.
    pub fn is_closed(&self) -> bool {
        self.was_closed
    }

    /// Back to rest, with the breaker as it is.
    pub fn reset(&mut self, image: &Image) {
        self.close.reset();
        self.trip.reset();
        self.was_closed = image.is_on(self.closed);
    }
}
