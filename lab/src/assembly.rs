//! One lab put together: network, plant, controllers, actors.
//!
//! # Theory of operation
//! Everything runs as tasks of one kernel, on one thread:
//! - the *plant* advances one step at each multiple of its step length, then reports to whoever watches;
//! - each *controller* scans at its own period, reads instruments and commands actuators through its wires;
//! - each controller's Modbus *server* and DNP3 *outstation* take connections from the virtual network, and PLC-2 polls PLC-3;
//! - the *actors* of the scenario talk to controllers over the network and nothing else;
//! - the *rule interface* of the firewall waits for whoever has a key.
//!
//! Twins of a run are assembled from the same plan with another cast and without watchers, so that watching can
//! never change what happens.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use net::{Kernel, KernelConfig, KernelError, NetError, Network};
use plcs::outstation::SharedOutstation;
use plcs::{Controller, Handle, KeySwitch, PeerPoint, poll_peer, run_outstation, run_server};
use record::{Clock, VirtualTime};
use scenarios::{Cast, Plan, PlantFault, Stage};
use sim::{HarmReport, Plant, PlantEvent};
use site::{FileError, Site};

use crate::journal::Journal;
use crate::services;
use crate::services::desk::Desk;
use crate::wiring::{Cable, ServicePort, SharedPlant, Wires, WiringError};

/// Port on which controllers serve Modbus/TCP.
const MODBUS_PORT: u16 = 502;
/// Port on which controllers are DNP3 outstations.
const DNP3_PORT: u16 = 20_000;
/// Connections that may wait at a controller's port to be accepted.
const ACCEPT_BACKLOG: usize = 8;

/// Demand follows the time of day at which the run starts.
const SECONDS_PER_DAY: u64 = 86_400;

/// Why a lab cannot be put together or run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Wiring(#[from] WiringError),
    #[error(transparent)]
    Controller(#[from] plcs::ControllerError),
    #[error(transparent)]
    Signal(#[from] plcs::MissingSignal),
    #[error(transparent)]
    Fault(#[from] sim::FaultError),
    #[error(
        "the scenario sets {tag} at the start, but no controller has it\n  fix: name a tag that a controller takes"
    )]
    Preset { tag: String },
    #[error("host {host}: port {port} is taken")]
    Port { host: String, port: u16 },
    #[error("the run ended early: {0}")]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Stage(#[from] scenarios::StageError),
}

/// Gets the state of the lab after each step of the plant in which its instruments looked.
pub(crate) type StepWatcher = Box<dyn FnMut(VirtualTime, &Plant, &Controllers)>;

/// Who watches a run. Nothing here can act.
#[derive(Default)]
pub(crate) struct Watchers {
    pub(crate) journal: Option<Journal>,
    pub(crate) each_step: Vec<StepWatcher>,
}

/// The controllers of a lab by device name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Controllers(BTreeMap<String, Handle>);

impl Controllers {
    /// The controller of this name.
    pub(crate) fn get(&self, device: &str) -> Option<&Handle> {
        self.0.get(device)
    }

    /// Present value of a signal of any of them.
    pub(crate) fn find(&self, tag: &str) -> Option<f64> {
        self.0.values().find_map(|handle| handle.snapshot(tag))
    }

    fn preset_target(&self, tag: &str) -> bool {
        self.0.values().any(|handle| handle.signal(tag).is_some())
    }
}

/// A lab that stands and can run.
pub(crate) struct Assembly {
    pub(crate) kernel: Kernel,
    pub(crate) network: Network,
    pub(crate) plant: SharedPlant,
    pub(crate) stage: Stage,
    pub(crate) desk: Rc<Desk>,
    plant_events: Rc<RefCell<Vec<PlantEvent>>>,
}

