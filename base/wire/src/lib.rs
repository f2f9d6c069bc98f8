//! Octets to values for Modbus/TCP and DNP3: no I/O, no clock, no async.
//!
//! This crate knows what the octets of a protocol mean and nothing else: it opens no socket, keeps no connection
//! and judges nobody. It offers two ways to look at the same octets. The *lenient* view ([`modbus::Packet`]) shows
//! whatever was sent, however odd, and answers each question with an `Option`: the network sensor reads it. The
//! *strict* values ([`modbus::Request`], [`modbus::Response`]) hold only what makes sense: controllers and clients
//! act on them, and whatever can be built can be emitted. For DNP3 there is the lenient view ([`dnp3::Fragment`]) and
//! the means to write ([`dnp3::FragmentBuilder`], [`dnp3::LinkHeader`]).
//!
//! No function of this crate panics on any input.
//!
//! Reading order: [`modbus`] (the map, and the stated policies), [`modbus::mbap`], [`modbus::function`],
//! [`modbus::request`], [`modbus::response`], [`modbus::packet`]; [`dnp3`], and its modules in the order of its map.

pub mod dnp3;
pub mod modbus;
