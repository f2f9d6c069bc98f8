//! Streams and listeners: what a task holds of a connection.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use smoltcp::socket::tcp::State;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::conn::{Conn, Role};
use crate::flow::FlowKey;
use crate::slab::Key;
use crate::world::{Shared, World};

/// One end of a connection. Dropped, it closes as a program that ends: what was written still goes out, then FIN.
pub struct VirtualStream {
    shared: Arc<Shared>,
    key: Key,
    flow: Arc<FlowKey>,
    local: SocketAddrV4,
    peer: SocketAddrV4,
}

impl VirtualStream {
    /// A stream for a connection that exists.
    pub(crate) fn new(shared: &Arc<Shared>, key: Key) -> Self {
        let world = shared.world();
        let (flow, local, peer) = match world.conns.get(key) {
            Some(conn) => (conn.flow.clone(), conn.local, conn.remote),
            None => unreachable!("made from a connection that was just opened or accepted"),
        };
        drop(world);
        Self { shared: shared.clone(), key, flow, local, peer }
    }

    /// The flow it belongs to, the same at both ends.
    pub fn flow(&self) -> FlowKey {
        (*self.flow).clone()
    }

    /// Own address.
    pub fn local(&self) -> SocketAddrV4 {
        self.local
    }

    /// Address of the other end.
    pub fn peer(&self) -> SocketAddrV4 {
        self.peer
    }

    /// Ends the connection with a reset.
    pub fn abort(self) {
        let mut world = self.shared.world();
        let now = world.now;
        if let Some(conn) = world.conns.get_mut(self.key) {
            conn.orphan(now);
            conn.socket().abort();
            world.touch(self.key);
        }
    }

    fn with_conn<T>(&self, f: impl FnOnce(&mut World, Key) -> T) -> T {
        f(&mut self.shared.world(), self.key)
    }
}

impl fmt::Debug for VirtualStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualStream({} {} -> {})", self.flow, self.local, self.peer)
    }
}

impl Drop for VirtualStream {
    fn drop(&mut self) {
        let key = self.key;
        self.shared.with_world_now_or_later(move |world| world.let_go(key));
    }
}

impl World {
    /// A stream is gone.
    fn let_go(&mut self, key: Key) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key) else { return };
        let state = conn.socket().state();
        match conn.role {
            // The caller did not wait for the handshake. A real stack sends nothing either.
            Role::Dialled if matches!(state, State::SynSent | State::Closed) => self.drop_conn(key),
            Role::Orphan => {}
            _ => {
                conn.orphan(now);
                let socket = conn.socket();
                if socket.recv_queue() > 0 {
                    socket.abort();
                } else {
                    socket.close();
                }
                self.touch(key);
            }
        }
    }
}

fn conn_of(world: &mut World, key: Key) -> io::Result<&mut Conn> {
    world.conns.get_mut(key).map(|conn| &mut **conn).ok_or_else(|| io::ErrorKind::NotConnected.into())
}

impl AsyncRead for VirtualStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.with_conn(|world, key| {
            let conn = conn_of(world, key)?;
            let socket = conn.socket();
            if socket.can_recv() {
                let half = socket.recv_capacity() / 2;
                let was_full = socket.recv_queue() > half;
                // Cannot fail: there is something to receive.
                if let Ok(count) = socket.recv_slice(buffer.initialize_unfilled()) {
                    buffer.advance(count);
                }
                if was_full {
                    world.touch(key);
                }
                return Poll::Ready(Ok(()));
            }
            if socket.may_recv() {
                socket.register_recv_waker(context.waker());
                return Poll::Pending;
            }
            Poll::Ready(conn.end_of_stream())
        })
    }
}

impl AsyncWrite for VirtualStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if octets.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.with_conn(|world, key| {
            let conn = conn_of(world, key)?;
            let error = conn.error;
            let socket = conn.socket();
            if !socket.may_send() {
                let kind = match socket.state() {
                    State::Closed => io::ErrorKind::ConnectionReset,
                    _ => io::ErrorKind::BrokenPipe,
                };
                return Poll::Ready(Err(error.unwrap_or(kind).into()));
            }
            match socket.send_slice(octets) {
                Ok(0) | Err(_) => {
                    socket.register_send_waker(context.waker());
                    Poll::Pending
                }
                Ok(count) => {
                    world.touch(key);
                    Poll::Ready(Ok(count))
                }
            }
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written goes out when all tasks wait; there is nothing to hurry.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with_conn(|world, key| {
            conn_of(world, key)?.socket().close();
            world.touch(key);
            Poll::Ready(Ok(()))
        })
    }
}

/// A listening port. Dropped, it closes: later SYNs are answered with RST.
#[derive(Debug)]
pub struct Listener {
    pub(crate) shared: Arc<Shared>,
    pub(crate) host: usize,
    pub(crate) port: u16,
}

impl Listener {
    /// Waits for the next connection. Whom to admit is the caller's matter: [`VirtualStream::abort`] turns
    /// somebody away.
    pub async fn accept(&self) -> VirtualStream {
        let key =
            poll_fn(|context| match self.shared.world().poll_accept(self.host, self.port, context.waker()) {
                Some(key) => Poll::Ready(key),
                None => Poll::Pending,
            })
            .await;
        VirtualStream::new(&self.shared, key)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let (host, port) = (self.host, self.port);
        self.shared.with_world_now_or_later(move |world| world.close_listener(host, port));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_what_tokio_modbus_asks_for() {
        fn check<T: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug + 'static>() {}
        check::<VirtualStream>();
    }
}
