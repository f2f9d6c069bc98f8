//! Checks of a scenario that its file alone cannot make: names against the site, labels against each other.

use std::collections::BTreeSet;

use record::{Verdict, attack};
use serde_spanned::Spanned;
use site::file::Source;
use site::{Device, FileError};

use crate::deed::{Deed, Name, Write};
use crate::difficulty::{Difficulty, LEVEL};
use crate::scenario::{Actor, EventFile, Scenario};
use crate::span::{Term, parse_span};

impl Scenario {
    /// A host of the site or of the scenario.
    fn knows_host(&self, name: &str) -> bool {
        self.site.host(name).is_some() || self.file.hosts.iter().any(|host| host.name.get_ref() == name)
    }

    pub(crate) fn check(&self, source: &Source<'_>) -> Result<(), FileError> {
        for span in [&self.file.duration, &self.file.learn] {
            parse_span(span.get_ref())
                .map_err(|e| source.error(span, e.to_string(), "write it as in 45min"))?;
        }
        let mut variables = BTreeSet::new();
        for variable in &self.file.variables {
            if !variables.insert(variable.name.get_ref().as_str()) {
                return Err(source.error(
                    &variable.name,
                    format!("two variables are called {:?}", variable.name.get_ref()),
                    "rename one of them",
                ));
            }
            variable.check(source)?;
        }
        self.check_hosts(source)?;
        for preset in &self.file.presets {
            self.check_writable(source, &preset.tag)?;
            self.check_term(source, &preset.value)?;
        }
        self.check_actors(source)?;
        let mut known = BTreeSet::new();
        for event in self.events() {
            if !known.insert(event.id.get_ref().as_str()) {
                return Err(source.error(
                    &event.id,
                    format!("two events are called {:?}", event.id.get_ref()),
                    "rename one of them",
                ));
            }
            self.check_event(source, event, &known)?;
        }
        for step in &self.file.steps {
            Self::check_step(source, step)?;
        }
        for device in &self.file.keys_in_program {
            self.check_device(source, device, "keys_in_program", Device::speaks_modbus)?;
        }
        self.check_injects(source, &known)?;
        self.check_references(source)?;
        for event in &self.file.benign {
            let wrong = match event.verdict {
                None => Some("a benign event needs a verdict"),
                Some(Verdict::Attack) => Some("a benign event is no attack"),
                Some(_) if event.severity.is_none() => Some("a benign event needs a severity"),
                Some(_) => None,
            };
            if let Some(wrong) = wrong {
                return Err(source.error(
                    &event.id,
                    wrong,
                    "write verdict = \"fault\" or \"authorised\", and severity = 1",
                ));
            }
        }
        for event in &self.file.ordinary {
            if event.verdict.is_some() || event.severity.is_some() || !event.techniques.is_empty() {
                return Err(source.error(
                    &event.id,
                    "ordinary work has no verdict, severity or techniques",
                    "remove them, or make it [[benign]]",
                ));
            }
        }
        Ok(())
    }

