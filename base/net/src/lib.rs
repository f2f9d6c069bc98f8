//! The virtual plant network and its discrete-event kernel.
//!
//! One [`Kernel`] is one lab's network and time, on one thread: hosts with a TCP stack each (smoltcp's), FIFO
//! links, learning switches with mirror ports, and a firewall between zones. Tasks are plain `async` blocks that
//! use only the [`KernelClock`], [`Host`]s and streams. The same seed gives the same frames at the same
//! nanoseconds, whether time is virtual alone ([`Kernel::run_until`]), paced by the wall clock
//! ([`Kernel::run_live`]), or a live run that is played again ([`Kernel::run_replay`]).
//!
//! A real network may be joined to a zone in live mode ([`attach`]), and the mirror port may go out ([`vxlan`]).
//!
//! Nothing scripted can leave: streams are virtual, the kernel's thread may not call `socket(2)`
//! ([`confine_thread`]), no host opens a flow towards an uplink, and answers alone pass `gate`.
//!
//! Reading order: [`kernel`], `queue`, `executor`, [`clock`], `world` (a frame's way), [`link`], `switch`,
//! `neighbour`, `conn`, [`host`] and `station` (its other side), [`stream`], [`firewall`], `filter` and `gateway` (its other
//! side), [`inspect`], [`flow`], [`ledger`], [`network`], [`pcapng`], [`live`], [`forward`] and `uplink` (its other side),
//! `gate` (the port to a real network), [`attach`], `offload`, `conflict`, `interface`, `packet_socket`, `tap`,
//! [`vxlan`], [`confine`].

#[cfg(target_os = "linux")]
pub mod attach;
pub mod clock;
pub mod confine;
#[cfg(target_os = "linux")]
mod conflict;
mod conn;
mod executor;
mod filter;
pub mod firewall;
pub mod flow;
pub mod forward;
mod gate;
mod gateway;
pub mod host;
pub mod inspect;
#[cfg(target_os = "linux")]
mod interface;
pub mod kernel;
mod lag;
pub mod ledger;
pub mod link;
pub mod live;
mod neighbour;
pub mod network;
#[cfg(target_os = "linux")]
mod offload;
mod packet;
#[cfg(target_os = "linux")]
mod packet_socket;
pub mod pcapng;
mod queue;
mod slab;
mod station;
pub mod stream;
mod switch;
#[cfg(target_os = "linux")]
mod tap;
mod uplink;
pub mod uplink_counters;
#[cfg(target_os = "linux")]
pub mod vxlan;
mod world;

#[cfg(target_os = "linux")]
pub use attach::{Attach, Attachment, Reporter, RunningAttachment, UplinkError, ZoneHosts, may_attach};
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
pub use uplink_counters::UplinkCounters;
#[cfg(target_os = "linux")]
pub use vxlan::{MirrorError, MirrorOut, MirrorTarget, SentMirror};
