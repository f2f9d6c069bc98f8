//! Serves PLC-1 alone, with the values of an ordinary minute on its wires, on a real socket of this machine.
//!
//! `cargo run -p plcs --example serve -- 5020`, then for example `mbpoll -m tcp -p 5020 -a 1 -0 -r 40 -c 7 127.0.0.1`.
//! For trying clients against the server only: the lab itself uses no real socket.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use plcs::{Accept, Controller, FieldWiring, run_server};
use record::{Clock, VirtualTime};
use tokio::net::{TcpListener, TcpStream};

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

struct OrdinaryMinute(Vec<f64>);

impl FieldWiring for OrdinaryMinute {
    fn read(&mut self, input: usize) -> f64 {
        self.0[input]
    }

    fn write(&mut self, _output: usize, _value: f64) {}
}

struct Loopback(TcpListener);

impl Accept for Loopback {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, peer))
    }

    fn refuse(&mut self, stream: TcpStream) {
        // Lingering for no time makes the kernel send a reset.
        if let Err(error) = stream.set_zero_linger() {
            eprintln!("cannot reset: {error}");
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(5020), |port| port.parse())?;
    let site = site::Site::named("waterworks")?;
    let device = site.device("PLC-1").ok_or("the site has no PLC-1")?;
    let values = device.inputs.iter().map(|tag| match tag.get_ref().as_str() {
        "FIT-101" => 190.0,
        "AIT-101" => 6.15,
        "TIT-101" => 11.0,
        "ZT-101" => 76.0,
        "AIT-202" | "AIT-301" => 7.24,
        "LIT-201" | "LIT-202" => 85.0,
        "LIT-301" => 3.0,
        _ => 1.0,
    });
    let clock = WallClock(Instant::now());
    let controller = Controller::for_device(device, OrdinaryMinute(values.collect()), clock.clone())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("PLC-1 answers on {}", listener.local_addr()?);
    let server = run_server(controller.handle(), clock, Loopback(listener));
    let local = tokio::task::LocalSet::new();
    local.spawn_local(controller.run());
    Err(local.run_until(server).await.into())
}
