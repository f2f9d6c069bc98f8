//! Stories, and what the rules say to them.

use crate::session::{EWS, HMI, PLC_1, PLC_2, PLC_3, ROGUE, SECOND, Story};

const LEARN_S: u64 = 60;

/// Ordinary traffic, `tell` from 100 s on, ordinary traffic again.
fn story(tell: impl FnOnce(&mut Story, &mut [crate::session::Talk; 3])) -> crate::session::Seen {
    let mut story = Story::new();
    let mut talks = story.hmi();
    story.poll(1..101, &mut talks, |_| 4.0);
    tell(&mut story, &mut talks);
    story.poll(101..200, &mut talks, |_| 4.0);
    story.run(LEARN_S)
}

#[test]
fn ordinary_work_raises_nothing_above_low() {
    let seen = story(|story, talks| {
        // The shift changes the setpoint a little; the engineer reads and writes under a ticket.
        story.ask(100 * SECOND + 500_000_000, &mut talks[0], 1, &[6, 0, 40, 0, 110], &[6, 0, 40, 0, 110]);
        let mut ews = story.connect(120 * SECOND, EWS, PLC_1, 502);
        story.ask(121 * SECOND, &mut ews, 1, &[43, 14, 1, 0], &[43, 14, 1, 1, 0, 0, 1, 0, 1, b'H']);
        story.ask(122 * SECOND, &mut ews, 1, &[3, 0, 40, 0, 7], &[&[3u8, 14][..], &[0; 14]].concat());
        story.ask(123 * SECOND, &mut ews, 1, &[6, 0, 43, 0, 105], &[6, 0, 43, 0, 105]);
        story.close(140 * SECOND, &ews);
    });
    assert_eq!(seen.alarms(), Vec::<String>::new(), "{:?}", seen.findings());
    assert!(seen.summary.modbus_pdus > 1500);
}

#[test]
fn oldsmars_setpoint_shows_by_its_value_though_the_hmi_wrote_it() {
    let seen = story(|story, talks| {
        let write = [6, 0, 40, 0x2b, 0x5c];
        story.ask(100 * SECOND + 500_000_000, &mut talks[0], 1, &write, &write);
    });
    let found = seen.of("process-impossible-setpoint");
    assert_eq!(found.len(), 1, "{:?}", seen.findings());
    assert!(
        found[0].message.starts_with(
            "write of one register to PLC-1, NaOH dose setpoint 100 -> 11,100 mg/L, more than the pump can give"
        ),
        "{}",
        found[0].message
    );
    assert_eq!(found[0].techniques, ["T0836", "T0831"]);
    let entities: Vec<_> = found[0].entities.iter().map(ToString::to_string).collect();
    assert_eq!(entities, ["host:hmi", "device:PLC-1", "point:NAOH.SP"]);
    assert!(seen.of("modbus-new-writer").is_empty());
}

#[test]
fn a_stranger_who_asks_and_writes_is_seen_at_once() {
    let seen = story(|story, _| {
        let mut rogue = story.connect(100 * SECOND, ROGUE, PLC_1, 502);
        story.ask(101 * SECOND, &mut rogue, 1, &[43, 14, 1, 0], &[43, 14, 1, 1, 0, 0, 1, 0, 1, b'H']);
        for second in 102..110 {
            story.ask(second * SECOND, &mut rogue, 1, &[6, 0, 40, 1, 44], &[6, 0, 40, 1, 44]);
        }
        story.close(111 * SECOND, &rogue);
    });
    for rule in ["network-stranger", "modbus-identity-by-stranger", "modbus-new-writer"] {
        assert_eq!(seen.of(rule).len(), 1, "{rule}: {:?}", seen.findings());
    }
    let write = &seen.of("modbus-new-writer")[0];
    assert_eq!(write.t.as_secs_f64(), 102.0);
    assert!(
        write.message.contains("NaOH dose setpoint 100 -> 300 mg/L, by 192.168.1.77 (unknown)"),
        "{}",
        write.message
    );
    // Seven more writes, each said by this rule and by process-unusual-setpoint.
    assert_eq!(seen.summary.findings_swallowed, 14);
    // The frame is the one that carries the write.
    assert_eq!(write.frames.len(), 1);
}

