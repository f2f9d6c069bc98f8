//! Port forwards: real clients on 127.0.0.1 reach a virtual host without root.
//!
//! Each forward has a thread that accepts, and each client two: one reads, one writes. They speak to the kernel
//! through its [`LiveControl`] alone, so they live outside the confinement of the kernel's thread; open the
//! forwards from a thread that is not confined.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use record::Outside;

use crate::live::{LiveControl, to_hex};
use crate::uplink::{ClientEnd, Credit, ToClient};

/// How often a listening thread looks whether it is to end, and for clients.
const BEAT: Duration = Duration::from_millis(5);

/// One forward: a real port and the virtual address behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Real port; 0 lets the system choose.
    pub port: u16,
    /// Where it leads.
    pub to: SocketAddrV4,
}

/// Why a text is not a forward.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a forward is written as in 5020=192.168.1.101:502, got {got:?}")]
pub struct ForwardError {
    /// What stood there.
    pub got: String,
}

impl FromStr for Forward {
    type Err = ForwardError;
    fn from_str(text: &str) -> Result<Self, ForwardError> {
        let wrong = || ForwardError { got: text.to_owned() };
        let (port, to) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self { port: port.parse().map_err(|_| wrong())?, to: to.parse().map_err(|_| wrong())? })
    }
}

/// Forwards that are open. Dropped, they take no more clients; connected ones stay until either side ends.
#[derive(Debug)]
pub struct Forwards {
    open: Vec<(SocketAddr, SocketAddrV4)>,
    is_over: Arc<AtomicBool>,
}

impl Forwards {
    /// Opens forwards into a kernel that runs live or is about to. `listen` is the real address they listen on: loopback,
    /// unless somebody asked for another.
    ///
    /// Errors: the port is taken, or this thread is confined (`PermissionDenied`).
    pub fn open(control: &LiveControl, listen: Ipv4Addr, forwards: &[Forward]) -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut open = Vec::new();
        for forward in forwards {
            let listener = TcpListener::bind((listen, forward.port))?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            open.push((address, forward.to));
            let (control, is_over, to) = (control.clone(), is_over.clone(), forward.to);
            let name = format!("forward {}", address.port());
            thread::Builder::new()
                .name(name)
                .spawn(move || accept(&listener, address, to, &control, &is_over))?;
        }
        Ok(Self { open, is_over })
    }

    /// Real address and virtual address of each forward, in the order in which they were given.
    pub fn addresses(&self) -> &[(SocketAddr, SocketAddrV4)] {
        &self.open
    }
}

impl Drop for Forwards {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn accept(
    listener: &TcpListener,
    own: SocketAddr,
    to: SocketAddrV4,
    control: &LiveControl,
    is_over: &AtomicBool,
) {
    while !is_over.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                // A client that cannot be served is dropped, which closes its connection.
                let _ = admit(stream, own, to, control);
            }
            // Nobody there, or a client that gave up already.
            Err(_) => thread::sleep(BEAT),
        }
    }
}

fn admit(stream: TcpStream, own: SocketAddr, to: SocketAddrV4, control: &LiveControl) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let (source, connection) = (own.to_string(), control.number_connection());
    let (to_client, from_lab) = channel();
    let (waiting_out, credit) = (Arc::new(AtomicUsize::new(0)), Arc::new(Credit::default()));
    let client = ClientEnd { to_client, waiting_out: waiting_out.clone(), credit: credit.clone() };
    let writer = stream.try_clone()?;
    thread::Builder::new()
        .name(format!("client {connection} out"))
        .spawn(move || write_to(writer, &from_lab, &waiting_out))?;
    control.input(&source, Outside::Open { connection, to: to.to_string() }, Some(client));
    let control = control.clone();
    thread::Builder::new()
        .name(format!("client {connection} in"))
        .spawn(move || read_from(stream, connection, &source, &control, &credit))?;
    Ok(())
}

fn read_from(mut stream: TcpStream, connection: u64, source: &str, control: &LiveControl, credit: &Credit) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if !credit.take(count) {
            break;
        }
        control.input(source, Outside::Data { connection, octets: to_hex(&buffer[..count]) }, None);
    }
    control.input(source, Outside::Close { connection }, None);
}

fn write_to(mut stream: TcpStream, from_lab: &Receiver<ToClient>, waiting: &AtomicUsize) {
    while let Ok(message) = from_lab.recv() {
        let done = match message {
            ToClient::Octets(octets) => {
                waiting.fetch_sub(octets.len(), Ordering::Relaxed);
                stream.write_all(&octets)
            }
            ToClient::Finish => stream.shutdown(Shutdown::Write),
        };
        if done.is_err() {
            break;
        }
    }
    // Either side may have closed it already.
    let _ = stream.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_is_a_port_and_an_address() {
        let forward: Forward = "5020=192.168.1.101:502".parse().unwrap();
        assert_eq!((forward.port, forward.to.to_string().as_str()), (5020, "192.168.1.101:502"));
        for wrong in [
            "",
            "5020",
            "5020=plc-1:502",
            "x=192.168.1.101:502",
            "70000=192.168.1.101:502",
            "1=192.168.1.101",
        ] {
            assert!(wrong.parse::<Forward>().is_err(), "{wrong}");
        }
    }
}
