//! A DNP3 master: one connection to one outstation.
//!
//! # Theory of operation
//! One request is under way at a time. [`Dnp3Master::request`] sends it and collects its answer, fragment by fragment, each
//! confirmed where the outstation asks for it; what it was not waiting for is passed over, but for unsolicited responses:
//! they are confirmed at once and kept for [`Dnp3Master::next_unsolicited`]. Link status requests of the outstation are
//! answered whenever the master reads. Nothing is read while nobody calls: a master that wants to hear unsolicited
//! responses waits in [`Dnp3Master::next_unsolicited`] between its polls.
//!
//! A call that is given up (its future dropped) does no harm: the next request has another sequence number.
//!
//! [`Dnp3Master::send_fragment`] and [`Dnp3Master::send_octets`] send what no master would; [`Dnp3Master::receive`] gives what
//! comes back, unjudged.

mod link;
mod tasks;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use record::{Clock, VirtualTime};
use tokio::io::{AsyncRead, AsyncWrite};
use wire::dnp3::response::Item;
use wire::dnp3::{AppControl, Fragment, FunctionCode, Iin, Measurement, Response, ResponseError};

pub use tasks::{CommandAnswer, Output, TimeWay};

use link::Link;

/// Fragments of one answer at most: a device that never ends is given up.
const FRAGMENTS_MAX: usize = 256;
/// Unsolicited responses that are kept for the caller at most; the oldest go first.
const UNSOLICITED_MAX: usize = 256;

/// Who talks to whom, and how long a master waits.
#[derive(Clone, Copy, Debug)]
pub struct MasterSettings {
    /// Link address of the master.
    pub address: u16,
    /// Link address of the outstation.
    pub outstation: u16,
    /// Longest wait for a fragment.
    pub limit: Duration,
    /// Whether unsolicited responses are confirmed.
    pub confirms_unsolicited: bool,
}

impl MasterSettings {
    /// Waits for 5 s and confirms.
    pub const fn new(address: u16, outstation: u16) -> Self {
        Self { address, outstation, limit: Duration::from_secs(5), confirms_unsolicited: true }
    }
}

/// Why a master has no answer. Carries no text of the operating system, so that it is the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterError {
    /// Nothing within the limit that would be an answer. The connection can still be used.
    #[error("no answer within {limit:?}")]
    Timeout {
        /// How long the master waited.
        limit: Duration,
    },
    /// The outstation closed the connection.
    #[error("connection is closed")]
    Closed,
    /// The connection broke.
    #[error("connection failed: {kind}")]
    Io {
        /// What the stream said.
        kind: io::ErrorKind,
    },
    /// The answer makes no sense.
    #[error("answer makes no sense: {0}")]
    Response(#[from] ResponseError),
    /// More fragments than any answer has.
    #[error("more than {FRAGMENTS_MAX} fragments")]
    Endless,
    /// The request cannot be written: a value or an index that no object holds.
    #[error("the request cannot be written")]
    Unfit,
}

/// What an outstation said: the fragments of one answer, or one unsolicited response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    fragments: Vec<Vec<u8>>,
    iin: Iin,
}

impl Answer {
    /// The indications of its last fragment.
    pub const fn iin(&self) -> Iin {
        self.iin
    }

    /// Everything that it says, in order.
    pub fn items(&self) -> Vec<Item<'_>> {
        let parsed = self.fragments.iter().filter_map(|it| Response::parse(Fragment::new(it)).ok());
        parsed.flat_map(|response| response.items).collect()
    }

    /// Present values.
    pub fn statics(&self) -> Vec<Measurement> {
        let only = |item| if let Item::Static(point) = item { Some(point) } else { None };
        self.items().into_iter().filter_map(only).collect()
    }

    /// Changes, oldest first.
    pub fn events(&self) -> Vec<Measurement> {
        let only = |item| if let Item::Event(point) = item { Some(point) } else { None };
        self.items().into_iter().filter_map(only).collect()
    }

    /// Its fragments as they came.
    pub fn fragments(&self) -> &[Vec<u8>] {
        &self.fragments
    }
}

