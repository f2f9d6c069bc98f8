//! The virtual plant network and its discrete-event kernel.
//!
//! One [`Kernel`] is one lab's network and time, on one thread: hosts with a TCP stack each (smoltcp's), FIFO
//! links, learning switches with mirror ports, and a firewall between zones. Tasks are plain `async` blocks that
//! use only the [`KernelClock`], [`Host`]s and streams. The same seed gives the same frames at the same
//! nanoseconds, whether time is virtual alone ([`Kernel::run_until`]), paced by the wall clock
//! ([`Kernel::run_live`]), or a live run that is played again ([`Kernel::run_replay`]).
//!
//! Nothing scripted can leave: streams are virtual, the kernel's thread may not call `socket(2)`
//! ([`confine_thread`]), and no host opens a flow towards an uplink.
//!
//! Reading order: [`kernel`], `queue`, `executor`, [`clock`], `world` (a frame's way), [`link`], `switch`,
//! `neighbour`, `conn`, [`host`] and `station` (its other side), [`stream`], [`firewall`], `filter` and `gateway` (its other
//! side), [`inspect`], [`flow`], [`ledger`], [`network`], [`pcapng`], [`live`], [`forward`] and `uplink` (its other side),
//! [`confine`].

pub mod clock;
pub mod confine;
mod conn;
mod executor;
mod filter;
pub mod firewall;
pub mod flow;
pub mod forward;
mod gateway;
pub mod host;
pub mod inspect;
pub mod kernel;
pub mod ledger;
pub mod link;
pub mod live;
mod neighbour;
pub mod network;
mod packet;
pub mod pcapng;
mod queue;
mod slab;
mod station;
pub mod stream;
mod switch;
mod uplink;
mod world;

pub use clock::{KernelClock, Sleep};
pub use confine::{ConfineError, confine_thread};
pub use executor::{Spawner, TaskHandle};
pub use firewall::{
    FirewallEvent, FirewallEventKind, FirewallHandle, ListedRule, SessionInfo, SessionSelector,
};
pub use flow::{FlowKey, FlowProtocol};
pub use forward::{Forward, ForwardError, Forwards};
pub use host::{Host, ProbeResult, ProbeStyle};
pub use inspect::{DeniedRequest, Inspected};
pub use kernel::{Kernel, KernelConfig, KernelError};
pub use ledger::{FrameLedger, Selector};
pub use link::LinkProperties;
pub use live::{ActionHandler, InputConsumer, LiveControl, LiveEnd, Pace, PaceError};
pub use network::{MirrorConsumer, NetError, Network, build};
pub use pcapng::PcapngWriter;
pub use stream::{Listener, VirtualStream};
