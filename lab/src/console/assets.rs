//! Style, scripts and pictures, embedded.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const ASSETS: [(&str, &str, &str); 11] = [
    ("console.css", "text/css; charset=utf-8", include_str!("assets/console.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("live.js", JAVASCRIPT, include_str!("assets/live.js")),
    ("plant.js", JAVASCRIPT, include_str!("assets/plant.js")),
    ("trend.js", JAVASCRIPT, include_str!("assets/trend.js")),
    ("mimic.js", JAVASCRIPT, include_str!("assets/mimic.js")),
    ("network.js", JAVASCRIPT, include_str!("assets/network.js")),
    ("analyst.js", JAVASCRIPT, include_str!("assets/analyst.js")),
    ("score.js", JAVASCRIPT, include_str!("assets/score.js")),
    ("tabletop.js", JAVASCRIPT, include_str!("assets/tabletop.js")),
    ("facilitator.js", JAVASCRIPT, include_str!("assets/facilitator.js")),
];

/// Serves one.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let Some((_, kind, text)) = ASSETS.iter().find(|(known, ..)| *known == name) else {
        return Err(Problem::missing("there is no such asset"));
    };
    Ok(([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")], *text).into_response())
}
