//! The wires: instruments to controller inputs, controller outputs to actuators, controllers to the network.
//!
//! This is what an electrician would do on site. Controllers never see the plant, and the plant never sees a
//! controller: each pair of terminals is joined here by its tag.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::rc::Rc;

use net::{Host, Listener, VirtualStream};
use plcs::{Accept, FieldWiring};
use sim::{ActuatorIndex, InstrumentIndex, Plant, SwitchIndex};
use site::Device;

/// The plant as everybody in a lab shares it; of one thread.
pub(crate) type SharedPlant = Rc<RefCell<Plant>>;

/// Why a device cannot be wired to a plant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WiringError {
    /// The plant has no such terminal.
    #[error(
        "{device} is wired to {tag}, but the plant has no such {what}\n  fix: add it to the plant file, or take it off the device's list in the site file"
    )]
    NoTerminal {
        /// The device.
        device: String,
        /// The tag.
        tag: String,
        /// `instrument or switch`, `actuator`.
        what: &'static str,
    },
}

enum Input {
    Instrument(InstrumentIndex),
    Switch(SwitchIndex),
}

/// The wires of one controller.
pub(crate) struct Wires {
    plant: SharedPlant,
    inputs: Vec<Input>,
    outputs: Vec<ActuatorIndex>,
}

impl Wires {
    /// Joins a device's inputs and outputs to the plant's terminals of the same tags.
    pub(crate) fn join(device: &Device, plant: &SharedPlant) -> Result<Self, WiringError> {
        let borrowed = plant.borrow();
        let missing = |tag: &str, what| WiringError::NoTerminal {
            device: device.name.get_ref().clone(),
            tag: tag.to_owned(),
            what,
        };
        let inputs = device
            .inputs
            .iter()
            .map(|tag| {
                let tag = tag.get_ref();
                let instrument = borrowed.instrument_index(tag).map(Input::Instrument);
                let input = instrument.or_else(|| borrowed.switch_index(tag).map(Input::Switch));
                input.ok_or_else(|| missing(tag, "instrument or switch"))
            })
            .collect::<Result<_, _>>()?;
        let outputs = device
            .outputs
            .iter()
            .map(|tag| {
                borrowed.actuator_index(tag.get_ref()).ok_or_else(|| missing(tag.get_ref(), "actuator"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { plant: plant.clone(), inputs, outputs })
    }
}

impl FieldWiring for Wires {
    fn read(&mut self, input: usize) -> f64 {
        let plant = self.plant.borrow();
        match self.inputs.get(input) {
            Some(Input::Instrument(index)) => plant.read(*index),
            Some(Input::Switch(index)) => f64::from(u8::from(plant.is_made(*index))),
            None => 0.0,
        }
    }

    fn write(&mut self, output: usize, value: f64) {
        if let Some(index) = self.outputs.get(output) {
            self.plant.borrow_mut().command(*index, value);
        }
    }
}

/// A controller's port on the virtual network.
pub(crate) struct ServicePort(pub(crate) Listener);

impl Accept for ServicePort {
    type Stream = VirtualStream;

    async fn accept(&mut self) -> io::Result<(VirtualStream, SocketAddr)> {
        let stream = self.0.accept().await;
        let peer = SocketAddr::V4(stream.peer());
        Ok((stream, peer))
    }

    fn refuse(&mut self, stream: VirtualStream) {
        stream.abort();
    }
}

/// One host's way to one server.
#[derive(Clone, Debug)]
pub(crate) struct Cable {
    pub(crate) from: Host,
    pub(crate) to: SocketAddrV4,
}

impl clients::Connect for Cable {
    type Stream = VirtualStream;

    async fn connect(&self) -> io::Result<VirtualStream> {
        self.from.connect(self.to).await
    }
}
