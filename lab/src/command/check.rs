//! `fieldrange check`: does everything that comes with the program hold together, and are its scenarios fair?

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use quizzes::task::Work;
use quizzes::{BotInput, GeneralBank, QuestionSet, RecordView, bands, false_call_weight, play_all};
use record::{Channel, Finding, Level, Role, TruthStep, Verdict, VirtualTime};
use scenarios::{Cast, Difficulty, LEVEL, Scenario, Tabletop};
use serde::Serialize;

use crate::cli::{CheckArgs, WhichRun};
use crate::exit::Exit;
use crate::kernel_thread::on_kernel_thread;
use crate::order::order;
use crate::progress::Progress;
use crate::recording::{Audience, Drive, record_run};
use crate::report::{ActingResult, play_acting};
use crate::side_by_side::in_order;

/// Seeds of a scenario without an attack that are run where none is asked for by name: each is a whole day.
const QUIET_SEEDS_MAX: u64 = 5;

/// The seed for which the bots that act are played.
const ACTING_SEED: u64 = 1;

#[derive(Debug, Default, Serialize)]
struct Row {
    scenario: String,
    seed: u64,
    /// D of each bot, in the order of the bots; empty for scenarios without an attack.
    bots: Vec<(String, Option<f64>)>,
    /// Bots that act; played for the first seed of a scenario, since each of them is a run of its own.
    acting: Vec<ActingResult>,
    /// Seconds from the first hostile act to the first finding of medium or above.
    first_finding_s: Option<f64>,
    findings_above_low: usize,
    /// Hostile steps that show on the network, and how many of them have a frame in a finding of medium or above.
    steps_shown: usize,
    steps_found: usize,
    problems: Vec<String>,
}

pub(crate) fn check(args: &CheckArgs) -> Result<Exit> {
    if !args.files.is_empty() {
        return check_files(&args.files);
    }
    if args.seeds == 0 {
        bail!("--seeds must be at least 1\n  fix: leave it out for two seeds per scenario");
    }
    check_bundled()?;
    if !args.json {
        for name in Scenario::names() {
            println!("{name}\ttexts: {}", Scenario::languages(name).join(", "));
        }
    }
    let named = args.scenario.as_deref();
    if let Some(name) = named {
        check_injects(&Scenario::load(name)?)?;
    }
    let mut runs = Vec::new();
    for name in named.map_or_else(|| Scenario::names().collect(), |named| vec![named]) {
        let quiet = named.is_none() && !Scenario::named(name)?.has_attack();
        let seeds = if quiet { args.seeds.min(QUIET_SEEDS_MAX) } else { args.seeds };
        runs.extend((1..=seeds).map(|seed| (name, seed)));
    }
    let mut rows = Vec::new();
    let check_one = |(name, seed): &(&str, u64)| {
        check_run(name, *seed, args.level).with_context(|| format!("{name}, seed {seed}"))
    };
    in_order(&runs, check_one, |row| {
        if !args.json {
            print_row(&row);
        }
        rows.push(row);
        Ok(())
    })?;
    let problems = rows.iter().map(|row| row.problems.len()).sum::<usize>();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("{} runs, {problems} problems", rows.len());
    }
    Ok(if problems == 0 { Exit::Done } else { Exit::FoundWrong })
}

/// Reads everything that comes with the program.
fn check_bundled() -> Result<()> {
    for name in site::Site::names() {
        site::Site::named(name)?;
    }
    for name in sim::Plant::names() {
        sim::Plant::named(name, 1)?;
    }
    for name in QuestionSet::names() {
        for language in QuestionSet::languages(name) {
            QuestionSet::named_in(name, &language)?;
        }
    }
    for name in Scenario::names() {
        check_languages(name)?;
    }
    for name in Scenario::names() {
        check_injects(&Scenario::named(name)?)?;
    }
    check_general_bank(&GeneralBank::bundled()?)?;
    check_tasks()?;
    sensor::rules::RuleSet::embedded()?;
    for name in Tabletop::names() {
        Tabletop::load(name, "en", &Scenario::named(name)?)?;
    }
    Ok(())
}

/// Reads a scenario's texts in every language that it has; those, joined by commas.
fn check_languages(name: &str) -> Result<String> {
    let languages = Scenario::languages(name);
    for language in &languages {
        Scenario::load_in(name, language)?;
    }
    Ok(languages.join(", "))
}

