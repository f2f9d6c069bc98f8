//! Before any page: who is called, from where, how much, how slowly.
//!
//! # Theory of operation
//! - *Host*: a request names one of the console's own names and its port, or it is refused; so a foreign page cannot
//!   reach the console by a name of its own that resolves to this machine.
//! - *Origin*: what changes something comes from the console's own pages: a browser says so in `Origin`, and a request
//!   with a cookie but without that is refused. Programs that send a Bearer token have no cookie to abuse.
//! - *Size and time*: heads and bodies are bounded; a connection has to finish its head in time, and there are only so
//!   many connections.
//! - Every answer forbids what the console does not need: other origins, frames, inline scripts, guessing of types.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::Shared;
use super::problem::Problem;

/// Largest body of a request.
pub(super) const BODY_MAX: usize = 64 * 1024;
/// How long the head of a request may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Connections at once: a class of browsers with their streams.
const CONNECTIONS_MAX: usize = 1024;

/// By which names the console may be called.
#[derive(Debug)]
pub(super) struct Guard {
    hosts: Vec<String>,
}

impl Guard {
    /// The console's own addresses, and names that were given.
    pub(super) fn new(address: SocketAddr, names: &[String]) -> Self {
        let port = address.port();
        let own = ["127.0.0.1", "localhost", "[::1]"].into_iter().map(str::to_owned);
        let bound = (!address.ip().is_unspecified()).then(|| address.ip().to_string());
        let all = own.chain(bound).chain(names.iter().map(|name| name.to_lowercase()));
        let hosts = all.flat_map(|name| [format!("{name}:{port}"), name]).collect();
        Self { hosts }
    }

    fn knows(&self, host: &str) -> bool {
        let host = host.to_lowercase();
        self.hosts.contains(&host)
    }

    fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
        if hosts.next().is_some() || !self.knows(host) {
            let status = StatusCode::MISDIRECTED_REQUEST;
            return Err(Problem::new(
                status,
                "this console is not called by that name; start it with --name NAME to let it be",
            ));
        }
        if !method.is_safe() && headers.contains_key(header::COOKIE) {
            let origin =
                headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
            let is_own =
                origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host);
            if !is_own {
                return Err(Problem::forbidden("this does not come from a page of this console"));
            }
        }
        Ok(())
    }
}

const ANSWERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Not `no-referrer`: with that, browsers hide the origin of a form of our own as well.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Lets a request through, or not; adds what every answer carries.
pub(super) async fn guard(State(console): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = match console.guard.judge(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in ANSWERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Serves connections, bounded in number and in the time that a head may take.
pub(super) async fn serve_bounded(listener: TcpListener, router: Router) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
        let Ok((stream, _)) = listener.accept().await else {
            // The client is gone already, or descriptors ran out: neither ends the console.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Small answers shall not wait; where this cannot be set they do.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .max_buf_size(64 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            // A client that breaks off is no news.
            let _ = connection.await;
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn only_its_own_names_and_origins_come_in() {
        let guard = Guard::new("127.0.0.1:8600".parse().unwrap(), &["Lab.example".to_owned()]);
        let asks =
            |method: Method, pairs: &[(HeaderName, &str)]| guard.judge(&method, &headers(pairs)).is_ok();
        for host in ["127.0.0.1:8600", "localhost:8600", "[::1]:8600", "lab.example:8600", "LAB.EXAMPLE"] {
            assert!(asks(Method::GET, &[(header::HOST, host)]), "{host}");
        }
        for host in ["", "evil.example", "evil.example:8600", "127.0.0.1:9999", "127.0.0.1.evil.example:8600"]
        {
            assert!(!asks(Method::GET, &[(header::HOST, host)]), "{host}");
        }
        assert!(!asks(Method::GET, &[]));
        let host = (header::HOST, "localhost:8600");
        let cookie = (header::COOKIE, "seat=x");
        let with = |origin: &'static str| {
            asks(Method::POST, &[host.clone(), cookie.clone(), (header::ORIGIN, origin)])
        };
        assert!(with("http://localhost:8600"));
        for foreign in [
            "null",
            "http://evil.example",
            "http://127.0.0.1:8600",
            "http://localhost:8601",
            "localhost:8600",
        ] {
            assert!(!with(foreign), "{foreign}");
        }
        assert!(!asks(Method::POST, &[host.clone(), cookie]));
        assert!(asks(Method::POST, &[host]));
    }
}
