//! A run with its record: capture, logs, process values, journal, truth, all hashed as they are written.
//!
//! # Theory of operation
//! The lab is assembled with watchers that write, driven (fast, live, or as a replay), and sealed. Ground truth is
//! completed from twins: the time at which the run in which nobody acts crosses a limit, and what happened here
//! that did not happen in the run without the attack.
//!
//! # What can go wrong
//! The disk fills: the first write that failed is kept, and told at the end; nothing is sealed then. A live run ends at
//! once, since people would go on with something that nobody keeps. A task of the lab panics: the record is sealed with the reason in `ended_early`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use net::{KernelError, LiveControl, MirrorConsumer, Pace, PcapngWriter};
use quizzes::logs::{ConnRow, read_conn};
use record::run::HashedFile;
use record::{EventSource, OutsideInput, RecordError, RunManifest, RunWriter, TruthStep, VirtualTime};
use scenarios::traces::Flow;
use scenarios::{Cast, Plan};

use sensor::{Log, LogSet, RuleSet, Sensor, SensorConfig, Summary, WriterSink};
use site::Site;

use crate::assembly::{Assembly, Controllers, LabError, StepWatcher, Watchers};
use crate::journal::Journal;
use crate::process_table::{ProcessColumns, ProcessTable};
use crate::progress::Progress;
use crate::truth::complete;
use crate::twin::{Fate, run_twin, trend_watcher};

/// Version in the manifest.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a run is made from.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) plan: Plan,
    pub(crate) site: Arc<Site>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) blind: bool,
}

/// How time passes and what comes from outside.
pub(crate) enum Drive {
    /// As fast as the machine can, with a person's actions at given times, in order.
    Fast { acts: Vec<(VirtualTime, String)> },
    /// Paced by the wall clock. The control is sent out before the run begins.
    Live { pace: Pace, control: Sender<LiveControl>, end: VirtualTime, past: Option<Past> },
    /// As it was recorded; `ended_early` is why the run itself was not longer.
    Replay { inputs: Vec<OutsideInput>, end: VirtualTime, ended_early: Option<String> },
}

/// The part of a live run that has been: it is made again before the rest goes on live.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// What came from outside.
    pub(crate) inputs: Vec<OutsideInput>,
    /// How far it came.
    pub(crate) until: VirtualTime,
}

/// What a recorded run came to.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) manifest: RunManifest,
    pub(crate) truth: Vec<TruthStep>,
    pub(crate) actual: Fate,
    pub(crate) clean: Fate,
    pub(crate) none: Fate,
    pub(crate) summary: Summary,
    pub(crate) frames: u64,
}

/// Why a run left no sealed record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the record could not be written: {0}")]
    Write(#[from] io::Error),
}

/// Gets the lab as it stands, before the first event.
pub(crate) type AssemblyWatcher = Box<dyn FnOnce(&Assembly)>;
/// Gets each action of a person with what came of it: a sentence, or what to write instead.
pub(crate) type ActionWatcher = Box<dyn FnMut(VirtualTime, &str, &str, &Result<String, String>)>;

/// Who looks on besides the record.
#[derive(Default)]
pub(crate) struct Audience {
    pub(crate) assembled: Option<AssemblyWatcher>,
    pub(crate) each_step: Option<StepWatcher>,
    pub(crate) each_frame: Option<MirrorConsumer>,
    pub(crate) each_action: Option<ActionWatcher>,
    /// Told once, when what had been is made again and time goes on.
    pub(crate) goes_live: Option<Box<dyn FnOnce()>>,
    /// Told once, when the run has ended and its twins begin.
    pub(crate) driven: Option<Box<dyn FnOnce(VirtualTime)>>,
    /// Rules of the sensor in place of those that come with it.
    pub(crate) rules: Option<RuleSet>,
    /// The record's files are being read while they grow: they are written out about once in so long, host's time.
    pub(crate) reads_along: Option<Duration>,
}

/// First write that failed, over all writers of a run, and the live run that it ends.
#[derive(Clone, Default)]
struct Failure {
    first: Rc<RefCell<Option<io::Error>>>,
    live: Rc<RefCell<Option<LiveControl>>>,
}

