//! The frame round every page: header, navigation, what every page loads.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::access::Sitting;
use super::exercise::Play;
use crate::store::{Role, Seat};

/// One of a team's pages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Plant,
    Network,
    Analyst,
    Score,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Plant, "plant", "Plant"),
        (Self::Network, "network", "Network"),
        (Self::Analyst, "analyst", "Analyst"),
        (Self::Score, "score", "Score"),
    ];
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (title) " - Fieldrange" }
            link rel="icon" href="/assets/icon.svg";
            link rel="stylesheet" href="/assets/console.css";
        }
    }
}

/// A page outside any exercise.
pub(super) fn bare(title: &str, content: Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.bare { main id="main" { h1 { (title) } (content) } }
        }
    };
    Html(page.into_string()).into_response()
}

fn navigation(seat: &Seat, team: Option<i64>, here: Option<Tab>) -> Markup {
    html! {
        nav aria-label="Pages" {
            @if let Some(team) = team {
                @for (tab, path, name) in Tab::ALL {
                    @let is_here = here == Some(tab);
                    a href=(format!("/team/{team}/{path}")) aria-current=[is_here.then_some("page")] { (name) }
                }
            }
            @if let Some(team) = team { a href=(format!("/team/{team}/tabletop")) { "Tabletop" } }
            @if seat.role == Role::Facilitator {
                a href="/facilitator/tabletop" { "Lead a tabletop" }
                a href="/facilitator" aria-current=[(here.is_none() && team.is_none()).then_some("page")] { "Facilitator" }
            }
            a href="/scoreboard" { "Scoreboard" }
        }
    }
}

/// A page of a team. `module` is its script.
pub(super) fn page(sitting: &Sitting, play: &Play, tab: Tab, module: &str, content: Markup) -> Response {
    let seat = &sitting.0;
    let team = play.team.id;
    let title = Tab::ALL.iter().find(|(known, ..)| *known == tab).map_or("", |(_, _, name)| name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body data-team=(team) data-role=(seat.role.as_str())
                data-operates=[seat.role.operates().then_some("yes")]
                data-analyses=[seat.role.analyses().then_some("yes")]
                data-keeps-time=[seat.role.keeps_time().then_some("yes")] {
                a.skip href="#main" { "Skip to the page" }
                header {
                    div.where {
                        strong { (play.site.title) }
                        span { (play.title) }
                        span { (play.team.name) }
                    }
                    div.when {
                        span id="clock" role="timer" aria-label="Clock of the plant" { "--:--:--" }
                        span id="phase" { "connecting" }
                        @if seat.role.keeps_time() {
                            span.time-controls {
                                button id="pause" type="button" { "Pause" }
                                label { "Speed " select id="speed" {
                                    @for pace in [1, 2, 5, 10, 30, 60, 300, 1000] { option value=(pace) { (pace) " x" } }
                                } }
                                button id="end" type="button" { "End and debrief" }
                            }
                        }
                    }
                    div.who {
                        span id="alarm-counts" aria-live="polite" { }
                        span { (seat.name) ", " (seat.role.as_str()) }
                        span id="link" role="status" { "connecting" }
                    }
                    (navigation(seat, Some(team), Some(tab)))
                }
                div id="messages" aria-live="assertive" {}
                main id="main" { (content) }
                footer { "EXERCISE: simulated plant, simulated network, nothing here is real" }
                script type="module" src=(format!("/assets/{module}")) {}
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// A page that belongs to no team: the facilitator's, the scoreboard.
pub(super) fn common(sitting: &Sitting, title: &str, module: Option<&str>, content: Markup) -> Response {
    let seat = &sitting.0;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body data-role=(seat.role.as_str()) {
                a.skip href="#main" { "Skip to the page" }
                header {
                    div.where { strong { "Fieldrange" } span { (title) } }
                    div.who { span { (seat.name) ", " (seat.role.as_str()) } }
                    (navigation(seat, seat.team, None))
                }
                main id="main" { (content) }
                footer { "EXERCISE: simulated plant, simulated network, nothing here is real" }
                @if let Some(module) = module { script type="module" src=(format!("/assets/{module}")) {} }
            }
        }
    };
    Html(page.into_string()).into_response()
}
