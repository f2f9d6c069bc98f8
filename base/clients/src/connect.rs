//! How a client gets a stream.

use std::fmt;
use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

/// What a client can talk over: any stream of octets in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug + 'static> Stream for S {}

/// Knows one server and opens streams to it. A closure that returns such a future is one too.
pub trait Connect {
    /// What it opens.
    type Stream: Stream;

    /// Opens a new stream.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Stream>>;
}

impl<F, Opening, S> Connect for F
where
    F: Fn() -> Opening,
    Opening: Future<Output = io::Result<S>>,
    S: Stream,
{
    type Stream = S;

    fn connect(&self) -> impl Future<Output = io::Result<S>> {
        self()
    }
}
