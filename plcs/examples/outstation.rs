//! Serves one outstation, with points of each kind, on a real socket of this machine.
//!
//! `cargo run -p plcs --example outstation -- 20000`, then any DNP3 master: outstation 10, masters 1 and any other. Commands
//! come back as inputs, so that masters see events: a binary output moves the binary input and the double-bit input of its index
//! (class 1) and counts (class 2), an analog output moves the analog input of its index (class 3). For trying masters against
//! the outstation only: the lab itself uses no real socket.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plcs::Outstation;
use plcs::outstation::{
    Action, BinaryAction, Process, Restart, SharedOutstation, Standalone, serve_outstation,
};
use record::{Clock, VirtualTime};
use tokio::net::TcpListener;
use wire::dnp3::PointKind;
use wire::dnp3::object::{CommandStatus, Flags};

const POINTS: u16 = 8;

#[derive(Clone)]
struct WallClock(Instant);

impl Clock for WallClock {
    type Sleep = Pin<Box<tokio::time::Sleep>>;

    fn now(&self) -> VirtualTime {
        VirtualTime::ZERO + self.0.elapsed()
    }

    fn sleep_until(&self, deadline: VirtualTime) -> Self::Sleep {
        // Beyond a month is as good as never.
        let span = deadline.since(self.now()).min(Duration::from_hours(720));
        Box::pin(tokio::time::sleep(span))
    }
}

/// Says what it is told, and remembers it for the inputs.
#[derive(Default)]
struct Echo(Rc<RefCell<Vec<Action>>>);

impl Process for Echo {
    fn judge(&mut self, _: &Action) -> CommandStatus {
        CommandStatus::SUCCESS
    }

    fn operate(&mut self, action: &Action) -> CommandStatus {
        println!("operated: {action:?}");
        self.0.borrow_mut().push(*action);
        CommandStatus::SUCCESS
    }

    fn restart(&mut self, restart: Restart) {
        println!("restarts: {restart:?}");
    }
}

fn map() -> Result<site::dnp3::Outstation, site::FileError> {
    let mut text = String::from("outstation = 10\npoint = [\n");
    for (kind, class) in [
        ("binary_input", 1),
        ("double_bit_input", 1),
        ("counter", 2),
        ("analog_input", 3),
        ("binary_output", 0),
        ("analog_output", 0),
    ] {
        for index in 0..POINTS {
            let model = if kind == "binary_output" { ", model = \"trip_close\"" } else { "" };
            let _ = writeln!(
                text,
                "{{ kind = \"{kind}\", index = {index}, tag = \"T\", class = {class}{model} }},"
            );
        }
    }
    text += "]\n[dnp3]\nmasters = [1]\nany_master = true\nunsolicited = true\ncold_restart_ms = 1000\n";
    site::dnp3::Outstation::parse("example", &text)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(20_000), |port| port.parse())?;
    let clock = WallClock(Instant::now());
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let mut outstation = Outstation::new(&map()?, clock.now(), unix_ms);
    outstation.set_attribute(252, "EXERCISE");
    let echo = Echo::default();
    let operated = Rc::clone(&echo.0);
    let shared = Standalone::new(outstation, echo);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("outstation 10 answers on {}", listener.local_addr()?);
    let local = tokio::task::LocalSet::new();
    local.spawn_local(scan(shared.clone(), clock.clone(), operated));
    local
        .run_until(async {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::task::spawn_local(serve_outstation(shared.clone(), clock.clone(), stream));
            }
        })
        .await
}

/// Inputs from outputs, ten times a second.
async fn scan(shared: Standalone<Echo>, clock: WallClock, operated: Rc<RefCell<Vec<Action>>>) {
    let mut states = [0.0; POINTS as usize];
    let (mut setpoints, mut counts) = (states, states);
    loop {
        let mut moved = false;
        for action in operated.borrow_mut().drain(..) {
            moved = true;
            match action {
                Action::Analog { index, value } => setpoints[usize::from(index)] = value,
                Action::Binary { index, action } => {
                    let on = matches!(action, BinaryAction::On | BinaryAction::Pulse { trip: false, .. });
                    states[usize::from(index)] = f64::from(u8::from(on));
                    counts[usize::from(index)] += 1.0;
                }
            }
        }
        let now = clock.now();
        shared.with(|outstation, _| {
            for index in 0..POINTS {
                let at = usize::from(index);
                for (kind, value) in [
                    (PointKind::BinaryInput, states[at]),
                    (PointKind::DoubleBitInput, 1.0 + states[at]),
                    (PointKind::BinaryOutput, states[at]),
                    (PointKind::Counter, counts[at]),
                    (PointKind::AnalogInput, setpoints[at]),
                    (PointKind::AnalogOutput, setpoints[at]),
                ] {
                    outstation.update(now, kind, index, value, Flags::ONLINE);
                }
            }
            if moved {
                outstation.publish(now);
            }
        });
        clock.sleep(Duration::from_millis(100)).await;
    }
}
