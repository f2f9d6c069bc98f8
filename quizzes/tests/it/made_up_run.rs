//! A small record of `oldsmar`, made by hand: an hour, two visits, one write, a pH that follows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use quizzes::RecordView;
use record::{
    Channel, Consequence, EntityId, Finding, Level, Role, RunManifest, RunWriter, TruthStep, Verdict,
    VirtualTime,
};

use crate::fixtures::at;

const START: &str = "2021-02-05T07:30:00Z";
/// 2021-02-05T07:30:00Z in seconds since 1970.
const UNIX: f64 = 1_612_510_200.0;

fn session(name: &str, start: f64, verdict: Verdict) -> TruthStep {
    TruthStep {
        step: name.into(),
        campaign: if verdict == Verdict::Attack { "remote" } else { "benign" }.into(),
        verdict,
        summary: format!("session {name}"),
        techniques: if verdict == Verdict::Attack { vec!["T0822".into(), "T0823".into()] } else { vec![] },
        start: at(start),
        end: at(start + 300.0),
        observable: BTreeMap::from([(Role::Analyst, BTreeMap::from([(Channel::Network, at(start))]))]),
        source: Some("host:vendor-support".parse().unwrap()),
        target: "host:hmi".parse().unwrap(),
        points: vec![],
        frames: vec![],
        severity: 1,
        limit_time: None,
        consequences: vec![],
        ticket: (verdict != Verdict::Attack).then(|| "WO-1187".into()),
    }
}

pub(crate) fn truth(attacked: bool) -> Vec<TruthStep> {
    let mut truth = vec![session("vendor-visit", 900.0, Verdict::Authorised)];
    if attacked {
        truth.insert(0, session("look", 300.0, Verdict::Attack));
        truth.push(session("return", 1700.0, Verdict::Attack));
        truth.push(TruthStep {
            step: "dose".into(),
            summary: "The operator station wrote 11,100".into(),
            techniques: vec!["T0836".into(), "T0831".into(), "T0823".into()],
            start: at(1800.0),
            end: at(1801.0),
            observable: BTreeMap::from([(
                Role::Analyst,
                BTreeMap::from([(Channel::ProtocolLog, at(1800.25))]),
            )]),
            source: Some(EntityId::host("hmi")),
            target: EntityId::device("PLC-1"),
            points: vec![EntityId::point("NAOH.SP")],
            frames: vec![40, 41, 42],
            severity: 3,
            limit_time: Some(at(2400.0)),
            consequences: vec![Consequence {
                name: "pH high".into(),
                point: EntityId::point("PH.HIGH"),
                time: at(1900.0),
            }],
            ..session("dose", 1800.0, Verdict::Attack)
        });
    }
    truth
}

fn conn_log() -> String {
    let mut text = String::from(
        "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\n",
    );
    let rows = [
        (1.0, "192.168.1.20", "192.168.1.101", 502),
        (2.0, "192.168.1.10", "192.168.1.101", 502),
        (300.0, "203.0.113.40", "192.168.1.20", 5900),
        (900.0, "203.0.113.40", "192.168.1.20", 5900),
        (1700.0, "203.0.113.40", "192.168.1.20", 5900),
    ];
    for (n, (t, client, server, port)) in rows.into_iter().enumerate() {
        let _ = writeln!(
            text,
            "{:.6}\tC{n}\t{client}\t4{n:04}\t{server}\t{port}\ttcp\t-\t300.0\t10\t20\tSF",
            UNIX + t
        );
    }
    text + "#close\t2021-02-05-08-30-00\n"
}

fn modbus_log(attacked: bool) -> String {
    let mut text = String::from(
        "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\ttid\tunit\tfunc\tpdu_type\texception\n",
    );
    let mut row = |t: f64, function: &str, exception: &str| {
        for pdu in ["REQ", "RESP"] {
            let exception = if pdu == "RESP" { exception } else { "-" };
            let _ = writeln!(
                text,
                "{:.6}\tC0\t192.168.1.20\t40000\t192.168.1.101\t502\t7\t1\t{function}\t{pdu}\t{exception}",
                UNIX + t
            );
        }
    };
    for second in 0..3600 {
        row(f64::from(second), "READ_INPUT_REGISTERS", "-");
        if second % 300 == 10 {
            row(f64::from(second), "WRITE_SINGLE_REGISTER", "-");
        }
        if second == 1800 && attacked {
            row(1800.25, "WRITE_SINGLE_REGISTER", "-");
        }
    }
    row(3599.5, "READ_HOLDING_REGISTERS", "ILLEGAL_DATA_ADDRESS");
    text
}

fn process_csv(attacked: bool) -> String {
    let mut text = String::from("time_s,AIT-202,FIT-101,AIT-301\n");
    for t in 0..3600_u32 {
        let since = f64::from(t) - 1800.0;
        let rise =
            |delay: f64| if attacked && since > delay { ((since - delay) / 100.0).min(4.0) } else { 0.0 };
        let _ = writeln!(text, "{t},{:.3},190.0,{:.3}", 7.2 + rise(50.0), 7.2 + rise(600.0));
    }
    text
}

/// Writes and seals it, then opens it.
pub(crate) fn open(directory: &Path, scenario: &str, attacked: bool) -> RecordView {
    let mut writer = RunWriter::create(directory).unwrap();
    writer.json_lines("truth.jsonl", &truth(attacked)).unwrap();
    let finding = |t: f64, level| Finding {
        t: at(t),
        rule: "dose-beyond-pump".into(),
        title: "A dose that the pump cannot give".into(),
        level,
        techniques: vec!["T0836".into()],
        entities: vec![EntityId::device("PLC-1"), EntityId::point("NAOH.SP")],
        uid: None,
        frames: vec![40],
        message: "asked for more than the pump gives".into(),
        incident: None,
    };
    let findings = [finding(10.0, Level::Informational), finding(1801.0, Level::High)];
    writer.json_lines("findings.jsonl", &findings).unwrap();
    let texts = [
        ("logs/conn.log", conn_log()),
        ("logs/modbus.log", modbus_log(attacked)),
        ("process.csv", process_csv(attacked)),
    ];
    for (name, text) in texts {
        writer.file(name).unwrap().write_all(text.as_bytes()).unwrap();
    }
    let manifest = RunManifest {
        marking: "EXERCISE".into(),
        scenario: scenario.into(),
        seed: Some(7),
        settings: BTreeMap::new(),
        version: "0".into(),
        start: START.parse().unwrap(),
        duration: VirtualTime::from_secs(3600),
        site: "waterworks".into(),
        topology: BTreeMap::from([("203.0.113.40".to_owned(), "vendor-support".to_owned())]),
        ended_early: None,
        files: BTreeMap::new(),
    };
    writer.seal(manifest).unwrap();
    RecordView::open(directory).unwrap()
}
