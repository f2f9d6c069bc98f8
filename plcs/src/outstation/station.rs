//! What all masters of an outstation share: points, clock, switches, and what the device does when it is told to.

use std::collections::VecDeque;
use std::time::Duration;

use record::VirtualTime;
use site::PointKind as PointType;
use site::dnp3::{ControlModel, Outstation as Map};
use wire::dnp3::object::CommandStatus;
use wire::dnp3::{EventClass, Iin, LinkAddress};

use super::database::Database;
use super::events::Occurrence;

/// What a binary output is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryAction {
    /// Be on, or closed.
    On,
    /// Be off, or open (trip).
    Off,
    /// Be on for `on`, then off for `off`, so many times.
    Pulse {
        /// Time on.
        on: Duration,
        /// Time off between two pulses.
        off: Duration,
        /// How often, at least once.
        count: u8,
        /// The trip output rather than the close output, where there are two.
        trip: bool,
    },
    /// Stop what is under way.
    Cancel,
}

/// A command that the point's model takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// To a binary output.
    Binary {
        /// Its index.
        index: u16,
        /// What to do.
        action: BinaryAction,
    },
    /// To an analog output.
    Analog {
        /// Its index.
        index: u16,
        /// The setpoint, in the point's unit.
        value: f64,
    },
}

/// How a device restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Restart {
    /// As from power up.
    Cold,
    /// The DNP3 application alone.
    Warm,
}

/// What an outstation acts on: the process behind its outputs.
pub trait Process {
    /// Whether a command would be carried out now. Asked for a select; nothing happens.
    fn judge(&mut self, action: &Action) -> CommandStatus;

    /// Carries a command out.
    fn operate(&mut self, action: &Action) -> CommandStatus;

    /// The device restarts.
    fn restart(&mut self, restart: Restart);
}

/// Something that an outstation did because a master said so, for the journal of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Notice {
    /// When.
    pub at: VirtualTime,
    /// Who said so, by link address; anybody can use any address.
    pub master: LinkAddress,
    /// What.
    pub what: NoticeKind,
}

/// Kinds of [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoticeKind {
    /// A command was carried out, or refused.
    Operated {
        /// The command.
        action: Action,
        /// What became of it.
        status: CommandStatus,
    },
    /// The device restarts.
    Restarted(Restart),
    /// The clock was set, to milliseconds since 1970.
    TimeSet(u64),
    /// Unsolicited responses were enabled or disabled for some classes.
    Unsolicited {
        /// Enabled.
        enabled: bool,
    },
    /// Points were assigned to a class, or to none.
    ClassAssigned,
    /// Deadbands were written.
    DeadbandWritten,
    /// Counters were frozen, and cleared where this is true.
    Frozen(bool),
}

/// Notices that are kept at most.
const NOTICES_MAX: usize = 1024;

/// The device's clock: set by a master, running by itself in between.
#[derive(Clone, Copy, Debug)]
struct DeviceClock {
    set_at: VirtualTime,
    unix_ms: u64,
    synchronised: bool,
    needed: bool,
}

/// The shared part.
#[derive(Clone, Debug)]
pub(crate) struct Station {
    pub(crate) map: Map,
    pub(crate) database: Database,
    /// Vendor, product and so on, by variation of group 0.
    pub(crate) attributes: Vec<(u8, Vec<u8>)>,
    clock: DeviceClock,
    pub(crate) local: bool,
    pub(crate) trouble: bool,
    pub(crate) config_corrupt: bool,
    pub(crate) notices: VecDeque<Notice>,
    /// Events that requests have made, for every master.
    pub(crate) occurred: Vec<(EventClass, Occurrence)>,
    /// Asked for by a master, to be done once the answer is out.
    pub(crate) restart: Option<Restart>,
}

impl Station {
    pub(crate) fn new(map: &Map, now: VirtualTime, unix_ms: u64) -> Self {
        Self {
            map: map.clone(),
            database: Database::of(map),
            attributes: Vec::new(),
            clock: DeviceClock { set_at: now, unix_ms, synchronised: false, needed: true },
            local: false,
            trouble: false,
            config_corrupt: false,
            notices: VecDeque::new(),
            occurred: Vec::new(),
            restart: None,
        }
    }

    /// Milliseconds since 1970 by the device's clock.
    pub(crate) fn unix_ms(&self, now: VirtualTime) -> u64 {
        let since = now.since(self.clock.set_at).as_millis();
        self.clock.unix_ms.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }

    pub(crate) fn is_synchronised(&self) -> bool {
        self.clock.synchronised
    }

    pub(crate) fn start_clock(&mut self, now: VirtualTime, unix_ms: u64) {
        (self.clock.set_at, self.clock.unix_ms) = (now, unix_ms);
    }

    pub(crate) fn set_clock(&mut self, now: VirtualTime, unix_ms: u64) {
        self.clock = DeviceClock { set_at: now, unix_ms, synchronised: true, needed: false };
    }

    /// The clock runs on through a restart, but is not trusted any more.
    pub(crate) fn doubt_clock(&mut self) {
        self.clock.synchronised = false;
        self.clock.needed = true;
    }

    /// Indications that are the same for all masters.
    pub(crate) fn indications(&mut self, now: VirtualTime) -> Iin {
        let period = Duration::from_secs(self.map.settings.time_sync_s);
        if self.clock.synchronised && !period.is_zero() && now.since(self.clock.set_at) >= period {
            self.clock.needed = true;
        }
        let set = |on: bool, bit: Iin| if on { bit } else { Iin::default() };
        set(self.clock.needed, Iin::NEED_TIME)
            .with(set(self.local, Iin::LOCAL_CONTROL))
            .with(set(self.trouble, Iin::DEVICE_TROUBLE))
            .with(set(self.config_corrupt, Iin::CONFIG_CORRUPT))
    }

    pub(crate) fn note(&mut self, at: VirtualTime, master: u16, what: NoticeKind) {
        if self.notices.len() >= NOTICES_MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(Notice { at, master: LinkAddress(master), what });
    }

    pub(crate) fn model(&self, index: u16) -> Option<ControlModel> {
        self.map.point(PointType::BinaryOutput, index).map(|entry| entry.model)
    }

    pub(crate) fn confirm_timeout(&self) -> Duration {
        Duration::from_millis(self.map.settings.confirm_timeout_ms)
    }
}
