//! The facilitator's page of a tabletop: begin, lead on, hear hand-offs, show what comes of decisions, end.

use axum::extract::State as Shares;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use maud::{Markup, html};
use scenarios::Tabletop;
use serde::Deserialize;
use serde_json::json;

use super::{Playing, on, playing, write};
use crate::console::access::Sitting;
use crate::console::layout::common;
use crate::console::problem::Problem;
use crate::console::{Shared, facilitator};
use crate::store::TeamRow;
use crate::tabletop::pages::Book;

/// The facilitator's page: begin, lead on, see what teams chose, show what comes of it.
pub(in crate::console) async fn lead(
    Shares(console): Shares<Shared>,
    sitting: Sitting,
) -> Result<Response, Problem> {
    facilitator::check(&sitting)?;
    let it = playing(&console)?;
    let teams = console.exercise.store().teams()?;
    let content = html! {
        div.at-table {
        div data-lines="/facilitator/tabletop/lines" data-seen=(it.as_ref().map_or(-1, |it| it.lines)) {}
        p role="status" id="says" {}
        section {
            h2 { "Begin a tabletop" }
            form.row method="post" action="/facilitator/tabletop" {
                input type="hidden" name="does" value="start";
                label { "Scenario " select name="subject" { @for name in Tabletop::names() { option { (name) } } } }
                label { "Seed " input name="value" type="number" min="0" value="1" size="8"; }
                button.primary { "Begin anew" }
            }
            p.note { "An analyst's seat is the IT room, an operator's the OT room, an observer's the management; a solo seat sits in all. Seats and teams are made on the facilitator's page." }
        }
        @if let Some(it) = &it {
            section {
                h2 { (it.tabletop().texts().title) ", seed " (it.row.seed) ": " @if it.state.is_over { "over" } @else { "move " (it.state.begun) " of " (it.moves().len()) } }
                @if it.worked.is_none() { p { "The plant is being run once for every option. It takes about a minute; until then nothing can be shown." } }
                form.row method="post" action="/facilitator/tabletop" {
                    button.primary name="does" value="advance" disabled[it.state.is_over || it.worked.is_none() || it.state.begun >= it.moves().len()] { "Next move" }
                    button name="does" value="end" disabled[it.state.is_over || it.worked.is_none()] { "End and score" }
                    input type="hidden" name="subject" value=""; input type="hidden" name="value" value="";
                }
                ul { @for team in &teams { li { (team.name) ": " a href=(format!("/team/{}/tabletop", team.id)) { "their page" } ", " a href=(format!("/team/{}/tabletop/report.html", team.id)) { "after-action report" } } } }
            }
            @if let Some(book) = it.book() {
                @for number in (0..it.state.begun.min(it.moves().len())).rev() { (led(it, &book, &teams, number)) }
            }
        }
        }
    };
    Ok(common(&sitting, "Tabletop", Some("tabletop.js"), content))
}

