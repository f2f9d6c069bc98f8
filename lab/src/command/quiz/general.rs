//! The general bank in the terminal: papers, sessions that adapt to the person, and the assessment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use quizzes::export::Topic;
use quizzes::progress::Answered;
use quizzes::{GeneralBank, GeneralQuestion, Level, Progress, ResolvedQuestion};
use record::{StartTime, VirtualTime};
use serde_json::{Value, json};

use super::Sitting;
use super::asking::{Given, ask};
use super::printing::{Sum, print_paper, print_solved, print_sum, print_verdict};
use crate::cli::QuizArgs;
use crate::exit::Exit;

const QUESTIONS_IN_A_SESSION: u32 = 10;
/// Two for each of the eight domains.
const QUESTIONS_IN_AN_ASSESSMENT: u32 = 16;
const SECONDS_PER_DAY: u64 = 86_400;
/// The word for every domain.
const ALL: &str = "all";

pub(super) fn quiz(args: &QuizArgs) -> Result<Exit> {
    let bank = GeneralBank::bundled()?;
    if args.list {
        return list(args, &bank);
    }
    let domains = domains(args, &bank)?;
    if let Some(form) = args.export {
        let topic = |name: &&str| {
            let domain = bank.domain(name)?;
            let questions = bank.questions_of(name).map(|question| question.resolved(args.seed)).collect();
            Some(Topic { name: domain.name.clone(), title: domain.title.clone(), questions })
        };
        let topics = domains.iter().filter_map(topic).collect();
        return super::export::export(args, form, topics, &variant(args.seed));
    }
    let of_domains =
        || bank.questions().iter().filter(|question| domains.contains(&question.domain.as_str()));
    if args.solve || args.paper {
        let shown: Vec<ResolvedQuestion> =
            of_domains().map(|question| question.resolved(args.seed)).collect();
        return if args.solve { print_solved(args, &shown) } else { print_paper(args, &shown) };
    }
    let day = day(args)?;
    let mut progress = progress_of(args)?;
    let (asked, given) = match &args.answers {
        Some(file) => {
            let asked: Vec<&GeneralQuestion> = of_domains().collect();
            let given = super::from_file(file, &resolved(&asked, progress.seed()))?;
            for (question, given) in asked.iter().zip(&given) {
                progress.take(question, &answered(given, day));
            }
            (asked, given)
        }
        None => session(args, &bank, &domains, &mut progress, day)?,
    };
    if let Some(file) = &args.person {
        save(file, &progress.to_json())?;
    }
    tell(args, &bank, &domains, &progress, &asked, &given);
    // Each question's flag is that of its domain, whichever were asked together.
    for (question, given) in asked.iter().zip(&given) {
        let sitting = Sitting { topic: question.domain.clone(), variant: variant(progress.seed()) };
        let shown = [question.resolved(progress.seed())];
        super::flags::print(args, &sitting, &shown, std::slice::from_ref(given))?;
    }
    Ok(Exit::Done)
}

/// Of general questions it is the order of options that differs.
fn variant(seed: u64) -> String {
    format!("seed {seed}")
}

fn list(args: &QuizArgs, bank: &GeneralBank) -> Result<Exit> {
    let mut rows = Vec::new();
    for domain in bank.domains() {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for question in bank.questions_of(&domain.name) {
            let kind = serde_json::to_value(question.kind)?.as_str().unwrap_or_default().to_owned();
            *kinds.entry(kind).or_default() += 1;
        }
        rows.push((domain, bank.questions_of(&domain.name).count(), kinds));
    }
    if args.json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(domain, count, kinds)| json!({ "domain": domain.name, "title": domain.title, "questions": count, "kinds": kinds, "labs": domain.labs }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(Exit::Done);
    }
    println!("domain\tquestions\ttitle\tkinds\tlabs");
    for (domain, count, kinds) in rows {
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        println!(
            "{}\t{count}\t{}\t{}\t{}",
            domain.name,
            domain.title,
            kinds.join(","),
            domain.labs.join(",")
        );
    }
    Ok(Exit::Done)
}

/// Names of the domains that are asked from.
fn domains<'b>(args: &QuizArgs, bank: &'b GeneralBank) -> Result<Vec<&'b str>> {
    let all = || bank.domains().iter().map(|domain| domain.name.as_str());
    match args.domain.as_deref() {
        None | Some(ALL) => Ok(all().collect()),
        Some(name) => match bank.domain(name) {
            Some(domain) => Ok(vec![domain.name.as_str()]),
            None => bail!(
                "there is no domain {name:?}\n  fix: write {ALL}, or one of {}",
                all().collect::<Vec<_>>().join(", ")
            ),
        },
    }
}

/// Days since 1970-01-01, UTC.
fn day(args: &QuizArgs) -> Result<u32> {
    let seconds = match &args.date {
        Some(date) => {
            let midnight: Result<StartTime, _> = format!("{date}T00:00:00Z").parse();
            let midnight = midnight
                .with_context(|| format!("--date {date} is no day\n  fix: write it as in 2026-03-31"))?;
            midnight.unix_nanos(VirtualTime::ZERO) / 1_000_000_000
        }
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |span| span.as_secs()),
    };
    Ok(u32::try_from(seconds / SECONDS_PER_DAY).unwrap_or(u32::MAX))
}

