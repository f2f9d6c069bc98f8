//! Takes an outstation on this machine through what a master does, and says what came of each step.
//!
//! `cargo run -p clients --example dnp3_master -- 20000 1 10`: port, own address, outstation. One line a step, `name | result`.
//! For trying the master against other people's outstations only: the lab itself uses no real socket.

use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clients::dnp3::{Dnp3Master, MasterError, MasterSettings, Output, TimeWay};
use record::{Clock, VirtualTime};
use tokio::net::TcpStream;
use wire::dnp3::{ClassSet, EventClass, FunctionCode, Iin, PointKind};

#[derive(Clone)]
struct WallClock(Instant);

impl Clock for WallClock {
    type Sleep = Pin<Box<tokio::time::Sleep>>;

    fn now(&self) -> VirtualTime {
        VirtualTime::ZERO + self.0.elapsed()
    }

    fn sleep_until(&self, deadline: VirtualTime) -> Self::Sleep {
        Box::pin(tokio::time::sleep(deadline.since(self.now()).min(Duration::from_hours(720))))
    }
}

fn indications(iin: Iin) -> String {
    iin.names().collect::<Vec<_>>().join(" ")
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn say<T>(name: &str, outcome: Result<T, MasterError>, words: impl FnOnce(&T) -> String) {
    match outcome {
        Ok(answer) => println!("{name} | {}", words(&answer)),
        Err(error) => println!("{name} | ERROR {error}"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<u16> = std::env::args().skip(1).map(|it| it.parse()).collect::<Result<_, _>>()?;
    let [port, own, outstation] = numbers[..] else { return Err("port, own address, outstation".into()) };
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let clock = WallClock(Instant::now());
    let settings = MasterSettings { limit: Duration::from_secs(3), ..MasterSettings::new(own, outstation) };
    let mut master = Dnp3Master::new(stream, clock.clone(), settings);
    let null = |it: &clients::dnp3::Answer| format!("{} items; {}", it.items().len(), indications(it.iin()));

    say("link status", master.link_status().await, |came| if *came { "answered" } else { "none" }.to_owned());
    say("disable unsolicited", master.disable_unsolicited(ClassSet::ALL).await, null);
    say("clear restart", master.clear_restart().await, null);
    say("integrity poll", master.integrity_poll().await, |it| {
        format!(
            "{} present values, {} events; {}",
            it.statics().len(),
            it.events().len(),
            indications(it.iin())
        )
    });
    say("time, LAN", master.set_time(unix_ms(), TimeWay::Lan).await, null);
    say("time, slow line", master.set_time(unix_ms(), TimeWay::Line).await, null);
    let crob = [Output::latch(0, true)];
    let statuses = |it: &clients::dnp3::CommandAnswer| {
        let each: Vec<String> = it.statuses.iter().map(|status| status.0.to_string()).collect();
        format!("status {}; {}", each.join(" "), indications(it.iin))
    };
    say("select and operate", master.select_operate(&crob).await, statuses);
    say("direct operate", master.direct_operate(&[Output::trip_close(1, true, 100)]).await, statuses);
    say(
        "direct operate without answer",
        master.direct_operate_no_ack(&[Output::latch(2, true)]).await,
        |()| "sent".to_owned(),
    );
    say("analog output, 16 bits", master.direct_operate(&[Output::Int16(0, 42)]).await, statuses);
    say("analog output, float", master.select_operate(&[Output::Float(1, 2.5)]).await, statuses);
    clock.sleep(Duration::from_millis(500)).await;
    for class in EventClass::ALL {
        let name = format!("events of class {}", class.number());
        say(&name, master.event_poll(ClassSet::NONE.with(class)).await, |it| {
            format!("{} events; {}", it.events().len(), indications(it.iin()))
        });
    }
    say("read a range", master.read_range(30, 0, 0, 1).await, |it| {
        let values: Vec<String> = it.statics().iter().map(|point| point.value.to_string()).collect();
        format!("{}; {}", values.join(" "), indications(it.iin()))
    });
    say("freeze", master.freeze_counters(false).await, null);
    say("assign class", master.assign_class(PointKind::BinaryInput, Some(EventClass::Class2)).await, null);
    say("enable unsolicited", master.enable_unsolicited(ClassSet::ALL).await, null);
    while let Ok(Some(_)) = master.next_unsolicited(Duration::from_millis(700)).await {}
    say("operate for an event", master.direct_operate(&[Output::latch(0, false)]).await, statuses);
    let mut events = 0;
    while let Ok(Some(answer)) = master.next_unsolicited(Duration::from_millis(1500)).await {
        events += answer.events().len();
    }
    println!("unsolicited | {events} events");
    say("unknown function", master.request(FunctionCode(0x70), &[]).await, null);
    say("warm restart", master.restart(false).await, |delay| format!("{delay:?}"));
    Ok(())
}
