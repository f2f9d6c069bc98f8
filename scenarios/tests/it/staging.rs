//! Staged scenarios: who talks to whom, what is written when, and what truth says of it.

use std::net::Ipv4Addr;

use record::{Channel, EventSource, Role, Verdict};
use scenarios::Cast;

use crate::run::Run;

const LAPTOP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 77);
const HMI: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 20);
const PANEL_BOX: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 88);

#[test]
fn the_first_shift_goes_as_planned() {
    let mut run = Run::new("first-shift", 7, &[], &Cast::full());
    let (truth, journal) = run.finish();
    let ids: Vec<_> = truth.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(ids, ["contact", "dose", "next-door", "probe-check"]);
    let (contact, dose) = (&truth[0], &truth[1]);
    assert_eq!(contact.start, run.plan.event("contact").unwrap().at);
    assert!((200.0..=261.0).contains(&contact.start.as_secs_f64()), "{}", contact.start);
    assert!(contact.end.since(contact.start).as_millis() < 500 && contact.end > contact.start);
    let write = run.devices["PLC-1"].writes().into_iter().find(|w| w.from == LAPTOP).unwrap();
    assert_eq!(write.function, 6);
    let wanted = run.plan.values["dose"].to_string().parse::<f64>().unwrap();
    assert_eq!(write.wrote, Some(("NAOH.SP".into(), wanted)));
    assert!(write.at.since(dose.start).as_millis() < 100, "the write lands in the next scan");
    for step in &truth[..3] {
        assert!(!step.frames.is_empty() && step.frames.is_sorted(), "{}", step.step);
        assert_eq!(step.verdict, Verdict::Attack);
        let seen = &step.observable[&Role::Analyst];
        assert!(seen[&Channel::Network] <= seen[&Channel::ProtocolLog]);
    }
    let on_screen = dose.observable[&Role::Operator][&Channel::Hmi];
    assert!(on_screen > dose.start && on_screen.since(dose.start).as_millis() < 1600, "{on_screen}");
    assert_eq!(run.stage.view().value("NAOH.SP"), Some(wanted));
    assert!(journal.iter().any(|e| e.kind == "ticket.opened" && e.source == EventSource::Inject));
    assert!(journal.iter().filter(|e| e.kind == "hmi.write").count() >= 5);
    assert!(!journal.iter().any(|e| e.data.to_string().contains(&format!("{wanted}"))), "the journal tells");
}

#[test]
fn two_runs_of_one_seed_leave_the_same_octets_and_another_seed_others() {
    let capture = |seed| {
        let mut run = Run::new("first-shift", seed, &[], &Cast::full());
        run.until(400);
        (run.captured(), serde_json::to_string(&run.stage.truth()).unwrap())
    };
    let first = capture(3);
    assert!(first == capture(3));
    assert!(first.0 != capture(4).0);
}

#[test]
fn the_clean_twin_holds_no_step_and_the_blame_twin_all_but_one() {
    let mut clean = Run::new("first-shift", 7, &[], &Cast::clean());
    let (truth, _) = clean.finish();
    assert!(truth.iter().all(|step| step.verdict != Verdict::Attack));
    assert!(!clean.devices["PLC-1"].tables.borrow().taken.iter().any(|taken| taken.from == LAPTOP));
    let mut full = Run::new("first-shift", 7, &[], &Cast::full());
    full.finish();
    let mut blame = Run::new("first-shift", 7, &[], &Cast::all_but("dose"));
    blame.finish();
    assert!(blame.stage.truth().iter().all(|step| step.step != "dose"));
    assert_eq!(blame.step("next-door").start, full.step("next-door").start);
    assert_eq!(blame.step("next-door").end, full.step("next-door").end);
}

#[test]
fn an_operators_entry_moves_no_step_of_the_attack() {
    let mut quiet = Run::new("oldsmar", 2, &[], &Cast::full());
    quiet.finish();
    let mut busy = Run::new("oldsmar", 2, &[], &Cast::full());
    busy.until(310);
    busy.stage.operator_write("NAOH.SP", 100.0).unwrap();
    assert!(busy.stage.operator_write("AIT-202", 7.0).is_err());
    busy.finish();
    let writes = |run: &Run| run.devices["PLC-1"].writes().iter().filter(|w| w.from == HMI).count();
    assert_eq!(writes(&busy), writes(&quiet) + 1);
    for (a, b) in quiet.stage.truth().iter().zip(busy.stage.truth()) {
        assert_eq!((&a.step, a.start), (&b.step, b.start));
        let apart = a.end.since(b.end).max(b.end.since(a.end));
        assert!(apart.as_micros() < 1000, "{}: {apart:?}", a.step);
    }
}

