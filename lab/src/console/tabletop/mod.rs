//! A tabletop in the browser: the facilitator leads through the moves, each room sees its own injects, decides, and is shown what
//! came of it.
//!
//! # Theory of operation
//! What is done is a line in the store ([`crate::store`]); [`State`] is worked out from the lines on every request. What comes of
//! decisions ([`Worked`]) is computed once, when the exercise begins, on a thread of its own; until it is there nothing can be
//! revealed. An analyst's seat is the IT room, an operator's the OT room, an observer's the third; a solo seat sits in all of them.
//!
//! Pages are plain forms; the script only loads a page again when a line was added.

mod lead;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, Path, State as Shares};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use maud::{Markup, html};
use record::Verdict;
use scenarios::Tabletop;
use scenarios::tabletop::{Decision, Move, Sheet};
use serde::Deserialize;
use serde_json::json;

use super::access::Sitting;
use super::layout::common;
use super::problem::Problem;
use super::{Console, Shared};
pub(super) use lead::{lead, leads, lines as all_lines};

use crate::cli::WhichRun;
use crate::store::{Role, TabletopEvent, TabletopRow};
use crate::tabletop::pages::{Book, report, room_move};
use crate::tabletop::{Table, Worked, play_out};

/// Longest note.
const NOTE_MAX: usize = 2000;
/// Most lines of one exercise.
const LINES_MAX: i64 = 20_000;

/// What was computed for the exercise that is on.
#[derive(Default)]
pub(super) struct Tables {
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    id: i64,
    table: Arc<Table>,
    worked: Option<Result<Arc<Worked>, String>>,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tables")
    }
}

impl Tables {
    /// Table of an exercise; what comes of its decisions is begun to be computed where it is not yet.
    fn of(console: &Arc<Console>, row: &TabletopRow) -> Result<Arc<Table>, Problem> {
        let mut kept = console.tables.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.id == row.id) {
            return Ok(kept.table.clone());
        }
        let which = WhichRun {
            seed: row.seed,
            blind: false,
            settings: Vec::new(),
            level: scenarios::Difficulty::default(),
        };
        let table =
            Table::open(&row.scenario, "en", &which).map_err(|error| Problem::bad(format!("{error:#}")))?;
        let table = Arc::new(table);
        *kept = Some(Kept { id: row.id, table: table.clone(), worked: None });
        let (console, computed, id) = (console.clone(), table.clone(), row.id);
        tokio::task::spawn_blocking(move || {
            let worked = Worked::of(&computed).map(Arc::new).map_err(|error| format!("{error:#}"));
            let mut kept = console.tables.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = kept.as_mut().filter(|kept| kept.id == id) {
                kept.worked = Some(worked);
            }
        });
        Ok(table)
    }

    /// What comes of the decisions, once it is computed.
    fn worked(&self, id: i64) -> Result<Option<Arc<Worked>>, Problem> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref().filter(|kept| kept.id == id).and_then(|kept| kept.worked.as_ref()) {
            Some(Ok(worked)) => Ok(Some(worked.clone())),
            Some(Err(problem)) => Err(Problem::conflict(problem.clone())),
            None => Ok(None),
        }
    }
}

/// How far an exercise has come.
#[derive(Clone, Debug, Default)]
struct State {
    /// Moves that have begun, by number; the last one is on.
    begun: usize,
    revealed: BTreeSet<String>,
    is_over: bool,
    sheets: BTreeMap<i64, Sheet>,
}

impl State {
    fn of(events: &[TabletopEvent]) -> Self {
        let mut state = Self::default();
        for event in events {
            let (subject, value) = (event.subject.clone(), event.value.clone());
            let sheet = event.team.map(|team| state.sheets.entry(team).or_default());
            match (event.kind.as_str(), sheet) {
                ("move", _) => state.begun = value.parse().unwrap_or(state.begun).max(state.begun),
                ("end", _) => state.is_over = true,
                ("reveal", _) => {
                    state.revealed.insert(subject);
                }
                ("choice", Some(sheet)) => {
                    sheet.choice.insert(subject, value);
                }
                ("handoff", Some(sheet)) => {
                    sheet.handoff.insert(subject, value);
                }
                ("verdict", Some(sheet)) => {
                    if let Some(verdict) = verdict_of(&value) {
                        sheet.verdict.insert(subject, verdict);
                    }
                }
                ("note", Some(sheet)) => {
                    let notes = sheet.notes.entry(subject).or_default();
                    if !notes.is_empty() {
                        notes.push_str(" \u{b7} ");
                    }
                    notes.push_str(&value);
                }
                _ => {}
            }
        }
        state
    }

