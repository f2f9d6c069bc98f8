//! Modbus as ICSNPP and Zeek's policy scripts log it: exchanges with values, who speaks, what changed.
//!
//! # Theory of operation
//! A request waits in its connection with its octets until its answer comes, until newer requests push it out, or until
//! the connection ends; then the exchange is one row of `modbus_detailed.log`, at the time of the request. Functions that
//! ICSNPP does not pair (7, 11, 12, 17 and the unknown) are a row per PDU. Functions 22, 23 and 43/14 have logs of their
//! own, a row per PDU, tied to the exchange by a link id, which derives from the connection's uid.
//!
//! # Where these logs differ from ICSNPP's and Zeek's, on purpose
//! - An answer belongs to a request of its transaction, unit *and* function; theirs to one of its transaction.
//! - An answer that nobody asked for is written at once, unmatched. Theirs waits, and takes the next request with that
//!   transaction for its own.
//! - A request whose transaction is used again before it was answered is written, unmatched; theirs is forgotten.
//! - Registers are those of a device *and* unit, are compared with the answer's own request, and count from 0.
//!
//! # What can go wrong
//! Hosts and registers without end: at most [`policy::HOSTS_MAX`] and [`policy::PAGES_MAX`] are remembered, later ones are not logged.

mod exchange;
mod linked;
mod policy;

use record::event::hex_digest;
use wire::modbus::{FunctionCode, Packet};

use crate::flow::ConnId;
use crate::log::{Log, LogWriter};
use crate::modbus::Waiting;
use crate::row::{Field, prefix};
use crate::sink::LogSink;

/// One PDU on its way into the logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pdu<'p> {
    pub(crate) at: u64,
    /// Client and server.
    pub(crate) id: &'p ConnId,
    pub(crate) transaction: u16,
    pub(crate) unit: u8,
    /// Zeek's name of the function, with `_EXCEPTION` where it is one.
    pub(crate) name: &'p str,
    pub(crate) exception: Option<&'p str>,
    pub(crate) packet: &'p Packet<'p>,
}

/// What these logs remember.
#[derive(Debug, Default)]
pub(crate) struct ModbusLogs {
    policy: policy::Memory,
    /// Values of the row at hand.
    words: Vec<u16>,
}

/// Whether ICSNPP pairs requests of a function with their answers.
pub(crate) fn is_paired(function: FunctionCode) -> bool {
    matches!(function.0, 1..=6 | 8 | 15 | 16 | 20..=24 | 43)
}

/// Whether a function has a log of its own.
fn has_link(function: FunctionCode) -> bool {
    matches!(function.0, 22 | 23 | 43)
}

impl ModbusLogs {
    /// A request.
    pub(crate) fn request<S: LogSink>(&mut self, log: &mut LogWriter<S>, pdu: &Pdu<'_>, link: u32) {
        self.policy.host(log, pdu);
        let Some(function) = pdu.packet.function() else { return };
        if !is_paired(function) {
            exchange::lone(log, pdu);
        } else if has_link(function) {
            linked::row(&mut self.words, log, pdu, Some(link));
        }
    }

    /// An answer, with the request it belongs to, if that was seen.
    pub(crate) fn response<S: LogSink>(
        &mut self,
        log: &mut LogWriter<S>,
        pdu: &Pdu<'_>,
        request: Option<&Waiting>,
    ) {
        self.policy.host(log, pdu);
        let Some(function) = pdu.packet.function() else { return };
        if function == FunctionCode::READ_HOLDING_REGISTERS
            && let Some((first, _)) = request.and_then(|request| request.read)
        {
            self.policy.registers(log, pdu, first);
        }
        if !pdu.packet.is_exception() && has_link(function) {
            linked::row(&mut self.words, log, pdu, request.map(|request| request.link));
        }
        if !log.wants(Log::ModbusDetailed) {
            return;
        }
        match request.filter(|_| is_paired(function)) {
            Some(request) => exchange::row(&mut self.words, log, pdu.id, request, Some(pdu)),
            None if pdu.packet.is_exception() || !is_paired(function) => exchange::lone(log, pdu),
            None => exchange::unasked(&mut self.words, log, pdu),
        }
    }

    /// A request that will not be answered any more.
    pub(crate) fn unanswered<S: LogSink>(&mut self, log: &mut LogWriter<S>, id: &ConnId, request: &Waiting) {
        if is_paired(request.function) && log.wants(Log::ModbusDetailed) {
            exchange::row(&mut self.words, log, id, request, None);
        }
    }
}

/// A row of `modbus.log`.
pub(crate) fn pdu<S: LogSink>(log: &mut LogWriter<S>, pdu: &Pdu<'_>) {
    let [ts, uid, orig_h, orig_p, resp_h, resp_p] = prefix(pdu.at, pdu.id);
    let fields = [
        ts,
        uid,
        orig_h,
        orig_p,
        resp_h,
        resp_p,
        Field::Count(pdu.transaction.into()),
        Field::Count(pdu.unit.into()),
        Field::Text(pdu.name),
        Field::Text(if pdu.packet.is_response() { "RESP" } else { "REQ" }),
        pdu.exception.into(),
    ];
    log.row(Log::Modbus, &fields);
}

fn count<'a>(number: Option<u16>) -> Field<'a> {
    number.map_or(Field::Unset, |number| Field::Count(number.into()))
}

/// Sixteen letters that tie the rows of an exchange together: of the how-many-th request of its connection, or of an
/// answer that nobody asked for.
fn link_id(id: &ConnId, number: u32, is_unasked: bool) -> String {
    let key = format!("{} modbus {number} {is_unasked}", id.uid.as_str());
    hex_digest(key.as_bytes()).chars().take(16).collect()
}
