//! `fieldrange` without a command: live labs and their console.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use net::Pace;
use record::VirtualTime;
use tokio::sync::oneshot;

use crate::cli::ServeArgs;
use crate::console::{Door, Exercise, Opened, StartOrder, new_secret};
use crate::exit::Exit;
use crate::order::{order, quiet_until};
use crate::store::{ClassRow, Role, Shows};

/// Seconds of ordinary plant that a player sees of a short scenario before anything happens.
const NORMAL_S: u64 = 30;
/// A scenario that is over so soon is begun shortly before its first event.
const SHORT: Duration = Duration::from_hours(1);
/// Name of the seats that the program makes for whoever reads its terminal.
const FACILITATOR: &str = "facilitator at the terminal";

pub(crate) fn serve(args: &ServeArgs) -> Result<Exit> {
    let door = Door { listen: SocketAddr::from((args.listen, args.port)), names: args.names.clone() };
    // The port first: who starts it twice is told before anything is written.
    let opened = Opened::open(&door)?;
    let exercise = Exercise::open(&args.data, |says| println!("{says}"))?;
    let address = opened.address();
    // Nobody can open an address that stands for all: the first name that it may be called by, or this machine's own.
    let host = match args.names.first() {
        Some(name) if args.listen.is_unspecified() => name.clone(),
        _ if args.listen.is_unspecified() => "127.0.0.1".to_owned(),
        _ => args.listen.to_string(),
    };
    let address = format!("{host}:{}", address.port());
    println!(
        "Fieldrange {}: EXERCISE, everything simulated; console on http://{address}",
        env!("CARGO_PKG_VERSION")
    );
    if !args.listen.is_loopback() {
        println!(
            "It listens on {}, not on loopback: whoever reaches that can knock at its door.",
            args.listen
        );
    }
    exercise.let_in(args.listen, &args.forwards, &args.uplinks)?;
    if exercise.store().teams()?.is_empty() && !args.empty {
        let link = begin(args, &exercise)?;
        println!("play        http://{address}/enter/{link}");
    }
    let link = facilitator_link(&exercise)?;
    println!("facilitate  http://{address}/enter/{link}");
    println!(
        "Each link opens one seat, once. Ctrl-C ends live runs and seals their records in {}.",
        args.data.display()
    );
    let (tell, over) = oneshot::channel();
    let mut tell = Some(tell);
    ctrlc::set_handler(move || {
        if let Some(tell) = tell.take() {
            // The console may have stopped by itself.
            let _ = tell.send(());
        }
    })
    .context("signals cannot be handled")?;
    let served = opened.serve(exercise.clone(), over);
    exercise.end_all();
    served?;
    for play in exercise.plays().iter().filter(|play| play.lab.is_some()) {
        println!("{}: the record of {}", play.run.directory, play.team.name);
    }
    Ok(Exit::Done)
}

/// One team, one seat for one person alone, one lab that runs. The link of the seat.
fn begin(args: &ServeArgs, exercise: &std::sync::Arc<Exercise>) -> Result<String> {
    let which = args.language.told(&args.scenario, &args.which)?;
    let ordered = order(&args.scenario, &which)?;
    let plan = &ordered.order.plan;
    let skip = if plan.end.since(VirtualTime::ZERO) <= SHORT {
        quiet_until(plan, NORMAL_S * u64::from(args.speed)).since(VirtualTime::ZERO)
    } else {
        Duration::ZERO
    };
    let store = exercise.store();
    let mut class = ClassRow {
        id: 0,
        title: ordered.scenario.texts().title.clone(),
        scenario: args.scenario.clone(),
        seed: args.which.seed,
        blind: args.which.blind,
        settings: ordered.order.settings.clone(),
        shows: Shows::at(plan.level),
        scores_hidden: false,
    };
    class.id = store.add_class(&class)?;
    let name = "Team 1";
    let team = crate::store::TeamRow { id: store.add_team(name)?, name: name.to_owned() };
    let link = new_secret()?;
    store.add_seat(Some(team.id), Role::Solo, "player", &link)?;
    let pace = Pace::new(f64::from(args.speed))?;
    exercise.start(&class, &team, StartOrder { pace, skip, is_paused: false })?;
    Ok(link)
}

/// A link for the facilitator's seat of this terminal.
fn facilitator_link(exercise: &Exercise) -> Result<String> {
    let store = exercise.store();
    let link = new_secret()?;
    let seats = store.seats()?;
    match seats.iter().find(|seat| seat.role == Role::Facilitator && seat.name == FACILITATOR) {
        // Whoever took it keeps it: the terminal's holder gets another seat.
        Some(seat) if !seat.is_taken => {
            store.renew_link(seat.id, &link)?;
        }
        _ => {
            store.add_seat(None, Role::Facilitator, FACILITATOR, &link)?;
        }
    }
    Ok(link)
}
