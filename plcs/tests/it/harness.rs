//! A controller on a bench: its own clock that moves by hand, wires to hold values, and streams in memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::channel::mpsc;
use futures::executor::{LocalPool, LocalSpawner};
use futures::stream::StreamExt;
use futures::task::LocalSpawnExt;
use plcs::{Accept, Controller, FieldWiring, Handle, run_server};
use record::{Clock, VirtualTime};
use site::{Device, Site};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A clock that stands until it is moved.
#[derive(Clone, Default)]
pub(crate) struct BenchClock(Rc<ClockState>);

#[derive(Default)]
struct ClockState {
    now: Cell<VirtualTime>,
    next: Cell<u64>,
    sleepers: RefCell<BTreeMap<(VirtualTime, u64), Waker>>,
}

pub(crate) struct BenchSleep {
    clock: BenchClock,
    deadline: VirtualTime,
    number: u64,
}

impl Clock for BenchClock {
    type Sleep = BenchSleep;

    fn now(&self) -> VirtualTime {
        self.0.now.get()
    }

    fn sleep_until(&self, deadline: VirtualTime) -> BenchSleep {
        let number = self.0.next.get();
        self.0.next.set(number + 1);
        BenchSleep { clock: self.clone(), deadline, number }
    }
}

impl Future for BenchSleep {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.deadline {
            return Poll::Ready(());
        }
        let key = (self.deadline, self.number);
        self.clock.0.sleepers.borrow_mut().insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for BenchSleep {
    fn drop(&mut self) {
        self.clock.0.sleepers.borrow_mut().remove(&(self.deadline, self.number));
    }
}

impl BenchClock {
    /// Wakes the next sleeper up to `limit`; false where there is none.
    fn wake_next(&self, limit: VirtualTime) -> bool {
        let first = self.0.sleepers.borrow().keys().next().copied();
        match first.filter(|(deadline, _)| *deadline <= limit) {
            Some(key) => {
                let waker = self.0.sleepers.borrow_mut().remove(&key);
                self.0.now.set(self.now().max(key.0));
                waker.into_iter().for_each(Waker::wake);
                true
            }
            None => false,
        }
    }

    pub(crate) fn set(&self, now: VirtualTime) {
        self.0.now.set(now);
    }
}

/// Wires that hold what they were given.
#[derive(Clone)]
pub(crate) struct Wires(pub(crate) Rc<RefCell<WireValues>>);

pub(crate) struct WireValues {
    pub(crate) inputs: BTreeMap<String, f64>,
    pub(crate) outputs: BTreeMap<String, f64>,
    input_tags: Vec<String>,
    output_tags: Vec<String>,
}

impl Wires {
    pub(crate) fn of(device: &Device) -> Self {
        Self(Rc::new(RefCell::new(WireValues {
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            input_tags: device.inputs.iter().map(|tag| tag.get_ref().clone()).collect(),
            output_tags: device.outputs.iter().map(|tag| tag.get_ref().clone()).collect(),
        })))
    }

    pub(crate) fn set(&self, tag: &str, value: f64) {
        self.0.borrow_mut().inputs.insert(tag.to_owned(), value);
    }

    pub(crate) fn output(&self, tag: &str) -> f64 {
        self.0.borrow().outputs[tag]
    }
}

impl FieldWiring for Wires {
    fn read(&mut self, input: usize) -> f64 {
        let values = self.0.borrow();
        values.inputs.get(&values.input_tags[input]).copied().unwrap_or(0.0)
    }

    fn write(&mut self, output: usize, value: f64) {
        let mut values = self.0.borrow_mut();
        let tag = values.output_tags[output].clone();
        values.outputs.insert(tag, value);
    }
}

/// Values of an ordinary minute, for PLC-1 and PLC-2 alike.
pub(crate) const ORDINARY: [(&str, f64); 8] = [
    ("FIT-101", 190.0),
    ("AIT-101", 6.15),
    ("AIT-202", 7.24),
    ("LIT-301", 3.0),
    ("AIT-301", 7.24),
    ("ZT-101", 76.0),
    ("PIT-300", 3.0),
    ("LIT-401", 3.0),
];

struct Incoming {
    streams: mpsc::UnboundedReceiver<DuplexStream>,
    next_port: u16,
    refused: Rc<Cell<usize>>,
}

impl Accept for Incoming {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        self.next_port += 1;
        let peer = SocketAddr::from(([192, 168, 1, 20], self.next_port));
        self.streams.next().await.map(|stream| (stream, peer)).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    fn refuse(&mut self, stream: DuplexStream) {
        self.refused.set(self.refused.get() + 1);
        drop(stream);
    }
}

/// One controller with its server, running.
pub(crate) struct Bench {
    pool: LocalPool,
    pub(crate) clock: BenchClock,
    pub(crate) wires: Wires,
    pub(crate) handle: Handle,
    pub(crate) refused: Rc<Cell<usize>>,
    door: mpsc::UnboundedSender<DuplexStream>,
}

pub(crate) fn device(name: &str) -> Device {
    Site::named("waterworks").unwrap().device(name).unwrap().clone()
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(&device(name))
    }

