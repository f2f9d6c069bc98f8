//! Power flow: the steady state from which the dynamics start.
//!
//! Newton's method in polar coordinates (Tinney and Hart, "Power flow solution by Newton's method", IEEE Trans. PAS-86,
//! 1967). Unknown are the angles of all buses but the slack, and the voltages of the buses without a regulated machine.

use num_complex::Complex64;

use super::linear::solve;
use super::network::Network;

/// What is given at a bus. Power is generation less load, per unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Given {
    /// Voltage; the angle is zero, and the machine here makes up what is missing.
    Slack {
        /// Per unit.
        voltage: f64,
    },
    /// Voltage and active power: a machine with its regulator.
    Regulated {
        /// Per unit.
        voltage: f64,
        /// Per unit.
        active: f64,
    },
    /// Active and reactive power: a load, or nothing.
    Power(Complex64),
}

/// Voltages of all buses, and the power that each bus sends into the network.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerFlow {
    /// Per unit, against the slack.
    pub voltages: Vec<Complex64>,
    /// Per unit.
    pub injections: Vec<Complex64>,
    /// How many steps of Newton's method it took.
    pub iterations: usize,
}

/// Why there is no power flow.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FlowError {
    /// The iteration stopped without a solution: more is asked of the network than it can carry.
    #[error(
        "the power flow did not converge in {iterations} iterations; the largest mismatch is {mismatch} pu"
    )]
    NotConverged {
        /// Iterations done.
        iterations: usize,
        /// Largest mismatch of power, per unit.
        mismatch: f64,
    },
    /// The equations have no unique solution: a bus is not connected.
    #[error("the power flow is singular: a bus has no way to the slack")]
    Singular,
}

/// Largest mismatch of power that counts as none, per unit.
const TOLERANCE: f64 = 1e-12;
/// Iterations after which there is no solution. Four are the rule.
const ITERATIONS_MAX: usize = 30;

/// The state in which every bus has what is given there. One slack is expected; a second one only pins its angle too.
pub fn power_flow(network: &Network, given: &[Given]) -> Result<PowerFlow, FlowError> {
    let n = network.buses;
    let matrix = network.admittance();
    let mut magnitude: Vec<f64> = given
        .iter()
        .map(|given| match given {
            Given::Slack { voltage } | Given::Regulated { voltage, .. } => *voltage,
            Given::Power(_) => 1.0,
        })
        .collect();
    let mut angle = vec![0.0; n];
    let turning: Vec<usize> = (0..n).filter(|bus| !matches!(given[*bus], Given::Slack { .. })).collect();
    let floating: Vec<usize> = (0..n).filter(|bus| matches!(given[*bus], Given::Power(_))).collect();
    let mut iterations = 0;
    loop {
        let voltages: Vec<Complex64> =
            magnitude.iter().zip(&angle).map(|(size, angle)| polar(*size, *angle)).collect();
        let injections: Vec<Complex64> = (0..n)
            .map(|bus| {
                let current: Complex64 = (0..n).map(|other| matrix[bus * n + other] * voltages[other]).sum();
                voltages[bus] * current.conj()
            })
            .collect();
        let active = |bus: usize| match given[bus] {
            Given::Regulated { active, .. } => active,
            Given::Power(power) => power.re,
            Given::Slack { .. } => injections[bus].re,
        };
        let reactive = |bus: usize| match given[bus] {
            Given::Power(power) => power.im,
            _ => injections[bus].im,
        };
        let mismatches: Vec<f64> = turning
            .iter()
            .map(|bus| active(*bus) - injections[*bus].re)
            .chain(floating.iter().map(|bus| reactive(*bus) - injections[*bus].im))
            .collect();
        let mismatch = mismatches.iter().fold(0.0, |worst: f64, one| worst.max(one.abs()));
        if mismatch < TOLERANCE {
            return Ok(PowerFlow { voltages, injections, iterations });
        }
        if iterations == ITERATIONS_MAX || !mismatch.is_finite() {
            return Err(FlowError::NotConverged { iterations, mismatch });
        }
        iterations += 1;
        // dS/dangle and dS/d|V| as complex numbers; their real and imaginary parts are the four blocks of the Jacobian.
        let by_angle = |bus: usize, by: usize| {
            let mutual = voltages[bus] * (matrix[bus * n + by] * voltages[by]).conj();
            let own = if bus == by { Complex64::i() * injections[bus] } else { Complex64::default() };
            own - Complex64::i() * mutual
        };
        let by_magnitude = |bus: usize, by: usize| {
            let mutual = voltages[bus] * (matrix[bus * n + by] * voltages[by]).conj() / magnitude[by];
            let own = if bus == by { injections[bus] / magnitude[bus] } else { Complex64::default() };
            own + mutual
        };
        let unknowns = turning.len() + floating.len();
        let mut rows = Vec::with_capacity(unknowns * (unknowns + 1));
        for bus in &turning {
            rows.extend(turning.iter().map(|by| by_angle(*bus, *by).re));
            rows.extend(floating.iter().map(|by| by_magnitude(*bus, *by).re));
            rows.push(mismatches[rows.len() / (unknowns + 1)]);
        }
        for bus in &floating {
            rows.extend(turning.iter().map(|by| by_angle(*bus, *by).im));
            rows.extend(floating.iter().map(|by| by_magnitude(*bus, *by).im));
            rows.push(mismatches[rows.len() / (unknowns + 1)]);
        }
        if !solve(&mut rows, unknowns, 1) {
            return Err(FlowError::Singular);
        }
        let change = |index: usize| rows[index * (unknowns + 1) + unknowns];
        for (index, bus) in turning.iter().enumerate() {
            angle[*bus] += change(index);
        }
        for (index, bus) in floating.iter().enumerate() {
            magnitude[*bus] += change(turning.len() + index);
        }
    }
}

/// A complex number by size and angle in rad.
pub(crate) fn polar(size: f64, angle: f64) -> Complex64 {
    let (sin, cos) = libm::sincos(angle);
    Complex64::new(size * cos, size * sin)
}

/// Angle of a complex number, rad, from -pi to pi.
pub(crate) fn angle_of(value: Complex64) -> f64 {
    libm::atan2(value.im, value.re)
}

/// Size of a complex number.
pub(crate) fn size_of(value: Complex64) -> f64 {
    value.norm_sqr().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::power::network::Branch;

    fn two_buses(active: f64) -> Result<PowerFlow, FlowError> {
        let impedance = Complex64::new(0.0, 0.5);
        let branches = vec![Branch { from: 0, to: 1, impedance, charging: 0.0 }];
        let network = Network { buses: 2, branches, sources: Vec::new() };
        power_flow(&network, &[Given::Slack { voltage: 1.0 }, Given::Power(Complex64::new(-active, 0.0))])
    }

    #[test]
    fn two_buses_agree_with_the_closed_form() {
        // For a load P behind x: V^4 - V^2 + (x P)^2 = 0.
        let flow = two_buses(0.8).unwrap();
        let expected = (0.5 * (1.0 + (1.0 - 4.0 * 0.16_f64).sqrt())).sqrt();
        assert!((size_of(flow.voltages[1]) - expected).abs() < 1e-12, "{flow:?}");
        assert!((flow.injections[0].re - 0.8).abs() < 1e-12);
        assert!(flow.iterations <= 6);
    }

    #[test]
    fn more_than_the_line_can_carry_has_no_solution() {
        // The most that x = 0.5 carries into a load of power factor 1 is 1 pu.
        assert!(matches!(two_buses(1.1), Err(FlowError::NotConverged { .. } | FlowError::Singular)));
    }
}
