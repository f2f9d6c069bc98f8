//! `fieldrange export`: what a run came to, for other people's programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use quizzes::RecordView;
use quizzes::export::badge::{Award, IssuerKey, badge};
use quizzes::export::results::{self, Scored as Row};
use quizzes::export::{navigator, stix};
use record::{StartTime, VirtualTime};

use super::score::{Scored, scored};
use crate::cli::Form;
use crate::exit::Exit;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportForm {
    /// Every line of the account, a row each.
    Csv,
    /// The whole score.
    Json,
    /// A layer for ATT&CK Navigator: what the run holds or, with --calls, what was found of it.
    Navigator,
    /// Indicators as a STIX 2.1 bundle, anonymised.
    Stix,
    /// An Open Badges 3.0 credential, signed.
    Badge,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Directory of the run; with csv and json of several.
    #[arg(required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// What to write.
    #[arg(long = "as", value_enum, value_name = "FORM")]
    pub(crate) form: ExportForm,
    /// Calls, one JSON object per line; with several runs once for each, in the same order.
    #[arg(long, value_name = "FILE")]
    pub(crate) calls: Vec<PathBuf>,
    /// How the calls came about.
    #[arg(long, value_enum, default_value = "live")]
    pub(crate) calls_were: Form,
    /// Who handed in.
    #[arg(long = "for", value_name = "NAME")]
    pub(crate) whose: Option<String>,
    /// The issuer's private key, for a badge.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Name of the issuer, for a badge.
    #[arg(long, value_name = "NAME", default_value = "A Fieldrange")]
    pub(crate) issuer: String,
    /// Points in part D that a badge asks for.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) pass: f64,
    /// The day from which a badge holds. Default: today, UTC.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: Option<String>,
    /// File to write. Default: standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

const SECONDS_PER_DAY: u64 = 86_400;

pub(crate) fn export(args: &ExportArgs) -> Result<Exit> {
    let text = match args.form {
        ExportForm::Csv | ExportForm::Json => results_of(args)?,
        ExportForm::Navigator => layer(args)?,
        ExportForm::Stix => Some(bundle(only(args)?)?),
        ExportForm::Badge => return give_badge(args),
    };
    let Some(text) = text else { return Ok(Exit::Unusable) };
    write(args, &text)?;
    Ok(Exit::Done)
}

fn write(args: &ExportArgs, text: &str) -> Result<()> {
    let Some(file) = &args.out else {
        print!("{text}");
        return Ok(());
    };
    fs::write(file, text).with_context(|| file.display().to_string())
}

fn only(args: &ExportArgs) -> Result<&Path> {
    match &args.runs[..] {
        [run] => Ok(run),
        several => bail!("{} runs\n  fix: name one; csv and json alone take several", several.len()),
    }
}

/// The only run with its calls; none where these cannot be read.
fn only_scored(args: &ExportArgs) -> Result<Option<Scored>> {
    let [calls] = &args.calls[..] else {
        bail!("this is about what was called\n  fix: add --calls FILE, once")
    };
    scored(only(args)?, calls, args.calls_were)
}

fn results_of(args: &ExportArgs) -> Result<Option<String>> {
    if args.calls.len() != args.runs.len() {
        bail!(
            "{} runs and {} files of calls\n  fix: give --calls once for each run, in the same order",
            args.runs.len(),
            args.calls.len()
        );
    }
    let mut all = Vec::new();
    for (run, calls) in args.runs.iter().zip(&args.calls) {
        let Some(one) = scored(run, calls, args.calls_were)? else { return Ok(None) };
        all.push(one);
    }
    let person = args.whose.as_deref();
    let rows: Vec<Row<'_>> =
        all.iter().map(|one| Row { manifest: one.view.manifest(), person, score: &one.score }).collect();
    Ok(Some(match args.form {
        ExportForm::Csv => results::csv(&rows)?,
        _ => serde_json::to_string_pretty(&results::json(&rows))? + "\n",
    }))
}

fn layer(args: &ExportArgs) -> Result<Option<String>> {
    let layer = if args.calls.is_empty() {
        let view = RecordView::open(only(args)?)?;
        navigator::layer(view.manifest(), view.truth()?, None, None)
    } else {
        let Some(Scored { view, score, .. }) = only_scored(args)? else { return Ok(None) };
        navigator::layer(view.manifest(), view.truth()?, Some(&score), args.whose.as_deref())
    };
    Ok(Some(serde_json::to_string_pretty(&layer)? + "\n"))
}

fn bundle(run: &Path) -> Result<String> {
    let view = RecordView::open(run)?;
    let bundle = stix::bundle(stix::Source {
        manifest: view.manifest(),
        truth: view.truth()?,
        names: view.names(),
        connections: view.conn()?,
    });
    Ok(serde_json::to_string_pretty(&bundle)? + "\n")
}

fn give_badge(args: &ExportArgs) -> Result<Exit> {
    let (Some(file), Some(person)) = (&args.key, &args.whose) else {
        bail!(
            "a badge is signed, and for somebody\n  fix: add --key FILE (see `fieldrange key`) and --for NAME"
        );
    };
    let name = || file.display().to_string();
    let key = IssuerKey::parse(&fs::read_to_string(file).with_context(name)?).with_context(name)?;
    let Some(Scored { view, score, .. }) = only_scored(args)? else { return Ok(Exit::Unusable) };
    let scenario = scenarios::Scenario::named(&view.manifest().scenario)?;
    let award = Award {
        issuer: &args.issuer,
        person,
        manifest: view.manifest(),
        title: &scenario.texts().title,
        score: &score,
        pass: args.pass,
        day: day(args)?,
    };
    let Some(token) = badge(&key, &award) else {
        let reached = score.detect.map_or_else(|| "nothing that is scored".to_owned(), |d| format!("{d:.1}"));
        eprintln!("no badge: {reached} of 100 in part D, {} are asked for", args.pass);
        return Ok(Exit::FoundWrong);
    };
    write(args, &(token + "\n"))?;
    Ok(Exit::Done)
}

fn day(args: &ExportArgs) -> Result<StartTime> {
    let today = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |span| span.as_secs());
        VirtualTime::from_secs(now / SECONDS_PER_DAY * SECONDS_PER_DAY)
    };
    let epoch: StartTime = "1970-01-01T00:00:00Z".parse()?;
    let midnight = args.date.as_ref().map_or_else(|| epoch.utc(today()), |date| format!("{date}T00:00:00Z"));
    midnight.parse().with_context(|| format!("{midnight} is no day\n  fix: write --date as in 2026-03-31"))
}