#[test]
fn the_operators_station_writes_what_the_remote_session_types() {
    let mut run = Run::new("oldsmar", 5, &[("operator reverts", "late")], &Cast::full());
    let (truth, journal) = run.finish();
    let ids: Vec<_> = truth.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(ids, ["look", "vendor-visit", "pump-check", "return", "dose"]);
    let written: Vec<_> = run.devices["PLC-1"]
        .writes()
        .into_iter()
        .filter(|w| w.from == HMI && w.wrote.as_ref().is_some_and(|(tag, _)| tag == "NAOH.SP"))
        .collect();
    assert_eq!(written.iter().map(|w| w.wrote.clone().unwrap().1).collect::<Vec<_>>(), [11_100.0, 100.0]);
    let (session, dose) = (run.step("return"), run.step("dose"));
    assert!(session.start < dose.start && dose.end < session.end);
    assert_eq!(dose.start.as_nanos() % 200_000_000, 130_000_000, "clear of the edges of scans");
    assert!(session.observable[&Role::Operator][&Channel::Hmi] < dose.start, "the pointer moves first");
    assert!(session.frames.len() > 100 && dose.frames.len() < 15);
    assert!(dose.frames.iter().all(|frame| !session.frames.contains(frame)));
    let reverted = written[1].at.since(written[0].at).as_secs();
    assert!((20 * 60..=35 * 60 + 1).contains(&reverted), "{reverted}");
    let writes: Vec<_> = journal.iter().filter(|e| e.kind == "hmi.write").collect();
    assert!(writes.iter().any(|e| e.data["value"] == 11_100.0), "as any entry at the station");
}

#[test]
fn a_blocked_session_writes_nothing() {
    let mut run = Run::new("oldsmar", 5, &[], &Cast::full());
    run.until(3 * 3600);
    let firewall = run.network.firewall();
    let rule = firewall.rules().into_iter().find(|rule| rule.rule.name == "vendor-remote-support").unwrap();
    assert!(firewall.remove(rule.id));
    let (truth, _) = run.finish();
    assert!(!truth.iter().any(|step| ["return", "dose"].contains(&step.step.as_str())), "{truth:?}");
    let writes = run.devices["PLC-1"].writes();
    assert!(!writes.iter().any(|w| w.wrote.as_ref().is_some_and(|(tag, _)| tag == "NAOH.SP")));
}

#[test]
fn the_tanks_unit_is_exhausted_and_the_pumps_are_stopped() {
    let mut run = Run::new("night-tank", 1, &[], &Cast::full());
    let exhaust = run.plan.event("exhaust").unwrap().at;
    run.kernel.run_until(exhaust).unwrap();
    let before = run.devices["PLC-3"].connected();
    assert!(before.contains(&HMI) && !before.contains(&PANEL_BOX), "{before:?}");
    run.kernel.run_until(exhaust + std::time::Duration::from_secs(90)).unwrap();
    assert_eq!(run.devices["PLC-3"].connected(), [PANEL_BOX; 5]);
    assert_eq!(run.stage.view().lost, ["PLC-3"]);
    run.finish();
    assert_eq!(run.devices["PLC-3"].connected(), [PANEL_BOX; 5], "to the end of the night");
    let steps = run.stage.truth();
    let ids: Vec<_> = steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(ids, ["night-round", "sweep", "survey", "exhaust", "pumps-off", "historian-backup"]);
    let lost = run.step("exhaust").observable[&Role::Operator][&Channel::Hmi];
    assert!(lost.since(exhaust).as_secs() < 30, "{lost}");
    assert_eq!(run.step("exhaust").end, run.plan.end);
    let writes = run.devices["PLC-2"].writes();
    let forced: Vec<_> = writes.iter().filter(|w| w.from == PANEL_BOX).collect();
    assert_eq!(forced.len(), 20, "four writes, five rounds");
    assert!(forced.iter().all(|w| w.function == 5 && w.wrote.as_ref().unwrap().1 == 0.0));
    let sweep = run.step("sweep");
    assert!(sweep.frames.len() > 30, "{}", sweep.frames.len());
    let refused = run.devices["PLC-2"].tables.borrow();
    assert!(refused.taken.iter().filter(|t| t.from == PANEL_BOX && t.refused).count() > 8);
}

#[test]
fn an_ordinary_day_has_work_enough_to_fool_an_alarmist() {
    let mut run = Run::new("ordinary-day", 1, &[], &Cast::full());
    let (truth, journal) = run.finish();
    assert_eq!(truth.len(), 4, "{truth:?}");
    assert!(truth.iter().all(|step| step.verdict != Verdict::Attack));
    let restart = run.step("historian-restart");
    assert!(restart.end.since(restart.start).as_secs() >= 240);
    assert!(run.step("sticking-valve").frames.is_empty(), "a fault leaves no packets");
    let exceptions: usize =
        run.devices.values().map(|d| d.tables.borrow().taken.iter().filter(|t| t.refused).count()).sum();
    assert_eq!(exceptions, 6, "three at each start of the historian");
    let writes: usize = run.devices.values().map(|d| d.writes().len()).sum();
    assert!(writes > 25, "{writes}");
    assert_eq!(journal.iter().filter(|e| e.kind == "ticket.opened").count(), 3);
}
