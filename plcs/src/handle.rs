//! What everybody but the scan holds of a controller.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use record::VirtualTime;
use wire::modbus::mbap::Adu;

use crate::core::{Core, Offered};
use crate::event::{ControllerEvent, EventKind};
use crate::image::SignalId;
use crate::mode::{KeySwitch, Mode};
use crate::outstation::OutstationHandle;

/// How a controller's scans have gone so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanStatistics {
    /// Scans.
    pub scans: u64,
    /// Requests taken from the queue, those without an answer included.
    pub served: u64,
    /// Requests that had to wait for one more scan, counted once for every scan they waited.
    pub deferred: u64,
    /// Requests refused with exception 6 because the queue was full.
    pub refused_busy: u64,
    /// Requests that waited at once, at most.
    pub queue_longest: usize,
    /// Connections reset because there was no room for them.
    pub connections_refused: u64,
}

/// A controller as its connections, its peer link, the person at the cabinet and the lab see it. Cheap to clone; of one
/// thread.
#[derive(Clone)]
pub struct Handle(Rc<RefCell<Core>>);

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0.borrow().name).finish()
    }
}

impl Handle {
    pub(crate) fn new(core: Core) -> Self {
        Self(Rc::new(RefCell::new(core)))
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Core) -> T) -> T {
        work(&mut self.0.borrow_mut())
    }

    /// The device's name in the site file.
    pub fn name(&self) -> String {
        self.with(|core| core.name.clone())
    }

    /// The signal with this tag, to be kept for [`Handle::value`].
    pub fn signal(&self, tag: &str) -> Option<SignalId> {
        self.with(|core| core.image.signal(tag))
    }

    /// A signal of this controller, in engineering units, as the latest scan left it.
    pub fn value(&self, signal: SignalId) -> f64 {
        self.with(|core| core.image.get(signal))
    }

    /// The same by tag.
    pub fn snapshot(&self, tag: &str) -> Option<f64> {
        self.with(|core| core.image.signal(tag).map(|signal| core.image.get(signal)))
    }

    /// All signals by tag: inputs, outputs, the rest of the register map, then what the logic declared.
    pub fn snapshot_all(&self) -> Vec<(String, f64)> {
        self.with(|core| core.image.iter().map(|(tag, value)| (tag.to_owned(), value)).collect())
    }

    /// Hands in a value from a peer controller; the image takes it with the inputs of the next scan.
    pub fn deliver(&self, signal: SignalId, value: f64) {
        self.with(|core| core.deliver(signal, value));
    }

    /// What the controller does with its logic.
    pub fn mode(&self) -> Mode {
        self.with(|core| core.mode)
    }

    /// Sets the mode from the cabinet, whatever the key says.
    pub fn set_mode(&self, mode: Mode) {
        self.with(|core| core.set_mode(mode));
    }

    /// Where the key stands.
    pub fn key_switch(&self) -> KeySwitch {
        self.with(|core| core.key)
    }

    /// Turns the key. To *stop* stops the logic, away from it starts it.
    pub fn turn_key(&self, key: KeySwitch) {
        self.with(|core| core.set_key(key));
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.with(|core| core.connections())
    }

    /// How the scans have gone so far.
    pub fn statistics(&self) -> ScanStatistics {
        self.with(|core| core.statistics)
    }

    /// Events since the last drain, oldest first; at most the latest 4096.
    pub fn drain_events(&self) -> Vec<ControllerEvent> {
        self.with(|core| core.events.drain())
    }

    /// The DNP3 side of the controller, where its device has a point map.
    pub fn outstation(&self) -> Option<OutstationHandle> {
        self.with(|core| core.outstation.clone())
    }

    /// Takes a place among the connections; `None` where all are taken.
    pub(crate) fn admit(&self, at: VirtualTime, peer: SocketAddr) -> Option<Place> {
        let admitted = self.with(|core| {
            let admitted = core.admit();
            if !admitted {
                core.refused(at, peer);
            }
            admitted
        });
        admitted.then(|| Place { handle: self.clone(), peer })
    }
}

/// A place among the connections of a controller, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    handle: Handle,
    peer: SocketAddr,
}

impl Place {
    pub(crate) fn offer(&self, adu: Adu<'_>) -> Offered {
        self.handle.with(|core| core.offer(adu))
    }

    /// An ADU of another protocol passed by.
    pub(crate) fn foreign(&self) {
        self.handle.with(|core| core.communication.overheard());
    }

    pub(crate) fn framing_lost(&self, at: VirtualTime) {
        let kind = EventKind::FramingLost { peer: self.peer };
        self.handle.with(|core| core.connection_event(at, kind, true));
    }

    pub(crate) fn timed_out(&self, at: VirtualTime, within_adu: bool) {
        let kind = EventKind::TimedOut { peer: self.peer, within_adu };
        self.handle.with(|core| core.connection_event(at, kind, within_adu));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.handle.with(Core::leave);
    }
}
