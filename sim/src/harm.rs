//! Harm: what a bad day costs, by cause, and when each limit was first crossed.
//!
//! Prices stand in the plant file, each with its reason. Limits are judged on true values, never on what an
//! instrument shows: a spoofed transmitter does not make water good.

use std::sync::Arc;

use bevy_ecs::prelude::{Query, Res, ResMut, Resource};
use record::VirtualTime;

use crate::design::{Design, Loss};
use crate::file::water::LossKey as WaterLoss;
use crate::guard::{Latch, Trip};
use crate::journal::{Journal, PlantEventKind};
use crate::plant::Tick;
use crate::process::Process;

/// Money lost with one cause.
#[derive(Clone, Debug, PartialEq)]
pub struct HarmCause {
    /// Name in the plant file.
    pub name: String,
    /// Money, in the report's currency.
    pub money: f64,
    /// Seconds beyond the limit; or amount lost: m3, kg, MWh, per cent of life, or a number.
    pub amount: f64,
}

/// A limit and when it was crossed.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitCrossing {
    /// Name in the plant file.
    pub name: String,
    /// Tag of the instrument on which it shows.
    pub instrument: String,
    /// In words.
    pub message: String,
    /// First moment beyond the limit; none where that never happened.
    pub first: Option<VirtualTime>,
}

/// What a run cost up to now.
#[derive(Clone, Debug, PartialEq)]
pub struct HarmReport {
    /// Currency of all money in the report.
    pub currency: String,
    /// Below this much money harm means nothing.
    pub floor: f64,
    /// All money.
    pub total: f64,
    /// By cause, in the order of the plant file.
    pub causes: Vec<HarmCause>,
    /// Limits, in the order of the plant file.
    pub limits: Vec<LimitCrossing>,
}

/// The account. Written by [`account`].
#[derive(Resource, Debug)]
pub(crate) struct Account {
    design: Arc<Design>,
    limit_money: Vec<f64>,
    limit_seconds: Vec<f64>,
    limit_first: Vec<Option<VirtualTime>>,
    loss_money: Vec<f64>,
    loss_amount: Vec<f64>,
    loss_first: Vec<Option<VirtualTime>>,
    trips_seen: u64,
    tripped: Vec<bool>,
}

impl Account {
    pub(crate) fn new(design: Arc<Design>) -> Self {
        let (limits, losses) = (design.harm.limits.len(), design.harm.losses.len());
        Self {
            limit_money: vec![0.0; limits],
            limit_seconds: vec![0.0; limits],
            limit_first: vec![None; limits],
            loss_money: vec![0.0; losses],
            loss_amount: vec![0.0; losses],
            loss_first: vec![None; losses],
            trips_seen: 0,
            tripped: vec![false; design.trips.len()],
            design,
        }
    }

    /// All money so far.
    pub(crate) fn total(&self) -> f64 {
        self.limit_money.iter().chain(&self.loss_money).sum()
    }

    pub(crate) fn report(&self) -> HarmReport {
        let harm = &self.design.harm;
        let tag = |instrument: usize| self.design.instruments[instrument].tag.clone();
        let mut causes = Vec::new();
        let mut limits = Vec::new();
        for (index, limit) in harm.limits.iter().enumerate() {
            causes.push(HarmCause {
                name: limit.name.clone(),
                money: self.limit_money[index],
                amount: self.limit_seconds[index],
            });
            limits.push(LimitCrossing {
                name: limit.name.clone(),
                instrument: tag(limit.instrument),
                message: limit.message.clone(),
                first: self.limit_first[index],
            });
        }
        for (index, loss) in harm.losses.iter().enumerate() {
            causes.push(HarmCause {
                name: loss.name.clone(),
                money: self.loss_money[index],
                amount: self.loss_amount[index],
            });
            if let Some((message, instrument)) = &loss.limit {
                limits.push(LimitCrossing {
                    name: loss.name.clone(),
                    instrument: tag(*instrument),
                    message: message.clone(),
                    first: self.loss_first[index],
                });
            }
        }
        HarmReport { currency: harm.currency.clone(), floor: harm.floor, total: self.total(), causes, limits }
    }
}

/// Charges one step.
pub(crate) fn account(
    tick: Res<Tick>,
    process: Res<Process>,
    trips: Query<(&Trip, &Latch)>,
    mut account: ResMut<Account>,
    mut journal: ResMut<Journal>,
) {
    let step_s = tick.step_s();
    let design = Arc::clone(&account.design);
    for (index, limit) in design.harm.limits.iter().enumerate() {
        let instrument = &design.instruments[limit.instrument];
        let value = process.value(instrument.measures);
        if !limit.threshold.is_passed_by(value) {
            continue;
        }
        account.limit_seconds[index] += step_s;
        account.limit_money[index] +=
            limit.price_per_s * step_s + limit.price_per_m3_supplied * process.supplied_m3();
        if account.limit_first[index].is_none() {
            account.limit_first[index] = Some(tick.time());
            journal.report(
                PlantEventKind::LimitCrossed,
                &limit.name,
                &instrument.tag,
                value,
                &limit.message,
                0,
            );
        }
    }
    let mut new_trips = 0_u64;
    for ((_, latch), seen) in trips.iter().zip(&mut account.tripped) {
        new_trips += u64::from(latch.is_in && !*seen);
        *seen = latch.is_in;
    }
    account.trips_seen += new_trips;
    for (index, loss) in design.harm.losses.iter().enumerate() {
        let amount = match loss.of {
            Loss::Water(WaterLoss::Trips) => new_trips as f64,
            other => process.lost(other),
        };
        let lost = (amount - loss.free_per_s * step_s).max(0.0);
        account.loss_amount[index] += lost;
        account.loss_money[index] += lost * loss.price_each;
        let Some((message, instrument)) = &loss.limit else { continue };
        if lost > LOSS_NOISE && account.loss_first[index].is_none() {
            account.loss_first[index] = Some(tick.time());
            let instrument = &design.instruments[*instrument];
            let value = process.value(instrument.measures);
            journal.report(PlantEventKind::LimitCrossed, &loss.name, &instrument.tag, value, message, 0);
        }
    }
}

/// A loss in one step below this is rounding and crosses no limit, in the loss's own unit.
const LOSS_NOISE: f64 = 1e-6;
