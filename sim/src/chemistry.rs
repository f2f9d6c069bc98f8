//! Carbonate chemistry: the pH of water from what it is made of.
//!
//! # Theory of operation
//! pH does not mix; matter does. Volumes therefore carry two quantities that mix linearly, alkalinity and total
//! carbonate, and pH is computed from them where somebody looks. In a closed system, with sodium as the only
//! counter-ion, the charge balance reads
//! `Alk = [HCO3-] + 2 [CO3--] + [OH-] - [H+]`, which is monotone in pH: Newton's method inside a bracket finds it.
//! Activity coefficients follow Davies, `log g_z = -0.509 z^2 (sqrt I / (1 + sqrt I) - 0.3 I)`, with the ionic
//! strength `I` iterated. Constants are those of 25 degC: pK1 6.352, pK2 10.329, pKw 14.0 (phreeqc.dat).
//!
//! # What can go wrong
//! Davies is a fit up to about 0.5 mol/L. Beyond, the coefficients of 0.5 mol/L are kept, so that pH stays
//! monotone in the dose; figures there are an order of magnitude, not a measurement.

/// First dissociation of carbonic acid at 25 degC, as pK. Source: phreeqc.dat.
const PK1: f64 = 6.352;
/// Second dissociation of carbonic acid at 25 degC, as pK. Source: phreeqc.dat.
const PK2: f64 = 10.329;
/// Ion product of water at 25 degC, as pK.
const PKW: f64 = 14.0;
/// Davies's slope at 25 degC.
const DAVIES_SLOPE: f64 = 0.509;
/// Ionic strength above which Davies's fit is not followed any further, mol/L.
const DAVIES_LIMIT_MOL_L: f64 = 0.5;
/// Molar mass of sodium hydroxide, g/mol (IUPAC 2021 atomic weights).
pub const NAOH_G_MOL: f64 = 39.997;

const PH_LOWEST: f64 = -1.0;
const PH_HIGHEST: f64 = 16.0;
/// Newton stops when a step is below this, in pH.
const PH_TOLERANCE: f64 = 1e-10;

/// What of a water's composition decides its pH. Both mix linearly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Carbonate {
    /// Alkalinity, mol of charge per m3 (the same figure as meq/L).
    pub alkalinity_eq_m3: f64,
    /// Total carbonate, mol/m3 (the same figure as mmol/L).
    pub carbon_mol_m3: f64,
}

impl Carbonate {
    /// The closed-system water of this pH and alkalinity.
    ///
    /// Inverse of [`Carbonate::ph`]: total carbonate follows from the two.
    pub fn from_ph(ph: f64, alkalinity_eq_m3: f64) -> Self {
        let alkalinity_mol_l = alkalinity_eq_m3 * 1e-3;
        let mut carbon_mol_l = alkalinity_mol_l;
        let mut strength_mol_l = alkalinity_mol_l;
        for _ in 0..60 {
            let equilibrium = Equilibrium::at_strength(strength_mol_l);
            let species = equilibrium.species(ph, 1.0);
            let carried = species.bicarbonate + 2.0 * species.carbonate;
            carbon_mol_l = (alkalinity_mol_l - species.hydroxide + species.hydrogen) / carried;
            strength_mol_l = equilibrium.species(ph, carbon_mol_l).ionic_strength(alkalinity_mol_l);
        }
        Self { alkalinity_eq_m3, carbon_mol_m3: carbon_mol_l * 1e3 }
    }

    /// pH at 25 degC. `guess` is a nearby pH, for speed alone: any value gives the same answer within 1e-9.
    pub fn ph(self, guess: f64) -> f64 {
        let alkalinity_mol_l = self.alkalinity_eq_m3 * 1e-3;
        let carbon_mol_l = self.carbon_mol_m3 * 1e-3;
        let mut ph = guess.clamp(PH_LOWEST, PH_HIGHEST);
        let mut strength_mol_l = alkalinity_mol_l.abs();
        for _ in 0..60 {
            let equilibrium = Equilibrium::at_strength(strength_mol_l);
            let before = ph;
            ph = equilibrium.solve(alkalinity_mol_l, carbon_mol_l, ph);
            let strength = equilibrium.species(ph, carbon_mol_l).ionic_strength(alkalinity_mol_l);
            let settled = (strength - strength_mol_l).abs() <= 1e-10 * strength;
            strength_mol_l = strength;
            if settled && (ph - before).abs() < PH_TOLERANCE {
                break;
            }
        }
        ph
    }
}

/// Concentrations, mol/L.
struct Species {
    hydrogen: f64,
    hydroxide: f64,
    bicarbonate: f64,
    carbonate: f64,
}

impl Species {
    /// `I = 1/2 sum c z^2`; sodium balances the alkalinity.
    fn ionic_strength(&self, sodium_mol_l: f64) -> f64 {
        let ions = self.hydrogen + self.hydroxide + self.bicarbonate + 4.0 * self.carbonate;
        0.5 * (ions + sodium_mol_l.abs())
    }
}

/// Equilibrium constants at one ionic strength, in concentrations but for the activity of H+.
struct Equilibrium {
    k1: f64,
    k2: f64,
    kw: f64,
    activity_one: f64,
}

