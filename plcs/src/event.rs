//! What a controller reports of itself, for the journal of the run.

use std::collections::VecDeque;
use std::net::SocketAddr;

use record::VirtualTime;

use crate::{KeySwitch, Mode};

/// Events that are kept until somebody drains them; the oldest give way.
const EVENTS_MAX: usize = 4096;

/// Something that happened in a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerEvent {
    /// When.
    pub at: VirtualTime,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A watched state changed: an alarm (`PH.HIGH`), a trip (`PH.TRIPPED`, `P-301.TRIPPED`), a pump (`P-301.RUN`),
    /// a link (`TANK.COMM`, on = restored).
    State {
        /// The signal.
        tag: String,
        /// Its new state.
        on: bool,
    },
    /// The mode changed.
    Mode {
        /// Before.
        from: Mode,
        /// Now.
        to: Mode,
    },
    /// The key was turned.
    Key {
        /// Before.
        from: KeySwitch,
        /// Now.
        to: KeySwitch,
    },
    /// The logic started over with its retained signals.
    Restarted,
    /// A program was taken from the network.
    ProgramLoaded,
    /// Communications were restarted by function 8.
    CommunicationsRestarted,
    /// Function 8 made the device fall silent.
    ListenOnly,
    /// A connection was reset because the device had no room for it.
    ConnectionRefused {
        /// Who knocked.
        peer: SocketAddr,
    },
    /// A connection was closed because its framing was lost.
    FramingLost {
        /// Whose it was.
        peer: SocketAddr,
    },
    /// A connection was closed because an ADU did not end, or nothing was asked for too long.
    TimedOut {
        /// Whose it was.
        peer: SocketAddr,
        /// True where an ADU had begun.
        within_adu: bool,
    },
}

/// The events since the last drain, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Events(VecDeque<ControllerEvent>);

impl Events {
    pub(crate) fn push(&mut self, at: VirtualTime, kind: EventKind) {
        if self.0.len() == EVENTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(ControllerEvent { at, kind });
    }

    pub(crate) fn drain(&mut self) -> Vec<ControllerEvent> {
        self.0.drain(..).collect()
    }
}
