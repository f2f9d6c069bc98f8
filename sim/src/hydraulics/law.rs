//! What a link does with a flow: head lost along it, and how fast the loss grows.

/// Head loss of a link at one flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Loss {
    /// Head lost from the link's start to its end, m; negative in a pump.
    pub(crate) head_m: f64,
    /// Its derivative, m per m3/s; always positive.
    pub(crate) gradient_s_m2: f64,
}

/// The law of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Law {
    /// Hazen and Williams: `h = r q |q|^0.852`.
    Pipe {
        /// `10.667 L / (C^1.852 d^4.871)` in m and m3/s.
        resistance: f64,
        /// Flow below which the law is continued by its chord, m3/s.
        linear_below_m3_s: f64,
    },
    /// A centrifugal pump: `h = -(a - b q^c)`.
    Pump {
        /// Head at no flow, m.
        shutoff_head_m: f64,
        /// Coefficient of the fall.
        fall: f64,
        /// Exponent of the fall.
        exponent: f64,
    },
}

/// Where a pipe's chord `h/q` falls below this, the law is continued by the chord. A vanishing gradient would turn
/// the rounding of heads into flows; this one is worth 2 micrometres of head per litre per second.
const SMALLEST_CHORD_S_M2: f64 = 2e-3;
/// Below this flow a pump's curve is continued by its chord. A tenth of a litre per second.
const SMALL_PUMP_FLOW_M3_S: f64 = 1e-4;

impl Law {
    /// A pipe by Hazen and Williams in SI units (Rossman, EPANET 2 manual, appendix D).
    pub(crate) fn hazen_williams(length_m: f64, diameter_m: f64, roughness: f64) -> Self {
        let resistance = 10.667 * length_m / (libm::pow(roughness, 1.852) * libm::pow(diameter_m, 4.871));
        let linear_below_m3_s = libm::pow(SMALLEST_CHORD_S_M2 / resistance, 1.0 / 0.852);
        Self::Pipe { resistance, linear_below_m3_s }
    }

    /// A pump through three points of (flow, head), the first at no flow (EPANET 2 manual, appendix D).
    /// `None` where no falling power law passes through them.
    pub(crate) fn three_point_pump(points: [(f64, f64); 3]) -> Option<Self> {
        let [(zero, shutoff), (first_flow, first_head), (second_flow, second_head)] = points;
        let falls = shutoff > first_head && first_head > second_head && second_head >= 0.0;
        if zero != 0.0 || first_flow <= 0.0 || second_flow <= first_flow || !falls {
            return None;
        }
        let exponent =
            libm::log((shutoff - second_head) / (shutoff - first_head)) / libm::log(second_flow / first_flow);
        let fall = (shutoff - first_head) / libm::pow(first_flow, exponent);
        (exponent > 0.0 && exponent <= 20.0).then_some(Self::Pump { shutoff_head_m: shutoff, fall, exponent })
    }

    /// Head added at no flow; zero for a pipe, m.
    pub(crate) fn lift_at_rest_m(self) -> f64 {
        match self {
            Self::Pipe { .. } => 0.0,
            Self::Pump { shutoff_head_m, .. } => shutoff_head_m,
        }
    }

    /// Loss at a flow in m3/s.
    pub(crate) fn loss(self, flow_m3_s: f64) -> Loss {
        match self {
            Self::Pipe { resistance, linear_below_m3_s } => {
                let size = flow_m3_s.abs();
                if size <= linear_below_m3_s {
                    let head_m = SMALLEST_CHORD_S_M2 * flow_m3_s;
                    return Loss { head_m, gradient_s_m2: SMALLEST_CHORD_S_M2 };
                }
                let chord = resistance * libm::pow(size, 0.852);
                Loss { head_m: chord * flow_m3_s, gradient_s_m2: 1.852 * chord }
            }
            Self::Pump { shutoff_head_m, fall, exponent } => {
                let chord_flow = flow_m3_s.max(SMALL_PUMP_FLOW_M3_S);
                let chord = fall * libm::pow(chord_flow, exponent - 1.0);
                if flow_m3_s <= SMALL_PUMP_FLOW_M3_S {
                    return Loss { head_m: chord * flow_m3_s - shutoff_head_m, gradient_s_m2: chord };
                }
                Loss { head_m: chord * flow_m3_s - shutoff_head_m, gradient_s_m2: exponent * chord }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EPANET's fit of MiniTown's curve 8, printed in the reference: A 70, B 0.077309, C 1.35692 in L/s; and the
    /// check against BATADAL: 98.998 L/s gives 30.543 m.
    #[test]
    fn the_pump_curve_is_epanets() {
        let pump = Law::three_point_pump([(0.0, 70.0), (0.060, 50.0), (0.100, 30.0)]).unwrap();
        let Law::Pump { exponent, .. } = pump else { panic!("a pump") };
        assert!((exponent - 1.35692).abs() < 1e-5, "{exponent}");
        assert!((pump.loss(0.098_998).head_m + 30.543).abs() < 1e-3);
    }

    #[test]
    fn laws_are_continuous_and_rise() {
        let pump = Law::three_point_pump([(0.0, 70.0), (0.060, 50.0), (0.100, 30.0)]).unwrap();
        for law in [pump, Law::hazen_williams(395.29, 0.406, 90.483)] {
            let mut last = f64::NEG_INFINITY;
            for step in -300..300 {
                let loss = law.loss(f64::from(step) * 7e-7);
                assert!(loss.head_m > last && loss.gradient_s_m2 > 0.0);
                last = loss.head_m;
            }
        }
    }

    #[test]
    fn a_rising_curve_is_no_pump() {
        assert_eq!(Law::three_point_pump([(0.0, 30.0), (0.06, 50.0), (0.1, 70.0)]), None);
        assert_eq!(Law::three_point_pump([(0.01, 70.0), (0.06, 50.0), (0.1, 30.0)]), None);
    }
}
