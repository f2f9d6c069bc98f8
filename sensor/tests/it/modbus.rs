//! Modbus where it is not expected, Modbus that is odd, and what its logs say.

use sensor::Log;

use crate::captures::Table;
use crate::session::{HMI, PLC_1, SECOND, Seen, Story};

const REQUEST: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
const ANSWER: [u8; 11] = [0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 7];

/// Some columns of all rows.
fn columns<const N: usize>(seen: &Seen, log: Log, names: [&str; N]) -> Vec<[String; N]> {
    let table = Table::of(&seen.logs, log);
    table.rows.iter().map(|row| names.map(|name| table.get(row, name).to_owned())).collect()
}

fn weirds(seen: &Seen) -> Vec<String> {
    columns(seen, Log::Weird, ["name"]).into_iter().map(|[name]| name).collect()
}

#[test]
fn modbus_is_found_on_a_port_of_its_own_choice() {
    let mut story = Story::new();
    let mut talk = story.connect(0, HMI, PLC_1, 10_502);
    story.say(SECOND, &mut talk, true, &REQUEST);
    story.say(2 * SECOND, &mut talk, false, &ANSWER);
    let seen = story.run(60);
    let rows = columns(&seen, Log::Modbus, ["ts", "id.resp_p", "func", "pdu_type"]);
    let row = |ts: &str, pdu_type: &str| [ts, "10502", "READ_HOLDING_REGISTERS", pdu_type].map(str::to_owned);
    // The request has the time at which it came, though it was known as one only later.
    assert_eq!(rows, [row("1.000000", "REQ"), row("2.000000", "RESP")]);
    assert_eq!(columns(&seen, Log::Conn, ["service"]), [["modbus".to_owned()]]);
}

#[test]
fn modbus_over_udp_is_decoded() {
    for port in [502, 10_502] {
        let mut story = Story::new();
        story.datagram(0, (HMI, PLC_1), (50_000, port), &REQUEST);
        story.datagram(SECOND, (PLC_1, HMI), (port, 50_000), &ANSWER);
        let seen = story.run(60);
        let rows = columns(&seen, Log::ModbusDetailed, ["address", "response_values", "matched"]);
        assert_eq!(rows, [["0".to_owned(), "7".to_owned(), "T".to_owned()]], "{port}");
        assert_eq!(
            columns(&seen, Log::Conn, ["proto", "service"]),
            [["udp".to_owned(), "modbus".to_owned()]]
        );
    }
}

#[test]
fn what_is_not_modbus_on_its_port_is_an_observation() {
    let mut story = Story::new();
    let mut talk = story.connect(0, HMI, PLC_1, 502);
    story.say(SECOND, &mut talk, true, b"GET / HTTP/1.1\r\nUser-Agent: nmap\r\n\r\n");
    story.say(2 * SECOND, &mut talk, false, b"HTTP/1.1 200 OK\r\nServer: thttpd/2.25\r\n\r\n");
    let seen = story.run(60);
    assert_eq!(weirds(&seen), ["non_modbus_on_modbus_port"]);
    assert_eq!(columns(&seen, Log::Conn, ["service"]), [["http".to_owned()]]);
    let products = columns(&seen, Log::Inventory, ["host", "product"]);
    assert!(products.contains(&["192.168.1.101".to_owned(), "thttpd/2.25".to_owned()]), "{products:?}");
    assert!(products.contains(&["192.168.1.20".to_owned(), "nmap".to_owned()]), "{products:?}");
}

#[test]
fn a_lost_request_an_unasked_answer_and_a_repeated_transaction_are_rows() {
    let mut story = Story::new();
    let mut talk = story.connect(0, HMI, PLC_1, 502);
    story.say(SECOND, &mut talk, true, &[0, 9, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]);
    story.say(2 * SECOND, &mut talk, true, &[0, 9, 0, 0, 0, 6, 1, 3, 0, 5, 0, 1]);
    story.say(3 * SECOND, &mut talk, false, &[0, 9, 0, 0, 0, 5, 1, 3, 2, 0, 7]);
    story.say(4 * SECOND, &mut talk, false, &[0, 77, 0, 0, 0, 5, 1, 3, 2, 0, 8]);
    let seen = story.run(60);
    let names = ["tid", "address", "response_values", "matched"];
    let rows = columns(&seen, Log::ModbusDetailed, names);
    let rows: Vec<_> = rows.iter().map(|row| row.join(" ")).collect();
    assert_eq!(rows, ["9 0 7 T", "77 - 8 F", "9 5 - F"]);
    assert_eq!(weirds(&seen), ["modbus_unsolicited_response"]);
}

