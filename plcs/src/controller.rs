//! One controller.
//!
//! # Theory of operation
//! A controller lives by its scan. Every scan runs four steps, in this order, to the end:
//!   1. read   the wired inputs, and what the peer link and DNP3 masters have brought, into the image
//!   2. serve  queued Modbus requests, in order of arrival, at most `requests_per_scan` of the device
//!   3. solve  the logic once, from image to image
//!   4. write  the outputs from the image to the wires
//!
//! Connections never touch the image: they queue a request and wait for its answer, up to one scan and longer when
//! the device is busy. So a write takes effect with the logic of the scan that serves it, as on a real controller, and
//! the same requests in the same order give the same run.
//!
//! Where the mode is not *run*, step 3 is left out and the outputs go to 0; inputs are still read and requests served.
//! A change back to *run* starts the logic over: signals return to their initial values but for those it retains
//! (setpoints, modes, latched trips).
//!
//! # Terms
//! *image*: the controller's copy of its signals. *scan*: one pass of the four steps. *wired*: read or written through
//! [`FieldWiring`], by position in the device's `inputs` and `outputs`.
//!
//! # What can go wrong
//! The queue holds two scans' worth of requests; a request that finds it full is answered "server device busy"
//! (exception 6). Logic cannot fail; it only saturates. Wiring cannot fail; a broken transmitter has some value too.

use std::fmt;
use std::time::Duration;

use record::Clock;
use site::Device;

use crate::core::Core;
use crate::handle::Handle;
use crate::image::{Image, MissingSignal};
use crate::logic::{Logic, program_for};
use crate::mode::Mode;

/// The wires between a controller and its plant.
///
/// Called from within a scan: an implementation must not use the [`Handle`] of the same controller.
pub trait FieldWiring {
    /// The present value of the instrument at this position of the device's `inputs`, in engineering units as transmitted;
    /// a switch is 0 or 1.
    fn read(&mut self, input: usize) -> f64;

    /// Commands the actuator at this position of the device's `outputs`: per cent, or 0 and 1.
    fn write(&mut self, output: usize, value: f64);
}

/// Why a controller cannot be built.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControllerError {
    /// Device and logic do not fit.
    #[error(transparent)]
    Missing(#[from] MissingSignal),
    /// No logic is known for this device.
    #[error("no logic is known for device {device:?}")]
    NoProgram {
        /// The device's name.
        device: String,
    },
    /// A preset names a tag that the image does not have.
    #[error("{device} has no signal {tag} to preset")]
    Preset {
        /// The device's name.
        device: String,
        /// The tag.
        tag: String,
    },
}

/// A controller, its wires and its clock.
pub struct Controller<W, C> {
    handle: Handle,
    wiring: W,
    clock: C,
    period: Duration,
}

impl<W, C> fmt::Debug for Controller<W, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl<W: FieldWiring, C: Clock> Controller<W, C> {
    /// A controller with the logic that `make_logic` builds over its image.
    pub fn new(
        device: &Device,
        make_logic: impl FnOnce(&mut Image) -> Result<Box<dyn Logic>, MissingSignal>,
        wiring: W,
        clock: C,
    ) -> Result<Self, ControllerError> {
        let mut image = Image::of(device);
        let logic = make_logic(&mut image)?;
        let handle = Handle::new(Core::new(device, image, logic));
        Ok(Self { handle, wiring, clock, period: Duration::from_millis(device.scan_ms.max(1)) })
    }

    /// A controller of a bundled site with the logic of its name.
    pub fn for_device(device: &Device, wiring: W, clock: C) -> Result<Self, ControllerError> {
        let name = device.name.get_ref();
        let make_logic =
            program_for(name).ok_or_else(|| ControllerError::NoProgram { device: name.clone() })?;
        Self::new(device, make_logic, wiring, clock)
    }

    /// Sets what a signal is at the start and after every restart.
    pub fn preset(&mut self, tag: &str, value: f64) -> Result<(), ControllerError> {
        self.handle.with(|core| match core.image.signal(tag) {
            Some(signal) => {
                core.preset(signal, value);
                Ok(())
            }
            None => Err(ControllerError::Preset { device: core.name.clone(), tag: tag.to_owned() }),
        })
    }

    /// The controller as everybody else sees it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Time from one scan to the next.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Runs one scan, now.
    pub fn scan(&mut self) {
        let Self { handle, wiring, clock, period } = self;
        let now = clock.now();
        handle.with(|core| {
            core.now = now;
            for (position, &signal) in core.inputs.iter().enumerate() {
                core.image.set(signal, wiring.read(position));
            }
            core.registers.refresh();
            core.take_incoming();
            core.take_commands();
            core.serve_queue();
            core.solve(*period);
            for (position, &signal) in core.outputs.iter().enumerate() {
                wiring.write(position, core.image.get(signal));
            }
            core.report_changes();
            core.publish_points();
            core.statistics.scans += 1;
        });
    }

    /// Scans for ever: first one period from now, then once each period.
    pub async fn run(mut self) {
        let mut next = self.clock.now();
        loop {
            next += self.period;
            self.clock.sleep_until(next).await;
            self.scan();
        }
    }
}

impl Core {
    /// What DNP3 masters have commanded since the latest scan.
    fn take_commands(&mut self) {
        if let Some(outstation) = self.outstation.clone()
            && outstation.0.borrow_mut().apply(self.now, &mut self.image)
        {
            self.restart_logic();
        }
    }

    /// What DNP3 masters are to see.
    fn publish_points(&mut self) {
        if let Some(outstation) = &self.outstation {
            outstation.0.borrow_mut().publish(self.now, &self.image);
        }
    }

    /// Step 3 of the scan.
    fn solve(&mut self, period: Duration) {
        if self.outstation.as_ref().is_some_and(|outstation| outstation.0.borrow().is_restarting()) {
            // The logic stands and the outputs hold.
        } else if self.mode == Mode::Run {
            self.logic.scan(&mut self.image, period);
        } else {
            for &signal in &self.outputs {
                self.image.set(signal, 0.0);
            }
        }
    }
}
