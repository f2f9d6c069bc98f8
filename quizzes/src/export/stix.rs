//! Indicators of a run as a STIX 2.1 bundle, for platforms that trade threat intelligence.
//!
//! # Theory of operation
//! Each host that acted in an attack step is an indicator, with a pattern for each service that it talked to while it
//! acted; each step is observed traffic and a sighting, tied to the techniques that it used. **Nothing of the plant is
//! in it**: hosts that acted become 198.51.100.1 and up, hosts that were acted on 192.0.2.1 and up (RFC 5737) in the order
//! in which they occur, the plant is `site-1`; names, tags, values and sentences stay behind. Times are those of the run.
//!
//! Ids are UUIDs of version 5: of observables as the standard has it (STIX 2.1, section 2.9), of the rest over scenario,
//! seed and settings; so one run gives one bundle, octet for octet.

use std::collections::{BTreeMap, BTreeSet};

use record::{EntityId, RunManifest, TruthStep, Verdict, VirtualTime, attack};
use serde_json::{Value, json};

use super::{uuid, uuid_in};
use crate::logs::ConnRow;
use crate::names::EntityNames;

/// Namespace of observables (STIX 2.1, section 2.9).
const OBSERVABLES: [u8; 16] =
    [0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7];
/// Networks of RFC 5737 for hosts that acted, and for hosts that were acted on.
const ACTORS: &str = "198.51.100.";
const ASSETS: &str = "192.0.2.";
/// Hosts that a documentation network has room for.
const HOSTS_MAX: usize = 254;

/// What a bundle is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Which run.
    pub manifest: &'a RunManifest,
    /// What happened.
    pub truth: &'a [TruthStep],
    /// Who is who.
    pub names: &'a EntityNames,
    /// Connections, by time.
    pub connections: &'a [std::sync::Arc<ConnRow>],
}

/// The bundle; without an attack in the run it holds no indicator.
pub fn bundle(source: Source<'_>) -> Value {
    let mut maker = Maker::new(source);
    for step in source.truth.iter().filter(|step| step.verdict == Verdict::Attack) {
        maker.step(step);
    }
    maker.close()
}

/// A service that somebody talked to: port and recognised protocol.
type Service = (u64, String);

struct Maker<'a> {
    source: Source<'a>,
    /// Told apart from other runs by this.
    run: String,
    objects: Vec<Value>,
    /// Ids that are in the bundle already.
    known: BTreeSet<String>,
    pseudonyms: BTreeMap<EntityId, String>,
    actors: usize,
    assets: usize,
}

impl<'a> Maker<'a> {
    fn new(source: Source<'a>) -> Self {
        let manifest = source.manifest;
        let run = json!([manifest.scenario, manifest.seed, manifest.settings, manifest.version]).to_string();
        let mut maker = Self {
            source,
            run,
            objects: Vec::new(),
            known: BTreeSet::new(),
            pseudonyms: BTreeMap::new(),
            actors: 0,
            assets: 0,
        };
        let author = json!({ "type": "identity", "name": "Fieldrange", "identity_class": "system",
            "description": "EXERCISE: a simulated plant. Nothing in this bundle happened." });
        maker.add("identity", "author", author, None);
        let statement = json!({ "type": "marking-definition", "definition_type": "statement",
            "definition": { "statement": "EXERCISE. Simulated, anonymised: addresses are from RFC 5737." } });
        maker.add("marking-definition", "exercise", statement, None);
        let site = json!({ "type": "identity", "name": "site-1", "identity_class": "organization" });
        maker.add("identity", "site", site, None);
        maker
    }

    fn id(&self, kind: &str, key: &str) -> String {
        format!("{kind}--{}", uuid(&["stix", &self.run, kind, key]))
    }

    /// Adds a domain object; its id. `from` is when it was first true, the start of the run if absent.
    fn add(&mut self, kind: &str, key: &str, mut object: Value, from: Option<VirtualTime>) -> String {
        let id = self.id(kind, key);
        if !self.known.insert(id.clone()) {
            return id;
        }
        let created = exact(&self.source.manifest.start.utc(from.unwrap_or(VirtualTime::ZERO)));
        object["spec_version"] = "2.1".into();
        object["id"] = id.clone().into();
        object["created"] = created.clone().into();
        if kind != "marking-definition" {
            object["modified"] = created.into();
            object["object_marking_refs"] = json!([self.id("marking-definition", "exercise")]);
        }
        if key != "author" {
            object["created_by_ref"] = self.id("identity", "author").into();
        }
        self.objects.push(object);
        id
    }

    /// Adds an observable, whose id comes from what it is.
    fn observe(&mut self, kind: &str, mut object: Value) -> String {
        // What it is, in the order of names (RFC 8785); whether it goes on still is not part of that.
        let told = object.as_object().into_iter().flatten();
        let named: BTreeMap<&String, &Value> = told.filter(|(name, _)| *name != "is_active").collect();
        let id = format!("{kind}--{}", uuid_in(OBSERVABLES, &json!(named).to_string()));
        if self.known.insert(id.clone()) {
            object["type"] = kind.into();
            object["spec_version"] = "2.1".into();
            object["id"] = id.clone().into();
            object["object_marking_refs"] = json!([self.id("marking-definition", "exercise")]);
            self.objects.push(object);
        }
        id
    }