/// Every inject is said in some run: with one of the causes, at one of the levels, with one of a few seeds.
fn check_injects(scenario: &Scenario) -> Result<()> {
    const SEEDS: u64 = 8;
    let file = scenario.file();
    let mut unsaid: BTreeSet<&str> = file.injects.iter().map(|inject| inject.id.get_ref().as_str()).collect();
    let causes = file.blind.as_ref().map(|blind| blind.causes.get_ref().as_slice()).unwrap_or_default();
    let by_cause = causes.iter().map(|cause| BTreeMap::from([("cause".to_owned(), cause.clone())]));
    for settings in std::iter::once(BTreeMap::new()).chain(by_cause) {
        for (level, seed) in
            Difficulty::ALL.into_iter().flat_map(|level| (1..=SEEDS).map(move |seed| (level, seed)))
        {
            if unsaid.is_empty() {
                return Ok(());
            }
            let mut settings = settings.clone();
            settings.insert(LEVEL.to_owned(), level.to_string());
            let plan = scenario.plan(seed, &settings, false)?;
            for inject in plan.injects.iter().filter(|inject| plan.is_told(inject, &Cast::full())) {
                unsaid.remove(inject.id.as_str());
            }
        }
    }
    match unsaid.first() {
        None => Ok(()),
        Some(id) => bail!(
            "{}: the inject {id:?} is said in no run\n  fix: let it need an event that takes place",
            scenario.id()
        ),
    }
}

/// Labs that the general bank recommends are scenarios. Everything else about it was checked while it was read.
fn check_general_bank(bank: &GeneralBank) -> Result<()> {
    for domain in bank.domains() {
        for lab in &domain.labs {
            Scenario::named(lab).with_context(|| format!("{} recommends {lab}", domain.name))?;
        }
    }
    Ok(())
}

