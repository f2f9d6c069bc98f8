//! Columns of the logs: names and Zeek's types, in order.
//!
//! `conn`, `modbus`, `weird`, `known_modbus` and `modbus_register_change` are Zeek's (version 8.0), `modbus_*` are those of
//! CISA's ICSNPP package for Zeek, so that whatever reads theirs reads these. Addresses count from 0, as on the wire.

/// Name and type of each column.
pub(crate) type Columns = &'static [(&'static str, &'static str)];

pub(crate) const CONN: Columns = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
    ("ip_proto", "count"),
];

pub(crate) const MODBUS: Columns = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("tid", "count"),
    ("unit", "count"),
    ("func", "string"),
    ("pdu_type", "string"),
    ("exception", "string"),
];

pub(crate) const WEIRD: Columns = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("name", "string"),
    ("addl", "string"),
    ("notice", "bool"),
    ("peer", "string"),
    ("source", "string"),
];

pub(crate) const INVENTORY: Columns = &[
    ("ts", "time"),
    ("last_seen", "time"),
    ("host", "addr"),
    ("mac", "string"),
    ("mac_vendor", "string"),
    ("name", "string"),
    ("zone", "string"),
    ("level", "string"),
    ("role", "string"),
    ("documented", "bool"),
    ("protocols", "set[string]"),
    ("device", "string"),
    ("vendor", "string"),
    ("product", "string"),
    ("revision", "string"),
];

/// ICSNPP: one row per request and its response.
pub(crate) const MODBUS_DETAILED: Columns = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("tid", "count"),
    ("unit", "count"),
    ("func", "string"),
    ("address", "count"),
    ("quantity", "count"),
    ("request_values", "vector[count]"),
    ("response_values", "vector[count]"),
    ("modbus_detailed_link_id", "string"),
    ("matched", "bool"),
    ("request_subfunction_code", "string"),
    ("response_subfunction_code", "string"),
    ("request_data", "string"),
    ("response_data", "string"),
    ("exception_code", "string"),
    ("mei_type", "string"),
];

/// ICSNPP: function 22, one row per PDU.
pub(crate) const MODBUS_MASK_WRITE_REGISTER: Columns = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("is_orig", "bool"),
    ("source_h", "addr"),
    ("source_p", "port"),
    ("destination_h", "addr"),
    ("destination_p", "port"),
    ("modbus_detailed_link_id", "string"),
    ("tid", "count"),
    ("unit", "count"),
    ("func", "string"),
    ("request_response", "string"),
    ("address", "count"),
    ("and_mask", "count"),
    ("or_mask", "count"),
];

/// ICSNPP: function 23, one row per PDU.
pub(crate) const MODBUS_READ_WRITE_MULTIPLE_REGISTERS: Columns = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("is_orig", "bool"),
    ("source_h", "addr"),
    ("source_p", "port"),
    ("destination_h", "addr"),
    ("destination_p", "port"),
    ("modbus_detailed_link_id", "string"),
    ("tid", "count"),
    ("unit", "count"),
    ("func", "string"),
    ("request_response", "string"),
    ("write_start_address", "count"),
    ("write_registers", "vector[count]"),
    ("read_start_address", "count"),
    ("read_quantity", "count"),
    ("read_registers", "vector[count]"),
];

/// ICSNPP: function 43/14, one row per request and per object told.
pub(crate) const MODBUS_READ_DEVICE_IDENTIFICATION: Columns = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("is_orig", "bool"),
    ("source_h", "addr"),
    ("source_p", "port"),
    ("destination_h", "addr"),
    ("destination_p", "port"),
    ("modbus_detailed_link_id", "string"),
    ("tid", "count"),
    ("unit", "count"),
    ("func", "string"),
    ("request_response", "string"),
    ("mei_type", "string"),
    ("conformity_level_code", "string"),
    ("conformity_level", "string"),
    ("device_id_code", "count"),
    ("object_id_code", "string"),
    ("object_id", "string"),
    ("object_value", "string"),
];

/// Zeek: one row per host and role, once a day.
pub(crate) const KNOWN_MODBUS: Columns = &[("ts", "time"), ("host", "addr"), ("device_type", "enum")];

/// Zeek's, but for `register`: 0-based as on the wire, where Zeek's counts from 1.
pub(crate) const MODBUS_REGISTER_CHANGE: Columns = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("register", "count"),
    ("old_val", "count"),
    ("new_val", "count"),
    ("delta", "interval"),
];

/// Ours: values of tags in engineering units, one row per value seen.
pub(crate) const VALUES: Columns = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("is_orig", "bool"),
    ("tag", "string"),
    ("value", "double"),
    ("unit", "string"),
    ("how", "string"),
    ("quality", "string"),
    ("table", "string"),
    ("address", "count"),
    ("unit_id", "count"),
];
