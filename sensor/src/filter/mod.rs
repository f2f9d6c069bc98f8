//! A small language for picking records: `id.orig_h == 192.168.1.0/24 and func contains "WRITE"`.
//!
//! # Theory of operation
//! A filter is parsed once and then asked of each record. It is a tree of tests, and a test looks at one field by the
//! name that it has in the logs. What a record does not have, no test finds: `exception != "X"` holds only for records
//! with an exception, `not exception == "X"` for the others as well. Of a list or a set, one item that passes is enough;
//! `!=` asks that none is equal. Nothing here can fail or loop once a filter is parsed: its length, its depth, its sets
//! and its regular expressions are bounded, and matching takes time linear in the text.
//!
//! # The language
//! ```text
//! expression  = all { ("or" | "||") all }
//! all         = one { ("and" | "&&") one }
//! one         = ("not" | "!") one | "(" expression ")" | test
//! test        = FIELD                                            it is there, and not false
//!             | FIELD ("==" | "!=" | "<" | "<=" | ">" | ">=") value       also eq ne lt le gt ge
//!             | FIELD "contains" value                           part of a text, or item of a list
//!             | FIELD "matches" "REGULAR EXPRESSION"             also ~; (?i) in front ignores case
//!             | FIELD ["not"] "in" "{" item { [","] item } "}"
//! item        = value | value ".." value                         both ends included
//! value       = 502 | 0x2b | -1.5 | 250ms | 2h | true | false | 192.168.1.20 | 10.0.0.0/8 | fe80::/10
//!             | 2026-03-02T06:00:00Z | WORD | "text" | 'text as it stands'
//! ```
//! `and` binds before `or`. Text is compared as it stands, upper and lower case apart. The levels of findings are ordered:
//! `level >= medium`. Spans are numbers of seconds, and so are moments. Names and aliases follow Wireshark's display
//! filters as far as they go.

mod lex;
mod parse;
mod test;

use std::fmt;

use crate::event::{fields_of, services};
use crate::log::Log;
use crate::value::Fields;
use test::Test;

/// Most characters of a filter.
pub const LENGTH_MAX: usize = 4096;
/// Most parentheses and negations within each other.
pub const DEPTH_MAX: usize = 32;
/// Most items of one set.
pub const ITEMS_MAX: usize = 1024;

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}; {fix}")]
pub struct FilterError {
    /// Where, in characters counted from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

/// A filter over records.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Node,
    /// Fields it asks for, each with the column where it stands.
    names: Vec<(String, usize)>,
}

#[derive(Clone, Debug)]
enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

impl Filter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// Whether a record passes.
    pub fn matches(&self, record: &impl Fields) -> bool {
        self.root.holds(record)
    }

    /// The fields that it asks for, in its order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// Refuses a filter that asks for a field that none of `known` is: it could only ever match by accident.
    pub fn check_fields<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> Result<(), FilterError> {
        let known: std::collections::BTreeSet<&str> = known.into_iter().collect();
        for (name, column) in &self.names {
            if known.contains(name.as_str()) {
                continue;
            }
            let mut near: Vec<_> = known.iter().map(|known| (likeness(name, known), *known)).collect();
            near.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
            let near: Vec<_> = near.iter().take(3).map(|(_, name)| *name).collect();
            return Err(FilterError {
                column: *column,
                problem: format!("no record has a field {name:?}"),
                fix: format!("did you mean {}?", near.join(", ")),
            });
        }
        Ok(())
    }
}

/// How alike two names are, 0 to 1; the last part counts most: people forget `id.` before `orig_h`.
fn likeness(one: &str, other: &str) -> f64 {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    strsim::jaro_winkler(one, other).max(strsim::jaro_winkler(&last(one), &last(other)) * 0.98)
}

/// Fields of the logs, of findings and incidents, and `_path`, the name of the log.
pub fn log_fields() -> impl Iterator<Item = &'static str> {
    let columns = Log::ALL.into_iter().flat_map(|log| log.columns().iter().map(|(name, _)| *name));
    let findings = ["t", "rule", "title", "techniques", "entities", "frames", "message", "level"];
    let incidents = ["incident", "joined", "first", "last", "hosts", "rules"];
    columns.chain(findings).chain(incidents).chain(["_path", "source.address", "target.address"])
}

/// Fields of records as rules see them.
pub fn record_fields() -> impl Iterator<Item = &'static str> {
    services().filter_map(fields_of).flatten()
}

impl Node {
    fn holds(&self, record: &impl Fields) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(record)),
            Self::All(nodes) => nodes.iter().all(|node| node.holds(record)),
            Self::Not(node) => !node.holds(record),
            Self::Test(test) => test.holds(record),
        }
    }
}

