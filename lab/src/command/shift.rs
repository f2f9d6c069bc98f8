//! `fieldrange` without a command: the first shift.
//!
//! On a terminal a person watches the plant move, sees a handful of records, and makes one call: verdict, host,
//! frame. Elsewhere a bot makes it. Both get the same story afterwards, told from the same kind of record.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use net::{LiveControl, Pace};
use quizzes::RecordView;
use quizzes::debrief::{FirstShiftCall, debrief, said};
use record::{StartTime, TruthStep, Verdict, VirtualTime};

use crate::cli::{ShiftArgs, WhichRun};
use crate::exit::Exit;
use crate::kernel_thread::on_kernel_thread;
use crate::order::{Ordered, free_directory, order, quiet_until};
use crate::progress::Progress;
use crate::recording::{Audience, Drive, Outcome, record_run};
use crate::remarkable::{Lookout, Remark};
use crate::story::{tell, wrap};

const SCENARIO: &str = "first-shift";
/// What the game says, by key, in the language of the run.
type Words = BTreeMap<String, String>;
/// What the player sees of the plant.
const SHOWN: [&str; 6] = ["FIT-101", "NAOH.SP", "FIT-202", "AIT-202", "AIT-301", "LIT-401"];
/// Seconds of the player's own time in which everything is normal.
const NORMAL_S: u64 = 30;
/// Seconds of plant between two lines of values.
const LINE_EVERY_S: u64 = 15;
/// Seconds of plant from the first alarm to the question.
const ASK_AFTER_ALARM_S: u64 = 45;
/// Seconds of plant after which the question comes, whatever happened.
const ASK_AFTER_S: u64 = 420;

/// What reaches the player's side.
enum News {
    Line { t: VirtualTime, values: Vec<(String, f64)> },
    Alarm { t: VirtualTime, message: String },
    Remark(Remark),
    Typed(String),
}

/// What a player hands in.
struct Handed {
    verdict: Verdict,
    host: String,
    frame: Option<u64>,
    why: Option<String>,
}

pub(crate) fn shift(args: &ShiftArgs) -> Result<Exit> {
    let which = WhichRun { seed: args.seed, blind: args.blind, settings: Vec::new(), level: args.level };
    let ordered = order(SCENARIO, &args.language.told(SCENARIO, &which)?)?;
    let out = args.out.clone().unwrap_or_else(|| free_directory(&format!("{SCENARIO}-{}", args.seed)));
    for paragraph in &ordered.scenario.texts().briefing_at(args.level) {
        println!("{}\n", wrap(paragraph, 0));
    }
    let is_person = !args.bot && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let (handed, outcome) =
        if is_person { play(args, &ordered, &out)? } else { let_bot_play(&ordered, &out)? };
    reveal(&ordered, &out, &handed, &outcome)?;
    Ok(if outcome.manifest.ended_early.is_some() { Exit::FoundWrong } else { Exit::Done })
}

// ---------------------------------------------------------------- the person

fn play(args: &ShiftArgs, ordered: &Ordered, out: &Path) -> Result<(Handed, Outcome)> {
    let words = &ordered.scenario.texts().game;
    println!("{}\n", wrap(&said(words, "help", &[("seconds", &LINE_EVERY_S.to_string())]), 0));
    print_legend(ordered);
    let (news, inbox) = channel();
    let (send_control, control) = channel();
    let pace = Pace::new(f64::from(args.speed))?;
    let plan = &ordered.order.plan;
    let drive = Drive::Live { pace, control: send_control, end: plan.end, past: None };
    let quiet = quiet_until(&ordered.order.plan, NORMAL_S * u64::from(args.speed));
    let typed = news.clone();
    thread::scope(|scope| {
        let player = scope.spawn(move || -> Result<Handed> {
            let control = control.recv().context("the lab did not come up")?;
            control.step(quiet.since(VirtualTime::ZERO));
            listen(typed);
            let handed = watch(&control, &inbox, plan.start, quiet, words)?;
            println!("\n{}", said(words, "rest", &[]));
            control.resume();
            control.step(Duration::from_secs(plan.end.as_nanos() / 1_000_000_000));
            Ok(handed)
        });
        let audience = audience(news, ordered, quiet);
        let outcome =
            on_kernel_thread(|| record_run(&ordered.order, drive, out, &Progress::hidden(), audience()));
        let handed = player.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // What kept the lab from running says more than that it did not come up.
        let outcome = outcome?;
        Ok((handed?, outcome))
    })
}

