//! Deep rules in line, between zones and at a port.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;

use net::{FirewallEvent, FirewallEventKind as Kind, Inspected, LinkProperties};
use record::Clock;
use site::FirewallRule;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, PLC_1, at};
use crate::tshark::assert_clean;

/// Read holding registers 100 to 109, and write single register 40: sections 6.3 and 6.6 of the specification.
const READ: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 3, 0, 100, 0, 10];
const WRITE: [u8; 12] = [0, 2, 0, 0, 0, 6, 1, 6, 0, 40, 1, 49];

const IT_HISTORIAN: Ipv4Addr = Ipv4Addr::new(10, 0, 4, 10);

fn rule(name: &str, rest: &str) -> FirewallRule {
    toml_rule(&format!("name = \"{name}\"\nsource = \"any\"\ndestination = \"192.168.1.101\"\n{rest}"))
}

fn toml_rule(text: &str) -> FirewallRule {
    site::parse_toml("rule", text).unwrap()
}

type Log<T> = Rc<RefCell<Vec<T>>>;

/// A lab whose PLC takes octets and says nothing, and what happens in it.
struct Scene {
    lab: Lab,
    events: Log<FirewallEvent>,
    /// What the PLC was sent, connection by connection, and how each of them ended.
    taken: Log<(Vec<u8>, Option<std::io::ErrorKind>)>,
    /// How the clients ended.
    ended: Log<std::io::ErrorKind>,
}

impl Scene {
    fn new() -> Self {
        let mut lab = Lab::new(1);
        let (events, taken): (Log<FirewallEvent>, Log<_>) = Default::default();
        let into = events.clone();
        lab.kernel.on_firewall_event(Box::new(move |event| into.borrow_mut().push(event.clone())));
        let listener = lab.host("plc-1").listen(502, 8).unwrap();
        let (spawner, into) = (lab.kernel.spawner(), taken.clone());
        lab.spawn("plc", async move {
            loop {
                let mut stream = listener.accept().await;
                let into = into.clone();
                let place = into.borrow().len();
                into.borrow_mut().push((Vec::new(), None));
                spawner.spawn("connection", async move {
                    let mut buffer = [0; 512];
                    loop {
                        match stream.read(&mut buffer).await {
                            Ok(0) => break,
                            Ok(count) => into.borrow_mut()[place].0.extend(&buffer[..count]),
                            Err(error) => {
                                into.borrow_mut()[place].1 = Some(error.kind());
                                break;
                            }
                        }
                    }
                });
            }
        });
        Self { lab, events, taken, ended: Log::default() }
    }

    fn add(&self, rule: FirewallRule) -> u64 {
        self.lab.network.firewall().add(rule, None).unwrap()
    }

    /// A client that sends octets at given seconds and then waits.
    fn client(&self, host: &str, sends: Vec<(u64, Vec<u8>)>) {
        let (host, clock, ended) = (self.lab.host(host), self.lab.kernel.clock(), self.ended.clone());
        self.lab.spawn("client", async move {
            let mut stream = host.connect(at(PLC_1, 502)).await.unwrap();
            for (second, octets) in sends {
                clock.sleep_until(record::VirtualTime::from_secs(second)).await;
                if let Err(error) = stream.write_all(&octets).await {
                    ended.borrow_mut().push(error.kind());
                    return;
                }
            }
            if let Err(error) = stream.read_u8().await {
                ended.borrow_mut().push(error.kind());
            }
        });
    }

    fn kinds(&self) -> Vec<Kind> {
        self.events.borrow().iter().map(|event| event.kind).collect()
    }
}

const OPEN: &str = "action = \"allow\"\nports = [502]";
const NO_WRITES: &str = "action = \"deny\"\nmodbus = { kind = \"write\" }";

#[test]
fn a_denied_write_is_dropped_told_and_its_session_reset() {
    let mut scene = Scene::new();
    scene.add(rule("open", OPEN));
    let id = scene.add(rule("no-writes", NO_WRITES));
    scene.client("it-historian", vec![(1, READ.to_vec()), (2, WRITE.to_vec())]);
    scene.lab.run(1.5);
    assert_eq!(scene.lab.network.firewall().sessions()[0].inspected, Some(Inspected::Modbus));
    scene.lab.run(10.0);
    assert_eq!(*scene.taken.borrow(), [(READ.to_vec(), Some(std::io::ErrorKind::ConnectionReset))]);
    assert_eq!(*scene.ended.borrow(), [std::io::ErrorKind::ConnectionReset]);
    let events = scene.events.borrow();
    let denied = events.last().unwrap();
    assert_eq!(denied.kind, Kind::RequestDenied);
    assert_eq!(denied.rule.as_deref(), Some("no-writes"));
    assert_eq!((denied.source.unwrap().ip(), denied.destination), (&IT_HISTORIAN, Some(at(PLC_1, 502))));
    let request = denied.request.as_ref().unwrap();
    assert_eq!((request.device, request.function, request.address), (Some(1), Some(6), Some(40)));
    let rules = scene.lab.network.firewall().rules();
    assert_eq!((rules[0].id, rules[0].hits, rules[1].hits), (id, 1, 1), "one request, one flow");
    assert!(scene.lab.network.firewall().sessions().is_empty());
    drop(events);
    assert_clean(&scene.lab.capture());
}

