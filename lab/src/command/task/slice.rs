//! A capture as the frames that it holds.

use std::path::Path;

use anyhow::Result;
use quizzes::task::CapturedFrame;
use record::{StartTime, VirtualTime};
use sensor::CaptureReader;
use sha2::{Digest, Sha256};

/// Frames of a capture, with times since the start of a run. One from before it counts as at the start.
pub(super) fn frames(path: &Path, start: StartTime) -> Result<Vec<CapturedFrame>> {
    let mut reader = CaptureReader::open(path)?;
    let mut frames = Vec::new();
    let origin = start.unix_nanos(VirtualTime::ZERO);
    while let Some(frame) = reader.next_frame()? {
        let digest: [u8; 32] = Sha256::digest(frame.octets).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        frames.push(CapturedFrame {
            t: VirtualTime::from_nanos(frame.unix_nanos.saturating_sub(origin)),
            digest: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        });
    }
    Ok(frames)
}
