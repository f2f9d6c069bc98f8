//! Rule files: read, and checked for what would silently not be used.
//!
//! Sigma is forgiving: a misspelt key is an attribute nobody reads, a misspelt field never matches, a rule for another
//! log source never sees a record. Here each of these is an error with file, line and fix, because a rule that cannot
//! fire looks, from outside, like a plant without attacks.

use rsigma_eval::compile_rule;
use rsigma_eval::fields::RuleFieldSet;
use rsigma_parser::{SigmaCollection, SigmaRule, parse_sigma_yaml};
use site::FileError;

use super::RuleCard;
use super::count::Correlation;
use crate::event::{PRODUCT, fields_of, services};
use crate::examples::Example;

/// A file's name and text.
pub(super) struct RuleFile<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

/// What the two kinds of rule have in common.
struct Head<'a> {
    id: Option<&'a String>,
    name: Option<&'a String>,
    title: &'a str,
    level: Option<rsigma_parser::Level>,
    tags: &'a [String],
    falsepositives: &'a [String],
    misses: Option<String>,
    odd_key: Option<&'a String>,
}

impl RuleFile<'_> {
    pub(super) fn error(&self, near: &str, problem: impl Into<String>, fix: impl Into<String>) -> FileError {
        let place = self.text.find(near).unwrap_or(0);
        let line = self.text[..place].bytes().filter(|octet| *octet == b'\n').count() + 1;
        FileError { file: self.file.to_owned(), line, problem: problem.into(), fix: fix.into() }
    }

    pub(super) fn parse(&self) -> Result<SigmaCollection, FileError> {
        let collection = parse_sigma_yaml(self.text)
            .map_err(|error| self.error("", error.to_string(), "mend the YAML"))?;
        if let Some(problem) = collection.errors.first() {
            // The parser names the line of YAML errors in its text, and the key of the others.
            let line = problem.split("line ").nth(1).and_then(|rest| {
                rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
            });
            let near = problem.split(['\'', '"', '`']).nth(1).unwrap_or("");
            let mut error = self.error(
                near,
                problem.clone(),
                "a rule has title, logsource and detection with a condition; a correlation has title and correlation: see the rules that come with the sensor",
            );
            if let Some(line) = line {
                error.line = line;
            }
            return Err(error);
        }
        if collection.rules.is_empty() && collection.correlations.is_empty() {
            return Err(self.error("", "no rule in this file", "write one, or take the file away"));
        }
        if let Some(filter) = collection.filters.first() {
            return Err(self.error(
                &filter.title,
                "filters are not used here",
                "put the condition into the rule",
            ));
        }
        Ok(collection)
    }

    pub(super) fn cards(&self, collection: &SigmaCollection) -> Result<Vec<(String, RuleCard)>, FileError> {
        let mut cards = Vec::new();
        let counted = |rule: &SigmaRule| {
            collection.correlations.iter().any(|correlation| {
                !correlation.generate
                    && correlation
                        .rules
                        .iter()
                        .any(|name| rule.name.as_ref() == Some(name) || rule.id.as_ref() == Some(name))
            })
        };
        for rule in &collection.rules {
            self.check_source(rule)?;
            let base = counted(rule);
            let head = Head {
                id: rule.id.as_ref(),
                name: rule.name.as_ref(),
                title: &rule.title,
                level: rule.level,
                tags: &rule.tags,
                falsepositives: &rule.falsepositives,
                misses: misses(rule.custom_attributes.get("custom")),
                odd_key: odd_key(rule.custom_attributes.keys()),
            };
            let (id, card) = self.card(head, base)?;
            let examples = self.examples(rule.custom_attributes.get("custom"), rule)?;
            cards.push((id, RuleCard { base, by_target: true, examples, ..card }));
        }
        for correlation in &collection.correlations {
            Correlation::new(correlation).map_err(|problem| {
                let problem = format!("{:?} has {problem}, which is not counted here", correlation.title);
                let fix = "count with event_count, value_count or temporal, and a threshold";
                self.error("correlation:", problem, fix)
            })?;
            let head = Head {
                id: correlation.id.as_ref(),
                name: correlation.name.as_ref(),
                title: &correlation.title,
                level: correlation.level,
                tags: &correlation.tags,
                falsepositives: &correlation.falsepositives,
                misses: misses(correlation.custom_attributes.get("custom")),
                odd_key: odd_key(correlation.custom_attributes.keys()),
            };
            let (id, card) = self.card(head, false)?;
            let counted = collection.rules.iter().filter(|rule| {
                correlation
                    .rules
                    .iter()
                    .any(|name| rule.name.as_ref() == Some(name) || rule.id.as_ref() == Some(name))
            });
            let counted: Vec<_> = counted.collect();
            let examples = match counted.first() {
                Some(rule) => self.examples(correlation.custom_attributes.get("custom"), rule)?,
                None => Vec::new(),
            };
            let counts = counted.iter().filter_map(|rule| rule.id.clone()).collect();
            let by_target = correlation.group_by.iter().any(|field| {
                field == "id.resp_h" || field.starts_with("target.") || field.starts_with("device.")
            });
            cards.push((id, RuleCard { counts, by_target, examples, ..card }));
        }
        Ok(cards)
    }

    fn card(&self, head: Head<'_>, base: bool) -> Result<(String, RuleCard), FileError> {
        let needs =
            |key: &str, fix: &str| self.error(head.title, format!("rule {:?} has no {key}", head.title), fix);
        if let Some(key) = head.odd_key {
            return Err(self.error(
                key,
                format!("key {key:?} is none that a rule has"),
                "spell it as in the rules that come with the sensor, or put it under custom",
            ));
        }
        let id = head.id.ok_or_else(|| needs("id", "add id: with a UUID of its own"))?;
        let name = head.name.ok_or_else(|| needs("name", "add name: in lower-case words with hyphens"))?;
        let level = match head.level.and_then(|level| level.as_str().parse().ok()) {
            Some(level) => level,
            None if base => record::Level::Informational,
            None => return Err(needs("level", "add level: informational, low, medium, high or critical")),
        };
        let misses = match head.misses {
            Some(misses) => misses,
            None if base => String::new(),
            None => {
                return Err(needs(
                    "custom.misses",
                    "say what the rule does not see: custom: {misses: \"...\"}",
                ));
            }
        };
        let techniques = head.tags.iter().filter_map(|tag| tag.strip_prefix("attack.t"));
        let card = RuleCard {
            name: name.clone(),
            title: head.title.to_owned(),
            file: self.file.to_owned(),
            level,
            techniques: techniques.map(|number| format!("T{number}")).collect(),
            falsepositives: head.falsepositives.to_vec(),
            misses,
            base,
            counts: Vec::new(),
            by_target: true,
            examples: Vec::new(),
        };
        Ok((id.clone(), card))
    }

    /// The examples of a rule; `source` is the rule whose records they are.
    fn examples(
        &self,
        custom: Option<&impl serde::Serialize>,
        source: &SigmaRule,
    ) -> Result<Vec<Example>, FileError> {
        let service = source.logsource.service.as_deref().unwrap_or("");
        let custom = custom.and_then(|custom| serde_json::to_value(custom).ok()).unwrap_or_default();
        let Some(service) = services().find(|name| *name == service) else { return Ok(Vec::new()) };
        let fix =
            "write fires: [{FIELD: VALUE, ..}] and silent: [..] beside misses, with fields of the record";
        let examples =
            Example::all(&custom, service).map_err(|problem| self.error("custom:", problem, fix))?;
        let known: Vec<_> = fields_of(service).into_iter().flatten().collect();
        for field in examples.iter().flat_map(Example::fields) {
            if !known.contains(&field) {
                let problem = format!("an example has the field {field:?}, records of {service} do not");
                return Err(self.error(field, problem, fix));
            }
        }
        Ok(examples)
    }

    /// A rule must speak of a log that there is, and of fields that it has.
    fn check_source(&self, rule: &SigmaRule) -> Result<(), FileError> {
        let product = rule.logsource.product.as_deref().unwrap_or("");
        if product != PRODUCT {
            return Err(self.error(
                "product:",
                format!("logsource.product is {product:?}; the sensor's records have {PRODUCT:?}, so the rule could never match"),
                format!("write logsource: {{product: {PRODUCT}, service: modbus}}"),
            ));
        }
        let service = rule.logsource.service.as_deref().unwrap_or("");
        let Some(fields) = fields_of(service) else {
            return Err(self.error(
                "service:",
                format!("logsource.service is {service:?}, which is no log of the sensor"),
                format!("use one of {}", services().collect::<Vec<_>>().join(", ")),
            ));
        };
        compile_rule(rule).map_err(|error| {
            let problem = error.to_string();
            let near = problem.rsplit(' ').next().unwrap_or("").to_owned();
            self.error(&near, problem, "a condition names the selections that stand beside it")
        })?;
        let fields: Vec<_> = fields.collect();
        let one = SigmaCollection { rules: vec![rule.clone()], ..SigmaCollection::new() };
        let used = RuleFieldSet::collect(&one, &[], false);
        if let Some(unknown) = used.names().find(|name| !fields.contains(name)) {
            return Err(self.error(
                unknown,
                format!("records of {service} have no field {unknown:?}, so the rule could never match"),
                format!("use one of {}", fields.join(", ")),
            ));
        }
        Ok(())
    }
}

fn odd_key<'a>(keys: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    keys.filter(|key| *key != "custom").min()
}

/// `custom.misses`, read through JSON so that the YAML crate stays the parser's own affair.
fn misses(custom: Option<&impl serde::Serialize>) -> Option<String> {
    let custom = serde_json::to_value(custom?).ok()?;
    custom.get("misses")?.as_str().map(str::to_owned)
}