#[test]
fn scans_are_seen_however_they_are_made() {
    let seen = story(|story, _| {
        for (second, port) in (100..).zip([80, 102, 443, 20_000]) {
            story.refused(second * SECOND, ROGUE, PLC_1, port);
        }
    });
    let found = seen.of("network-scan");
    assert_eq!(found.len(), 1, "{:?}", seen.findings());
    assert_eq!(found[0].frames.len(), 4, "{found:?}");
    let seen = story(|story, _| {
        for host in 0..8 {
            story.arp(100 * SECOND + u64::from(host) * SECOND, ROGUE, [192, 168, 1, 96 + host]);
        }
    });
    assert_eq!(seen.of("network-arp-scan").len(), 1, "{:?}", seen.findings());
}

#[test]
fn a_sweep_through_registers_is_seen() {
    let seen = story(|story, _| {
        let mut rogue = story.connect(100 * SECOND, ROGUE, PLC_2, 502);
        for place in 0..20u8 {
            let at = 101 * SECOND + u64::from(place) * SECOND;
            story.ask(at, &mut rogue, 2, &[3, 0, place * 10, 0, 10], &[0x83, 2]);
        }
    });
    for rule in ["modbus-read-by-stranger", "modbus-register-sweep", "modbus-exceptions"] {
        assert_eq!(seen.of(rule).len(), 1, "{rule}: {:?}", seen.findings());
    }
}

#[test]
fn a_controller_without_free_connections_is_seen_from_both_sides() {
    let seen = story(|story, _| {
        let _held: Vec<_> = (0..5).map(|n| story.connect((100 + n) * SECOND, ROGUE, PLC_3, 502)).collect();
        for n in 0..4 {
            story.refused((110 + n) * SECOND, PLC_2, PLC_3, 502);
        }
        let mut earlier = story.connect(5 * SECOND, PLC_2, PLC_3, 502);
        story.ask(6 * SECOND, &mut earlier, 3, &[4, 0, 0, 0, 1], &[4, 2, 0, 1]);
        story.close(7 * SECOND, &earlier);
    });
    assert_eq!(seen.of("connection-exhaustion").len(), 1, "{:?}", seen.findings());
    let refused = seen.of("controller-refuses");
    assert_eq!(refused.len(), 1, "{:?}", seen.findings());
    assert!(refused[0].message.contains("from plc-2 to PLC-3, port 502"), "{}", refused[0].message);
}

#[test]
fn a_copy_that_no_longer_follows_is_seen_and_commands_on_it_too() {
    let mut story = Story::new();
    let mut talks = story.hmi();
    let copy = |second| if second < 100 { 4.0 } else { 3.2 };
    story.poll(1..151, &mut talks, copy);
    // Coil 2 is P-301.CMD; the HMI may write it.
    let stop = [5, 0, 2, 0, 0];
    story.ask(150 * SECOND + 500_000_000, &mut talks[1], 2, &stop, &stop);
    story.poll(151..200, &mut talks, copy);
    let seen = story.run(LEARN_S);
    let found = seen.of("process-copies-disagree");
    assert_eq!(found.len(), 1, "{:?}", seen.findings());
    assert!((114.0..118.0).contains(&found[0].t.as_secs_f64()), "{}", found[0].t);
    assert_eq!(seen.of("pump-forced").len(), 1, "{:?}", seen.findings());
}

#[test]
fn a_remote_session_from_outside_is_seen_when_it_is_taken() {
    let seen = story(|story, _| {
        let mut vnc = story.connect(100 * SECOND, [203, 0, 113, 40], HMI, 5900);
        story.say(100 * SECOND + 5000, &mut vnc, false, b"RFB 003.008\n");
        story.close(130 * SECOND, &vnc);
    });
    let found = seen.of("remote-session-from-outside");
    assert_eq!(found.len(), 1, "{:?}", seen.findings());
    assert_eq!(found[0].t.as_secs_f64(), 100.000_001);
    assert!(seen.logs.text(sensor::Log::Conn).contains("\trfb\t"));
}

#[test]
fn a_poll_that_stops_is_low_unless_a_controller_polled() {
    let mut story = Story::new();
    let mut talks = story.hmi();
    let mut peer = story.connect(0, PLC_2, PLC_3, 502);
    for second in 1..100 {
        story.ask(second * SECOND + 300_000_000, &mut peer, 3, &[4, 0, 0, 0, 1], &[4, 2, 0x0f, 0xa0]);
    }
    story.poll(1..200, &mut talks, |_| 4.0);
    let seen = story.run(LEARN_S);
    let lost = seen.of("lost-peer");
    assert_eq!(lost.len(), 1, "{:?}", seen.findings());
    assert!(
        lost[0].message.starts_with("no more polls of PLC-3 by plc-2, silent for"),
        "{}",
        lost[0].message
    );
    assert!(seen.of("lost-poll").is_empty());
}