    pub(crate) fn with(device: &Device) -> Self {
        let (wires, clock) = (Wires::of(device), BenchClock::default());
        for (tag, value) in ORDINARY {
            wires.set(tag, value);
        }
        let controller = Controller::for_device(device, wires.clone(), clock.clone()).unwrap();
        Self::around(controller, wires, clock)
    }

    pub(crate) fn around(controller: Controller<Wires, BenchClock>, wires: Wires, clock: BenchClock) -> Self {
        let pool = LocalPool::new();
        let handle = controller.handle();
        let (door, streams) = mpsc::unbounded();
        let refused = Rc::new(Cell::new(0));
        let incoming = Incoming { streams, next_port: 50_000, refused: refused.clone() };
        let server = run_server(handle.clone(), clock.clone(), incoming);
        pool.spawner().spawn_local(controller.run()).unwrap();
        pool.spawner().spawn_local(server.map(drop)).unwrap();
        Self { pool, clock, wires, handle, refused, door }
    }

    pub(crate) fn spawner(&self) -> LocalSpawner {
        self.pool.spawner()
    }

    /// Knocks at the door; the client's end of the stream.
    pub(crate) fn connect(&mut self) -> Client {
        let (near, far) = tokio::io::duplex(64 * 1024);
        self.door.unbounded_send(far).unwrap();
        self.settle();
        Client { stream: Some(near), received: Vec::new(), closed: false }
    }

    /// A way to knock that a task can keep.
    pub(crate) fn door(&self) -> mpsc::UnboundedSender<DuplexStream> {
        self.door.clone()
    }

    pub(crate) fn settle(&mut self) {
        self.pool.run_until_stalled();
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.clock.now() + span;
        self.settle();
        while self.clock.wake_next(end) {
            self.settle();
        }
        self.clock.set(end);
    }

    /// One more scan of a device with a period of 100 ms.
    pub(crate) fn scan(&mut self) {
        self.run_for(ms(100));
    }
}

/// The client's end of a connection.
pub(crate) struct Client {
    stream: Option<DuplexStream>,
    received: Vec<u8>,
    closed: bool,
}

impl Client {
    /// Sends octets; false where the other end is closed.
    pub(crate) fn send(&mut self, octets: &[u8]) -> bool {
        let stream = self.stream.as_mut().unwrap();
        matches!(stream.write_all(octets).now_or_never(), Some(Ok(())))
    }

    /// Closes both halves.
    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
    }

    /// Closes the sending half.
    pub(crate) fn finish(&mut self) {
        self.stream.as_mut().unwrap().shutdown().now_or_never().unwrap().unwrap();
    }

    /// What has arrived since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut chunk = [0; 4096];
        while let Some(outcome) = self.stream.as_mut().unwrap().read(&mut chunk).now_or_never() {
            match outcome {
                Ok(count) if count > 0 => self.received.extend_from_slice(&chunk[..count]),
                _ => {
                    self.closed = true;
                    break;
                }
            }
        }
        std::mem::take(&mut self.received)
    }

    /// Whether the device closed the connection, as far as was seen by [`Client::take`].
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Sends a PDU to unit 255, waits for one scan, and returns the PDU of the answer.
    pub(crate) fn ask(&mut self, bench: &mut Bench, pdu: &[u8]) -> Vec<u8> {
        assert!(self.send(&adu(7, 255, pdu)));
        bench.scan();
        bench.scan();
        let answer = self.take();
        assert!(answer.len() >= 8, "no answer to {pdu:02x?}");
        answer[7..].to_vec()
    }
}

/// Header and PDU.
pub(crate) fn adu(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut octets = transaction.to_be_bytes().to_vec();
    octets.extend([0, 0]);
    octets.extend((pdu.len() as u16 + 1).to_be_bytes());
    octets.push(unit);
    octets.extend(pdu);
    octets
}
