//! The SCADA front end: a DNP3 master with a session to each of its outstations.
//!
//! # Theory of operation
//! One task keeps one session. It connects, starts the session up as a master does (unsolicited responses off, restart
//! indication cleared, time set where it is wanted, everything read, unsolicited responses on), and then does whatever comes
//! first: an unsolicited response, a poll of events, an integrity poll, or a [`Job`] that somebody hands in. What the
//! outstation says is the station's view, as with every other controller. An outstation that says that it has restarted is
//! started up again; one that wants the time gets it. A session that fails is made again after a rest, which grows.
//!
//! Commands of the dispatcher, and of whoever sits in the front end unasked, leave by the same session: on the wire only
//! their manner tells them apart.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use clients::dnp3::{Answer, CommandAnswer, Dnp3Master, MasterError, MasterSettings, Output};
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use net::{Host, KernelClock, Selector, VirtualStream};
use record::{Clock, EventSource, KeyedStream};
use serde_json::json;
use site::{ControlModel, Device, Operation, PointEntry, PointKind};
use wire::dnp3::{ClassSet, Iin, Measurement};

use crate::chronicle::{Act, Sign};
use crate::deed::{MasterRequest, Write};
use crate::hmi::{Hmi, Sense};
use crate::scene::{DNP3_PORT, PATIENCE, Scene, open};

/// How long a coil of a breaker is held.
const PULSE_MS: u32 = 100;
/// First and longest rest before a session is made again.
const REST: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

type Master = Dnp3Master<VirtualStream, KernelClock>;

/// How often a front end asks of its own accord.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Polling {
    /// Time between two polls of events.
    pub(crate) events: Duration,
    /// Time between two integrity polls.
    pub(crate) integrity: Duration,
}

/// Requests to be made over a standing session for an act, in order.
pub(crate) struct Job {
    act: Act,
    requests: Vec<MasterRequest>,
    done: oneshot::Sender<Vec<bool>>,
}

/// Where jobs for one outstation are handed in.
pub(crate) type Line = mpsc::UnboundedSender<Job>;

/// Hands requests in at the session to an outstation, and waits until they are made. For each of them whether it was answered
/// and, if it commanded something, whether that was accepted; nothing where there is no such session.
pub(crate) async fn hand_in(line: Option<Line>, act: &Act, requests: Vec<MasterRequest>) -> Vec<bool> {
    let (done, outcome) = oneshot::channel();
    let Some(line) = line else { return Vec::new() };
    let job = Job { act: act.clone(), requests, done };
    if line.unbounded_send(job).is_err() {
        return Vec::new();
    }
    outcome.await.unwrap_or_default()
}

/// The request by which the site's own masters command a tag: selected first where its documentation says so.
pub(crate) fn usual_request(point: &PointEntry, write: Write) -> MasterRequest {
    match point.operation {
        Some(Operation::Direct) => MasterRequest::Direct(vec![write]),
        Some(Operation::Select) | None => MasterRequest::Select(vec![write]),
    }
}

/// Starts to keep a session to an outstation for a station.
pub(crate) fn keep(hmi: &Hmi, device: &Device, polling: Polling) {
    let Some(settings) = settings_for(device) else { return };
    let Some(to) = hmi.scene.address_of(device, DNP3_PORT) else { return };
    let (line, jobs) = mpsc::unbounded();
    hmi.lines.borrow_mut().insert(device.name.get_ref().clone(), line);
    let name = format!("front end keeps {}", device.name.get_ref());
    let session = Session {
        hmi: hmi.clone(),
        device: device.clone(),
        points: points_of(hmi, device),
        settings,
        to,
        polling,
        jobs,
        is_lost: false,
    };
    hmi.scene.spawner.spawn(&name, session.run());
}

fn settings_for(device: &Device) -> Option<MasterSettings> {
    let outstation = *device.outstation.as_ref()?.get_ref();
    Some(MasterSettings::new(device.dnp3.masters.first().copied()?, outstation))
}

/// What a point is called, and what its value means.
struct Shown {
    tag: String,
    scale: f64,
    offset: f64,
    sense: Sense,
}

fn points_of(hmi: &Hmi, device: &Device) -> BTreeMap<(PointKind, u16), Shown> {
    let shown = |point: &PointEntry| Shown {
        tag: point.tag.get_ref().clone(),
        scale: point.scale,
        offset: point.offset,
        sense: hmi.sense(point.tag.get_ref()),
    };
    device.points.iter().map(|point| ((point.kind, *point.index.get_ref()), shown(point))).collect()
}

