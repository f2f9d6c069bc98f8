//! Puts the actors of a plan on the hosts of a network.
//!
//! # Theory of operation
//! [`stage`] starts one task for each piece of standing work (a poll of one controller, a service that listens) and
//! one for each event that takes place, which sleeps until its time. All of them are ordinary network programs: they
//! connect, listen and write through their host, and what they bring about in the plant they bring about through a
//! controller. The lab adds the plan's hosts to the kernel before it stages, runs the kernel, and reads ground truth
//! and journal from the [`Stage`] afterwards.

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::time::Duration;

use net::{Host, KernelClock, Network, Spawner};
use record::{Channel, Clock, EventSource, KeyedStream, Role, TruthStep};
use serde_json::json;
use site::Site;

use crate::chronicle::{Act, Chronicle, JournalEntry};
use crate::deed::{Name, Write};
use crate::front_end::{self, Polling};
use crate::historian::{Historian, replicate};
use crate::hmi::{Hmi, HmiView};
use crate::plan::{PlannedEvent, between_scans};
use crate::scenario::Actor;
use crate::scene::Scene;
use crate::span::parse_span;
use crate::{Cast, Deed, Plan, intruder, maintenance, remote};

/// Why a plan cannot be staged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// The network lacks a host: those of [`Plan::hosts`] are the lab's to add.
    #[error("the network has no host {host:?}, which {wanted_by} needs")]
    MissingHost {
        /// The host.
        host: String,
        /// Actor or event.
        wanted_by: String,
    },
    /// Nobody takes a tag.
    #[error("no controller takes the tag {tag:?}")]
    NoSuchPoint {
        /// The tag.
        tag: String,
    },
    /// The site names no safe stop.
    #[error("this site has no safe stop: its documentation names none")]
    NoSafeStop,
    /// No such alarm waits.
    #[error("no alarm {tag:?} waits to be acknowledged")]
    NoSuchAlarm {
        /// What was asked for.
        tag: String,
    },
    /// The scenario has no operator station.
    #[error("this scenario has no operator station")]
    NoStation,
}

/// How long before its work a ticket is opened.
pub const TICKET_LEAD: Duration = Duration::from_mins(10);

/// A plan on a network.
#[derive(Clone)]
pub struct Stage {
    scene: Scene,
    hmi: Option<Hmi>,
    /// Stations that keep sessions to outstations.
    front_ends: Vec<Hmi>,
    historian: Option<Historian>,
    plan: Rc<Plan>,
    entries: Rc<RefCell<u64>>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("scenario", &self.plan.scenario).finish_non_exhaustive()
    }
}

