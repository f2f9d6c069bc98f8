//! A staged scenario on a network of small devices, in virtual time, with a capture.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use net::{Kernel, KernelConfig, Network, PcapngWriter};
use record::{TruthStep, VirtualTime};
use scenarios::{Cast, JournalEntry, Plan, Scenario, Stage, stage};
use site::Table;

use crate::device::TinyDevice;

pub(crate) struct Run {
    pub(crate) kernel: Kernel,
    pub(crate) stage: Stage,
    pub(crate) plan: Plan,
    pub(crate) network: Network,
    pub(crate) devices: BTreeMap<String, TinyDevice>,
    pub(crate) capture: Rc<RefCell<Option<PcapngWriter<Vec<u8>>>>>,
}

impl Run {
    pub(crate) fn new(name: &str, seed: u64, settings: &[(&str, &str)], cast: &Cast) -> Self {
        let settings = settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Self::of(&Scenario::named(name).unwrap(), seed, &settings, cast)
    }

    pub(crate) fn of(
        scenario: &Scenario,
        seed: u64,
        settings: &BTreeMap<String, String>,
        cast: &Cast,
    ) -> Self {
        let plan = scenario.plan(seed, settings, false).unwrap();
        let mut kernel = Kernel::new(KernelConfig { confine: false, ..KernelConfig::new(seed, plan.start) });
        let network = net::build(&mut kernel, scenario.site()).unwrap();
        for host in &plan.hosts {
            kernel.add_host(host).unwrap();
        }
        let capture = Rc::new(RefCell::new(Some(PcapngWriter::new(Vec::new(), "control").unwrap())));
        let into = capture.clone();
        let start = plan.start;
        let consumer = move |t, _: u64, octets: &[u8]| {
            if let Some(capture) = into.borrow_mut().as_mut() {
                capture.write(start.unix_nanos(t), octets).unwrap();
            }
        };
        network.mirror("control", Box::new(consumer));
        let (spawner, clock) = (kernel.spawner(), kernel.clock());
        let devices: BTreeMap<_, _> = scenario
            .site()
            .devices
            .iter()
            .map(|device| {
                let tiny = TinyDevice::start(device, &network, &spawner, &clock);
                for entry in &device.registers {
                    if entry.table.is_bits() {
                        let usual = ["P-301.MODE", "TANK.COMM"].contains(&entry.tag.get_ref().as_str());
                        tiny.set(entry.table, *entry.address.get_ref(), u16::from(usual));
                    }
                }
                (device.name.get_ref().clone(), tiny)
            })
            .collect();
        devices["PLC-1"].set(Table::Holding, 40, 100);
        // PLC-2's link to PLC-3, so that somebody else holds a connection there.
        let (peer, site, peer_clock) =
            (network.host("plc-2").unwrap(), scenario.site().clone(), clock.clone());
        spawner.spawn("peer", async move { poll_peer(peer, &site, peer_clock).await });
        let stage = stage(&plan, cast, &network, &spawner, &clock, scenario.site()).unwrap();
        Self { kernel, stage, plan, network, devices, capture }
    }

    pub(crate) fn until(&mut self, seconds: u64) {
        self.kernel.run_until(VirtualTime::from_secs(seconds)).unwrap();
    }

    pub(crate) fn finish(&mut self) -> (Vec<TruthStep>, Vec<JournalEntry>) {
        self.kernel.run_until(self.plan.end).unwrap();
        (self.stage.truth(), self.stage.drain_journal())
    }

    pub(crate) fn step(&self, id: &str) -> TruthStep {
        self.stage.truth().into_iter().find(|step| step.step == id).unwrap_or_else(|| panic!("no step {id}"))
    }

    /// Octets of the capture so far; ends it.
    pub(crate) fn captured(&self) -> Vec<u8> {
        self.capture.borrow_mut().take().unwrap().finish().unwrap()
    }
}

async fn poll_peer(host: net::Host, site: &site::Site, clock: net::KernelClock) {
    use record::Clock;
    let to = std::net::SocketAddrV4::new(*site.host("plc-3").unwrap().address.get_ref(), 502);
    let settings = clients::SessionSettings {
        unit: wire::modbus::UnitId(3),
        answer_limit: std::time::Duration::from_secs(1),
        connect_limit: std::time::Duration::from_secs(1),
        backoff_first: std::time::Duration::from_secs(1),
        backoff_max: std::time::Duration::from_secs(5),
    };
    let connect = move || {
        let host = host.clone();
        async move { host.connect(to).await }
    };
    let mut session = clients::ModbusSession::new(connect, clock.clone(), settings);
    loop {
        let _ = session.read_input_registers(wire::modbus::RegisterAddress(0), 1).await;
        clock.sleep(std::time::Duration::from_secs(1)).await;
    }
}
