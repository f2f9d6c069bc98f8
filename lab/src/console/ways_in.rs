//! Real clients and networks at one team's lab: forwards and uplinks, opened anew for each of its runs.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use axum::Json;
use axum::extract::{Path, State};
use net::{Forward, Forwards, LiveControl};
use serde_json::{Value, json};

use super::Shared;
use super::access::Sitting;
use super::facilitator::check;
use super::problem::Problem;
use crate::order::Ordered;
use crate::services;
use crate::uplinks::{RunningUplinks, UplinkArgs, Uplinks};

/// What may come in, and what of it is open now.
#[derive(Debug)]
pub(crate) struct WaysIn {
    /// Whose lab it is; none yet where no team has begun.
    team: Option<i64>,
    /// Where forwards listen.
    listen: Ipv4Addr,
    forwards: Vec<Forward>,
    uplinks: UplinkArgs,
    open: Option<(Forwards, RunningUplinks)>,
}

impl WaysIn {
    /// Ways that are all closed. Without a team they are those of the first one that begins.
    pub(crate) fn new(
        team: Option<i64>,
        listen: Ipv4Addr,
        forwards: Vec<Forward>,
        uplinks: UplinkArgs,
    ) -> Self {
        Self { team, listen, forwards, uplinks, open: None }
    }

    /// Whether they lead to this team's labs. Where they lead to nobody's yet, they do from now on.
    pub(crate) fn lead_to(&mut self, team: i64) -> bool {
        *self.team.get_or_insert(team) == team
    }

    /// Opens the real networks for a run that is about to begin; what an earlier run had open is closed before.
    pub(crate) fn prepare(&mut self, ordered: &Ordered) -> Result<Uplinks> {
        self.open = None;
        Uplinks::open(&self.uplinks, &ordered.order.site, &ordered.order.plan.hosts)
    }

    /// Joins them to the run, and listens for its forwards.
    pub(crate) fn open(&mut self, control: &LiveControl, uplinks: Uplinks) -> Result<()> {
        let forwards = Forwards::open(control, self.listen, &self.forwards).with_context(|| {
            format!("a forward cannot listen on {}\n  fix: choose a free port above 1023", self.listen)
        })?;
        self.open = Some((forwards, uplinks.start(control)?));
        Ok(())
    }

    /// What is open to this team's lab and what it carried, a line each.
    pub(crate) fn lines(&self, team: i64) -> Vec<String> {
        let Some((forwards, uplinks)) = self.open.as_ref().filter(|_| self.team == Some(team)) else {
            return Vec::new();
        };
        let forwarded = forwards.addresses().iter().map(|(real, to)| format!("forward {real} -> {to}"));
        forwarded.chain(uplinks.carried()).collect()
    }

    /// Closes what is open to this team's lab: its run is over.
    pub(crate) fn close(&mut self, team: i64) {
        if self.team == Some(team) {
            self.open = None;
        }
    }
}

/// What is open to a team's lab, and the keys of its rule interface, for the facilitator to hand out.
pub(super) async fn shown(
    State(console): State<Shared>,
    sitting: Sitting,
    Path(team): Path<i64>,
) -> Result<Json<Value>, Problem> {
    check(&sitting)?;
    let Some(play) = console.exercise.play(team) else {
        return Err(Problem::bad("this team has no exercise yet: start it, then its lab has ways in"));
    };
    let keys = services::keys(play.plan.seed, &play.site);
    let address = services::RULE_INTERFACE;
    Ok(Json(json!({ "ways_in": console.exercise.ways_in(team), "rule_interface": address, "keys": keys })))
}
