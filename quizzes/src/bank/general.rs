//! The general bank: what is true of every plant. Answers are typed in, each with the source that it can be looked up in.
//!
//! One file per domain, `bank/general/DOMAIN.toml`. `answer` is a number (numeric), a text (single; text, where a list
//! gives all that is accepted), a list of texts (multi; order), a list of `[item, option]` (match) or two numbers
//! (interval). `distractor` lists what is not the answer, each with the reason why; `why` teaches, whatever was answered.

use std::collections::{BTreeMap, BTreeSet};

use record::attack;
use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;
use site::FileError;
use site::file::Source;

use super::file::{Hint, Kind};
use super::resolve::{Answer, Order, ResolvedQuestion, letter_of, lettered, matched};
use super::typed::normalised;

/// Files that come with Fieldrange, in the order in which they are taught.
const BUNDLED: [(&str, &str); 8] = [
    ("ot-basics.toml", include_str!("../../bank/general/ot-basics.toml")),
    ("protocols.toml", include_str!("../../bank/general/protocols.toml")),
    ("plants.toml", include_str!("../../bank/general/plants.toml")),
    ("purdue-62443.toml", include_str!("../../bank/general/purdue-62443.toml")),
    ("detection.toml", include_str!("../../bank/general/detection.toml")),
    ("incident-response.toml", include_str!("../../bank/general/incident-response.toml")),
    ("threats-attack-ics.toml", include_str!("../../bank/general/threats-attack-ics.toml")),
    ("fix-the-runbook.toml", include_str!("../../bank/general/fix-the-runbook.toml")),
];

/// What questions train. A closed list, so that a misspelt one is an error.
pub const COMPETENCIES: [&str; 11] = [
    "architecture",
    "asset-inventory",
    "detection-engineering",
    "governance",
    "incident-response",
    "process-knowledge",
    "protocol-analysis",
    "remote-access",
    "segmentation",
    "threat-knowledge",
    "tools",
];

/// Files that a source may name as "Fieldrange reference, FILE".
const REFERENCE_FILES: [&str; 12] = [
    "protocols.md",
    "detection/logs-and-rules.md",
    "training/data-model.md",
    "training/hands-on.md",
    "training/incidents.md",
    "training/scoring.md",
    "training/attack-ics-v18.1.md",
    "physics/A_tennessee_eastman.md",
    "physics/B_water.md",
    "physics/C_power.md",
    "physics/D_compressor.md",
    "physics/G_common.md",
];

/// Elo ratings at which a question may start.
const ELO_RANGE: std::ops::RangeInclusive<f64> = 700.0..=1500.0;