fn progress_of(args: &QuizArgs) -> Result<Progress> {
    let Some(file) = &args.person else { return Ok(Progress::new(args.seed)) };
    match fs::read_to_string(file) {
        Ok(text) => Progress::parse(&text).with_context(|| file.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Progress::new(args.seed)),
        Err(error) => Err(error).with_context(|| file.display().to_string()),
    }
}

/// Writes the file whole or not at all: a session that is cut off must not cost what was learnt before.
fn save(file: &Path, text: &str) -> Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, file))
        .with_context(|| format!("{}: what you know could not be kept", file.display()))
}

fn resolved(questions: &[&GeneralQuestion], seed: u64) -> Vec<ResolvedQuestion> {
    questions.iter().map(|question| question.resolved(seed)).collect()
}

fn answered(given: &Given, day: u32) -> Answered {
    Answered { credit: given.mark.credit, hints: given.hints.clone(), certainty: given.certainty, day }
}

/// Asks one question after another, each chosen by what the answers so far say. The end of the input ends it early.
fn session<'b>(
    args: &QuizArgs,
    bank: &'b GeneralBank,
    domains: &[&str],
    progress: &mut Progress,
    day: u32,
) -> Result<(Vec<&'b GeneralQuestion>, Vec<Given>)> {
    let usual = if args.assess { QUESTIONS_IN_AN_ASSESSMENT } else { QUESTIONS_IN_A_SESSION };
    let mut input = std::io::stdin().lock();
    let (mut asked, mut all) = (Vec::new(), Vec::new());
    let mut ids = BTreeSet::new();
    for number in 1..=args.count.unwrap_or(usual) {
        // An assessment asks what is new and leaves what is due to the sessions.
        let question = if args.assess {
            progress.next_new(bank, domains, &ids)
        } else {
            progress.next(bank, domains, &ids, day)
        };
        let Some(question) = question else { break };
        let Some(given) = ask(number as usize, &question.resolved(progress.seed()), &mut input)? else {
            break;
        };
        progress.take(question, &answered(&given, day));
        ids.insert(question.id.clone());
        asked.push(question);
        all.push(given);
        if let Some(file) = &args.person {
            save(file, &progress.to_json())?;
        }
    }
    Ok((asked, all))
}

fn tell(
    args: &QuizArgs,
    bank: &GeneralBank,
    domains: &[&str],
    progress: &Progress,
    asked: &[&GeneralQuestion],
    given: &[Given],
) {
    let mut standing: Vec<Standing<'_>> = bank
        .domains()
        .iter()
        .filter(|domain| domains.contains(&domain.name.as_str()))
        .map(|domain| {
            let rating = progress.rating(&domain.name);
            let level = (rating.answers > 0).then(|| Level::of(rating.elo));
            Standing {
                name: &domain.name,
                elo: rating.elo,
                answers: rating.answers,
                level,
                lab: level.and_then(|level| level.lab(domain)),
            }
        })
        .collect();
    if args.json {
        let resolved = resolved(asked, progress.seed());
        let rows: Vec<Value> =
            resolved.iter().zip(given).map(|(question, given)| given.row(question)).collect();
        let levels: Vec<Value> = standing.iter().map(Standing::row).collect();
        let sum = Sum::of(given);
        println!(
            "{}",
            json!({ "questions": rows, "right": sum.right, "credit": sum.credit, "points": sum.points, "levels": levels })
        );
        return;
    }
    if args.answers.is_some() {
        for (question, given) in asked.iter().zip(given) {
            print_verdict(&format!("{}: ", question.id), given);
        }
    }
    print_sum(given);
    println!("\ndomain\tlevel\trating\tanswers");
    for row in &standing {
        let level = row.level.map_or_else(|| "-".to_owned(), |level| level.to_string());
        println!("{}\t{level}\t{:.0}\t{}", row.name, row.elo, row.answers);
    }
    if args.assess {
        standing.sort_by(|a, b| a.elo.total_cmp(&b.elo));
        for row in standing.iter().take(3) {
            if let Some(lab) = row.lab {
                println!("next for {}: {}", row.name, lab_command(lab));
            }
        }
    }
}

/// How to begin a scenario.
fn lab_command(lab: &str) -> String {
    match lab {
        "first-shift" => "fieldrange shift".to_owned(),
        other => format!("fieldrange run {other} --live"),
    }
}

/// Where a person stands in a domain.
struct Standing<'a> {
    name: &'a str,
    elo: f64,
    answers: u32,
    /// None where nothing was answered.
    level: Option<Level>,
    lab: Option<&'a str>,
}

impl Standing<'_> {
    fn row(&self) -> Value {
        json!({ "domain": self.name, "rating": self.elo, "answers": self.answers, "level": self.level, "lab": self.lab })
    }
}
