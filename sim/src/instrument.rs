//! Instruments: what a transmitter makes of the truth.
//!
//! # Theory of operation
//! Every `measure_every` steps, for each instrument: the quantity where the probe sits (for the mixer's analysers, what left the
//! mixer one sample line ago), a first-order lag, the error of a fault, noise, rounding to the resolution, and
//! saturation at the ends of the span. Noise is a keyed draw of (seed, tag, step), so that what one instrument
//! shows never depends on another, nor on what anybody did to the plant before.

use bevy_ecs::prelude::{Component, Query, Res, Resource};
use record::KeyedStream;

use crate::design::Measure;
use crate::fault::Ailment;
use crate::plant::Tick;
use crate::process::Process;

/// What it looks at. Parameter.
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Looks(pub(crate) Measure);

/// How it transmits. Parameter.
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Transmitter {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) noise_sigma: f64,
    /// Share of the way to a new value that one step makes.
    pub(crate) share: f64,
    pub(crate) resolution: f64,
}

/// Its random draws.
#[derive(Component, Clone, Debug)]
pub(crate) struct Noise {
    pub(crate) everyday: KeyedStream,
    pub(crate) failing: KeyedStream,
}

/// The process value, in the instrument's unit. Written by [`measure`].
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Truth(pub(crate) f64);

/// The value after the lag. State; written by [`measure`].
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Lagged(pub(crate) f64);

/// What goes out on the wire. Written by [`measure`].
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Transmitted(pub(crate) f64);

impl Transmitter {
    /// What is sent for a value that has its noise: rounded, and held inside the span.
    fn send(&self, value: f64) -> f64 {
        let rounded =
            if self.resolution > 0.0 { libm::rint(value / self.resolution) * self.resolution } else { value };
        rounded.clamp(self.low, self.high)
    }
}

/// Share of the way that a first-order lag makes in a step: `1 - exp(-step/lag)`.
pub(crate) fn lag_share(lag_s: f64, step_s: f64) -> f64 {
    if lag_s > 0.0 { -libm::expm1(-step_s / lag_s) } else { 1.0 }
}

/// Steps from one look of the instruments to the next. Parameter.
#[derive(Resource, Clone, Copy, Debug)]
pub(crate) struct MeasureEvery(pub(crate) u64);

/// Lets every instrument look and send, when it is time to.
pub(crate) fn measure(
    tick: Res<Tick>,
    every: Res<MeasureEvery>,
    process: Res<Process>,
    mut instruments: Query<(
        &Looks,
        &Transmitter,
        &Ailment,
        &mut Noise,
        &mut Truth,
        &mut Lagged,
        &mut Transmitted,
    )>,
) {
    if !tick.step.is_multiple_of(every.0) {
        return;
    }
    let now_s = tick.now_s();
    for (looks, transmitter, ailment, mut noise, mut truth, mut lagged, mut transmitted) in &mut instruments {
        truth.0 = process.value(looks.0);
        let probed = process.value_at_probe(looks.0);
        lagged.0 += transmitter.share * (probed - lagged.0);
        let mut value = lagged.0;
        if transmitter.noise_sigma > 0.0 {
            value += transmitter.noise_sigma * noise.everyday.normal(tick.step);
        }
        if *ailment != Ailment::None {
            let (offset, sigma) = ailment.at(now_s);
            value += offset;
            if sigma > 0.0 {
                value += sigma * noise.failing.normal(tick.step);
            }
        }
        if *ailment != Ailment::Frozen {
            transmitted.0 = transmitter.send(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_makes_63_per_cent_in_its_time() {
        let share = lag_share(10.0, 1.0);
        let mut value = 0.0;
        for _ in 0..10 {
            value += share * (1.0 - value);
        }
        assert!((value - 0.632_120_558_8).abs() < 1e-9, "{value}");
        assert_eq!(lag_share(0.0, 1.0), 1.0);
    }

    #[test]
    fn rounding_and_span_hold() {
        let transmitter = Transmitter { low: 0.0, high: 7.0, noise_sigma: 0.0, share: 1.0, resolution: 0.01 };
        assert!((transmitter.send(4.7261) - 4.73).abs() < 1e-12);
        assert_eq!(transmitter.send(-0.2), 0.0);
        assert_eq!(transmitter.send(9.0), 7.0);
    }
}
