//! `rules`: what comes with the sensor, and whether a rule fires.

use std::io::Write;
use std::path::PathBuf;

use site::FileError;

use super::sense::{SenseArgs, feed};
use super::summary::Tally;
use super::{SenseError, Verdict};
use crate::examples::check_examples;
use crate::rules::{RuleCard, RuleSet};
use crate::sensor::Summary;

/// What is done with rules.
#[derive(Debug, clap::Subcommand)]
pub enum RulesCommand {
    /// List the rules that come with the sensor, and those of a directory
    #[command(after_help = "Example:\n  fieldrange-sensor rules list --json | jq -r '.name'")]
    List(RulesListArgs),
    /// Show a rule the examples in its file, or tell how often it fires on a capture
    #[command(
        after_help = "Example:\n  fieldrange-sensor rules test my-rule.yml --capture span.pcapng --site waterworks\n\nLoading finds a misspelt key, a field that no record has, a log that there is not. Without --capture the rule is\nshown its examples, `fires` and `silent` under `custom`; the exit code is 1 if one does not hold.\nWith --expect the exit code is 1 unless each rule fires at least (or with --expect 0, never) so often."
    )]
    Test(RulesTestArgs),
}

/// Which rules are listed, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct RulesListArgs {
    /// Directory with Sigma rules of your own, listed beside the others
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// Print one JSON object per rule
    #[arg(long)]
    pub json: bool,
}

/// Which rule is tested on what.
#[derive(Clone, Debug, clap::Args)]
pub struct RulesTestArgs {
    /// File with the rule
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Capture to show it
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// Documentation of the site: the name of one that comes with Fieldrange, or a file ending in .toml
    #[arg(long, value_name = "NAME|FILE")]
    pub site: Option<String>,
    /// How long the baseline learns from the first frame on, as in 90s, 30min, 2h
    #[arg(long, value_name = "SPAN", value_parser = super::span::parse_span)]
    pub learn: Option<std::time::Duration>,
    /// How often each rule must fire at least; 0: not at all
    #[arg(long, value_name = "COUNT", requires = "capture")]
    pub expect: Option<u64>,
    /// Print one JSON object per rule
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn rules(command: &RulesCommand, out: &mut dyn Write) -> Result<Verdict, SenseError> {
    match command {
        RulesCommand::List(args) => list(args, out),
        RulesCommand::Test(args) => test(args, out),
    }
}

fn list(args: &RulesListArgs, out: &mut dyn Write) -> Result<Verdict, SenseError> {
    let rules = match &args.rules {
        Some(directory) => RuleSet::with_directory(directory)?,
        None => RuleSet::embedded()?,
    };
    for card in rules.cards() {
        let line = if args.json {
            serde_json::to_string(card).unwrap_or_default()
        } else {
            format!("{:13}  {:30}  {:18}  {}", card.level, card.name, card.techniques.join(","), card.title)
        };
        writeln!(out, "{line}").map_err(SenseError::Output)?;
    }
    Ok(Verdict::Clear)
}

fn test(args: &RulesTestArgs, out: &mut dyn Write) -> Result<Verdict, SenseError> {
    let file = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).map_err(|error| FileError {
        file: file.clone(),
        line: 0,
        problem: error.to_string(),
        fix: "name a file with a Sigma rule".to_owned(),
    })?;
    let rules = RuleSet::load([(file.clone(), text.clone())])?;
    let cards: Vec<RuleCard> = rules.cards().into_iter().cloned().collect();
    let Some(capture) = &args.capture else { return test_examples(&file, &text, &cards, out) };
    let sense = SenseArgs {
        read: Some(capture.clone()),
        site: args.site.clone(),
        learn: args.learn,
        ..SenseArgs::default()
    };
    let tally = Tally::default();
    let (summary, broken) = feed(&sense, Some(rules), vec![Box::new(tally.clone())])?;
    let tally = tally.take();
    let mut verdict = Verdict::Clear;
    for card in &cards {
        let told = tally.rules.get(&card.name);
        let count = told.map_or(0, |told| told.count);
        if args.expect.is_some_and(|expected| if expected == 0 { count > 0 } else { count < expected }) {
            verdict = Verdict::Found;
        }
        let line = if args.json {
            let first = told.map(|told| told.first.as_str());
            serde_json::json!({ "rule": card.name, "findings": count, "first": first, "frames": summary.frames })
                .to_string()
        } else if let Some(told) = told {
            let noun = if count == 1 { "finding" } else { "findings" };
            format!("{}: {count} {noun} in {} frames, first: {}", card.name, summary.frames, told.first)
        } else {
            format!("{}: fires on none of {} frames; {}", card.name, summary.frames, seen(&summary))
        };
        writeln!(out, "{line}").map_err(SenseError::Output)?;
    }
    broken.map_or(Ok(verdict), Err)
}

/// Shows the rules of a file the examples that stand in it.
fn test_examples(
    file: &str,
    text: &str,
    cards: &[RuleCard],
    out: &mut dyn Write,
) -> Result<Verdict, SenseError> {
    let (complaints, count) = check_examples(file, text)?;
    for card in cards {
        let techniques = card.techniques.join(", ");
        writeln!(out, "{}: loads ({}, {techniques})", card.name, card.level).map_err(SenseError::Output)?;
    }
    let told = match (count, complaints.is_empty()) {
        (0, _) => {
            "no examples in it: give it records on which it fires and is silent, under custom".to_owned()
        }
        (1, true) => "1 example holds".to_owned(),
        (_, true) => format!("{count} examples hold"),
        (_, false) => complaints.join("\n"),
    };
    writeln!(out, "{told}").map_err(SenseError::Output)?;
    Ok(if count > 0 && !complaints.is_empty() { Verdict::Found } else { Verdict::Clear })
}

/// What a rule could have looked at, for somebody who wonders why it is silent.
fn seen(summary: &Summary) -> String {
    let told: Vec<_> = summary.rows().map(|(log, count)| format!("{count} in {log}")).collect();
    if told.is_empty() { "there were no records".to_owned() } else { format!("records: {}", told.join(", ")) }
}
