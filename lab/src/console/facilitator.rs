//! The facilitator's page: classes, teams and seats; time; what comes next and what really happened beside what was called.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use maud::html;
use net::Pace;
use record::{Verdict, VirtualTime};
use scenarios::texts::ENGLISH;
use scenarios::{Difficulty, EventKind, Scenario};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Shared;
use super::access::{Sitting, new_secret};
use super::exercise::{Play, StartOrder, order_of};
use super::layout::common;
use super::problem::Problem;
use super::team::TimeForm;
use crate::language::LANGUAGE;
use crate::store::{CallRow, ClassRow, Role, Shows};

/// Planned events that are shown ahead.
const AHEAD: usize = 10;
/// Longest text of a message or a reason.
const TEXT_MAX: usize = 2000;
/// Longest name of a team or a person.
const NAME_MAX: usize = 60;

/// Only the facilitator may.
pub(super) fn check(sitting: &Sitting) -> Result<(), Problem> {
    if sitting.0.role == Role::Facilitator {
        Ok(())
    } else {
        Err(Problem::forbidden("the facilitator does that"))
    }
}

fn text_of(what: &str, text: &str, max: usize) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty()
        || text.chars().count() > max
        || text.chars().any(|letter| letter.is_control() && letter != '\n')
    {
        return Err(Problem::bad(format!("{what} is a text of 1 to {max} characters")));
    }
    Ok(text.to_owned())
}

/// The page.
pub(super) async fn page(sitting: Sitting) -> Result<Response, Problem> {
    check(&sitting)?;
    let scenarios: Vec<(String, String, bool)> = Scenario::names()
        .filter_map(|name| {
            let scenario = Scenario::named(name).ok()?;
            Some((name.to_owned(), scenario.texts().title.clone(), scenario.file().blind.is_some()))
        })
        .collect();
    let languages: BTreeSet<String> = Scenario::names().flat_map(Scenario::languages).collect();
    // English first: not every scenario has the others.
    let languages: Vec<&String> = languages
        .iter()
        .filter(|code| *code == ENGLISH)
        .chain(languages.iter().filter(|code| *code != ENGLISH))
        .collect();
    let content = html! {
        div.row {
            button.danger id="stop" type="button" { "STOP - REAL EVENT" }
            button id="pause-all" type="button" { "Pause all" }
            button id="resume-all" type="button" { "Let all go on" }
            label { "Speed of all " select id="speed-all" { @for pace in [1, 2, 5, 10] { option value=(pace) { (pace) " x" } } } }
            button id="step-all" type="button" { "Step 60 s" }
            button id="end-all" type="button" { "End all and debrief" }
            span.says role="status" id="says" {}
        }
        div.columns {
            section aria-labelledby="start-title" {
                h2 id="start-title" { "Start an exercise" }
                form id="start" {
                    label { "Scenario " select name="scenario" { @for (name, title, can_be_blind) in &scenarios { option value=(name) data-blind=[can_be_blind.then_some("yes")] { (title) " (" (name) ")" } } } }
                    label { "Seed " input name="seed" type="number" min="0" value="1" size="8"; }
                    label { input type="checkbox" name="blind"; " blind: the seed draws the cause" }
                    label { "Told in " select name="language" { @for language in &languages { option { (language) } } } }
                    label { "Level " select name="level" { @for level in Difficulty::ALL { option selected[level == Difficulty::default()] { (level) } } } }
                    label { "Analysts see " select name="shows" { option value="" { "what the level has" } option value="records" { "records" } option value="findings" { "findings and records" } option value="capture" { "the capture alone" } } }
                    label { "Speed " select name="pace" { @for pace in [1, 2, 5, 10] { option value=(pace) { (pace) " x" } } } }
                    label { "Begin after " input name="skip" type="number" min="0" max="86400" value="0" size="6"; " s" }
                    label { input type="checkbox" name="paused"; " paused" }
                    button.primary type="submit" { "Start for all teams" }
                }
                p.note { "Every team gets a lab of its own, from the same seed. A team that joins later is started from its row." }
            }
            section aria-labelledby="teams-title" {
                h2 id="teams-title" { "Teams and seats" }
                form id="add-team" { label { "Team " input name="name" required maxlength=(NAME_MAX); } button type="submit" { "Add team" } }
                form id="add-seat" {
                    label { "Seat for " input name="name" required maxlength=(NAME_MAX); }
                    label { "Role " select name="role" { @for role in [Role::Operator, Role::Analyst, Role::Observer, Role::Solo, Role::Facilitator] { option { (role.as_str()) } } } }
                    label { "Team " select name="team" id="seat-team" {} }
                    button type="submit" { "Make a link" }
                }
                p id="new-link" role="status" {}
                table { thead { tr { th scope="col" { "Seat" } th scope="col" { "Role" } th scope="col" { "Team" } th scope="col" { "Taken" } th scope="col" { "Link" } } } tbody id="seats" {} }
            }
            section aria-labelledby="say-title" {
                h2 id="say-title" { "Say something" }
                form id="say" {
                    label { "To " select name="team" id="say-team" { option value="" { "all teams" } } }
                    label { "Role " select name="role" { option value="" { "everybody" } @for role in [Role::Operator, Role::Analyst, Role::Observer] { option { (role.as_str()) } } } }
                    label { "As " select name="kind" { option { "message" } option { "hint" } option { "inject" } } }
                    label { "Text " textarea name="text" required rows="2" cols="40" maxlength=(TEXT_MAX) {} }
                    label { "At " input name="at" type="number" min="0" size="7" placeholder="now"; " s of the run" }
                    button type="submit" { "Say or prepare" }
                }
                p.note { "With a time it is an inject that waits: it can be released early, held or taken back below." }
                table { thead { tr { th scope="col" { "At" } th scope="col" { "To" } th scope="col" { "Text" } th scope="col" { "State" } th scope="col" {} } } tbody id="injects" {} }
            }
        }
        div.teams id="teams" {}
    };
    Ok(common(&sitting, "Facilitator", Some("facilitator.js"), content))
}

