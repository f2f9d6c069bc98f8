//! Counters and event log of the Modbus port: what functions 8, 11 and 12 report.
//!
//! The specification (sections 6.8 to 6.10) defines them for serial lines; a TCP device keeps them for the port as a
//! whole, whichever connection a message came on. *Bus messages* are all ADUs that reached the device, those for other
//! units included. *Communication errors* are ADUs that never ended and lost framing, the nearest a TCP device has
//! to a bad checksum. Counters wrap after 65535.

use std::collections::VecDeque;

use wire::modbus::ExceptionCode;
use wire::modbus::diagnostic::Counter;

/// Events in the log, the most that one answer carries.
const LOG_MAX: usize = 64;

/// Bits of an event in the log (the specification, section 6.10).
const RECEIVED: u8 = 0x80;
const SENT: u8 = 0x40;
const WHILE_LISTENING: u8 = 0x20;
const ENTERED_LISTEN_ONLY: u8 = 0x04;
const RESTARTED: u8 = 0x00;
const SENT_READ_EXCEPTION: u8 = 0x01;
const SENT_ABORT_EXCEPTION: u8 = 0x02;
const SENT_BUSY_EXCEPTION: u8 = 0x04;

#[derive(Debug, Default)]
pub(crate) struct Communication {
    /// By [`Counter`].
    counters: [u16; 8],
    /// Requests carried out, without exceptions and without function 11 itself.
    events: u16,
    /// The latest first.
    log: VecDeque<u8>,
    /// Function 8 made the port listen only.
    listen_only: bool,
}

impl Communication {
    pub(crate) fn listen_only(&self) -> bool {
        self.listen_only
    }

    pub(crate) fn events(&self) -> u16 {
        self.events
    }

    pub(crate) fn counter(&self, counter: Counter) -> u16 {
        self.counters[counter as usize]
    }

    pub(crate) fn log(&self) -> Vec<u8> {
        self.log.iter().copied().collect()
    }

    /// An ADU for somebody else passed by.
    pub(crate) fn overheard(&mut self) {
        self.count(Counter::BusMessages);
    }

    /// An ADU never ended, or its header made no sense.
    pub(crate) fn lost(&mut self) {
        self.count(Counter::BusCommunicationErrors);
    }

    /// A request for this device is about to be carried out.
    pub(crate) fn received(&mut self) {
        self.count(Counter::BusMessages);
        self.count(Counter::ServerMessages);
        self.note(RECEIVED | if self.listen_only { WHILE_LISTENING } else { 0 });
    }

    /// It was carried out and is answered.
    pub(crate) fn completed(&mut self, counts_as_event: bool) {
        if counts_as_event {
            self.events = self.events.wrapping_add(1);
        }
        self.note(SENT);
    }

    /// It is refused.
    pub(crate) fn refused(&mut self, code: ExceptionCode) {
        self.count(Counter::BusExceptionErrors);
        let reason = match code.octet() {
            1..=3 => SENT_READ_EXCEPTION,
            4 => SENT_ABORT_EXCEPTION,
            5 | 6 => SENT_BUSY_EXCEPTION,
            _ => 0,
        };
        if code == ExceptionCode::ServerDeviceBusy {
            self.count(Counter::ServerBusy);
        }
        self.note(SENT | reason);
    }

    /// It gets no answer.
    pub(crate) fn unanswered(&mut self) {
        self.count(Counter::ServerNoResponses);
    }

    pub(crate) fn enter_listen_only(&mut self) {
        self.listen_only = true;
        self.note(ENTERED_LISTEN_ONLY);
    }

    /// Function 8, sub-function 1.
    pub(crate) fn restart(&mut self, clear_log: bool) {
        self.clear_counters();
        self.listen_only = false;
        if clear_log {
            self.log.clear();
        }
        self.note(RESTARTED);
    }

    /// Function 8, sub-function 10.
    pub(crate) fn clear_counters(&mut self) {
        self.counters = [0; 8];
        self.events = 0;
    }

    /// Function 8, sub-function 20.
    pub(crate) fn clear_overruns(&mut self) {
        self.counters[Counter::BusCharacterOverruns as usize] = 0;
    }

    fn count(&mut self, counter: Counter) {
        let value = &mut self.counters[counter as usize];
        *value = value.wrapping_add(1);
    }

    fn note(&mut self, event: u8) {
        self.log.truncate(LOG_MAX - 1);
        self.log.push_front(event);
    }
}