/// What a task is tried on exists: its scenarios, and the hosts of its probes.
fn check_tasks() -> Result<()> {
    for task in quizzes::task::tasks()? {
        match &task.work {
            Work::Baseline { runs } | Work::Rule { runs, .. } => {
                for run in runs {
                    Scenario::named(&run.scenario).with_context(|| format!("task {}", task.name))?;
                }
            }
            Work::Firewall { site, probes } => {
                let site = site::Site::named(site)?;
                let unknown = probes
                    .iter()
                    .flat_map(|probe| [&probe.from, &probe.to])
                    .find(|name| site.host(name).is_none());
                if let Some(name) = unknown {
                    bail!("task {}: the site {} has no host {name:?}", task.name, site.name);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Reads files of a person's own; what each is, its keys tell.
fn check_files(files: &[std::path::PathBuf]) -> Result<Exit> {
    for path in files {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| file.clone())?;
        let what = match path.extension().and_then(|extension| extension.to_str()) {
            Some("yml" | "yaml") => {
                sensor::rules::RuleSet::load([(file.clone(), text)])?;
                "rule"
            }
            Some("jsonl") => bail!("{file}: calls are checked by `fieldrange score`"),
            _ if path.file_name().is_some_and(|name| name == "scenario.toml") => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or_else(|| Path::new(".")).display().to_string();
                // A folder without a separator in its name would be taken for a scenario that comes with the program.
                println!("{file}: texts: {}", check_languages(&format!("{folder}/"))?);
                "scenario"
            }
            _ if path.file_name().is_some_and(|name| name == "tabletop.toml") => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = format!("{}/", folder.unwrap_or_else(|| Path::new(".")).display());
                Tabletop::load(&folder, "en", &Scenario::load(&folder)?)?;
                "tabletop"
            }
            _ if text.lines().any(|line| line.trim() == "[[instrument]]") => {
                sim::Plant::load(&file, &text, 1)?;
                "plant"
            }
            _ if text.lines().any(|line| line.starts_with("domain = ")) => {
                check_general_bank(&GeneralBank::parse(&[(&file, &text)])?)?;
                "general questions"
            }
            _ if text.lines().any(|line| line.trim() == "[[question]]") => {
                QuestionSet::parse(&file, &text)?;
                "questions"
            }
            _ => {
                site::Site::parse(&file, &text)?;
                "site"
            }
        };
        println!("{file}: {what}: makes sense");
    }
    Ok(Exit::Done)
}

fn check_run(name: &str, seed: u64, level: Difficulty) -> Result<Row> {
    let scratch = tempfile::tempdir().context("no room for a scratch directory")?;
    let out = scratch.path().join("run");
    let ordered = order(name, &WhichRun { seed, blind: false, settings: Vec::new(), level })?;
    let drive = Drive::Fast { acts: Vec::new() };
    let outcome = on_kernel_thread(|| {
        record_run(&ordered.order, drive, &out, &Progress::hidden(), Audience::default())
    })?;
    let view = RecordView::open(&out)?;
    let mut row = Row { scenario: name.to_owned(), seed, ..Row::default() };
    if let Some(reason) = outcome.manifest.ended_early {
        row.problems.push(format!("ended early: {reason}"));
    }
    judge_findings(&mut row, view.findings()?, &outcome.truth);
    if ordered.scenario.has_attack() {
        let results = play_all(&BotInput::of(&view, Role::Analyst)?, Some(false_call_weight(&outcome.truth)));
        row.problems.extend(bands(&results).iter().map(ToString::to_string));
        row.bots = results.iter().map(|result| (result.bot.to_owned(), result.score.detect)).collect();
        if seed == ACTING_SEED {
            row.acting = play_acting(&ordered.order, &view)?;
            row.problems.extend(row.acting.iter().filter_map(ActingResult::problem));
        }
    }
    Ok(row)
}

fn judge_findings(row: &mut Row, findings: &[Finding], truth: &[TruthStep]) {
    let matters = || findings.iter().filter(|finding| finding.level >= Level::Medium);
    row.findings_above_low = matters().count();
    let hostile = || truth.iter().filter(|step| step.verdict == Verdict::Attack);
    let Some(first) = hostile().map(|step| step.start).min() else {
        if let Some(finding) = matters().find(|finding| !tells_of_a_fault(finding, truth)) {
            row.problems
                .push(format!("false alarm at {}: {} ({})", finding.t, finding.message, finding.rule));
        }
        return;
    };
    for step in hostile().filter(|step| shows_on_the_network(step)) {
        row.steps_shown += 1;
        let names =
            |finding: &Finding| finding.frames.iter().any(|frame| step.frames.binary_search(frame).is_ok());
        if matters().any(names) {
            row.steps_found += 1;
        } else {
            let step = &step.step;
            row.problems.push(format!("no finding of medium or above names a frame of the step {step:?}"));
        }
    }
    let found = matters().map(|finding| finding.t).filter(|t| *t >= first).min();
    row.first_finding_s = found.map(|t| t.since(first).as_secs_f64());
    if let Some(finding) = matters().find(|finding| finding.t < first && !tells_of_a_fault(finding, truth)) {
        row.problems.push(format!("false alarm at {}: {} ({})", finding.t, finding.message, finding.rule));
    }
    let deadline = first_scan_or_write_over(hostile());
    match (found, deadline) {
        (Some(found), Some(deadline)) if found > deadline => {
            row.problems.push(format!("first finding of medium or above at {found}, after the first hostile scan or write ended at {deadline}"));
        }
        (None, _) => row.problems.push("no finding of medium or above".to_owned()),
        _ => {}
    }
}

/// Whether a finding names the point that a labelled fault is upon: the plant is not well, and the sensor says so.
fn tells_of_a_fault(finding: &Finding, truth: &[TruthStep]) -> bool {
    let mut faults = truth.iter().filter(|step| step.verdict == Verdict::Fault && step.start <= finding.t);
    faults.any(|fault| finding.entities.contains(&fault.target))
}

fn shows_on_the_network(step: &TruthStep) -> bool {
    let channels = step.observable.get(&Role::Analyst);
    channels
        .is_some_and(|seen| [Channel::Network, Channel::ProtocolLog].iter().any(|one| seen.contains_key(one)))
}

/// When the first step that scans or writes is over.
fn first_scan_or_write_over<'a>(steps: impl Iterator<Item = &'a TruthStep>) -> Option<VirtualTime> {
    const SCANS_AND_WRITES: [&str; 8] =
        ["T0846", "T0888", "T0861", "T0836", "T0855", "T0831", "T0814", "T0806"];
    steps
        .filter(|step| step.techniques.iter().any(|technique| SCANS_AND_WRITES.contains(&technique.as_str())))
        .min_by_key(|step| step.start)
        .map(|step| step.end + std::time::Duration::from_secs(1))
}

fn print_row(row: &Row) {
    let bots: Vec<String> = row
        .bots
        .iter()
        .map(|(bot, detect)| detect.map_or_else(|| format!("{bot} -"), |detect| format!("{bot} {detect:.1}")))
        .chain(row.acting.iter().map(|it| {
            let points = it.points.map_or_else(|| "-".to_owned(), |points| format!("{points:.1}"));
            format!("{} {} {points}", it.bot, it.part)
        }))
        .collect();
    let first = row.first_finding_s.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s"));
    println!(
        "{}\tseed {}\tabove low {}\tfirst finding {first}\tsteps {} of {}\t{}",
        row.scenario,
        row.seed,
        row.findings_above_low,
        row.steps_found,
        row.steps_shown,
        bots.join("  ")
    );
    for problem in &row.problems {
        println!("\tPROBLEM {problem}");
    }
}