fn verdict_letter(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Attack => "A",
        Verdict::Fault => "F",
        Verdict::Authorised => "W",
    }
}

fn team_state(play: &Play, calls: &[CallRow], injects: Value) -> Value {
    let (phase, now, pace, reason) = match &play.lab {
        Some(lab) => {
            let state = lab.board().read();
            (json!(state.phase), state.now, state.pace, state.reason.clone())
        }
        None => (json!(play.run.state), VirtualTime::ZERO, 0.0, play.run.reason.clone()),
    };
    let is_live = play.live().is_some();
    let lag = play.lab.as_ref().and_then(|lab| lab.control().lag(0.99));
    let labelled = play.plan.events.iter().filter(|event| event.kind != EventKind::Ordinary);
    let event = |event: &scenarios::PlannedEvent| {
        json!({ "id": event.id, "clock": play.start().time_of_day(event.at), "t": event.at, "verdict": event.verdict,
            "letter": verdict_letter(event.verdict), "summary": event.summary, "severity": event.severity })
    };
    let was: Vec<Value> = labelled.filter(|known| !is_live || known.at <= now).map(event).collect();
    let next: Vec<Value> =
        play.plan.events.iter().filter(|known| is_live && known.at > now).take(AHEAD).map(event).collect();
    let calls: Vec<Value> = calls
        .iter()
        .filter_map(|call| {
            let mut line: Value = serde_json::from_str(&call.body).ok()?;
            let t = line["t"].as_f64().map(VirtualTime::from_secs_f64);
            line["clock"] = json!(t.map(|t| play.start().time_of_day(t)));
            line["points_override"] = json!(call.points_override);
            line["override_reason"] = json!(call.override_reason);
            Some(line)
        })
        .collect();
    json!({
        "id": play.team.id, "name": play.team.name, "phase": phase, "clock": play.start().time_of_day(now), "t": now,
        "pace": pace, "reason": reason, "title": play.title, "class": play.class.id, "seed": play.class.seed,
        "shows": play.class.shows, "scores_hidden": play.class.scores_hidden, "record": play.run.directory,
        "lag_p99_ms": lag.map(|lag| lag.as_secs_f64() * 1e3), "is_live": is_live, "cause": play.plan.cause.as_str(), "was": was, "next": next, "calls": calls, "injects": injects,
    })
}