/// An answer as it stands in a file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a number, a text, a list of texts, a list of [item, option], or two numbers")]
enum Written {
    Number(f64),
    Text(String),
    Numbers([f64; 2]),
    Texts(Vec<String>),
    Pairs(Vec<(String, String)>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Distractor {
    value: Spanned<String>,
    feedback: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionEntry {
    id: Spanned<String>,
    kind: Kind,
    prompt: Spanned<String>,
    answer: Spanned<Written>,
    #[serde(default)]
    tolerance: Option<f64>,
    #[serde(default)]
    unit: Option<String>,
    source: Spanned<String>,
    why: String,
    competencies: Vec<Spanned<String>>,
    #[serde(default)]
    attack: Vec<Spanned<String>>,
    elo: Spanned<f64>,
    #[serde(rename = "distractor", default)]
    distractors: Vec<Distractor>,
    #[serde(rename = "hint", default)]
    hints: Vec<Hint>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainFile {
    domain: String,
    title: String,
    labs: Vec<String>,
    #[serde(rename = "question")]
    questions: Vec<QuestionEntry>,
}

/// A field of knowledge, with the scenarios that train it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// `protocols`; the file's name.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Scenarios that train it, the easiest first; at least one.
    pub labs: Vec<String>,
}

/// A question of the general bank, checked.
#[derive(Clone, Debug)]
pub struct GeneralQuestion {
    /// Its id, the same in no other file.
    pub id: String,
    /// Name of its domain.
    pub domain: String,
    /// How it is answered.
    pub kind: Kind,
    /// What it trains.
    pub competencies: Vec<String>,
    /// Elo rating at which it starts.
    pub elo: f64,
    /// Where the answer can be looked up.
    pub source: String,
    entry: QuestionEntry,
}

/// All questions of the general bank.
#[derive(Clone, Debug)]
pub struct GeneralBank {
    domains: Vec<Domain>,
    questions: Vec<GeneralQuestion>,
}

impl GeneralBank {
    /// The bank that comes with Fieldrange.
    pub fn bundled() -> Result<Self, FileError> {
        Self::parse(&BUNDLED)
    }

    /// Reads files, each with its name, and checks them one by one and against each other.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, FileError> {
        let mut bank = Self { domains: Vec::new(), questions: Vec::new() };
        let mut ids = BTreeMap::new();
        let mut prompts = BTreeMap::new();
        for (file, text) in files {
            let source = Source { file, text };
            let read: DomainFile = source.parse().map_err(|mut error| {
                if error.fix.is_empty() {
                    "write it as other questions of its kind have it".clone_into(&mut error.fix);
                }
                error
            })?;
            check_domain(&source, &read, &bank.domains)?;
            for entry in read.questions {
                check_entry(&source, &entry)?;
                let places = [
                    (ids.insert(entry.id.get_ref().clone(), (*file).to_owned()), "is called"),
                    (
                        prompts.insert(normalised(entry.prompt.get_ref()), (*file).to_owned()),
                        "asks the same as",
                    ),
                ];
                for (other, how) in places {
                    if let Some(other) = other {
                        let problem = format!("another question, in {other}, {how} {:?}", entry.id.get_ref());
                        return Err(source.error(&entry.id, problem, "rename it, or ask something else"));
                    }
                }
                bank.questions.push(GeneralQuestion {
                    id: entry.id.get_ref().clone(),
                    domain: read.domain.clone(),
                    kind: entry.kind,
                    competencies: entry.competencies.iter().map(|name| name.get_ref().clone()).collect(),
                    elo: *entry.elo.get_ref(),
                    source: entry.source.get_ref().clone(),
                    entry,
                });
            }
            bank.domains.push(Domain { name: read.domain, title: read.title, labs: read.labs });
        }
        Ok(bank)
    }

    /// Domains in the order in which they are taught.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// A domain by its name.
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name == name)
    }

    /// All questions, in the order of the files.
    pub fn questions(&self) -> &[GeneralQuestion] {
        &self.questions
    }

    /// The questions of one domain, in the order of its file.
    pub fn questions_of<'a>(&'a self, domain: &'a str) -> impl Iterator<Item = &'a GeneralQuestion> {
        self.questions.iter().filter(move |question| question.domain == domain)
    }
}

impl GeneralQuestion {
    /// The question as it is asked: options in an order drawn from `seed` and its id.
    pub fn resolved(&self, seed: u64) -> ResolvedQuestion {
        let entry = &self.entry;
        let mut order = Order::new(seed, &self.id);
        let mut items = Vec::new();
        let (options, answer) = match (entry.kind, entry.answer.get_ref()) {
            (Kind::Match, Written::Pairs(pairs)) => {
                items = pairs.iter().map(|(item, _)| item.clone()).collect();
                let (options, letters) = matched(pairs, &mut order);
                (options, Answer::Match(letters))
            }
            (Kind::Order, Written::Texts(right)) => {
                let shown = right.iter().map(|text| (text.clone(), String::new())).collect();
                let options = lettered(order.shuffle(shown));
                let letters = right.iter().filter_map(|text| letter_of(&options, text)).collect();
                (options, Answer::Order(letters))
            }
            (Kind::Numeric, Written::Number(value)) => {
                (Vec::new(), Answer::Number { value: *value, tolerance: entry.tolerance.unwrap_or(0.0) })
            }
            (Kind::Interval, Written::Numbers([from, to])) => {
                let tolerance = entry.tolerance.unwrap_or(0.0);
                (Vec::new(), Answer::Interval { from: *from, to: *to, tolerance })
            }
            (Kind::Text, written) => (Vec::new(), Answer::Text(texts(written).to_vec())),
            (kind, written) => {
                let right = texts(written);
                let others =
                    entry.distractors.iter().map(|d| (d.value.get_ref().clone(), d.feedback.clone()));
                let shown = right.iter().map(|text| (text.clone(), String::new())).chain(others).collect();
                let options = lettered(order.shuffle(shown));
                let mut letters: Vec<char> =
                    right.iter().filter_map(|text| letter_of(&options, text)).collect();
                letters.sort_unstable();
                let answer = match (kind, letters.as_slice()) {
                    (Kind::Single, [letter]) => Answer::Choice(*letter),
                    _ => Answer::Choices(letters),
                };
                (options, answer)
            }
        };
        ResolvedQuestion {
            id: self.id.clone(),
            kind: entry.kind,
            prompt: entry.prompt.get_ref().clone(),
            items,
            options,
            unit: entry.unit.clone(),
            attack: entry.attack.iter().map(|id| id.get_ref().clone()).collect(),
            hints: entry.hints.clone(),
            evidence: self.source.clone(),
            answer,
            right: entry.why.clone(),
            wrong: entry.why.clone(),
        }
    }
}

