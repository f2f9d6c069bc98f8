//! A team's lab, to those who may: the right to look, to act, to keep time.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use net::Pace;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Sitting;
use super::exercise::Play;
use super::problem::Problem;
use super::{Console, Shared};
use crate::live::Phase;
use crate::store::{MessageRow, Role, Seat};

/// Longest text that a person may send as a command.
const COMMAND_MAX: usize = 4096;

/// A seat at a team's lab. Rejects seats of other teams.
#[derive(Clone, Debug)]
pub(super) struct AtTeam {
    pub(super) sitting: Sitting,
    pub(super) play: Arc<Play>,
}

#[derive(Deserialize)]
struct TeamPath {
    team: i64,
}

impl FromRequestParts<Shared> for AtTeam {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Self::Rejection> {
        let sitting = Sitting::from_request_parts(parts, console).await?;
        let path: Result<Path<TeamPath>, _> = Path::from_request_parts(parts, console).await;
        let Ok(Path(TeamPath { team })) = path else {
            return Err(Problem::missing("a team is named by its number").into_response());
        };
        if sitting.0.role != Role::Facilitator && sitting.0.team != Some(team) {
            // The same words whether that team exists or not.
            return Err(Problem::forbidden("this seat belongs to another team").into_response());
        }
        match console.exercise.play(team) {
            Some(play) => Ok(Self { sitting, play }),
            None => {
                Err(Problem::missing("this team has no run yet: the facilitator starts it").into_response())
            }
        }
    }
}

impl AtTeam {
    /// The seat.
    pub(super) fn seat(&self) -> &Seat {
        &self.sitting.0
    }

    /// Only for those who look at evidence, and only while time passes, unless it is theirs to stop.
    pub(super) fn evidence(&self) -> Result<(), Problem> {
        if !self.seat().role.analyses() && self.seat().role != Role::Observer {
            return Err(Problem::forbidden("the analyst's desk has the records"));
        }
        self.not_blank()
    }

    /// While the facilitator has stopped time, nobody gains by it.
    pub(super) fn not_blank(&self) -> Result<(), Problem> {
        let is_paused = self.play.lab.as_ref().is_some_and(|lab| lab.board().read().phase == Phase::Paused);
        if is_paused && !self.seat().role.keeps_time() {
            return Err(Problem::new(
                StatusCode::LOCKED,
                "the exercise is paused: evidence is blank until it goes on",
            ));
        }
        Ok(())
    }

    /// Whether the run is over.
    pub(super) fn is_over(&self) -> bool {
        self.play.is_over()
    }

    /// Whether this seat may see what really happened and what it was worth.
    pub(super) fn is_open(&self, console: &Console) -> bool {
        self.seat().role == Role::Facilitator || console.exercise.is_open(&self.play)
    }
}

/// Where a seat begins.
pub(super) async fn home(State(console): State<Shared>, sitting: Sitting) -> Response {
    let page = match (sitting.0.role, sitting.0.team) {
        (Role::Facilitator, _) | (_, None) => "/facilitator".to_owned(),
        (Role::Analyst, Some(team)) => format!("/team/{team}/analyst"),
        (_, Some(team)) => format!("/team/{team}/plant"),
    };
    let waits = sitting.0.team.filter(|team| console.exercise.play(*team).is_none());
    if let Some(team) = waits {
        if matches!(console.exercise.store().tabletop(), Ok(Some(_))) {
            return Redirect::to(&format!("/team/{team}/tabletop")).into_response();
        }
        let content = maud::html! {
            p { "Your seat is ready. The facilitator has not started the exercise for your team yet." }
            p { a href="/" { "Look again" } }
        };
        return super::layout::common(&sitting, "Waiting for the exercise", None, content);
    }
    Redirect::to(&page).into_response()
}

/// A person acts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActForm {
    command: String,
}

/// Carries out an action and says what came of it.
pub(super) async fn act(
    State(console): State<Shared>,
    at: AtTeam,
    Json(form): Json<ActForm>,
) -> Result<Json<Value>, Problem> {
    let seat = at.seat();
    let command = form.command.trim();
    if command.len() > COMMAND_MAX || command.chars().any(char::is_control) {
        return Err(Problem::bad("a command is one line of at most 4096 characters"));
    }
    let verb = command.split_whitespace().next().unwrap_or_default();
    let (may, who) = match verb {
        "write" | "acknowledge" | "safe-stop" | "attend" => (seat.role.operates(), "the operator"),
        "rule" | "session" | "mirror" => (seat.role.analyses(), "the analyst"),
        _ => return Err(Problem::bad(format!("there is no action {verb:?}"))),
    };
    if !may {
        return Err(Problem::forbidden(format!(
            "{who} of this team does that; you are its {}",
            seat.role.as_str()
        )));
    }
    let Some(lab) = at.play.live() else { return Err(Problem::conflict("this run is over")) };
    at.not_blank()?;
    let who = format!("{} ({})", seat.name, seat.role.as_str());
    let outcome = lab.act(&who, command).await;
    let store = console.exercise.store();
    match outcome {
        Ok(outcome) => {
            store.add_action(at.play.run.id, seat.id, outcome.t, command, &outcome.says)?;
            Ok(Json(json!({ "says": outcome.says, "t": outcome.t })))
        }
        Err(problem) => {
            store.add_action(at.play.run.id, seat.id, lab.now(), command, &format!("refused: {problem}"))?;
            Err(problem.into())
        }
    }
}

/// What time shall do.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum TimeForm {
    Pause,
    Resume,
    Speed(f64),
    /// Seconds.
    Step(u32),
    End,
}

impl TimeForm {
    /// Tells a lab.
    pub(super) fn tell(&self, play: &Play) -> Result<(), Problem> {
        let Some(lab) = play.live() else { return Err(Problem::conflict("this run is over")) };
        match self {
            Self::Pause => lab.pause(),
            Self::Resume => lab.resume(),
            Self::Speed(factor) => {
                lab.set_pace(Pace::new(*factor).map_err(|error| Problem::bad(error.to_string()))?);
            }
            Self::Step(seconds) => lab.step(Duration::from_secs(u64::from(*seconds))),
            Self::End => lab.end(),
        }
        Ok(())
    }
}

/// Time obeys.
pub(super) async fn time(at: AtTeam, Json(form): Json<TimeForm>) -> Result<Json<Value>, Problem> {
    if !at.seat().role.keeps_time() {
        return Err(Problem::forbidden("time is the facilitator's"));
    }
    form.tell(&at.play)?;
    Ok(Json(json!({ "says": "done" })))
}

/// What was said to this seat's role.
pub(super) async fn messages(
    State(console): State<Shared>,
    at: AtTeam,
) -> Result<Json<Vec<MessageRow>>, Problem> {
    let role = at.seat().role;
    let mut messages = console.exercise.store().messages(at.play.run.id)?;
    messages.retain(|message| {
        let is_for =
            |to: &str| to == role.as_str() || (role == Role::Solo && matches!(to, "operator" | "analyst"));
        role == Role::Facilitator || message.role.as_deref().is_none_or(is_for)
    });
    Ok(Json(messages))
}
