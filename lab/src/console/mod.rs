//! The console: people at a live lab, by browser.
//!
//! # Theory of operation
//! A small tokio runtime serves pages and streams; each lab runs on a kernel thread of its own (`live`). Pages read a lab's
//! board and the files of its record; what people do goes to the lab as an action and into the store. The order of a
//! request: `guard` (host and origin, size), then the seat of its cookie or token (`access`), then the page, which asks the
//! seat for the right it needs. A route of a team is only for seats of that team and for facilitators.
//!
//! Reading order: [`exercise`] (classes and runs), [`access`], [`guard`], [`layout`], the pages, [`stream`].

mod access;
mod analyst;
mod assets;
mod download;
mod exercise;
mod facilitator;
mod frame;
mod guard;
mod layout;
mod network;
mod plant;
mod problem;
mod records;
mod score;
mod stream;
mod tabletop;
mod team;
mod ways_in;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub(crate) use access::new_secret;
pub(crate) use exercise::{Exercise, StartOrder};
use guard::Guard;

use crate::report::Courses;

/// What every page can reach.
#[derive(Debug)]
pub(crate) struct Console {
    exercise: Arc<Exercise>,
    guard: Guard,
    /// Courses of the runs that reports were made of.
    courses: Courses,
    /// One report is made at a time: live labs need the other cores.
    reports: Arc<Semaphore>,
    /// What comes of the decisions of the tabletop that is on.
    tables: tabletop::Tables,
}

type Shared = Arc<Console>;

/// How often is looked whether an inject is due, host's time.
const INJECTS_EVERY: Duration = Duration::from_millis(500);

fn router(console: Shared) -> Router {
    let team = Router::new()
        .route("/plant", get(plant::page))
        .route("/network", get(network::page))
        .route("/analyst", get(analyst::page))
        .route("/score", get(score::page))
        .route("/report.html", get(score::report))
        .route("/stream", get(stream::stream))
        .route("/trend/{tag}", get(plant::trend))
        .route("/act", post(team::act))
        .route("/time", post(team::time))
        .route("/messages", get(team::messages))
        .route("/network.json", get(network::data))
        .route("/logs", get(records::logs))
        .route("/logs/{log}", get(records::rows))
        .route("/frames/{number}", get(frame::frame))
        .route("/tabletop", get(tabletop::page).post(tabletop::act))
        .route("/tabletop/lines", get(tabletop::lines))
        .route("/tabletop/report.html", get(tabletop::after_action))
        .route("/calls", get(analyst::calls).post(analyst::call))
        .route("/span.pcapng", get(download::capture))
        .route("/span.pcap", get(download::live_capture))
        .route("/files/{*path}", get(download::file));
    let facilitator = Router::new()
        .route("/", get(facilitator::page))
        .route("/state", get(facilitator::state))
        .route("/start", post(facilitator::start))
        .route("/team", post(facilitator::add_team))
        .route("/seat", post(facilitator::add_seat))
        .route("/link", post(facilitator::renew_link))
        .route("/all", post(facilitator::all))
        .route("/tabletop", get(tabletop::lead).post(tabletop::leads))
        .route("/tabletop/lines", get(tabletop::all_lines))
        .route("/say", post(facilitator::say))
        .route("/inject", post(facilitator::inject))
        .route("/ways-in/{team}", get(ways_in::shown))
        .route("/shows", post(facilitator::shows))
        .route("/override", post(facilitator::override_call))
        .route("/fork", post(facilitator::fork));
    Router::new()
        .route("/", get(team::home))
        .route("/enter/{link}", get(access::door).post(access::enter))
        .route("/leave", post(access::leave))
        .route("/health", get(|| async { "alive\n" }))
        .route("/assets/{name}", get(assets::asset))
        .route("/scoreboard", get(score::scoreboard))
        .nest("/team/{team}", team)
        .nest("/facilitator", facilitator)
        .fallback(problem::no_such_page)
        .layer(axum::middleware::from_fn_with_state(console.clone(), guard::guard))
        .layer(axum::extract::DefaultBodyLimit::max(guard::BODY_MAX))
        .with_state(console)
}

/// Says every inject when its time comes.
async fn release_injects(exercise: &Exercise) {
    let mut has_failed = false;
    loop {
        tokio::time::sleep(INJECTS_EVERY).await;
        let outcome = exercise.release_due();
        if let (Err(error), false) = (&outcome, has_failed) {
            eprintln!("fieldrange: injects wait: {error}");
        }
        has_failed = outcome.is_err();
    }
}

/// Where the console listens and by which names it may be called.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) listen: SocketAddr,
    pub(crate) names: Vec<String>,
}

/// A console that listens and does not serve yet.
pub(crate) struct Opened {
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    address: SocketAddr,
    names: Vec<String>,
}

impl Opened {
    /// Takes the port.
    pub(crate) fn open(door: &Door) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("console")
            .enable_all()
            .build()
            .context("no threads for the console")?;
        let listener = runtime.block_on(TcpListener::bind(door.listen)).with_context(|| {
            format!("the console cannot listen on {}\n  fix: choose another port with --port", door.listen)
        })?;
        let address = listener.local_addr()?;
        Ok(Self { runtime, listener, address, names: door.names.clone() })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `over` is told; labs that still run are ended and sealed by the caller.
    pub(crate) fn serve(
        self,
        exercise: Arc<Exercise>,
        over: tokio::sync::oneshot::Receiver<()>,
    ) -> Result<()> {
        let guard = Guard::new(self.address, &self.names);
        let router = router(Arc::new(Console {
            exercise: exercise.clone(),
            guard,
            courses: Courses::default(),
            reports: Arc::new(Semaphore::new(1)),
            tables: tabletop::Tables::default(),
        }));
        self.runtime.block_on(async move {
            tokio::select! {
                outcome = guard::serve_bounded(self.listener, router) => outcome.context("the console stopped"),
                () = release_injects(&exercise) => Ok(()),
                _ = over => Ok(()),
            }
        })?;
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        Ok(())
    }
}
