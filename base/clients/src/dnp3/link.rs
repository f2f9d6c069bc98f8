//! The master's link and transport: fragments out, fragments in, link status both ways.

use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use futures::FutureExt as _;
use futures::future::poll_fn;
use record::{Clock, VirtualTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::dnp3::transport::segments;
use wire::dnp3::{Framer, LinkAddress, LinkControl, LinkFunction, LinkHeader, Reassembly};

use super::MasterError;

/// Longest fragment that is put together.
const FRAGMENT_MAX: usize = 4096;
/// Fragments that wait at most; the latest of a flood are dropped.
const FRAGMENTS_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Link<S> {
    stream: S,
    own: u16,
    peer: u16,
    framer: Framer,
    reassembly: Reassembly,
    transport_sequence: u8,
    fragments: VecDeque<Vec<u8>>,
    /// Frames to answer with.
    answers: Vec<u8>,
    status_came: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(super) fn new(stream: S, own: u16, peer: u16) -> Self {
        Self {
            stream,
            own,
            peer,
            framer: Framer::default(),
            reassembly: Reassembly::default(),
            transport_sequence: 0,
            fragments: VecDeque::new(),
            answers: Vec::new(),
            status_came: false,
        }
    }

    pub(super) async fn send(&mut self, fragment: &[u8], to: u16) -> Result<(), MasterError> {
        let mut octets = Vec::new();
        let control = LinkControl::new(true, LinkFunction::UnconfirmedUserData, false, false);
        let header = LinkHeader { control, destination: LinkAddress(to), source: LinkAddress(self.own) };
        for segment in segments(fragment, self.transport_sequence) {
            header.emit(&segment, &mut octets);
            self.transport_sequence = (self.transport_sequence + 1) & 0x3f;
        }
        self.send_octets(&octets).await
    }

    pub(super) async fn ask_status(&mut self) -> Result<(), MasterError> {
        self.status_came = false;
        let mut octets = Vec::new();
        let control = LinkControl::new(true, LinkFunction::RequestLinkStatus, false, false);
        LinkHeader { control, destination: LinkAddress(self.peer), source: LinkAddress(self.own) }
            .emit(&[], &mut octets);
        self.send_octets(&octets).await
    }

    pub(super) async fn send_octets(&mut self, octets: &[u8]) -> Result<(), MasterError> {
        let sent = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        sent.await.map_err(failure)
    }

    pub(super) async fn next_fragment<C: Clock>(
        &mut self,
        clock: &C,
        until: VirtualTime,
    ) -> Result<Option<Vec<u8>>, MasterError> {
        loop {
            if let Some(fragment) = self.fragments.pop_front() {
                return Ok(Some(fragment));
            }
            if !self.read(clock, until).await? {
                return Ok(None);
            }
        }
    }

    pub(super) async fn await_status<C: Clock>(
        &mut self,
        clock: &C,
        until: VirtualTime,
    ) -> Result<bool, MasterError> {
        while !self.status_came {
            if !self.read(clock, until).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes what there is; false where nothing comes until then.
    async fn read<C: Clock>(&mut self, clock: &C, until: VirtualTime) -> Result<bool, MasterError> {
        let mut chunk = [0; 4096];
        let outcome = {
            let mut reading = pin!(self.stream.read(&mut chunk));
            let mut due = clock.sleep_until(until);
            poll_fn(|cx| match Pin::new(&mut reading).poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                Poll::Pending => due.poll_unpin(cx).map(|()| None),
            })
            .await
        };
        let count = match outcome {
            None => return Ok(false),
            Some(Ok(0)) => return Err(MasterError::Closed),
            Some(Ok(count)) => count,
            Some(Err(error)) => return Err(failure(error)),
        };
        let mut framer = std::mem::take(&mut self.framer);
        framer.push(chunk.get(..count).unwrap_or_default(), |header, data| self.take(header, data));
        self.framer = framer;
        if !self.answers.is_empty() {
            let answers = std::mem::take(&mut self.answers);
            self.send_octets(&answers).await?;
        }
        Ok(true)
    }

    fn take(&mut self, header: LinkHeader, data: &[u8]) {
        let ours = header.destination.0 == self.own && header.source.0 == self.peer;
        if !ours || header.control.from_master() {
            return;
        }
        let answer = match header.control.function() {
            Some(LinkFunction::LinkStatus) => {
                self.status_came = true;
                return;
            }
            Some(LinkFunction::UnconfirmedUserData) => {
                let room = self.fragments.len() < FRAGMENTS_MAX;
                if let Some(fragment) = self.reassembly.push(data, FRAGMENT_MAX).fragment.filter(|_| room) {
                    self.fragments.push_back(fragment.to_vec());
                }
                return;
            }
            Some(LinkFunction::RequestLinkStatus) => LinkFunction::LinkStatus,
            Some(LinkFunction::ResetLink) => LinkFunction::Ack,
            _ => return,
        };
        let control = LinkControl::new(true, answer, false, false);
        LinkHeader { control, destination: header.source, source: LinkAddress(self.own) }
            .emit(&[], &mut self.answers);
    }
}

/// A connection that the other end gave up is closed, however the stream says it.
fn failure(error: io::Error) -> MasterError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            MasterError::Closed
        }
        kind => MasterError::Io { kind },
    }
}