impl Assembly {
    /// Puts a lab together for a plan and a cast.
    pub(crate) fn new(plan: &Plan, cast: &Cast, site: &Site, watchers: Watchers) -> Result<Self, LabError> {
        let mut kernel = Kernel::new(KernelConfig::new(plan.seed, plan.start));
        let network = net::build(&mut kernel, site)?;
        for host in &plan.hosts {
            kernel.add_host(host)?;
        }
        let mut plant = Plant::named(&plan.plant, plan.seed)?;
        plant.start_patterns_at(plan.start.unix_nanos(VirtualTime::ZERO) / 1_000_000_000 % SECONDS_PER_DAY);
        let plant: SharedPlant = Rc::new(RefCell::new(plant));
        let controllers = install_controllers(plan, site, &kernel, &network, &plant)?;
        if let Some(journal) = watchers.journal.clone() {
            kernel.on_firewall_event(Box::new(move |event| journal.firewall(event)));
        }
        let stage = scenarios::stage(plan, cast, &network, &kernel.spawner(), &kernel.clock(), site)?;
        let (firewall, journal) = (network.firewall(), watchers.journal.clone());
        let desk = Rc::new(Desk::new(site, plan.seed, plan.start, firewall, kernel.clock(), journal));
        services::serve(&kernel, &network, desk.clone());
        services::serve_remote_desktop(&kernel, &network, site);
        let plant_events: Rc<RefCell<Vec<PlantEvent>>> = Rc::default();
        let faults = FaultSchedule::new(plan.faults(cast), plan)?;
        let task = PlantTask {
            plant: plant.clone(),
            controllers,
            stage: stage.clone(),
            faults,
            events: plant_events.clone(),
            watchers,
        };
        kernel.spawner().spawn("plant", task.run(kernel.clock()));
        Ok(Self { kernel, network, plant, stage, desk, plant_events })
    }

    /// What the plant reported, alarms and crossed limits included, in order.
    pub(crate) fn plant_events(&self) -> Vec<PlantEvent> {
        self.plant_events.borrow().clone()
    }

    /// What the run has cost so far.
    pub(crate) fn harm(&self) -> HarmReport {
        self.plant.borrow().harm()
    }
}

fn install_controllers(
    plan: &Plan,
    site: &Site,
    kernel: &Kernel,
    network: &Network,
    plant: &SharedPlant,
) -> Result<Controllers, LabError> {
    let mut controllers = Controllers::default();
    for device in &site.devices {
        let name = device.name.get_ref();
        let host_name = device.host.get_ref();
        let wires = Wires::join(device, plant)?;
        let mut controller = Controller::for_device(device, wires, kernel.clock())?;
        let handle = controller.handle();
        for preset in plan.presets.iter().filter(|preset| handle.signal(&preset.tag).is_some()) {
            controller.preset(&preset.tag, preset.value)?;
        }
        if plan.keys_in_program.contains(name) {
            handle.turn_key(KeySwitch::Program);
        }
        // The site file was checked: every device stands on a host of it.
        let Some(host) = network.host(host_name) else { continue };
        let listen = |port| {
            let listener = host.listen(port, ACCEPT_BACKLOG);
            listener.map(ServicePort).map_err(|_| LabError::Port { host: host_name.clone(), port })
        };
        if device.speaks_modbus() {
            let (handle, clock, port) = (handle.clone(), kernel.clock(), listen(MODBUS_PORT)?);
            kernel.spawner().spawn(&format!("{host_name} server"), async move {
                run_server(handle, clock, port).await;
            });
        }
        if let Some(outstation) = handle.outstation() {
            let now = kernel.clock().now();
            let unix_ms = plan.start.unix_nanos(now) / 1_000_000;
            outstation.with(|outstation, _| outstation.start_clock(now, unix_ms));
            let (handle, clock, port) = (handle.clone(), kernel.clock(), listen(DNP3_PORT)?);
            kernel.spawner().spawn(&format!("{host_name} outstation"), async move {
                run_outstation(handle, clock, port).await;
            });
        }
        kernel.spawner().spawn(&format!("{host_name} scan"), controller.run());
        controllers.0.insert(name.clone(), handle);
    }
    if let Some(preset) = plan.presets.iter().find(|preset| !controllers.preset_target(&preset.tag)) {
        return Err(LabError::Preset { tag: preset.tag.clone() });
    }
    install_level_link(site, kernel, network, &controllers)?;
    Ok(controllers)
}

