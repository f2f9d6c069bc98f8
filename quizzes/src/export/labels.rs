//! Labels of a run for people who train and test detectors: per frame and per interval.
//!
//! Frames are those of `span.pcapng`, counted from 1 as Wireshark and tshark do. Only frames that belong to a step are listed;
//! every other frame is ordinary traffic. Times are seconds since the start of the run, as in `process.csv`.

use record::{Channel, Role, RunManifest, TruthStep, Verdict, VirtualTime};
use serde::Serialize;

#[derive(Serialize)]
struct FrameRow<'a> {
    frame: u64,
    label: &'static str,
    step: &'a str,
    campaign: &'a str,
    techniques: String,
}

#[derive(Serialize)]
struct IntervalRow<'a> {
    step: &'a str,
    campaign: &'a str,
    label: &'static str,
    techniques: String,
    source: String,
    target: String,
    points: String,
    start_s: f64,
    end_s: f64,
    start_utc: String,
    end_utc: String,
    /// First frame that shows it; empty where none does.
    on_network_s: Option<f64>,
    /// When the plant crosses a limit because of it, if nobody acts.
    limit_s: Option<f64>,
    severity: u8,
    frames: usize,
    ticket: &'a str,
}

const fn label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Attack => "attack",
        Verdict::Fault => "fault",
        Verdict::Authorised => "authorised",
    }
}

/// A row for each frame of a step, by frame. A frame of several steps has a row for each.
///
/// # Errors
/// What the CSV writer says; rows in memory give no cause. The same of [`intervals`].
pub fn frames(truth: &[TruthStep]) -> Result<String, csv::Error> {
    let mut rows: Vec<FrameRow<'_>> = truth
        .iter()
        .flat_map(|step| {
            step.frames.iter().map(|frame| FrameRow {
                frame: *frame,
                label: label(step.verdict),
                step: &step.step,
                campaign: &step.campaign,
                techniques: step.techniques.join(" "),
            })
        })
        .collect();
    rows.sort_by_key(|row| row.frame);
    written(&rows, "frame,label,step,campaign,techniques\n")
}

/// A row for each step, in the order of the truth.
pub fn intervals(manifest: &RunManifest, truth: &[TruthStep]) -> Result<String, csv::Error> {
    let seconds = |at: VirtualTime| at.as_secs_f64();
    let rows: Vec<IntervalRow<'_>> = truth
        .iter()
        .map(|step| IntervalRow {
            step: &step.step,
            campaign: &step.campaign,
            label: label(step.verdict),
            techniques: step.techniques.join(" "),
            source: step.source.as_ref().map(ToString::to_string).unwrap_or_default(),
            target: step.target.to_string(),
            points: step.points.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            start_s: seconds(step.start),
            end_s: seconds(step.end),
            start_utc: manifest.start.utc(step.start),
            end_utc: manifest.start.utc(step.end),
            on_network_s: step
                .observable
                .get(&Role::Analyst)
                .and_then(|channels| channels.get(&Channel::Network))
                .map(|at| seconds(*at)),
            limit_s: step.limit_time.map(seconds),
            severity: step.severity,
            frames: step.frames.len(),
            ticket: step.ticket.as_deref().unwrap_or_default(),
        })
        .collect();
    written(
        &rows,
        "step,campaign,label,techniques,source,target,points,start_s,end_s,start_utc,end_utc,on_network_s,limit_s,severity,frames,ticket\n",
    )
}

/// Rows under their header, which is there without rows too.
fn written<T: Serialize>(rows: &[T], header: &str) -> Result<String, csv::Error> {
    if rows.is_empty() {
        return Ok(header.to_owned());
    }
    let mut out = csv::Writer::from_writer(Vec::new());
    for row in rows {
        out.serialize(row)?;
    }
    let octets = out.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}
