//! Exception codes: how a server says no.

use std::fmt;

/// Why a server refuses. Source: section 7 of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExceptionCode {
    /// 1: the function is not supported, or not in this state.
    IllegalFunction,
    /// 2: address, or address and quantity together, lie outside what the device has.
    IllegalDataAddress,
    /// 3: a value in the structure of the request is not allowed. Never means "setpoint too high".
    IllegalDataValue,
    /// 4: an unrecoverable error while acting on the request.
    ServerDeviceFailure,
    /// 5: accepted, will take long.
    Acknowledge,
    /// 6: busy with a long command; try again later.
    ServerDeviceBusy,
    /// 8: parity error in a file record's memory.
    MemoryParityError,
    /// 10: a gateway has no path to the unit.
    GatewayPathUnavailable,
    /// 11: the unit behind a gateway does not answer.
    GatewayTargetFailed,
    /// A code that the specification does not define.
    Other(u8),
}

impl ExceptionCode {
    /// The code of this octet; never fails.
    pub fn from_octet(octet: u8) -> Self {
        match octet {
            1 => Self::IllegalFunction,
            2 => Self::IllegalDataAddress,
            3 => Self::IllegalDataValue,
            4 => Self::ServerDeviceFailure,
            5 => Self::Acknowledge,
            6 => Self::ServerDeviceBusy,
            8 => Self::MemoryParityError,
            10 => Self::GatewayPathUnavailable,
            11 => Self::GatewayTargetFailed,
            other => Self::Other(other),
        }
    }

    /// The octet on the wire.
    pub fn octet(self) -> u8 {
        match self {
            Self::IllegalFunction => 1,
            Self::IllegalDataAddress => 2,
            Self::IllegalDataValue => 3,
            Self::ServerDeviceFailure => 4,
            Self::Acknowledge => 5,
            Self::ServerDeviceBusy => 6,
            Self::MemoryParityError => 8,
            Self::GatewayPathUnavailable => 10,
            Self::GatewayTargetFailed => 11,
            Self::Other(octet) => octet,
        }
    }

    /// Zeek's name for it, as in `modbus.log`; `None` for codes that Zeek does not name.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::IllegalFunction => "ILLEGAL_FUNCTION",
            Self::IllegalDataAddress => "ILLEGAL_DATA_ADDRESS",
            Self::IllegalDataValue => "ILLEGAL_DATA_VALUE",
            Self::ServerDeviceFailure => "SLAVE_DEVICE_FAILURE",
            Self::Acknowledge => "ACKNOWLEDGE",
            Self::ServerDeviceBusy => "SLAVE_DEVICE_BUSY",
            Self::MemoryParityError => "MEMORY_PARITY_ERROR",
            Self::GatewayPathUnavailable => "GATEWAY_PATH_UNAVAILABLE",
            Self::GatewayTargetFailed => "GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND",
            Self::Other(_) => return None,
        })
    }
}

impl fmt::Display for ExceptionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::IllegalFunction => "illegal function",
            Self::IllegalDataAddress => "illegal data address",
            Self::IllegalDataValue => "illegal data value",
            Self::ServerDeviceFailure => "server device failure",
            Self::Acknowledge => "acknowledge",
            Self::ServerDeviceBusy => "server device busy",
            Self::MemoryParityError => "memory parity error",
            Self::GatewayPathUnavailable => "gateway path unavailable",
            Self::GatewayTargetFailed => "gateway target failed to respond",
            Self::Other(octet) => return write!(f, "exception {octet}"),
        };
        write!(f, "exception {} ({words})", self.octet())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_survives() {
        for octet in 0..=255 {
            assert_eq!(ExceptionCode::from_octet(octet).octet(), octet);
        }
    }
}
