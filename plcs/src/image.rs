//! The image: a controller's own copy of its signals.
//!
//! Every signal has a tag and a value in engineering units; a state is 0 or 1. Tags are resolved to a [`SignalId`]
//! once, when a controller is built; a scan works with indexes alone.

use std::collections::BTreeMap;

use site::Device;

/// The place of one signal in the image that gave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalId(usize);

/// Logic asks for a signal that the device's wiring and register map do not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{device} has no signal {tag}: neither wired nor in its register map")]
pub struct MissingSignal {
    /// The device.
    pub device: String,
    /// The tag that was asked for.
    pub tag: String,
}

/// All signals of one controller: its inputs, its outputs, every tag of its register map, and what its logic declares.
#[derive(Clone, Debug)]
pub struct Image {
    device: String,
    tags: Vec<String>,
    values: Vec<f64>,
    initial: Vec<f64>,
    by_tag: BTreeMap<String, SignalId>,
    watched: Vec<SignalId>,
}

impl Image {
    /// The image of a device, all signals 0: inputs first, then outputs, then the rest of the register map and the point
    /// map.
    pub fn of(device: &Device) -> Self {
        let mut image = Self {
            device: device.name.get_ref().clone(),
            tags: Vec::new(),
            values: Vec::new(),
            initial: Vec::new(),
            by_tag: BTreeMap::new(),
            watched: Vec::new(),
        };
        let wired = device.inputs.iter().chain(&device.outputs);
        for tag in wired.chain(device.registers.iter().map(|entry| &entry.tag)) {
            image.declare(tag.get_ref());
        }
        for tag in device.points.iter().flat_map(site::PointEntry::tags) {
            image.declare(tag.get_ref());
        }
        image
    }

    /// The signal with this tag; a new one with value 0 where there is none yet.
    pub fn declare(&mut self, tag: &str) -> SignalId {
        if let Some(&id) = self.by_tag.get(tag) {
            return id;
        }
        let id = SignalId(self.tags.len());
        self.tags.push(tag.to_owned());
        self.values.push(0.0);
        self.initial.push(0.0);
        self.by_tag.insert(tag.to_owned(), id);
        id
    }

    /// The signal with this tag.
    pub fn signal(&self, tag: &str) -> Option<SignalId> {
        self.by_tag.get(tag).copied()
    }

    /// The signal with this tag, which the caller cannot do without.
    pub fn require(&self, tag: &str) -> Result<SignalId, MissingSignal> {
        self.signal(tag).ok_or_else(|| MissingSignal { device: self.device.clone(), tag: tag.to_owned() })
    }

    /// Sets what a signal is now and after every restart.
    pub fn set_initial(&mut self, id: SignalId, value: f64) {
        self.initial[id.0] = value;
        self.values[id.0] = value;
    }

    /// Changes of this signal between 0 and 1 become events of the controller.
    pub fn watch(&mut self, id: SignalId) {
        if !self.watched.contains(&id) {
            self.watched.push(id);
        }
    }

    /// A signal's value in engineering units. `id` must come from this image or one of the same device.
    pub fn get(&self, id: SignalId) -> f64 {
        self.values[id.0]
    }

    /// Whether a state is 1.
    pub fn is_on(&self, id: SignalId) -> bool {
        self.values[id.0] >= 0.5
    }

    /// Sets a signal in engineering units.
    pub fn set(&mut self, id: SignalId, value: f64) {
        self.values[id.0] = value;
    }

    /// Sets a state.
    pub fn set_on(&mut self, id: SignalId, on: bool) {
        self.values[id.0] = f64::from(u8::from(on));
    }

    /// A signal's tag.
    pub fn tag(&self, id: SignalId) -> &str {
        &self.tags[id.0]
    }

    /// Tags and values, in the order of the image.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> + '_ {
        self.tags.iter().map(String::as_str).zip(self.values.iter().copied())
    }

    pub(crate) fn watched(&self) -> &[SignalId] {
        &self.watched
    }

    /// Back to the initial values, but for what is retained and what the wires say.
    pub(crate) fn restart(&mut self, retained: &[SignalId], inputs: &[SignalId]) {
        for (index, value) in self.values.iter_mut().enumerate() {
            let id = SignalId(index);
            if !retained.contains(&id) && !inputs.contains(&id) {
                *value = self.initial[index];
            }
        }
    }
}
