//! The vendor's own function code 90: start, stop, upload and download of control logic.
//!
//! Real vendors put engineering functions behind one private function code; so do the fictional vendors of the lab.
//! The layout is this project's own (no real vendor's): a sub-code, then its fields, all big-endian.
//!
//! ```text
//! sub  request after the sub-code              response after the sub-code
//! 0    status   -                              mode 1, key 1, program length 4, program checksum 4
//! 1    start    -                              -
//! 2    stop     -                              -
//! 3    upload   offset 4                       program length 4, offset 4, 0 to 240 octets
//! 4    download program length 4, offset 4,    offset of the next octet 4
//!               1 to 240 octets
//! ```

use super::octets::Octets;
use super::{Bounded, FunctionCode, PduError};

/// A piece of a program.
pub type LogicChunk = Bounded<u8, 0, 240>;

/// A request behind the vendor's function code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogicRequest {
    /// 0: mode, key switch and identity of the program.
    Status,
    /// 1: run the program.
    Start,
    /// 2: stop the program.
    Stop,
    /// 3: read the program from this octet on.
    Upload {
        /// First octet wanted.
        offset: u32,
    },
    /// 4: write a piece of a new program.
    Download {
        /// Octets of the whole new program.
        total: u32,
        /// Where the piece begins.
        offset: u32,
        /// The piece; at least one octet in a request that parses.
        octets: LogicChunk,
    },
}

/// What the controller does with its logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogicState {
    /// 0: stopped.
    Stopped,
    /// 1: running.
    Running,
    /// 2: taking a new program.
    Program,
}

impl LogicState {
    fn from_octet(octet: u8) -> Result<Self, PduError> {
        [Self::Stopped, Self::Running, Self::Program]
            .get(usize::from(octet))
            .copied()
            .ok_or(PduError::LogicField { field: "mode", got: u32::from(octet) })
    }
}

/// A response behind the vendor's function code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogicAnswer {
    /// 0.
    Status {
        /// What the controller does.
        state: LogicState,
        /// Where its key switch stands.
        key: LogicState,
        /// Octets of the program.
        length: u32,
        /// The device's own checksum of the program.
        checksum: u32,
    },
    /// 1: it runs.
    Start,
    /// 2: it stopped.
    Stop,
    /// 3: a piece of the program.
    Upload {
        /// Octets of the whole program.
        total: u32,
        /// Where the piece begins.
        offset: u32,
        /// The piece; empty at the end.
        octets: LogicChunk,
    },
    /// 4: the piece was taken.
    Download {
        /// Where the next piece should begin.
        next: u32,
    },
}

impl LogicRequest {
    /// The sub-code.
    pub fn sub_code(&self) -> u8 {
        match self {
            Self::Status => 0,
            Self::Start => 1,
            Self::Stop => 2,
            Self::Upload { .. } => 3,
            Self::Download { .. } => 4,
        }
    }

    pub(super) fn parse(octets: &mut Octets<'_>) -> Result<Self, PduError> {
        Ok(match octets.octet()? {
            0 => Self::Status,
            1 => Self::Start,
            2 => Self::Stop,
            3 => Self::Upload { offset: octets.long()? },
            4 => {
                let (total, offset) = (octets.long()?, octets.long()?);
                let piece = octets.rest();
                if piece.is_empty() {
                    return Err(PduError::ByteCountLimit { got: 0, min: 1, max: 240 });
                }
                Self::Download { total, offset, octets: chunk(piece)? }
            }
            sub => return Err(unknown(sub)),
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.sub_code());
        match self {
            Self::Status | Self::Start | Self::Stop => {}
            Self::Upload { offset } => out.extend_from_slice(&offset.to_be_bytes()),
            Self::Download { total, offset, octets } => put_chunk(out, *total, *offset, octets),
        }
    }
}

impl LogicAnswer {
    pub(super) fn parse(octets: &mut Octets<'_>) -> Result<Self, PduError> {
        Ok(match octets.octet()? {
            0 => Self::Status {
                state: LogicState::from_octet(octets.octet()?)?,
                key: LogicState::from_octet(octets.octet()?)?,
                length: octets.long()?,
                checksum: octets.long()?,
            },
            1 => Self::Start,
            2 => Self::Stop,
            3 => {
                Self::Upload { total: octets.long()?, offset: octets.long()?, octets: chunk(octets.rest())? }
            }
            4 => Self::Download { next: octets.long()? },
            sub => return Err(unknown(sub)),
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::Status { state, key, length, checksum } => {
                out.extend_from_slice(&[0, *state as u8, *key as u8]);
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&checksum.to_be_bytes());
            }
            Self::Start => out.push(1),
            Self::Stop => out.push(2),
            Self::Upload { total, offset, octets } => {
                out.push(3);
                put_chunk(out, *total, *offset, octets);
            }
            Self::Download { next } => {
                out.push(4);
                out.extend_from_slice(&next.to_be_bytes());
            }
        }
    }
}

fn chunk(octets: &[u8]) -> Result<LogicChunk, PduError> {
    LogicChunk::try_from(octets).map_err(|error| PduError::ByteCountLimit {
        got: error.got,
        min: error.min,
        max: error.max,
    })
}

fn put_chunk(out: &mut Vec<u8>, total: u32, offset: u32, octets: &LogicChunk) {
    out.extend_from_slice(&total.to_be_bytes());
    out.extend_from_slice(&offset.to_be_bytes());
    out.extend_from_slice(octets);
}

fn unknown(sub: u8) -> PduError {
    PduError::UnknownSubFunction { function: FunctionCode::LOGIC, sub_function: u16::from(sub) }
}
