//! Values of a record's fields, whatever log the record stands in, and how to ask for one by name.

use std::borrow::Cow;
use std::net::IpAddr;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A flag.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A moment: nanoseconds since 1970.
    Time(u64),
    /// A span: nanoseconds.
    Interval(u64),
    /// Text.
    Text(Cow<'a, str>),
    /// An address.
    Address(IpAddr),
    /// A set or a list.
    List(Vec<Value<'a>>),
}

impl Value<'_> {
    /// The number that comparisons use; moments and spans in seconds. `None` for what is no number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Time(nanos) | Self::Interval(nanos) => Some(*nanos as f64 / 1e9),
            _ => None,
        }
    }

    /// As a JSON value; moments and spans in seconds.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Bool(flag) => (*flag).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) => (*number).into(),
            Self::Time(nanos) | Self::Interval(nanos) => (*nanos as f64 / 1e9).into(),
            Self::Text(text) => text.as_ref().into(),
            Self::Address(address) => address.to_string().into(),
            Self::List(items) => items.iter().map(Value::to_json).collect(),
        }
    }
}

/// Whatever has fields with names.
pub trait Fields {
    /// The value of a field; `None` where the record does not have it.
    fn field(&self, name: &str) -> Option<Value<'_>>;
}

/// A line of a JSON log. A name with dots is looked for as it is (Zeek's `id.orig_h`), then as a path (ECS's `source.ip`).
impl Fields for serde_json::Map<String, serde_json::Value> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        if let Some(value) = self.get(name) {
            return of_json(value);
        }
        let (first, rest) = name.split_once('.')?;
        self.get(first)?.as_object()?.field(rest)
    }
}

impl Fields for serde_json::Value {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        self.as_object()?.field(name)
    }
}

/// A JSON value as a field's value; an object is none, and null is an absent field.
pub(crate) fn of_json(value: &serde_json::Value) -> Option<Value<'_>> {
    Some(match value {
        serde_json::Value::Null | serde_json::Value::Object(_) => return None,
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64()?),
        },
        serde_json::Value::String(text) => Value::Text(Cow::Borrowed(text)),
        serde_json::Value::Array(items) => Value::List(items.iter().filter_map(of_json).collect()),
    })
}
