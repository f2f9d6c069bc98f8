//! What can be done on the network: the verbs of a scenario file.
//!
//! The same enum serves twice: read from a file its values are [`Term`]s, in a [`crate::Plan`] they are numbers and
//! lengths of time. A deed says which host acts and what it touches, never how it is to be judged.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use record::EntityId;
use serde::Deserialize;
use serde_spanned::Spanned;
use site::Site;

use crate::span::Term;

/// A name in a file, with its place for the error.
pub type Name = Spanned<String>;

/// One value for one tag.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write<V = f64> {
    /// Tag of the site file.
    pub tag: Name,
    /// Value in the tag's unit, or one of its states.
    pub value: V,
}

/// One request of a DNP3 master. Commands name an output by the tag that it reports.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MasterRequest<V = f64, D = Duration> {
    /// Selects outputs, then operates them (IEEE 1815-2012, 4.4.4).
    Select(Vec<Write<V>>),
    /// Operates outputs without a select.
    Direct(Vec<Write<V>>),
    /// Operates outputs without a select and without an answer.
    DirectNoAck(Vec<Write<V>>),
    /// Reads everything.
    Integrity,
    /// Forbids unsolicited responses of every class.
    DisableUnsolicited,
    /// Allows unsolicited responses of every class.
    EnableUnsolicited,
    /// Restarts the device whole.
    ColdRestart,
    /// Restarts the device's application.
    WarmRestart,
    /// No request: waits before the next.
    Wait(D),
}

impl<V, D> MasterRequest<V, D> {
    /// What it commands.
    pub fn writes(&self) -> &[Write<V>] {
        match self {
            Self::Select(writes) | Self::Direct(writes) | Self::DirectNoAck(writes) => writes,
            _ => &[],
        }
    }
}

/// Something that an actor does. `V` is a value, `D` a length of time.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Deed<V = f64, D = Duration> {
    /// Asks every address of a range for its ports, one address after the other.
    Sweep {
        /// Host that does it.
        from: Name,
        /// First address.
        first: Spanned<Ipv4Addr>,
        /// Last address.
        last: Spanned<Ipv4Addr>,
        /// Ports tried at each address that answers.
        ports: Vec<u16>,
        /// Time between two addresses.
        pause: D,
    },
    /// Asks a controller who it is: functions 43/14 and 17.
    Identify {
        /// Host that does it.
        from: Name,
        /// Controllers, in order, each over a connection of its own.
        devices: Vec<Name>,
    },
    /// Reads through a controller's tables until it says that they end.
    Survey {
        /// Host that does it.
        from: Name,
        /// Controllers, in order.
        devices: Vec<Name>,
        /// Time between two requests.
        pause: D,
    },
    /// Takes every connection that a controller has to give and keeps it.
    Exhaust {
        /// Host that does it.
        from: Name,
        /// The controller.
        device: Name,
        /// For how long; until the end of the run where it is left out.
        #[serde(default = "none")]
        lasts: Option<D>,
    },
    /// Writes straight to the controllers that take the tags, over connections of its own.
    Write {
        /// Host that does it.
        from: Name,
        /// In order.
        writes: Vec<Write<V>>,
        /// Written again after so long, over and over.
        #[serde(default = "none")]
        every: Option<D>,
        /// For how long it goes on; needed with `every`.
        #[serde(default = "none")]
        lasts: Option<D>,
        /// Time between two writes, each of which then has a connection of its own, as an entry at the operator station has.
        #[serde(default = "none")]
        pause: Option<D>,
    },
    /// Requests of a DNP3 master to one outstation: over the session that the front end keeps, where the host is the front
    /// end's, else over a connection of its own, under the address of the outstation's first master.
    Master {
        /// Host that makes them.
        from: Name,
        /// The outstation.
        device: Name,
        /// In order.
        requests: Vec<MasterRequest<V, D>>,
    },
    /// A remote session to a desktop.
    RemoteSession {
        /// Host that opens it.
        from: Name,
        /// Host whose screen it shows.
        to: Name,
        /// How long it stays.
        lasts: D,
    },
    /// Uses an open remote session to make the operator station write.
    RemoteWrite {
        /// Step or event that opened the session.
        session: Name,
        /// In order.
        writes: Vec<Write<V>>,
    },
    /// The operator enters values at the operator station.
    Operate {
        /// In order.
        writes: Vec<Write<V>>,
    },
    /// The operator trims a setpoint to a value near the middle of a range, drawn for each occurrence.
    Trim {
        /// The setpoint.
        tag: Name,
        /// Lowest value.
        low: f64,
        /// Highest value.
        high: f64,
        /// Distance between two values.
        step: f64,
    },
    /// Somebody works on a controller from the engineering workstation.
    Maintain {
        /// Engineering workstation.
        from: Name,
        /// Host from which somebody sits down at it over the network, if anybody does.
        #[serde(default)]
        via: Option<Name>,
        /// The controller.
        device: Name,
        /// What is entered, spread over the time.
        #[serde(default = "Vec::new")]
        writes: Vec<Write<V>>,
        /// How long it takes.
        lasts: D,
    },
    /// Somebody at the engineering workstation stops a controller with the vendor's function 90. Whether it obeys, its key
    /// switch decides.
    Halt {
        /// Engineering workstation.
        from: Name,
        /// Host from which somebody sits down at it over the network, if anybody does.
        #[serde(default)]
        via: Option<Name>,
        /// The controller.
        device: Name,
        /// After how long it is started again; not at all where it is left out.
        #[serde(default = "none")]
        lasts: Option<D>,
    },
    /// The historian's service stops and starts again.
    RestartHistorian {
        /// How long it is gone.
        lasts: D,
    },
    /// Something in the plant breaks.
    PlantFault {
        /// Kind of fault in the plant file.
        kind: Name,
        /// What breaks.
        tag: Name,
        /// How long it stays broken; until the end of the run where it is left out.
        #[serde(default = "none")]
        lasts: Option<D>,
        /// How long it takes until it shows in the values.
        shows_after: D,
        /// Particulars, as the plant file names them.
        #[serde(default = "BTreeMap::new")]
        with: BTreeMap<String, V>,
    },
}

