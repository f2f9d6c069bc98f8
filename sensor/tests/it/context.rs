//! DNP3 requests, confirmations and answers judged by what surrounds them: the master, how the site's outputs are operated, the
//! outstation's indications, and the grid. Frames of our own encoder at the site `power`.

use wire::dnp3::{LinkAddress, LinkControl, LinkHeader, transport};

use crate::session::{SECOND, Seen, Story, Talk};

const FEP: [u8; 4] = [192, 168, 10, 15];
const EWS: [u8; 4] = [192, 168, 10, 30];
const STRANGER: [u8; 4] = [192, 168, 10, 77];
const RTU_7: [u8; 4] = [192, 168, 107, 10];
const RTU_9: [u8; 4] = [192, 168, 109, 10];
const GEN_1: [u8; 4] = [192, 168, 120, 10];
const MILLISECOND: u64 = 1_000_000;
/// Time that the baseline learns, seconds.
const LEARN: u64 = 60;

const DISABLE: [u8; 10] = [21, 60, 2, 6, 60, 3, 6, 60, 4, 6];
const ENABLE: [u8; 10] = [20, 60, 2, 6, 60, 3, 6, 60, 4, 6];
const CLEAR_RESTART: [u8; 7] = [2, 80, 1, 0, 7, 7, 0];
const WRITE_TIME: [u8; 11] = [2, 50, 1, 7, 1, 0, 0x10, 0xa5, 0xd4, 0xe8, 0];
const INTEGRITY: [u8; 13] = [1, 60, 2, 6, 60, 3, 6, 60, 4, 6, 60, 1, 6];
const EVENTS: [u8; 10] = [1, 60, 2, 6, 60, 3, 6, 60, 4, 6];
/// IIN1.4 and IIN1.7, as after a restart.
const RESTARTED: [u8; 2] = [0x90, 0];
const QUIET: [u8; 2] = [0, 0];

/// A control relay output block (group 12, variation 1) that trips an output, behind its function.
fn trip(function: u8, index: u8) -> Vec<u8> {
    vec![function, 12, 1, 0x28, 1, 0, index, 0, 0x81, 1, 100, 0, 0, 0, 100, 0, 0, 0, 0]
}

/// A setpoint (group 41, variation 2).
fn setpoint(function: u8, index: u8, counts: u16) -> Vec<u8> {
    let [low, high] = counts.to_le_bytes();
    vec![function, 41, 2, 0x28, 1, 0, index, 0, low, high, 0]
}

/// One connection between a master and an outstation.
struct Line {
    talk: Talk,
    /// Link addresses of master and outstation.
    addresses: (u16, u16),
    /// Number of the next request.
    sequence: u8,
}

impl Line {
    fn new(story: &mut Story, at: u64, master: [u8; 4], outstation: [u8; 4], addresses: (u16, u16)) -> Self {
        Self { talk: story.connect(at, master, outstation, 20_000), addresses, sequence: 0 }
    }

    /// The front end's to RTU-7.
    fn to_rtu_7(story: &mut Story, at: u64) -> Self {
        Self::new(story, at, FEP, RTU_7, (1, 7))
    }

    /// One fragment in its frames.
    fn send(&mut self, story: &mut Story, at: u64, from_master: bool, fragment: &[u8]) {
        let (master, outstation) = self.addresses;
        let (control, source, destination) =
            if from_master { (0xc4, master, outstation) } else { (0x44, outstation, master) };
        let header = LinkHeader {
            control: LinkControl(control),
            source: LinkAddress(source),
            destination: LinkAddress(destination),
        };
        let mut octets = Vec::new();
        transport::segments(fragment, 0).for_each(|segment| header.emit(&segment, &mut octets));
        story.say(at, &mut self.talk, from_master, &octets);
    }

