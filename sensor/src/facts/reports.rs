//! Reports that were switched off: unsolicited responses disabled (function 21) and not enabled again (20).
//!
//! # Theory of operation
//! A master that starts says 21, reads what there is, and says 20 within seconds (IEEE 1815-2012, 4.1.9 on start-up). What
//! does not follow can only be told once it should have: after [`PATIENCE`], or when the outstation restarts meanwhile,
//! because what follows then is the start-up after that restart. Whether the outstation's answer to the 21 said that it
//! had just restarted (IIN1.7) is kept, as is who left reports off while the sensor learnt. So does a master that
//! connects again start up, which excuses a 21 that began the connection before, and no other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use indexmap::IndexMap;
use wire::dnp3::{FunctionCode, LinkHeader};

use crate::flow::ConnId;

/// Time in which reports are enabled again, nanoseconds.
const PATIENCE: u64 = 30 * 1_000_000_000;
/// Masters with their outstations that are watched at a time, and that are known to leave reports off.
const WATCHED_MAX: usize = 1024;

/// Outstation and master, each with its link address.
type Key = ((IpAddr, u16), (IpAddr, u16));

/// A request, as far as it may concern reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReportsRequest {
    pub(crate) at: u64,
    pub(crate) frame: u64,
    pub(crate) id: ConnId,
    pub(crate) master: IpAddr,
    pub(crate) outstation: IpAddr,
    pub(crate) link: LinkHeader,
    /// The first request of its connection.
    pub(crate) first: bool,
}

#[derive(Clone, Copy, Debug)]
struct Off {
    at: u64,
    frame: u64,
    id: ConnId,
    /// It began its connection.
    first: bool,
    /// Whether the answer to it said that the outstation had restarted; `None` before it answered.
    after_restart: Option<bool>,
    /// When the outstation or the master started up while they were off.
    ended: Option<u64>,
}

/// Reports that stayed off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReportsOff {
    /// The frame that switched them off.
    pub(crate) frame: u64,
    pub(crate) id: ConnId,
    pub(crate) master: IpAddr,
    pub(crate) outstation: IpAddr,
    /// Nanoseconds that they have been off.
    pub(crate) off: u64,
    /// The outstation had just restarted when they were switched off.
    pub(crate) after_restart: bool,
    /// The outstation or the master started up while they were off.
    pub(crate) ended: bool,
    /// This master left them off while the sensor learnt.
    pub(crate) learnt: bool,
}

/// Who switched whose reports off.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    off: IndexMap<Key, Off, foldhash::fast::RandomState>,
    learnt: BTreeSet<Key>,
}

impl Reports {
    /// A master asked something.
    pub(crate) fn request(&mut self, request: &ReportsRequest, function: FunctionCode) {
        let &ReportsRequest { at, frame, id, master, outstation, link, first } = request;
        let key = ((outstation, link.destination.0), (master, link.source.0));
        match function {
            FunctionCode::ENABLE_UNSOLICITED if self.off.get(&key).is_some_and(|off| off.ended.is_none()) => {
                self.off.swap_remove(&key);
            }
            FunctionCode::DISABLE_UNSOLICITED
                if self.off.len() < WATCHED_MAX || self.off.contains_key(&key) =>
            {
                let new = Off { at, frame, id, first, after_restart: None, ended: None };
                let off = self.off.entry(key).or_insert(new);
                if off.id.uid == id.uid || off.ended.is_some() {
                    return;
                }
                if off.first {
                    *off = new;
                } else if first {
                    off.ended = Some(at);
                }
            }
            _ => {}
        }
    }

    /// An outstation said something: whether that it has restarted.
    pub(crate) fn response(&mut self, outstation: (IpAddr, u16), restarted: bool, at: u64) {
        for (_, off) in self.off.iter_mut().filter(|(key, _)| key.0 == outstation) {
            if !*off.after_restart.get_or_insert(restarted) && restarted {
                off.ended.get_or_insert(at);
            }
        }
    }

