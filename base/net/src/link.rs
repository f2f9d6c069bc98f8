//! Links: what lies between a network card and its switch.
//!
//! A link is FIFO in each direction: a frame arrives at max(arrival of the frame before it, now + latency +
//! jitter). Jitter without that would reorder segments, and a capture would be full of duplicate ACKs.

use std::time::Duration;

use crate::flow::Frame;

/// How one link behaves, in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkProperties {
    /// Time that every frame takes.
    pub latency: Duration,
    /// Upper limit of the time that a frame takes on top, uniform, keyed by flow and position in the flow.
    pub jitter: Duration,
    /// Share of frames that are lost, 0 to 1. Zero unless the site file or a fault sets it.
    pub loss: f64,
}

impl LinkProperties {
    /// A cable in a plant with its two interfaces: 40 us and up to 20 us more.
    pub const PLANT: Self =
        Self { latency: Duration::from_micros(40), jitter: Duration::from_micros(20), loss: 0.0 };

    /// The way from the firewall to the outside world: 9 ms and up to 3 ms more.
    pub const WIDE_AREA: Self =
        Self { latency: Duration::from_millis(9), jitter: Duration::from_millis(3), loss: 0.0 };

    /// The link of a zone that stands far from the others.
    pub fn over(wan: &site::WideAreaLink) -> Self {
        let span = |ms: f64| Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
        Self { latency: span(wan.latency_ms), jitter: span(wan.jitter_ms), loss: wan.loss }
    }
}

/// A link with what it remembers.
#[derive(Debug)]
pub(crate) struct Link {
    /// How it behaves.
    pub(crate) properties: LinkProperties,
    /// Whether the cable is plugged in.
    pub(crate) is_up: bool,
    /// Whether frames from the card to the switch pass; a diode turns one of these off.
    pub(crate) passes_up: bool,
    /// Whether frames from the switch to the card pass.
    pub(crate) passes_down: bool,
    last_up: u64,
    last_down: u64,
}

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the card to the switch.
    Up,
    /// From the switch to the card.
    Down,
}

impl Link {
    /// A link, plugged in.
    pub(crate) fn new(properties: LinkProperties) -> Self {
        Self { properties, is_up: true, passes_up: true, passes_down: true, last_up: 0, last_down: 0 }
    }

    /// When a frame that enters now arrives; `None` if it never does.
    pub(crate) fn arrival(&mut self, direction: Direction, now: u64, frame: &mut Frame) -> Option<u64> {
        let (passes, last) = match direction {
            Direction::Up => (self.passes_up, &mut self.last_up),
            Direction::Down => (self.passes_down, &mut self.last_down),
        };
        let share = frame.take_draw();
        if !self.is_up || !passes || is_lost(self.properties.loss, frame.draw) {
            return None;
        }
        let jitter = (self.properties.jitter.as_nanos() as u64 * share) >> 16;
        let arrival = (now + self.properties.latency.as_nanos() as u64 + jitter).max(*last);
        *last = arrival;
        Some(arrival)
    }
}

/// Whether the rest of a frame's draw says that it is lost: bits mixed by one round of SplitMix64 (Steele, Lea,
/// Flood 2014), so that jitter and loss do not go together.
fn is_lost(loss: f64, draw: u64) -> bool {
    if loss <= 0.0 {
        return false;
    }
    let mut bits = draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / ((1_u64 << 53) as f64) < loss
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::flow::{FlowKey, FlowProtocol};

    fn frame(draw: u64) -> Frame {
        let name: Arc<str> = "a".into();
        let flow = FlowKey {
            source: name.clone(),
            destination: name.clone(),
            protocol: FlowProtocol::Tcp,
            port: 1,
            actor: name,
            occurrence: 0,
        };
        Frame { octets: Vec::new(), flow: Arc::new(flow), position: 0, draw }
    }

    #[test]
    fn a_later_frame_never_overtakes() {
        let mut link = Link::new(LinkProperties::PLANT);
        let slow = link.arrival(Direction::Up, 0, &mut frame(0xffff)).unwrap();
        let fast = link.arrival(Direction::Up, 1, &mut frame(0)).unwrap();
        assert!(slow > 59_000 && fast >= slow, "{slow} {fast}");
        let other_way = link.arrival(Direction::Down, 1, &mut frame(0)).unwrap();
        assert_eq!(other_way, 40_001);
    }

    #[test]
    fn loss_follows_its_share() {
        let mut link = Link::new(LinkProperties { loss: 0.25, ..LinkProperties::PLANT });
        let mut stream = record::KeyedStream::new(1, "test", "loss");
        let lost = (0..4000)
            .filter(|n| link.arrival(Direction::Up, 0, &mut frame(stream.bits(*n))).is_none())
            .count();
        assert!((900..1100).contains(&lost), "{lost}");
    }

    #[test]
    fn a_diode_passes_one_way() {
        let mut link = Link::new(LinkProperties::PLANT);
        link.passes_down = false;
        assert!(link.arrival(Direction::Up, 0, &mut frame(0)).is_some());
        assert!(link.arrival(Direction::Down, 0, &mut frame(0)).is_none());
    }
}