/// Lines that the person types, as news.
fn listen(news: Sender<News>) {
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if news.send(News::Typed(line)).is_err() {
                return;
            }
        }
    });
}

fn audience(news: Sender<News>, ordered: &Ordered, quiet: VirtualTime) -> impl FnOnce() -> Audience + Send {
    move || {
        let lookout = Lookout::new(ordered.order.site.clone());
        let (lines, remarks) = (news.clone(), news);
        let mut standing: Vec<String> = Vec::new();
        Audience {
            each_step: Some(Box::new(move |t, plant, controllers| {
                let alarms = plant.active_alarms();
                for alarm in alarms.iter().filter(|alarm| !standing.contains(&alarm.tag)) {
                    // A player who left hears nothing; the run goes on.
                    let _ = lines.send(News::Alarm { t, message: alarm.message.clone() });
                }
                standing = alarms.into_iter().map(|alarm| alarm.tag).collect();
                if t >= quiet && t.as_nanos() / 1_000_000_000 % LINE_EVERY_S == 0 {
                    let value = |tag: &str| match plant.instrument_index(tag) {
                        Some(index) => Some(plant.read(index)),
                        None => controllers.find(tag),
                    };
                    let values =
                        SHOWN.iter().filter_map(|tag| Some(((*tag).to_owned(), value(tag)?))).collect();
                    let _ = lines.send(News::Line { t, values });
                }
            })),
            each_frame: Some(Box::new(move |t, number, octets| {
                if let Some(remark) = lookout.look(t, number, octets) {
                    let _ = remarks.send(News::Remark(remark));
                }
            })),
            ..Audience::default()
        }
    }
}

/// Shows what comes until it is time to ask, then asks. The plant stands still meanwhile.
fn watch(
    control: &LiveControl,
    inbox: &Receiver<News>,
    start: StartTime,
    quiet: VirtualTime,
    words: &Words,
) -> Result<Handed> {
    let mut ask_at = quiet + Duration::from_secs(ASK_AFTER_S);
    loop {
        match inbox.recv() {
            Ok(News::Line { t, values }) => {
                print_line(start, t, &values);
                if t >= ask_at {
                    break;
                }
            }
            Ok(News::Alarm { t, message }) => {
                if t >= quiet {
                    print_alarm(start, t, &message);
                    ask_at = ask_at.min(t + Duration::from_secs(ASK_AFTER_ALARM_S));
                }
            }
            Ok(News::Remark(remark)) => {
                if remark.t >= quiet {
                    print_remark(start, &remark);
                }
            }
            Ok(News::Typed(_)) | Err(_) => break,
        }
    }
    control.pause();
    ask(inbox, words)
}

fn print_remark(start: StartTime, remark: &Remark) {
    println!("{}  frame {:<6} {} {}", start.time_of_day(remark.t), remark.frame, remark.source, remark.what);
}

fn print_line(start: StartTime, t: VirtualTime, values: &[(String, f64)]) {
    let cells: Vec<String> = values.iter().map(|(tag, value)| format!("{tag} {value:.2}")).collect();
    println!("{}  {}", start.time_of_day(t), cells.join("   "));
}

fn print_alarm(start: StartTime, t: VirtualTime, message: &str) {
    println!("{}  ALARM  {message}", start.time_of_day(t));
}

/// What the tags of a line of values mean.
fn print_legend(ordered: &Ordered) {
    for tag in SHOWN.iter().filter_map(|tag| ordered.order.site.tag(tag)) {
        println!("  {:8} {}, {}", tag.name.get_ref(), tag.description, tag.unit);
    }
    println!();
}

