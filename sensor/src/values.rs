//! `values.log`: what registers and points say, in engineering units.
//!
//! A row for every value that the wire shows of a tag of the site's map: read by somebody (`how` is `read`) or asked
//! to be set (`write`; whether the device took it is in the protocol's own log). Addresses count from 0, as on the
//! wire; `table` says in which list they do. `quality` is what the protocol says of the value itself; Modbus says
//! nothing.

use crate::flow::ConnId;
use crate::log::{Log, LogWriter};
use crate::row::Field;
use crate::sink::LogSink;

/// A value on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting<'a> {
    pub(crate) at: u64,
    /// Client and server, or master and outstation.
    pub(crate) id: &'a ConnId,
    /// Sent by the client or master.
    pub(crate) is_orig: bool,
    pub(crate) tag: &'a site::Tag,
    pub(crate) value: f64,
    /// `read` or `write`.
    pub(crate) how: &'static str,
    pub(crate) quality: Option<&'a str>,
    pub(crate) table: &'a str,
    pub(crate) address: u16,
    /// Unit of a Modbus server, address of a DNP3 outstation.
    pub(crate) unit_id: u16,
}

impl Sighting<'_> {
    /// Writes its row.
    pub(crate) fn log<S: LogSink>(&self, log: &mut LogWriter<S>) {
        log.row(
            Log::Values,
            &[
                Field::Time(self.at),
                Field::Text(self.id.uid.as_str()),
                Field::Address(self.id.orig.0),
                Field::Count(self.id.orig.1.into()),
                Field::Address(self.id.resp.0),
                Field::Count(self.id.resp.1.into()),
                Field::Bool(self.is_orig),
                Field::Text(self.tag.name.get_ref()),
                Field::Float(self.value),
                Some(self.tag.unit.as_str()).filter(|unit| !unit.is_empty()).into(),
                Field::Text(self.how),
                self.quality.into(),
                Field::Text(self.table),
                Field::Count(self.address.into()),
                Field::Count(self.unit_id.into()),
            ],
        );
    }
}
