//! `fieldrange sense`: the sensor's own command, the same as the stand-alone binary's.

use anyhow::Result;

use crate::exit::Exit;

pub(crate) fn sense(args: &sensor::cli::SenseArgs) -> Result<Exit> {
    sensor::cli::run(args, &mut std::io::stdout().lock())?;
    Ok(Exit::Done)
}
