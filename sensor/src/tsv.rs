//! Zeek's tab-separated logs, read back.

use std::borrow::Cow;

use crate::value::{Fields, Value};

/// What the header of a log said.
#[derive(Clone, Debug)]
pub struct TsvReader {
    separator: char,
    set_separator: String,
    empty: String,
    unset: String,
    columns: Vec<String>,
    types: Vec<String>,
}

impl Default for TsvReader {
    fn default() -> Self {
        Self {
            separator: '\t',
            set_separator: ",".to_owned(),
            empty: "(empty)".to_owned(),
            unset: "-".to_owned(),
            columns: Vec::new(),
            types: Vec::new(),
        }
    }
}

impl TsvReader {
    /// Takes a line that begins with `#`; whether it was the one with the columns' types, after which rows come.
    pub fn header(&mut self, line: &str) -> bool {
        let (key, rest) = match line.strip_prefix("#separator ") {
            Some(code) => {
                let octet = code.strip_prefix("\\x").and_then(|hex| u8::from_str_radix(hex, 16).ok());
                self.separator = octet.map_or('\t', char::from);
                return false;
            }
            None => line.split_once(self.separator).unwrap_or((line, "")),
        };
        match key {
            "#set_separator" => rest.clone_into(&mut self.set_separator),
            "#empty_field" => rest.clone_into(&mut self.empty),
            "#unset_field" => rest.clone_into(&mut self.unset),
            "#fields" => self.columns = rest.split(self.separator).map(str::to_owned).collect(),
            "#types" => {
                self.types = rest.split(self.separator).map(str::to_owned).collect();
                return true;
            }
            _ => {}
        }
        false
    }

    /// Names of the columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    /// A line that holds a row.
    pub fn row<'a>(&'a self, line: &'a str) -> TsvRow<'a> {
        TsvRow { reader: self, cells: line.split(self.separator).collect() }
    }

    fn value<'a>(&self, kind: &str, cell: &'a str) -> Value<'a> {
        if let Some(items) = kind.strip_suffix(']').and_then(|kind| kind.split_once('[')) {
            if cell == self.empty {
                return Value::List(Vec::new());
            }
            let items = cell.split(self.set_separator.as_str()).map(|item| self.value(items.1, item));
            return Value::List(items.collect());
        }
        let text = || Value::Text(if cell == self.empty { Cow::Borrowed("") } else { Cow::Borrowed(cell) });
        match kind {
            "bool" => Value::Bool(cell == "T"),
            "count" | "int" | "port" => cell.parse().map_or_else(|_| text(), Value::Int),
            "time" | "interval" | "double" => cell.parse().map_or_else(|_| text(), Value::Float),
            "addr" => cell.parse().map_or_else(|_| text(), Value::Address),
            _ => text(),
        }
    }
}

/// A row of a log.
#[derive(Clone, Debug)]
pub struct TsvRow<'a> {
    reader: &'a TsvReader,
    cells: Vec<&'a str>,
}

impl Fields for TsvRow<'_> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        let at = self.reader.columns.iter().position(|column| column == name)?;
        let cell = *self.cells.get(at)?;
        if cell == self.reader.unset {
            return None;
        }
        Some(self.reader.value(self.reader.types.get(at).map_or("string", String::as_str), cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_types_of_its_header() {
        let mut reader = TsvReader::default();
        for line in ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-"] {
            assert!(!reader.header(line));
        }
        reader.header("#fields\tts\tid.orig_h\tid.orig_p\tlocal\ttags\tname\tgone");
        assert!(reader.header("#types\ttime\taddr\tport\tbool\tset[string]\tstring\tcount"));
        let row = reader.row("1.5\t192.168.1.20\t502\tT\ta,b\t(empty)\t-");
        assert_eq!(row.field("ts"), Some(Value::Float(1.5)));
        assert_eq!(row.field("id.orig_h"), Some(Value::Address([192, 168, 1, 20].into())));
        assert_eq!(row.field("id.orig_p"), Some(Value::Int(502)));
        assert_eq!(row.field("local"), Some(Value::Bool(true)));
        let tags = ["a", "b"].map(|tag| Value::Text(tag.into()));
        assert_eq!(row.field("tags"), Some(Value::List(tags.to_vec())));
        assert_eq!(row.field("name"), Some(Value::Text("".into())));
        assert_eq!(row.field("gone"), None);
        assert_eq!(row.field("nonsense"), None);
    }
}
