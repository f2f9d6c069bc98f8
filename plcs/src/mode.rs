//! Modes of a controller, and its key switch.
//!
//! ```text
//!             key Run                    key Program                  key Stop
//! logic       as the mode says           as the mode says             stands
//! data        may be written             may be written               exception 4 to every write
//! start/stop  exception 4                done                         exception 4
//! download    exception 4 (1 where the   taken (1 where the logic     exception 4 (1 where the logic
//!             logic takes none)          takes none)                  takes none)
//! ```
//! The key is turned by hand at the cabinet, never over the network. There is no password: the vendors of this lab
//! have none on function 90, as with many controllers in service.

use wire::modbus::LogicState;

/// What a controller does with its logic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Solves it every scan.
    #[default]
    Run,
    /// Takes a new program; outputs are at 0 meanwhile.
    Program,
    /// Stands; outputs are at 0.
    Stop,
}

/// Where the key at the front of the controller stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeySwitch {
    /// The program is protected: no start, stop or download over the network.
    #[default]
    Run,
    /// Start, stop and download are taken from the network. Keys are forgotten in this position.
    Program,
    /// The logic stands, and nothing can be written over the network.
    Stop,
}

impl Mode {
    /// The vendor's word for it on the wire.
    pub const fn on_wire(self) -> LogicState {
        match self {
            Self::Run => LogicState::Running,
            Self::Program => LogicState::Program,
            Self::Stop => LogicState::Stopped,
        }
    }
}

impl KeySwitch {
    /// The vendor's word for it on the wire.
    pub const fn on_wire(self) -> LogicState {
        match self {
            Self::Run => LogicState::Running,
            Self::Program => LogicState::Program,
            Self::Stop => LogicState::Stopped,
        }
    }
}