    /// A request without its control octet, and its answer 20 ms later: a null response, to commands their echo.
    fn ask(&mut self, story: &mut Story, at: u64, request: &[u8], iin: [u8; 2]) {
        let control = 0xc0 | self.sequence;
        self.sequence = (self.sequence + 1) % 16;
        self.send(story, at, true, &[&[control], request].concat());
        let echo = if (3..=5).contains(&request[0]) { &request[1..] } else { &[] };
        self.send(story, at + 20 * MILLISECOND, false, &[&[control, 0x81], iin.as_slice(), echo].concat());
    }

    /// A report without values, and its confirmation.
    fn report(&mut self, story: &mut Story, at: u64, sequence: u8, iin: [u8; 2]) {
        self.send(story, at, false, &[0xf0 | sequence, 0x82, iin[0], iin[1]]);
        self.send(story, at + MILLISECOND, true, &[0xd0 | sequence, 0]);
    }

    /// What a master does when it starts; `iin` is what the outstation says at first.
    fn start(&mut self, story: &mut Story, at: u64, iin: [u8; 2]) {
        self.ask(story, at, &DISABLE, iin);
        self.report(story, at + 30 * MILLISECOND, 0, iin);
        if iin == RESTARTED {
            self.ask(story, at + 100 * MILLISECOND, &CLEAR_RESTART, [0x10, 0]);
            self.ask(story, at + 200 * MILLISECOND, &WRITE_TIME, QUIET);
        }
        self.ask(story, at + 300 * MILLISECOND, &INTEGRITY, QUIET);
        self.ask(story, at + 400 * MILLISECOND, &ENABLE, QUIET);
    }

    /// Polls for events each five seconds.
    fn poll(&mut self, story: &mut Story, seconds: std::ops::Range<u64>) {
        for second in seconds.step_by(5) {
            self.ask(story, second * SECOND, &EVENTS, QUIET);
        }
    }

    /// Select and operate.
    fn operate(&mut self, story: &mut Story, at: u64, index: u8) {
        self.ask(story, at, &trip(3, index), QUIET);
        self.ask(story, at + 100 * MILLISECOND, &trip(4, index), QUIET);
    }
}

/// The front end starts and polls RTU-7 for two minutes, one of them to learn from.
fn ordinary(story: &mut Story) -> Line {
    let mut line = Line::to_rtu_7(story, SECOND);
    line.start(story, 2 * SECOND, RESTARTED);
    line.poll(story, 5..120);
    line
}

#[track_caller]
fn check(seen: &Seen, alarms: &[&str]) {
    assert_eq!(seen.alarms(), alarms, "{:#?}", seen.findings());
}

#[test]
fn an_ordinary_start_is_no_alarm_even_if_none_was_learnt() {
    for iin in [QUIET, RESTARTED] {
        let mut story = Story::new();
        let mut line = Line::to_rtu_7(&mut story, SECOND);
        line.poll(&mut story, 5..100);
        story.close(101 * SECOND, &line.talk);
        let mut line = Line::to_rtu_7(&mut story, 104 * SECOND);
        line.start(&mut story, 105 * SECOND, iin);
        line.poll(&mut story, 110..180);
        check(&story.run_at("power", LEARN), &[]);
    }
}

#[test]
fn a_documented_master_that_appears_after_learning_is_no_alarm() {
    let mut story = Story::new();
    let mut other = Line::new(&mut story, SECOND, FEP, RTU_9, (1, 9));
    other.poll(&mut story, 5..200);
    let mut line = Line::to_rtu_7(&mut story, 104 * SECOND);
    line.start(&mut story, 105 * SECOND, RESTARTED);
    line.poll(&mut story, 110..200);
    check(&story.run_at("power", LEARN), &[]);
}

#[test]
fn a_master_that_restarts_is_no_alarm() {
    let mut story = Story::new();
    let line = ordinary(&mut story);
    story.close(121 * SECOND, &line.talk);
    // Its first try breaks off behind the disabling.
    let mut line = Line::to_rtu_7(&mut story, 125 * SECOND);
    line.ask(&mut story, 126 * SECOND, &DISABLE, QUIET);
    story.close(127 * SECOND, &line.talk);
    let mut line = Line::to_rtu_7(&mut story, 135 * SECOND);
    line.start(&mut story, 136 * SECOND, QUIET);
    line.poll(&mut story, 140..220);
    check(&story.run_at("power", LEARN), &[]);
}

