//! Records on their way to collectors: syslog, Elasticsearch, Splunk.
//!
//! # Theory of operation
//! Each destination has a queue on disk (`queue`) and a thread of its own. The sensor renders a record and appends it
//! to the queue, and that is all that it waits for; the thread takes records out in order, sends them, and acknowledges
//! what has arrived. So a collector that is slow or dead stops nothing, and after a restart delivery goes on where it
//! was. Every record arrives *at least once*. Nothing of this touches what is written to files: those are the same whatever
//! a collector does.
//!
//! This is the only part of the sensor that opens a connection, and it does so only to what is named by `--to`.
//! Certificates, secrets and queues are opened in [`Delivery::start`], sockets by the thread that it starts: a sensor
//! that confines itself afterwards does not hinder them.
//!
//! # What can go wrong
//! *The collector is not there, refuses, or wants another token*: tried again, at first after a tenth of a second, in
//! the end every ten; what it said is shown. *It refuses a record for good*: that one is counted and passed over. *The
//! queue is full*: see `queue`.

mod carry;
mod destination;
mod http;
mod queue;
mod segment;
mod syslog;
#[cfg(test)]
mod tests;
mod tls;
mod wrap;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use std::collections::VecDeque;

use carry::{Carry, Trouble};
pub use destination::{Carrier, Destination, DestinationError};
use http::Http;
use queue::{Place, Queue, Reader};
use syslog::{Datagrams, Stream};
use tls::Trust;
use wrap::{Head, Wrapper};

use crate::log::Log;
use crate::output::{Entry, Output};

/// Records and octets of a batch.
const BATCH: usize = 1000;
const BATCH_OCTETS: usize = 1 << 20;
/// How often an idle thread looks whether there is something.
const LOOK: Duration = Duration::from_millis(50);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// How records are kept until a collector has them.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// Most octets on disk per destination, about.
    pub limit: u64,
    /// At the end: how long to go on without any record getting through.
    pub patience: Duration,
    /// Told in a sentence when a collector stops or begins again to take records; by the thread that delivers.
    pub say: fn(&str),
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { limit: 1 << 30, patience: Duration::from_secs(10), say: |_| {} }
    }
}

/// What became of the records for a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Confirmed by the collector, in this run.
    pub delivered: u64,
    /// Still on disk, for the next run.
    pub waiting: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
    /// Places where the queue's files were damaged.
    pub damaged: u64,
    /// Refused for good by the collector.
    pub rejected: u64,
    /// What went wrong last, if it still does; or why the first record was refused.
    pub trouble: Option<String>,
}

