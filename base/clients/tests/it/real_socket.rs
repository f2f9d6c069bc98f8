//! The same client over a real socket of the loopback interface, port chosen by the system.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use clients::{ModbusSession, SessionSettings};
use record::{Clock, VirtualTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use wire::modbus::RegisterAddress;

use crate::device::{Device, serve};

/// The wall clock; only here.
#[derive(Clone)]
struct WallClock(Instant);

struct Sleep(Pin<Box<tokio::time::Sleep>>);

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl Clock for WallClock {
    type Sleep = Sleep;

    fn now(&self) -> VirtualTime {
        VirtualTime::ZERO + self.0.elapsed()
    }

    fn sleep_until(&self, deadline: VirtualTime) -> Sleep {
        Sleep(Box::pin(tokio::time::sleep_until(self.0 + Duration::from_nanos(deadline.as_nanos()))))
    }
}

#[test]
fn a_session_over_tcp() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, Device::new()).await;
        };
        let clock = WallClock(Instant::now());
        let client = async {
            let mut session =
                ModbusSession::new(|| TcpStream::connect(address), clock, SessionSettings::default());
            session.write_single_register(RegisterAddress(5), 4711).await.unwrap();
            for _ in 0..50 {
                let words = session.read_holding_registers(RegisterAddress(4), 3).await.unwrap();
                assert_eq!(words, [4, 4711, 6]);
            }
            assert_eq!(session.connections(), 1);
        };
        futures::join!(server, client);
    });
}
