//! The alarm queue behind function 24: the latest changes of the device's own bits.
//!
//! Each entry is one word: the address of the discrete input that changed, with the highest bit set where it came on.
//! The queue holds 31 entries, as many as one answer carries, oldest first; the oldest give way. Reading does not
//! empty it (the specification, section 6.18); a start of the logic does.

use std::collections::VecDeque;

/// Where function 24 finds the queue.
pub const ALARM_FIFO_ADDRESS: u16 = 0x0400;

const ENTRIES_MAX: usize = 31;
const CAME_ON: u16 = 0x8000;

#[derive(Debug, Default)]
pub(crate) struct AlarmFifo {
    entries: VecDeque<u16>,
    overflowed: bool,
}

impl AlarmFifo {
    pub(crate) fn push(&mut self, discrete: u16, on: bool) {
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
            self.overflowed = true;
        }
        self.entries.push_back(discrete & !CAME_ON | if on { CAME_ON } else { 0 });
    }

    pub(crate) fn entries(&self) -> Vec<u16> {
        self.entries.iter().copied().collect()
    }

    /// Whether an entry gave way since the last clear.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
