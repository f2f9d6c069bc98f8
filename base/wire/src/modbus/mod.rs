//! Modbus/TCP: framing, the strict values and the lenient view.
//!
//! Sources: *MODBUS Application Protocol Specification* V1.1b3 (2012), below "the specification", and *MODBUS
//! Messaging on TCP/IP Implementation Guide* V1.0b (2006), below "the guide".
//!
//! ```text
//!  0          2          4          6      7          8
//! +----------+----------+----------+------+----------+------------------+
//! | transac- | protocol | length   | unit | function | data             |
//! | tion id  | id = 0   | of rest  | id   | code     | 0 to 252 octets  |
//! +----------+----------+----------+------+----------+------------------+
//! |<------------ MBAP header ------------>|<----- PDU, 1 to 253 ------->|
//! ```
//! All numbers are big-endian, except the checksum of serial lines, which TCP does not carry.
//!
//! # Stated policies
//! Where the documents leave a choice, this is the one made here, for every controller of the lab:
//! - *Protocol id other than 0*: silence. The ADU is skipped by its length field and framing goes on.
//! - *Length field of 0, 1 or above 254*: framing is lost, because no next header can be found. Nothing is answered;
//!   the connection should be closed.
//! - *A PDU shorter or longer than its function says*: exception 3. The specification (section 7) gives "a fault in
//!   the structure of the remainder of a complex request, such as that the implied length is incorrect" as the
//!   meaning of ILLEGAL DATA VALUE.
//! - *Function codes 0 and 128 to 255 in a request*: exception 1, in an answer whose function code has its high bit set.
//! - *Unknown sub-function of Diagnostics, and another encapsulated interface than 14*: exception 1 (figure 18, and
//!   section 6.19). *An unknown read-device-id code*: exception 3.
//! - *Reference type other than 6 in a file record*: exception 2 (figures 24 and 25).
//!
//! # Terms
//! *ADU*: header and PDU. *PDU*: function code and data. *Table*: one of coils, discrete inputs, holding registers,
//! input registers. Addresses count from 0, as on the wire.

pub mod bounded;
pub mod device_id;
pub mod diagnostic;
pub mod error;
pub mod exception;
pub mod file_record;
pub mod function;
pub mod logic;
pub mod mbap;
pub mod number;
mod octets;
pub mod packet;
pub mod request;
pub mod response;

pub use bounded::{Bits, Bounded, CountError};
pub use device_id::{DeviceIdPage, DeviceIdentity, ObjectId, ReadDeviceIdCode};
pub use diagnostic::{Diagnostic, DiagnosticAnswer};
pub use error::PduError;
pub use exception::ExceptionCode;
pub use file_record::{FileRange, FileRecord};
pub use function::{Direction, FunctionCode, Table};
pub use logic::{LogicAnswer, LogicRequest, LogicState};
pub use mbap::{Adu, Framing, FramingLost, next_adu};
pub use number::{Quantity, RegisterAddress, TransactionId, UnitId};
pub use packet::Packet;
pub use request::Request;
pub use response::Response;

/// A PDU that can be written out. Implemented by [`Request`] and [`Response`].
pub trait Emit {
    /// Appends the PDU, function code first, at most [`mbap::PDU_MAX`] octets.
    fn emit(&self, out: &mut Vec<u8>);

    /// The PDU by itself.
    fn to_pdu(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        self.emit(&mut out);
        out
    }

    /// Appends header and PDU: what goes into the TCP stream.
    fn emit_adu(&self, transaction: TransactionId, unit: UnitId, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&transaction.0.to_be_bytes());
        out.extend_from_slice(&[0, 0, 0, 0, unit.0]);
        self.emit(out);
        let length = (out.len() - start - mbap::PREFIX_LEN) as u16;
        out[start + 4..start + 6].copy_from_slice(&length.to_be_bytes());
    }

    /// Header and PDU: what goes into the TCP stream.
    fn to_adu(&self, transaction: TransactionId, unit: UnitId) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        self.emit_adu(transaction, unit, &mut out);
        out
    }
}
