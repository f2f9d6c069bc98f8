//! The sensor by itself: reads a capture, writes logs and findings. Links no attack code.

use std::process::ExitCode;

use clap::Parser;
use sensor::cli::{SensorArgs, run};

/// Passive sensor for control networks: Zeek's logs, an inventory, and findings by Sigma rules
#[derive(Debug, Parser)]
#[command(name = "fieldrange-sensor", version, about)]
struct Cli {
    #[command(flatten)]
    sensor: SensorArgs,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli.sensor, &mut std::io::stdout().lock()) {
        Ok(verdict) => verdict.into(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