    fn sheet(&self, team: i64) -> Sheet {
        self.sheets.get(&team).cloned().unwrap_or_default()
    }
}

fn verdict_of(word: &str) -> Option<Verdict> {
    match word {
        "attack" => Some(Verdict::Attack),
        "fault" => Some(Verdict::Fault),
        "authorised" => Some(Verdict::Authorised),
        _ => None,
    }
}

/// Everything that a page of the exercise needs.
struct Playing {
    row: TabletopRow,
    table: Arc<Table>,
    worked: Option<Arc<Worked>>,
    state: State,
    lines: i64,
}

fn playing(console: &Arc<Console>) -> Result<Option<Playing>, Problem> {
    let store = console.exercise.store();
    let Some(row) = store.tabletop()? else { return Ok(None) };
    let table = Tables::of(console, &row)?;
    let worked = console.tables.worked(row.id)?;
    let events = store.tabletop_events(row.id)?;
    let lines = events.len() as i64 + i64::from(worked.is_some());
    Ok(Some(Playing { state: State::of(&events), row, table, worked, lines }))
}

fn on(console: &Arc<Console>) -> Result<Playing, Problem> {
    playing(console)?.ok_or_else(|| Problem::missing("no tabletop is on: the facilitator starts one"))
}

impl Playing {
    fn tabletop(&self) -> &Tabletop {
        &self.table.tabletop
    }

    fn moves(&self) -> &[Move] {
        &self.tabletop().file().moves
    }

    fn decision(&self, id: &str) -> Option<(usize, &Decision)> {
        let numbered = self.moves().iter().enumerate();
        numbered
            .flat_map(|(number, it)| it.decisions.iter().map(move |d| (number, d)))
            .find(|(_, d)| d.id.get_ref() == id)
    }

    /// Whether a move, by number from 0, is on now.
    fn is_on(&self, number: usize) -> bool {
        !self.state.is_over && number + 1 == self.state.begun
    }

    fn book(&self) -> Option<Book<'_>> {
        self.worked.as_deref().map(|worked| Book { table: &self.table, worked })
    }
}

/// A seat of a team at the table, or a facilitator.
pub(super) struct AtTable {
    sitting: Sitting,
    team: i64,
    name: String,
}

#[derive(Deserialize)]
pub(super) struct TeamPath {
    team: i64,
}

impl FromRequestParts<Shared> for AtTable {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Self::Rejection> {
        let sitting = Sitting::from_request_parts(parts, console).await?;
        let path: Result<Path<TeamPath>, _> = Path::from_request_parts(parts, console).await;
        let Ok(Path(TeamPath { team })) = path else {
            return Err(Problem::missing("a team is named by its number").into_response());
        };
        if sitting.0.role != Role::Facilitator && sitting.0.team != Some(team) {
            return Err(Problem::forbidden("this seat belongs to another team").into_response());
        }
        let teams = console.exercise.store().teams().map_err(|error| Problem::from(error).into_response())?;
        match teams.into_iter().find(|row| row.id == team) {
            Some(row) => Ok(Self { sitting, team, name: row.name }),
            None => Err(Problem::missing("there is no such team").into_response()),
        }
    }
}

impl AtTable {
    /// Rooms that this seat sits in.
    fn rooms(&self, tabletop: &Tabletop) -> Vec<String> {
        let all = || tabletop.file().rooms.iter().map(|room| room.get_ref().clone());
        let third = || all().find(|room| room != "it" && room != "ot");
        match self.sitting.0.role {
            Role::Facilitator | Role::Solo => all().collect(),
            Role::Analyst => vec!["it".to_owned()],
            Role::Operator => vec!["ot".to_owned()],
            Role::Observer => third().into_iter().collect(),
        }
    }
}

