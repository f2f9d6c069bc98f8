//! What the virtual network offers to people and playbooks: the firewall's rule interface, assets and tickets.
//!
//! [`desk`] knows what may be done and does it; it is used by actions of a run ([`crate::action`]) and, over HTTP in the
//! virtual network ([`http`], [`routes`]), by whoever has a zone's key. Both write the same journal. Besides, the jump server
//! answers on its remote desktop ([`remote_desktop`]).
//!
//! Reading order: [`desk`], [`routes`], [`http`].

pub(crate) mod desk;
mod http;
mod remote_desktop;
mod routes;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;

use net::{Kernel, Network};
use record::KeyedStream;
use site::{HostRole, Site};

use self::desk::Desk;

/// Where the rule interface answers.
pub(crate) const RULE_INTERFACE: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
/// Its port.
const HTTP_PORT: u16 = 80;
/// Connections that may wait to be accepted.
const ACCEPT_BACKLOG: usize = 16;

/// The key of each zone, by zone: for the facilitator, who hands them out. Drawn from the seed, so never in what trainees
/// get of a record.
pub(crate) fn keys(seed: u64, site: &Site) -> BTreeMap<String, String> {
    let key = |zone: &str| {
        let mut draws = KeyedStream::new(seed, zone, "rule interface key");
        format!("{zone}-{:016x}{:016x}", draws.bits(0), draws.bits(1))
    };
    site.zones.iter().map(|zone| (zone.name.get_ref().clone(), key(zone.name.get_ref()))).collect()
}

/// Begins to serve the desk, where the site has a host for it.
pub(crate) fn serve(kernel: &Kernel, network: &Network, desk: Rc<Desk>) {
    let Some(host) = network.host_at(RULE_INTERFACE) else { return };
    // Nothing else listens there: a scenario that takes the port has taken the service.
    let Ok(listener) = host.listen(HTTP_PORT, ACCEPT_BACKLOG) else { return };
    kernel.spawner().spawn("rule interface", http::listen(listener, desk, kernel.clock(), kernel.spawner()));
}

/// Begins to serve remote desktops on the site's jump servers.
pub(crate) fn serve_remote_desktop(kernel: &Kernel, network: &Network, site: &Site) {
    for host in site.hosts.iter().filter(|host| host.role == HostRole::Jump) {
        let listener = network
            .host(host.name.get_ref())
            .and_then(|host| host.listen(remote_desktop::PORT, ACCEPT_BACKLOG).ok());
        if let Some(listener) = listener {
            let serve = remote_desktop::listen(listener, kernel.clock(), kernel.spawner());
            kernel.spawner().spawn("remote desktop", serve);
        }
    }
}
