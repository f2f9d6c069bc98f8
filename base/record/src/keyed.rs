//! Keyed random draws: value = f(seed, component, purpose, occurrence).
//!
//! # Theory of operation
//! A sequential generator couples everything that draws from it: one more draw early in a run changes every later
//! one, and the twins of a seed stop being comparable. Here every draw has an address instead. The seed, the name
//! of the component and the purpose are hashed into a ChaCha8 key; the occurrence (a tick, a frame's position in
//! its flow, the how-many-th connection) is the word position in that key's stream. So what one component draws
//! never depends on what another one did.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// The draws of one component for one purpose, addressed by occurrence. Cheap to keep, costs one hash to make.
#[derive(Clone, Debug)]
pub struct KeyedStream {
    generator: ChaCha8Rng,
}

/// Words of key stream set aside for one occurrence: one ChaCha block.
const WORDS_PER_OCCURRENCE: u128 = 16;

impl KeyedStream {
    /// The stream of (seed, component, purpose), for example `(7, "LIT-401", "noise")`.
    pub fn new(seed: u64, component: &str, purpose: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        for part in [component, purpose] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self { generator: ChaCha8Rng::from_seed(hash.finalize().into()) }
    }

    /// Sixty-four uniform bits for this occurrence.
    pub fn bits(&mut self, occurrence: u64) -> u64 {
        self.generator.set_word_pos(u128::from(occurrence) * WORDS_PER_OCCURRENCE);
        self.generator.next_u64()
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self, occurrence: u64) -> f64 {
        unit_interval(self.bits(occurrence))
    }

    /// Uniform integer in `0..bound`; 0 where `bound` is 0. The bias is below 2^-32 for bounds below 2^32.
    pub fn below(&mut self, occurrence: u64, bound: u64) -> u64 {
        ((u128::from(self.bits(occurrence)) * u128::from(bound)) >> 64) as u64
    }

    /// Standard normal, by Box and Muller's transform (1958) with libm's functions, so that it is the same on every machine.
    pub fn normal(&mut self, occurrence: u64) -> f64 {
        let radius = unit_interval(self.bits(occurrence));
        let angle = unit_interval(self.generator.next_u64());
        libm::sqrt(-2.0 * libm::log(1.0 - radius)) * libm::cos(std::f64::consts::TAU * angle)
    }
}

fn unit_interval(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_address_alone() {
        let mut ahead = KeyedStream::new(1, "LIT-401", "noise");
        let later = ahead.normal(1000);
        let mut fresh = KeyedStream::new(1, "LIT-401", "noise");
        fresh.normal(3);
        assert_eq!(fresh.normal(1000).to_bits(), later.to_bits());
        assert_ne!(KeyedStream::new(2, "LIT-401", "noise").bits(1000), ahead.bits(1000));
        assert_ne!(KeyedStream::new(1, "LIT-40", "1noise").bits(1000), ahead.bits(1000));
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut stream = KeyedStream::new(5, "test", "normal");
        let draws: Vec<f64> = (0..20_000).map(|n| stream.normal(n)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
