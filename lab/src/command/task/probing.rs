//! Probes of a site's network with other firewall rules: real connections of its hosts in a lab of its own.

use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use clients::{ClientError, ModbusClient};
use net::{Host, KernelClock, ProbeResult, ProbeStyle};
use quizzes::task::{ModbusProbe, Probe, ProbeOutcome, Reach};
use record::{Clock, VirtualTime, with_timeout};
use scenarios::{Cast, Difficulty};
use site::{FirewallRule, Site};
use wire::modbus::{FunctionCode, UnitId};

use crate::assembly::{Assembly, Watchers};
use crate::cli::WhichRun;
use crate::kernel_thread::on_kernel_thread;
use crate::order::order;

/// Scenario whose ordinary traffic runs beside the probes: the firewall is tried at work. One per site.
const BESIDE: [(&str, &str); 2] = [("waterworks", "first-shift"), ("power", "switching-order")];
/// Silence of so long counts as blocked.
const PATIENCE: Duration = Duration::from_secs(5);
/// When the probes begin: controllers and pollers are at work.
const BEGIN: VirtualTime = VirtualTime::from_secs(20);
/// Between two probes.
const PAUSE: Duration = Duration::from_secs(1);

/// What each probe finds on a site's network that has these rules and no others.
pub(super) fn probe(site: &str, rules: Vec<FirewallRule>, probes: &[Probe]) -> Result<Vec<ProbeOutcome>> {
    let (_, scenario) = BESIDE
        .iter()
        .find(|(name, _)| *name == site)
        .with_context(|| format!("no ordinary traffic is known for the site {site:?}"))?;
    let ordered = order(
        scenario,
        &WhichRun { seed: 1, blind: false, settings: Vec::new(), level: Difficulty::default() },
    )?;
    let site = Site { firewall: rules, ..Site::clone(&ordered.order.site) };
    let plan = ordered.order.plan;
    on_kernel_thread(|| -> Result<Vec<ProbeOutcome>> {
        let mut assembly = Assembly::new(&plan, &Cast::clean(), &site, Watchers::default())?;
        let clock = assembly.kernel.clock();
        let ways = probes.iter().map(|probe| way(&assembly, &site, probe)).collect::<Result<Vec<_>>>()?;
        let outcomes: Rc<RefCell<Vec<ProbeOutcome>>> = Rc::default();
        let shared = outcomes.clone();
        let asked: Vec<Option<ModbusProbe>> = probes.iter().map(|probe| probe.modbus).collect();
        assembly.kernel.spawner().spawn("probes", async move {
            clock.sleep_until(BEGIN).await;
            for (way, modbus) in ways.iter().zip(asked) {
                let outcome = way.try_it(&clock, modbus).await;
                shared.borrow_mut().push(outcome);
                clock.sleep(PAUSE).await;
            }
        });
        let longest = (PATIENCE * 2 + PAUSE) * u32::try_from(probes.len()).unwrap_or(u32::MAX);
        assembly.kernel.run_until(BEGIN + longest)?;
        drop(assembly);
        Ok(outcomes.take())
    })
}

/// From where to where.
struct Way {
    from: Host,
    to: SocketAddrV4,
    unit: u8,
}

fn way(assembly: &Assembly, site: &Site, probe: &Probe) -> Result<Way> {
    let host =
        |name: &str| assembly.network.host(name).with_context(|| format!("the site has no host {name:?}"));
    let to = host(&probe.to)?;
    let unit = site.device_on(to.name()).map_or(1, |device| device.unit_id);
    Ok(Way {
        from: host(&probe.from)?.used_by("probe"),
        to: SocketAddrV4::new(to.address(), probe.port),
        unit,
    })
}

impl Way {
    async fn try_it(&self, clock: &KernelClock, modbus: Option<ModbusProbe>) -> ProbeOutcome {
        let Some(modbus) = modbus else {
            return match self.from.probe(self.to, ProbeStyle::Connect, PATIENCE).await {
                Ok(ProbeResult::Open) => outcome(Reach::Through, "open"),
                Ok(ProbeResult::Closed) => {
                    outcome(Reach::Through, "refused by the host itself: the way is open")
                }
                Ok(_) | Err(_) => outcome(Reach::Blocked, "no answer"),
            };
        };
        match with_timeout(clock, PATIENCE, self.from.connect(self.to)).await {
            Some(Ok(stream)) => {
                let mut client = ModbusClient::new(stream, UnitId(self.unit), clock.clone(), PATIENCE);
                // One register or coil from here on; a write sets it to 0, in this lab that nobody keeps.
                let [high, low] = modbus.address.to_be_bytes();
                let count = u8::from(modbus.function <= 4);
                match client.raw(FunctionCode(modbus.function), &[high, low, 0, count]).await {
                    Ok(_) => outcome(Reach::Through, "answered"),
                    Err(ClientError::Exception(code)) => outcome(
                        Reach::Through,
                        &format!("answered by the controller, with exception {code:?}"),
                    ),
                    Err(error) => outcome(Reach::Blocked, &format!("connected, and then: {error}")),
                }
            }
            Some(Err(error)) => outcome(Reach::Blocked, &format!("no connection: {error}")),
            None => outcome(Reach::Blocked, "no connection"),
        }
    }
}

fn outcome(reach: Reach, said: &str) -> ProbeOutcome {
    ProbeOutcome { reach, said: said.to_owned() }
}