/// Everything that moves on the page.
pub(super) async fn state(State(console): State<Shared>, sitting: Sitting) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let store = console.exercise.store();
    let mut teams = Vec::new();
    for team in store.teams()? {
        teams.push(match console.exercise.play(team.id) {
            Some(play) => {
                let injects = store.injects(play.run.id)?;
                team_state(&play, &store.calls(play.run.id)?, json!(injects))
            }
            None => json!({ "id": team.id, "name": team.name, "phase": "waiting", "calls": [], "was": [], "next": [], "injects": [] }),
        });
    }
    Ok(Json(json!({ "teams": teams, "seats": store.seats()? })))
}

/// An exercise to start.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StartForm {
    scenario: String,
    #[serde(default = "one")]
    seed: u64,
    #[serde(default)]
    blind: bool,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    language: Option<String>,
    shows: Option<String>,
    #[serde(default = "real_time")]
    pace: f64,
    #[serde(default)]
    skip: u32,
    #[serde(default)]
    paused: bool,
    /// One team of the latest class, for one that joins late.
    team: Option<i64>,
}

fn one() -> u64 {
    1
}

fn real_time() -> f64 {
    1.0
}

/// Starts an exercise for all teams, or the running one for a team that comes late.
pub(super) async fn start(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<StartForm>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let exercise = console.exercise.clone();
    let store = exercise.store();
    let how = StartOrder {
        pace: Pace::new(form.pace).map_err(|error| Problem::bad(error.to_string()))?,
        skip: Duration::from_secs(u64::from(form.skip)),
        is_paused: form.paused,
    };
    let mut settings = form.settings;
    if let Some(language) = form.language.filter(|code| code != ENGLISH) {
        settings.insert(LANGUAGE.to_owned(), language);
    }
    let mut class = ClassRow {
        id: 0,
        title: String::new(),
        scenario: form.scenario,
        seed: form.seed,
        blind: form.blind,
        settings,
        shows: match form.shows.as_deref() {
            // Set below: the level says.
            None => Shows::Records,
            Some(word) => {
                Shows::parse(word).ok_or_else(|| Problem::bad("shows is findings, records or capture"))?
            }
        },
        scores_hidden: false,
    };
    let ordered = order_of(&class).map_err(|error| Problem::bad(format!("{error:#}")))?;
    if form.shows.is_none() {
        class.shows = Shows::at(ordered.order.plan.level);
    }
    class.title.clone_from(&ordered.scenario.texts().title);
    let teams: Vec<_> =
        store.teams()?.into_iter().filter(|team| form.team.is_none_or(|wanted| wanted == team.id)).collect();
    if teams.is_empty() {
        return Err(Problem::bad("add a team first"));
    }
    if let Some(team) = teams.iter().find(|team| exercise.play(team.id).is_some_and(|play| !play.is_over())) {
        return Err(Problem::conflict(format!(
            "{} has a lab that is live or being debriefed: end it, or wait for its record",
            team.name
        )));
    }
    class.id = store.add_class(&class)?;
    let started = tokio::task::spawn_blocking(move || {
        teams
            .iter()
            .map(|team| exercise.start(&class, team, how).map(|play| play.team.id))
            .collect::<Result<Vec<_>, _>>()
    });
    let started = started.await.map_err(|error| Problem::bad(error.to_string()))??;
    Ok(Json(json!({ "says": format!("started for {} teams", started.len()), "teams": started })))
}