#[derive(Debug, Default)]
struct Status {
    stop: AtomicBool,
    delivered: AtomicU64,
    /// Highest sequence number sent, be it confirmed or not.
    sent: AtomicU64,
    rejected: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Status {
    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// Records to one destination.
#[derive(Debug)]
pub struct Delivery {
    destination: Destination,
    wrapper: Wrapper,
    queue: Queue,
    status: Arc<Status>,
    thread: Option<JoinHandle<()>>,
    patience: Duration,
    json: Vec<u8>,
    report: Arc<Mutex<Report>>,
    last: u64,
}

impl Delivery {
    /// Where the queue for a destination is, below `queues`.
    pub fn directory(destination: &Destination, queues: &Path) -> PathBuf {
        queues.join(destination.directory_name())
    }

    /// Opens the queue below `queues` and starts to deliver what is in it.
    pub fn start(destination: Destination, queues: &Path, config: &QueueConfig) -> io::Result<Self> {
        let needs_tls = matches!(
            destination.carrier,
            Carrier::SyslogTls | Carrier::Elastic { tls: true } | Carrier::Splunk { tls: true }
        );
        let trust = needs_tls.then(|| Trust::load(&destination)).transpose()?;
        let secret = secret(&destination)?;
        let queue = Queue::open(&Self::directory(&destination, queues), config.limit)?;
        let carry: Box<dyn Carry> = match destination.carrier {
            Carrier::SyslogUdp => Box::new(Datagrams::new(&destination)),
            Carrier::SyslogTcp | Carrier::SyslogTls => {
                let tls = trust.as_ref().map(Trust::client).transpose()?;
                Box::new(Stream::new(&destination, tls, config.patience)?)
            }
            Carrier::Elastic { .. } | Carrier::Splunk { .. } => {
                Box::new(Http::new(&destination, trust.as_ref(), queue.identity(), secret.as_deref()))
            }
        };
        let status = Arc::new(Status::default());
        let deliverer = Deliverer {
            carry,
            reader: queue.reader(),
            status: Arc::clone(&status),
            under_way: VecDeque::new(),
            acknowledged: 0,
            name: destination.to_string(),
            say: config.say,
            in_trouble: false,
        };
        let thread = std::thread::Builder::new()
            .name(format!("to {destination}").chars().take(15).collect())
            .spawn(move || deliverer.run())?;
        Ok(Self {
            wrapper: Wrapper::new(&destination),
            destination,
            queue,
            status,
            thread: Some(thread),
            patience: config.patience,
            json: Vec::new(),
            report: Arc::default(),
            last: 0,
        })
    }

    /// What became of the records, as it stands after [`Output::finish`]. Stays readable when the delivery is gone.
    pub fn report(&self) -> Arc<Mutex<Report>> {
        Arc::clone(&self.report)
    }

    fn now(&self) -> Report {
        let counts = self.queue.counts();
        Report {
            delivered: self.status.delivered.load(Ordering::Relaxed),
            waiting: self.queue.waiting(),
            dropped: counts.dropped,
            damaged: counts.damaged,
            rejected: self.status.rejected.load(Ordering::Relaxed),
            trouble: self.status.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Token or password from the environment.
fn secret(destination: &Destination) -> io::Result<Option<String>> {
    let usual = match destination.carrier {
        Carrier::Elastic { .. } if destination.user.is_some() => "ELASTIC_PASSWORD",
        Carrier::Elastic { .. } => "ELASTIC_API_KEY",
        Carrier::Splunk { .. } => "SPLUNK_HEC_TOKEN",
        _ => return Ok(None),
    };
    let name = destination.token_env.as_deref().unwrap_or(usual);
    let must = destination.token_env.is_some()
        || destination.user.is_some()
        || matches!(destination.carrier, Carrier::Splunk { .. });
    match std::env::var(name) {
        Ok(secret) => Ok(Some(secret)),
        Err(_) if !must => Ok(None),
        Err(_) => {
            let problem = format!(
                "{destination} needs a token or password, and the environment variable {name} is not set"
            );
            Err(io::Error::new(io::ErrorKind::NotFound, problem))
        }
    }
}

impl Output for Delivery {
    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        if !self.wants(entry.log()) {
            return Ok(());
        }
        self.json.clear();
        if !self.destination.rendering.write(entry, &mut self.json) {
            return Ok(());
        }
        let (head, at) = (Head::of(entry), entry.unix_nanos());
        self.last = at;
        let (wrapper, json) = (&self.wrapper, &self.json);
        self.queue.append(
            |sequence, out| wrapper.wrap(head, sequence, json, out),
            |sequence, missing, out| wrapper.note(at, sequence, missing, out),
        );
        Ok(())
    }

    fn wants(&self, log: Log) -> bool {
        self.destination.wants(log)
    }

    /// Waits until everything is delivered, or nothing got through for as long as the configuration says.
    fn finish(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let (wrapper, at) = (&self.wrapper, self.last);
        self.queue.append_note(|sequence, missing, out| wrapper.note(at, sequence, missing, out));
        self.queue.close();
        let (mut seen, mut since) = ((0, 0), Instant::now());
        while !thread.is_finished() {
            // What is sent again and again, and never confirmed, is no progress.
            let now =
                (self.status.delivered.load(Ordering::Relaxed), self.status.sent.load(Ordering::Relaxed));
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            if since.elapsed() >= self.patience {
                self.status.stop.store(true, Ordering::Relaxed);
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Whatever it waits for has a time limit of its own.
        let _ = thread.join();
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = self.now();
        Ok(())
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.status.stop.store(true, Ordering::Relaxed);
        self.queue.close();
    }
}

/// The thread that delivers.
struct Deliverer {
    carry: Box<dyn Carry>,
    reader: Reader,
    status: Arc<Status>,
    /// Sent and not confirmed: sequence number, and the place after it.
    under_way: VecDeque<(u64, Place)>,
    acknowledged: u64,
    name: String,
    say: fn(&str),
    /// And that has been said.
    in_trouble: bool,
}

impl Deliverer {
    fn run(mut self) {
        let mut retry = RETRY_FIRST;
        while !self.status.stop.load(Ordering::Relaxed) {
            let before = self.acknowledged;
            match self.step() {
                Ok(true) => break,
                Ok(false) => {
                    retry = RETRY_FIRST;
                    self.status.set_trouble(None);
                    // An idle moment proves nothing.
                    if self.in_trouble && (!self.under_way.is_empty() || self.acknowledged > before) {
                        self.in_trouble = false;
                        (self.say)(&format!("{}: takes records again", self.name));
                    }
                }
                Err(Trouble(trouble)) => {
                    if !std::mem::replace(&mut self.in_trouble, true) {
                        (self.say)(&format!("{}: {trouble}; records wait on disk", self.name));
                    }
                    self.status.set_trouble(Some(trouble));
                    let _ = self.acknowledge();
                    if self.acknowledged > before {
                        retry = RETRY_FIRST;
                    }
                    self.under_way.clear();
                    self.reader.rewind();
                    self.pause(retry);
                    retry = (retry * 2).min(RETRY_MAX);
                }
            }
            let (rejected, reason) = self.carry.rejected();
            self.status.rejected.store(rejected, Ordering::Relaxed);
            if reason.is_some() {
                self.status.set_trouble(reason);
            }
        }
    }

    /// One batch; whether everything is done.
    fn step(&mut self) -> Result<bool, Trouble> {
        // Asked before the queue is looked at: what was appended before it was closed is then seen.
        let closed = self.reader.is_closed();
        let batch = self.reader.take(BATCH, BATCH_OCTETS)?;
        if batch.is_empty() {
            if closed {
                self.carry.end()?;
                self.acknowledge()?;
                return Ok(true);
            }
            self.carry.idle()?;
            self.acknowledge()?;
            self.reader.wait(LOOK);
            return Ok(false);
        }
        // Noted first: of a batch that fails half-way, the first half may be confirmed.
        self.under_way.extend(batch.iter().map(|record| (record.sequence, record.end)));
        self.carry.send(&batch)?;
        let last = batch.last().map_or(0, |record| record.sequence);
        self.status.sent.fetch_max(last, Ordering::Relaxed);
        self.acknowledge()?;
        Ok(false)
    }

    fn acknowledge(&mut self) -> Result<(), Trouble> {
        let confirmed = self.carry.confirmed();
        let mut last = None;
        while let Some((sequence, place)) =
            self.under_way.front().copied().filter(|(sequence, _)| *sequence <= confirmed)
        {
            last = Some((sequence, place));
            self.under_way.pop_front();
            self.status.delivered.fetch_add(1, Ordering::Relaxed);
        }
        if let Some((sequence, place)) = last {
            self.acknowledged = sequence;
            self.reader.acknowledge(sequence, place)?;
        }
        Ok(())
    }

    fn pause(&self, length: Duration) {
        let until = Instant::now() + length;
        while Instant::now() < until && !self.status.stop.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK.min(length));
        }
    }
}