#[test]
fn a_restart_by_a_stranger_is_an_alarm() {
    let mut story = Story::new();
    ordinary(&mut story);
    let mut stranger = Line::new(&mut story, 90 * SECOND, EWS, RTU_7, (1, 7));
    stranger.ask(&mut story, 91 * SECOND, &[13], QUIET);
    let seen = story.run_at("power", LEARN);
    assert!(!seen.of("dnp3-restart").is_empty() && !seen.of("dnp3-command-by-new-master").is_empty());
    // From the master's host, under an address that it does not have.
    for function in [13, 14] {
        let mut story = Story::new();
        ordinary(&mut story);
        let mut stranger = Line::new(&mut story, 90 * SECOND, FEP, RTU_7, (3, 7));
        stranger.ask(&mut story, 91 * SECOND, &[function], QUIET);
        let seen = story.run_at("power", LEARN);
        assert!(!seen.of("dnp3-restart").is_empty() && !seen.of("dnp3-new-address").is_empty());
    }
}

#[test]
fn reports_that_are_disabled_and_stay_so_are_an_alarm() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    line.ask(&mut story, 121 * SECOND, &DISABLE, QUIET);
    line.poll(&mut story, 125..180);
    let seen = story.run_at("power", LEARN);
    check(&seen, &["dnp3-reports-left-off"]);
    let finding = &seen.of("dnp3-reports-left-off")[0];
    assert_eq!(
        finding.message,
        "unsolicited reports of RTU-7 disabled by fep and not enabled again, for 34 s"
    );
    assert_eq!(
        finding.frames.len(),
        1,
        "that of the disabling; the finding comes with the first frame behind half a minute"
    );
}

#[test]
fn a_restart_behind_the_disabling_does_not_hide_it() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    line.ask(&mut story, 121 * SECOND, &DISABLE, QUIET);
    line.ask(&mut story, 133 * SECOND, &[13], QUIET);
    story.close(134 * SECOND, &line.talk);
    let mut line = Line::to_rtu_7(&mut story, 138 * SECOND);
    line.start(&mut story, 139 * SECOND, RESTARTED);
    line.poll(&mut story, 145..180);
    check(&story.run_at("power", LEARN), &["dnp3-restart", "dnp3-reports-left-off"]);
}

#[test]
fn a_forged_confirmation_is_an_alarm() {
    // On the master's connection, of a number that was not to be confirmed.
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    line.report(&mut story, 121 * SECOND, 1, QUIET);
    line.send(&mut story, 122 * SECOND, true, &[0xd2, 0]);
    let seen = story.run_at("power", LEARN);
    check(&seen, &["dnp3-unawaited"]);
    // On another connection from the same host, and from another host.
    for (host, alarms) in [(FEP, &["dnp3-unawaited"][..]), (EWS, &["dnp3-new-master", "dnp3-unawaited"][..])]
    {
        let mut story = Story::new();
        ordinary(&mut story);
        let mut forger = Line::new(&mut story, 90 * SECOND, host, RTU_7, (1, 7));
        forger.send(&mut story, 91 * SECOND, true, &[0xd1, 0]);
        let mut found = story.run_at("power", LEARN).alarms();
        found.sort();
        assert_eq!(found, alarms);
    }
}

#[test]
fn confirmations_and_answers_that_are_late_or_repeated_are_no_alarm() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    line.report(&mut story, 121 * SECOND, 1, QUIET);
    line.send(&mut story, 122 * SECOND, true, &[0xd1, 0]);
    line.send(&mut story, 123 * SECOND, false, &[0xf2, 0x82, 0, 0]);
    line.send(&mut story, 123 * SECOND + 1, false, &[0xf3, 0x82, 0, 0]);
    line.send(&mut story, 124 * SECOND, true, &[0xd2, 0]);
    line.send(&mut story, 124 * SECOND + 1, true, &[0xd3, 0]);
    let control = 0xc0 | line.sequence;
    line.send(&mut story, 125 * SECOND, true, &[&[control], EVENTS.as_slice()].concat());
    line.send(
        &mut story,
        130 * SECOND,
        true,
        &[&[0xc0 | ((line.sequence + 1) % 16)], EVENTS.as_slice()].concat(),
    );
    line.send(&mut story, 131 * SECOND, false, &[control, 0x81, 0, 0]);
    check(&story.run_at("power", LEARN), &[]);
}