#[test]
fn an_allow_list_lets_through_what_it_names_and_nothing_else() {
    let mut scene = Scene::new();
    scene.add(rule("reads", "action = \"allow\"\nmodbus = { functions = [3], addresses = [\"100-119\"] }"));
    let elsewhere = [0, 3, 0, 0, 0, 6, 1, 3, 0, 115, 0, 10].to_vec();
    scene.client("it-historian", vec![(1, READ.to_vec())]);
    scene.client("office-7", vec![(2, elsewhere)]);
    scene.lab.run(5.0);
    let mut taken = scene.taken.borrow().clone();
    taken.sort_by_key(|(octets, _)| octets.len());
    assert_eq!(taken, [(Vec::new(), Some(std::io::ErrorKind::ConnectionReset)), (READ.to_vec(), None)]);
    assert_eq!(scene.events.borrow().last().unwrap().rule, None, "no rule allows it");
}

#[test]
fn a_rule_is_in_force_for_running_sessions_and_gone_when_its_time_is_over() {
    let mut scene = Scene::new();
    scene.add(rule("open", OPEN));
    scene.client("it-historian", vec![(1, WRITE.to_vec()), (5, READ.to_vec()), (6, WRITE.to_vec())]);
    scene.lab.run(3.0);
    let deny = FirewallRule { duration: Some("60s".parse().unwrap()), ..rule("no-writes", NO_WRITES) };
    scene.add(deny);
    scene.lab.run(57.0);
    assert_eq!(scene.taken.borrow()[0].0, [WRITE, READ].concat());
    assert_eq!(*scene.ended.borrow(), [std::io::ErrorKind::ConnectionReset]);
    scene.client("it-historian", vec![(64, WRITE.to_vec())]);
    scene.lab.run(10.0);
    assert_eq!(scene.taken.borrow()[1].0, WRITE);
    let expected = [Kind::RuleAdded, Kind::RuleAdded, Kind::RequestDenied, Kind::RuleExpired];
    assert_eq!(scene.kinds(), expected);
    assert_eq!(scene.events.borrow()[1].added.as_ref().unwrap().name, "no-writes");
}

#[test]
fn an_inspected_session_survives_a_lossy_link() {
    let mut scene = Scene::new();
    scene.add(rule("open", OPEN));
    scene.add(rule("no-writes", NO_WRITES));
    let lossy = LinkProperties { loss: 0.2, ..LinkProperties::PLANT };
    scene.lab.host("it-historian").set_link(lossy);
    scene.lab.host("plc-1").set_link(lossy);
    // Two requests and a piece of the next in each segment.
    let stream = READ.repeat(200);
    let sends = stream.chunks(29).enumerate().map(|(n, part)| (1 + n as u64, part.to_vec())).collect();
    scene.client("it-historian", sends);
    scene.lab.run(400.0);
    assert_eq!(scene.taken.borrow()[0], (stream, None));
    assert!(!scene.kinds().contains(&Kind::RequestDenied));
}

