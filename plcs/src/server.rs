//! The Modbus server: connections in, requests to the queue, answers out, in order.
//!
//! # Theory of operation
//! [`run_server`] is one future that holds every connection. A connection is two loops. One collects octets, finds the
//! ADUs in them and queues the requests; the other waits for the answers in the order of the requests and sends them.
//! At most [`PIPELINE`] requests of a connection are under way; beyond that it reads no further, and TCP holds the
//! client back.
//!
//! # Stated policies
//! - *Unit*: the device's own id, 255 and 0 are answered. 0 is not a broadcast here: over TCP it means the device
//!   itself, as 255 does (the guide, section 4.4.2.1). Every other unit is met with silence: this device is no gateway.
//! - *Protocol id other than 0*: silence; the ADU is passed over by its length.
//! - *Length field below 2 or above 254*: framing is lost. Requests before it are answered, then the connection is closed.
//! - *An ADU that does not end* within [`PARTIAL_ADU_LIMIT`] of its first octet: as if framing were lost.
//! - *Nothing asked for* within the device's `idle_timeout_s`: closed. Any whole ADU counts as asking. An answer that
//!   the client does not take within the same time: closed.
//! - *More connections than the device takes*: reset.
//! - *Queue full*: exception 6 at once.
//! - *The client closes its half*: what it asked for is answered, then the connection is closed.
//!
//! What a PDU earns stands in [`wire::modbus`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, poll_fn, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, SinkExt, StreamExt};
use record::{Clock, VirtualTime, with_timeout};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::modbus::mbap::{ADU_MAX, Framing, next_adu};

use crate::core::{Answer, Offered};
use crate::handle::{Handle, Place};

/// Requests of one connection that may be under way at once (the guide, section 4.3: 1 to 16).
pub const PIPELINE: usize = 16;
/// Longest time from the first octet of an ADU to its last.
pub const PARTIAL_ADU_LIMIT: Duration = Duration::from_secs(2);

/// Octets taken from a stream at a time.
const READ_CHUNK: usize = 2 * ADU_MAX;

/// Where connections come from.
pub trait Accept {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin;

    /// Waits for the next connection. An error ends the server.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>>;

    /// Resets a connection that the device has no room for.
    fn refuse(&mut self, stream: Self::Stream);
}

/// Serves connections until the acceptor fails; returns its error.
pub async fn run_server<C: Clock, A: Accept>(handle: Handle, clock: C, mut acceptor: A) -> io::Error {
    let idle_timeout = handle.with(|core| core.idle_timeout);
    let mut connections = FuturesUnordered::new();
    loop {
        let accepted = {
            let mut accepting = pin!(acceptor.accept());
            poll_fn(|cx| {
                while let Poll::Ready(Some(())) = connections.poll_next_unpin(cx) {}
                accepting.as_mut().poll(cx)
            })
            .await
        };
        match accepted {
            Ok((stream, peer)) => match handle.admit(clock.now(), peer) {
                Some(place) => connections.push(serve(place, clock.clone(), idle_timeout, stream)),
                None => acceptor.refuse(stream),
            },
            Err(error) => return error,
        }
    }
}

/// An answer that is there already or will come with a scan.
enum Awaited {
    Now(Vec<u8>),
    Later(oneshot::Receiver<Answer>),
}

/// One connection from its first octet to its last.
async fn serve<C: Clock, S: AsyncRead + AsyncWrite + Unpin>(
    place: Place,
    clock: C,
    idle_timeout: Duration,
    stream: S,
) {
    let (reader, writer) = tokio::io::split(stream);
    // One more is with the writer, and a channel has room for one more than its buffer.
    let (awaited, answers) = mpsc::channel(PIPELINE - 2);
    let watch = Watch::new(clock.clone(), idle_timeout);
    let reading = pin!(read_requests(&place, clock.clone(), watch, idle_timeout, reader, awaited));
    let writing = pin!(write_answers(&clock, idle_timeout, writer, answers));
    // When there is nothing more to read, what was asked for is still answered.
    if let Either::Left(((), writing)) = select(reading, writing).await {
        writing.await;
    }
}

