//! Facts that somebody finds in the traces of hosts and office.

use std::collections::BTreeMap;

use site::{FileError, parse_toml};

use super::Graded;

/// Octets of a time to the minute, `2026-05-06T08:09`.
const MINUTE: usize = 16;

/// Grades answers: TOML with a value for each fact that is asked for, `session.account = "..."`. `none` is the answer
/// where there is nothing to find. Upper and lower case do not matter, times count to the minute. The score is the
/// share of facts that are right.
///
/// # Errors
/// Text that is not TOML, a fact that is not asked for, a value that is no text or number.
pub fn grade_facts(
    file: &str,
    text: &str,
    asked: &[String],
    facts: &BTreeMap<String, String>,
) -> Result<Graded, FileError> {
    let mut given = BTreeMap::new();
    flatten("", &parse_toml::<toml::Table>(file, text)?, &mut given);
    if let Some(name) = given.keys().find(|name| !asked.contains(name)) {
        return Err(FileError {
            file: file.to_owned(),
            line: 0,
            problem: format!("{name} is not asked for"),
            fix: format!("answer {}", asked.join(", ")),
        });
    }
    let mut graded = Graded::empty();
    let mut right = 0;
    for name in asked {
        let truth = facts.get(name).map_or("none", String::as_str);
        let answer = given.get(name).map_or("", String::as_str).trim();
        let is_right = same(name, answer, truth);
        right += usize::from(is_right);
        let why = match (is_right, answer.is_empty()) {
            (true, _) => truth.to_owned(),
            (false, true) => format!("not answered; it is {truth}"),
            (false, false) => format!("{answer}; it is {truth}"),
        };
        graded.line(is_right, name.clone(), why);
    }
    graded.score = 100.0 * right as f64 / asked.len().max(1) as f64;
    Ok(graded)
}

fn same(name: &str, answer: &str, truth: &str) -> bool {
    let is_time = name.rsplit_once('.').is_some_and(|(_, last)| last == "time");
    if is_time && truth != "none" {
        return answer.get(..MINUTE).is_some_and(|minute| truth.get(..MINUTE) == Some(minute));
    }
    let words = |text: &str| {
        let mut words: Vec<String> =
            text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
        words.sort();
        words
    };
    !answer.is_empty() && words(answer) == words(truth)
}

fn flatten(prefix: &str, table: &toml::Table, into: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, into),
            toml::Value::String(text) => {
                into.insert(name, text.clone());
            }
            other => {
                into.insert(name, other.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_compared_as_people_write_them() {
        let facts: BTreeMap<String, String> = [
            ("process.pid", "6512"),
            ("file.time", "2026-05-06T08:09:49.348Z"),
            ("advisories.apply", "EX-1 EX-2"),
            ("door.badge", "none"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let asked: Vec<String> = facts.keys().cloned().collect();
        let score = |text: &str| grade_facts("f.toml", text, &asked, &facts).unwrap().score;
        let good = "process.pid = 6512\nfile.time = \"2026-05-06T08:09\"\nadvisories.apply = \"ex-2, EX-1\"\ndoor.badge = \"none\"\n";
        assert!((score(good) - 100.0).abs() < 1e-9);
        assert_eq!(score(""), 0.0);
        assert!((score("door.badge = \"none\"") - 25.0).abs() < 1e-9);
        assert!((score("[file]\ntime = \"2026-05-06T08:10\"") - 0.0).abs() < 1e-9);
        assert!(grade_facts("f.toml", "colour = 1", &asked, &facts).is_err());
    }
}