/// The texts of an answer; none where it is of numbers or pairs.
fn texts(written: &Written) -> &[String] {
    match written {
        Written::Text(text) => std::slice::from_ref(text),
        Written::Texts(texts) => texts,
        Written::Number(_) | Written::Numbers(_) | Written::Pairs(_) => &[],
    }
}

fn check_domain(source: &Source<'_>, read: &DomainFile, others: &[Domain]) -> Result<(), FileError> {
    let wrong = |problem: &str, fix: &str| Err(source.error_at(0, problem, fix));
    if others.iter().any(|domain| domain.name == read.domain) {
        return wrong("another file has this domain", "give it a domain of its own");
    }
    if read.title.trim().is_empty() || read.labs.is_empty() {
        return wrong(
            "a domain has a title and at least one lab",
            "add title = \"...\" and labs = [\"SCENARIO\"]",
        );
    }
    Ok(())
}

/// What the answer of each kind looks like; whether it fits.
fn answer_fits(entry: &QuestionEntry) -> Result<(), &'static str> {
    let distinct = |texts: &[String]| texts.iter().map(|t| normalised(t)).collect::<BTreeSet<_>>().len();
    let filled = |texts: &[String]| texts.iter().all(|text| !normalised(text).is_empty());
    let fits = match (entry.kind, entry.answer.get_ref()) {
        (Kind::Single, Written::Text(text)) => !normalised(text).is_empty(),
        (Kind::Multi, Written::Texts(right)) => right.len() >= 2 && filled(right),
        (Kind::Order, Written::Texts(right)) => {
            right.len() >= 3 && filled(right) && distinct(right) == right.len()
        }
        (Kind::Match, Written::Pairs(pairs)) => {
            let items: Vec<String> = pairs.iter().map(|(item, _)| item.clone()).collect();
            let options: Vec<String> = pairs.iter().map(|(_, option)| option.clone()).collect();
            let different = distinct(&items) == items.len() && distinct(&options) >= 2;
            pairs.len() >= 3 && filled(&items) && filled(&options) && different
        }
        (Kind::Text, written @ (Written::Text(_) | Written::Texts(_))) => {
            !texts(written).is_empty() && filled(texts(written))
        }
        (Kind::Numeric, Written::Number(value)) => value.is_finite(),
        (Kind::Interval, Written::Numbers([from, to])) => from.is_finite() && to.is_finite() && from <= to,
        (Kind::Packets, _) => return Err("a general question has no run, and so no frames"),
        _ => false,
    };
    if fits { Ok(()) } else { Err(wanted(entry.kind)) }
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Single => "single wants one text",
        Kind::Multi => "multi wants at least two texts",
        Kind::Order => "order wants at least three different texts",
        Kind::Match => "match wants at least three [item, option], items different, two options or more",
        Kind::Text => "text wants a text, or a list of all that is accepted",
        Kind::Numeric => "numeric wants a number",
        Kind::Interval => "interval wants two numbers, the lower first",
        Kind::Packets => "a general question has no run, and so no frames",
    }
}

