//! HTTP/1.1 over virtual streams: hyper, without a runtime, a socket or a clock of its own.
//!
//! Everything that a client can make us keep is bounded: connections, the size of head and body, and, on the virtual
//! clock, how long a client may say nothing and how long a connection may last.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use net::{KernelClock, Listener, Spawner, VirtualStream};
use record::{Clock, with_timeout};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::desk::Desk;
use super::routes::{Answer, Question, answer};

/// Connections at once; more are closed at once.
const CONNECTIONS_MAX: usize = 32;
/// Octets of a request's body.
const BODY_MAX: usize = 64 * 1024;
/// Octets of a request's head, and of what hyper reads ahead.
const HEAD_MAX: usize = 16 * 1024;
/// A client may say nothing for so long.
const SILENCE: Duration = Duration::from_mins(2);
/// A connection may last so long.
const LIFE: Duration = Duration::from_mins(15);

/// Accepts connections for ever.
pub(super) async fn listen(listener: Listener, desk: Rc<Desk>, clock: KernelClock, spawner: Spawner) {
    let open = Rc::new(Cell::new(0_usize));
    loop {
        let stream = listener.accept().await;
        if open.get() >= CONNECTIONS_MAX {
            stream.abort();
            continue;
        }
        open.set(open.get() + 1);
        let (desk, clock, open) = (desk.clone(), clock.clone(), open.clone());
        spawner.spawn("rule interface connection", async move {
            // How a connection ends is the client's affair.
            let _ = with_timeout(&clock, LIFE, serve(stream, desk, clock.clone())).await;
            open.set(open.get() - 1);
        });
    }
}

async fn serve(stream: VirtualStream, desk: Rc<Desk>, clock: KernelClock) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(respond(&desk, request).await) }
    });
    http1::Builder::new()
        .auto_date_header(false)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream, clock)), service)
        .await
}

async fn respond(desk: &Desk, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return into_http(Answer::error(413, format_args!("a body has at most {BODY_MAX} octets")));
        }
        Err(_) => return into_http(Answer::error(400, "the body did not come whole")),
    };
    let question = Question {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query(),
        key: key(&head.headers),
        content_type: head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()),
        body: &body,
    };
    into_http(answer(desk, &question))
}

fn key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    bearer.or_else(|| headers.get("x-api-key")?.to_str().ok()).map(str::trim)
}

fn into_http(answer: Answer) -> Response<Full<Bytes>> {
    let Answer { status, body, allow } = answer;
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(methods) = allow {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    if status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A stream whose other end may be silent for [`SILENCE`], and no longer.
struct Patient {
    stream: VirtualStream,
    clock: KernelClock,
    until: Option<<KernelClock as Clock>::Sleep>,
}

impl Patient {
    const fn new(stream: VirtualStream, clock: KernelClock) -> Self {
        Self { stream, clock, until: None }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.until = None;
            return Poll::Ready(read);
        }
        let this = &mut *self;
        let until = this.until.get_or_insert_with(|| this.clock.sleep(SILENCE));
        Pin::new(until).poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