#[test]
fn wrong_values_and_unknown_functions_blind_nothing() {
    let mut story = Story::new();
    let mut talk = story.connect(0, HMI, PLC_1, 502);
    let pairs: [(&[u8], &[u8]); 6] = [
        (&[5, 0, 1, 0x12, 0x34], &[0x85, 3]),
        (&[99, 1, 2, 3], &[0xe3, 1]),
        (&[3, 0, 0, 0xff, 0xff], &[0x83, 3]),
        (&[8, 0x12, 0x34, 0, 0], &[0x88, 77]),
        (&[16, 0, 0, 0, 9, 2, 0, 1], &[16, 0, 0, 0, 9]),
        (&[3, 0, 0, 0, 1], &[3, 2, 0, 7]),
    ];
    for (at, (request, answer)) in pairs.into_iter().enumerate() {
        story.ask((at as u64 + 1) * SECOND, &mut talk, 1, request, answer);
    }
    let seen = story.run(60);
    assert_eq!(seen.summary.modbus_pdus, 12);
    let names = [
        "modbus_bad_value",
        "modbus_unknown_function",
        "modbus_bad_quantity",
        "modbus_diag_unknown_request_subfunction",
        "modbus_unknown_exception",
    ];
    assert_eq!(weirds(&seen), names);
}

#[test]
fn values_are_in_the_units_of_the_site() {
    let mut story = Story::new();
    let [mut plc_1, _, mut plc_3] = story.hmi();
    // Flow of 19,000 counts is 190 L/s; the setpoint goes from 100 to 120 mg/L.
    story.ask(SECOND, &mut plc_1, 1, &[4, 0, 0, 0, 1], &[4, 2, 0x4a, 0x38]);
    story.ask(2 * SECOND, &mut plc_1, 1, &[6, 0, 40, 0, 120], &[6, 0, 40, 0, 120]);
    story.ask(3 * SECOND, &mut plc_3, 3, &[4, 0, 0, 0, 1], &[4, 2, 0x0f, 0xa0]);
    let seen = story.run(60);
    let names = ["is_orig", "tag", "value", "unit", "how", "table", "address", "unit_id"];
    let rows = columns(&seen, Log::Values, names);
    let rows: Vec<_> = rows.iter().map(|row| row.join(" ")).collect();
    let site = site::Site::named("waterworks").unwrap();
    let unit = |tag: &str| site.tags.iter().find(|it| it.name.get_ref() == tag).unwrap().unit.clone();
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert_eq!(rows[1], format!("T NAOH.SP 120 {} write holding 40 1", unit("NAOH.SP")));
    assert!(rows[0].starts_with("F ") && rows[0].ends_with(" read input 0 1"), "{rows:?}");
    assert!(rows[2].contains(" 4 "), "{rows:?}");
}

#[test]
fn a_holding_register_that_reads_otherwise_is_a_row_with_its_wire_address() {
    let mut story = Story::new();
    let mut talk = story.connect(0, HMI, PLC_1, 502);
    story.ask(SECOND, &mut talk, 1, &[3, 0, 63, 0, 2], &[3, 4, 0, 1, 0, 2]);
    // Another unit behind the same address is another device.
    story.ask(2 * SECOND, &mut talk, 2, &[3, 0, 63, 0, 2], &[3, 4, 0, 9, 0, 9]);
    story.ask(4 * SECOND, &mut talk, 1, &[3, 0, 63, 0, 2], &[3, 4, 0, 1, 0, 3]);
    let seen = story.run(60);
    let rows = columns(&seen, Log::ModbusRegisterChange, ["register", "old_val", "new_val", "delta"]);
    assert_eq!(rows, [["64", "2", "3", "3.000000"].map(str::to_owned)]);
    let known = columns(&seen, Log::KnownModbus, ["host", "device_type"]);
    assert_eq!(known.len(), 2, "{known:?}");
}

#[test]
fn a_basic_set_of_logs_writes_no_others_and_the_same_rows() {
    let mut story = Story::new();
    let mut talks = story.hmi();
    story.poll(1..5, &mut talks, |_| 4.0);
    let frames = story.frames.clone();
    let full = story.run(60);
    let config = sensor::SensorConfig {
        logs: sensor::LogSet::BASIC,
        site: Some(std::sync::Arc::new(site::Site::named("waterworks").unwrap())),
        learn: std::time::Duration::from_mins(1),
        origin: Some("1970-01-01T00:00:00Z".parse().unwrap()),
        ..sensor::SensorConfig::default()
    };
    let rules = sensor::RuleSet::embedded().unwrap();
    let mut basic = sensor::Sensor::new(config, rules, sensor::MemorySink::default());
    let mut frames = frames;
    frames.sort_by_key(|(at, _)| *at);
    for (at, frame) in &frames {
        basic.on_frame(*at, frame);
    }
    let summary = basic.finish().unwrap();
    let basic = basic.into_sink();
    let mut of_basic = full.summary.clone();
    for log in Log::ALL {
        let expected = if sensor::LogSet::BASIC.contains(log) {
            full.logs.text(log)
        } else {
            of_basic.records[log as usize] = 0;
            String::new()
        };
        assert_eq!(basic.text(log), expected, "{log:?}");
    }
    assert_eq!(summary, of_basic);
    assert!(!full.logs.text(Log::ModbusDetailed).is_empty());
}
