//! `fieldrange run --live`: a scenario in real time, open to real clients.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use net::{Forward, Forwards, LiveControl, MirrorConsumer, Pace};
use record::VirtualTime;

use crate::assembly::StepWatcher;
use crate::cli::RunArgs;
use crate::exit::Exit;
use crate::kernel_thread::on_kernel_thread;
use crate::order::{free_directory, order};
use crate::process_table::ProcessColumns;
use crate::progress::Progress;
use crate::recording::{Audience, Drive, record_run};
use crate::services;
use crate::uplinks::{RunningUplinks, Uplinks};

/// What the lab shows of itself while it runs.
#[derive(Debug, Default)]
struct Board {
    now: VirtualTime,
    values: BTreeMap<String, f64>,
}

type SharedBoard = Arc<Mutex<Board>>;

pub(crate) fn run(args: &RunArgs) -> Result<Exit> {
    let ordered = order(&args.scenario, &args.language.told(&args.scenario, &args.which)?)?;
    let plan = &ordered.order.plan;
    let end = match args.minutes {
        Some(minutes) if minutes > 0.0 && minutes.is_finite() => VirtualTime::from_secs_f64(minutes * 60.0),
        Some(minutes) => bail!(
            "--minutes must be above 0, got {minutes}\n  fix: leave it out to run to the scenario's end"
        ),
        None => plan.end,
    };
    let pace = Pace::new(f64::from(args.speed))?;
    let out =
        args.out.clone().unwrap_or_else(|| free_directory(&format!("{}-{}-live", plan.scenario, plan.seed)));
    let mut uplinks = Uplinks::open(&args.uplinks, &ordered.order.site, &plan.hosts)?;
    let mirror = uplinks.take_mirror();
    let board = SharedBoard::default();
    let (send_control, control) = channel();
    let drive = Drive::Live { pace, control: send_control, end, past: None };
    let (shown, site, title) =
        (board.clone(), ordered.order.site.clone(), ordered.scenario.texts().title.clone());
    let keys = services::keys(plan.seed, &ordered.order.site);
    // The desk stays on this side of the confinement: the kernel's thread may not listen.
    thread::scope(|scope| {
        let (out_shown, board) = (&out, &board);
        let desk = scope.spawn(move || {
            let opened = open_desk(args, &control, board, uplinks);
            if let (Ok((forwards, uplinks)), true) =
                (&opened, std::io::stdout().is_terminal() || args.lets_somebody_in())
            {
                println!(
                    "{title}, seed {}, live at {} x; record in {}",
                    args.which.seed,
                    args.speed,
                    out_shown.display()
                );
                for (real, to) in forwards.addresses() {
                    println!("forward {real} -> {to}");
                }
                let is_forwarded =
                    args.forwards.iter().any(|forward| *forward.to.ip() == services::RULE_INTERFACE);
                if is_forwarded || !args.uplinks.is_empty() {
                    println!("keys of the rule interface, for the facilitator to hand out:");
                    for (zone, key) in &keys {
                        println!("key {zone} {key}");
                    }
                }
                for line in uplinks.lines() {
                    println!("{line}");
                }
            }
            opened
        });
        let outcome = on_kernel_thread(|| {
            let each_frame = mirror.map(|mirror| -> MirrorConsumer { mirror });
            let audience =
                Audience { each_step: Some(board_watcher(shown, site)), each_frame, ..Audience::default() };
            record_run(&ordered.order, drive, &out, &Progress::hidden(), audience)
        });
        let opened = match desk.join() {
            Ok(opened) => opened,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let outcome = outcome?;
        let (forwards, uplinks) = opened?;
        drop(forwards);
        for line in uplinks.carried() {
            println!("{line}");
        }
        println!("{}: stopped at {}; {} frames", out.display(), outcome.manifest.duration, outcome.frames);
        if let Some(reason) = &outcome.manifest.ended_early {
            println!("the run ended early: {reason}");
            return Ok(Exit::FoundWrong);
        }
        Ok(Exit::Done)
    })
}

/// Opens the forwards and uplinks and listens to standard input and to signals, once the kernel is there.
fn open_desk(
    args: &RunArgs,
    control: &Receiver<LiveControl>,
    board: &SharedBoard,
    uplinks: Uplinks,
) -> Result<(Forwards, RunningUplinks)> {
    let control = control.recv().context("the lab did not come up")?;
    let forwards: Vec<Forward> =
        args.forwards.iter().map(|forward| Forward { port: forward.port, to: forward.to }).collect();
    let opened =
        Forwards::open(&control, args.listen, &forwards).inspect_err(|_| control.stop()).with_context(
            || format!("a forward cannot listen on {}\n  fix: choose a free port above 1023", args.listen),
        )?;
    let uplinks = uplinks.start(&control).inspect_err(|_| control.stop())?;
    let stopper = control.clone();
    ctrlc::set_handler(move || stopper.stop()).context("signals cannot be handled")?;
    let board = board.clone();
    thread::spawn(move || listen_to_person(&control, &board));
    Ok((opened, uplinks))
}

/// Carries out the words of standard input. Its end is no command: a lab in the background goes on.
fn listen_to_person(control: &LiveControl, board: &SharedBoard) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [] => {}
            ["pause"] => control.pause(),
            ["resume"] => control.resume(),
            ["stop" | "quit"] => control.stop(),
            ["speed", factor] => {
                match factor.parse().map_err(anyhow::Error::from).and_then(|f| Ok(Pace::new(f)?)) {
                    Ok(pace) => control.set_pace(pace),
                    Err(error) => println!("{error}"),
                }
            }
            ["values"] => print_values(board),
            ["write" | "rule" | "session", ..] => control.act("console", line.trim()),
            _ => println!("commands: pause, resume, speed N, values, stop, {}", crate::action::COMMANDS),
        }
    }
}

fn print_values(board: &SharedBoard) {
    let board = board.lock().unwrap_or_else(PoisonError::into_inner);
    println!("{}", board.now);
    for (tag, value) in &board.values {
        println!("{tag}\t{value:.3}");
    }
}

fn board_watcher(board: SharedBoard, site: Arc<site::Site>) -> StepWatcher {
    let mut columns: Option<ProcessColumns> = None;
    Box::new(move |now, plant, controllers| {
        let columns = columns.get_or_insert_with(|| ProcessColumns::new(&site, plant, controllers));
        let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
        board.now = now;
        for (tag, value) in columns.tags().iter().zip(columns.values(plant)) {
            match board.values.get_mut(tag) {
                Some(shown) => *shown = value,
                None => {
                    board.values.insert(tag.clone(), value);
                }
            }
        }
    })
}
