//! `fieldrange doctor`: can this machine run a live lab, and what is in the way.
//!
//! Nothing is guessed that can be tried: a packet socket is opened, a lab is run fast and its mirror counted, another is
//! run against the clock on the wall and its lag measured, a thread is confined and then asks for a socket.

use std::cell::{Cell, RefCell};
use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use net::Pace;
use record::{Clock, VirtualTime};
use scenarios::{Cast, Difficulty};
use sensor::RuleSet;
use serde::Serialize;

use crate::assembly::{Assembly, LabError, Watchers};
use crate::cli::{DoctorArgs, WhichRun};
use crate::exit::Exit;
use crate::kernel_thread::on_kernel_thread;
use crate::order::order;

/// Scenario that the trials run.
const SCENARIO: &str = "ordinary-day";
/// Virtual seconds that are looked at the mirror for.
const MIRRORED_S: u64 = 10;
/// How long the clock is watched, and how often.
const WATCHED: Duration = Duration::from_secs(2);
const BEAT: Duration = Duration::from_millis(10);
/// Lag at the 99th percentile that is still keeping up.
const LAG_MAX: Duration = Duration::from_millis(50);
/// Ports that the documents speak of, and what for.
const PORTS: [(u16, &str); 5] = [
    (8600, "console"),
    (5020, "forward to PLC-1"),
    (5021, "forward to PLC-2"),
    (5022, "forward to PLC-3"),
    (20_000, "DNP3"),
];
/// VXLAN.
const MIRROR_PORT: u16 = 4789;
/// Octets without which a day's record may not fit, and those below which a run is pointless.
const ROOM_GOOD: u64 = 2 << 30;
const ROOM_LEAST: u64 = 200 << 20;
/// What threads are called on which a lab lives: those of a command, and those of the console.
const LAB_THREADS: [&str; 2] = ["kernel", "lab"];

/// How a look went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Works, but something cannot be done here.
    Note,
    Wrong,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    said: String,
}

fn finding(what: &'static str, state: State, said: impl Into<String>) -> Finding {
    Finding { what, state, said: said.into() }
}

pub(crate) fn doctor(args: &DoctorArgs) -> Exit {
    let findings = if args.running {
        vec![running()]
    } else {
        vec![capture(), mirror(), rules(), clock(), ports(), room(&args.out), sockets(), files()]
    };
    let worst = findings.iter().map(|it| it.state).max().unwrap_or(State::Ok);
    if args.json {
        println!("{}", serde_json::json!({ "well": worst < State::Wrong, "findings": findings }));
    } else {
        for Finding { what, state, said } in &findings {
            let state = match state {
                State::Ok => "ok",
                State::Note => "note",
                State::Wrong => "WRONG",
            };
            println!("{state:<6} {what:<10} {said}");
        }
    }
    if worst == State::Wrong { Exit::FoundWrong } else { Exit::Done }
}

/// Whether a kernel's thread lives in a process of this program: in a container, whether its lab does.
fn running() -> Finding {
    let is_kernel = |task: fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|name| LAB_THREADS.contains(&name.trim_end()))
    };
    let tasks = |process: fs::DirEntry| fs::read_dir(process.path().join("task")).ok();
    let found = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|process| process.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter(|process| {
            fs::read_to_string(process.path().join("comm")).is_ok_and(|name| name.trim_end() == "fieldrange")
        })
        .filter_map(tasks)
        .flatten()
        .flatten()
        .any(is_kernel);
    if found {
        finding("running", State::Ok, "a lab runs here")
    } else {
        finding("running", State::Wrong, "no lab runs here")
    }
}

#[cfg(target_os = "linux")]
fn capture() -> Finding {
    match net::may_attach() {
        Ok(()) => finding("capture", State::Ok, "packet sockets open: --attach and the sensor's -i work"),
        Err(error) => finding(
            "capture",
            State::Note,
            format!(
                "no packet sockets ({error}): --attach and the sensor's -i need CAP_NET_RAW; forwards and the console do not"
            ),
        ),
    }
}

#[cfg(not(target_os = "linux"))]
fn capture() -> Finding {
    finding("capture", State::Note, "packet sockets are Linux's: forwards alone here")
}

/// A lab for trials, without a record.
fn assembly() -> Result<Assembly> {
    let which = WhichRun { seed: 1, blind: false, settings: Vec::new(), level: Difficulty::default() };
    let ordered = order(SCENARIO, &which)?;
    Ok(Assembly::new(&ordered.order.plan, &Cast::full(), &ordered.order.site, Watchers::default())?)
}

