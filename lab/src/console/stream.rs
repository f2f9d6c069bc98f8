//! The live stream of a team's lab: server-sent events, at most four a second, each the board as it is.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde_json::{Map, Value, json};

use super::team::AtTeam;
use crate::live::Phase;

/// Least time between two events.
const BEAT: Duration = Duration::from_millis(250);

/// What one event holds. `is_blank` leaves out everything but time.
fn event_of(at: &AtTeam) -> Value {
    let Some(lab) = &at.play.lab else {
        return json!({ "phase": "sealed", "reason": at.play.run.reason });
    };
    let is_blank = at.not_blank().is_err();
    let state = lab.board().read();
    let mut event = json!({
        "phase": state.phase,
        "reason": state.reason,
        "t": state.now,
        "clock": at.play.start().time_of_day(state.now),
        "pace": state.pace,
        "messages": state.messages,
    });
    if is_blank || matches!(state.phase, Phase::Starting) {
        return event;
    }
    let values: Map<String, Value> = state
        .values
        .iter()
        .map(|(tag, shown)| (tag.clone(), json!([(shown.value * 1e4).round() / 1e4, shown.at])))
        .collect();
    let alarms: Vec<Value> = state
        .alarms
        .iter()
        .map(|alarm| {
            json!({ "tag": alarm.tag, "description": alarm.description, "priority": alarm.priority,
                "state": alarm.state, "since": alarm.since, "clock": at.play.start().time_of_day(alarm.since) })
        })
        .collect();
    if let Some(event) = event.as_object_mut() {
        event.insert("values".to_owned(), Value::Object(values));
        event.insert("alarms".to_owned(), Value::Array(alarms));
        event.insert("lost".to_owned(), json!(state.lost));
        event.insert("frames".to_owned(), json!(state.frames));
    }
    event
}

/// Streams until the page goes away; after the run's end it tells the end and stays quiet.
pub(super) async fn stream(at: AtTeam) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = at.play.lab.as_ref().map(|lab| lab.board().subscribe());
    let states = futures::stream::unfold((at, changes, true), |(at, mut changes, is_first)| async move {
        if !is_first {
            tokio::time::sleep(BEAT).await;
            let has_changed = match &mut changes {
                Some(changes) => changes.changed().await.is_ok(),
                None => false,
            };
            if !has_changed {
                // Nothing will: the page stays as it is.
                std::future::pending::<()>().await;
            }
        }
        let event = event_of(&at);
        // What is shown is numbers and texts: they are always JSON.
        let event = Event::default().json_data(event).unwrap_or_default();
        Some((Ok(event), (at, changes, false)))
    });
    Sse::new(states).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