/// What is left out. A function, so that nothing need have a default of its own.
fn none<T>() -> Option<T> {
    None
}

/// Works out the value of a term for a tag.
pub(crate) type ValueOf<'a, E> = dyn FnMut(&str, &Spanned<Term>) -> Result<f64, E> + 'a;
/// Works out the length of time of a term.
pub(crate) type SpanOf<'a, E> = dyn FnMut(&Spanned<Term>) -> Result<Duration, E> + 'a;

impl Deed<Spanned<Term>, Spanned<Term>> {
    /// The same deed with every value and length of time worked out.
    pub(crate) fn resolve<E>(&self, value: &mut ValueOf<'_, E>, span: &mut SpanOf<'_, E>) -> Result<Deed, E> {
        let mut each = |writes: &[Write<Spanned<Term>>]| {
            writes
                .iter()
                .map(|w| Ok(Write { tag: w.tag.clone(), value: value(w.tag.get_ref(), &w.value)? }))
                .collect::<Result<Vec<_>, E>>()
        };
        Ok(match self {
            Self::Sweep { from, first, last, ports, pause } => Deed::Sweep {
                from: from.clone(),
                first: first.clone(),
                last: last.clone(),
                ports: ports.clone(),
                pause: span(pause)?,
            },
            Self::Identify { from, devices } => {
                Deed::Identify { from: from.clone(), devices: devices.clone() }
            }
            Self::Survey { from, devices, pause } => {
                Deed::Survey { from: from.clone(), devices: devices.clone(), pause: span(pause)? }
            }
            Self::Exhaust { from, device, lasts } => Deed::Exhaust {
                from: from.clone(),
                device: device.clone(),
                lasts: lasts.as_ref().map(span).transpose()?,
            },
            Self::Write { from, writes, every, lasts, pause } => Deed::Write {
                from: from.clone(),
                writes: each(writes)?,
                every: every.as_ref().map(&mut *span).transpose()?,
                lasts: lasts.as_ref().map(&mut *span).transpose()?,
                pause: pause.as_ref().map(span).transpose()?,
            },
            Self::Master { from, device, requests } => Deed::Master {
                from: from.clone(),
                device: device.clone(),
                requests: requests
                    .iter()
                    .map(|request| {
                        Ok(match request {
                            MasterRequest::Select(writes) => MasterRequest::Select(each(writes)?),
                            MasterRequest::Direct(writes) => MasterRequest::Direct(each(writes)?),
                            MasterRequest::DirectNoAck(writes) => MasterRequest::DirectNoAck(each(writes)?),
                            MasterRequest::Integrity => MasterRequest::Integrity,
                            MasterRequest::DisableUnsolicited => MasterRequest::DisableUnsolicited,
                            MasterRequest::EnableUnsolicited => MasterRequest::EnableUnsolicited,
                            MasterRequest::ColdRestart => MasterRequest::ColdRestart,
                            MasterRequest::WarmRestart => MasterRequest::WarmRestart,
                            MasterRequest::Wait(term) => MasterRequest::Wait(span(term)?),
                        })
                    })
                    .collect::<Result<_, E>>()?,
            },
            Self::RemoteSession { from, to, lasts } => {
                Deed::RemoteSession { from: from.clone(), to: to.clone(), lasts: span(lasts)? }
            }
            Self::RemoteWrite { session, writes } => {
                Deed::RemoteWrite { session: session.clone(), writes: each(writes)? }
            }
            Self::Operate { writes } => Deed::Operate { writes: each(writes)? },
            Self::Trim { tag, low, high, step } => {
                Deed::Trim { tag: tag.clone(), low: *low, high: *high, step: *step }
            }
            Self::Maintain { from, via, device, writes, lasts } => Deed::Maintain {
                from: from.clone(),
                via: via.clone(),
                device: device.clone(),
                writes: each(writes)?,
                lasts: span(lasts)?,
            },
            Self::Halt { from, via, device, lasts } => Deed::Halt {
                from: from.clone(),
                via: via.clone(),
                device: device.clone(),
                lasts: lasts.as_ref().map(span).transpose()?,
            },
            Self::RestartHistorian { lasts } => Deed::RestartHistorian { lasts: span(lasts)? },
            Self::PlantFault { kind, tag, lasts, shows_after, with } => Deed::PlantFault {
                kind: kind.clone(),
                tag: tag.clone(),
                lasts: lasts.as_ref().map(&mut *span).transpose()?,
                shows_after: span(shows_after)?,
                with: with
                    .iter()
                    .map(|(name, term)| Ok((name.clone(), value("", term)?)))
                    .collect::<Result<_, E>>()?,
            },
        })
    }
}

