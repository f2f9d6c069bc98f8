//! Syslog messages over UDP, TCP and TLS.
//!
//! # Theory of operation
//! Syslog has no acknowledgement: that octets left is all that TCP says, and they may lie unread in the collector's
//! buffers when it dies. So a message counts as delivered only when [`WINDOW`] octets more were sent after it, which
//! is more than buffers hold, or [`SETTLED`] later, or when the collector closed the connection after we did: it
//! has read to the end then. Where a connection breaks, everything that does not count is sent again. A collector
//! may therefore see messages twice, never out of order but for that; `sequenceId` (RFC 5424, 7.3.1) tells.
//!
//! UDP confirms nothing at all. A refusal (ICMP port unreachable) is noticed, and what was sent last is repeated.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::carry::{Carry, Trouble};
use super::destination::Destination;
use super::queue::Queued;

/// More than the send and receive buffers of a connection hold: Linux stops at 4 and 6 MiB.
const WINDOW: u64 = 16 << 20;
/// A collector that leaves octets unread for longer before it dies has them lost.
const SETTLED: Duration = Duration::from_mins(1);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A collector that takes nothing for so long is given up and tried again.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long a collector may take for its part of TLS's handshake.
const SHAKE_WITHIN: Duration = Duration::from_secs(5);
/// Messages sent by UDP at once, and the pause between such bursts: about 10,000 a second, so that the socket
/// buffer of an ordinary collector does not run over.
const BURST: usize = 10;
const PAUSE: Duration = Duration::from_millis(1);
/// Longest datagram; RFC 5426 leaves it to the path.
const DATAGRAM_MAX: usize = 65_000;

/// RFC 5424 in datagrams, RFC 5426.
#[derive(Debug)]
pub(super) struct Datagrams {
    host: String,
    port: u16,
    socket: Option<UdpSocket>,
    confirmed: u64,
    rejected: u64,
}

impl Datagrams {
    pub(super) fn new(destination: &Destination) -> Self {
        let (host, port) = (destination.host.clone(), destination.port);
        Self { host, port, socket: None, confirmed: 0, rejected: 0 }
    }

    fn burst(&mut self, records: &[Queued]) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            slot => {
                let address = first_address(&self.host, self.port)?;
                let from = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(from)?;
                socket.connect(address)?;
                slot.insert(socket)
            }
        };
        for record in records {
            if record.payload.len() > DATAGRAM_MAX {
                self.rejected += 1;
            } else {
                socket.send(&record.payload)?;
            }
        }
        std::thread::sleep(PAUSE);
        // A refusal of what was sent arrives meanwhile.
        socket.take_error()?.map_or(Ok(()), Err)
    }
}

impl Carry for Datagrams {
    fn send(&mut self, records: &[Queued]) -> Result<(), Trouble> {
        for burst in records.chunks(BURST) {
            if let Err(error) = self.burst(burst) {
                self.socket = None;
                return Err(error.into());
            }
            self.confirmed = burst.last().map_or(self.confirmed, |record| record.sequence);
        }
        Ok(())
    }

    fn confirmed(&mut self) -> u64 {
        self.confirmed
    }

    fn rejected(&self) -> (u64, Option<String>) {
        (
            self.rejected,
            (self.rejected > 0)
                .then(|| format!("longer than {DATAGRAM_MAX} octets, the most a datagram takes")),
        )
    }
}

fn first_address(host: &str, port: u16) -> io::Result<std::net::SocketAddr> {
    let mut addresses = (host, port).to_socket_addrs()?;
    addresses.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address")))
}

/// A name may have several addresses, and a collector listen on one of them.
fn connect_to_any(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut trouble = None;
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
            Ok(socket) => return Ok(socket),
            Err(error) => trouble = Some(error),
        }
    }
    Err(trouble.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"))))
}