impl Failure {
    fn keep(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            self.first.borrow_mut().get_or_insert(error);
            if let Some(control) = self.live.borrow_mut().take() {
                control.stop();
            }
        }
    }

    /// From now on the first failure ends this live run. One that was before ends it as well.
    fn ends(&self, control: LiveControl) {
        if self.first.borrow().is_some() {
            control.stop();
        } else {
            *self.live.borrow_mut() = Some(control);
        }
    }

    fn told(&self, out: &Path) -> io::Result<()> {
        let Some(error) = self.first.borrow_mut().take() else { return Ok(()) };
        let says = format!("{error}, in {}: free some space there", out.display());
        Err(io::Error::new(error.kind(), says))
    }
}

/// Runs an order and seals its record in `out`. To be called on a thread of its own: the kernel confines it.
pub(crate) fn record_run(
    order: &Order,
    drive: Drive,
    out: &Path,
    progress: &Progress,
    audience: Audience,
) -> Result<Outcome, RunError> {
    let Order { plan, site, .. } = order;
    let shared_writer = Rc::new(RefCell::new(RunWriter::create(out)?));
    let new_file = |name: &str| shared_writer.borrow_mut().file(name);
    let failure = Failure::default();
    let journal = Journal::new(Box::new(new_file("events.jsonl")?));
    let mut watchers = Watchers { journal: Some(journal.clone()), each_step: Vec::new() };
    let shown = progress.clone();
    watchers.each_step.push(Box::new(move |now, _, _| shown.at(now)));
    watchers.each_step.push(process_watcher(new_file("process.csv")?, Arc::clone(site), failure.clone()));
    let (trend, watch_trend) = trend_watcher();
    watchers.each_step.push(watch_trend);
    let to_write_out: Rc<RefCell<Option<WriteOut>>> = Rc::default();
    if let Some(every) = audience.reads_along {
        watchers.each_step.push(write_out_watcher(every, to_write_out.clone(), failure.clone()));
    }
    watchers.each_step.extend(audience.each_step);
    let mut assembly = Assembly::new(plan, &Cast::full(), site, watchers)?;

    if let Some(each_frame) = audience.each_frame {
        assembly.network.mirror(assembly.network.mirror_zone(), each_frame);
    }
    let capture = install_capture(&assembly, plan, new_file("span.pcapng")?, &failure)?;
    let sensor = install_sensor(&assembly, order, audience.rules, &shared_writer, new_file(FINDINGS)?)?;
    install_outside(&mut assembly, new_file("outside.jsonl")?, &failure, &journal, audience.each_action);
    let (flushed_sensor, flushed_files) = (sensor.clone(), shared_writer.clone());
    *to_write_out.borrow_mut() = Some(Box::new(move || {
        flushed_sensor.borrow_mut().flush()?;
        flushed_files.borrow().flush().map_err(io::Error::other)
    }));
    if let Some(assembled) = audience.assembled {
        assembled(&assembly);
    }

    let has_actions = !matches!(&drive, Drive::Fast { acts } if acts.is_empty());
    let (end, ended_early) = drive_to_end(&mut assembly, drive, audience.goes_live, plan.end, &failure)?;
    if let Some(driven) = audience.driven {
        driven(end);
    }

    let actual = Fate { harm: assembly.harm(), events: assembly.plant_events(), trend: trend.take() };
    let mut truth = assembly.stage.truth();
    truth.retain(|step| step.start <= end);
    for step in &mut truth {
        step.end = step.end.min(end);
    }
    let topology = assembly.network.topology();
    let frames = capture.borrow().frames();
    failure.keep(capture.borrow_mut().flush());
    drop(assembly);
    to_write_out.take();
    failure.keep(journal.finish());
    let summary = sensor.borrow_mut().finish();
    failure.told(out)?;
    let summary = summary?;
    drop(sensor);

    let (none, clean) = twins(order, has_actions, end, &actual, progress)?;
    complete(&mut truth, plan, &actual, &none, &clean);
    shared_writer.borrow_mut().json_lines("truth.jsonl", &truth)?;
    write_traces(&shared_writer, order, &truth, out, end)?;
    let manifest = RunManifest {
        marking: "EXERCISE".to_owned(),
        scenario: plan.scenario.clone(),
        seed: Some(plan.seed),
        settings: settings_of(order),
        version: VERSION.to_owned(),
        start: plan.start,
        duration: end,
        site: plan.site.clone(),
        topology: topology.into_iter().map(|(address, name)| (address.to_string(), name)).collect(),
        ended_early,
        files: BTreeMap::new(),
    };
    let writer =
        Rc::into_inner(shared_writer).ok_or_else(|| io::Error::other("the record is still being written"))?;
    let manifest = writer.into_inner().seal(manifest)?;
    Ok(Outcome { manifest, truth, actual, clean, none, summary, frames })
}

