//! Flags of a contest for answers that are right.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use quizzes::ResolvedQuestion;
use quizzes::export::flag::EventKey;

use super::Sitting;
use super::asking::Given;
use crate::cli::QuizArgs;

/// The key of an event from its file.
pub(super) fn read_key(file: &Path) -> Result<EventKey> {
    let name = || file.display().to_string();
    EventKey::parse(&fs::read_to_string(file).with_context(name)?).with_context(name)
}

/// Id and flag of every question that was answered rightly; empty without a key.
pub(super) fn of(
    args: &QuizArgs,
    sitting: &Sitting,
    questions: &[ResolvedQuestion],
    given: &[Given],
) -> Result<BTreeMap<String, String>> {
    let (Some(file), Some(person)) = (&args.event_key, &args.whose) else { return Ok(BTreeMap::new()) };
    let key = read_key(file)?;
    let right = questions.iter().zip(given).filter(|(_, given)| given.mark.right);
    let flag = |id: &String| (id.clone(), key.flag(&sitting.topic, &sitting.variant, person, id));
    Ok(right.map(|(question, _)| flag(&question.id)).collect())
}

pub(super) fn print(
    args: &QuizArgs,
    sitting: &Sitting,
    questions: &[ResolvedQuestion],
    given: &[Given],
) -> Result<()> {
    if !args.json {
        for (id, flag) in of(args, sitting, questions, given)? {
            println!("{id}\t{flag}");
        }
    }
    Ok(())
}