/// A team by name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TeamForm {
    name: String,
}

/// Makes a team.
pub(super) async fn add_team(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<TeamForm>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let name = text_of("a team's name", &form.name, NAME_MAX)?;
    let id = console.exercise.store().add_team(&name)?;
    Ok(Json(json!({ "says": format!("team {name} is there"), "id": id })))
}

/// A seat.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeatForm {
    name: String,
    role: String,
    team: Option<i64>,
}

/// Makes a seat and its link, which is shown once.
pub(super) async fn add_seat(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<SeatForm>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let name = text_of("a person's name", &form.name, NAME_MAX)?;
    let role = Role::parse(&form.role)
        .ok_or_else(|| Problem::bad("a role is facilitator, operator, analyst, observer or solo"))?;
    let store = console.exercise.store();
    let team = match (role, form.team) {
        (Role::Facilitator, _) => None,
        (_, Some(team)) if store.teams()?.iter().any(|known| known.id == team) => Some(team),
        _ => return Err(Problem::bad("this role sits in a team: name one")),
    };
    let link = new_secret()?;
    let id = store.add_seat(team, role, &name, &link)?;
    Ok(Json(json!({ "says": "the link opens this seat once", "seat": id, "link": format!("/enter/{link}") })))
}

/// A seat by number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkForm {
    seat: i64,
}

/// Gives a seat another link; who sat there has to use it.
pub(super) async fn renew_link(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<LinkForm>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    if form.seat == sitting.0.id {
        return Err(Problem::conflict("that would put you out: another facilitator does that"));
    }
    let link = new_secret()?;
    if !console.exercise.store().renew_link(form.seat, &link)? {
        return Err(Problem::missing("there is no such seat"));
    }
    Ok(Json(json!({ "says": "the link opens this seat once", "link": format!("/enter/{link}") })))
}

/// What all labs shall do.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum AllForm {
    /// Time, for all.
    Time(TimeForm),
    /// A real event: everything stops, and every screen says so.
    Stop,
}

/// Tells all labs.
pub(super) async fn all(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<AllForm>,
) -> Result<Json<Value>, Problem> {
    const REAL_EVENT: &str =
        "STOP - REAL EVENT. The exercise is stopped. This is not part of it: follow your real procedures.";
    check(&sitting)?;
    let plays = console.exercise.plays();
    let time = match &form {
        AllForm::Time(time) => time,
        AllForm::Stop => &TimeForm::Pause,
    };
    // One that ends in this moment keeps none of the others going.
    let told = plays.iter().filter(|play| time.tell(play).is_ok()).count();
    let mut failed = None;
    if matches!(form, AllForm::Stop) {
        for play in &plays {
            failed = console.exercise.say(play, "stop", None, REAL_EVENT).err().or(failed);
        }
    }
    match failed {
        Some(error) => Err(Problem::from(error)),
        None => Ok(Json(json!({ "says": format!("{told} labs were told") }))),
    }
}

/// Something to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SayForm {
    team: Option<i64>,
    role: Option<String>,
    kind: String,
    text: String,
    /// Seconds of the run; now where there is none.
    at: Option<f64>,
}

/// Says it, or keeps it until its time.
pub(super) async fn say(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<SayForm>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let text = text_of("what is said", &form.text, TEXT_MAX)?;
    if !["message", "hint", "inject"].contains(&form.kind.as_str()) {
        return Err(Problem::bad("it is a message, a hint or an inject"));
    }
    let role = match form.role.as_deref() {
        None | Some("") => None,
        Some(word) => Some(Role::parse(word).ok_or_else(|| Problem::bad("there is no such role"))?.as_str()),
    };
    let at = match form.at {
        Some(at) if !(0.0..=1e7).contains(&at) => return Err(Problem::bad("a time is seconds of the run")),
        at => at.map(VirtualTime::from_secs_f64),
    };
    let plays = console.exercise.plays();
    let meant: Vec<_> =
        plays.iter().filter(|play| form.team.is_none_or(|team| team == play.team.id)).collect();
    for play in &meant {
        match at {
            Some(at) => console.exercise.store().add_inject(play.run.id, at, &form.kind, role, &text)?,
            None => console.exercise.say(play, &form.kind, role, &text)?,
        }
    }
    Ok(Json(
        json!({ "says": format!("{} teams {}", meant.len(), if at.is_some() { "will hear it" } else { "hear it" }) }),
    ))
}