/// Writes what hosts and office keep of a run, and what can be found there.
fn write_traces(
    writer: &Rc<RefCell<RunWriter>>,
    order: &Order,
    truth: &[TruthStep],
    out: &Path,
    end: VirtualTime,
) -> Result<(), RunError> {
    writer.borrow().flush()?;
    let log = out.join("logs/conn.log");
    let rows =
        if log.exists() { read_conn(&log, order.plan.start).map_err(io::Error::other)? } else { Vec::new() };
    let flow = |row: &ConnRow| {
        Some(Flow {
            start: row.t,
            end: row.t + Duration::from_secs_f64(row.duration_s.unwrap_or_default().max(0.0)),
            client: row.client.parse().ok()?,
            client_port: u16::try_from(row.client_port?).ok()?,
            server: row.server.parse().ok()?,
            server_port: u16::try_from(row.port).ok()?,
        })
    };
    let flows: Vec<Flow> = rows.iter().filter_map(flow).collect();
    let traces = scenarios::traces::traces(&order.plan, truth, &flows, &order.site, end);
    for (name, text) in &traces.files {
        writer.borrow_mut().file(&format!("hosts/{name}"))?.write_all(text.as_bytes())?;
    }
    let facts: Vec<_> = traces.facts.iter().collect();
    Ok(writer.borrow_mut().json_lines("facts.jsonl", &facts)?)
}

/// Name under which a manifest keeps that the cause was drawn.
pub(crate) const BLIND: &str = "blind";

fn settings_of(order: &Order) -> BTreeMap<String, String> {
    let mut settings = order.settings.clone();
    if order.blind {
        settings.insert(BLIND.to_owned(), "yes".to_owned());
    }
    settings
}