    /// The reports that have been off for too long by now, or until their outstation restarted.
    pub(crate) fn due(&mut self, now: u64, learning: bool) -> Vec<ReportsOff> {
        let mut due = Vec::new();
        let is_due = |off: &Off| off.ended.is_some() || now.saturating_sub(off.at) >= PATIENCE;
        if !self.off.values().any(is_due) {
            return due;
        }
        let learnt = &mut self.learnt;
        self.off.retain(|key, off| {
            if !is_due(off) {
                return true;
            }
            let after_restart = off.after_restart.unwrap_or(false);
            due.push(ReportsOff {
                frame: off.frame,
                id: off.id,
                master: key.1.0,
                outstation: key.0.0,
                off: off.ended.unwrap_or(now).saturating_sub(off.at),
                after_restart,
                ended: off.ended.is_some(),
                learnt: learnt.contains(key),
            });
            if learning && off.ended.is_none() && learnt.len() < WATCHED_MAX {
                learnt.insert(*key);
            }
            false
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Proto, Uid};
    use wire::dnp3::{LinkAddress, LinkControl};

    const SECOND: u64 = 1_000_000_000;
    const OFF: FunctionCode = FunctionCode::DISABLE_UNSOLICITED;
    const ON: FunctionCode = FunctionCode::ENABLE_UNSOLICITED;

    fn at(second: u64) -> ReportsRequest {
        let (master, outstation) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 7]));
        let link =
            LinkHeader { control: LinkControl(0xc4), destination: LinkAddress(7), source: LinkAddress(1) };
        let uid = Uid::new(master, outstation, Proto::Tcp, 20_000, 1);
        let id = ConnId { uid, orig: (master, 50_000), resp: (outstation, 20_000) };
        ReportsRequest { at: second * SECOND, frame: second, id, master, outstation, link, first: false }
    }

    fn answer(reports: &mut Reports, restarted: bool, second: u64) {
        reports.response((IpAddr::from([10, 0, 0, 7]), 7), restarted, second * SECOND);
    }

    #[test]
    fn a_master_that_starts_is_silent_for_seconds() {
        let mut reports = Reports::default();
        reports.request(&at(1), OFF);
        answer(&mut reports, false, 1);
        reports.request(&at(4), ON);
        assert_eq!(reports.due(100 * SECOND, false), []);
    }

    #[test]
    fn reports_that_stay_off_are_told_with_their_frame() {
        let mut reports = Reports::default();
        reports.request(&at(1), OFF);
        answer(&mut reports, false, 1);
        reports.request(&at(9), OFF);
        assert_eq!(reports.due(30 * SECOND, false), []);
        let due = reports.due(31 * SECOND, false);
        assert_eq!((due.len(), due[0].frame, due[0].after_restart, due[0].learnt), (1, 1, false, false));
        assert_eq!(reports.due(90 * SECOND, false), [], "told once");
    }

    #[test]
    fn a_restart_does_not_excuse_what_was_before_it() {
        let mut reports = Reports::default();
        reports.request(&at(1), OFF);
        answer(&mut reports, false, 1);
        answer(&mut reports, true, 15);
        reports.request(&at(16), OFF);
        reports.request(&at(17), ON);
        let due = reports.due(17 * SECOND, false);
        assert_eq!((due[0].frame, due[0].ended, due[0].off), (1, true, 14 * SECOND));
        reports.request(&at(20), OFF);
        answer(&mut reports, true, 20);
        answer(&mut reports, true, 21);
        assert!(reports.due(60 * SECOND, false)[0].after_restart);
    }

    /// The same master in another connection.
    fn again(second: u64) -> ReportsRequest {
        let mut request = ReportsRequest { first: true, ..at(second) };
        request.id.uid = Uid::new(request.master, request.outstation, Proto::Tcp, 20_000, second);
        request
    }

    #[test]
    fn a_new_connection_excuses_a_start_that_broke_off_and_nothing_else() {
        let mut reports = Reports::default();
        reports.request(&again(1), OFF);
        reports.request(&again(20), OFF);
        reports.request(&again(21), ON);
        assert_eq!(reports.due(60 * SECOND, false), []);
        reports.request(&at(70), OFF);
        reports.request(&again(84), OFF);
        reports.request(&again(85), ON);
        let due = reports.due(85 * SECOND, false);
        assert_eq!((due.len(), due[0].frame, due[0].off), (1, 70, 14 * SECOND));
    }

    #[test]
    fn who_never_wants_reports_is_learnt() {
        let mut reports = Reports::default();
        reports.request(&at(1), OFF);
        assert!(!reports.due(40 * SECOND, true)[0].learnt);
        reports.request(&at(50), OFF);
        assert!(reports.due(90 * SECOND, false)[0].learnt);
    }
}