/// What to do with an inject that waits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InjectForm {
    inject: i64,
    /// `release`, `hold`, `wait`, `drop`, `edit`.
    what: String,
    text: Option<String>,
}

/// Releases, holds, edits or drops an inject.
pub(super) async fn inject(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<InjectForm>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let store = console.exercise.store();
    let is_done = match form.what.as_str() {
        "release" => console.exercise.release(form.inject)?,
        "hold" => store.set_inject(form.inject, "held")?,
        "wait" => store.set_inject(form.inject, "waits")?,
        "drop" => store.set_inject(form.inject, "dropped")?,
        "edit" => {
            let text = text_of("an inject", form.text.as_deref().unwrap_or_default(), TEXT_MAX)?;
            store.edit_inject(form.inject, &text)?
        }
        other => return Err(Problem::bad(format!("release, hold, wait, drop or edit, not {other:?}"))),
    };
    if is_done {
        Ok(Json(json!({ "says": "done" })))
    } else {
        Err(Problem::missing("there is no such inject that waits"))
    }
}

/// What trainees see.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowsForm {
    class: i64,
    shows: String,
    scores_hidden: bool,
}

/// Changes what trainees see, for runs of that class from now on.
pub(super) async fn shows(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<ShowsForm>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let shows =
        Shows::parse(&form.shows).ok_or_else(|| Problem::bad("shows is findings, records or capture"))?;
    console.exercise.set_shown(form.class, shows, form.scores_hidden)?;
    Ok(Json(json!({ "says": "done" })))
}

/// Other points for a call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideForm {
    team: i64,
    call: u64,
    points: f64,
    reason: String,
}

/// Gives a call other points, with a reason; the law's own stay beside them.
pub(super) async fn override_call(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<OverrideForm>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let reason = text_of("a reason", &form.reason, TEXT_MAX)?;
    if !(-100.0..=100.0).contains(&form.points) {
        return Err(Problem::bad("points are from -100 to 100"));
    }
    let Some(play) = console.exercise.play(form.team) else {
        return Err(Problem::missing("this team has no run"));
    };
    if console.exercise.store().override_call(play.run.id, form.call, form.points, &reason)? {
        Ok(Json(json!({ "says": "done; both figures are kept" })))
    } else {
        Err(Problem::missing("this team made no such call"))
    }
}

/// From where a run goes on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForkForm {
    team: i64,
    /// Seconds of the run; its end where there is none.
    at: Option<f64>,
}

/// Goes on with a run that was cut off or ended, or again from a moment before.
pub(super) async fn fork(
    State(console): State<Shared>,
    sitting: Sitting,
    Json(form): Json<ForkForm>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let exercise = console.exercise.clone();
    let at = match form.at {
        Some(at) if !(0.0..=1e7).contains(&at) => return Err(Problem::bad("a time is seconds of the run")),
        at => at.map(VirtualTime::from_secs_f64),
    };
    let how = StartOrder { pace: Pace::REAL_TIME, skip: Duration::ZERO, is_paused: true };
    let play = tokio::task::spawn_blocking(move || exercise.go_on(form.team, at, how)).await;
    let play = play
        .map_err(|error| Problem::bad(error.to_string()))?
        .map_err(|error| Problem::conflict(format!("{error:#}")))?;
    Ok(Json(json!({ "says": format!("{} goes on, paused", play.team.name) })))
}
