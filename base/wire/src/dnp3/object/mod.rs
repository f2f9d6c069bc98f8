//! Object headers, the points behind them, and their values (IEEE 1815-2012, clauses 4.2.2.7, 11 and annex A).
//!
//! ```text
//! +-------+-----------+-----------+-----------------+--------+--------+--------+--------+---
//! | group | variation | qualifier | range, 0 to 8   | prefix | object | prefix | object | ...
//! +-------+-----------+-----------+-----------------+--------+--------+--------+--------+---
//! |<---------------- object header --------------->|<--------------- data ------------------>
//! ```
//! Group and variation say what an object looks like ([`table`]), the qualifier how many there are and whether each
//! has its index or its size before it ([`header`]). Whether there are any objects at all depends on the function: a
//! read names points and brings none ([`Blocks`]).

pub mod block;
pub mod file;
pub mod header;
pub mod readings;
pub mod table;
pub mod value;

pub use block::{Block, Blocks, Points, Trouble, TroubleCause};
pub use file::FileObject;
pub use header::{Prefix, Qualifier, Range};
pub use readings::Readings;
pub use table::{Body, Lead, Shape, Tail, shape};
pub use value::{
    Attribute, CommandStatus, Crob, DoubleBit, EventTime, Flags, OperationType, Point, TripClose, Unfit,
    Value,
};
