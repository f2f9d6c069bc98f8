//! Why a PDU makes no sense, and which exception that earns.

use super::{ExceptionCode, FunctionCode};

/// Why a PDU is not a request or response we accept. For a request, [`PduError::exception`] is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PduError {
    /// No octet at all; framing never lets this through.
    #[error("PDU is empty")]
    Empty,
    /// Fewer octets than the function says.
    #[error("PDU needs {need} octets, got {got}")]
    Truncated {
        /// Octets that the fields read so far ask for.
        need: usize,
        /// Octets in the PDU.
        got: usize,
    },
    /// More octets than the function says.
    #[error("PDU should end after {expected} octets, got {got}")]
    Trailing {
        /// Octets that the fields ask for.
        expected: usize,
        /// Octets in the PDU.
        got: usize,
    },
    /// Not a function code of this house.
    #[error("function code {function} is unknown")]
    UnknownFunction {
        /// What was sent.
        function: FunctionCode,
    },
    /// Not a sub-function of Diagnostics (8) or of the vendor's code (90).
    #[error("function code {function} has no sub-function {sub_function}")]
    UnknownSubFunction {
        /// The function.
        function: FunctionCode,
        /// What was sent.
        sub_function: u16,
    },
    /// An encapsulated interface (43) other than 14, such as 13 for CANopen.
    #[error("encapsulated interface {interface} is unknown")]
    UnknownInterface {
        /// What was sent.
        interface: u8,
    },
    /// A read-device-id code other than 1 to 4.
    #[error("read device id code must be 1 to 4, got {got}")]
    ReadDeviceIdCode {
        /// What was sent.
        got: u8,
    },
    /// A quantity of addresses outside the function's limits.
    #[error("quantity must be 1 to {max}, got {got}")]
    Quantity {
        /// What was sent.
        got: u16,
        /// The function's limit.
        max: u16,
    },
    /// A byte count that does not match the quantity or the function's limits.
    #[error("byte count must be {expected}, got {got}")]
    ByteCount {
        /// What was sent.
        got: usize,
        /// What the other fields ask for.
        expected: usize,
    },
    /// A byte count outside the function's limits.
    #[error("byte count must be {min} to {max}, got {got}")]
    ByteCountLimit {
        /// What was sent.
        got: usize,
        /// The least the function allows.
        min: usize,
        /// The most the function allows.
        max: usize,
    },
    /// A coil value other than 0000 and FF00.
    #[error("coil value must be 0x0000 or 0xff00, got {got:#06x}")]
    CoilValue {
        /// What was sent.
        got: u16,
    },
    /// A data field of Diagnostics that its sub-function does not allow.
    #[error("diagnostic sub-function {sub_function} does not allow data {got:#06x}")]
    DiagnosticData {
        /// The sub-function.
        sub_function: u16,
        /// What was sent.
        got: u16,
    },
    /// A file record with a reference type other than 6.
    #[error("reference type must be 6, got {got}")]
    ReferenceType {
        /// What was sent.
        got: u8,
    },
    /// A FIFO count above 31 in a response.
    #[error("FIFO count must be at most 31, got {got}")]
    FifoCount {
        /// What was sent.
        got: u16,
    },
    /// A field of the vendor's logic messages holds what it cannot.
    #[error("logic message field {field} cannot be {got}")]
    LogicField {
        /// Name of the field.
        field: &'static str,
        /// What was sent.
        got: u32,
    },
}

impl PduError {
    /// The exception that answers a request with this error. Source: the state diagrams of section 6 of the specification.
    pub fn exception(self) -> ExceptionCode {
        match self {
            Self::UnknownFunction { .. }
            | Self::UnknownSubFunction { .. }
            | Self::UnknownInterface { .. } => ExceptionCode::IllegalFunction,
            Self::ReferenceType { .. } => ExceptionCode::IllegalDataAddress,
            Self::Empty
            | Self::Truncated { .. }
            | Self::Trailing { .. }
            | Self::ReadDeviceIdCode { .. }
            | Self::Quantity { .. }
            | Self::ByteCount { .. }
            | Self::ByteCountLimit { .. }
            | Self::CoilValue { .. }
            | Self::DiagnosticData { .. }
            | Self::FifoCount { .. }
            | Self::LogicField { .. } => ExceptionCode::IllegalDataValue,
        }
    }
}