/// A team's page: the moves so far, as its room may see them.
pub(super) async fn page(Shares(console): Shares<Shared>, at: AtTable) -> Result<Response, Problem> {
    let Some(it) = playing(&console)? else {
        let waiting = html! { section { h2 { "No tabletop is on" } p { "The facilitator starts one." } p { a href="" { "Look again" } } } };
        return Ok(common(&at.sitting, "Tabletop", None, waiting));
    };
    let rooms = at.rooms(it.tabletop());
    let sheet = it.state.sheet(at.team);
    let content = html! {
        div.at-table {
        div data-lines=(format!("/team/{}/tabletop/lines", at.team)) data-seen=(it.lines) {}
        p role="status" id="says" {}
        @match it.book() {
            None => { section { h2 { "Being prepared" } p { "The plant is being run once for every option. It takes about a minute." } } },
            Some(book) => {
                @if it.state.is_over { section { h2 { "Over" } p { a href=(format!("/team/{}/tabletop/report.html", at.team)) { "The after-action report, to read, print or keep" } } } }
                @else if it.state.begun == 0 { section { h2 { (it.tabletop().texts().title) } p { "The facilitator begins." } @for room in &rooms { @if let Some(text) = it.tabletop().texts().room.get(room) { h3 { (text.title) } @for line in &text.brief { p { (line) } } } } } }
                @for number in (0..it.state.begun.min(it.moves().len())).rev() { (one_move(&it, &at, &book, &rooms, &sheet, number)) }
            },
        }
        }
    };
    Ok(common(&at.sitting, "Tabletop", Some("tabletop.js"), content))
}

fn one_move(
    it: &Playing,
    at: &AtTable,
    book: &Book<'_>,
    rooms: &[String],
    sheet: &Sheet,
    number: usize,
) -> Markup {
    let Some(the_move) = it.moves().get(number) else { return html! {} };
    let is_on = it.is_on(number);
    let action = format!("/team/{}/tabletop", at.team);
    let id = the_move.id.get_ref();
    html! {
        section {
            (room_move(book, number, rooms, &sheet.choice))
            @if the_move.verdict.is_some() {
                form.row method="post" action=(action) {
                    input type="hidden" name="kind" value="verdict"; input type="hidden" name="subject" value=(id);
                    span { "What is it?" }
                    @for (word, verdict) in [("attack", Verdict::Attack), ("fault", Verdict::Fault), ("authorised", Verdict::Authorised)] {
                        button name="value" value=(word) disabled[!is_on] aria-pressed=(sheet.verdict.get(id) == Some(&verdict)) { (word) @if sheet.verdict.get(id) == Some(&verdict) { " \u{2713}" } }
                    }
                }
            }
            @for decision in the_move.decisions.iter().filter(|it| it.by.iter().any(|by| rooms.contains(by.get_ref()))) {
                (to_decide(it, book, sheet, decision, &action, is_on))
            }
            @if is_on {
                form.row method="post" action=(action) {
                    input type="hidden" name="kind" value="note"; input type="hidden" name="subject" value=(id);
                    label { "Note for the report " input name="value" size="60" required maxlength=(NOTE_MAX); }
                    button { "Keep" }
                }
            }
            @if let Some(note) = sheet.notes.get(id) { p.note { (note) } }
        }
    }
}

fn to_decide(
    it: &Playing,
    book: &Book<'_>,
    sheet: &Sheet,
    decision: &Decision,
    action: &str,
    is_on: bool,
) -> Markup {
    let id = decision.id.get_ref().as_str();
    let chosen = sheet.choice.get(id);
    let is_revealed = it.state.revealed.contains(id);
    html! {
        @if let Some(text) = it.tabletop().texts().decision.get(id) {
            h3 { (text.prompt) }
            form method="post" action=(action) {
                input type="hidden" name="kind" value="choice"; input type="hidden" name="subject" value=(id);
                @for (letter, option) in ('A'..='Z').zip(&decision.options) {
                    @let option = option.id.get_ref();
                    p { button name="value" value=(option) disabled[!is_on || is_revealed] aria-pressed=(chosen == Some(option)) { (letter) @if chosen == Some(option) { " \u{2713}" } } " " (text.option.get(option).map_or("", String::as_str)) }
                }
            }
            @if is_revealed { (book.comes_of(id, chosen.map(String::as_str))) }
        }
    }
}

