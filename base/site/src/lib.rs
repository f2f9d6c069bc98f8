//! What is written down about a plant: zones, hosts, firewall rules, tags, controllers with their register maps,
//! the physical ties between tags, and what the breakers of a grid join. This is the documentation that a site would hold; nothing here runs.
//!
//! Everyone reads it: `net` builds the network from it, `plcs` serves its register maps, actors poll by it, the
//! sensor turns registers into tags by it. It never says what is hostile.
//!
//! Reading order: [`mod@file`] (errors with file, line and fix), [`address`], [`network`], [`rule`], [`tag`], [`device`], [`dnp3`], [`grid`], [`site`](mod@site).

pub mod address;
pub mod device;
pub mod dnp3;
pub mod file;
pub mod grid;
pub mod network;
pub mod rule;
pub mod site;
pub mod tag;

pub use address::{MacAddress, Subnet};
pub use device::{Access, Device, Encoding, OUTSTATION_MAX, PointEntry, PointKind, RegisterEntry, Table};
pub use dnp3::{ControlModel, Operation, OutstationSettings};
pub use file::{FileError, parse_toml};
pub use grid::{Grid, GridCheck, GridLine, GridPart};
pub use network::{Criticality, Host, HostRole, WideAreaLink, Zone};
pub use rule::{
    AddressRange, Dnp3Match, FirewallAction, FirewallRule, Lifetime, ModbusMatch, Peer, PeerError, Protocol,
    RequestKind, RuleProblem, RuleTextError,
};
pub use site::Site;
pub use tag::{SafeStop, Tag, TagKind, Tie, TieLaw};
