//! `fieldrange verify`: is a record what was sealed?

use anyhow::Result;
use record::RunReader;

use crate::cli::VerifyArgs;
use crate::exit::Exit;

pub(crate) fn verify(args: &VerifyArgs) -> Result<Exit> {
    let reader = RunReader::open(&args.run)?;
    let problems: Vec<String> = reader.verify().iter().map(ToString::to_string).collect();
    if args.json {
        println!(
            "{}",
            serde_json::json!({ "run": args.run, "files": reader.manifest().files.len(), "whole": problems.is_empty(), "problems": problems })
        );
    } else if problems.is_empty() {
        println!(
            "{}: whole: {} files and the journal's chain are as sealed",
            args.run.display(),
            reader.manifest().files.len()
        );
    } else {
        for problem in &problems {
            println!("{problem}");
        }
    }
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Unusable })
}