fn ask(inbox: &Receiver<News>, words: &Words) -> Result<Handed> {
    println!("\n{}", said(words, "your-call", &[]));
    let letters: Vec<char> = said(words, "letters", &[]).chars().collect();
    let verdict = loop {
        let typed = question(inbox, words, "ask-verdict")?;
        let letter = typed.trim().to_lowercase().chars().next();
        match letters.iter().position(|known| Some(*known) == letter) {
            Some(0) => break Verdict::Attack,
            Some(1) => break Verdict::Fault,
            Some(_) => break Verdict::Authorised,
            None => println!("  {}", said(words, "ask-verdict-again", &[])),
        }
    };
    let host = question(inbox, words, "ask-machine")?.trim().to_owned();
    let frame = loop {
        let typed = question(inbox, words, "ask-frame")?;
        match typed.trim() {
            "" => break None,
            text => match text.parse() {
                Ok(number) => break Some(number),
                Err(_) => println!("  {}", said(words, "ask-frame-again", &[])),
            },
        }
    };
    Ok(Handed { verdict, host, frame, why: None })
}

fn question(inbox: &Receiver<News>, words: &Words, key: &str) -> Result<String> {
    print!("  {} ", said(words, key, &[]));
    std::io::stdout().flush()?;
    loop {
        if let News::Typed(line) = inbox.recv().context("the answers ended")? {
            return Ok(line);
        }
    }
}

// ---------------------------------------------------------------- the bot

fn let_bot_play(ordered: &Ordered, out: &Path) -> Result<(Handed, Outcome)> {
    let progress = Progress::start(SCENARIO, ordered.order.plan.end);
    let (news, inbox) = channel();
    let quiet = quiet_until(&ordered.order.plan, NORMAL_S);
    let audience = audience(news, ordered, quiet);
    let drive = Drive::Fast { acts: Vec::new() };
    let outcome = on_kernel_thread(|| record_run(&ordered.order, drive, out, &progress, audience()))?;
    progress.end();
    let start = ordered.order.plan.start;
    let mut remarks = Vec::new();
    let mut first_alarm = None;
    let mut last: BTreeMap<String, f64> = BTreeMap::new();
    println!("{}\n", said(&ordered.scenario.texts().game, "bot", &[]));
    print_legend(ordered);
    for item in inbox {
        match item {
            News::Line { t, values } if first_alarm.is_none_or(|alarm| t <= alarm) => {
                let moved = values.iter().any(|(tag, value)| {
                    last.get(tag).is_none_or(|before| (before - value).abs() > 0.02 * before.abs().max(1.0))
                });
                if moved {
                    print_line(start, t, &values);
                    last = values.into_iter().collect();
                }
            }
            News::Alarm { t, message } if t >= quiet && first_alarm.is_none() => {
                print_alarm(start, t, &message);
                first_alarm = Some(t);
            }
            News::Remark(remark) if remark.t >= quiet && first_alarm.is_none() => {
                print_remark(start, &remark);
                remarks.push(remark);
            }
            _ => {}
        }
    }
    Ok((bot_call(&remarks, ordered), outcome))
}

/// The bot's reasoning, from what it was shown before the first alarm: a write by a machine that has no business
/// writing is an attack; a write of an unusual value by one that has, is somebody's work; no such write is a fault.
fn bot_call(remarks: &[Remark], ordered: &Ordered) -> Handed {
    let words = &ordered.scenario.texts().game;
    let site = &ordered.order.site;
    let is_writer = |remark: &Remark| {
        remark.writes.iter().all(|(tag, _)| {
            site.device_that_takes(tag).is_some_and(|device| {
                device
                    .writers
                    .iter()
                    .any(|writer| remark.source.starts_with(&format!("{} ", writer.get_ref())))
            })
        })
    };
    let is_unusual = |remark: &Remark| {
        remark.writes.iter().any(|(tag, value)| site.tag(tag).is_some_and(|tag| !tag.is_usual(*value)))
    };
    let host_of = |remark: &Remark| remark.source.split(' ').next().unwrap_or_default().to_owned();
    let writes = || remarks.iter().filter(|remark| !remark.writes.is_empty());
    if let Some(remark) = writes().find(|remark| !is_writer(remark)) {
        let why = said(words, "why-stranger", &[("host", &host_of(remark))]);
        return Handed {
            verdict: Verdict::Attack,
            host: host_of(remark),
            frame: Some(remark.frame),
            why: Some(why),
        };
    }
    if let Some(remark) = writes().find(|remark| is_unusual(remark)) {
        let why = said(words, "why-unusual", &[("host", &host_of(remark))]);
        return Handed {
            verdict: Verdict::Authorised,
            host: host_of(remark),
            frame: Some(remark.frame),
            why: Some(why),
        };
    }
    let why = said(words, "why-fault", &[]);
    Handed { verdict: Verdict::Fault, host: "PLC-1".to_owned(), frame: None, why: Some(why) }
}