/// The kind of a point as the site file names it; frozen counters are shown nowhere.
fn kind_of(point: &Measurement) -> Option<PointKind> {
    use wire::dnp3::PointKind as Wire;
    Some(match point.kind {
        Wire::BinaryInput => PointKind::BinaryInput,
        Wire::DoubleBitInput => PointKind::DoubleBitInput,
        Wire::BinaryOutput => PointKind::BinaryOutput,
        Wire::Counter => PointKind::Counter,
        Wire::AnalogInput => PointKind::AnalogInput,
        Wire::AnalogOutput => PointKind::AnalogOutput,
        Wire::FrozenCounter => return None,
    })
}

/// One session to one outstation.
struct Session {
    hmi: Hmi,
    device: Device,
    points: BTreeMap<(PointKind, u16), Shown>,
    settings: MasterSettings,
    to: SocketAddrV4,
    polling: Polling,
    jobs: mpsc::UnboundedReceiver<Job>,
    is_lost: bool,
}

impl Session {
    async fn run(mut self) {
        let clock = self.hmi.scene.clock.clone();
        let host = self.hmi.host.used_by("front end");
        let name = self.device.name.get_ref().clone();
        let mut draw =
            KeyedStream::new(self.hmi.scene.seed, host.name(), &format!("phase of polling {name}"));
        clock.sleep(Duration::from_millis(100 + draw.below(0, 900))).await;
        let mut rest = REST.0;
        loop {
            if let Ok(stream) = open(&clock, &host, self.to).await {
                let mut master = Dnp3Master::new(stream, clock.clone(), self.settings);
                let began = clock.now();
                // A session that broke is made again; what it was told before stands.
                let _ = self.attend(&mut master).await;
                if clock.now().since(began) > REST.1 {
                    rest = REST.0;
                }
            }
            if !std::mem::replace(&mut self.is_lost, true) {
                self.hmi.lose(&name);
            }
            clock.sleep(rest).await;
            rest = (rest * 2).min(REST.1);
        }
    }

    /// From start-up to the failure that ends the session.
    async fn attend(&mut self, master: &mut Master) -> Result<(), MasterError> {
        let clock = self.hmi.scene.clock.clone();
        self.start_up(master).await?;
        let mut next_events = clock.now() + self.polling.events;
        let mut next_integrity = clock.now() + self.polling.integrity;
        loop {
            let due = next_events.min(next_integrity);
            let wait = due.since(clock.now());
            let job = {
                let heard = std::pin::pin!(master.next_unsolicited(wait));
                match select(self.jobs.next(), heard).await {
                    Either::Left((job, _)) => job,
                    Either::Right((heard, _)) => {
                        if let Some(answer) = heard? {
                            self.show(&answer);
                        }
                        None
                    }
                }
            };
            if let Some(job) = job {
                self.carry_out(master, job).await;
            } else if clock.now() >= next_integrity {
                let answer = master.integrity_poll().await?;
                self.show(&answer);
                next_integrity += self.polling.integrity;
            } else if clock.now() >= next_events {
                let answer = master.event_poll(ClassSet::ALL).await?;
                self.show(&answer);
                next_events = clock.now() + self.polling.events;
            }
            if master.iin().has(Iin::DEVICE_RESTART) {
                self.start_up(master).await?;
            } else if master.iin().has(Iin::NEED_TIME) {
                master.set_time(self.unix_ms(), clients::dnp3::TimeWay::Lan).await?;
            }
        }
    }

    async fn start_up(&mut self, master: &mut Master) -> Result<(), MasterError> {
        let unsolicited = if self.device.dnp3.unsolicited { ClassSet::ALL } else { ClassSet::NONE };
        let everything = master.start_up(self.unix_ms(), unsolicited).await?;
        self.show(&everything);
        if std::mem::take(&mut self.is_lost) {
            self.hmi.found_again(self.device.name.get_ref());
        }
        Ok(())
    }

    fn unix_ms(&self) -> u64 {
        let scene = &self.hmi.scene;
        scene.start.unix_nanos(scene.clock.now()) / 1_000_000
    }

    fn show(&self, answer: &Answer) {
        for point in answer.events().iter().chain(&answer.statics()) {
            let Some(kind) = kind_of(point) else { continue };
            if let Some(shown) = self.points.get(&(kind, point.index)) {
                self.hmi.show(&shown.tag, point.value * shown.scale + shown.offset, shown.sense);
            }
        }
    }

