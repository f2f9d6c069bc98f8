//! The command line of `fieldrange-sensor`, which `fieldrange sense` shares word for word.
//!
//! Reading order: [`sense`] (a capture through the sensor), `input` (where frames come from), `outputs` (where its records go), `summary` (its one screen),
//! `progress`; then the commands beside it: `inventory`, `filter`, `rules`.

mod baseline;
mod filter;
mod input;
mod inventory;
mod outputs;
mod progress;
mod rules;
pub mod sense;
mod span;
mod summary;

use std::io::Write;
use std::process::ExitCode;

pub use filter::FilterArgs;
pub use input::LiveArgs;
pub use inventory::InventoryArgs;
pub use rules::RulesCommand;
pub use sense::{Format, SenseArgs, SenseError};

/// What the sensor is asked to do: read a capture, or one of the commands.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  fieldrange-sensor -r span.pcapng --site waterworks --log-dir logs
  fieldrange-sensor -r span.pcapng --filter 'id.orig_h == 192.168.1.77 and func contains WRITE' --to stdout
  fieldrange-sensor -r span.pcapng --format eve --log-dir logs
  sudo fieldrange-sensor -i eth1 --log-dir /var/log/fieldrange

Exit codes: 0 done; 1 with --strict, findings of medium or above, or records that were lost on their way out; 2 the
input was not usable, or the capture is damaged (what could be read was written)."
)]
pub struct SensorArgs {
    /// One of the commands; without one a capture is read.
    #[command(subcommand)]
    pub command: Option<SensorCommand>,
    /// How a capture is read.
    #[command(flatten)]
    pub sense: SenseArgs,
}

/// What can be done beside reading a capture.
#[derive(Debug, clap::Subcommand)]
pub enum SensorCommand {
    /// Hosts of a capture, as a table
    #[command(after_help = "Example:\n  fieldrange-sensor inventory span.pcapng --site waterworks")]
    Inventory(InventoryArgs),
    /// Records of logs that pass a filter; Zeek's logs, tab-separated or JSON, of whatever sensor
    #[command(
        after_help = "Example:\n  fieldrange-sensor filter 'service == modbus and not id.orig_h == 192.168.1.0/24' logs/conn.log"
    )]
    Filter(FilterArgs),
    /// List rules, or test one
    #[command(subcommand)]
    Rules(RulesCommand),
}

/// What it came to, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to look at, or nobody asked.
    Clear,
    /// Something is not as it should be.
    Found,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(match verdict {
            Verdict::Clear => 0,
            Verdict::Found => 1,
        })
    }
}

/// Does what is asked; what there is to say goes to `out`.
pub fn run(args: &SensorArgs, out: &mut dyn Write) -> Result<Verdict, SenseError> {
    match &args.command {
        None => sense::sense(&args.sense, out),
        Some(SensorCommand::Inventory(args)) => inventory::inventory(args, out),
        Some(SensorCommand::Filter(args)) => filter::filter(args, out),
        Some(SensorCommand::Rules(command)) => rules::rules(command, out),
    }
}