/// In one fixed spelling, with every parenthesis that matters.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nodes, word) = match self {
            Self::Any(nodes) => (nodes, " or "),
            Self::All(nodes) => (nodes, " and "),
            Self::Not(node) => {
                let bare = matches!(**node, Self::Test(_) | Self::Not(_));
                return if bare { write!(f, "not {node}") } else { write!(f, "not ({node})") };
            }
            Self::Test(test) => return test.fmt(f),
        };
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                f.write_str(word)?;
            }
            if matches!(node, Self::Any(_) | Self::All(_)) {
                write!(f, "({node})")?;
            } else {
                write!(f, "{node}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;
    use proptest::prelude::*;
    use serde_json::json;

    fn record() -> serde_json::Value {
        json!({
            "_path": "modbus", "ts": 1_772_431_200.25, "id.orig_h": "192.168.1.77", "id.orig_p": 49152,
            "id.resp_h": "192.168.1.101", "id.resp_p": 502, "func": "WRITE_SINGLE_REGISTER", "unit": 1,
            "pdu_type": "REQ", "local_orig": true, "local_resp": false, "level": "high", "duration": 0.25,
            "techniques": ["T0836", "T0855"], "frames": [9195, 9196], "source": {"ip": "fe80::1"},
            "message": "write of one register to PLC-1", "empty": "", "nothing": null,
        })
    }

    #[track_caller]
    fn check(text: &str, expected: bool) {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.matches(&record()), expected, "{text}");
        let spelt = filter.to_string();
        let again = Filter::parse(&spelt).unwrap_or_else(|error| panic!("{spelt}: {error}"));
        assert_eq!(again.to_string(), spelt);
        assert_eq!(again.matches(&record()), expected, "{spelt}");
    }

    #[test]
    fn comparisons_are_by_the_fields_kind() {
        for text in [
            "unit == 1",
            "unit == 0x01 and id.resp_p == 502",
            "unit != 2",
            "id.orig_p >= 49152 && id.orig_p <= 49152",
            "id.orig_p > 1e4",
            "local_orig == true",
            "local_resp == false",
            "func == WRITE_SINGLE_REGISTER",
            "func eq \"WRITE_SINGLE_REGISTER\"",
            "duration == 250ms",
            "duration lt 1min",
            "ts > 2026-03-02T06:00:00Z",
            "ts < 2026-03-02T06:00:01Z",
            "level >= medium",
            "level < critical",
            "techniques == T0855",
            "frames > 9195",
        ] {
            check(text, true);
        }
        for text in
            ["unit == 2", "unit < 1", "func == write_single_register", "techniques != T0855", "level > high"]
        {
            check(text, false);
        }
    }

    #[test]
    fn addresses_are_compared_with_networks() {
        check("id.orig_h == 192.168.1.0/24", true);
        check("id.orig_h == 192.168.1.77", true);
        check("id.orig_h != 192.168.2.0/24", true);
        check("id.orig_h == 10.0.0.0/8", false);
        check("id.orig_h in {10.0.0.0/8, 192.168.1.64/26}", true);
        check("id.orig_h in {192.168.1.70..192.168.1.80}", true);
        check("id.orig_h >= 192.168.1.78", false);
        check("id.orig_h == 0.0.0.0/0", true);
        check("id.orig_h == ::/0", false);
        check("source.ip == fe80::/10", true);
    }

    #[test]
    fn texts_and_sets() {
        check("func contains \"REGISTER\"", true);
        check("func contains REGISTERS", false);
        check("techniques contains T0836", true);
        check("func matches \"^WRITE_(SINGLE|MULTIPLE)\"", true);
        check("func ~ '(?i)^write'", true);
        check("func matches r", false);
        check("unit in {2, 5..7}", false);
        check("unit in {0..3}", true);
        check("unit not in {2 5}", true);
        check("func in {READ_COILS \"WRITE_SINGLE_REGISTER\"}", true);
        check("empty == \"\"", true);
    }

    #[test]
    fn a_field_alone_asks_whether_it_is_there() {
        check("unit", true);
        check("exception", false);
        check("nothing", false);
        check("local_orig", true);
        check("local_resp", false);
        check("!exception && !(local_resp)", true);
        check("exception != X", false);
        check("not exception == X", true);
        check("exception not in {X}", true);
    }

    #[test]
    fn and_binds_before_or() {
        check("unit == 1 or unit == 2 and unit == 3", true);
        check("(unit == 1 or unit == 2) and unit == 3", false);
        check("not unit == 2 and unit == 1", true);
        check("not (unit == 1 and unit == 1)", false);
        check("unit == 2 || unit == 3 || unit==1", true);
    }

    #[track_caller]
    fn check_refused(text: &str, column: usize, words: &str) {
        let error = Filter::parse(text).map(|filter| filter.to_string()).unwrap_err();
        assert!(error.column == column && error.to_string().contains(words), "{text}: {error}");
        assert!(!error.fix.is_empty());
    }

    #[test]
    fn errors_name_the_column_and_the_fix() {
        check_refused("", 1, "id.orig_h == 192.168.1.0/24");
        check_refused("unit = 1", 6, "==");
        check_refused("unit == ", 9, "value");
        check_refused("unit == 1 & unit == 2", 11, "&&");
        check_refused("unit == 1 unit == 2", 11, "and");
        check_refused("(unit == 1", 11, ")");
        check_refused("unit == 1)", 10, "(");
        check_refused("unit in 1", 9, "{");
        check_refused("unit in {}", 10, "value");
        check_refused("unit in {1", 11, "}");
        check_refused("func matches \"(\"", 14, "regular expression");
        check_refused("func == \"open", 9, "quote");
        check_refused("id.orig_h == 192.168.1.0/33", 14, "/32");
        check_refused("id.orig_h < 192.168.1.0/24", 13, "==");
        check_refused("unit == 1 and", 14, "field");
        check_refused("unit == 1 # x", 11, "#");
        check_refused("unit in {1..}", 10, "..");
        check_refused("ü == 1 ? 2", 8, "?");
        check_refused(&"(".repeat(100), DEPTH_MAX + 1, "deep");
        check_refused(&"!".repeat(100), DEPTH_MAX + 1, "deep");
        check_refused(&"a".repeat(5000), LENGTH_MAX + 1, "long");
        check_refused(&format!("func matches \"{}\"", "(a{1000}){1000}"), 14, "regular expression");
    }

    #[test]
    fn a_field_that_nothing_has_is_refused_with_the_nearest() {
        let error = Filter::parse("orig_h == 1.2.3.4").unwrap().check_fields(log_fields()).unwrap_err();
        assert!(error.fix.contains("id.orig_h"), "{error}");
        let error = Filter::parse("unit == 1 and fnc == X").unwrap().check_fields(log_fields()).unwrap_err();
        assert!(error.column == 15 && error.fix.contains("func"), "{error}");
        Filter::parse("level >= high or conn_state == S0").unwrap().check_fields(log_fields()).unwrap();
        Filter::parse("baseline.new_writer").unwrap().check_fields(record_fields()).unwrap();
    }

    struct One(Value<'static>);
    impl Fields for One {
        fn field(&self, _: &str) -> Option<Value<'_>> {
            Some(self.0.clone())
        }
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<i32>().prop_map(|number| number.to_string()),
            any::<u16>().prop_map(|number| format!("{number:#x}")),
            any::<std::net::IpAddr>().prop_map(|address| address.to_string()),
            (any::<std::net::Ipv4Addr>(), 0..=32u8).prop_map(|(net, bits)| format!("{net}/{bits}")),
            "[A-Za-z_][A-Za-z0-9_]{0,8}".prop_filter("a keyword", |word| !lex::is_keyword(word)),
            "[a-z0-9 ()äß]{0,8}".prop_map(|text| format!("\"{text}\"")),
            (0..100u8).prop_map(|number| format!("{number}min")),
        ]
    }

    fn expression() -> impl Strategy<Value = String> {
        let equals = (prop_oneof!["==", "!="], value()).prop_map(|(op, value)| format!("x.y {op} {value}"));
        let set = prop::collection::vec(value(), 1..4)
            .prop_map(|values| format!("ts not in {{{}}}", values.join(", ")));
        let test = prop_oneof![
            Just("unit".to_owned()),
            equals,
            set,
            value().prop_map(|value| format!("f contains {value}"))
        ];
        test.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|one| format!("not ({one})")),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) or {other}")),
                (inner.clone(), inner).prop_map(|(one, other)| format!("{one} && ({other})")),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            if let Ok(filter) = Filter::parse(&text) {
                filter.matches(&record());
            }
        }

        #[test]
        fn what_parses_is_spelt_and_parsed_again(text in expression()) {
            let filter = Filter::parse(&text).unwrap();
            let spelt = filter.to_string();
            let again = Filter::parse(&spelt).unwrap();
            prop_assert_eq!(again.to_string(), spelt);
            prop_assert_eq!(again.matches(&record()), filter.matches(&record()));
        }

        #[test]
        fn an_address_is_in_its_networks(address in any::<std::net::IpAddr>(), bits in 0..=128u8) {
            let bits = if address.is_ipv4() { bits.min(32) } else { bits };
            let filter = Filter::parse(&format!("a == {address}/{bits}")).unwrap();
            prop_assert!(filter.matches(&One(Value::Address(address))));
            prop_assert!(filter.matches(&One(Value::Text(address.to_string().into()))));
        }

        #[test]
        fn numbers_compare_as_numbers(one in any::<i32>(), other in any::<i32>()) {
            let filter = Filter::parse(&format!("a < {other} or a == {other}")).unwrap();
            prop_assert_eq!(filter.matches(&One(Value::Int(one.into()))), one <= other);
        }
    }
}
