//! A session connects on demand, gives up what broke, and does not hammer.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use clients::{ClientError, ModbusSession, SessionSettings};
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};
use record::{Clock, VirtualTime};
use tokio::io::DuplexStream;
use wire::modbus::RegisterAddress;

use crate::bench::{ManualClock, run};
use crate::device::{Device, serve};

/// A network with one server that can be switched off and that can hang up.
#[derive(Clone)]
struct Net {
    up: Rc<Cell<bool>>,
    hang_up: Rc<Cell<bool>>,
    attempts: Rc<RefCell<Vec<VirtualTime>>>,
    clock: ManualClock,
    accepted: mpsc::UnboundedSender<DuplexStream>,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

fn net() -> (Net, Task) {
    let (accepted, mut streams) = mpsc::unbounded();
    let net = Net {
        up: Rc::new(Cell::new(true)),
        hang_up: Rc::default(),
        attempts: Rc::default(),
        clock: ManualClock::default(),
        accepted,
    };
    let hang_up = Rc::clone(&net.hang_up);
    let server = async move {
        while let Some(stream) = streams.next().await {
            if hang_up.get() {
                drop(stream);
            } else {
                // One connection at a time is enough here.
                serve(stream, Device::new()).await;
            }
        }
    };
    (net, server.boxed_local())
}

impl Net {
    fn session(&self) -> ModbusSession<impl clients::Connect + use<>, ManualClock> {
        let net = self.clone();
        let connect = move || {
            let net = net.clone();
            async move {
                net.attempts.borrow_mut().push(net.clock.now());
                if !net.up.get() {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                let (near, far) = tokio::io::duplex(1024);
                net.accepted.unbounded_send(far).unwrap();
                Ok(near)
            }
        };
        ModbusSession::new(connect, self.clock.clone(), SessionSettings::default())
    }
}

const REGISTER: RegisterAddress = RegisterAddress(9);

#[test]
fn one_connection_serves_many_calls() {
    let (net, server) = net();
    let mut session = net.session();
    let clock = net.clock.clone();
    run(&clock, vec![server], async move {
        assert_eq!(session.connections(), 0);
        for _ in 0..100 {
            assert_eq!(session.read_holding_registers(REGISTER, 1).await, Ok(vec![9]));
        }
        assert!(matches!(
            session.read_holding_registers(RegisterAddress(500), 1).await,
            Err(ClientError::Exception(_))
        ));
        let server = session.call(async |client| client.report_server_id().await).await.unwrap();
        assert_eq!((server.id, session.connections()), (7, 1));
        session.disconnect();
        assert_eq!(session.read_holding_registers(REGISTER, 1).await, Ok(vec![9]));
        assert_eq!(session.connections(), 2);
    });
}

#[test]
fn attempts_at_a_dead_server_thin_out() {
    let (net, server) = net();
    net.up.set(false);
    let mut session = net.session();
    let clock = net.clock.clone();
    run(&clock.clone(), vec![server], async move {
        let mut waits = 0;
        for _ in 0..200 {
            match session.read_holding_registers(REGISTER, 1).await {
                Err(ClientError::Connect { kind: io::ErrorKind::ConnectionRefused }) => {}
                Err(ClientError::BackingOff { until }) if until > clock.now() => waits += 1,
                other => panic!("{other:?}"),
            }
            clock.sleep(Duration::from_millis(500)).await;
        }
        let seconds: Vec<u64> =
            net.attempts.borrow().iter().map(|time| time.as_nanos() / 1_000_000_000).collect();
        assert_eq!(seconds, [0, 1, 3, 7, 15, 31, 61, 91]);
        assert_eq!(waits, 192);
        net.up.set(true);
        clock.sleep(Duration::from_secs(30)).await;
        assert_eq!(session.read_holding_registers(REGISTER, 1).await, Ok(vec![9]));
    });
}

#[test]
fn a_server_that_accepts_and_hangs_up_counts_as_a_failure() {
    let (net, server) = net();
    net.hang_up.set(true);
    let mut session = net.session();
    let clock = net.clock.clone();
    run(&clock.clone(), vec![server], async move {
        for _ in 0..10 {
            let outcome = session.read_holding_registers(REGISTER, 1).await;
            assert!(outcome.is_err() && !session.is_connected());
            clock.sleep(Duration::from_secs(1)).await;
        }
        let seconds: Vec<u64> =
            net.attempts.borrow().iter().map(|time| time.as_nanos() / 1_000_000_000).collect();
        assert_eq!(seconds, [0, 1, 3, 7]);
    });
}

#[test]
fn a_connection_that_never_opens_ends_at_its_limit() {
    let clock = ManualClock::default();
    let connect = || std::future::pending::<io::Result<DuplexStream>>();
    let mut session = ModbusSession::new(connect, clock.clone(), SessionSettings::default());
    let after = clock.clone();
    run(&clock, Vec::new(), async move {
        let limit = Duration::from_secs(3);
        assert_eq!(session.read_coils(REGISTER, 1).await, Err(ClientError::Timeout { limit }));
        assert_eq!(after.now(), VirtualTime::from_secs(3));
    });
}