impl<V, D> Deed<V, D> {
    /// Hosts it names.
    pub fn hosts(&self) -> Vec<&Name> {
        match self {
            Self::Sweep { from, .. }
            | Self::Identify { from, .. }
            | Self::Survey { from, .. }
            | Self::Exhaust { from, .. }
            | Self::Write { from, .. }
            | Self::Master { from, .. } => vec![from],
            Self::RemoteSession { from, to, .. } => vec![from, to],
            Self::Maintain { from, via, .. } | Self::Halt { from, via, .. } => {
                std::iter::once(from).chain(via).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Controllers it names.
    pub fn devices(&self) -> Vec<&Name> {
        match self {
            Self::Identify { devices, .. } | Self::Survey { devices, .. } => devices.iter().collect(),
            Self::Exhaust { device, .. }
            | Self::Maintain { device, .. }
            | Self::Master { device, .. }
            | Self::Halt { device, .. } => vec![device],
            _ => Vec::new(),
        }
    }

    /// What it writes or commands.
    pub fn writes(&self) -> Vec<&Write<V>> {
        match self {
            Self::Write { writes, .. }
            | Self::RemoteWrite { writes, .. }
            | Self::Operate { writes }
            | Self::Maintain { writes, .. } => writes.iter().collect(),
            Self::Master { requests, .. } => requests.iter().flat_map(MasterRequest::writes).collect(),
            _ => Vec::new(),
        }
    }

    /// Host that acts, as far as the deed says; writes of the operator station come from `station`.
    pub(crate) fn source(&self, station: &str) -> Option<EntityId> {
        match self {
            Self::Operate { .. } | Self::Trim { .. } | Self::RemoteWrite { .. } => {
                Some(EntityId::host(station))
            }
            Self::RestartHistorian { .. } | Self::PlantFault { .. } => None,
            _ => self.hosts().first().map(|host| EntityId::host(host.get_ref().as_str())),
        }
    }

    /// The asset it is done to.
    pub(crate) fn target(&self, site: &Site, historian: &str) -> Option<EntityId> {
        if let Some(device) = self.devices().first() {
            return Some(EntityId::device(device.get_ref().as_str()));
        }
        let taken_by = |tag: &Name| {
            site.device_that_takes(tag.get_ref()).map(|d| EntityId::device(d.name.get_ref().as_str()))
        };
        match self {
            Self::RemoteSession { to, .. } => Some(EntityId::host(to.get_ref().as_str())),
            Self::RestartHistorian { .. } => Some(EntityId::host(historian)),
            Self::PlantFault { tag, .. } => Some(EntityId::point(tag.get_ref().as_str())),
            Self::Trim { tag, .. } => taken_by(tag),
            _ => self.writes().first().and_then(|write| taken_by(&write.tag)),
        }
    }

    /// Points and further assets it touches, without repetition, at most `limit`.
    pub(crate) fn points(&self, limit: usize) -> Vec<EntityId> {
        let mut points: Vec<EntityId> = Vec::new();
        let tags = self.writes().into_iter().map(|write| EntityId::point(write.tag.get_ref().as_str()));
        let others = self.devices().into_iter().skip(1).map(|d| EntityId::device(d.get_ref().as_str()));
        let trimmed = match self {
            Self::Trim { tag, .. } => Some(EntityId::point(tag.get_ref().as_str())),
            _ => None,
        };
        for point in tags.chain(others).chain(trimmed) {
            if points.len() < limit && !points.contains(&point) {
                points.push(point);
            }
        }
        points
    }
}