/// What a person does at the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Does {
    kind: String,
    subject: String,
    value: String,
}

/// Takes a decision, a verdict or a note of a room.
pub(super) async fn act(
    Shares(console): Shares<Shared>,
    at: AtTable,
    Form(does): Form<Does>,
) -> Result<Response, Problem> {
    let it = on(&console)?;
    let rooms = at.rooms(it.tabletop());
    let Does { kind, subject, value } = does;
    let value = value.trim().to_owned();
    let the_move = it.moves().iter().position(|it| it.id.get_ref() == &subject);
    match kind.as_str() {
        "choice" => {
            let Some((number, decision)) = it.decision(&subject) else {
                return Err(Problem::missing("there is no such decision"));
            };
            if decision.option(&value).is_none() {
                return Err(Problem::missing("there is no such option"));
            }
            if !decision.by.iter().any(|by| rooms.contains(by.get_ref())) {
                return Err(Problem::forbidden("another room decides that"));
            }
            if !it.is_on(number) || it.state.revealed.contains(&subject) {
                return Err(Problem::conflict("this decision is not open now"));
            }
        }
        "verdict" if verdict_of(&value).is_some() => {
            let number = the_move.ok_or_else(|| Problem::missing("there is no such move"))?;
            if !it.is_on(number) {
                return Err(Problem::conflict("this move is not on now"));
            }
        }
        "note" if (1..=NOTE_MAX).contains(&value.chars().count()) && !value.chars().any(char::is_control) => {
            the_move.ok_or_else(|| Problem::missing("there is no such move"))?;
        }
        _ => return Err(Problem::bad("kind is choice, verdict or note, with a value that there is")),
    }
    write(&console, &it, &at.sitting, (Some(at.team), &kind, &subject, &value))?;
    Ok(Redirect::to(&format!("/team/{}/tabletop", at.team)).into_response())
}

fn write(
    console: &Arc<Console>,
    it: &Playing,
    by: &Sitting,
    event: (Option<i64>, &str, &str, &str),
) -> Result<(), Problem> {
    let store = console.exercise.store();
    if store.tabletop_lines(it.row.id)? >= LINES_MAX {
        return Err(Problem::conflict("this exercise is full: start another one"));
    }
    Ok(store.add_tabletop_event(it.row.id, by.0.id, event)?)
}

/// How many lines there are: a page that has seen fewer loads itself again.
pub(super) async fn lines(Shares(console): Shares<Shared>, _at: AtTable) -> Result<Response, Problem> {
    let lines = playing(&console)?.map_or(-1, |it| it.lines);
    Ok(Json(json!({ "lines": lines })).into_response())
}

/// The after-action report of a team, as one file.
pub(super) async fn after_action(Shares(console): Shares<Shared>, at: AtTable) -> Result<Response, Problem> {
    let it = on(&console)?;
    if !it.state.is_over && at.sitting.0.role != Role::Facilitator {
        return Err(Problem::conflict("the report is there when the facilitator has ended the exercise"));
    }
    let Some(worked) = it.worked.clone() else { return Err(Problem::conflict("it is still being computed")) };
    let mut sheet = it.state.sheet(at.team);
    sheet.team.clone_from(&at.name);
    let place =
        console.reports.clone().acquire_owned().await.map_err(|error| Problem::bad(error.to_string()))?;
    let table = it.table.clone();
    let made = tokio::task::spawn_blocking(move || {
        let _place = place;
        let outcome = play_out(&table, &worked, &sheet)?;
        anyhow::Ok(report(&Book { table: &table, worked: &worked }, &sheet, &outcome))
    });
    let page = made.await.map_err(|error| Problem::bad(error.to_string()))?;
    let page = page.map_err(|error| Problem::conflict(format!("{error:#}")))?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}