impl Equilibrium {
    fn at_strength(strength_mol_l: f64) -> Self {
        let strength = strength_mol_l.clamp(0.0, DAVIES_LIMIT_MOL_L);
        let root = strength.sqrt();
        let exponent = -DAVIES_SLOPE * (root / (1.0 + root) - 0.3 * strength);
        let activity_one = libm::exp10(exponent);
        let squared = activity_one * activity_one;
        let activity_two = squared * squared;
        Self {
            k1: libm::exp10(-PK1) / activity_one,
            k2: libm::exp10(-PK2) * activity_one / activity_two,
            kw: libm::exp10(-PKW) / activity_one,
            activity_one,
        }
    }

    fn species(&self, ph: f64, carbon_mol_l: f64) -> Species {
        let h = libm::exp10(-ph);
        let bicarbonate = carbon_mol_l / (1.0 + h / self.k1 + self.k2 / h);
        Species {
            hydrogen: h / self.activity_one,
            hydroxide: self.kw / h,
            bicarbonate,
            carbonate: bicarbonate * self.k2 / h,
        }
    }

    /// Safeguarded Newton: a step that leaves the bracket becomes a bisection.
    fn solve(&self, alkalinity_mol_l: f64, carbon_mol_l: f64, guess: f64) -> f64 {
        let (mut low, mut high) = (PH_LOWEST, PH_HIGHEST);
        let mut ph = guess;
        for _ in 0..100 {
            let species = self.species(ph, carbon_mol_l);
            let excess = species.bicarbonate + 2.0 * species.carbonate + species.hydroxide
                - species.hydrogen
                - alkalinity_mol_l;
            if excess > 0.0 {
                high = ph;
            } else {
                low = ph;
            }
            // d excess / d pH = ln 10 (buffer intensity): van Slyke's beta, all terms positive.
            let acid = carbon_mol_l - species.bicarbonate - species.carbonate;
            let buffer = if carbon_mol_l > 0.0 {
                (species.bicarbonate * acid
                    + species.carbonate * species.bicarbonate
                    + 4.0 * species.carbonate * acid)
                    / carbon_mol_l
            } else {
                0.0
            };
            let slope = std::f64::consts::LN_10 * (species.hydrogen + species.hydroxide + buffer);
            let newton = ph - excess / slope;
            let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            let step = (next - ph).abs();
            ph = next;
            if step < PH_TOLERANCE {
                break;
            }
        }
        ph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// pH of a water after a dose of NaOH in mg/L.
    fn dosed(start: Carbonate, naoh_mg_l: f64) -> f64 {
        let alkalinity_eq_m3 = start.alkalinity_eq_m3 + naoh_mg_l / NAOH_G_MOL;
        Carbonate { alkalinity_eq_m3, ..start }.ph(7.0)
    }

    /// Reference: PHREEQC (phreeqpython 1.6.2, phreeqc.dat), start pH 7.5, alkalinity 2 meq/L, sodium balance.
    #[test]
    fn follows_phreeqc_within_two_hundredths() {
        let start = Carbonate::from_ph(7.5, 2.0);
        for (naoh_mg_l, expected, tolerance) in [
            (0.0, 7.500, 0.02),
            (5.0, 8.217, 0.02),
            (10.0, 8.995, 0.02),
            (50.0, 10.143, 0.02),
            (100.0, 10.788, 0.02),
            (1000.0, 12.280, 0.02),
            // Above 2000 mg/L the reference itself finds Davies 0.035 high, rounded.
            (11_100.0, 13.271, 0.036),
        ] {
            let ph = dosed(start, naoh_mg_l);
            assert!((ph - expected).abs() < tolerance, "{naoh_mg_l} mg/L: {ph} instead of {expected}");
        }
    }

    /// The site's raw water: reference `B_water.md`, figures of the Davies form.
    #[test]
    fn the_raw_water_of_the_site_answers_as_written_down() {
        let raw = Carbonate::from_ph(6.15, 2.0);
        assert!((raw.carbon_mol_m3 - 5.03).abs() < 0.01, "{}", raw.carbon_mol_m3);
        for (naoh_mg_l, expected) in [
            (0.0, 6.15),
            (100.0, 7.24),
            (124.0, 8.5),
            (133.0, 9.0),
            (150.0, 9.42),
            (200.0, 9.97),
            (350.0, 11.05),
        ] {
            let ph = dosed(raw, naoh_mg_l);
            assert!((ph - expected).abs() < 0.03, "{naoh_mg_l} mg/L: {ph} instead of {expected}");
        }
    }

    #[test]
    fn the_guess_does_not_matter_and_ph_rises_with_every_dose() {
        let raw = Carbonate::from_ph(6.15, 2.0);
        let mut last = 0.0;
        for naoh_mg_l in [0.0, 1.0, 90.0, 120.0, 128.0, 400.0, 2e4, 7e5] {
            let water = Carbonate { alkalinity_eq_m3: 2.0 + naoh_mg_l / NAOH_G_MOL, ..raw };
            let ph = water.ph(7.0);
            assert!((water.ph(-50.0) - ph).abs() < 1e-8 && (water.ph(15.0) - ph).abs() < 1e-8);
            assert!(ph > last, "{naoh_mg_l}: {ph}");
            last = ph;
        }
    }
}