#[test]
fn a_forged_response_is_an_alarm() {
    // An answer to nothing, a report out of its row, a second answer, on the connection of the two.
    let number = |line: &Line, by: u8| (line.sequence + by) % 16;
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    let forged = [0xc0 | number(&line, 6), 0x81, 0, 0];
    line.send(&mut story, 121 * SECOND, false, &forged);
    check(&story.run_at("power", LEARN), &["dnp3-unawaited"]);
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    line.send(&mut story, 121 * SECOND, false, &[0xf9, 0x82, 0, 0]);
    check(&story.run_at("power", LEARN), &["dnp3-unawaited"]);
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    let forged = [0xc0 | number(&line, 15), 0x81, 0, 0, 1, 2, 0, 0, 0, 1];
    line.send(&mut story, 121 * SECOND, false, &forged);
    check(&story.run_at("power", LEARN), &["dnp3-second-answer"]);
    // From a host that is not the outstation.
    let mut story = Story::new();
    ordinary(&mut story);
    let mut forger = Line::new(&mut story, 90 * SECOND, FEP, STRANGER, (1, 7));
    forger.send(&mut story, 91 * SECOND, false, &[0xf0, 0x82, 0, 0]);
    let seen = story.run_at("power", LEARN);
    assert!(!seen.of("dnp3-report-to-stranger").is_empty(), "{:#?}", seen.findings());
}

#[test]
fn outputs_operated_as_the_site_does_it_are_no_alarm() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    let mut other = Line::new(&mut story, SECOND, FEP, RTU_9, (1, 9));
    other.poll(&mut story, 5..120);
    // Line 8-9 out at both ends, and voltage setpoints as ever.
    line.ask(&mut story, 120 * SECOND, &setpoint(5, 4, 1002), QUIET);
    line.operate(&mut story, 121 * SECOND, 3);
    other.operate(&mut story, 122 * SECOND, 1);
    line.ask(&mut story, 124 * SECOND, &setpoint(5, 4, 1001), QUIET);
    check(&story.run_at("power", LEARN), &[]);
}

#[test]
fn a_sweep_is_an_alarm_from_its_first_command_on() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    for (number, index) in [0, 1, 2, 3, 4].into_iter().enumerate() {
        let at = 121 * SECOND + number as u64 * 454 * MILLISECOND;
        line.ask(&mut story, at, &trip(5, index), QUIET);
    }
    let seen = story.run_at("power", LEARN);
    check(&seen, &["dnp3-select-skipped", "grid-cannot-bear", "dnp3-sweep-of-outputs", "grid-cannot-bear"]);
    let grid = &seen.of("grid-cannot-bear")[0];
    // Nothing has been measured: the documentation's powers count.
    assert_eq!(
        grid.message,
        "opening of 52-78, the last line of bus 7: unit G2 would be cut off, 192 MW, 61 % of the load, by fep to RTU-7"
    );
    let sweep = &seen.of("dnp3-sweep-of-outputs")[0];
    assert!(sweep.frames.len() == 3 && sweep.message.ends_with("3 of this kind within 30 s"), "{sweep:?}");
    assert!(sweep.frames.contains(&grid.frames[0]));
}

#[test]
fn a_sweep_that_selects_first_is_an_alarm_too() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    for (second, index) in [(121, 2), (125, 3), (129, 4)] {
        line.operate(&mut story, second * SECOND, index);
    }
    let seen = story.run_at("power", LEARN);
    check(&seen, &["grid-cannot-bear", "dnp3-sweep-of-outputs"]);
    assert!(
        seen.of("grid-cannot-bear")[0].message.contains("the last line of bus 8: load L8"),
        "{:#?}",
        seen.findings()
    );
}

