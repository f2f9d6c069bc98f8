//! `fieldrange key`: keys that are made once and kept.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::{Args, ValueEnum};
use quizzes::export::badge::IssuerKey;
use quizzes::export::flag::KEY_OCTETS;

use crate::exit::Exit;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// Ed25519, as a JWK: signs badges.
    Issuer,
    /// 32 random octets in hexadecimal: flags come from it.
    Event,
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Whose.
    #[arg(value_enum)]
    pub(crate) kind: KeyKind,
    /// File for it; must be new.
    pub(crate) file: PathBuf,
}

/// Its owner reads and writes it, nobody else.
const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

pub(crate) fn key(args: &KeyArgs) -> Result<Exit> {
    match args.kind {
        KeyKind::Issuer => {
            let key = IssuerKey::draw()?;
            let public = args.file.with_extension("pub.jwk");
            write_new(&args.file, SECRET, &(serde_json::to_string_pretty(&key.private_jwk())? + "\n"))?;
            write_new(&public, PUBLIC, &(serde_json::to_string_pretty(&key.public_jwk())? + "\n"))?;
            println!("{}: signs badges; keep it\n{}: publish it", args.file.display(), public.display());
            println!("issuer {}", key.issuer());
        }
        KeyKind::Event => {
            let mut octets = [0; KEY_OCTETS];
            getrandom::fill(&mut octets).map_err(|error| anyhow!("no random octets: {error}"))?;
            write_new(&args.file, SECRET, &(record::hex(&octets) + "\n"))?;
            println!("{}: flags come from it; keep it out of every lab", args.file.display());
        }
    }
    Ok(Exit::Done)
}

/// A key that is there is never written over.
fn write_new(path: &Path, mode: u32, text: &str) -> Result<()> {
    let name = || format!("{}: a key is not written over what is there", path.display());
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).with_context(name)?;
    file.write_all(text.as_bytes()).with_context(|| path.display().to_string())
}