/// PLC-2 gets the tower tank's level from PLC-3 over the network.
fn install_level_link(
    site: &Site,
    kernel: &Kernel,
    network: &Network,
    controllers: &Controllers,
) -> Result<(), LabError> {
    const TARGET: &str = "TANK.LEVEL";
    const SOURCE: &str = "LIT-401";
    let taker = site.devices.iter().find(|device| device.entry(TARGET, |_| true).is_some());
    let giver = site.devices.iter().find(|device| device.inputs.iter().any(|tag| tag.get_ref() == SOURCE));
    let (Some(taker), Some(giver)) = (taker, giver) else { return Ok(()) };
    let point = PeerPoint::of(giver, SOURCE, TARGET)?;
    let hosts = (network.host(taker.host.get_ref()), network.host(giver.host.get_ref()));
    if let (Some(handle), (Some(from), Some(to))) = (controllers.get(taker.name.get_ref()), hosts) {
        let cable = Cable { from, to: std::net::SocketAddrV4::new(to.address(), MODBUS_PORT) };
        let (handle, clock) = (handle.clone(), kernel.clock());
        let name = format!("{} peer", taker.host.get_ref());
        kernel.spawner().spawn(&name, async move {
            // The link never ends; a signal that the controller lacks is a mistake in its logic.
            let Err(missing) = poll_peer(handle, clock, cable, point).await;
            panic!("{missing}");
        });
    }
    Ok(())
}

/// Faults of a plan, applied when their time comes.
struct FaultSchedule {
    /// By time: begins (true) or ends.
    changes: Vec<(VirtualTime, bool, PlantFault)>,
    next: usize,
}

impl FaultSchedule {
    /// Tries every fault on a plant of its own before the run begins.
    fn new(faults: Vec<PlantFault>, plan: &Plan) -> Result<Self, LabError> {
        let mut trial = Plant::named(&plan.plant, plan.seed)?;
        let mut changes = Vec::new();
        for fault in faults {
            trial.start_fault(&fault.kind, &fault.tag, &params(&fault))?;
            if let Some(until) = fault.until {
                changes.push((until, false, fault.clone()));
            }
            changes.push((fault.at, true, fault));
        }
        changes.sort_by(|a, b| (a.0, a.1, &a.2.step).cmp(&(b.0, b.1, &b.2.step)));
        Ok(Self { changes, next: 0 })
    }

    fn apply(&mut self, now: VirtualTime, plant: &mut Plant) {
        while let Some((at, begins, fault)) = self.changes.get(self.next)
            && *at <= now
        {
            self.next += 1;
            let outcome = if *begins {
                plant.start_fault(&fault.kind, &fault.tag, &params(fault))
            } else {
                plant.clear_fault(&fault.kind, &fault.tag)
            };
            // Every fault was begun on a trial plant; a panic here ends the run with its record marked.
            if let Err(error) = outcome {
                panic!("fault {} cannot be applied: {error}", fault.step);
            }
        }
    }
}

fn params(fault: &PlantFault) -> Vec<(&str, f64)> {
    fault.params.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

/// Moves the plant.
struct PlantTask {
    plant: SharedPlant,
    controllers: Controllers,
    stage: Stage,
    faults: FaultSchedule,
    events: Rc<RefCell<Vec<PlantEvent>>>,
    watchers: Watchers,
}

impl PlantTask {
    async fn run(mut self, clock: impl Clock) {
        let step = self.plant.borrow().step_length();
        let mut next = clock.now();
        loop {
            next += step;
            clock.sleep_until(next).await;
            self.step(next);
        }
    }

    fn step(&mut self, now: VirtualTime) {
        let events = {
            let mut plant = self.plant.borrow_mut();
            self.faults.apply(now, &mut plant);
            plant.step();
            plant.drain_events()
        };
        if let Some(journal) = &self.watchers.journal {
            for event in &events {
                journal.plant(event);
            }
            for (device, handle) in &self.controllers.0 {
                for event in handle.drain_events() {
                    journal.controller(device, &event);
                }
                let outstation = handle.outstation();
                let notices = outstation.map(|it| it.with(|outstation, _| outstation.drain_notices()));
                for notice in notices.into_iter().flatten() {
                    journal.outstation(device, &notice);
                }
            }
            for entry in self.stage.drain_journal() {
                journal.report(entry.t, entry.source, entry.kind, entry.data);
            }
            journal.flush_before(now);
        }
        self.events.borrow_mut().extend(events);
        let plant = self.plant.borrow();
        // Between two looks of the instruments there is nothing new to see.
        if !now.as_nanos().is_multiple_of(plant.measure_interval().as_nanos() as u64) {
            return;
        }
        for watcher in &mut self.watchers.each_step {
            watcher(now, &plant, &self.controllers);
        }
    }
}