#[test]
fn a_command_to_all_is_an_alarm() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    line.addresses.1 = 0xffff;
    line.send(&mut story, 121 * SECOND, true, &[&[0xc9], trip(6, 0).as_slice()].concat());
    let seen = story.run_at("power", LEARN);
    assert!(!seen.of("dnp3-broadcast-command").is_empty(), "{:#?}", seen.findings());
}

#[test]
fn a_clock_that_nobody_asked_for_is_told_quietly() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    line.ask(&mut story, 121 * SECOND, &WRITE_TIME, QUIET);
    let seen = story.run_at("power", LEARN);
    check(&seen, &[]);
    assert_eq!(seen.of("dnp3-upkeep-unasked").len(), 1);
}

#[test]
fn a_remote_desktop_that_was_never_used_is_an_alarm() {
    for (first, alarms) in [(10, &[][..]), (90, &["remote-desktop-new"][..])] {
        let mut story = Story::new();
        ordinary(&mut story);
        story.connect(first * SECOND, STRANGER, FEP, 5900);
        story.connect(100 * SECOND, EWS, FEP, 5900);
        let mut found = story.run_at("power", LEARN).alarms();
        found.retain(|rule| rule.starts_with("remote"));
        found.dedup();
        assert_eq!(found, alarms);
    }
}

#[test]
fn many_outputs_in_one_request_are_an_alarm() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    let mut request = vec![5, 12, 1, 0x28, 3, 0];
    for index in [1, 2, 3] {
        request.extend(&trip(5, index)[6..]);
    }
    line.ask(&mut story, 121 * SECOND, &request, QUIET);
    let seen = story.run_at("power", LEARN);
    assert!(!seen.of("dnp3-outputs-at-once").is_empty() && !seen.of("grid-cannot-bear").is_empty());
}

#[test]
fn an_operate_without_its_select_is_an_alarm() {
    let mut story = Story::new();
    let mut line = ordinary(&mut story);
    line.ask(&mut story, 121 * SECOND, &trip(3, 3), QUIET);
    line.ask(&mut story, 122 * SECOND, &trip(4, 2), QUIET);
    check(&story.run_at("power", LEARN), &["dnp3-operate-unselected"]);
}

#[test]
fn an_outstation_that_answers_as_another_is_an_alarm() {
    let mut story = Story::new();
    ordinary(&mut story);
    let mut other = Line::new(&mut story, SECOND, FEP, RTU_9, (1, 9));
    other.poll(&mut story, 5..120);
    other.addresses.1 = 7;
    other.report(&mut story, 121 * SECOND, 1, QUIET);
    check(&story.run_at("power", LEARN), &["dnp3-other-outstation"]);
}

/// A unit tripped by a coil of the generation controller (Modbus): the grid is asked all the same.
#[test]
fn a_unit_that_is_tripped_is_judged_by_the_grid() {
    let mut story = Story::new();
    let mut talk = story.connect(SECOND, FEP, GEN_1, 502);
    for second in 2..100 {
        // P-G1 of 71.6 MW, and P-G2 of 163 MW.
        story.ask(second * SECOND, &mut talk, 1, &[4, 0, 0, 0, 1], &[4, 2, 0x02, 0xcc]);
        story.ask(second * SECOND + 5 * MILLISECOND, &mut talk, 1, &[4, 0, 20, 0, 1], &[4, 2, 0x06, 0x5e]);
    }
    story.ask(101 * SECOND, &mut talk, 1, &[5, 0, 8, 0xff, 0], &[5, 0, 8, 0xff, 0]);
    let seen = story.run_at("power", LEARN);
    let found = seen.of("grid-cannot-bear");
    assert_eq!(found.len(), 1, "{:#?}", seen.findings());
    assert_eq!(
        found[0].message,
        "opening of 52G2: unit G2 would be cut off, 163 MW, 52 % of the load, by fep to GEN-1"
    );
}
