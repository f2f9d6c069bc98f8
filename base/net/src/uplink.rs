//! The virtual side of the uplink: real clients' octets in, controllers' octets out.
//!
//! A real client's connection is a connection of the uplink host in the capture. What the client sends is put
//! into a [`Pipe`] by outside inputs and written by a task; what comes back goes to the client's thread, if there
//! is one (in a replay there is not).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};

use crate::host::Host;
use crate::stream::VirtualStream;

/// Octets of one client that may wait to be written into the lab.
const WAITING_IN: usize = 64 * 1024;
/// Octets for one client that may wait to be read by it; one that lets more pile up is cut off.
const WAITING_OUT: usize = 1024 * 1024;

/// What a client's writing thread is told.
pub(crate) enum ToClient {
    Octets(Vec<u8>),
    /// The controller closed its half.
    Finish,
}

/// The kernel's end of a real client. Dropped, the client's connection is closed.
pub(crate) struct ClientEnd {
    pub(crate) to_client: Sender<ToClient>,
    /// Octets handed to the writing thread and not yet written.
    pub(crate) waiting_out: Arc<AtomicUsize>,
    pub(crate) credit: Arc<Credit>,
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        self.credit.end();
    }
}

/// How much a client's reading thread may still send in.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    waiting_in: Mutex<usize>,
    freed: Condvar,
    is_over: std::sync::atomic::AtomicBool,
}

impl Credit {
    /// Waits until `count` octets may be sent in. False if nobody takes any more. Called on the client's thread.
    pub(crate) fn take(&self, count: usize) -> bool {
        let mut waiting = self.waiting_in.lock().unwrap_or_else(PoisonError::into_inner);
        while *waiting > 0 && *waiting + count > WAITING_IN && !self.is_over.load(Ordering::Relaxed) {
            let beat = Duration::from_millis(100);
            waiting = self.freed.wait_timeout(waiting, beat).unwrap_or_else(PoisonError::into_inner).0;
        }
        *waiting += count;
        !self.is_over.load(Ordering::Relaxed)
    }

    fn free(&self, count: usize) {
        let mut waiting = self.waiting_in.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = waiting.saturating_sub(count);
        self.freed.notify_all();
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.freed.notify_all();
    }
}

/// One real client's way into the lab.
pub(crate) struct Pipe {
    inner: RefCell<Inner>,
}

struct Inner {
    octets: VecDeque<u8>,
    is_closed: bool,
    waker: Option<Waker>,
    client: Option<ClientEnd>,
}

impl Pipe {
    /// An empty pipe; without a client in a replay.
    pub(crate) fn new(client: Option<ClientEnd>) -> Self {
        Self { inner: RefCell::new(Inner { octets: VecDeque::new(), is_closed: false, waker: None, client }) }
    }

    /// The client sent octets.
    pub(crate) fn put(&self, octets: &[u8]) {
        self.change(|inner| inner.octets.extend(octets));
    }

    /// The client will send no more.
    pub(crate) fn close(&self) {
        self.change(|inner| inner.is_closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner.borrow_mut();
        change(&mut inner);
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// What the client sent; empty at the end.
    async fn take(&self) -> Vec<u8> {
        poll_fn(|context| {
            let mut inner = self.inner.borrow_mut();
            if inner.octets.is_empty() && !inner.is_closed {
                inner.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(inner.octets.drain(..).collect())
        })
        .await
    }

    fn free(&self, count: usize) {
        if let Some(client) = &self.inner.borrow().client {
            client.credit.free(count);
        }
    }

    /// Gives octets to the client.
    fn give(&self, octets: &[u8]) {
        let mut inner = self.inner.borrow_mut();
        let Some(client) = &inner.client else { return };
        let waiting = client.waiting_out.fetch_add(octets.len(), Ordering::Relaxed);
        let is_gone = client.to_client.send(ToClient::Octets(octets.to_vec())).is_err();
        if is_gone || waiting > WAITING_OUT {
            inner.client = None;
        }
    }

    fn finish(&self) {
        if let Some(client) = &self.inner.borrow().client {
            // A client that is gone needs no end.
            let _ = client.to_client.send(ToClient::Finish);
        }
    }

    /// The lab's side is gone: the client's connection closes, and nothing more is taken.
    fn cut(&self) {
        self.change(|inner| {
            inner.client = None;
            inner.is_closed = true;
            inner.octets.clear();
        });
    }
}

/// Carries one real client's octets to `to` and back until both sides have ended.
pub(crate) async fn carry(host: Host, to: SocketAddrV4, pipe: Rc<Pipe>) {
    match host.connect(to).await {
        Ok(stream) => {
            let (reader, writer) = split(stream);
            futures::join!(carry_in(writer, &pipe), carry_out(reader, &pipe));
        }
        Err(_) => pipe.cut(),
    }
}

async fn carry_in(mut writer: WriteHalf<VirtualStream>, pipe: &Pipe) {
    loop {
        let octets = pipe.take().await;
        if octets.is_empty() {
            // Fails where the other side was reset; then there is nothing to end.
            let _ = writer.shutdown().await;
            return;
        }
        let written = writer.write_all(&octets).await;
        pipe.free(octets.len());
        if written.is_err() {
            return pipe.cut();
        }
    }
}

async fn carry_out(mut reader: ReadHalf<VirtualStream>, pipe: &Pipe) {
    let mut buffer = [0; 2048];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) => return pipe.finish(),
            Ok(count) => pipe.give(&buffer[..count]),
            Err(_) => return pipe.cut(),
        }
    }
}
