//! From the words of a command line, or from a record's manifest, to a run that can be made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use record::{RunManifest, VirtualTime};
use scenarios::{Difficulty, LEVEL, Plan, Scenario};
use site::Site;

use crate::cli::WhichRun;
use crate::language::LANGUAGE;
use crate::recording::{BLIND, Order, VERSION};

/// A scenario as it is to be run.
pub(crate) struct Ordered {
    pub(crate) scenario: Scenario,
    pub(crate) order: Order,
}

/// Works out a run from a scenario's name and the options.
pub(crate) fn order(name: &str, which: &WhichRun) -> Result<Ordered> {
    let mut settings: BTreeMap<String, String> = which.settings.iter().cloned().collect();
    if which.level != Difficulty::default() {
        settings.insert(LEVEL.to_owned(), which.level.to_string());
    }
    order_with(name, which.seed, settings, which.blind)
}

fn order_with(name: &str, seed: u64, settings: BTreeMap<String, String>, blind: bool) -> Result<Ordered> {
    let mut drawn = settings.clone();
    let scenario = match drawn.remove(LANGUAGE) {
        Some(language) => Scenario::load_in(name, &language)?,
        None => Scenario::load(name)?,
    };
    let plan = scenario.plan(seed, &drawn, blind)?;
    let site = Arc::new(Site::named(&plan.site)?);
    Ok(Ordered { scenario, order: Order { plan, site, settings, blind } })
}

/// Works out a run again from what its record says.
pub(crate) fn order_again(manifest: &RunManifest) -> Result<Ordered> {
    let Some(seed) = manifest.seed else {
        bail!(
            "this record was packed for a trainee: it holds no seed\n  fix: use the record that it was packed from"
        );
    };
    if manifest.version != VERSION {
        bail!(
            "this record was made by version {} and this is {VERSION}: runs are the same bit for bit within one version only\n  fix: use version {}",
            manifest.version,
            manifest.version
        );
    }
    let mut settings = manifest.settings.clone();
    let blind = settings.remove(BLIND).is_some();
    order_with(&manifest.scenario, seed, settings, blind)
}

/// A directory for a run whose place was not named: `runs/NAME`, or `runs/NAME-2` and so on.
pub(crate) fn free_directory(name: &str) -> PathBuf {
    const TRIED_MAX: u32 = 100_000;
    let first = Path::new("runs").join(name);
    std::iter::once(first.clone())
        .chain((2..TRIED_MAX).map(|n| Path::new("runs").join(format!("{name}-{n}"))))
        .find(|path| !path.exists())
        .unwrap_or(first)
}

/// Until when nobody has to look: ordinary work for so many seconds of plant, then the first thing that is not.
pub(crate) fn quiet_until(plan: &Plan, ordinary_s: u64) -> VirtualTime {
    let first = plan.events.iter().filter(|event| event.severity > 0).map(|event| event.at).min();
    first.unwrap_or(plan.end) - Duration::from_secs(ordinary_s)
}
