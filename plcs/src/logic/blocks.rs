//! Function blocks: the small parts that control logic is made of.

use std::time::Duration;

/// `value` within `low` and `high`; not-a-number counts as `low`.
pub fn saturate(value: f64, low: f64, high: f64) -> f64 {
    if value > low { value.min(high) } else { low }
}

/// `value` moved towards `target` by at most `most`.
pub fn approach(value: f64, target: f64, most: f64) -> f64 {
    value + (target - value).min(most).max(-most)
}

/// On-delay timer (IEC 61131-3's TON): its output follows its input once that has been on for `delay`.
#[derive(Clone, Copy, Debug)]
pub struct OnDelay {
    delay: Duration,
    elapsed: Duration,
}

impl OnDelay {
    /// A timer at rest.
    pub const fn new(delay: Duration) -> Self {
        Self { delay, elapsed: Duration::ZERO }
    }

    /// Advances by one scan.
    pub fn scan(&mut self, input: bool, dt: Duration) -> bool {
        self.elapsed = if input { self.elapsed.saturating_add(dt).min(self.delay) } else { Duration::ZERO };
        input && self.elapsed >= self.delay
    }

    /// Back to rest.
    pub fn reset(&mut self) {
        self.elapsed = Duration::ZERO;
    }
}

/// Comes on above `limit`, goes off `deadband` below it.
#[derive(Clone, Copy, Debug)]
pub struct HighAlarm {
    /// Where it comes on.
    pub limit: f64,
    /// How far back the value must fall.
    pub deadband: f64,
}

impl HighAlarm {
    /// The alarm's next state.
    pub fn scan(&self, was_on: bool, value: f64) -> bool {
        value > if was_on { self.limit - self.deadband } else { self.limit }
    }
}

/// Comes on below `limit`, goes off `deadband` above it.
#[derive(Clone, Copy, Debug)]
pub struct LowAlarm {
    /// Where it comes on.
    pub limit: f64,
    /// How far back the value must rise.
    pub deadband: f64,
}

impl LowAlarm {
    /// The alarm's next state.
    pub fn scan(&self, was_on: bool, value: f64) -> bool {
        value < if was_on { self.limit + self.deadband } else { self.limit }
    }
}

/// Two-position control: runs from `start` upwards until `stop`, keeps its state in between.
///
/// Where the two are the wrong way round (`start` not below `stop`), stopping wins.
pub fn start_stop(running: bool, level: f64, start: f64, stop: f64) -> bool {
    if level >= stop { false } else { level < start || running }
}

/// A PI controller in its ideal form, with its output in per cent and an integrator that stops where the output does.
#[derive(Clone, Copy, Debug)]
pub struct Pi {
    /// Output per unit of error, %/unit.
    gain: f64,
    /// Integral time, s.
    integral_time_s: f64,
    /// The integrator's share of the output, %.
    integral: f64,
}

impl Pi {
    /// A controller whose output starts at `bias` % without error.
    pub const fn new(gain: f64, integral_time_s: f64, bias: f64) -> Self {
        Self { gain, integral_time_s, integral: bias }
    }

    /// Output in % for this scan. A value that is not a number leaves the output where the integrator is.
    pub fn scan(&mut self, setpoint: f64, value: f64, dt: Duration) -> f64 {
        let error = setpoint - value;
        if !error.is_finite() {
            return saturate(self.integral, 0.0, 100.0);
        }
        let wanted = self.integral + self.gain * error;
        let output = saturate(wanted, 0.0, 100.0);
        let winds_up = (wanted > 100.0 && error > 0.0) || (wanted < 0.0 && error < 0.0);
        if !winds_up {
            self.integral += self.gain * error * dt.as_secs_f64() / self.integral_time_s;
        }
        output
    }

    /// Follows an output given by hand, so that the change to automatic is bumpless.
    pub fn track(&mut self, setpoint: f64, value: f64, output: f64) {
        let error = setpoint - value;
        if error.is_finite() && output.is_finite() {
            self.integral = output - self.gain * error;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(100);

    #[test]
    fn an_on_delay_needs_its_input_without_a_break() {
        let mut timer = OnDelay::new(Duration::from_millis(300));
        let inputs = [true, true, false, true, true, true, true, false];
        let outputs: Vec<bool> = inputs.iter().map(|input| timer.scan(*input, STEP)).collect();
        assert_eq!(outputs, [false, false, false, false, false, true, true, false]);
    }

    #[test]
    fn start_stop_keeps_its_state_between_the_levels() {
        assert!(start_stop(false, 3.9, 4.0, 6.3));
        assert!(!start_stop(false, 5.0, 4.0, 6.3));
        assert!(start_stop(true, 5.0, 4.0, 6.3));
        assert!(!start_stop(true, 6.3, 4.0, 6.3));
        assert!(!start_stop(true, 5.0, 6.0, 4.0), "levels the wrong way round stop the pump");
    }

    #[test]
    fn a_saturated_controller_does_not_wind_up() {
        let mut pi = Pi::new(100.0, 10.0, 50.0);
        for _ in 0..10_000 {
            assert_eq!(pi.scan(3.0, 0.0, STEP), 100.0);
        }
        assert!(pi.scan(3.0, 3.1, STEP) < 100.0, "the output leaves its limit at once");
    }

    #[test]
    fn tracking_makes_the_change_to_automatic_bumpless() {
        let mut pi = Pi::new(100.0, 5000.0, 50.0);
        pi.track(3.0, 2.9, 30.0);
        assert!((pi.scan(3.0, 2.9, STEP) - 30.0).abs() < 1e-9);
    }

    #[test]
    fn not_a_number_counts_as_the_lowest() {
        assert_eq!(saturate(f64::NAN, 0.0, 100.0), 0.0);
        assert_eq!(Pi::new(1.0, 1.0, 40.0).scan(3.0, f64::NAN, STEP), 40.0);
    }
}
