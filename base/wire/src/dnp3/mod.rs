//! DNP3: link layer, transport function, application layer and objects.
//!
//! Two views, as with Modbus. The lenient one ([`link::next_frame`], [`Fragment`], [`object`]) shows whatever was sent: the
//! sensor reads it. The strict one ([`Framer`], [`Request`], [`Response`]) holds only what makes sense and knows what is
//! answered otherwise: devices and masters act on it.
//!
//! Source: IEEE Std 1815-2012, below "the standard"; clause numbers are its own. All numbers are little-endian.
//!
//! ```text
//! stream or datagram -> link frames -> user data -> segments -> fragments -> object headers -> points
//!                       link           (blocks)     transport   application  object
//! ```
//! # Stated policies
//! - *Noise between frames* and headers with a wrong CRC are passed over up to the next start octets, and said
//!   ([`link::Noise`]). A block with a wrong CRC costs its frame, no more.
//! - *Segments*: see [`transport`].
//! - *Objects*: what can be read is read; the first thing that is wrong is said with its place ([`Trouble`]).
//! - *Bits with an index prefix* have an octet each. The standard has no such objects.
//!
//! # Terms
//! *Frame*: link layer. *Segment*: what one frame carries of a fragment. *Fragment*: one application header and its
//! objects. *Block*: one object header and its objects (on the link layer also 16 octets and their CRC). *Point*: one
//! input, output, counter. *Group* and *variation* say what an object is, as in g30v2.

pub mod application;
pub mod build;
pub mod crc;
pub mod framer;
pub mod function;
pub mod link;
pub mod object;
pub mod point;
pub mod request;
pub mod response;
pub mod transport;

pub use application::{AppControl, Fragment, Iin};
pub use build::FragmentBuilder;
pub use framer::{Framer, FramerCounts};
pub use function::FunctionCode;
pub use link::{LinkAddress, LinkControl, LinkFrame, LinkFunction, LinkHeader};
pub use object::{Block, Blocks, Point, Trouble, TroubleCause, Value};
pub use point::{ClassSet, EventClass, Measurement, PointKind};
pub use request::{Request, RequestError};
pub use response::{Response, ResponseError, ResponseWriter};
pub use transport::{Reassembled, Reassembly, SegmentLost, TransportHeader};
