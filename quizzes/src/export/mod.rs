//! What other people's programs read: learning platforms, contests, matrices, threat feeds, wallets.
//!
//! # Theory of operation
//! Every export is a pure function from what Fieldrange knows (questions, truth, calls, a score) to text. None reads a
//! clock or draws anything at random: ids are UUIDs of version 5 over what they name, so the same seed gives the same
//! octets, and an import that is done twice finds what it has already. Everything says EXERCISE.
//!
//! | module | reader | form |
//! |---|---|---|
//! | [`gift`] | Moodle and others | GIFT; five of the eight kinds of questions |
//! | [`moodle`] | Moodle | its XML; all kinds |
//! | [`ctfd`] | CTFd, by ctfcli | `challenge.yml`, version 0.1; its secrets are [`flag`] |
//! | [`xapi`] | a learning record store | statements of xAPI 1.0.3 |
//! | [`results`] | spreadsheets, scripts | CSV and JSON |
//! | [`navigator`] | ATT&CK Navigator | layer 4.5 |
//! | [`stix`] | threat intelligence platforms | STIX 2.1, anonymised |
//! | [`labels`] | pandas and the like | CSV per frame and per interval |
//! | [`badge`] | wallets and verifiers | Open Badges 3.0 as a signed JWT |

pub mod badge;
pub mod ctfd;
pub mod flag;
pub mod gift;
pub mod labels;
pub mod moodle;
pub mod navigator;
pub mod results;
pub mod stix;
pub mod xapi;

use ring::digest;

use crate::bank::{Answer, ResolvedQuestion};

/// Questions that belong together: a domain of the general bank, or those on one run.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Short name, `protocols` or a scenario's.
    pub name: String,
    /// What people read.
    pub title: String,
    /// In the order in which they are asked.
    pub questions: Vec<ResolvedQuestion>,
}

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// Path under the directory of the export.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Where names of this program live: no such host exists (RFC 2606).
pub(crate) const HOME: &str = "https://fieldrange.example";

/// Namespace of ids, itself a UUID of version 5: of [`HOME`] in the namespace for URLs (RFC 9562, section 6.6).
const NAMESPACE: [u8; 16] =
    [0x11, 0xfe, 0x7f, 0x39, 0xc7, 0xa0, 0x54, 0x5b, 0xaf, 0xeb, 0x5c, 0xfd, 0x0d, 0xce, 0x86, 0xaa];

/// A UUID of version 5 over names that are told apart (RFC 9562, section 5.5).
pub(crate) fn uuid(names: &[&str]) -> String {
    uuid_in(NAMESPACE, &serde_json::json!(names).to_string())
}

/// A UUID of version 5 in a namespace of somebody else.
pub(crate) fn uuid_in(namespace: [u8; 16], name: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(&namespace);
    context.update(name.as_bytes());
    let hash = context.finish();
    let mut octets: [u8; 16] = std::array::from_fn(|n| hash.as_ref().get(n).copied().unwrap_or(0));
    octets[6] = octets[6] & 0x0f | 0x50;
    octets[8] = octets[8] & 0x3f | 0x80;
    let digits = record::hex(&octets);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// A title as the name of one category: Moodle parts categories at a single stroke.
pub(crate) fn category(title: &str) -> String {
    title.replace('/', "//")
}

/// The text of a right letter.
pub(crate) fn option_text(question: &ResolvedQuestion, letter: char) -> &str {
    let found = question.options.iter().find(|option| option.letter == letter);
    found.map_or("", |option| option.text.as_str())
}

/// Pairs of a match: item and the text of what belongs to it.
pub(crate) fn pairs<'q>(question: &'q ResolvedQuestion, letters: &[char]) -> Vec<(&'q str, &'q str)> {
    let right = letters.iter().map(|letter| option_text(question, *letter));
    question.items.iter().map(String::as_str).zip(right).collect()
}

/// Whether a letter is right in a question with options.
pub(crate) fn is_right(question: &ResolvedQuestion, letter: char) -> bool {
    match &question.answer {
        Answer::Choice(right) => *right == letter,
        Answer::Choices(right) => right.contains(&letter),
        _ => false,
    }
}

/// The prompt with the unit that a number is wanted in.
pub(crate) fn prompt(question: &ResolvedQuestion) -> String {
    match &question.unit {
        Some(unit) => format!("{} (in {unit})", question.prompt),
        None => question.prompt.clone(),
    }
}

/// Feedback that everybody sees afterwards: why, and where to look.
pub(crate) fn feedback(question: &ResolvedQuestion) -> String {
    format!("{} Source: {}.", question.right, question.evidence.trim_end_matches('.'))
}

/// Marks in percent of one right and one wrong choice among `right` right ones, as the law of multi questions has it; to
/// five decimals, rounded down, since Moodle takes 16.66666 for a sixth and refuses more than 100 in all.
pub(crate) fn share(right: usize) -> f64 {
    (1e7 / right.max(1) as f64).floor() / 1e5
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9562, appendix A.4: `www.example.com` in the namespace for DNS.
    #[test]
    fn uuids_are_of_version_5() {
        let dns =
            [0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
        assert_eq!(uuid_in(dns, "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
        let url =
            [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
        assert_eq!(uuid_in(url, HOME).replace('-', ""), record::hex(&NAMESPACE));
        assert_ne!(uuid(&["a", "bc"]), uuid(&["ab", "c"]));
    }

    #[test]
    fn shares_never_add_up_to_more_than_all() {
        assert_eq!([share(1), share(2), share(3), share(6)], [100.0, 50.0, 33.33333, 16.66666]);
        for right in 1..=10 {
            let sum = share(right) * right as f64;
            assert!((99.999..=100.0).contains(&sum), "{right}: {sum}");
        }
    }
}