// ---------------------------------------------------------------- the reveal

fn reveal(ordered: &Ordered, out: &Path, handed: &Handed, outcome: &Outcome) -> Result<()> {
    let words = &ordered.scenario.texts().game;
    let verdict = match handed.verdict {
        Verdict::Attack => "attack",
        Verdict::Fault => "fault",
        Verdict::Authorised => "authorised",
    };
    let verdict = said(words, verdict, &[]);
    let frame = match handed.frame {
        Some(frame) => said(words, "frame", &[("number", &frame.to_string())]),
        None => said(words, "no-frame", &[]),
    };
    let call = said(words, "call", &[("verdict", &verdict), ("host", &handed.host), ("frame", &frame)]);
    println!("\n{call}");
    if let Some(why) = &handed.why {
        println!("{}", said(words, "because", &[("why", why)]));
    }
    let view = RecordView::open(out)?;
    let directory = out.display().to_string();
    if let Some(step) = heart_of(&outcome.truth) {
        let call = FirstShiftCall { verdict: handed.verdict, host: &handed.host, frame: handed.frame };
        println!();
        for sentence in debrief(step, &call, view.names(), words).sentences {
            println!("- {}", wrap(&sentence, 2));
        }
        if let Some((first, last)) = step.frames.first().zip(step.frames.last()) {
            let (first, last) = (first.to_string(), last.to_string());
            // In one line, to be copied.
            println!(
                "- {}",
                said(words, "look", &[("directory", &directory), ("first", &first), ("last", &last)])
            );
        }
    }
    let plan = &ordered.order.plan;
    if let Some(story) = ordered.scenario.texts().story.get(plan.cause.as_str()) {
        println!("\n{}", wrap(&scenarios::texts::fill(story, &plan.values), 0));
    }
    print!("{}", tell(&ordered.scenario, &outcome.truth, &outcome.manifest, &outcome.actual, &outcome.clean));
    println!("\n{}", said(words, "record", &[("directory", &directory)]));
    println!("\n{}", said(words, "try-next", &[]));
    for line in &ordered.scenario.texts().try_next {
        println!("- {}", wrap(line, 2));
    }
    Ok(())
}

/// The step that the shift is about: the heaviest, the earliest of these.
fn heart_of(truth: &[TruthStep]) -> Option<&TruthStep> {
    truth.iter().min_by_key(|step| (std::cmp::Reverse(step.severity), step.start))
}

#[cfg(test)]
mod tests {
    use scenarios::Scenario;

    #[test]
    fn the_catalogue_has_every_sentence_that_the_game_says() {
        let spoken = [
            "help",
            "rest",
            "your-call",
            "ask-verdict",
            "letters",
            "ask-verdict-again",
            "ask-machine",
            "ask-frame",
            "ask-frame-again",
            "bot",
            "call",
            "attack",
            "fault",
            "authorised",
            "frame",
            "no-frame",
            "because",
            "why-stranger",
            "why-unusual",
            "why-fault",
            "look",
            "record",
            "try-next",
        ];
        let texts = Scenario::named("first-shift").unwrap().texts().clone();
        let unsaid = |key: &&String| {
            !spoken.contains(&key.as_str()) && !quizzes::debrief::KEYS.contains(&key.as_str())
        };
        assert_eq!(texts.game.keys().filter(unsaid).collect::<Vec<_>>(), Vec::<&String>::new());
        assert!(spoken.iter().chain(&quizzes::debrief::KEYS).all(|key| texts.game.contains_key(*key)));
        assert_eq!(texts.game["letters"].chars().count(), 3);
    }
}