/// A connection, with or without TLS.
enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Line {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }

    fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(octets),
            Self::Tls(stream) => {
                stream.write_all(octets)?;
                stream.flush()
            }
        }
    }

    /// Takes what the collector sent, which means nothing in syslog; whether it has closed.
    fn is_closed(&mut self) -> io::Result<bool> {
        self.socket().set_nonblocking(true)?;
        let closed = self.read_to_end();
        self.socket().set_nonblocking(false)?;
        match closed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read_to_end(&mut self) -> io::Result<()> {
        let mut octets = [0; 1024];
        loop {
            let count = match self {
                Self::Plain(socket) => socket.read(&mut octets),
                Self::Tls(stream) => stream.read(&mut octets),
            };
            match count {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Closed without TLS's word for it: many do.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

#[derive(Debug)]
struct Sent {
    sequence: u64,
    /// Octets sent on this connection up to its end.
    octets: u64,
    at: Instant,
}

/// RFC 5424 over a connection: RFC 6587, or RFC 5425 with TLS; octets counted in both.
pub(super) struct Stream {
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    line: Option<Line>,
    octets: u64,
    sent: VecDeque<Sent>,
    confirmed: u64,
    buffer: Vec<u8>,
    /// How long a collector may take to close after us.
    patience: Duration,
}

impl Stream {
    /// `patience`: how long a collector may take to read to the end.
    pub(super) fn new(
        destination: &Destination,
        tls: Option<Arc<ClientConfig>>,
        patience: Duration,
    ) -> io::Result<Self> {
        let tls = match tls {
            Some(config) => {
                let name = ServerName::try_from(destination.host.clone())
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
                Some((config, name))
            }
            None => None,
        };
        let (host, port) = (destination.host.clone(), destination.port);
        Ok(Self {
            host,
            port,
            tls,
            line: None,
            octets: 0,
            sent: VecDeque::new(),
            confirmed: 0,
            buffer: Vec::new(),
            patience,
        })
    }

    fn connect(&mut self) -> io::Result<Line> {
        let socket = connect_to_any(&self.host, self.port)?;
        socket.set_write_timeout(Some(WRITE_WITHIN))?;
        socket.set_read_timeout(Some(SHAKE_WITHIN))?;
        give_up_unanswered(&socket)?;
        self.octets = 0;
        self.sent.clear();
        let Some((config, name)) = &self.tls else { return Ok(Line::Plain(socket)) };
        let connection = ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Line::Tls(Box::new(stream)))
    }

    fn try_send(&mut self, records: &[Queued]) -> io::Result<()> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => self.connect()?,
        };
        if line.is_closed()? {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the collector closed the connection",
            ));
        }
        self.buffer.clear();
        let at = Instant::now();
        for record in records {
            write!(self.buffer, "{} ", record.payload.len())?;
            self.buffer.extend_from_slice(&record.payload);
            let octets = self.octets + self.buffer.len() as u64;
            self.sent.push_back(Sent { sequence: record.sequence, octets, at });
        }
        self.octets += self.buffer.len() as u64;
        line.write_all(&self.buffer)?;
        self.line = Some(line);
        Ok(())
    }

    fn try_end(&mut self) -> io::Result<()> {
        let Some(mut line) = self.line.take() else { return Ok(()) };
        if let Line::Tls(stream) = &mut line {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        line.socket().shutdown(Shutdown::Write)?;
        // Zero would be no limit at all.
        line.socket().set_read_timeout(Some(self.patience.max(Duration::from_millis(100))))?;
        line.read_to_end()?;
        self.confirmed = self.sent.back().map_or(self.confirmed, |sent| sent.sequence);
        self.sent.clear();
        Ok(())
    }
}

/// Lets the kernel end a connection whose octets are not acknowledged for [`SETTLED`] / 2 (RFC 5482).
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library has no name for this socket option")]
fn give_up_unanswered(socket: &TcpStream) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let limit: libc::c_uint = SETTLED.as_millis() as libc::c_uint / 2;
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and the option's value is a c_uint of its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_USER_TIMEOUT,
            (&raw const limit).cast(),
            size_of::<libc::c_uint>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "as on Linux")]
fn give_up_unanswered(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

impl Carry for Stream {
    fn send(&mut self, records: &[Queued]) -> Result<(), Trouble> {
        self.try_send(records).map_err(|error| {
            self.line = None;
            self.sent.clear();
            error.into()
        })
    }

    fn idle(&mut self) -> Result<(), Trouble> {
        let Some(line) = &mut self.line else { return Ok(()) };
        let closed = line.is_closed();
        if matches!(closed, Ok(false)) {
            return Ok(());
        }
        self.line = None;
        if self.sent.is_empty() {
            // Everything is there; it may close what it does not need.
            return Ok(());
        }
        self.sent.clear();
        Err(Trouble("the collector closed the connection".to_owned()))
    }

    fn confirmed(&mut self) -> u64 {
        let now = Instant::now();
        while let Some(sent) = self.sent.front() {
            if self.octets - sent.octets < WINDOW && now.duration_since(sent.at) < SETTLED {
                break;
            }
            self.confirmed = sent.sequence;
            self.sent.pop_front();
        }
        self.confirmed
    }

    fn end(&mut self) -> Result<(), Trouble> {
        self.try_end().map_err(|error| {
            self.sent.clear();
            error.into()
        })
    }
}
