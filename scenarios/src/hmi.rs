//! The operator station: polls every controller, shows values and alarms, and writes what the operator enters.
//!
//! # Theory of operation
//! One task polls one controller over one connection that it keeps, each on a phase of its own. What the answers hold
//! is the station's view; an alarm bit that comes up is shown, and the operator acknowledges it after a while. A
//! controller that does not answer three times in a row is shown as lost.
//!
//! Values that are entered leave on a connection that is opened for them and closed after them, so that an entry
//! never waits for a poll and never alters one: its place in time is its own. Commands to outstations leave by the session
//! that `front_end` keeps.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Duration;

use net::Host;
use record::{Clock, EventSource, KeyedStream, VirtualTime};
use serde_json::json;
use site::{Device, RegisterEntry, TagKind};

use crate::chronicle::{Act, Sign};
use crate::deed::Write;
use crate::front_end::{self, Line, Polling};
use crate::poller::{Block, Rhythm, mode_blocks, read_block, screen_blocks};
use crate::scene::{MODBUS_PORT, Scene, Way, write_entry};

/// Modes are read in every so-many-th cycle.
const MODE_CYCLES: u64 = 5;
/// Failures in a row after which a controller is shown as lost.
const LOST_AFTER: u32 = 3;
/// Status that is an alarm when it is 0.
const LINK_STATUS: &str = "TANK.COMM";

/// What the operator sees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HmiView {
    /// Tag to last value and the time at which it was read.
    pub values: BTreeMap<String, (f64, VirtualTime)>,
    /// Alarms, oldest first. Those that went away and were acknowledged are gone.
    pub alarms: Vec<HmiAlarm>,
    /// Controllers that do not answer.
    pub lost: Vec<String>,
}

/// One line of the alarm list.
#[derive(Clone, Debug, PartialEq)]
pub struct HmiAlarm {
    /// Its tag, or the controller that is lost.
    pub tag: String,
    /// When it was shown.
    pub since: VirtualTime,
    /// Whether it still stands.
    pub is_standing: bool,
    /// Whether the operator acknowledged it.
    pub is_acknowledged: bool,
}

impl HmiView {
    /// Last value of a tag.
    pub fn value(&self, tag: &str) -> Option<f64> {
        self.values.get(tag).map(|(value, _)| *value)
    }
}

/// What a value means as an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    Plain,
    AlarmWhenOn,
    AlarmWhenOff,
}

/// The station.
#[derive(Clone)]
pub(crate) struct Hmi {
    pub(crate) scene: Scene,
    pub(crate) host: Host,
    pub(crate) view: Rc<RefCell<HmiView>>,
    /// Sessions to outstations, by controller.
    pub(crate) lines: Rc<RefCell<BTreeMap<String, Line>>>,
    /// A person sits here: alarms wait for them.
    pub(crate) is_attended: Rc<Cell<bool>>,
}

impl Hmi {
    pub(crate) fn new(scene: Scene, host: Host) -> Self {
        Self { scene, host, view: Rc::default(), lines: Rc::default(), is_attended: Rc::default() }
    }

    /// Starts polling every controller of the site that answers Modbus.
    pub(crate) fn start(&self, period: Duration) {
        for device in self.scene.site.devices.iter().filter(|device| device.speaks_modbus()) {
            self.start_polling(device, period);
        }
    }

    /// Starts as a front end: a session to each outstation, polls of every other controller.
    pub(crate) fn start_front_end(&self, devices: &[&Device], polling: Polling) {
        for device in devices {
            if device.outstation.is_some() {
                front_end::keep(self, device, polling);
            } else {
                self.start_polling(device, polling.events);
            }
        }
    }

    fn start_polling(&self, device: &Device, period: Duration) {
        let (hmi, device) = (self.clone(), device.clone());
        let name = format!("hmi polls {}", device.name.get_ref());
        self.scene.spawner.clone().spawn(&name, async move { hmi.poll(&device, period).await });
    }

    async fn poll(&self, device: &Device, period: Duration) {
        let name = device.name.get_ref();
        let Some((_, to)) = self.scene.device(name) else { return };
        let limit = period.min(Duration::from_secs(1));
        let mut session = self.scene.session(&self.host, device, to, limit);
        let mut rhythm = Rhythm::new(self.scene.seed, self.host.name(), name, period);
        let (screen, modes) =
            (self.with_senses(screen_blocks(device)), self.with_senses(mode_blocks(device)));
        let clock = self.scene.clock.clone();
        let mut failures = 0;
        for n in 0_u64.. {
            let due = VirtualTime::ZERO + rhythm.due(n);
            if due < clock.now() {
                continue;
            }
            clock.sleep_until(due).await;
            let with_modes = n.is_multiple_of(MODE_CYCLES);
            for (block, senses) in screen.iter().chain(modes.iter().filter(|_| with_modes)) {
                match read_block(&mut session, block).await {
                    Ok(words) => {
                        if failures >= LOST_AFTER {
                            self.found_again(name);
                        }
                        failures = 0;
                        for ((tag, value), sense) in block.decode(device, &words).zip(senses) {
                            self.show(tag, value, *sense);
                        }
                    }
                    Err(clients::ClientError::Exception(_)) => {}
                    Err(_) => {
                        failures += 1;
                        if failures == LOST_AFTER {
                            self.lose(name);
                        }
                        break;
                    }
                }
            }
        }
    }

    /// What a value of a tag means as an alarm.
    pub(crate) fn sense(&self, tag: &str) -> Sense {
        match self.scene.site.tag(tag).map(|tag| tag.kind) {
            Some(TagKind::Alarm) => Sense::AlarmWhenOn,
            Some(_) if tag == LINK_STATUS => Sense::AlarmWhenOff,
            _ => Sense::Plain,
        }
    }