fn drive_to_end(
    assembly: &mut Assembly,
    drive: Drive,
    goes_live: Option<Box<dyn FnOnce()>>,
    plan_end: VirtualTime,
    failure: &Failure,
) -> Result<(VirtualTime, Option<String>), LabError> {
    let kernel = &mut assembly.kernel;
    let mut told = None;
    let (end, result) = match drive {
        Drive::Fast { acts } => {
            let mut result = Ok(());
            for (at, command) in &acts {
                if result.is_ok() && *at < plan_end {
                    result = kernel.run_until_action(*at, "command line", command);
                }
            }
            (plan_end, result.and_then(|()| kernel.run_until(plan_end)))
        }
        Drive::Live { pace, control, end, past } => {
            // Nobody listens where the other side gave up before the run began; then it runs to its end.
            let _ = control.send(kernel.live_control());
            failure.ends(kernel.live_control());
            let again = past.map_or(Ok(()), |past| kernel.run_replay(&past.inputs, past.until));
            if let Some(goes_live) = goes_live {
                goes_live();
            }
            let result = again.and_then(|()| kernel.run_live(pace, end)).map(|_| ());
            (kernel.now().min(end), result)
        }
        Drive::Replay { inputs, end, ended_early } => {
            told = ended_early;
            (end, kernel.run_replay(&inputs, end))
        }
    };
    match result {
        Ok(()) => Ok((end, told)),
        Err(error @ (KernelError::TaskPanicked { .. } | KernelError::Stuck { .. })) => {
            Ok((kernel.now(), Some(error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

fn twins(
    order: &Order,
    has_actions: bool,
    end: VirtualTime,
    actual: &Fate,
    progress: &Progress,
) -> Result<(Fate, Fate), LabError> {
    let plan = Plan { end, ..order.plan.clone() };
    let none =
        if has_actions { run_twin(&plan, &Cast::full(), &order.site, progress)? } else { actual.clone() };
    let clean = if plan.steps().next().is_some() {
        run_twin(&plan, &Cast::clean(), &order.site, progress)?
    } else {
        none.clone()
    };
    Ok((none, clean))
}

/// Time between two rows of `process.csv`. Plants whose instruments look more often have their limits watched all the same.
const ROW_EVERY_NS: u64 = 1_000_000_000;

fn process_watcher(out: HashedFile, site: Arc<Site>, failure: Failure) -> StepWatcher {
    let mut state: Option<(ProcessColumns, ProcessTable<HashedFile>)> = None;
    Box::new(move |now, plant, controllers: &Controllers| {
        if !now.as_nanos().is_multiple_of(ROW_EVERY_NS) {
            return;
        }
        if state.is_none() {
            let columns = ProcessColumns::new(&site, plant, controllers);
            match ProcessTable::new(out.clone(), &columns) {
                Ok(table) => state = Some((columns, table)),
                Err(error) => failure.keep(Err(error)),
            }
        }
        if let Some((columns, table)) = &mut state {
            failure.keep(table.row(now, columns, plant));
        }
    })
}

type WriteOut = Box<dyn FnMut() -> io::Result<()>>;

fn write_out_watcher(
    every: Duration,
    write_out: Rc<RefCell<Option<WriteOut>>>,
    failure: Failure,
) -> StepWatcher {
    // Only how soon something is on the disk depends on the host's clock, never what.
    let mut last = Instant::now();
    Box::new(move |_, _, _| {
        if last.elapsed() >= every
            && let Some(write_out) = &mut *write_out.borrow_mut()
        {
            failure.keep(write_out());
            last = Instant::now();
        }
    })
}

type Capture = Rc<RefCell<PcapngWriter<HashedFile>>>;

fn install_capture(
    assembly: &Assembly,
    plan: &Plan,
    out: HashedFile,
    failure: &Failure,
) -> io::Result<Capture> {
    let capture = Rc::new(RefCell::new(PcapngWriter::new(out, "EXERCISE mirror port")?));
    let (writer, start, failure) = (capture.clone(), plan.start, failure.clone());
    assembly.network.mirror(
        assembly.network.mirror_zone(),
        Box::new(move |t, _, octets| failure.keep(writer.borrow_mut().write(start.unix_nanos(t), octets))),
    );
    Ok(capture)
}

type OpenLog = Box<dyn FnMut(Log) -> io::Result<HashedFile>>;
type SharedSensor = Rc<RefCell<Sensor<WriterSink<HashedFile, OpenLog>>>>;

/// The findings of a record: there, if empty, where nothing was found.
const FINDINGS: &str = "findings.jsonl";

/// The sensor at the mirror port. It opens a log at its first row, as `fieldrange sense` does.
fn install_sensor(
    assembly: &Assembly,
    order: &Order,
    rules: Option<RuleSet>,
    writer: &Rc<RefCell<RunWriter>>,
    findings: HashedFile,
) -> Result<SharedSensor, RunError> {
    let writer = Rc::clone(writer);
    let open: OpenLog = Box::new(move |log: Log| match log {
        Log::Findings => Ok(findings.clone()),
        Log::Incidents => writer.borrow_mut().file(log.file_name()).map_err(io::Error::other),
        _ => writer.borrow_mut().file(&format!("logs/{}", log.file_name())).map_err(io::Error::other),
    });
    let config = SensorConfig {
        site: Some(Arc::clone(&order.site)),
        origin: Some(order.plan.start),
        logs: LogSet::BASIC,
        ..SensorConfig::default()
    };
    let rules = rules.map_or_else(RuleSet::embedded, Ok).map_err(LabError::from)?;
    let sensor = Rc::new(RefCell::new(Sensor::new(config, rules, WriterSink::new(open))));
    let (shared, start) = (sensor.clone(), order.plan.start);
    assembly.network.mirror(
        assembly.network.mirror_zone(),
        Box::new(move |t, _, octets| shared.borrow_mut().on_frame(start.unix_nanos(t), octets)),
    );
    Ok(sensor)
}

/// What came from outside is on its way to the disk before it takes effect: a run that is cut off can be made again.
fn install_outside(
    assembly: &mut Assembly,
    mut out: HashedFile,
    failure: &Failure,
    journal: &Journal,
    mut each_action: Option<ActionWatcher>,
) {
    let failure = failure.clone();
    assembly.kernel.on_outside_input(Box::new(move |input| {
        let line = serde_json::to_string(input).map_err(io::Error::from);
        failure.keep(line.and_then(|line| writeln!(out, "{line}")).and_then(|()| out.flush()));
    }));
    let (stage, desk, journal) = (assembly.stage.clone(), assembly.desk.clone(), journal.clone());
    assembly.kernel.on_action(Box::new(move |t, source, command| {
        let outcome = crate::action::act(&stage, &desk, source, command);
        let data = match &outcome {
            Ok(_) => serde_json::json!({ "command": command }),
            Err(problem) => serde_json::json!({ "command": command, "refused": problem }),
        };
        journal.report(t, EventSource::Trainee, "action", data);
        if let Some(watch) = &mut each_action {
            watch(t, source, command, &outcome);
        }
    }));
}
