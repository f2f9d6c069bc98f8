//! Seats at the door: a one-time link becomes a session in a cookie; programs send it as a Bearer token.
//!
//! The link is looked at with GET and used up with POST alone, so that a program that previews links in a chat opens
//! nothing. The cookie is HttpOnly and SameSite=Strict. Secrets are 256 random bits; the store keeps their hashes, and no
//! log has them, as the console keeps none.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde_json::json;

use super::problem::Problem;
use super::{Shared, layout};
use crate::store::Seat;

const COOKIE: &str = "fieldrange_seat";

/// A new secret for a link or a session.
pub(crate) fn new_secret() -> anyhow::Result<String> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets)
        .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(record::hex(&octets))
}

fn session_of(headers: &HeaderMap) -> Option<&str> {
    if let Some(bearer) = headers.get(header::AUTHORIZATION) {
        return bearer.to_str().ok()?.strip_prefix("Bearer ");
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    cookies
        .flat_map(|cookie| cookie.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

/// Who asks: the seat of the request's session. Rejects a request without one.
#[derive(Clone, Debug)]
pub(super) struct Sitting(pub(super) Seat);

impl FromRequestParts<Shared> for Sitting {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<Self, Self::Rejection> {
        let store = console.exercise.store();
        let found = match session_of(&parts.headers) {
            Some(session) => {
                store.seat_by_session(session).map_err(|error| Problem::from(error).into_response())?
            }
            None => None,
        };
        found.map(Self).ok_or_else(|| nobody(&parts.headers))
    }
}

fn nobody(headers: &HeaderMap) -> Response {
    const SAYS: &str =
        "you have no seat here: open the link that the facilitator gave you, or that the program printed";
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if wants_page {
        (StatusCode::UNAUTHORIZED, layout::bare("No seat", html! { p { (SAYS) "." } })).into_response()
    } else {
        Problem::new(StatusCode::UNAUTHORIZED, SAYS).into_response()
    }
}

/// Shows whose link it is.
pub(super) async fn door(
    State(console): State<Shared>,
    Path(link): Path<String>,
) -> Result<Response, Problem> {
    let Some(seat) = console.exercise.store().seat_by_link(&link)? else { return Ok(used_up()) };
    let page = html! {
        p { "This link opens one seat, once: " strong { (seat.name) } ", " (seat.role.as_str()) "." }
        form method="post" { button.primary type="submit" autofocus { "Take this seat" } }
    };
    Ok(layout::bare("Take your seat", page).into_response())
}

/// Uses the link up.
pub(super) async fn enter(
    State(console): State<Shared>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let session = new_secret()?;
    if console.exercise.store().take_seat(&link, &session)?.is_none() {
        return Ok(used_up());
    }
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts == "application/json" {
        return Ok(Json(json!({ "session": session })).into_response());
    }
    let cookie = format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict");
    let cookie = HeaderValue::from_str(&cookie).map_err(|error| Problem::bad(error.to_string()))?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

fn used_up() -> Response {
    let page = html! {
        p { "This link was used already, or never was one. A seat is taken once; the facilitator can give it a new link." }
        p { a href="/" { "Go to your seat" } ", if you have one in this browser." }
    };
    (StatusCode::GONE, layout::bare("No such link", page)).into_response()
}

/// Forgets the session in this browser; the seat keeps it until the facilitator gives it a new link.
pub(super) async fn leave() -> Response {
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    let page = layout::bare(
        "You left",
        html! { p { "Your seat waits for you; ask the facilitator for a new link." } },
    );
    match HeaderValue::from_str(&gone) {
        Ok(gone) => ([(header::SET_COOKIE, gone)], page).into_response(),
        Err(_) => page.into_response(),
    }
}
