//! A network interface, listened to.
//!
//! # Theory of operation
//! One thread. It waits for the kernel's next block of frames, gives them to the sensor, and about once a second asks
//! how many were dropped and writes what is buffered. While nothing comes it tells the sensor that time passes, so that
//! what is missing is missed. SIGINT and SIGTERM end it as the end of a file would, with complete logs; a second one
//! ends it at once.
//!
//! The socket is opened first, as it needs a right that nothing later needs. Then root and every capability are given
//! up for good, and the process confines itself (see [`confine`]) before it looks at the first frame.
//!
//! # What can go wrong
//! Frames that the kernel drops are counted in the summary and stand in `weird.log` as `frames_dropped`. An interface
//! that goes down is `interface_down`; it is waited for.

pub mod confine;
mod privilege;
mod ring;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::capture::LinkType;
use crate::sensor::Sensor;
use crate::sink::LogSink;
use confine::Confined;
use ring::{Ring, RingFrame, RingOptions, Wait};

const SECOND: u64 = 1_000_000_000;
/// Longest wait for a frame: how late a signal is noticed at the most.
const WAIT_MS: i32 = 200;

static STOP: AtomicBool = AtomicBool::new(false);

/// What is asked of a live capture.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// The interface's name.
    pub interface: String,
    /// Octets kept of each frame.
    pub snap_len: u32,
    /// Mebioctets of the ring that the kernel fills.
    pub ring_mib: u32,
    /// Whether frames for other hosts are taken, as a mirror port needs.
    pub promiscuous: bool,
    /// Whom to become, where one starts as root.
    pub user: String,
}

/// Why an interface cannot be listened to.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Neither root nor the capability.
    #[error(
        "{interface}: not permitted to listen: this needs CAP_NET_RAW; start as root (it is given up at once), or once: setcap cap_net_raw+ep on the program"
    )]
    NotPermitted {
        /// The interface.
        interface: String,
    },
    /// No such interface.
    #[error("{interface}: no such interface; there are {there}")]
    NoInterface {
        /// As it was named.
        interface: String,
        /// Those that there are.
        there: String,
    },
    /// Its frames begin in a way that is not known here.
    #[error(
        "{interface}: interfaces of kind {kind} (linux/if_arp.h) are not supported: Ethernet, loopback and tunnels are"
    )]
    Kind {
        /// The interface.
        interface: String,
        /// Its kind.
        kind: u16,
    },
    /// The operating system refused a step.
    #[error("{interface}: cannot {doing}: {source}")]
    Interface {
        /// The interface.
        interface: String,
        /// The step.
        doing: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// Root could not be given up.
    #[error("cannot give up root: {doing}: {source}")]
    Privilege {
        /// The step.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// No such user.
    #[error("no user {user:?} in /etc/passwd: name one with --user")]
    NoUser {
        /// As it was named.
        user: String,
    },
    /// The logs could not be written any more without root.
    #[error(
        "{directory}: {user} may not write there: `chown {user} {directory}`, or name another directory or --user"
    )]
    LogDir {
        /// Where the logs were to go.
        directory: PathBuf,
        /// Who was to write them.
        user: String,
    },
    /// Who writes the logs may not pass a directory above theirs.
    #[error(
        "{directory}: {user} may not pass {above} to get there: `chmod o+x {above}`, or name another directory or --user"
    )]
    AboveLogDir {
        /// The directory that is closed.
        above: PathBuf,
        /// Where the logs were to go.
        directory: PathBuf,
        /// Who was to write them.
        user: String,
    },
    /// The confinement was refused.
    #[error("cannot confine: {reason}")]
    Confine {
        /// What the operating system said.
        reason: String,
    },
    /// The logs.
    #[error("logs: {0}")]
    Logs(io::Error),
}

/// An interface that is listened to, by a process that can do little else.
#[derive(Debug)]
pub struct Live {
    ring: Ring,
    interface: String,
    user: Option<String>,
    confined: Confined,
    /// The interface is, and that has been said.
    down: bool,
}