fn led(it: &Playing, book: &Book<'_>, teams: &[TeamRow], number: usize) -> Markup {
    let Some(the_move) = it.moves().get(number) else { return html! {} };
    let texts = it.tabletop().texts();
    html! {
        section {
            (book.of_move(number))
            @for decision in &the_move.decisions {
                @let id = decision.id.get_ref();
                div.row {
                    @for team in teams {
                        @let chosen = it.state.sheets.get(&team.id).and_then(|sheet| sheet.choice.get(id));
                        span { (team.name) ": " b { (chosen.and_then(|chosen| texts.decision.get(id)?.option.get(chosen)).map_or("nothing yet", String::as_str)) } }
                    }
                    form method="post" action="/facilitator/tabletop" {
                        input type="hidden" name="does" value="reveal"; input type="hidden" name="subject" value=(id); input type="hidden" name="value" value="";
                        button disabled[it.state.revealed.contains(id)] { @if it.state.revealed.contains(id) { "Shown" } @else { "Show the rooms what comes of it" } }
                    }
                }
            }
            @if !the_move.handoffs.is_empty() {
                h3 { "Hand-offs that you have heard, in any move so far" }
                @for team in teams {
                    @let sheet = it.state.sheet(team.id);
                    @for due in it.moves().iter().take(number + 1).flat_map(|it| &it.handoffs) {
                        @let id = due.id.get_ref();
                        @if sheet.handoff.get(id).is_none_or(|made| made == the_move.id.get_ref()) && (it.is_on(number) || sheet.handoff.contains_key(id)) {
                            form.row method="post" action="/facilitator/tabletop" {
                                input type="hidden" name="does" value="handoff"; input type="hidden" name="subject" value=(id); input type="hidden" name="value" value=(team.id);
                                button disabled[!it.is_on(number) || sheet.handoff.contains_key(id)] { @if sheet.handoff.contains_key(id) { "Heard" } @else { "Hear" } }
                                span { (team.name) ": " (texts.handoff.get(id).map_or("", |text| text.what.as_str())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the facilitator does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Leads {
    does: String,
    subject: String,
    value: String,
}

/// Begins, leads on, shows, hears, ends.
pub(in crate::console) async fn leads(
    Shares(console): Shares<Shared>,
    sitting: Sitting,
    Form(leads): Form<Leads>,
) -> Result<Response, Problem> {
    facilitator::check(&sitting)?;
    let Leads { does, subject, value } = leads;
    let back = Redirect::to("/facilitator/tabletop").into_response();
    if does == "start" {
        let seed: u64 = value.trim().parse().map_err(|_| Problem::bad("a seed is a whole number from 0"))?;
        if !Tabletop::names().any(|name| name == subject) {
            return Err(Problem::missing("there is no such tabletop"));
        }
        console.exercise.store().add_tabletop(&subject, seed)?;
        on(&console)?;
        return Ok(back);
    }
    let it = on(&console)?;
    let number = (it.state.begun + 1).to_string();
    let event: (Option<i64>, &str, &str, &str) = match does.as_str() {
        _ if it.worked.is_none() || it.state.is_over => {
            return Err(Problem::conflict("it is still being computed, or over"));
        }
        "advance" if it.state.begun < it.moves().len() => (None, "move", "", &number),
        "end" => (None, "end", "", ""),
        "reveal" if it.decision(&subject).is_some_and(|(at, _)| at < it.state.begun) => {
            (None, "reveal", &subject, "")
        }
        "handoff" => {
            let team = value.parse().ok().filter(|id: &i64| {
                console.exercise.store().teams().is_ok_and(|teams| teams.iter().any(|team| team.id == *id))
            });
            let is_known = it
                .tabletop()
                .handoffs()
                .any(|(due, it2)| it2.id.get_ref() == &subject && due < it.state.begun);
            let now = it.state.begun.checked_sub(1).and_then(|now| it.moves().get(now));
            match (team, now) {
                (Some(team), Some(now))
                    if is_known && !it.state.sheet(team).handoff.contains_key(&subject) =>
                {
                    let now = now.id.get_ref().clone();
                    write(&console, &it, &sitting, (Some(team), "handoff", &subject, &now))?;
                    return Ok(back);
                }
                _ => return Err(Problem::bad("no such hand-off is due, or it was heard already")),
            }
        }
        _ => return Err(Problem::bad("does is start, advance, reveal, handoff or end, of what there is")),
    };
    write(&console, &it, &sitting, event)?;
    Ok(back)
}

/// How many lines there are, to the facilitator, who has no team.
pub(in crate::console) async fn lines(
    Shares(console): Shares<Shared>,
    sitting: Sitting,
) -> Result<Response, Problem> {
    facilitator::check(&sitting)?;
    let lines = playing(&console)?.map_or(-1, |it| it.lines);
    Ok(Json(json!({ "lines": lines })).into_response())
}