#[test]
fn a_station_that_connects_again_and_again_holds_one_connection() {
    let seen = story(|story, _| {
        for n in 0..10 {
            let at = 100 * SECOND + n * 100_000_000;
            let talk = story.connect(at, EWS, PLC_1, 502);
            story.close(at + 50_000_000, &talk);
        }
        story.arp(110 * SECOND, [192, 168, 1, 1], HMI);
    });
    assert_eq!(seen.alarms(), Vec::<String>::new(), "{:?}", seen.findings());
}

#[test]
fn a_man_in_the_middle_shows_by_his_card_and_is_one_incident() {
    let mut story = Story::new();
    let mut talks = story.hmi();
    story.poll(1..300, &mut talks, |_| 4.0);
    // From 100 s to 200 s somebody passes on what the HMI sends, octet for octet.
    for (at, frame) in &mut story.frames {
        if (100 * SECOND..200 * SECOND).contains(at) && frame[26..30] == HMI {
            frame[6..12].copy_from_slice(&[0x02, 0, 0, 0, 0, 0x66]);
        }
    }
    let seen = story.run(LEARN_S);
    let found = seen.of("address-conflict");
    assert!(!found.is_empty() && found[0].t.as_secs_f64() < 101.0, "{:?}", seen.findings());
    let entities: Vec<_> = found[0].entities.iter().map(ToString::to_string).collect();
    assert_eq!(entities, ["host:hmi"]);
    assert_eq!(seen.summary.incidents.iter().sum::<u64>(), 1);
    assert!(found.iter().all(|finding| finding.incident == Some(1)));
}

#[test]
fn a_flood_from_a_known_station_shows_against_its_own_rate() {
    let seen = story(|story, talks| {
        for n in 0..40 {
            let at = 100 * SECOND + 500_000_000 + n * 5_000_000;
            story.ask(at, &mut talks[0], 1, &[3, 0, 40, 0, 1], &[3, 2, 0, 100]);
        }
    });
    // Twice a second was learnt, and up to ten are no flood: the thirtieth of a second is three times that.
    let found = seen.of("modbus-flood");
    assert_eq!(found.len(), 1, "{:?}", seen.findings());
    assert_eq!(found[0].techniques, ["T0814", "T0806"]);
}

#[test]
fn a_setpoint_that_creeps_shows_though_each_step_is_usual() {
    let seen = story(|story, _| {
        let mut hmi = story.connect(110 * SECOND, HMI, PLC_1, 502);
        for step in 0..8u8 {
            let value = 102 + 3 * step;
            let pdu = [6, 0, 40, 0, value];
            let at = (120 + 8 * u64::from(step)) * SECOND + 500_000_000;
            story.ask(at, &mut hmi, 1, &pdu, &pdu);
        }
    });
    let found = seen.of("modbus-setpoint-creep");
    assert_eq!(found.len(), 1, "{:?}", seen.findings());
    assert!(seen.of("process-unusual-setpoint").is_empty(), "no single step is unusual");
}

#[test]
fn a_packet_from_nowhere_is_seen() {
    let seen = story(|story, _| {
        story.segment(150 * SECOND, ([127, 0, 0, 1], PLC_1), (40_000, 502), (1, 1), 0x18, b"x");
    });
    assert_eq!(seen.of("impossible-source").len(), 1, "{:?}", seen.findings());
}

#[test]
fn units_that_were_never_asked_for_are_a_sweep() {
    let seen = story(|story, _| {
        let mut ews = story.connect(110 * SECOND, EWS, PLC_1, 502);
        for unit in 10..20u8 {
            let at = (111 + u64::from(unit)) * SECOND;
            story.ask(at, &mut ews, unit, &[3, 0, 0, 0, 4], &[0x83, 11]);
        }
        story.close(140 * SECOND, &ews);
    });
    assert_eq!(seen.of("modbus-unit-sweep").len(), 1, "{:?}", seen.findings());
}

#[test]
fn a_flood_of_new_names_is_said_together_once_there_are_too_many() {
    let seen = story(|story, _| {
        for n in 0..6000u64 {
            let [high, low] = (n as u16).to_be_bytes();
            story.refused(110 * SECOND + n * 10_000_000, [10, 7, high, low], PLC_1, 502);
        }
    });
    let (said, swallowed) = (seen.findings().len(), seen.summary.findings_swallowed);
    assert!((4000..4300).contains(&said) && swallowed > 1500, "{said} said, {swallowed} not repeated");
}