/// Has SIGINT and SIGTERM set a flag, once; returns the flag.
pub fn stop_at_signals() -> &'static AtomicBool {
    privilege::catch_signals();
    &STOP
}

impl Live {
    /// Opens the interface, makes the directory of the logs, gives up root and confines this thread and what it starts
    /// from now on. Files are written below `writes` and the logs alone; directories that were `made` become the user's.
    /// `network`: whether sockets are opened later.
    pub fn start(
        config: &LiveConfig,
        log_dir: Option<&Path>,
        writes: &[PathBuf],
        made: &[PathBuf],
        network: bool,
    ) -> Result<Self, LiveError> {
        let options = RingOptions {
            snap_len: config.snap_len,
            ring_mib: config.ring_mib,
            promiscuous: config.promiscuous,
        };
        let ring = Ring::open(&config.interface, &options)?;
        stop_at_signals();
        let user = privilege::give_up(&config.user, log_dir, made)?;
        let mut writes = writes.to_vec();
        writes.extend(log_dir.map(Path::to_owned));
        let confined = confine::confine(&writes, network)?;
        Ok(Self { ring, interface: config.interface.clone(), user, confined, down: false })
    }

    /// What is listened to, as whom, and what holds the process: one line.
    pub fn describe(&self) -> String {
        let link = match self.ring.link() {
            LinkType::RawIp => "bare IP",
            _ => "Ethernet",
        };
        let user = self.user.as_ref().map_or_else(|| "without root".to_owned(), |user| format!("as {user}"));
        format!("listening on {} ({link}), {user}; {}", self.interface, self.confined)
    }

    /// Listens for about a second, or until a signal comes; says whether to go on.
    pub fn run<S: LogSink>(&mut self, sensor: &mut Sensor<S>) -> Result<bool, LiveError> {
        let interface = self.interface.clone();
        let trouble = |doing: &'static str| {
            let interface = interface.clone();
            move |source| LiveError::Interface { interface, doing, source }
        };
        let link = self.ring.link();
        let next_look = unix_nanos() + SECOND;
        while !STOP.load(Ordering::Relaxed) {
            let wait = self.ring.wait(WAIT_MS).map_err(trouble("wait for frames"))?;
            let now = unix_nanos();
            match wait {
                Wait::Frames => {
                    let mut take = |frame: RingFrame<'_>| {
                        sensor.on_frame_of(link, frame.unix_nanos, frame.octets, frame.wire_len as usize);
                    };
                    if !self.ring.take_block(&mut take) {
                        sensor.on_quiet(now);
                    }
                    self.down = false;
                }
                Wait::Nothing => sensor.on_quiet(now),
                Wait::Down => {
                    if !std::mem::replace(&mut self.down, true) {
                        sensor.on_oddity(now, "interface_down", &interface);
                    }
                }
            }
            if now >= next_look {
                self.look(sensor, now).map_err(trouble("ask for drops"))?;
                sensor.flush().map_err(LiveError::Logs)?;
                return Ok(true);
            }
        }
        let mut take = |frame: RingFrame<'_>| {
            sensor.on_frame_of(link, frame.unix_nanos, frame.octets, frame.wire_len as usize);
        };
        // What came before the signal, and no more: a flood must not keep the program from ending.
        for _ in 0..self.ring.block_count() {
            if !self.ring.take_block(&mut take) {
                break;
            }
        }
        self.look(sensor, unix_nanos()).map_err(trouble("ask for drops"))?;
        Ok(false)
    }

    fn look<S: LogSink>(&self, sensor: &mut Sensor<S>, now: u64) -> io::Result<()> {
        let drops = self.ring.drops()?;
        sensor.on_drops(now, drops);
        Ok(())
    }
}

/// The kernel stamps frames with this clock; in silence it has to be read here.
fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