/// Starts every actor of a plan and every event of it that takes place with a cast.
///
/// Faults of the plant are not started here: [`Plan::faults`] lists them for the lab. Their truth is written here.
pub fn stage(
    plan: &Plan,
    cast: &Cast,
    network: &Network,
    spawner: &Spawner,
    clock: &KernelClock,
    site: &Site,
) -> Result<Stage, StageError> {
    let scene = Scene {
        network: network.clone(),
        spawner: spawner.clone(),
        clock: clock.clone(),
        site: Rc::new(site.clone()),
        seed: plan.seed,
        start: plan.start,
        chronicle: Chronicle::new(clock.clone(), network.mirror_ledger()),
        sessions: Rc::default(),
        entering: Rc::default(),
    };
    let host = |name: &Name, wanted_by: &str| {
        scene.host(name.get_ref()).ok_or_else(|| StageError::MissingHost {
            host: name.get_ref().clone(),
            wanted_by: wanted_by.to_owned(),
        })
    };
    let mut stage = Stage {
        scene: scene.clone(),
        hmi: None,
        front_ends: Vec::new(),
        historian: None,
        plan: Rc::new(plan.clone()),
        entries: Rc::default(),
    };
    for actor in &plan.actors {
        match actor {
            Actor::Hmi { on, period } => {
                let hmi = Hmi::new(scene.clone(), host(on, "the operator station")?);
                hmi.start(period_of(period));
                spawner.spawn("hmi desktop", remote::serve_desktop(hmi.clone()));
                stage.hmi = Some(hmi);
            }
            Actor::FrontEnd { on, period, integrity, devices } => {
                let hmi = Hmi::new(scene.clone(), host(on, "the front end")?);
                let named = |device: &&site::Device| {
                    devices.is_empty() || devices.iter().any(|name| name.get_ref() == device.name.get_ref())
                };
                let polled: Vec<_> = site.devices.iter().filter(named).collect();
                let polling = Polling { events: period_of(period), integrity: period_of(integrity) };
                hmi.start_front_end(&polled, polling);
                spawner.spawn("front end desktop", remote::serve_desktop(hmi.clone()));
                stage.front_ends.push(hmi.clone());
                stage.hmi.get_or_insert(hmi);
            }
            Actor::Historian { on, period, stale_register } => {
                let on = host(on, "the historian")?;
                let historian = Historian::new(scene.clone(), on, period_of(period), *stale_register);
                historian.start();
                stage.historian = Some(historian);
            }
            Actor::Replication { from, to, period } => {
                let (from, to) = (host(from, "replication")?, host(to, "replication")?);
                spawner.spawn("replication", replicate(scene.clone(), from, to, period_of(period)));
            }
        }
    }
    let mut desks: Vec<&str> = Vec::new();
    for event in &plan.events {
        for name in event.deed.hosts() {
            host(name, &event.id)?;
        }
        if let Deed::Maintain { from, via: Some(_), .. } | Deed::Halt { from, via: Some(_), .. } = &event.deed
            && !desks.contains(&from.get_ref().as_str())
        {
            desks.push(from.get_ref());
            let desk = host(from, &event.id)?;
            spawner.spawn("ews desktop", maintenance::serve_desktop(scene.clone(), desk));
        }
    }
    for event in plan.events.iter().filter(|event| plan.takes_place(event, cast)) {
        stage.start(event.clone());
    }
    for inject in plan.injects.iter().filter(|inject| plan.is_told(inject, cast)).cloned() {
        let scene = scene.clone();
        spawner.spawn("inject", async move {
            scene.clock.sleep_until(inject.at).await;
            let data = json!({ "inject": inject.id, "to": inject.to, "channel": inject.channel, "text": inject.text });
            scene.chronicle.report(EventSource::Inject, "inject", data);
        });
    }
    Ok(stage)
}

/// A period of an actor; it was checked when the file was read.
fn period_of(text: &Name) -> Duration {
    parse_span(text.get_ref()).unwrap_or(Duration::from_secs(1))
}

impl Stage {
    /// What the operator sees now; empty where the scenario has no operator station.
    pub fn view(&self) -> HmiView {
        self.hmi.as_ref().map(|hmi| hmi.view.borrow().clone()).unwrap_or_default()
    }