fn check_entry(source: &Source<'_>, entry: &QuestionEntry) -> Result<(), FileError> {
    let id = entry.id.get_ref();
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let at_id = |problem: String, fix: &str| Err(source.error(&entry.id, problem, fix));
    if id.is_empty() || !id.chars().all(kebab) {
        return at_id(format!("{id:?} is no id"), "write small letters, digits and hyphens");
    }
    if let Err(problem) = answer_fits(entry) {
        return Err(source.error(&entry.answer, format!("{id}: {problem}"), "write the answer in that form"));
    }
    if normalised(entry.prompt.get_ref()).is_empty() || normalised(&entry.why).is_empty() {
        return at_id(
            format!("{id}: prompt or why is empty"),
            "ask something, and say why the answer is right",
        );
    }
    check_source(source, entry)?;
    check_options(source, entry)?;
    if matches!(entry.kind, Kind::Numeric | Kind::Interval) != entry.tolerance.is_some()
        || entry.tolerance.is_some_and(|t| !t.is_finite() || t < 0.0)
    {
        return at_id(
            format!("{id}: tolerance belongs to numeric and interval questions, and to each of them"),
            "add tolerance = 0 (or more) to a numeric or interval question, remove it from any other",
        );
    }
    if !ELO_RANGE.contains(entry.elo.get_ref()) {
        let problem = format!("{id}: elo is from {} to {}", ELO_RANGE.start(), ELO_RANGE.end());
        return Err(source.error(&entry.elo, problem, "write 1000 for a question of middling difficulty"));
    }
    if let Some(name) =
        entry.competencies.iter().find(|name| !COMPETENCIES.contains(&name.get_ref().as_str()))
    {
        let fix = format!("write one of {}", COMPETENCIES.join(", "));
        return Err(source.error(name, format!("{:?} is no competency", name.get_ref()), fix));
    }
    if entry.competencies.is_empty() {
        return at_id(format!("{id}: it trains nothing"), "add competencies = [\"tools\"]");
    }
    if entry.hints.iter().any(|hint| !(0.0..=1.0).contains(&hint.cost) || hint.text.trim().is_empty()) {
        return at_id(
            format!("{id}: a hint says something and costs from 0 to 1"),
            "write a share such as 0.25",
        );
    }
    check_techniques(source, entry)
}

fn check_source(source: &Source<'_>, entry: &QuestionEntry) -> Result<(), FileError> {
    let named = entry.source.get_ref();
    if named.trim().len() < 8 {
        return Err(source.error(
            &entry.source,
            format!("{}: the source is not named", entry.id.get_ref()),
            "name standard and clause, RFC, vendor's document, ATT&CK id or advisory number",
        ));
    }
    for file in named.split("Fieldrange reference, ").skip(1) {
        let file = file.split([' ', ';', ',']).next().unwrap_or_default();
        if !REFERENCE_FILES.contains(&file) {
            return Err(source.error(
                &entry.source,
                format!("the reference material has no {file:?}"),
                format!("write one of {}", REFERENCE_FILES.join(", ")),
            ));
        }
    }
    Ok(())
}

fn check_options(source: &Source<'_>, entry: &QuestionEntry) -> Result<(), FileError> {
    let id = entry.id.get_ref();
    if matches!(entry.kind, Kind::Single | Kind::Multi) == entry.distractors.is_empty() {
        return Err(source.error(
            &entry.id,
            format!("{id}: distractors belong to single and multi questions, and to each of them"),
            "add distractor = [{ value = \"...\", feedback = \"...\" }], or remove those that are there",
        ));
    }
    let answer = texts(entry.answer.get_ref()).iter();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    if let Some(twice) = answer.map(|text| normalised(text)).find(|text| !seen.insert(text.clone())) {
        return Err(source.error(&entry.answer, format!("{id}: {twice:?} stands twice"), "remove one"));
    }
    for distractor in &entry.distractors {
        let text = normalised(distractor.value.get_ref());
        if text.is_empty() || normalised(&distractor.feedback).is_empty() {
            return Err(source.error(
                &distractor.value,
                format!("{id}: an option without text or feedback"),
                "say what it is, and why it is not the answer",
            ));
        }
        if !seen.insert(text) {
            let problem = format!("{id}: {:?} is an option already", distractor.value.get_ref());
            return Err(source.error(&distractor.value, problem, "remove it, or write another"));
        }
    }
    Ok(())
}