    async fn carry_out(&self, master: &mut Master, job: Job) {
        let scene = &self.hmi.scene;
        job.act.begin();
        job.act.tag(Selector::Between {
            source: self.hmi.host.name().to_owned(),
            destination: self.device.host.get_ref().clone(),
            port: DNP3_PORT,
        });
        job.act.on_the_wire();
        let outcomes = perform(scene, &job.act, &self.device, master, &job.requests).await;
        scene.untag_later(&job.act).await;
        // Whoever handed it in may have gone.
        let _ = job.done.send(outcomes);
    }
}

/// Makes requests over a connection of its own, as a master with the address of the outstation's first.
pub(crate) async fn intrude(scene: &Scene, act: &Act, from: &Host, name: &str, requests: &[MasterRequest]) {
    let Some(device) = scene.site.device(name) else { return };
    let (Some(settings), Some(to)) = (settings_for(device), scene.address_of(device, DNP3_PORT)) else {
        return;
    };
    act.begin();
    act.tag_flow(from.next_flow(to));
    act.on_the_wire();
    if let Ok(stream) = open(&scene.clock, from, to).await {
        let settings = MasterSettings { limit: PATIENCE, ..settings };
        let mut master = Dnp3Master::new(stream, scene.clock.clone(), settings);
        perform(scene, act, device, &mut master, requests).await;
    }
    act.end();
    scene.untag_later(act).await;
}

/// Makes requests one after the other; one that fails does not keep the next from being tried.
async fn perform(
    scene: &Scene,
    act: &Act,
    device: &Device,
    master: &mut Master,
    requests: &[MasterRequest],
) -> Vec<bool> {
    let mut outcomes = Vec::new();
    for request in requests {
        let accepted = |answer: Result<CommandAnswer, MasterError>| answer.is_ok_and(|it| it.is_success());
        let outcome = match request {
            MasterRequest::Wait(span) => {
                scene.clock.sleep(*span).await;
                continue;
            }
            MasterRequest::Select(writes) => accepted(master.select_operate(&outputs(device, writes)).await),
            MasterRequest::Direct(writes) => accepted(master.direct_operate(&outputs(device, writes)).await),
            MasterRequest::DirectNoAck(writes) => {
                master.direct_operate_no_ack(&outputs(device, writes)).await.is_ok()
            }
            MasterRequest::Integrity => master.integrity_poll().await.is_ok(),
            MasterRequest::DisableUnsolicited => master.disable_unsolicited(ClassSet::ALL).await.is_ok(),
            MasterRequest::EnableUnsolicited => master.enable_unsolicited(ClassSet::ALL).await.is_ok(),
            MasterRequest::ColdRestart | MasterRequest::WarmRestart => {
                act.awaits(Sign::Lost { device: device.name.get_ref().clone() });
                master.restart(matches!(request, MasterRequest::ColdRestart)).await.is_ok()
            }
        };
        outcomes.push(outcome);
        act.end();
        if outcome {
            act.in_the_log();
            for write in request.writes().iter().filter(|write| shows(device, write)) {
                act.awaits(Sign::Value { tag: write.tag.get_ref().clone(), value: write.value });
            }
        }
    }
    outcomes
}

/// Whether a command shows as the value of its tag: a pulse does not.
fn shows(device: &Device, write: &Write) -> bool {
    device.output(write.tag.get_ref()).is_some_and(|point| point.model != ControlModel::Pulse)
}

fn outputs(device: &Device, writes: &[Write]) -> Vec<Output> {
    writes.iter().filter_map(|write| Some(output(device.output(write.tag.get_ref())?, write.value))).collect()
}

/// The command that brings a point to a value, in the manner that its model asks for.
fn output(point: &PointEntry, value: f64) -> Output {
    let (index, on) = (*point.index.get_ref(), value >= 0.5);
    match (point.kind, point.model) {
        (PointKind::AnalogOutput, _) => {
            let counts = point.encode(value);
            let whole = counts.round();
            if (counts - whole).abs() < 1e-6 && whole.abs() <= f64::from(i16::MAX) {
                Output::Int16(index, whole as i16)
            } else {
                Output::Float(index, counts as f32)
            }
        }
        (_, ControlModel::Latch) => Output::latch(index, on),
        (_, ControlModel::TripClose) => Output::trip_close(index, on, PULSE_MS),
        (_, ControlModel::Pulse) => Output::Crob { index, code: 1, count: 1, on_ms: PULSE_MS, off_ms: 0 },
    }
}

/// What the dispatcher's screen says of a command in the journal.
pub(crate) fn report(act: &Act, tag: &str, value: f64, outcome: &[bool]) {
    let is_done = !outcome.is_empty() && outcome.iter().all(|done| *done);
    let data = json!({ "tag": tag, "value": value, "outcome": if is_done { "written" } else { "failed" } });
    act.report(EventSource::Actor, "hmi.write", data);
}
