//! Real networks at a live lab: the options of the command line, and what becomes of them.
//!
//! Opened before the kernel's thread is confined, in two steps: [`Uplinks::open`] looks for conflicts and opens
//! everything, so that nothing is recorded where one cannot be opened; [`Uplinks::start`] joins them to the kernel.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use net::{
    Attach, Attachment, LiveControl, MirrorOut, MirrorTarget, Reporter, RunningAttachment, SentMirror,
    UplinkCounters, ZoneHosts,
};
use site::{Host, Site};

/// Real networks: who may come in as a host of the plant, and who gets the mirror port.
#[derive(Clone, Debug, Args)]
pub(crate) struct UplinkArgs {
    /// Join an interface to a zone, so that machines behind it meet the lab's hosts: INTERFACE=ZONE. An address of
    /// this machine stands for the interface that has it. Needs CAP_NET_RAW.
    #[arg(long = "attach", value_name = "IFACE=ZONE")]
    attach: Vec<Attach>,
    /// Make a TAP device that is joined to a zone: NAME=ZONE. Needs CAP_NET_ADMIN.
    #[arg(long = "tap", value_name = "NAME=ZONE")]
    taps: Vec<Attach>,
    /// Send every frame of the mirror port there as VXLAN: ADDRESS or ADDRESS:PORT.
    #[arg(long, value_name = "ADDR[:PORT]")]
    mirror_to: Option<MirrorTarget>,
    /// VXLAN network identifier of the mirror.
    #[arg(long, default_value_t = 42, value_name = "ID", requires = "mirror_to")]
    vni: u32,
    /// Allow this interface although a cable may lie behind it: all that is behind it may be tried out. Never a plant's.
    #[arg(long = "network-is-mine", value_name = "IFACE")]
    mine: Vec<String>,
}

impl UplinkArgs {
    /// Whether nothing was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.attach.is_empty() && self.taps.is_empty() && self.mirror_to.is_none()
    }
}

/// Uplinks that are open and carry nothing yet.
pub(crate) struct Uplinks {
    attachments: Vec<Attachment>,
    mirror: Option<MirrorOut>,
    consumer: Option<SentMirror>,
}

impl Uplinks {
    /// Opens what was asked for. `more_hosts` are those that the scenario adds to the site's.
    pub(crate) fn open(args: &UplinkArgs, site: &Site, more_hosts: &[Host]) -> Result<Self> {
        let mut zones: Vec<&str> = Vec::new();
        let mut attachments = Vec::new();
        let interfaces = args.attach.iter().map(|it| (it, false));
        for (Attach { interface, zone }, is_tap) in interfaces.chain(args.taps.iter().map(|it| (it, true))) {
            if zones.contains(&zone.as_str()) {
                bail!(
                    "zone {zone} is to get two uplinks\n  fix: join the networks by a bridge and attach that"
                );
            }
            zones.push(zone);
            let hosts = zone_hosts(zone, site, more_hosts)?;
            attachments.push(if is_tap {
                Attachment::tap(interface, hosts, &args.mine)?
            } else {
                Attachment::interface(interface, hosts, &args.mine)?
            });
        }
        let (mut mirror, mut consumer) = (None, None);
        if let Some(target) = args.mirror_to {
            let (out, give) = MirrorOut::open(target, args.vni, &args.mine)?;
            (mirror, consumer) = (Some(out), Some(give));
        }
        Ok(Self { attachments, mirror, consumer })
    }

    /// What to watch the mirror port with, once.
    pub(crate) fn take_mirror(&mut self) -> Option<SentMirror> {
        self.consumer.take()
    }

    /// Joins them to a lab. What they have to report goes to standard error.
    pub(crate) fn start(self, control: &LiveControl) -> Result<RunningUplinks> {
        let report: Reporter = Arc::new(|line| eprintln!("{line}"));
        let attachments = self
            .attachments
            .into_iter()
            .map(|it| it.start(control, report.clone()))
            .collect::<std::io::Result<Vec<_>>>()
            .context("no thread for an uplink")?;
        Ok(RunningUplinks { attachments, mirror: self.mirror })
    }
}

/// Addresses and hosts of a zone.
fn zone_hosts(name: &str, site: &Site, more_hosts: &[Host]) -> Result<ZoneHosts> {
    let Some(zone) = site.zones.iter().find(|zone| zone.name.get_ref() == name) else {
        let there: Vec<&str> = site.zones.iter().map(|zone| zone.name.get_ref().as_str()).collect();
        bail!("no zone {name:?} at this site\n  fix: name one of {}", there.join(", "));
    };
    let mut hosts: BTreeMap<_, _> = zone
        .networks
        .iter()
        .filter_map(|network| Some((zone.gateway_in(network)?, "the firewall".to_owned())))
        .collect();
    let all = site.hosts.iter().chain(more_hosts).filter(|host| host.zone.get_ref() == name);
    hosts.extend(all.map(|host| (*host.address.get_ref(), host.name.get_ref().clone())));
    Ok(ZoneHosts { zone: name.into(), networks: zone.networks.clone(), hosts })
}

/// Uplinks that carry frames, until it is dropped.
#[derive(Debug)]
pub(crate) struct RunningUplinks {
    attachments: Vec<RunningAttachment>,
    mirror: Option<MirrorOut>,
}

impl RunningUplinks {
    /// What is joined to what, a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let joined = self.attachments.iter().map(|it| format!("uplink {} <-> zone {}", it.name(), it.zone()));
        let mirror = self.mirror.iter().map(|it| format!("mirror -> {} (VXLAN)", it.target()));
        joined.chain(mirror).collect()
    }

    /// What each carried so far, a line each.
    pub(crate) fn carried(&self) -> Vec<String> {
        let joined = self
            .attachments
            .iter()
            .map(|it| format!("uplink {} <-> zone {}: {}", it.name(), it.zone(), carried(it.counters())));
        let mirror = self.mirror.iter().map(|it| {
            let counters = it.counters();
            format!(
                "mirror -> {}: {} frames out, {} dropped",
                it.target(),
                counters.sent_out.get(),
                counters.dropped()
            )
        });
        joined.chain(mirror).collect()
    }
}

fn carried(counters: &UplinkCounters) -> String {
    format!(
        "{} frames in, {} out; dropped {} in, {} out; {} refused, {} kept inside",
        counters.taken_in.get(),
        counters.sent_out.get(),
        counters.dropped_in.get(),
        counters.dropped_out.get(),
        counters.refused_in.get(),
        counters.kept_inside.get()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_its_hosts_and_its_gateway() {
        let site = Site::named("waterworks").unwrap();
        let zone = zone_hosts("control", &site, &[]).unwrap();
        assert_eq!(zone.hosts[&[192, 168, 1, 1].into()], "the firewall");
        assert_eq!(zone.hosts[&[192, 168, 1, 101].into()], "plc-1");
        let said = zone_hosts("controll", &site, &[]).unwrap_err().to_string();
        assert!(said.contains("enterprise") && said.contains("control"), "{said}");
    }
}
