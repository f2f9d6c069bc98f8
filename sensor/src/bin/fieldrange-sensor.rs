//! The sensor by itself: reads a capture, writes logs and findings. Links no attack code.

use std::process::ExitCode;

use clap::Parser;
use sensor::cli::{SenseArgs, run};

/// Passive sensor for control networks: Zeek's logs, an inventory, and findings by Sigma rules
#[derive(Debug, Parser)]
#[command(name = "fieldrange-sensor", version, about)]
struct Cli {
    #[command(flatten)]
    sense: SenseArgs,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli.sense, &mut std::io::stdout().lock()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