/// Every technique that is named, in `attack` or in a text, is in the pinned table.
fn check_techniques(source: &Source<'_>, entry: &QuestionEntry) -> Result<(), FileError> {
    for id in &entry.attack {
        if attack::technique(id.get_ref()).is_none() {
            let problem = format!("{:?} is no technique of {}", id.get_ref(), attack::VERSION);
            return Err(source.error(id, problem, "write an id such as T0836"));
        }
    }
    let pairs: Vec<&str> = match entry.answer.get_ref() {
        Written::Pairs(pairs) => pairs.iter().flat_map(|(a, b)| [a.as_str(), b.as_str()]).collect(),
        other => texts(other).iter().map(String::as_str).collect(),
    };
    let options = entry.distractors.iter().flat_map(|d| [d.value.get_ref().as_str(), d.feedback.as_str()]);
    let told = [entry.prompt.get_ref().as_str(), entry.why.as_str(), entry.source.get_ref().as_str()];
    for text in told.into_iter().chain(pairs).chain(options) {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let like_ids = words.filter(|word| {
            word.len() == 5 && word.starts_with("T0") && word[1..].bytes().all(|octet| octet.is_ascii_digit())
        });
        if let Some(unknown) = like_ids.into_iter().find(|word| attack::technique(word).is_none()) {
            let problem = format!("{}: {unknown} is no technique of {}", entry.id.get_ref(), attack::VERSION);
            return Err(source.error(&entry.id, problem, "write an id of the table"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
domain = "made-up"
title = "Made up"
labs = ["first-shift"]

[[question]]
id = "one"
kind = "single"
prompt = "Which?"
answer = "this"
source = "RFC 791, section 3.1"
why = "Because."
competencies = ["tools"]
attack = ["T0836"]
elo = 1000
distractor = [{ value = "that", feedback = "Not that." }]
hint = [{ text = "Look.", cost = 0.2 }]
"#;

    #[track_caller]
    fn check_altered(from: &str, to: &str, problem: &str) {
        assert!(GOOD.contains(from), "{from:?}");
        let error = GeneralBank::parse(&[("d.toml", &GOOD.replacen(from, to, 1))]).unwrap_err();
        let line = GOOD[..GOOD.find(from).unwrap()].matches('\n').count() + 1;
        assert!(error.problem.contains(problem), "{error}");
        assert!(error.line.abs_diff(line) <= 11 && error.line > 0 && !error.fix.is_empty(), "{error}");
    }

    #[test]
    fn mistakes_are_named_with_line_and_fix() {
        assert_eq!(GeneralBank::parse(&[("d.toml", GOOD)]).unwrap().questions().len(), 1);
        check_altered("kind =", "sort =", "unknown field `sort`");
        check_altered("answer = \"this\"", "answer = 3", "single wants one text");
        check_altered("answer = \"this\"", "answer = true", "a number, a text");
        check_altered("\"this\"", "\" That. \"", "is an option already");
        check_altered("\"RFC 791, section 3.1\"", "\"RFC\"", "source is not named");
        check_altered("RFC 791, section 3.1", "Fieldrange reference, gossip.md", "no \"gossip.md\"");
        check_altered("\"tools\"", "\"tool\"", "no competency");
        check_altered("[\"tools\"]", "[]", "trains nothing");
        check_altered("T0836", "T0999", "no technique");
        check_altered("Because.", "T0999 is.", "no technique");
        check_altered("\"Not that.\"", "\" \"", "without text or feedback");
        check_altered("elo = 1000", "elo = 10", "elo is from");
        check_altered("cost = 0.2", "cost = 2", "costs from 0 to 1");
        check_altered("elo =", "tolerance = 1\nelo =", "tolerance belongs");
        check_altered("\"one\"", "\"One\"", "is no id");
        check_altered("\"single\"", "\"packets\"", "no frames");
        check_altered("\"single\"", "\"text\"", "distractors belong");
        check_altered("labs = [\"first-shift\"]", "labs = []", "at least one lab");
    }

    #[test]
    fn ids_and_prompts_are_one_bank_wide() {
        let other = GOOD.replace("made-up", "other");
        let refuse = |text: &str, problem: &str| {
            let error = GeneralBank::parse(&[("a.toml", GOOD), ("b.toml", text)]).unwrap_err();
            assert!(error.problem.contains(problem) && error.file == "b.toml", "{error}");
        };
        refuse(GOOD, "has this domain");
        refuse(&other, "is called \"one\"");
        refuse(&other.replace("\"one\"", "\"two\""), "asks the same");
    }
}
