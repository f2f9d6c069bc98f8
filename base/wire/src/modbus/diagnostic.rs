//! Diagnostics, function code 8, and its sub-functions (the specification, section 6.8).

use super::octets::Octets;
use super::{Bounded, FunctionCode, PduError};

/// Data of Return Query Data: pairs of octets that the server sends back.
pub type QueryData = Bounded<u8, 2, 250>;

/// A request to Diagnostics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Diagnostic {
    /// 0: send these octets back. An even number, 2 to 250.
    ReturnQueryData(QueryData),
    /// 1: restart the port and leave listen-only mode.
    RestartCommunications {
        /// Clear the event log too (data FF00).
        clear_log: bool,
    },
    /// 2: the diagnostic register.
    ReturnDiagnosticRegister,
    /// 3: end ASCII messages with this character from now on.
    ChangeAsciiDelimiter(u8),
    /// 4: stop answering. Never answered.
    ForceListenOnly,
    /// 10: clear counters and the diagnostic register.
    ClearCounters,
    /// 11 to 18: one of the counters.
    ReturnCounter(Counter),
    /// 20: clear the overrun counter and its flag.
    ClearOverrunCounter,
}

/// The counters of a serial-line device; a TCP device keeps them per message all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// 11: messages seen.
    BusMessages,
    /// 12: messages with a bad checksum.
    BusCommunicationErrors,
    /// 13: exceptions answered.
    BusExceptionErrors,
    /// 14: messages addressed to this server.
    ServerMessages,
    /// 15: messages without an answer.
    ServerNoResponses,
    /// 16: exceptions 7.
    ServerNaks,
    /// 17: exceptions 6.
    ServerBusy,
    /// 18: characters lost.
    BusCharacterOverruns,
}

impl Counter {
    const ALL: [Self; 8] = [
        Self::BusMessages,
        Self::BusCommunicationErrors,
        Self::BusExceptionErrors,
        Self::ServerMessages,
        Self::ServerNoResponses,
        Self::ServerNaks,
        Self::ServerBusy,
        Self::BusCharacterOverruns,
    ];

    fn sub_function(self) -> u16 {
        11 + self as u16
    }
}

/// A response of Diagnostics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DiagnosticAnswer {
    /// The request as it came: to 0, 1, 3, 10 and 20. (4 has no answer; a stray one reads as an echo.)
    Echo(Diagnostic),
    /// 2: the diagnostic register; its bits are the device's own.
    DiagnosticRegister(u16),
    /// 11 to 18: a counter's value.
    Counter(Counter, u16),
}

impl Diagnostic {
    /// The sub-function's number.
    pub fn sub_function(&self) -> u16 {
        match self {
            Self::ReturnQueryData(_) => 0,
            Self::RestartCommunications { .. } => 1,
            Self::ReturnDiagnosticRegister => 2,
            Self::ChangeAsciiDelimiter(_) => 3,
            Self::ForceListenOnly => 4,
            Self::ClearCounters => 10,
            Self::ReturnCounter(counter) => counter.sub_function(),
            Self::ClearOverrunCounter => 20,
        }
    }

    pub(super) fn parse(octets: &mut Octets<'_>) -> Result<Self, PduError> {
        let sub_function = octets.word()?;
        if sub_function == 0 {
            let data = octets.rest();
            return match QueryData::try_from(data) {
                Ok(data) if data.len() % 2 == 0 => Ok(Self::ReturnQueryData(data)),
                _ => Err(PduError::ByteCountLimit { got: data.len(), min: 2, max: 250 }),
            };
        }
        let known = match sub_function {
            1 => Self::RestartCommunications { clear_log: false },
            2 => Self::ReturnDiagnosticRegister,
            3 => Self::ChangeAsciiDelimiter(0),
            4 => Self::ForceListenOnly,
            10 => Self::ClearCounters,
            11..=18 => Self::ReturnCounter(Counter::ALL[usize::from(sub_function - 11)]),
            20 => Self::ClearOverrunCounter,
            _ => {
                return Err(PduError::UnknownSubFunction {
                    function: FunctionCode::DIAGNOSTICS,
                    sub_function,
                });
            }
        };
        let data = octets.word()?;
        let [high, low] = data.to_be_bytes();
        Ok(match (known, high, low) {
            (Self::RestartCommunications { .. }, 0xff, 0) => Self::RestartCommunications { clear_log: true },
            (Self::ChangeAsciiDelimiter(_), character, 0) => Self::ChangeAsciiDelimiter(character),
            (known, 0, 0) => known,
            _ => return Err(PduError::DiagnosticData { sub_function, got: data }),
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sub_function().to_be_bytes());
        let data: u16 = match self {
            Self::ReturnQueryData(data) => {
                out.extend_from_slice(data);
                return;
            }
            Self::RestartCommunications { clear_log: true } => 0xff00,
            Self::ChangeAsciiDelimiter(character) => u16::from(*character) << 8,
            _ => 0,
        };
        out.extend_from_slice(&data.to_be_bytes());
    }
}

impl DiagnosticAnswer {
    /// The sub-function's number.
    pub fn sub_function(&self) -> u16 {
        match self {
            Self::Echo(request) => request.sub_function(),
            Self::DiagnosticRegister(_) => 2,
            Self::Counter(counter, _) => counter.sub_function(),
        }
    }

    pub(super) fn parse(octets: &mut Octets<'_>) -> Result<Self, PduError> {
        let sub_function = octets.word()?;
        match sub_function {
            2 => octets.word().map(Self::DiagnosticRegister),
            11..=18 => Ok(Self::Counter(Counter::ALL[usize::from(sub_function - 11)], octets.word()?)),
            _ => {
                octets.back(2);
                Diagnostic::parse(octets).map(Self::Echo)
            }
        }
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::Echo(request) => request.emit(out),
            Self::DiagnosticRegister(value) | Self::Counter(_, value) => {
                out.extend_from_slice(&self.sub_function().to_be_bytes());
                out.extend_from_slice(&value.to_be_bytes());
            }
        }
    }
}
