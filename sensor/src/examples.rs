//! Examples in rule files: records on which a rule fires, and records on which it is silent.
//!
//! Under `custom`, beside `misses`, a rule names `fires:` and `silent:`, each a list of examples. An example is the
//! fields of a record, or of a correlation `{times: 12, each: modbus.address, record: {..}}`: that many records, a
//! second apart or as `every_ms` says, in which the field `each` counts up. They are shown to the rules of the file by
//! the same engine that judges traffic; what an example does not name is absent from its record.

use rsigma_eval::JsonEvent;
use serde_json::{Map, Value};
use site::FileError;

use crate::rules::RuleSet;

/// Records to be shown to a rule, and what it should do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Example {
    pub(crate) fires: bool,
    /// The service whose records these are.
    service: &'static str,
    record: Map<String, Value>,
    times: u64,
    /// Field that counts up.
    each: Option<String>,
    every_ms: u64,
}

impl Example {
    /// The examples of a rule's `custom`; `service` is that of the rule, or of the rule that a correlation counts.
    pub(crate) fn all(custom: &Value, service: &'static str) -> Result<Vec<Self>, String> {
        let mut examples = Vec::new();
        for (key, fires) in [("fires", true), ("silent", false)] {
            let list = match custom.get(key) {
                None => continue,
                Some(Value::Array(list)) => list,
                Some(_) => return Err(format!("custom.{key} is a list of examples")),
            };
            for example in list {
                let Value::Object(fields) = example else {
                    return Err(format!(
                        "an example of custom.{key} is a record: its fields with their values"
                    ));
                };
                examples.push(Self::one(fields, fires, service)?);
            }
        }
        Ok(examples)
    }

    fn one(fields: &Map<String, Value>, fires: bool, service: &'static str) -> Result<Self, String> {
        let plain = Self { fires, service, record: fields.clone(), times: 1, each: None, every_ms: 1000 };
        let Some(record) = fields.get("record") else { return Ok(plain) };
        let number = |key: &str, default| match fields.get(key) {
            None => Ok(default),
            Some(value) => value.as_u64().filter(|n| *n <= 100_000).ok_or(format!("{key} is a number")),
        };
        if let Some(odd) =
            fields.keys().find(|key| !["record", "times", "each", "every_ms"].contains(&key.as_str()))
        {
            return Err(format!("an example has record, times, each and every_ms, not {odd}"));
        }
        Ok(Self {
            record: record.as_object().ok_or("record is the fields of a record")?.clone(),
            times: number("times", 1)?,
            each: fields.get("each").and_then(Value::as_str).map(str::to_owned),
            every_ms: number("every_ms", 1000)?,
            ..plain
        })
    }

    /// Names of the fields it uses.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.record.keys().map(String::as_str).chain(self.each.as_deref())
    }

    /// Whether the rule of this id fires on it.
    fn sets_off(&self, rules: &mut RuleSet, id: &str) -> bool {
        let mut fired = false;
        for n in 0..self.times {
            let mut record = self.record.clone();
            if let Some(each) = &self.each {
                let value = match record.get(each) {
                    // An address or a text counts up at its end.
                    Some(Value::String(text)) => Value::from(format!("{text}{n}")),
                    Some(value) => Value::from(value.as_u64().unwrap_or(0) + n),
                    None => Value::from(n),
                };
                record.insert(each.clone(), value);
            }
            let record = Value::Object(record);
            let seconds = (n * self.every_ms / 1000).cast_signed();
            fired |= rules
                .matches(self.service, &JsonEvent::borrow(&record), seconds)
                .iter()
                .any(|found| found == id);
        }
        fired
    }
}

/// Shows the examples of every rule of a file to the rules of that file. Returns what does not hold, in sentences, and
/// how many examples there were.
pub fn check_examples(file: &str, text: &str) -> Result<(Vec<String>, usize), FileError> {
    let load = || RuleSet::load([(file.to_owned(), text.to_owned())]);
    let rules = load()?;
    let (mut complaints, mut count) = (Vec::new(), 0);
    for (id, card) in rules.all_cards() {
        for (number, example) in card.examples.iter().enumerate() {
            count += 1;
            // Correlations remember: each example is the first thing its rules see.
            if example.sets_off(&mut load()?, id) != example.fires {
                let what = if example.fires { "does not fire on" } else { "fires on" };
                complaints.push(format!("{}: {what} its example {}", card.name, number + 1));
            }
        }
        for fires in [true, false] {
            if !card.base && !card.examples.iter().any(|example| example.fires == fires) {
                let kind = if fires { "fires" } else { "is silent" };
                complaints.push(format!("{}: no example on which it {kind}", card.name));
            }
        }
    }
    Ok((complaints, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = include_str!("../rules/modbus-address-walk.yml");

    #[test]
    fn an_example_that_does_not_hold_is_named() {
        assert_eq!(check_examples("r.yml", RULE).unwrap(), (Vec::new(), 2));
        let turned =
            RULE.replace("fires:", "FIRES:").replace("silent:", "fires:").replace("FIRES:", "silent:");
        let (complaints, _) = check_examples("r.yml", &turned).unwrap();
        assert_eq!(
            complaints,
            [
                "modbus-address-walk: does not fire on its example 1",
                "modbus-address-walk: fires on its example 2"
            ]
        );
    }

    #[test]
    fn an_example_with_a_field_that_no_record_has_does_not_load() {
        let error = check_examples("r.yml", &RULE.replace("silent: [{modbus.walk", "silent: [{modbus.wlk"))
            .unwrap_err();
        assert!(error.problem.contains("modbus.wlk") && error.line > 0, "{error}");
    }
}
