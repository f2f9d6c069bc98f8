//! What a run came to, in numbers.

use crate::arrival::Input;
use crate::log::Log;

/// What a sensor saw, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Frames taken.
    pub frames: u64,
    /// Rows of `conn.log`.
    pub connections: u64,
    /// Rows of `modbus.log`.
    pub modbus_pdus: u64,
    /// DNP3 fragments.
    pub dnp3_fragments: u64,
    /// Hosts seen.
    pub hosts: usize,
    /// Frames that could not be read to their end.
    pub odd_frames: u64,
    /// Packets with a wrong checksum, not merely an unfinished one.
    pub bad_checksums: u64,
    /// Connections ended early to make room.
    pub evicted: u64,
    /// Oddities, rows of `weird.log` and those above its limit together.
    pub weirds: u64,
    /// Findings by level, the lowest first: informational, low, medium, high, critical.
    pub findings: [u64; 5],
    /// Incidents by level, the lowest first; none is below medium.
    pub incidents: [u64; 5],
    /// Findings not repeated because they had been said not long before.
    pub findings_swallowed: u64,
    /// What the input was like.
    pub input: Input,
    /// Rows by log, notices apart.
    #[serde(serialize_with = "by_name")]
    pub records: [u64; Log::ALL.len()],
}

impl Summary {
    /// Logs that have rows, with their numbers.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        named(self.records)
    }
}

fn by_name<S: serde::Serializer>(records: &[u64; Log::ALL.len()], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(named(*records))
}

fn named(records: [u64; Log::ALL.len()]) -> impl Iterator<Item = (&'static str, u64)> {
    Log::ALL.into_iter().map(move |log| (log.path(), records[log as usize])).filter(|(_, count)| *count > 0)
}
