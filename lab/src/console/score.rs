//! The score of a run: after its end every point with its reason, and what would have been; across teams a scoreboard.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use quizzes::view::RecordView;
use quizzes::{Score, ScoreInput, read_calls};
use record::Role as ScoredRole;

use super::Shared;
use super::access::Sitting;
use super::exercise::Play;
use super::layout::{Tab, common, page as framed};
use super::problem::Problem;
use super::team::AtTeam;
use crate::store::{CallRow, Role, Store};

/// Calls as they stand in `calls.jsonl`.
fn lines_of(calls: &[CallRow]) -> String {
    calls.iter().map(|call| format!("{}\n", call.body)).collect()
}

/// Scores a sealed run with the calls of the store, and keeps both as an assessment outside the seal.
fn score_of(store: &Store, play: &Play) -> Result<(Score, Vec<CallRow>), Problem> {
    let view = RecordView::open(play.directory()).map_err(|error| Problem::conflict(error.to_string()))?;
    let rows = store.calls(play.run.id)?;
    let text = lines_of(&rows);
    let calls = read_calls("calls", &text, view.names(), view.manifest().duration, quizzes::Form::Live);
    let calls = calls.map_err(|problems| {
        let says: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Problem::conflict(says.join("; "))
    })?;
    let input = ScoreInput {
        truth: view.truth().map_err(|error| Problem::conflict(error.to_string()))?,
        calls: &calls,
        duration: view.manifest().duration,
        role: ScoredRole::Analyst,
        form: quizzes::Form::Live,
        names: view.names(),
        false_call_weight: None,
    };
    Ok((quizzes::score(&input), rows))
}

fn lines(score: &Score, calls: &[CallRow]) -> Markup {
    html! {
        table {
            caption { "Every point and its reason" }
            thead { tr { th.number scope="col" { "Points" } th scope="col" { "What" } th scope="col" { "Why" } th scope="col" { "Facilitator" } } }
            tbody {
                @for line in &score.lines {
                    @let overridden = match line.subject {
                        quizzes::score::Subject::Call(number) => calls.iter().find(|call| call.number == number && call.points_override.is_some()),
                        _ => None,
                    };
                    tr {
                        td.number { (format!("{:+.1}", line.points)) }
                        td { (line.what) }
                        td { (line.why) }
                        td { @if let Some(call) = overridden { (format!("{:+.1}", call.points_override.unwrap_or_default())) ": " (call.override_reason.as_deref().unwrap_or_default()) } }
                    }
                }
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

/// The page.
pub(super) async fn page(State(console): State<Shared>, at: AtTeam) -> Result<Response, Problem> {
    let content = if !at.is_over() {
        waiting(&at)
    } else if at.play.class.scores_hidden && at.seat().role != Role::Facilitator {
        html! { section { h2 { "Hidden" } p { "The facilitator shows the scores at the debrief." } } }
    } else {
        let (score, calls) = score_of(console.exercise.store(), &at.play)?;
        let overrides: f64 = calls.iter().filter_map(|call| call.points_override).sum();
        html! {
            section {
                h2 { "Detection" }
                @match score.detect {
                    Some(detect) => p.primary-value { (format!("{detect:.1}")) " of 100" },
                    None => p { "Not scored: nothing of what happened could be seen in this role." },
                }
                @if calls.iter().any(|call| call.points_override.is_some()) {
                    p { "The facilitator gave other points to some calls: " (format!("{overrides:+.1}")) " in place of the law's own. Both stand below." }
                }
                (lines(&score, &calls))
                p { a href=(format!("/team/{}/report.html", at.play.team.id)) { "Report to print or keep" } }
            }
        }
    };
    Ok(framed(&at.sitting, &at.play, Tab::Score, "score.js", content))
}

/// The report as one file.
pub(super) async fn report(State(console): State<Shared>, at: AtTeam) -> Result<Response, Problem> {
    if !at.is_over() {
        return Err(Problem::conflict("the report is made when the run has ended"));
    }
    if at.play.class.scores_hidden && at.seat().role != Role::Facilitator {
        return Err(Problem::forbidden("the facilitator shows the scores at the debrief"));
    }
    let (score, calls) = score_of(console.exercise.store(), &at.play)?;
    let page = html! { (maud::DOCTYPE) html lang="en" { head { meta charset="utf-8"; title { "Report" } } body { (lines(&score, &calls)) } } };
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response())
}

/// Teams side by side.
pub(super) async fn scoreboard(State(console): State<Shared>, sitting: Sitting) -> Result<Response, Problem> {
    let is_facilitator = sitting.0.role == Role::Facilitator;
    let mut rows = Vec::new();
    for play in console.exercise.plays() {
        let is_over = play.lab.as_ref().is_none_or(|lab| lab.is_over());
        let says = match (is_over, play.class.scores_hidden && !is_facilitator) {
            (false, _) => "playing".to_owned(),
            (true, true) => "ended".to_owned(),
            (true, false) => match score_of(console.exercise.store(), &play) {
                Ok((score, _)) => {
                    score.detect.map_or_else(|| "not scored".to_owned(), |detect| format!("{detect:.1}"))
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
                thead { tr { th scope="col" { "Team" } th scope="col" { "Exercise" } @if is_facilitator { th.number scope="col" { "Seed" } } th.number scope="col" { "Detection" } } }
                tbody { @for (team, title, seed, says) in rows { tr { th scope="row" { (team) } td { (title) } @if is_facilitator { td.number { (seed) } } td.number { (says) } } } }
            }
        }
    };
    Ok(common(&sitting, "Scoreboard", None, content))
}
