//! `fieldrange task`: what a trainee has made, tried by the lab.

mod probing;
mod slice;
mod unseen;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use quizzes::RecordView;
use quizzes::task::{
    Graded, Task, Work, grade_baseline, grade_conversations, grade_evidence, grade_facts, grade_firewall,
    grade_frames, grade_inventory, grade_rule, read_baseline, read_custody, read_firewall, tasks,
};
use serde_json::json;
use site::Site;

use crate::cli::TaskArgs;
use crate::exit::Exit;

pub(crate) fn task(args: &TaskArgs) -> Result<Exit> {
    let all = tasks()?;
    let Some(name) = &args.name else {
        list(&all, args.json)?;
        return Ok(Exit::Done);
    };
    let Some(task) = all.iter().find(|task| task.name == *name) else {
        let names: Vec<&str> = all.iter().map(|task| task.name.as_str()).collect();
        bail!("no task is called {name:?}\n  fix: name one of {}", names.join(", "));
    };
    let Some(file) = &args.file else {
        show(task, args.json)?;
        return Ok(Exit::Done);
    };
    let graded = grade(task, file, args)?;
    let passed = graded.score >= task.pass_at;
    if args.json {
        let account =
            json!({ "task": task.name, "score": graded.score, "passed": passed, "lines": graded.lines });
        println!("{}", serde_json::to_string_pretty(&account)?);
    } else {
        print(task, &graded, passed);
    }
    Ok(if passed { Exit::Done } else { Exit::FoundWrong })
}

fn list(all: &[Task], as_json: bool) -> Result<()> {
    if as_json {
        let rows: Vec<_> = all
            .iter()
            .map(|task| json!({ "name": task.name, "title": task.title, "minutes": task.minutes, "needs_record": task.work.needs_record() }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    println!("name\tminutes\ttried on\ttitle");
    for task in all {
        let tried = match &task.work {
            Work::Baseline { .. } | Work::Rule { .. } => "unseen runs",
            Work::Firewall { .. } => "a network",
            _ => "a record",
        };
        println!("{}\t{}\t{tried}\t{}", task.name, task.minutes, task.title);
    }
    Ok(())
}

fn show(task: &Task, as_json: bool) -> Result<()> {
    if as_json {
        let shown = json!({ "name": task.name, "title": task.title, "minutes": task.minutes, "prompt": task.prompt,
            "hand_in": task.hand_in, "pass_at": task.pass_at, "needs_record": task.work.needs_record() });
        println!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    let record = if task.work.needs_record() { " --run RUN" } else { "" };
    println!("{} ({} minutes, done from {:.0} points)\n", task.title, task.minutes, task.pass_at);
    println!("{}\n", task.prompt);
    println!("Hand in: {}\n", task.hand_in);
    println!("Then: fieldrange task {} FILE{record}", task.name);
    Ok(())
}

fn print(task: &Task, graded: &Graded, passed: bool) {
    println!("{}: {:.1} of 100{}\n", task.title, graded.score, if passed { ", done" } else { "" });
    for line in &graded.lines {
        let mark = match line.right {
            Some(true) => "right",
            Some(false) => "wrong",
            None => "",
        };
        println!("{mark:5}  {}\n       {}", line.what, line.why);
    }
}

fn grade(task: &Task, file: &Path, args: &TaskArgs) -> Result<Graded> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).with_context(|| name.clone())?;
    let record = || -> Result<RecordView> {
        let Some(run) = &args.run else {
            bail!(
                "this task is tried against a record\n  fix: fieldrange task {} {name} --run RUN",
                task.name
            );
        };
        if let Some(problem) = record::RunReader::open(run)?.verify().first() {
            bail!("{problem}\n  fix: use the record as it was sealed");
        }
        Ok(RecordView::open(run)?)
    };
    Ok(match &task.work {
        Work::Conversations { services } => grade_conversations(&name, &text, services, record()?.conn()?)?,
        Work::Inventory {} => {
            let view = record()?;
            grade_inventory(&name, &text, &Site::named(&view.manifest().site)?, view.conn()?)?
        }
        Work::Frames {} => grade_frames(&name, &text, record()?.truth()?)?,
        Work::Baseline { runs } => {
            let baseline = read_baseline(&name, &text)?;
            grade_baseline(&unseen::modbus_runs(runs, &text, args.seeds)?, &baseline)
        }
        Work::Rule { runs, techniques } => {
            grade_rule(&unseen::judged_runs(runs, &name, &text, args.seeds)?, techniques)
        }
        Work::Firewall { site, probes } => {
            let rules = read_firewall(&name, &text)?;
            grade_firewall(probes, &probing::probe(site, rules, probes).with_context(|| name)?)
        }
        Work::Facts { asked } => grade_facts(&name, &text, asked, &record()?.facts()?)?,
        Work::Evidence {} => {
            let form = read_custody(&name, &text)?;
            let view = record()?;
            let path = file.parent().unwrap_or_else(|| Path::new(".")).join(&form.capture);
            let start = view.manifest().start;
            let span = args.run.as_deref().unwrap_or_else(|| Path::new(".")).join("span.pcapng");
            let held = slice::frames(&path, start)?;
            let hash = record::run::digest_of_file(&path).with_context(|| path.display().to_string())?;
            grade_evidence(&form, &hash, &held, &slice::frames(&span, start)?, view.truth()?)
        }
    })
}