#[test]
fn within_a_zone_only_a_rule_at_the_port_sees_a_write() {
    let mut scene = Scene::new();
    scene.add(rule("between-zones", NO_WRITES));
    scene.client(
        "hmi",
        vec![(1, READ.to_vec()), (2, WRITE.to_vec()), (5, READ.to_vec()), (6, WRITE.to_vec())],
    );
    scene.lab.run(4.0);
    assert_eq!(scene.taken.borrow()[0].0, [READ, WRITE].concat(), "it does not come by the firewall");
    let patch = rule("patch", &format!("at = \"plc-1\"\n{NO_WRITES}"));
    scene.add(patch);
    scene.lab.run(5.0);
    let reset = std::io::ErrorKind::ConnectionReset;
    assert_eq!(*scene.taken.borrow(), [([READ, WRITE, READ].concat(), Some(reset))]);
    assert_eq!(*scene.ended.borrow(), [reset]);
    assert_eq!(scene.events.borrow().last().unwrap().rule.as_deref(), Some("patch"));
    // A new connection, and one to another PLC, which no rule stands in front of.
    scene.client("ews", vec![(10, READ.to_vec()), (11, WRITE.to_vec())]);
    scene.lab.serve_echo("plc-2", 502);
    let rounds = scene.lab.poll_echo("hmi", at(Ipv4Addr::new(192, 168, 1, 102), 502), 100, 5);
    scene.lab.run(1.5);
    let sessions = scene.lab.network.firewall().sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!((sessions[0].at.as_deref(), sessions[0].inspected), (Some("plc-1"), Some(Inspected::Modbus)));
    scene.lab.run(5.0);
    assert_eq!(scene.taken.borrow()[1], (READ.to_vec(), Some(reset)));
    assert_eq!(*rounds.borrow(), 5);
    assert_clean(&scene.lab.capture());
}

#[test]
fn a_plain_rule_at_a_port_cuts_off_one_host_and_leaves_the_others() {
    let mut scene = Scene::new();
    scene.client("hmi", vec![(1, READ.to_vec()), (5, READ.to_vec())]);
    scene.client("ews", vec![(1, READ.to_vec()), (5, READ.to_vec())]);
    scene.lab.run(3.0);
    scene.add(toml_rule(
        "source = \"192.168.1.30\"\ndestination = \"any\"\nat = \"plc-1\"\naction = \"deny\"\nlog = true",
    ));
    assert_eq!(
        scene.lab.network.firewall().rules()[0].rule.name,
        format!("rule-{}", scene.lab.network.firewall().rules()[0].id)
    );
    scene.lab.run(5.0);
    let lengths: Vec<usize> = scene.taken.borrow().iter().map(|(octets, _)| octets.len()).collect();
    assert_eq!(lengths, [24, 12]);
    let denied = scene.events.borrow().iter().filter(|event| event.kind == Kind::Denied).count();
    assert!(denied >= 1);
}

#[test]
fn rules_that_cannot_be_are_refused() {
    let lab = Lab::new(1);
    let firewall = lab.network.firewall();
    let refused = |rule: FirewallRule| firewall.add(rule, None).unwrap_err().to_string();
    assert!(refused(rule("x", "at = \"plc-9\"\naction = \"deny\"")).contains("at host \"plc-9\""));
    assert!(refused(rule("soc-to-jump", "action = \"deny\"")).contains("choose another name"));
    assert!(refused(rule("x", "action = \"deny\"\nmodbus = {}\ndnp3 = {}")).contains("not both"));
    for _ in firewall.rules().len()..1000 {
        firewall.add(toml_rule("source = \"any\"\ndestination = \"any\"\naction = \"deny\""), None).unwrap();
    }
    assert!(refused(rule("x", "action = \"deny\"")).contains("which is the most"));
}

/// Where nobody wrote a deep rule, nothing is looked into and no frame is another.
#[test]
fn a_deep_rule_for_others_changes_no_frame() {
    let capture = |with_rule: bool| {
        let mut scene = Scene::new();
        scene.add(rule("open", OPEN));
        if with_rule {
            let text = "source = \"10.0.4.57\"\ndestination = \"any\"\naction = \"deny\"\nmodbus = {}";
            scene.add(toml_rule(text));
        }
        scene.client("it-historian", vec![(1, READ.to_vec()), (2, WRITE.to_vec()), (9, vec![7; 40])]);
        scene.lab.run(20.0);
        assert_eq!(scene.taken.borrow()[0].0.len(), 64);
        scene.lab.capture()
    };
    assert!(capture(false) == capture(true));
}

#[test]
fn a_session_at_a_port_can_be_killed() {
    let mut scene = Scene::new();
    scene.add(rule("watch", "at = \"plc-1\"\naction = \"allow\""));
    scene.client("hmi", vec![(1, READ.to_vec())]);
    scene.lab.run(3.0);
    let hmi = scene.lab.host("hmi").address();
    let selector = net::SessionSelector { address: Some(hmi), port: Some(502) };
    assert_eq!(scene.lab.network.firewall().kill_sessions(&selector), 1);
    scene.lab.run(1.0);
    let reset = std::io::ErrorKind::ConnectionReset;
    assert_eq!(*scene.taken.borrow(), [(READ.to_vec(), Some(reset))]);
    assert_eq!(*scene.ended.borrow(), [reset]);
}
