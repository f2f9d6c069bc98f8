//! The `fieldrange` command: composes a lab from plant, controllers, network and actors, runs it, and tells what happened.
//!
//! Reading order: [`cli`], [`wiring`], [`assembly`] (one lab), [`services`], [`twin`], [`recording`] (a run with its record),
//! [`truth`], [`story`], then the commands.

mod action;
mod assembly;
mod cli;
mod command;
mod console;
mod exit;
mod journal;
mod kernel_thread;
mod language;
mod live;
mod order;
mod process_table;
mod progress;
mod recording;
mod remarkable;
mod report;
mod services;
mod side_by_side;
mod store;
mod story;
mod tabletop;
mod truth;
mod twin;
mod uplinks;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    end_quietly_with_the_reader();
    let cli = Cli::parse();
    let done = match &cli.command {
        None => command::serve::serve(&cli.serve),
        Some(Command::Shift(args)) => command::shift::shift(args),
        Some(Command::Run(args)) => command::run::run(args),
        Some(Command::Simulate(args)) => command::simulate::simulate(args),
        Some(Command::Plant(args)) => command::plant::plant(args),
        Some(Command::Sense(args)) => command::sense::sense(args),
        Some(Command::Score(args)) => command::score::score(args),
        Some(Command::Report(args)) => command::report::report(args),
        Some(Command::Quiz(args)) => command::quiz::quiz(args),
        Some(Command::Incident(args)) => command::incident::incident(args),
        Some(Command::Task(args)) => command::task::task(args),
        Some(Command::Export(args)) => command::export::export(args),
        Some(Command::Dataset(args)) => command::dataset::dataset(args),
        Some(Command::Judge(args)) => command::judge::judge(args),
        Some(Command::Key(args)) => command::key::key(args),
        Some(Command::Blame(args)) => command::blame::blame(args),
        Some(Command::Tabletop(args)) => command::tabletop::tabletop(args),
        Some(Command::Pack(args)) => command::pack::pack(args),
        Some(Command::Verify(args)) => command::verify::verify(args),
        Some(Command::Replay(args)) => command::replay::replay(args),
        Some(Command::Doctor(args)) => Ok(command::doctor::doctor(args)),
        Some(Command::List(args)) => command::list::list(args),
        Some(Command::Check(args)) => command::check::check(args),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("fieldrange: {}", describe(&error));
            Exit::Unusable.into()
        }
    }
}

/// An error and its causes, each said once.
fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

/// `fieldrange ... | head` ends without a complaint when `head` has seen enough: the standard library's print macros
/// panic there, and that one panic is no fault.
fn end_quietly_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}