    /// What the operator sees now, without a copy.
    pub fn view_ref(&self) -> Option<Ref<'_, HmiView>> {
        self.hmi.as_ref().map(|hmi| hmi.view.borrow())
    }

    /// The operator enters a value at the station; it travels over the network and shows in [`Stage::view`] once it
    /// is polled. It is taken at the station's next cycle, at most 0.2 s later, between two scans of the controllers.
    pub fn operator_write(&self, tag: &str, value: f64) -> Result<(), StageError> {
        if self.scene.taker(tag).is_none() {
            return Err(StageError::NoSuchPoint { tag: tag.to_owned() });
        }
        self.operator_enters(vec![(tag.to_owned(), value)])
    }

    fn operator_enters(&self, values: Vec<(String, f64)>) -> Result<(), StageError> {
        let hmi = self.hmi.clone().ok_or(StageError::NoStation)?;
        let number = self.entries.replace_with(|n| *n + 1);
        let act = self.scene.chronicle.act(Rc::new(PlannedEvent::unlabelled("operator")));
        let at = between_scans(self.scene.clock.now(), number % 16 * 1_000_000);
        self.scene.spawner.spawn("operator enters a value", async move {
            hmi.scene.clock.sleep_until(at).await;
            hmi.enter(&act, &values).await;
        });
        Ok(())
    }

    /// The operator presses the button for the safe stop of the site. Number of values that are written.
    pub fn operator_safe_stop(&self) -> Result<usize, StageError> {
        let stop = self.scene.site.safe_stop.clone();
        if stop.is_empty() {
            return Err(StageError::NoSafeStop);
        }
        let values = stop.iter().map(|write| (write.tag.get_ref().clone(), write.value)).collect();
        self.operator_enters(values)?;
        Ok(stop.len())
    }

    /// The operator acknowledges an alarm at the station.
    pub fn operator_acknowledge(&self, tag: &str) -> Result<(), StageError> {
        let hmi = self.hmi.as_ref().ok_or(StageError::NoStation)?;
        let stations = std::iter::once(hmi).chain(&self.front_ends);
        // Every station that shows it takes note; one that shows it is enough.
        let taken = stations.filter(|station| station.acknowledge_shown(tag)).count();
        if taken > 0 { Ok(()) } else { Err(StageError::NoSuchAlarm { tag: tag.to_owned() }) }
    }

    /// A person sits at the station from now on: the scripted operator acknowledges nothing any more.
    pub fn operator_attends(&self) {
        for station in self.hmi.iter().chain(&self.front_ends) {
            station.is_attended.set(true);
        }
    }

    /// Lines for the journal since the last call, by time.
    pub fn drain_journal(&self) -> Vec<JournalEntry> {
        self.scene.chronicle.drain_journal()
    }

    /// Ground truth so far, by start. What has not ended ends at the end of the run. `limit_time` and `consequences`
    /// are the lab's to fill in: each step's limit stands in [`PlannedEvent::limit`].
    pub fn truth(&self) -> Vec<TruthStep> {
        self.scene.chronicle.truth(self.plan.end)
    }

    /// The plan that is staged.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    fn start(&self, event: PlannedEvent) {
        let event = Rc::new(event);
        let (stage, act) = (self.clone(), self.scene.chronicle.act(event.clone()));
        let name = format!("event {}", event.id);
        self.scene.spawner.spawn(&name, async move {
            let clock = &stage.scene.clock;
            if let Some(ticket) = &event.ticket {
                clock.sleep_until(event.at - TICKET_LEAD).await;
                act.report(EventSource::Inject, "ticket.opened", json!({ "ticket": ticket }));
            }
            clock.sleep_until(event.at).await;
            // What it needs may have been prevented.
            if event.needs.as_ref().is_none_or(|needed| stage.scene.chronicle.has_begun(needed)) {
                stage.play(&act).await;
            }
            if let Some(ticket) = &event.ticket {
                act.report(EventSource::Inject, "ticket.closed", json!({ "ticket": ticket }));
            }
        });
    }

    /// A host that acts, under the event's name, so that its flows are counted apart.
    fn host(&self, name: &Name, act: &Act) -> Option<Host> {
        Some(self.scene.host(name.get_ref())?.used_by(&act.event().id))
    }

    async fn play(&self, act: &Act) {
        // Hosts were there when the plan was staged; without one there is nobody to act.
        let _ = self.try_play(act).await;
    }

    async fn try_play(&self, act: &Act) -> Option<()> {
        let (scene, event) = (&self.scene, act.event());
        let until = |lasts: &Option<Duration>| lasts.map_or(self.plan.end, |span| event.at + span);
        match &event.deed {
            Deed::Sweep { from, first, last, ports, pause } => {
                let range = (*first.get_ref(), *last.get_ref());
                intruder::sweep(scene, act, &self.host(from, act)?, range, ports, *pause).await;
            }
            Deed::Identify { from, devices } => {
                intruder::identify(scene, act, &self.host(from, act)?, &names(devices)).await;
            }
            Deed::Survey { from, devices, pause } => {
                intruder::survey(scene, act, &self.host(from, act)?, &names(devices), *pause).await;
            }
            Deed::Exhaust { from, device, lasts } => {
                let from = self.host(from, act)?;
                intruder::exhaust(scene, act, &from, device.get_ref(), until(lasts)).await;
            }
            Deed::Write { from, writes, every, lasts, pause } => {
                let from = self.host(from, act)?;
                let rhythm = intruder::Rhythm { every: *every, until: until(lasts), pause: *pause };
                intruder::write(scene, act, &from, &values(writes), rhythm).await;
            }
            Deed::Master { from, device, requests } => {
                let own = self.front_ends.iter().find(|it| it.host.name() == from.get_ref().as_str());
                let line = own.and_then(|it| it.lines.borrow().get(device.get_ref()).cloned());
                if line.is_some() {
                    front_end::hand_in(line, act, requests.clone()).await;
                } else {
                    front_end::intrude(scene, act, &self.host(from, act)?, device.get_ref(), requests).await;
                }
            }
            Deed::RemoteSession { from, to, lasts } => {
                let (from, to) = (self.host(from, act)?, self.host(to, act)?);
                remote::visit(scene, act, &from, &to, *lasts).await;
            }
            Deed::RemoteWrite { session, writes } => {
                remote::click(scene, act, session.get_ref(), &values(writes)).await;
            }
            Deed::Operate { writes } => self.hmi.as_ref()?.enter(act, &values(writes)).await,
            Deed::Trim { tag, low, high, step } => {
                let steps = ((high - low) / step).round().max(0.0) as u64 + 1;
                let drawn = KeyedStream::new(self.plan.seed, &event.id, "trim").below(0, steps);
                let value = low + step * drawn as f64;
                self.hmi.as_ref()?.enter(act, &[(tag.get_ref().clone(), value)]).await;
            }
            Deed::Maintain { from, via, device, writes, lasts } => {
                let from = self.host(from, act)?;
                let via = via.as_ref().and_then(|via| self.host(via, act));
                let (device, values) = (device.get_ref(), values(writes));
                maintenance::maintain(scene, act, &from, via.as_ref(), device, &values, *lasts).await;
            }
            Deed::Halt { from, via, device, lasts } => {
                let from = self.host(from, act)?;
                let via = via.as_ref().and_then(|via| self.host(via, act));
                maintenance::halt(scene, act, &from, via.as_ref(), device.get_ref(), *lasts).await;
            }
            Deed::RestartHistorian { lasts } => self.restart_historian(act, *lasts).await?,
            Deed::PlantFault { lasts, shows_after, .. } => {
                act.begin();
                scene.clock.sleep(*shows_after).await;
                act.in_the_log();
                act.seen(Role::Operator, Channel::Hmi);
                if lasts.is_some() {
                    scene.clock.sleep_until(until(lasts)).await;
                    act.end();
                }
            }
        }
        Some(())
    }

    async fn restart_historian(&self, act: &Act, lasts: Duration) -> Option<()> {
        let historian = self.historian.as_ref()?;
        act.begin();
        act.tag(net::Selector::Host(historian.host_name().to_owned()));
        act.on_the_wire();
        historian.stop();
        self.scene.clock.sleep(lasts).await;
        historian.start();
        act.end();
        self.scene.untag_later(act).await;
        Some(())
    }
}

fn names(list: &[Name]) -> Vec<String> {
    list.iter().map(|name| name.get_ref().clone()).collect()
}

fn values(writes: &[Write]) -> Vec<(String, f64)> {
    writes.iter().map(|write| (write.tag.get_ref().clone(), write.value)).collect()
}
