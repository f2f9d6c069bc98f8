//! The network as its users see it: hosts, streams, mirrors, the firewall, and the modes of the kernel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod confinement;
mod deep;
mod endings;
mod firewall;
mod lab;
mod live;
mod neighbours;
mod outside;
mod scans;
mod traffic;
mod tshark;
