//! `fieldrange pack --trainee`: a copy of a record without the answers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use record::{RunReader, RunWriter};

use crate::cli::PackArgs;
use crate::exit::Exit;

/// What a trainee must not see: what really happened, what others concluded, and what clients sent in, keys of the rule
/// interface included. Without the seed nothing can be replayed, so nobody misses the last.
const LEFT_OUT: [&str; 5] =
    ["truth.jsonl", "facts.jsonl", "findings.jsonl", "incidents.jsonl", "outside.jsonl"];

pub(crate) fn pack(args: &PackArgs) -> Result<Exit> {
    let reader = RunReader::open(&args.run)?;
    let problems = reader.verify();
    if let Some(problem) = problems.first() {
        bail!(
            "{problem}\n  fix: pack a record that is as it was sealed; `fieldrange verify` names every difference"
        );
    }
    let out = args.out.clone().unwrap_or_else(|| {
        let mut name = args.run.file_name().unwrap_or_default().to_owned();
        name.push("-trainee");
        args.run.with_file_name(name)
    });
    let count = pack_for_trainee(&reader, &out, None)?;
    println!("{}: {count} files for a trainee, without truth, seed, findings and scores", out.display());
    Ok(Exit::Done)
}

/// Copies what a trainee may see; how many files. The copy may say another name than the scenario's.
pub(super) fn pack_for_trainee(reader: &RunReader, out: &Path, name: Option<&str>) -> Result<usize> {
    let site = site::Site::named(&reader.manifest().site)?;
    let mut manifest = reader.manifest().clone();
    manifest.seed = None;
    manifest.settings.clear();
    if let Some(name) = name {
        name.clone_into(&mut manifest.scenario);
    }
    manifest.files.clear();
    // A host that the site's documentation does not know is for the trainee to find.
    manifest
        .topology
        .retain(|address, _| address.parse().is_ok_and(|address| site.host_at(address).is_some()));
    let mut writer = RunWriter::create(out)?;
    let mut count = 0;
    for name in reader.manifest().files.keys().filter(|name| !LEFT_OUT.contains(&name.as_str())) {
        let path: PathBuf = reader.path(name);
        let mut from = fs::File::open(&path).with_context(|| path.display().to_string())?;
        std::io::copy(&mut from, &mut writer.file(name)?).with_context(|| path.display().to_string())?;
        count += 1;
    }
    writer.seal(manifest)?;
    Ok(count)
}