async fn read_requests<C: Clock, R: AsyncRead + Unpin>(
    place: &Place,
    clock: C,
    mut watch: Watch<C>,
    idle_timeout: Duration,
    mut reader: R,
    mut awaited: mpsc::Sender<Awaited>,
) {
    let mut buffer: Vec<u8> = Vec::with_capacity(READ_CHUNK);
    let mut chunk = [0; READ_CHUNK];
    let mut last_request = clock.now();
    let mut partial_since = None;
    loop {
        let mut start = 0;
        loop {
            let offered = match next_adu(&buffer[start..]) {
                Framing::Short { .. } => break,
                Framing::Foreign { consumed, .. } => {
                    start += consumed;
                    place.foreign();
                    Offered::Silence
                }
                Framing::Whole { adu, consumed } => {
                    start += consumed;
                    place.offer(adu)
                }
                Framing::Lost(_) => {
                    place.framing_lost(clock.now());
                    return;
                }
            };
            let pending = match offered {
                Offered::Silence => continue,
                Offered::Now(octets) => Awaited::Now(octets),
                Offered::Later(receiver) => Awaited::Later(receiver),
            };
            if awaited.send(pending).await.is_err() {
                return;
            }
        }
        if start > 0 {
            buffer.drain(..start);
            last_request = clock.now();
            partial_since = None;
        }
        let within_adu = !buffer.is_empty();
        let deadline = if within_adu {
            *partial_since.get_or_insert_with(|| clock.now()) + PARTIAL_ADU_LIMIT
        } else {
            last_request + idle_timeout
        };
        let mut read = pin!(reader.read(&mut chunk));
        let outcome = poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => watch.poll_reached(deadline, cx).map(|()| None),
        })
        .await;
        match outcome {
            Some(Ok(0) | Err(_)) => return,
            Some(Ok(count)) => buffer.extend_from_slice(&chunk[..count]),
            None => {
                place.timed_out(clock.now(), within_adu);
                return;
            }
        }
    }
}

async fn write_answers<C: Clock, W: AsyncWrite + Unpin>(
    clock: &C,
    limit: Duration,
    mut writer: W,
    mut answers: mpsc::Receiver<Awaited>,
) {
    while let Some(awaited) = answers.next().await {
        let octets = match awaited {
            Awaited::Now(octets) => Some(octets),
            Awaited::Later(receiver) => receiver.await.ok().flatten(),
        };
        let Some(octets) = octets else { continue };
        let sent = with_timeout(clock, limit, async {
            writer.write_all(&octets).await?;
            writer.flush().await
        });
        if !matches!(sent.await, Some(Ok(()))) {
            return;
        }
    }
    // The client may be gone; there is nobody to tell.
    let _ = with_timeout(clock, limit, writer.shutdown()).await;
}

/// One timer for a connection's moving deadline, so that a busy connection does not fill the clock with timers that
/// nobody waits for any more.
pub(crate) struct Watch<C: Clock> {
    clock: C,
    sleep: C::Sleep,
    set_for: VirtualTime,
}

impl<C: Clock> Watch<C> {
    fn new(clock: C, first: Duration) -> Self {
        let set_for = clock.now() + first;
        Self::until(clock, set_for)
    }

    pub(crate) fn until(clock: C, set_for: VirtualTime) -> Self {
        Self { sleep: clock.sleep_until(set_for), clock, set_for }
    }

    /// Ready once `deadline` has come.
    pub(crate) fn poll_reached(&mut self, deadline: VirtualTime, cx: &mut Context<'_>) -> Poll<()> {
        if self.set_for > deadline {
            self.set(deadline);
        }
        loop {
            if self.sleep.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
            if self.set_for >= deadline {
                return Poll::Ready(());
            }
            self.set(deadline);
        }
    }

    fn set(&mut self, deadline: VirtualTime) {
        self.set_for = deadline;
        self.sleep = self.clock.sleep_until(deadline);
    }
}