/// A master and its connection.
#[derive(Debug)]
pub struct Dnp3Master<S, C> {
    link: Link<S>,
    clock: C,
    settings: MasterSettings,
    sequence: u8,
    iin: Iin,
    unsolicited: VecDeque<Answer>,
    last_unsolicited: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, C: Clock> Dnp3Master<S, C> {
    /// Talks over an open stream.
    pub fn new(stream: S, clock: C, settings: MasterSettings) -> Self {
        Self {
            link: Link::new(stream, settings.address, settings.outstation),
            clock,
            settings,
            sequence: 0,
            iin: Iin::default(),
            unsolicited: VecDeque::new(),
            last_unsolicited: Vec::new(),
        }
    }

    /// What the outstation said of itself last.
    pub const fn iin(&self) -> Iin {
        self.iin
    }

    /// The sequence number of the next request.
    pub const fn next_sequence(&self) -> u8 {
        self.sequence
    }

    /// Makes a request with these octets of objects and collects its answer.
    pub async fn request(&mut self, function: FunctionCode, objects: &[u8]) -> Result<Answer, MasterError> {
        let sequence = self.send_request(function, objects).await?;
        self.collect(sequence).await
    }

    /// Makes a request that has no answer.
    pub async fn tell(&mut self, function: FunctionCode, objects: &[u8]) -> Result<(), MasterError> {
        self.send_request(function, objects).await.map(drop)
    }

    /// The next unsolicited response: one that came earlier, or one that comes within `span`. It is confirmed already, if the
    /// settings say so.
    pub async fn next_unsolicited(&mut self, span: Duration) -> Result<Option<Answer>, MasterError> {
        let until = self.clock.now() + span;
        loop {
            if let Some(answer) = self.unsolicited.pop_front() {
                return Ok(Some(answer));
            }
            let Some(fragment) = self.link.next_fragment(&self.clock, until).await? else { return Ok(None) };
            // A response to nothing is passed over.
            self.take_unsolicited(&fragment).await?;
        }
    }

    /// Asks for the link's status; false where none comes in time.
    pub async fn link_status(&mut self) -> Result<bool, MasterError> {
        self.link.ask_status().await?;
        let until = self.clock.now() + self.settings.limit;
        self.link.await_status(&self.clock, until).await
    }

    /// Sends any fragment, whatever its control octet says, to this outstation or another link address.
    pub async fn send_fragment(&mut self, fragment: &[u8], to: Option<u16>) -> Result<(), MasterError> {
        self.link.send(fragment, to.unwrap_or(self.settings.outstation)).await
    }

    /// Sends octets as they are.
    pub async fn send_octets(&mut self, octets: &[u8]) -> Result<(), MasterError> {
        self.link.send_octets(octets).await
    }

    /// The next fragment, whatever it is, neither judged nor confirmed; `None` where none comes within `span`.
    pub async fn receive(&mut self, span: Duration) -> Result<Option<Vec<u8>>, MasterError> {
        let until = self.clock.now() + span;
        self.link.next_fragment(&self.clock, until).await
    }

    async fn send_request(&mut self, function: FunctionCode, objects: &[u8]) -> Result<u8, MasterError> {
        let sequence = self.sequence;
        self.sequence = (sequence + 1) & 0x0f;
        let fragment = [&[AppControl::single(sequence).0, function.0], objects].concat();
        self.link.send(&fragment, self.settings.outstation).await?;
        Ok(sequence)
    }

    async fn collect(&mut self, mut sequence: u8) -> Result<Answer, MasterError> {
        let mut answer = Answer::default();
        let mut until = self.clock.now() + self.settings.limit;
        loop {
            let Some(fragment) = self.link.next_fragment(&self.clock, until).await? else {
                return Err(MasterError::Timeout { limit: self.settings.limit });
            };
            if self.take_unsolicited(&fragment).await? {
                continue;
            }
            let view = Fragment::new(&fragment);
            let control = view.control().unwrap_or_default();
            let ours = view.function() == Some(FunctionCode::RESPONSE)
                && control.sequence() == sequence
                && control.is_first() == answer.fragments.is_empty();
            if !ours {
                continue;
            }
            let response = Response::parse(view)?;
            let (wants_confirm, last) = (control.wants_confirm(), control.is_last());
            (self.iin, answer.iin) = (response.iin, response.iin);
            if answer.fragments.len() >= FRAGMENTS_MAX {
                return Err(MasterError::Endless);
            }
            answer.fragments.push(fragment);
            if wants_confirm {
                self.confirm(AppControl::single(sequence)).await?;
            }
            if last {
                return Ok(answer);
            }
            sequence = (sequence + 1) & 0x0f;
            until = self.clock.now() + self.settings.limit;
        }
    }

    async fn confirm(&mut self, control: AppControl) -> Result<(), MasterError> {
        let confirmation = [control.0, FunctionCode::CONFIRM.0];
        self.link.send(&confirmation, self.settings.outstation).await
    }

    /// Whether a fragment is an unsolicited response; if so it is confirmed, and kept unless it is a repetition.
    async fn take_unsolicited(&mut self, fragment: &[u8]) -> Result<bool, MasterError> {
        let view = Fragment::new(fragment);
        if view.function() != Some(FunctionCode::UNSOLICITED_RESPONSE) {
            return Ok(false);
        }
        // One that makes no sense is not confirmed: it will come again, or it was forged.
        let Ok(response) = Response::parse(view) else { return Ok(true) };
        let control = response.control;
        self.iin = response.iin;
        if control.wants_confirm() && self.settings.confirms_unsolicited {
            self.confirm(AppControl::single(control.sequence()).unsolicited()).await?;
        }
        if fragment != self.last_unsolicited.as_slice() {
            if self.unsolicited.len() >= UNSOLICITED_MAX {
                self.unsolicited.pop_front();
            }
            self.unsolicited.push_back(Answer { fragments: vec![fragment.to_vec()], iin: self.iin });
            self.last_unsolicited = fragment.to_vec();
        }
        Ok(true)
    }

    pub(crate) fn now(&self) -> VirtualTime {
        self.clock.now()
    }
}