    /// The address that stands for a host; none where a network is full.
    fn pseudonym(&mut self, entity: &EntityId, acted: bool) -> Option<String> {
        let entity = self.source.names.canonical(entity);
        if let Some(address) = self.pseudonyms.get(&entity) {
            return Some(address.clone());
        }
        let (network, count) = if acted { (ACTORS, &mut self.actors) } else { (ASSETS, &mut self.assets) };
        if *count >= HOSTS_MAX {
            return None;
        }
        *count += 1;
        let address = format!("{network}{count}");
        self.pseudonyms.insert(entity, address.clone());
        Some(address)
    }

    fn address(&mut self, value: &str) -> String {
        self.observe("ipv4-addr", json!({ "value": value }))
    }

    fn step(&mut self, step: &TruthStep) {
        let Some(actor) = &step.source else { return };
        let (Some(from), Some(to)) = (self.pseudonym(actor, true), self.pseudonym(&step.target, false))
        else {
            return;
        };
        let start = self.source.manifest.start;
        let (first, last) = (start.utc(step.start), start.utc(step.end));
        let techniques: Vec<String> =
            step.techniques.iter().filter_map(|id| self.technique(id, step.start)).collect();
        let (src, dst) = (self.address(&from), self.address(&to));
        let services = self.services(actor, &step.target, step);
        // A step that no connection shows is still an address.
        let services: Vec<Option<Service>> =
            if services.is_empty() { vec![None] } else { services.into_iter().map(Some).collect() };
        for service in services {
            let mut protocols = vec!["ipv4".to_owned(), "tcp".to_owned()];
            if let Some((_, name)) = &service {
                protocols.extend((!name.is_empty()).then(|| name.clone()));
            }
            let mut named = json!({ "dst_ref": dst, "protocols": protocols, "src_ref": src, "start": first, "end": last, "is_active": false });
            let port = service.as_ref().map(|(port, _)| *port);
            if let Some(port) = port {
                named["dst_port"] = port.into();
            }
            let traffic = self.observe("network-traffic", named);
            let key = format!("{} {from} {port:?}", step.step);
            let observed = json!({ "type": "observed-data", "first_observed": exact(&first), "last_observed": exact(&last),
                "number_observed": step.frames.len().clamp(1, 999_999_999), "object_refs": [traffic, src, dst] });
            let observed = self.add("observed-data", &key, observed, Some(step.start));
            let indicator = self.indicator(&from, port, step.start);
            for technique in &techniques {
                let relation = json!({ "type": "relationship", "relationship_type": "indicates",
                    "source_ref": indicator, "target_ref": technique });
                self.add("relationship", &format!("{indicator} {technique}"), relation, Some(step.start));
            }
            let sighting = json!({ "type": "sighting", "sighting_of_ref": indicator, "observed_data_refs": [observed],
                "where_sighted_refs": [self.id("identity", "site")], "first_seen": exact(&first), "last_seen": exact(&last), "count": 1 });
            self.add("sighting", &key, sighting, Some(step.start));
        }
    }

    fn technique(&mut self, id: &str, from: VirtualTime) -> Option<String> {
        let technique = attack::technique(id)?;
        let phases: Vec<Value> = technique
            .tactics()
            .map(|tactic| json!({ "kill_chain_name": "mitre-ics-attack", "phase_name": tactic }))
            .collect();
        let object = json!({ "type": "attack-pattern", "name": technique.name, "kill_chain_phases": phases,
            "external_references": [{ "source_name": "mitre-attack", "external_id": id,
                "url": format!("https://attack.mitre.org/techniques/{id}") }] });
        Some(self.add("attack-pattern", id, object, Some(from)))
    }

    fn indicator(&mut self, address: &str, port: Option<u64>, from: VirtualTime) -> String {
        let pattern = match port {
            Some(port) => {
                format!("[network-traffic:src_ref.value = '{address}' AND network-traffic:dst_port = {port}]")
            }
            None => format!("[ipv4-addr:value = '{address}']"),
        };
        let name = match port {
            Some(port) => format!("{address} opens connections to port {port}"),
            None => format!("{address} acts"),
        };
        // What was acted on before, and now acts, is somebody's tool.
        let kind = if address.starts_with(ASSETS) { "compromised" } else { "malicious-activity" };
        let object = json!({ "type": "indicator", "name": name, "indicator_types": [kind],
            "pattern": pattern, "pattern_type": "stix",
            "valid_from": exact(&self.source.manifest.start.utc(from)) });
        self.add("indicator", &pattern, object, Some(from))
    }

    /// Services that a host opened on another while it acted.
    fn services(&self, actor: &EntityId, target: &EntityId, step: &TruthStep) -> BTreeSet<Service> {
        let names = self.source.names;
        let [actor, target] = [actor, target].map(|entity| names.canonical(entity));
        let is = |address: &str, entity: &EntityId| {
            names.at(address).is_some_and(|at| names.canonical(&at) == *entity)
        };
        let lasts = |row: &ConnRow| {
            let end =
                row.t + std::time::Duration::from_secs_f64(row.duration_s.unwrap_or(0.0).clamp(0.0, 1e9));
            row.t <= step.end && end >= step.start
        };
        let rows = self.source.connections.iter();
        rows.filter(|row| lasts(row) && is(&row.client, &actor) && is(&row.server, &target))
            .map(|row| (row.port, row.service.as_ref().map(ToString::to_string).unwrap_or_default()))
            .collect()
    }

    fn close(self) -> Value {
        json!({ "type": "bundle", "id": self.id("bundle", "bundle"), "objects": self.objects })
    }
}

/// A time to the millisecond, as `created` and its like want it.
fn exact(utc: &str) -> String {
    utc.replace('Z', ".000Z")
}
