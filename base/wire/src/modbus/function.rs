//! Function codes: what a request asks for.

use std::fmt;

/// Which way a PDU travels. The octets alone do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Client to server.
    Request,
    /// Server to client.
    Response,
}

/// One of the four tables of a device (the specification, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Bits that clients may write.
    Coils,
    /// Bits that only the device writes.
    DiscreteInputs,
    /// Words that clients may write.
    HoldingRegisters,
    /// Words that only the device writes.
    InputRegisters,
}

/// A function code, 0 to 127 in practice; the high bit, which marks exceptions, is kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionCode(pub u8);

/// The bit that marks an exception in the function code of a response.
pub const EXCEPTION_BIT: u8 = 0x80;

impl FunctionCode {
    /// Read Coils.
    pub const READ_COILS: Self = Self(1);
    /// Read Discrete Inputs.
    pub const READ_DISCRETE_INPUTS: Self = Self(2);
    /// Read Holding Registers.
    pub const READ_HOLDING_REGISTERS: Self = Self(3);
    /// Read Input Registers.
    pub const READ_INPUT_REGISTERS: Self = Self(4);
    /// Write Single Coil.
    pub const WRITE_SINGLE_COIL: Self = Self(5);
    /// Write Single Register.
    pub const WRITE_SINGLE_REGISTER: Self = Self(6);
    /// Read Exception Status.
    pub const READ_EXCEPTION_STATUS: Self = Self(7);
    /// Diagnostics, with sub-functions.
    pub const DIAGNOSTICS: Self = Self(8);
    /// Get Comm Event Counter.
    pub const GET_COMM_EVENT_COUNTER: Self = Self(11);
    /// Get Comm Event Log.
    pub const GET_COMM_EVENT_LOG: Self = Self(12);
    /// Write Multiple Coils.
    pub const WRITE_MULTIPLE_COILS: Self = Self(15);
    /// Write Multiple Registers.
    pub const WRITE_MULTIPLE_REGISTERS: Self = Self(16);
    /// Report Server ID.
    pub const REPORT_SERVER_ID: Self = Self(17);
    /// Read File Record.
    pub const READ_FILE_RECORD: Self = Self(20);
    /// Write File Record.
    pub const WRITE_FILE_RECORD: Self = Self(21);
    /// Mask Write Register.
    pub const MASK_WRITE_REGISTER: Self = Self(22);
    /// Read/Write Multiple Registers.
    pub const READ_WRITE_MULTIPLE_REGISTERS: Self = Self(23);
    /// Read FIFO Queue.
    pub const READ_FIFO_QUEUE: Self = Self(24);
    /// Encapsulated Interface Transport: device identification with interface 14.
    pub const ENCAPSULATED_INTERFACE: Self = Self(43);
    /// The vendor's code for start, stop, upload and download of logic.
    pub const LOGIC: Self = Self(90);

    /// Every function code that [`super::Request`] knows, in order.
    pub const KNOWN: [Self; 20] = [
        Self(1),
        Self(2),
        Self(3),
        Self(4),
        Self(5),
        Self(6),
        Self(7),
        Self(8),
        Self(11),
        Self(12),
        Self(15),
        Self(16),
        Self(17),
        Self(20),
        Self(21),
        Self(22),
        Self(23),
        Self(24),
        Self(43),
        Self(90),
    ];

    /// Does [`super::Request`] know it?
    pub fn is_known(self) -> bool {
        Self::KNOWN.contains(&self)
    }

    /// Does a request with it change coils, registers or files? True for 23, which reads too.
    pub fn writes(self) -> bool {
        matches!(self.0, 5 | 6 | 15 | 16 | 21 | 22 | 23)
    }

    /// Does a request with it read coils, inputs, registers, a queue or files? True for 23, which writes too.
    pub fn reads(self) -> bool {
        matches!(self.0, 1..=4 | 20 | 23 | 24)
    }

    /// The table that its addresses are in; `None` where the function has no addresses.
    pub fn table(self) -> Option<Table> {
        Some(match self.0 {
            1 | 5 | 15 => Table::Coils,
            2 => Table::DiscreteInputs,
            3 | 6 | 16 | 22 | 23 | 24 => Table::HoldingRegisters,
            4 => Table::InputRegisters,
            _ => return None,
        })
    }

    /// Zeek's name for it, as in `modbus.log` (base/protocols/modbus/consts.zeek); `None` where Zeek says `unknown-N`.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "READ_COILS",
            2 => "READ_DISCRETE_INPUTS",
            3 => "READ_HOLDING_REGISTERS",
            4 => "READ_INPUT_REGISTERS",
            5 => "WRITE_SINGLE_COIL",
            6 => "WRITE_SINGLE_REGISTER",
            7 => "READ_EXCEPTION_STATUS",
            8 => "DIAGNOSTICS",
            9 => "PROGRAM_484",
            10 => "POLL_484",
            11 => "GET_COMM_EVENT_COUNTER",
            12 => "GET_COMM_EVENT_LOG",
            13 => "PROGRAM_584_984",
            14 => "POLL_584_984",
            15 => "WRITE_MULTIPLE_COILS",
            16 => "WRITE_MULTIPLE_REGISTERS",
            17 => "REPORT_SLAVE_ID",
            18 => "PROGRAM_884_U84",
            19 => "RESET_COMM_LINK_884_U84",
            20 => "READ_FILE_RECORD",
            21 => "WRITE_FILE_RECORD",
            22 => "MASK_WRITE_REGISTER",
            23 => "READ_WRITE_MULTIPLE_REGISTERS",
            24 => "READ_FIFO_QUEUE",
            40 => "PROGRAM_CONCEPT",
            41 => "MULTIPLE_FUNCTION_CODES",
            43 => "ENCAP_INTERFACE_TRANSPORT",
            90 => "PROGRAM_UNITY",
            91 => "OBJECT_MESSAGING",
            125 => "FIRMWARE_REPLACEMENT",
            126 => "PROGRAM_584_984_2",
            127 => "REPORT_LOCAL_ADDRESS",
            _ => return None,
        })
    }
}

impl fmt::Display for FunctionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