/// Runs a lab fast and counts at its mirror what the operator station and PLC-1 say to each other.
fn mirror() -> Finding {
    let counted = on_kernel_thread(|| -> Result<(u64, u64)> {
        let mut assembly = assembly()?;
        let (there, back) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (to_plc, to_hmi) = (there.clone(), back.clone());
        let zone = assembly.network.mirror_zone().to_owned();
        let ends =
            ["hmi", "plc-1"].map(|name| assembly.network.host(name).map(|host| host.address().octets()));
        assembly.network.mirror(
            &zone,
            Box::new(move |_, _, frame| {
                // IPv4 addresses behind the Ethernet header.
                let (source, destination) = (frame.get(26..30), frame.get(30..34));
                let [hmi, plc] = ends.each_ref().map(|it| it.as_ref().map(|octets| &octets[..]));
                if source == hmi && destination == plc {
                    to_plc.set(to_plc.get() + 1);
                } else if source == plc && destination == hmi {
                    to_hmi.set(to_hmi.get() + 1);
                }
            }),
        );
        assembly.kernel.run_until(VirtualTime::from_secs(MIRRORED_S)).map_err(LabError::from)?;
        Ok((there.get(), back.get()))
    });
    match counted {
        Ok((there @ 1.., back @ 1..)) => finding(
            "mirror",
            State::Ok,
            format!(
                "both directions: {there} frames from the operator station to PLC-1, {back} back, in {MIRRORED_S} s"
            ),
        ),
        Ok((there, back)) => {
            finding("mirror", State::Wrong, format!("one-sided: {there} frames one way, {back} the other"))
        }
        Err(error) => finding("mirror", State::Wrong, format!("no lab comes up: {error:#}")),
    }
}

fn rules() -> Finding {
    match RuleSet::embedded() {
        Ok(rules) => finding("rules", State::Ok, format!("{} detection rules parse", rules.cards().len())),
        Err(error) => finding("rules", State::Wrong, error.to_string()),
    }
}

/// Runs a lab against the clock on the wall and measures how late a task wakes.
fn clock() -> Finding {
    let measured = on_kernel_thread(|| -> Result<Vec<Duration>> {
        let mut assembly = assembly()?;
        let lags = Rc::new(RefCell::new(Vec::new()));
        let (into, clock) = (lags.clone(), assembly.kernel.clock());
        let started = Instant::now();
        assembly.kernel.spawner().spawn("watch", async move {
            let mut next = clock.now();
            loop {
                next += BEAT;
                clock.sleep_until(next).await;
                into.borrow_mut().push(started.elapsed().saturating_sub(next.since(VirtualTime::ZERO)));
            }
        });
        let end = VirtualTime::from_nanos(WATCHED.as_nanos() as u64);
        assembly.kernel.run_live(Pace::REAL_TIME, end).map_err(LabError::from)?;
        Ok(lags.take())
    });
    match measured {
        Ok(mut lags) if !lags.is_empty() => {
            lags.sort_unstable();
            let late = lags[(lags.len() - 1) * 99 / 100];
            let said = format!(
                "{:.1} ms behind at the 99th percentile over {} s at real time",
                late.as_secs_f64() * 1e3,
                WATCHED.as_secs()
            );
            if late <= LAG_MAX {
                finding("clock", State::Ok, said)
            } else {
                finding("clock", State::Wrong, format!("{said}: end other programs, or run fewer labs"))
            }
        }
        Ok(_) => finding("clock", State::Wrong, "no time passed"),
        Err(error) => finding("clock", State::Wrong, format!("{error:#}")),
    }
}

fn ports() -> Finding {
    let mut taken: Vec<String> = PORTS
        .iter()
        .filter(|(port, _)| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_err())
        .map(|(port, what)| format!("{port} ({what})"))
        .collect();
    if UdpSocket::bind((Ipv4Addr::LOCALHOST, MIRROR_PORT)).is_err() {
        taken.push(format!("{MIRROR_PORT}/udp (VXLAN: only to be received here)"));
    }
    if taken.is_empty() {
        let free: Vec<String> = PORTS.iter().map(|(port, _)| port.to_string()).collect();
        finding("ports", State::Ok, format!("free on 127.0.0.1: {}, {MIRROR_PORT}/udp", free.join(", ")))
    } else {
        finding("ports", State::Note, format!("taken on 127.0.0.1: {}; choose others", taken.join(", ")))
    }
}

fn room(directory: &Path) -> Finding {
    match rustix::fs::statvfs(directory) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let said = format!("{:.1} GB free in {}", free as f64 / 1e9, directory.display());
            match free {
                ROOM_GOOD.. => finding("disk", State::Ok, said),
                ROOM_LEAST.. => {
                    finding("disk", State::Note, format!("{said}: a day's record takes about 1 GB"))
                }
                _ => finding("disk", State::Wrong, format!("{said}: too little for a record")),
            }
        }
        Err(error) => finding("disk", State::Wrong, format!("{}: {error}", directory.display())),
    }
}

/// Confines a thread as the kernel's is, and has it ask for a socket.
fn sockets() -> Finding {
    let tried = thread::spawn(|| -> Result<bool, net::ConfineError> {
        net::confine_thread()?;
        Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).is_err())
    });
    match tried.join() {
        Ok(Ok(true)) => finding("seccomp", State::Ok, "a confined thread gets no socket"),
        Ok(Ok(false)) => finding("seccomp", State::Wrong, "a confined thread got a socket"),
        Ok(Err(error)) => finding("seccomp", State::Wrong, format!("{error}: no lab runs unconfined")),
        Err(_) => finding("seccomp", State::Wrong, "the trial ended badly"),
    }
}

/// Whether the sensor can be kept from files, as it is on an interface.
fn files() -> Finding {
    let list = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    if list.trim().split(',').any(|module| module == "landlock") {
        finding("landlock", State::Ok, "the system has it: the sensor on an interface reads no files")
    } else {
        finding(
            "landlock",
            State::Note,
            "the system does not name it: the sensor on an interface is kept by seccomp alone",
        )
    }
}
