//! A small lab for the tests.

use std::cell::RefCell;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

use net::{Kernel, KernelConfig, Network, PcapngWriter};
use record::{Clock, StartTime, VirtualTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const PLC_1: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 101);
pub(crate) const HISTORIAN: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 10);

pub(crate) fn start() -> StartTime {
    "2021-02-05T08:00:00Z".parse().unwrap()
}

pub(crate) fn at(address: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(address, port)
}

/// The water works with its capture.
pub(crate) struct Lab {
    pub(crate) kernel: Kernel,
    pub(crate) network: Network,
    capture: Rc<RefCell<PcapngWriter<Vec<u8>>>>,
}

impl Lab {
    pub(crate) fn new(seed: u64) -> Self {
        let mut kernel = Kernel::new(KernelConfig::new(seed, start()));
        let site = site::Site::named("waterworks").unwrap();
        let network = net::build(&mut kernel, &site).unwrap();
        let capture = Rc::new(RefCell::new(PcapngWriter::new(Vec::new(), "span-control").unwrap()));
        let writer = capture.clone();
        let mut last = VirtualTime::ZERO;
        let consumer = move |time: VirtualTime, number: u64, frame: &[u8]| {
            assert!(time >= last, "frame {number} goes back in time");
            last = time;
            writer.borrow_mut().write(start().unix_nanos(time), frame).unwrap();
            assert_eq!(writer.borrow().frames(), number);
        };
        assert!(network.mirror("control", Box::new(consumer)));
        Self { kernel, network, capture }
    }

    pub(crate) fn host(&self, name: &str) -> net::Host {
        self.network.host(name).unwrap()
    }

    pub(crate) fn spawn(&self, name: &str, future: impl Future<Output = ()> + 'static) {
        self.kernel.spawner().spawn(name, future);
    }

    /// Runs for `seconds` and gives back the capture so far.
    pub(crate) fn run(&mut self, seconds: f64) {
        let end = VirtualTime::from_secs_f64(self.kernel.now().as_secs_f64() + seconds);
        self.kernel.run_until(end).unwrap();
    }

    pub(crate) fn capture(self) -> Vec<u8> {
        let Self { kernel, network, capture } = self;
        drop((kernel, network));
        Rc::try_unwrap(capture).ok().unwrap().into_inner().finish().unwrap()
    }

    /// Serves echo on a port of a host.
    pub(crate) fn serve_echo(&self, host: &str, port: u16) {
        let listener = self.host(host).listen(port, 8).unwrap();
        let spawner = self.kernel.spawner();
        self.spawn("echo listener", async move {
            loop {
                let mut stream = listener.accept().await;
                spawner.spawn("echo", async move {
                    let mut buffer = [0; 2048];
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        stream.write_all(&buffer[..count]).await.unwrap();
                    }
                });
            }
        });
    }

    /// Polls an echo server as an operator station polls a controller.
    pub(crate) fn poll_echo(
        &self,
        from: &str,
        to: SocketAddrV4,
        period_ms: u64,
        rounds: u32,
    ) -> Rc<RefCell<u32>> {
        let (host, clock) = (self.host(from), self.kernel.clock());
        let done = Rc::new(RefCell::new(0));
        let counter = done.clone();
        self.spawn("poller", async move {
            let mut stream = host.connect(to).await.unwrap();
            for round in 0..rounds {
                let request = vec![round as u8; 12];
                stream.write_all(&request).await.unwrap();
                let mut answer = vec![0; 12];
                stream.read_exact(&mut answer).await.unwrap();
                assert_eq!(answer, request);
                *counter.borrow_mut() += 1;
                clock.sleep(std::time::Duration::from_millis(period_ms)).await;
            }
        });
        done
    }
}
