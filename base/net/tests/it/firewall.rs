//! The firewall.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use net::{FirewallEvent, FirewallEventKind, ProbeResult, ProbeStyle, SessionSelector};
use record::{Clock, VirtualTime};
use site::{FirewallAction, FirewallRule, Peer, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{HISTORIAN, Lab, PLC_1, at};
use crate::tshark::assert_clean;

const IT_HISTORIAN: Ipv4Addr = Ipv4Addr::new(10, 0, 4, 10);

fn events(lab: &mut Lab) -> Rc<RefCell<Vec<FirewallEvent>>> {
    let events = Rc::new(RefCell::new(Vec::new()));
    let into = events.clone();
    lab.kernel.on_firewall_event(Box::new(move |event| into.borrow_mut().push(event.clone())));
    events
}

fn rule(name: &str, from: &str, to: &str, action: FirewallAction) -> FirewallRule {
    FirewallRule {
        name: name.into(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        protocol: Protocol::Any,
        ports: Vec::new(),
        action,
        log: true,
        at: None,
        modbus: None,
        dnp3: None,
        duration: None,
        comment: String::new(),
        by: String::new(),
    }
}

fn probe(lab: &mut Lab, from: &str, to: Ipv4Addr, port: u16) -> ProbeResult {
    let result = Rc::new(RefCell::new(None));
    let (host, into) = (lab.host(from), result.clone());
    lab.spawn("prober", async move {
        let limit = Duration::from_secs(2);
        *into.borrow_mut() = Some(host.probe(at(to, port), ProbeStyle::HalfOpen, limit).await.unwrap());
    });
    lab.run(3.0);
    result.take().unwrap()
}

#[test]
fn what_no_rule_allows_is_dropped_in_silence_and_logged() {
    let mut lab = Lab::new(1);
    let log = events(&mut lab);
    assert_eq!(probe(&mut lab, "office-7", PLC_1, 502), ProbeResult::Filtered);
    assert_eq!(lab.network.mirror_ledger().last_frame(), 0, "nothing came through");
    let log = log.borrow();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(log[0].kind, FirewallEventKind::Denied);
    assert_eq!(log[0].destination, Some(at(PLC_1, 502)));
}

#[test]
fn an_allowed_service_is_reached_and_the_way_back_is_not_a_way_in() {
    let mut lab = Lab::new(1);
    let _listener = lab.host("historian").listen(1433, 4).unwrap();
    assert_eq!(probe(&mut lab, "it-historian", HISTORIAN, 1433), ProbeResult::Open);
    assert_eq!(probe(&mut lab, "it-historian", HISTORIAN, 22), ProbeResult::Filtered);
    assert_eq!(probe(&mut lab, "historian", IT_HISTORIAN, 1433), ProbeResult::Filtered);
    assert_eq!(probe(&mut lab, "historian", Ipv4Addr::new(203, 0, 113, 40), 443), ProbeResult::Filtered);
}

#[test]
fn the_first_rule_that_matches_decides_and_goes_when_its_time_is_over() {
    let mut lab = Lab::new(1);
    let log = events(&mut lab);
    let _listener = lab.host("historian").listen(1433, 4).unwrap();
    let block = rule("contain", "zone:enterprise", "zone:control", FirewallAction::Deny);
    let firewall = lab.network.firewall();
    let id = firewall.add(block.clone(), Some(Duration::from_mins(1))).unwrap();
    assert_eq!(firewall.rules()[0].id, id);
    assert_eq!(firewall.rules()[0].expires, Some(VirtualTime::from_secs(60)));
    assert_eq!(probe(&mut lab, "it-historian", HISTORIAN, 1433), ProbeResult::Filtered);
    assert_eq!(firewall.rules()[0].hits, 1);
    lab.run(60.0);
    assert_eq!(probe(&mut lab, "it-historian", HISTORIAN, 1433), ProbeResult::Open);
    let kinds: Vec<_> = log.borrow().iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [FirewallEventKind::RuleAdded, FirewallEventKind::Denied, FirewallEventKind::RuleExpired]
    );
    assert_eq!(log.borrow()[2].time, VirtualTime::from_secs(60));

    let id = firewall.add(block, None).unwrap();
    assert_eq!(probe(&mut lab, "it-historian", HISTORIAN, 1433), ProbeResult::Filtered);
    assert!(firewall.remove(id));
    assert!(!firewall.remove(id));
    assert_eq!(probe(&mut lab, "it-historian", HISTORIAN, 1433), ProbeResult::Open);
}

#[test]
fn a_rule_for_a_zone_that_does_not_exist_is_an_error() {
    let lab = Lab::new(1);
    let mut wrong = rule("typo", "any", "any", FirewallAction::Allow);
    wrong.to = Peer::Zone("contrl".into());
    let error = lab.network.firewall().add(wrong, None).unwrap_err();
    assert_eq!(error.to_string(), "rule \"typo\" names zone \"contrl\", which does not exist");
}

#[test]
fn a_killed_session_is_reset_at_both_ends() {
    let mut lab = Lab::new(1);
    let log = events(&mut lab);
    let ended = Rc::new(RefCell::new(Vec::new()));
    let listener = lab.host("historian").listen(1433, 4).unwrap();
    let into = ended.clone();
    lab.spawn("server", async move {
        let mut stream = listener.accept().await;
        stream.write_all(b"welcome").await.unwrap();
        let error = stream.read_u8().await.unwrap_err();
        into.borrow_mut().push(format!("server {:?}", error.kind()));
    });
    let (host, into) = (lab.host("it-historian"), ended.clone());
    lab.spawn("client", async move {
        let mut stream = host.connect(at(HISTORIAN, 1433)).await.unwrap();
        let mut all = Vec::new();
        let error = stream.read_to_end(&mut all).await.unwrap_err();
        into.borrow_mut().push(format!("client {:?} after {}", error.kind(), all.len()));
    });
    let (firewall, clock) = (lab.network.firewall(), lab.kernel.clock());
    lab.spawn("analyst", async move {
        clock.sleep(Duration::from_secs(5)).await;
        assert_eq!(firewall.sessions().len(), 1);
        assert_eq!(firewall.sessions()[0].rule, "historian-replication");
        let other = SessionSelector { port: Some(5900), ..SessionSelector::default() };
        assert_eq!(firewall.kill_sessions(&other), 0);
        let selector = SessionSelector { address: Some(IT_HISTORIAN), port: None };
        assert_eq!(firewall.kill_sessions(&selector), 1);
        assert!(firewall.sessions().is_empty());
    });
    lab.run(10.0);
    let mut ended = ended.borrow().clone();
    ended.sort();
    assert_eq!(ended, ["client ConnectionReset after 7", "server ConnectionReset"]);
    assert_eq!(log.borrow().last().unwrap().kind, FirewallEventKind::SessionKilled);
    assert_eq!(lab.kernel.connections(), 0);
    assert_clean(&lab.capture());
}

#[test]
fn a_session_that_was_killed_silently_belongs_to_nothing() {
    let mut lab = Lab::new(1);
    lab.serve_echo("historian", 1433);
    let log = events(&mut lab);
    let host = lab.host("it-historian");
    let clock = lab.kernel.clock();
    lab.spawn("client", async move {
        let mut stream = host.connect(at(HISTORIAN, 1433)).await.unwrap();
        // Longer than the firewall remembers.
        clock.sleep(Duration::from_secs(4000)).await;
        stream.write_all(b"still there?").await.unwrap();
        let answer = stream.read_u8();
        assert!(record::with_timeout(&clock, Duration::from_secs(10), answer).await.is_none());
    });
    lab.run(4100.0);
    assert_eq!(log.borrow().first().unwrap().kind, FirewallEventKind::NoSession);
}
