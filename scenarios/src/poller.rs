//! Polling one controller: what its register map holds, in as few requests as contiguous addresses allow.

use record::KeyedStream;
use site::{Access, Device, RegisterEntry, Table};
use wire::modbus::RegisterAddress;

use std::time::Duration;

use clients::{ClientError, ModbusSession};
use net::KernelClock;

use crate::scene::Dialler;

/// Longest distance between two wanted addresses that one request spans.
const GAP_MAX: u16 = 8;

/// A contiguous part of one table, and the tags in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) table: Table,
    pub(crate) first: u16,
    pub(crate) count: u16,
    /// Tag, offset in the block, index of the entry in the device's map.
    pub(crate) tags: Vec<(String, u16, usize)>,
}

impl Block {
    /// Values of the block's tags from the words (bits as 0 and 1) that were read.
    pub(crate) fn decode<'a>(
        &'a self,
        device: &'a Device,
        words: &'a [u16],
    ) -> impl Iterator<Item = (&'a str, f64)> + 'a {
        self.tags.iter().filter_map(move |(tag, offset, index)| {
            let entry = device.registers.get(*index)?;
            let at = usize::from(*offset);
            let first = *words.get(at)?;
            let second = words.get(at + 1).copied().unwrap_or(0);
            Some((tag.as_str(), entry.decode([first, second])))
        })
    }
}

/// Blocks of one table that hold the wanted entries.
pub(crate) fn blocks(device: &Device, table: Table, wanted: impl Fn(&RegisterEntry) -> bool) -> Vec<Block> {
    let mut entries: Vec<(usize, &RegisterEntry)> = device
        .registers
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.table == table && wanted(entry))
        .collect();
    entries.sort_by_key(|(_, entry)| *entry.address.get_ref());
    let longest = if table.is_bits() { 2000 } else { 125 };
    let mut blocks: Vec<Block> = Vec::new();
    for (index, entry) in entries {
        let (address, width) = (*entry.address.get_ref(), entry.encoding.width());
        let tag = entry.tag.get_ref().clone();
        match blocks.last_mut() {
            Some(block)
                if address - block.first + width <= longest
                    && address <= block.first + block.count + GAP_MAX =>
            {
                block.count = address - block.first + width;
                block.tags.push((tag, address - block.first, index));
            }
            _ => blocks.push(Block { table, first: address, count: width, tags: vec![(tag, 0, index)] }),
        }
    }
    blocks
}

/// Everything of a device that a screen shows in each cycle: inputs, what clients may set, and states.
pub(crate) fn screen_blocks(device: &Device) -> Vec<Block> {
    let mut all = blocks(device, Table::Input, |_| true);
    all.extend(blocks(device, Table::Holding, |entry| entry.access == Access::Write));
    all.extend(blocks(device, Table::Discrete, |_| true));
    all
}

/// Modes and commands, which a screen reads now and then.
pub(crate) fn mode_blocks(device: &Device) -> Vec<Block> {
    blocks(device, Table::Coil, |_| true)
}

/// Reads one block; bits become 0 and 1.
pub(crate) async fn read_block(
    session: &mut ModbusSession<Dialler, KernelClock>,
    block: &Block,
) -> Result<Vec<u16>, ClientError> {
    let address = RegisterAddress(block.first);
    let words_of = |bits: Vec<bool>| bits.into_iter().map(u16::from).collect();
    match block.table {
        Table::Input => session.read_input_registers(address, block.count).await,
        Table::Holding => session.read_holding_registers(address, block.count).await,
        Table::Discrete => session.read_discrete_inputs(address, block.count).await.map(words_of),
        Table::Coil => session.read_coils(address, block.count).await.map(words_of),
    }
}

/// When the n-th poll of a controller is due after the start of polling: a phase of its own, between scans, and a
/// few milliseconds of unrest as every poller on a busy operating system has.
#[derive(Clone, Debug)]
pub(crate) struct Rhythm {
    phase: Duration,
    period: Duration,
    unrest: KeyedStream,
}

impl Rhythm {
    pub(crate) fn new(seed: u64, host: &str, device: &str, period: Duration) -> Self {
        let mut draw = KeyedStream::new(seed, host, &format!("phase of polling {device}"));
        let slots = (period.as_millis() as u64 / 100).max(1);
        let phase = Duration::from_millis(100 * draw.below(0, slots))
            + Duration::from_micros(35_000 + draw.below(1, 20_000));
        let unrest = KeyedStream::new(seed, host, &format!("unrest of polling {device}"));
        Self { phase, period, unrest }
    }

    pub(crate) fn due(&mut self, n: u64) -> Duration {
        let unrest = Duration::from_micros(self.unrest.below(n, 6000));
        self.phase + self.period * n as u32 + unrest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_map_is_read_in_few_requests() {
        let site = site::Site::named("waterworks").unwrap();
        let device = site.device("PLC-1").unwrap();
        let blocks = screen_blocks(device);
        let shape: Vec<_> = blocks.iter().map(|b| (b.table, b.first, b.count)).collect();
        assert_eq!(shape, [(Table::Input, 0, 16), (Table::Holding, 40, 7), (Table::Discrete, 0, 3)]);
        let words: Vec<u16> = (0..7).map(|n| 100 + n).collect();
        let values: Vec<_> = blocks[1].decode(device, &words).collect();
        assert_eq!(values[0], ("NAOH.SP", 100.0));
        assert_eq!(values[1].0, "NAOH.MAN");
        assert_eq!(
            blocks[1].decode(device, &words[..1]).count(),
            1,
            "short answers decode as far as they go"
        );
    }

    #[test]
    fn polls_keep_their_phase_for_days_and_fall_between_scans() {
        let mut rhythm = Rhythm::new(3, "hmi", "PLC-1", Duration::from_secs(1));
        let first = rhythm.due(0);
        for n in [1, 1000, 172_800] {
            let drift = rhythm.due(n).abs_diff(first + Duration::from_secs(n));
            assert!(drift < Duration::from_millis(6));
            let place = rhythm.due(n).as_millis() % 100;
            assert!((30..=65).contains(&place), "{place}");
        }
    }
}