    /// What each value of the blocks means as an alarm: looked up once, not in every cycle.
    fn with_senses(&self, blocks: Vec<Block>) -> Vec<(Block, Vec<Sense>)> {
        blocks
            .into_iter()
            .map(|block| {
                let senses = block.tags.iter().map(|(tag, ..)| self.sense(tag)).collect();
                (block, senses)
            })
            .collect()
    }

    pub(crate) fn show(&self, tag: &str, value: f64, sense: Sense) {
        let now = self.scene.clock.now();
        let before = {
            let mut view = self.view.borrow_mut();
            if let Some(shown) = view.values.get_mut(tag) {
                Some(std::mem::replace(shown, (value, now)).0)
            } else {
                view.values.insert(tag.to_owned(), (value, now));
                None
            }
        };
        let stands = |value: f64| (value != 0.0) == (sense == Sense::AlarmWhenOn);
        if sense != Sense::Plain && before.is_none_or(|before| stands(before) != stands(value)) {
            if stands(value) { self.raise(tag) } else { self.clear(tag) }
        }
        if self.scene.chronicle.awaits_screen() {
            self.scene.chronicle.screen_shows(tag, value);
        }
    }

    pub(crate) fn lose(&self, device: &str) {
        self.view.borrow_mut().lost.push(device.to_owned());
        self.scene.chronicle.screen_lost(device);
        self.raise(device);
    }

    pub(crate) fn found_again(&self, device: &str) {
        self.view.borrow_mut().lost.retain(|lost| lost != device);
        self.clear(device);
    }

    fn raise(&self, tag: &str) {
        let now = self.scene.clock.now();
        let mut view = self.view.borrow_mut();
        if view.alarms.iter().any(|alarm| alarm.tag == tag && alarm.is_standing) {
            return;
        }
        view.alarms.retain(|alarm| alarm.tag != tag);
        let alarm = HmiAlarm { tag: tag.to_owned(), since: now, is_standing: true, is_acknowledged: false };
        view.alarms.push(alarm);
        drop(view);
        self.scene.chronicle.report(EventSource::Actor, "alarm.shown", json!({ "tag": tag }));
        let mut thinking = KeyedStream::new(self.scene.seed, "operator", &format!("acknowledges {tag}"));
        let delay = Duration::from_millis(12_000 + thinking.below(now.as_nanos() / 1_000_000_000, 40_000));
        let (hmi, tag) = (self.clone(), tag.to_owned());
        self.scene.spawner.spawn("operator acknowledges", async move {
            hmi.scene.clock.sleep(delay).await;
            if !hmi.is_attended.get() {
                hmi.acknowledge(&tag, now);
            }
        });
    }

    /// Acknowledges the alarm that a tag shows now. False where it shows none that waits for it.
    pub(crate) fn acknowledge_shown(&self, tag: &str) -> bool {
        let since = {
            let view = self.view.borrow();
            view.alarms.iter().find(|a| a.tag == tag && !a.is_acknowledged).map(|alarm| alarm.since)
        };
        since.inspect(|since| self.acknowledge(tag, *since)).is_some()
    }

    fn acknowledge(&self, tag: &str, since: VirtualTime) {
        let mut view = self.view.borrow_mut();
        let waits = |a: &&mut HmiAlarm| a.tag == tag && a.since == since && !a.is_acknowledged;
        let Some(alarm) = view.alarms.iter_mut().find(waits) else { return };
        alarm.is_acknowledged = true;
        view.alarms.retain(|alarm| alarm.is_standing || !alarm.is_acknowledged);
        drop(view);
        self.scene.chronicle.report(EventSource::Actor, "alarm.acknowledged", json!({ "tag": tag }));
    }

    fn clear(&self, tag: &str) {
        let mut view = self.view.borrow_mut();
        let Some(alarm) = view.alarms.iter_mut().find(|a| a.tag == tag && a.is_standing) else { return };
        alarm.is_standing = false;
        view.alarms.retain(|alarm| alarm.is_standing || !alarm.is_acknowledged);
        drop(view);
        self.scene.chronicle.report(EventSource::Actor, "alarm.cleared", json!({ "tag": tag }));
    }

    /// Enters values, one after the other: one connection per Modbus controller, opened for the entry; the standing session to an
    /// outstation.
    pub(crate) async fn enter(&self, act: &Act, values: &[(String, f64)]) {
        let host = self.host.used_by(&act.event().id);
        for (tag, value) in values {
            match self.scene.taker(tag) {
                Some((device, Way::Output(point))) => {
                    let line = self.lines.borrow().get(device.name.get_ref()).cloned();
                    let request =
                        front_end::usual_request(point, Write { tag: point.tag.clone(), value: *value });
                    let outcome = front_end::hand_in(line, act, vec![request]).await;
                    front_end::report(act, tag, *value, &outcome);
                }
                Some((device, Way::Register(entry))) => {
                    let Some(to) = self.scene.address_of(device, MODBUS_PORT) else { continue };
                    self.write(&host, act, device, entry, to, *value).await;
                }
                None => {}
            }
        }
        self.scene.untag_later(act).await;
    }

    async fn write(
        &self,
        host: &Host,
        act: &Act,
        device: &Device,
        entry: &RegisterEntry,
        to: SocketAddrV4,
        value: f64,
    ) {
        let tag = entry.tag.get_ref();
        let written = async {
            let mut client = self.scene.dial(host, act, device, to).await?;
            write_entry(&mut client, entry, value).await
        }
        .await;
        if written.is_ok() {
            act.in_the_log();
            act.awaits(Sign::Value { tag: tag.clone(), value: entry.decode(entry.encode(value)) });
        }
        act.end();
        front_end::report(act, tag, value, &[written.is_ok()]);
    }
}
