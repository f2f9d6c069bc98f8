//! Connections of an outstation: streams in, an [`Outstation`] behind, a clock for its deadlines.
//!
//! [`run_outstation`] is one future that holds every connection, as [`crate::run_server`] does for Modbus. A connection
//! reads when there is something, writes what the outstation has to say, unsolicited responses too, and wakes for its
//! deadlines. A master that does not read for 30 s loses its connection. While the device restarts connections
//! are refused.

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::future::poll_fn;
use futures::stream::FuturesUnordered;
use record::{Clock, with_timeout};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Bound, ChannelId, Outstation, Process};
use crate::handle::Handle;
use crate::server::{Accept, Watch};

/// Time that a master may take to read what it is sent.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// Octets taken from a stream at a time.
const READ_CHUNK: usize = 4096;

/// An outstation that several connections share, on one thread.
pub trait SharedOutstation: Clone {
    /// Works on the outstation and on the process behind it. Not to be called from within itself.
    fn with<T>(&self, work: impl FnOnce(&mut Outstation, &mut dyn Process) -> T) -> T;
}

/// An outstation without a controller: with a process of its own.
#[derive(Debug)]
pub struct Standalone<P>(Rc<RefCell<(Outstation, P)>>);

impl<P> Clone for Standalone<P> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<P: Process> Standalone<P> {
    /// Joins the two.
    pub fn new(outstation: Outstation, process: P) -> Self {
        Self(Rc::new(RefCell::new((outstation, process))))
    }

    /// Works on the process.
    pub fn with_process<T>(&self, work: impl FnOnce(&mut P) -> T) -> T {
        work(&mut self.0.borrow_mut().1)
    }
}

impl<P: Process> SharedOutstation for Standalone<P> {
    fn with<T>(&self, work: impl FnOnce(&mut Outstation, &mut dyn Process) -> T) -> T {
        let (outstation, process) = &mut *self.0.borrow_mut();
        work(outstation, process)
    }
}

/// Serves the outstation of a controller until the acceptor fails; returns its error. A controller without a point map
/// refuses every connection, and one that restarts does while it restarts.
pub async fn run_outstation<C: Clock, A: Accept>(handle: Handle, clock: C, mut acceptor: A) -> io::Error {
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
                Some(place) => {
                    match handle.outstation().filter(|it| !it.with(|it, _| it.is_down(clock.now()))) {
                        Some(outstation) => {
                            let clock = clock.clone();
                            connections.push(async move {
                                serve_outstation(outstation, clock, stream).await;
                                drop(place);
                            });
                        }
                        None => acceptor.refuse(stream),
                    }
                }
                None => acceptor.refuse(stream),
            },
            Err(error) => return error,
        }
    }
}

/// The outstation of a controller, as its connections and the lab see it. Cheap to clone; of one thread.
#[derive(Clone, Debug)]
pub struct OutstationHandle(pub(crate) Rc<RefCell<Bound>>);

impl SharedOutstation for OutstationHandle {
    fn with<T>(&self, work: impl FnOnce(&mut Outstation, &mut dyn Process) -> T) -> T {
        let mut bound = self.0.borrow_mut();
        let (outstation, process) = bound.parts();
        work(outstation, process)
    }
}

enum Next {
    Octets(usize),
    Ended,
    Due,
    Output,
}

/// A channel that is given back however its connection ends.
struct Open<O: SharedOutstation> {
    shared: O,
    id: ChannelId,
}

impl<O: SharedOutstation> Drop for Open<O> {
    fn drop(&mut self) {
        self.shared.with(|outstation, _| outstation.disconnect(self.id));
    }
}

/// Serves one connection to its end.
pub async fn serve_outstation<O, C, S>(shared: O, clock: C, mut stream: S)
where
    O: SharedOutstation,
    C: Clock,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(id) = shared.with(|outstation, _| outstation.connect(clock.now())) else { return };
    let open = Open { shared, id };
    let mut chunk = vec![0; READ_CHUNK];
    let mut watch: Option<Watch<C>> = None;
    loop {
        let (output, closing, deadline) = open.shared.with(|outstation, _| {
            (outstation.take_output(id), outstation.is_closing(id), outstation.deadline())
        });
        if !output.is_empty() {
            let sent = with_timeout(&clock, WRITE_LIMIT, async {
                stream.write_all(&output).await?;
                stream.flush().await
            });
            if !matches!(sent.await, Some(Ok(()))) {
                return;
            }
            continue;
        }
        if closing {
            // The master may be gone; there is nobody to tell.
            let _ = with_timeout(&clock, WRITE_LIMIT, stream.shutdown()).await;
            return;
        }
        let next = {
            let mut read = pin!(stream.read(&mut chunk));
            poll_fn(|cx| {
                if let Poll::Ready(outcome) = read.as_mut().poll(cx) {
                    return Poll::Ready(match outcome {
                        Ok(count) if count > 0 => Next::Octets(count),
                        _ => Next::Ended,
                    });
                }
                if let Some(deadline) = deadline {
                    let watch = watch.get_or_insert_with(|| Watch::until(clock.clone(), deadline));
                    if watch.poll_reached(deadline, cx).is_ready() {
                        return Poll::Ready(Next::Due);
                    }
                }
                open.shared.with(|outstation, _| {
                    if outstation.has_output(id)
                        || outstation.is_closing(id)
                        || outstation.deadline() != deadline
                    {
                        return Poll::Ready(Next::Output);
                    }
                    outstation.wake_on_output(id, cx.waker());
                    Poll::Pending
                })
            })
            .await
        };
        let now = clock.now();
        match next {
            Next::Octets(count) => {
                let octets = chunk.get(..count).unwrap_or_default();
                open.shared.with(|outstation, process| outstation.receive(id, now, octets, process));
            }
            Next::Due => open.shared.with(|outstation, process| outstation.tick(now, process)),
            Next::Output => {}
            Next::Ended => return,
        }
    }
}
