//! What came into a run from outside, so that the run can be replayed (`outside.jsonl`).

use serde::{Deserialize, Serialize};

use crate::VirtualTime;

/// One thing from outside, as the kernel accepted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// A real client connected to a port forward.
    Open {
        /// Number of the connection, counted from 0 over the whole run.
        connection: u64,
        /// Virtual address it was forwarded to, `192.168.1.101:502`.
        to: String,
    },
    /// Octets from that client.
    Data {
        /// Number of the connection.
        connection: u64,
        /// The octets in hexadecimal.
        octets: String,
    },
    /// That client closed its connection.
    Close {
        /// Number of the connection.
        connection: u64,
    },
    /// A frame from a real network that is attached to a zone.
    Frame {
        /// Zone whose switch it enters.
        zone: String,
        /// From the destination address on, without check sequence, in hexadecimal.
        octets: String,
    },
    /// A person acted through the lab itself: a button of the console, an option of the command line.
    Action {
        /// What was asked, for example `write NAOH.SP 100`.
        command: String,
    },
}

/// One line of `outside.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideInput {
    /// Number of kernel events delivered before it: the place at which a replay puts it back.
    pub after_events: u64,
    /// Virtual time at which it took effect.
    pub t: VirtualTime,
    /// Who: a forward (`127.0.0.1:5020`), an interface (`eth0`), `console`, `command line`.
    pub source: String,
    /// What.
    pub input: Outside,
}
