//! The score of a run: after its end the report with every point and its reason, and what would have been; across teams a
//! scoreboard.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use quizzes::Form;
use quizzes::score::total::Mode;
use serde::Deserialize;

use super::access::Sitting;
use super::exercise::Play;
use super::layout::{Tab, common, page as framed};
use super::problem::Problem;
use super::team::AtTeam;
use super::{Console, Shared};
use crate::report::{Asked, Change, Report, body, html as report_html};
use crate::store::{CallRow, Role};

/// The report of a sealed run with the calls of the store. They are kept beside the records, outside the seal.
async fn report_of(console: &Arc<Console>, play: &Play, change: Option<Change>) -> Result<Report, Problem> {
    let rows = console.exercise.store().calls(play.run.id)?;
    let lines: Vec<&str> = rows.iter().map(|call| call.body.as_str()).collect();
    let lines = lines.join("\n");
    // One at a time: what the first computes, the others find.
    let place =
        console.reports.clone().acquire_owned().await.map_err(|error| Problem::bad(error.to_string()))?;
    let (directory, console) = (PathBuf::from(&play.run.directory), console.clone());
    let make = move || {
        let _place = place;
        let asked = Asked {
            calls: Some(("calls", &lines)),
            report: None,
            form: Form::Live,
            mode: Some(Mode::Active),
            what_if: change.as_ref(),
        };
        Report::of(&directory, asked, &console.courses)
    };
    let report = tokio::task::spawn_blocking(make).await.map_err(|error| Problem::bad(error.to_string()))?;
    report.map_err(|error| Problem::conflict(format!("{error:#}")))
}

fn overrides(calls: &[CallRow]) -> Markup {
    let changed: Vec<&CallRow> = calls.iter().filter(|call| call.points_override.is_some()).collect();
    html! {
        @if !changed.is_empty() {
            section {
                h2 { "Points that the facilitator gave instead" }
                p.note { "The law's own points stand in the report; both are kept." }
                ul { @for call in changed { li { "Call " (call.number) ": " (format!("{:+.1}", call.points_override.unwrap_or_default())) ", " (call.override_reason.as_deref().unwrap_or_default()) } } }
            }
        }
    }
}

fn waiting(at: &AtTeam) -> Markup {
    html! {
        section {
            h2 { "The run goes on" }
            p { "The score is computed from the record when the run has ended: what was called, when, and what happened to the plant. Until then this page shows what has been handed in." }
            p { "It appears here by itself." }
        }
        section id="handed-in" data-team=(at.play.team.id) {}
    }
}

/// What to change.
#[derive(Deserialize)]
pub(super) struct Asks {
    #[serde(default)]
    what_if: String,
}

impl Asks {
    fn change(&self) -> Result<Option<Change>, Problem> {
        match self.what_if.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(Problem::bad),
        }
    }
}

/// The page.
pub(super) async fn page(
    State(console): State<Shared>,
    at: AtTeam,
    Query(asks): Query<Asks>,
) -> Result<Response, Problem> {
    let content = if !at.is_over() {
        waiting(&at)
    } else if !at.is_open(&console) {
        html! { section { h2 { "Hidden" } p { "The score is shown at the debrief: when the facilitator opens it, and no other team still plays the same." } } }
    } else {
        let report = report_of(&console, &at.play, asks.change()?).await?;
        let calls = console.exercise.store().calls(at.play.run.id)?;
        html! {
            section aria-labelledby="what-if-title" {
                h2 id="what-if-title" { "What if?" }
                form method="get" {
                    label { "The run again with " input name="what_if" size="44" value=(asks.what_if) placeholder="earlier 60" list="changes"; }
                    datalist id="changes" {
                        option value="earlier 60" { "every action a minute earlier" }
                        option value="later 60" { "every action a minute later" }
                        option value="without" { "nobody acts" }
                        option value="also 240 write NAOH.SP 100" { "one more action, at a second of the run" }
                    }
                    button type="submit" { "Run it" }
                    button type="submit" formaction=(format!("/team/{}/report.html", at.play.team.id)) { "As one file, to print or keep" }
                }
                p.note { "earlier SECONDS, later SECONDS, without, without N, instead N COMMAND, also SECONDS COMMAND: actions are counted as below." }
            }
            (overrides(&calls))
            article.report { (body(&report)) }
        }
    };
    Ok(framed(&at.sitting, &at.play, Tab::Score, "score.js", content))
}

/// The report as one file.
pub(super) async fn report(
    State(console): State<Shared>,
    at: AtTeam,
    Query(asks): Query<Asks>,
) -> Result<Response, Problem> {
    if !at.is_over() {
        return Err(Problem::conflict("the report is made when the run has ended"));
    }
    if !at.is_open(&console) {
        return Err(Problem::forbidden(
            "the score is shown at the debrief: when the facilitator opens it, and no other team still plays the same",
        ));
    }
    let report = report_of(&console, &at.play, asks.change()?).await?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], report_html(&report)).into_response())
}

/// Teams side by side.
pub(super) async fn scoreboard(State(console): State<Shared>, sitting: Sitting) -> Result<Response, Problem> {
    let is_facilitator = sitting.0.role == Role::Facilitator;
    let mut rows = Vec::new();
    for play in console.exercise.plays() {
        let says = match (play.is_over(), is_facilitator || console.exercise.is_open(&play)) {
            (false, _) => "playing".to_owned(),
            (true, false) => "ended".to_owned(),
            (true, true) => match report_of(&console, &play, None).await {
                Ok(report) => {
                    let figure = |points: Option<f64>| {
                        points.map_or_else(|| "not scored".to_owned(), |points| format!("{points:.1}"))
                    };
                    let detect = report.detection.as_ref().and_then(|score| score.detect);
                    let whole = report.points.total.as_ref().and_then(|part| part.points);
                    format!("{} (D {})", figure(whole), figure(detect))
                }
                Err(_) => "no record".to_owned(),
            },
        };
        rows.push((play.team.name.clone(), play.title.clone(), play.class.seed, says));
    }
    let content = html! {
        section {
            table {
                caption { "Teams" }
                thead { tr { th scope="col" { "Team" } th scope="col" { "Exercise" } @if is_facilitator { th.number scope="col" { "Seed" } } th.number scope="col" { "Score" } } }
                tbody { @for (team, title, seed, says) in rows { tr { th scope="row" { (team) } td { (title) } @if is_facilitator { td.number { (seed) } } td.number { (says) } } } }
            }
        }
    };
    Ok(common(&sitting, "Scoreboard", None, content))
}
