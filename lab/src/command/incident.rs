//! `fieldrange incident`: the incident of the week, the same for everybody who has its code.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use quizzes::export::badge::{IssuerKey, is_signed};
use quizzes::incident::Twelve;
use quizzes::{RecordView, ScoreInput, read_calls};
use record::{Role, RunReader};
use scenarios::{Difficulty, Scenario};

use super::pack::pack_for_trainee;
use crate::cli::{IncidentArgs, IncidentWhat, WhichRun};
use crate::exit::Exit;
use crate::kernel_thread::on_kernel_thread;
use crate::order::{Ordered, order};
use crate::progress::Progress;
use crate::recording::{Audience, Drive, Outcome, record_run};
use crate::story;

/// Longest run of an incident, hours of plant.
const LONGEST_HOURS: f64 = 9.0;

pub(crate) fn incident(args: &IncidentArgs) -> Result<Exit> {
    match &args.what {
        IncidentWhat::New => {
            let mut octets = [0; 8];
            getrandom::fill(&mut octets).map_err(|error| anyhow!("no random octets: {error}"))?;
            let key = Twelve::from_bits(u64::from_be_bytes(octets));
            println!("code  {}  publish it now", key.code());
            println!("key   {key}  publish it when the week is over");
            Ok(Exit::Done)
        }
        IncidentWhat::Play { code, out } => play(*code, out),
        IncidentWhat::Score { code, calls, whose, key } => score(*code, calls, whose, key.as_deref()),
        IncidentWhat::Check { line, key } => check(line, key),
        IncidentWhat::Tell { code, key } => tell(*code, *key),
    }
}

/// The run that a code stands for: a scenario whose cause can be drawn.
fn ordered(code: Twelve) -> Result<Ordered> {
    let mut fit = Vec::new();
    for name in Scenario::names() {
        let plan = Scenario::named(name)?.plan(1, &std::collections::BTreeMap::new(), true);
        if plan.is_ok_and(|plan| plan.end.as_secs_f64() <= LONGEST_HOURS * 3600.0) {
            fit.push(name);
        }
    }
    let (scenario, seed) = code.incident(fit.len());
    let name = fit.get(scenario).context("no scenario has a cause that can be drawn")?;
    order(name, &WhichRun { seed, blind: true, settings: Vec::new(), level: Difficulty::default() })
}

fn made(code: Twelve, out: &Path) -> Result<(Ordered, Outcome)> {
    let ordered = ordered(code)?;
    let progress = Progress::start("incident", ordered.order.plan.end);
    let outcome = on_kernel_thread(|| {
        record_run(&ordered.order, Drive::Fast { acts: Vec::new() }, out, &progress, Audience::default())
    })?;
    progress.end();
    Ok((ordered, outcome))
}

fn play(code: Twelve, out: &Path) -> Result<Exit> {
    let scratch = tempfile::tempdir().context("no room for a scratch directory")?;
    let whole = scratch.path().join("run");
    made(code, &whole)?;
    let count = pack_for_trainee(&RunReader::open(&whole)?, out, Some(&format!("incident {code}")))?;
    println!("{}: {count} files. Was it an attack, a fault, or authorised work?", out.display());
    println!("Write your calls down, then: fieldrange incident score {code} --calls FILE --for NAME");
    Ok(Exit::Done)
}

fn score(code: Twelve, calls: &Path, whose: &str, key: Option<&Path>) -> Result<Exit> {
    // Before the run: a key that cannot be read is told at once.
    let key = key
        .map(|path| IssuerKey::parse(&read(path)?).with_context(|| path.display().to_string()))
        .transpose()?;
    let name = calls.display().to_string();
    let text = read(calls)?;
    let scratch = tempfile::tempdir().context("no room for a scratch directory")?;
    let whole = scratch.path().join("run");
    made(code, &whole)?;
    let view = RecordView::open(&whole)?;
    let duration = view.manifest().duration;
    // Times are those of a record studied later: when a call was written down says nothing.
    let form = quizzes::Form::Offline;
    let calls = match read_calls(&name, &text, view.names(), duration, form) {
        Ok(calls) => calls,
        Err(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            return Ok(Exit::Unusable);
        }
    };
    let score = quizzes::score(&ScoreInput {
        truth: view.truth()?,
        calls: &calls,
        duration,
        role: Role::Analyst,
        form,
        names: view.names(),
        false_call_weight: None,
    });
    let detect = score.detect.map_or_else(|| "-".to_owned(), |detect| format!("{detect:.1}"));
    let line = format!("fieldrange incident {code}  {whose}  detection {detect}  calls {}", calls.len());
    match key {
        Some(key) => println!("{line}{SIGNED}{}", key.sign_text(&line)),
        None => println!("{line}"),
    }
    Ok(Exit::Done)
}

/// Between a line and its signature.
const SIGNED: &str = "  signed ";

fn check(line: &str, key: &Path) -> Result<Exit> {
    let Some((said, signature)) = line.trim().rsplit_once(SIGNED) else {
        bail!(
            "this line is not signed\n  fix: hand over the whole line, and sign it with `incident score --key FILE`"
        );
    };
    let holds = is_signed(&read(key)?, said, signature).with_context(|| key.display().to_string())?;
    println!("{}", if holds { "as it was signed" } else { "altered, or signed with another key" });
    Ok(if holds { Exit::Done } else { Exit::FoundWrong })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn tell(code: Twelve, key: Twelve) -> Result<Exit> {
    if key.code() != code {
        bail!(
            "this key belongs to {}, not to {code}\n  fix: ask whoever set the incident for its key",
            key.code()
        );
    }
    let scratch = tempfile::tempdir().context("no room for a scratch directory")?;
    let (ordered, outcome) = made(code, &scratch.path().join("run"))?;
    let plan = &ordered.order.plan;
    println!(
        "incident {code}: {} (`{}`), seed {}, cause drawn\n",
        ordered.scenario.texts().title,
        plan.scenario,
        plan.seed
    );
    print!(
        "{}",
        story::tell(&ordered.scenario, &outcome.truth, &outcome.manifest, &outcome.actual, &outcome.clean)
    );
    println!(
        "\nThe same again, to look into: fieldrange simulate {} --seed {} --blind --out DIR",
        plan.scenario, plan.seed
    );
    Ok(Exit::Done)
}