    fn check_injects(&self, source: &Source<'_>, known: &BTreeSet<&str>) -> Result<(), FileError> {
        let mut told = BTreeSet::new();
        for inject in &self.file.injects {
            let id = inject.id.get_ref();
            if !told.insert(id.as_str()) {
                return Err(source.error(
                    &inject.id,
                    format!("two injects are called {id:?}"),
                    "rename one of them",
                ));
            }
            for event in inject.after.iter().chain(&inject.needs) {
                if !known.contains(event.get_ref().as_str()) {
                    return Err(source.error(
                        event,
                        format!("{id}: no event is called {:?}", event.get_ref()),
                        "name a step, benign event or ordinary work",
                    ));
                }
            }
            match (&inject.at, &inject.after, &inject.delay) {
                (Some(time), None, None) | (None, Some(_), Some(time)) => self.check_term(source, time)?,
                _ => {
                    return Err(source.error(
                        &inject.id,
                        format!("{id}: an inject has at, or after and delay"),
                        "write at = \"20min\", or after = \"...\" and delay = \"30s\"",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Ids of ATT&CK have a letter and four figures: C for campaigns, G for groups, S for software.
    fn check_references(&self, source: &Source<'_>) -> Result<(), FileError> {
        let is_id = |id: &str| {
            id.len() == 5
                && id.starts_with(['C', 'G', 'S'])
                && id[1..].bytes().all(|octet| octet.is_ascii_digit())
        };
        match self.file.references.iter().filter_map(|r| r.attack.as_ref()).find(|id| !is_id(id.get_ref())) {
            Some(id) => Err(source.error(
                id,
                format!("{:?} is no campaign, group or software of ATT&CK", id.get_ref()),
                "write it as in C0041, or leave it out",
            )),
            None => Ok(()),
        }
    }

    /// The story is the same at every level: only what is no step may ask for one.
    fn check_level(source: &Source<'_>, event: &EventFile, word: &str) -> Result<(), FileError> {
        if let Err(wrong) = word.parse::<Difficulty>() {
            return Err(source.error(&event.id, wrong.to_string(), "mend the word under only"));
        }
        if event.techniques.is_empty() {
            return Ok(());
        }
        let problem = format!("{}: a step takes place at every level", event.id.get_ref());
        Err(source.error(&event.id, problem, "take level out of only"))
    }

    fn check_hosts(&self, source: &Source<'_>) -> Result<(), FileError> {
        for (index, host) in self.file.hosts.iter().enumerate() {
            let name = host.name.get_ref();
            let earlier = &self.file.hosts[..index];
            if self.site.host(name).is_some() || earlier.iter().any(|other| other.name.get_ref() == name) {
                return Err(source.error(
                    &host.name,
                    format!("two hosts are called {name:?}"),
                    "rename this one",
                ));
            }
            let address = *host.address.get_ref();
            if let Some(other) = self
                .site
                .host_at(address)
                .or_else(|| earlier.iter().find(|other| *other.address.get_ref() == address))
            {
                return Err(source.error(
                    &host.address,
                    format!("hosts {:?} and {name:?} both have the address {address}", other.name.get_ref()),
                    "give each host an address of its own",
                ));
            }
            match self.site.zone(host.zone.get_ref()) {
                Some(zone) if zone.networks.iter().any(|network| network.contains(address)) => {}
                _ => {
                    return Err(source.error(
                        &host.zone,
                        format!("{address} is not in a zone {:?} of the site", host.zone.get_ref()),
                        "choose a zone of the site and an address of its networks",
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_actors(&self, source: &Source<'_>) -> Result<(), FileError> {
        for actor in &self.file.actors {
            let (hosts, periods) = match actor {
                Actor::Hmi { on, period } | Actor::Historian { on, period, .. } => (vec![on], vec![period]),
                Actor::FrontEnd { on, period, integrity, devices } => {
                    for device in devices {
                        self.check_device(source, device, "the front end", |_| true)?;
                    }
                    (vec![on], vec![period, integrity])
                }
                Actor::Replication { from, to, period } => (vec![from, to], vec![period]),
            };
            for host in hosts {
                self.check_host(source, host)?;
            }
            for period in periods {
                match parse_span(period.get_ref()) {
                    Ok(span) if span.as_millis() >= 100 => {}
                    _ => {
                        return Err(source.error(
                            period,
                            format!("a period is at least 100ms, got {:?}", period.get_ref()),
                            "write it as in 1s",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_event(
        &self,
        source: &Source<'_>,
        event: &EventFile,
        known: &BTreeSet<&str>,
    ) -> Result<(), FileError> {
        let id = event.id.get_ref();
        match (&event.at, &event.after, &event.delay) {
            (Some(at), None, None) => self.check_term(source, at)?,
            (None, Some(after), Some(delay)) => {
                if !known.contains(after.get_ref().as_str()) || after.get_ref() == id {
                    return Err(source.error(
                        after,
                        format!("{id}: no event before this one is called {:?}", after.get_ref()),
                        "name a step, benign event or ordinary work that stands further up",
                    ));
                }
                self.check_term(source, delay)?;
            }
            _ => {
                return Err(source.error(
                    &event.id,
                    format!("{id}: an event has at, or after and delay"),
                    "write at = \"20min\", or after = \"...\" and delay = \"30s\"",
                ));
            }
        }
        if let Some(needs) = &event.needs
            && (!known.contains(needs.get_ref().as_str()) || needs.get_ref() == id)
        {
            return Err(source.error(
                needs,
                format!("{id}: no event before this one is called {:?}", needs.get_ref()),
                "name a step or benign event that stands further up",
            ));
        }
        if let Some(needs) = &event.needs
            && self.file.ordinary.iter().any(|other| other.id.get_ref() == needs.get_ref())
        {
            return Err(source.error(
                needs,
                format!("{id}: {:?} is ordinary work, of which nobody keeps account", needs.get_ref()),
                "name a step or benign event that stands further up",
            ));
        }
        if let Some(every) = &event.every {
            self.check_term(source, every)?;
            if !self.file.ordinary.iter().any(|other| other.id == event.id) {
                return Err(source.error(every, "only ordinary work has every", "remove it"));
            }
        }
        for (variable, word) in &event.only {
            if variable == LEVEL {
                Self::check_level(source, event, word)?;
                continue;
            }
            let Some(found) = self.file.variables.iter().find(|v| v.name.get_ref() == variable) else {
                return Err(source.error(
                    &event.id,
                    format!("{id}: no variable is called {variable:?}"),
                    "mend the name under only",
                ));
            };
            found.read(word).map_err(|(problem, fix)| source.error(&event.id, problem, fix))?;
        }
        if let Some(cause) = &event.cause
            && !self.file.blind.as_ref().is_some_and(|b| b.causes.get_ref().contains(cause.get_ref()))
        {
            return Err(source.error(
                cause,
                format!("{id}: {:?} is no cause of [blind]", cause.get_ref()),
                "name one of its causes",
            ));
        }
        self.check_deed(source, event, known)
    }

    fn check_deed(
        &self,
        source: &Source<'_>,
        event: &EventFile,
        known: &BTreeSet<&str>,
    ) -> Result<(), FileError> {
        let id = event.id.get_ref();
        for host in event.deed.hosts() {
            self.check_host(source, host)?;
        }
        let speaks: fn(&Device) -> bool = match &event.deed {
            Deed::Master { .. } => |device| device.outstation.is_some(),
            _ => Device::speaks_modbus,
        };
        for device in event.deed.devices() {
            self.check_device(source, device, id, speaks)?;
        }
        for write in event.deed.writes() {
            self.check_writable(source, &write.tag)?;
            self.check_term(source, &write.value)?;
            self.check_way(source, event, write)?;
        }
        match &event.deed {
            Deed::RemoteWrite { session, .. } if !known.contains(session.get_ref().as_str()) => Err(source
                .error(
                    session,
                    format!("{id}: no event before this one is called {:?}", session.get_ref()),
                    "name the remote_session",
                )),
            Deed::Trim { tag, low, high, step } => {
                self.check_writable(source, tag)?;
                if low < high && *step > 0.0 {
                    Ok(())
                } else {
                    Err(source.error(tag, format!("{id}: low must be below high, step above 0"), "mend them"))
                }
            }
            Deed::Write { every: Some(_), lasts: None, .. } => Err(source.error(
                &event.id,
                format!("{id}: a write with every needs lasts"),
                "write for how long it goes on",
            )),
            Deed::Sweep { first, last, ports, .. }
                if first.get_ref() > last.get_ref() || ports.is_empty() =>
            {
                Err(source.error(
                    first,
                    format!("{id}: a sweep goes upwards and has ports"),
                    "mend the range",
                ))
            }
            Deed::PlantFault { tag, .. } if self.site.tag(tag.get_ref()).is_none() => Err(source.error(
                tag,
                format!("{id}: no tag is called {:?}", tag.get_ref()),
                "name a tag of the site",
            )),
            _ => Ok(()),
        }
    }

    fn check_device(
        &self,
        source: &Source<'_>,
        name: &Name,
        wanted_by: &str,
        speaks: impl Fn(&Device) -> bool,
    ) -> Result<(), FileError> {
        match self.site.device(name.get_ref()) {
            Some(device) if speaks(device) => Ok(()),
            Some(_) => Err(source.error(
                name,
                format!("{wanted_by}: {} does not speak the protocol", name.get_ref()),
                "master is for outstations of DNP3, everything else for servers of Modbus",
            )),
            None => Err(source.error(
                name,
                format!("{wanted_by}: no controller is called {:?}", name.get_ref()),
                "name a controller of the site",
            )),
        }
    }

    /// Whether a deed can bring a value to the controller that takes it.
    fn check_way(
        &self,
        source: &Source<'_>,
        event: &EventFile,
        write: &Write<Spanned<Term>>,
    ) -> Result<(), FileError> {
        let tag = write.tag.get_ref();
        let is_output = |device: &Device| device.writable_entry(tag).is_none();
        let taker = self.site.device_that_takes(tag);
        let fits = match &event.deed {
            Deed::Operate { .. } | Deed::Trim { .. } => true,
            Deed::Master { device, .. } => {
                taker.is_some_and(|taker| taker.name.get_ref() == device.get_ref() && is_output(taker))
            }
            _ => !taker.is_some_and(is_output),
        };
        if fits {
            return Ok(());
        }
        Err(source.error(
            &write.tag,
            format!("{}: {tag} cannot be reached like this", event.id.get_ref()),
            "outputs of an outstation are commanded with operate, or with master and their own device",
        ))
    }

    fn check_step(source: &Source<'_>, step: &EventFile) -> Result<(), FileError> {
        let id = step.id.get_ref();
        if step.verdict.is_some() || step.ticket.is_some() {
            return Err(source.error(
                &step.id,
                format!("{id}: a step is an attack and has no ticket"),
                "remove verdict and ticket",
            ));
        }
        if step.techniques.is_empty() {
            return Err(source.error(
                &step.id,
                format!("{id}: a step needs techniques"),
                "write techniques = [\"T0836\"], most specific first",
            ));
        }
        for technique in &step.techniques {
            if attack::technique(technique.get_ref()).is_none() {
                return Err(source.error(
                    technique,
                    format!("{id}: {:?} is no technique of {}", technique.get_ref(), attack::VERSION),
                    "look it up in base/record/data/attack-ics-v18.1.tsv",
                ));
            }
        }
        let fix = "write severity = 1";
        match &step.severity {
            Some(severity) if (1..=3).contains(severity.get_ref()) => Ok(()),
            Some(severity) => Err(source.error(severity, format!("{id}: severity is 1, 2 or 3"), fix)),
            None => Err(source.error(&step.id, format!("{id}: severity is 1, 2 or 3"), fix)),
        }
    }

    fn check_host(&self, source: &Source<'_>, host: &Name) -> Result<(), FileError> {
        if self.knows_host(host.get_ref()) {
            return Ok(());
        }
        Err(source.error(
            host,
            format!("no host is called {:?}", host.get_ref()),
            "name a host of the site, or add [[host]] to this file",
        ))
    }

    fn check_writable(&self, source: &Source<'_>, tag: &Name) -> Result<(), FileError> {
        if self.site.device_that_takes(tag.get_ref()).is_some() {
            return Ok(());
        }
        Err(source.error(
            tag,
            format!("no controller takes the tag {:?}", tag.get_ref()),
            "name a tag that a register map or an output of the site lets clients write",
        ))
    }

    fn check_term(&self, source: &Source<'_>, term: &Spanned<Term>) -> Result<(), FileError> {
        match term.get_ref().variable() {
            Some(name) if !self.file.variables.iter().any(|v| v.name.get_ref() == name) => Err(source.error(
                term,
                format!("no variable is called {name:?}"),
                "mend the name, or add [[var]]",
            )),
            _ => Ok(()),
        }
    }
}
