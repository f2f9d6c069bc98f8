//! The link layer of an outstation: who is meant, and the secondary station's states (IEEE 1815-2012, clause 9).
//!
//! # Stated policies
//! - *Not from a master*, to another address, from a reserved address: silence.
//! - *Frame count valid* must be set for test and confirmed data and must not for all others; otherwise silence, and
//!   likewise for functions that are none. The published conformance procedures (6.6.2.2, 6.6.2.5) allow for nothing more.
//! - *Confirmed data or a test before a reset*: NACK. With the frame count bit of the frame before: acknowledged again,
//!   and not taken again.
//! - *Broadcast*: user data alone; no frame to a broadcast address is ever answered.

use wire::dnp3::{LinkAddress, LinkFunction, LinkHeader};

/// States of the secondary station towards one master.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LinkStates {
    /// The frame count bit that comes next; `None` before a reset.
    expected: Option<bool>,
}

/// What a frame calls for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// To be answered with this.
    pub(crate) answer: Option<LinkFunction>,
    /// Its user data is to be taken.
    pub(crate) take: bool,
}

impl LinkStates {
    /// Judges a frame from the master that these states belong to.
    pub(crate) fn judge(&mut self, header: LinkHeader) -> Verdict {
        let (silence, control) = (Verdict::default(), header.control);
        let Some(function) = control.function() else { return silence };
        let counted = matches!(function, LinkFunction::TestLink | LinkFunction::ConfirmedUserData);
        if control.is_primary() && control.fcv() != counted {
            return silence;
        }
        if header.destination.is_broadcast() {
            return Verdict { answer: None, take: control.has_user_data() };
        }
        let answer = |answer, take| Verdict { answer: Some(answer), take };
        match function {
            LinkFunction::ResetLink => {
                self.expected = Some(true);
                answer(LinkFunction::Ack, false)
            }
            LinkFunction::RequestLinkStatus => answer(LinkFunction::LinkStatus, false),
            LinkFunction::UnconfirmedUserData => Verdict { answer: None, take: true },
            LinkFunction::TestLink | LinkFunction::ConfirmedUserData => match self.expected {
                None => answer(LinkFunction::Nack, false),
                Some(expected) => {
                    let fresh = control.fcb() == expected;
                    self.expected = Some(!control.fcb());
                    answer(LinkFunction::Ack, fresh && function == LinkFunction::ConfirmedUserData)
                }
            },
            LinkFunction::Ack
            | LinkFunction::Nack
            | LinkFunction::LinkStatus
            | LinkFunction::NotSupported => silence,
        }
    }
}

/// For whom a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addressed {
    Us,
    All,
    Others,
}

pub(crate) fn addressed(destination: LinkAddress, own: u16, takes_self_address: bool) -> Addressed {
    if destination.is_broadcast() {
        Addressed::All
    } else if destination.0 == own || (takes_self_address && destination.is_self()) {
        Addressed::Us
    } else {
        Addressed::Others
    }
}
