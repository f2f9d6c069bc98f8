//! The record's files, while they grow: the capture as a file, the capture as a live stream, logs.
//!
//! The live stream is the capture's file followed as it grows, so a slow reader slows nobody and loses nothing:
//! `curl -sN -H "Authorization: Bearer ..." http://127.0.0.1:8600/team/1/span.pcap | wireshark -k -i -`.

use std::io::SeekFrom;
use std::path::{Component, Path};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path as RoutePath, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::Shared;
use super::problem::Problem;
use super::team::AtTeam;
use crate::store::Shows;

const PIECE: usize = 64 * 1024;
/// How often a stream looks whether its file grew.
const BEAT: Duration = Duration::from_millis(200);
/// Section header and interface description of a capture end before this.
const HEAD_MAX: usize = 1024;
const CAPTURE: &str = "span.pcapng";

/// The capture so far.
pub(super) async fn capture(at: AtTeam) -> Result<Response, Problem> {
    at.evidence()?;
    send(&at.play.directory().join(CAPTURE), "application/x-pcapng", CAPTURE).await
}

/// From where a live stream begins.
#[derive(Deserialize)]
pub(super) struct From {
    /// `start`, the usual, or `now`.
    #[serde(default)]
    from: Option<String>,
}

/// The capture, followed for as long as the run goes on.
pub(super) async fn live_capture(at: AtTeam, Query(From { from }): Query<From>) -> Result<Response, Problem> {
    at.evidence()?;
    let is_from_now = match from.as_deref() {
        None | Some("start") => false,
        Some("now") => true,
        Some(other) => return Err(Problem::bad(format!("from is start or now, got {other:?}"))),
    };
    let mut file = File::open(at.play.directory().join(CAPTURE)).await?;
    let mut head = Vec::new();
    if is_from_now {
        // The newest whole block begins where the blocks so far end.
        head = capture_head(&mut file).await?;
        let end = end_of_blocks(&at.play.directory().join(CAPTURE)).await?;
        file.seek(SeekFrom::Start(end)).await?;
    }
    let followed = stream::unfold((file, at, head), |(mut file, at, mut head)| async move {
        if !head.is_empty() {
            let head = Bytes::from(std::mem::take(&mut head));
            return Some((Ok::<_, std::io::Error>(head), (file, at, Vec::new())));
        }
        loop {
            // What is already over is looked at before the file is, so that nothing at its end is missed.
            let is_over = at.is_over();
            if at.not_blank().is_ok() {
                let mut piece = vec![0; PIECE];
                match file.read(&mut piece).await {
                    Ok(0) if is_over => return None,
                    Ok(0) => {}
                    Ok(count) => {
                        piece.truncate(count);
                        return Some((Ok(Bytes::from(piece)), (file, at, head)));
                    }
                    Err(error) => return Some((Err(error), (file, at, head))),
                }
            }
            tokio::time::sleep(BEAT).await;
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/x-pcapng")], Body::from_stream(followed)).into_response())
}

async fn capture_head(file: &mut File) -> Result<Vec<u8>, Problem> {
    let mut head = vec![0; HEAD_MAX];
    let count = file.read(&mut head).await?;
    head.truncate(count);
    let mut end = 0;
    for _ in 0..2 {
        end += block_length(&head, end)
            .ok_or_else(|| Problem::conflict("the capture has not begun: try again"))?;
    }
    head.truncate(end);
    Ok(head)
}

fn block_length(octets: &[u8], at: usize) -> Option<usize> {
    let length = octets.get(at + 4..at + 8)?;
    Some(u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize)
}

async fn end_of_blocks(path: &Path) -> Result<u64, Problem> {
    let path = path.to_owned();
    let scan = tokio::task::spawn_blocking(move || super::frame::blocks(&path, |_, _| false));
    Ok(scan.await.map_err(|error| Problem::bad(error.to_string()))??)
}

/// A file of the record by its path.
pub(super) async fn file(
    State(console): State<Shared>,
    at: AtTeam,
    RoutePath((_, path)): RoutePath<(i64, String)>,
) -> Result<Response, Problem> {
    let path = Path::new(&path);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain {
        return Err(Problem::missing("there is no such file in this record"));
    }
    let name = path.to_string_lossy();
    if !at.is_open(&console) {
        at.evidence()?;
        let shown = match at.play.class.shows {
            Shows::Capture => false,
            Shows::Records => name.starts_with("logs/"),
            Shows::Findings => {
                name.starts_with("logs/") || matches!(name.as_ref(), "findings.jsonl" | "incidents.jsonl")
            }
        };
        if !shown {
            return Err(Problem::forbidden("that file is for the debrief"));
        }
    }
    let last = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    send(&at.play.directory().join(path), "application/octet-stream", &last).await
}

async fn send(path: &Path, kind: &'static str, name: &str) -> Result<Response, Problem> {
    let file = File::open(path).await?;
    if !file.metadata().await?.is_file() {
        return Err(Problem::missing("there is no such file in this record"));
    }
    let length = file.metadata().await?.len();
    let pieces = stream::unfold((file.take(length), false), |(mut file, is_broken)| async move {
        if is_broken {
            return None;
        }
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some((Ok(Bytes::from(piece)), (file, false)))
            }
            Err(error) => Some((Err(error), (file, true))),
        }
    });
    let saved_as: String =
        name.chars().filter(|letter| letter.is_ascii_alphanumeric() || "._-".contains(*letter)).collect();
    let heads = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{saved_as}\"")),
    ];
    Ok((heads, Body::from_stream(pieces)).into_response())
}
