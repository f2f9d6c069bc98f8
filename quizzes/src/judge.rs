//! Any product's alerts as calls, so that they are scored by the law that people are scored by.
//!
//! # Theory of operation
//! A file of alerts is read in the form that its first line shows: Suricata's EVE JSON, Zeek's `notice.log` (tab-separated or
//! JSON), findings of this sensor, or CSV with a header. Each alert becomes a call of *attack* at its time, on the minute
//! before, that names the machines at both ends and, where the product says so, a technique. A product repeats itself more than
//! any person: alerts of one name on one pair within 15 minutes, the longest interval of a call, are one call at the time of
//! the first. Nothing else is forgiven: an alert on ordinary work costs what the same call by a person costs.
//!
//! | form | time | machines | how sure |
//! |---|---|---|---|
//! | EVE, `event_type` alert | `timestamp` | `src_ip`, `dest_ip` | severity 1 high, 2 mid, others low |
//! | Zeek notice | `ts` | `id.orig_h`, `id.resp_h`, else `src`, `dst` | low: a notice does not say |
//! | findings | `t` | `entities` | level: low, medium, high and above; informational ones are left out |
//! | CSV | `time` (s of the run or since 1970, or UTC) | `src`, `dst` | `severity`: low, mid or medium, high or critical |
//!
//! Techniques: of EVE `alert.metadata.mitre_technique_id`, of CSV `technique`. What the pinned table does not have is left out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use record::{
    Call, Confidence, EntityId, Finding, Level, RunManifest, StartTime, Verdict, VirtualTime, attack,
};
use serde::Deserialize;

use crate::calls::{LONGEST_INTERVAL_S, MOST_ENTITIES};
use crate::logs::{TableError, read_log};
use crate::names::EntityNames;

/// Most alerts that are read of one file; a product that gives more is not read by anybody.
pub const ALERTS_MAX: usize = 1_000_000;
/// What an alert speaks about: the minute before it.
const LOOKS_BACK: Duration = Duration::from_mins(1);

/// Why alerts cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// The file or a line of it.
    #[error(transparent)]
    Table(#[from] TableError),
    /// More than anybody reads.
    #[error("{path}: more than {ALERTS_MAX} alerts\n  fix: leave out what is informational")]
    TooMany {
        /// The file.
        path: PathBuf,
    },
}

/// What a file of alerts came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Alerts in the file.
    pub alerts: usize,
    /// Those outside the run or on machines that the run does not know.
    pub left_out: usize,
    /// What they say, by time.
    pub calls: Vec<Call>,
}

/// One alert, whoever gave it.
struct Alert {
    t: Option<VirtualTime>,
    name: String,
    ends: Vec<String>,
    technique: Option<String>,
    confidence: Confidence,
}

/// Reads alerts on one run as calls.
pub fn read_alerts(path: &Path, manifest: &RunManifest, names: &EntityNames) -> Result<Judged, AlertsError> {
    let mut alerts = Vec::new();
    match form(path)? {
        Form::Eve => json_lines(path, &mut alerts, |text| eve(text, manifest.start))?,
        Form::Finding => json_lines(path, &mut alerts, finding)?,
        Form::Notice => notices(path, manifest.start, &mut alerts)?,
        Form::Csv => table(path, manifest.start, &mut alerts)?,
    }
    if alerts.len() > ALERTS_MAX {
        return Err(AlertsError::TooMany { path: path.to_owned() });
    }
    let count = alerts.len();
    let mut known: Vec<(VirtualTime, Alert, Vec<EntityId>)> = Vec::new();
    for alert in alerts {
        // The machine acted upon first, as people write it.
        let entities: Vec<EntityId> =
            alert.ends.iter().filter_map(|end| names.resolve(end).ok()).take(MOST_ENTITIES).collect();
        if let Some(t) = alert.t.filter(|t| *t <= manifest.duration && !entities.is_empty()) {
            known.push((t, alert, entities));
        }
    }
    let left_out = count - known.len();
    known.sort_by_key(|(t, ..)| *t);
    let mut first_of: BTreeMap<(String, Vec<EntityId>), VirtualTime> = BTreeMap::new();
    let mut calls = Vec::new();
    for (t, alert, entities) in known {
        let key = (alert.name.clone(), entities.clone());
        if first_of.get(&key).is_some_and(|first| t.since(*first).as_secs_f64() < LONGEST_INTERVAL_S) {
            continue;
        }
        first_of.insert(key, t);
        calls.push(Call {
            id: calls.len() as u64 + 1,
            t,
            interval: [t - LOOKS_BACK, t],
            entities,
            verdict: Verdict::Attack,
            technique: alert.technique.filter(|id| attack::technique(id).is_some()),
            confidence: alert.confidence,
            evidence: vec![alert.name],
            case: None,
        });
    }
    Ok(Judged { alerts: count, left_out, calls })
}

enum Form {
    Eve,
    Notice,
    Finding,
    Csv,
}

fn io_error(path: &Path) -> impl Fn(std::io::Error) -> TableError + '_ {
    move |source| TableError::Io { path: path.to_owned(), source }
}

/// The form of a file, by its first line that is not empty.
fn form(path: &Path) -> Result<Form, TableError> {
    for line in BufReader::new(File::open(path).map_err(io_error(path))?).lines() {
        let line = line.map_err(io_error(path))?;
        let line = line.trim_start();
        if line.starts_with('#') {
            return Ok(Form::Notice);
        }
        if line.starts_with('{') {
            let has = |name: &str| line.contains(&format!("\"{name}\""));
            return Ok(match (has("event_type"), has("rule") && has("level")) {
                (true, _) => Form::Eve,
                (_, true) => Form::Finding,
                _ => Form::Notice,
            });
        }
        if !line.is_empty() {
            break;
        }
    }
    Ok(Form::Csv)
}

/// Goes through lines of JSON; `read` gives nothing for a line that is no alert.
fn json_lines(
    path: &Path,
    alerts: &mut Vec<Alert>,
    read: impl Fn(&str) -> Result<Option<Alert>, String>,
) -> Result<(), TableError> {
    for (index, line) in BufReader::new(File::open(path).map_err(io_error(path))?).lines().enumerate() {
        let line = line.map_err(io_error(path))?;
        if line.trim().is_empty() {
            continue;
        }
        let found = read(&line).map_err(|problem| TableError::BadLine {
            path: path.to_owned(),
            line: index as u64 + 1,
            problem,
        })?;
        alerts.extend(found);
        if alerts.len() > ALERTS_MAX {
            break;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct EveEvent {
    event_type: String,
    timestamp: String,
    src_ip: Option<String>,
    dest_ip: Option<String>,
    alert: Option<EveAlert>,
}

#[derive(Deserialize)]
struct EveAlert {
    signature: Option<String>,
    severity: Option<u64>,
    #[serde(default)]
    metadata: BTreeMap<String, Vec<String>>,
}

fn eve(text: &str, start: StartTime) -> Result<Option<Alert>, String> {
    let event: EveEvent = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(alert) = event.alert.filter(|_| event.event_type == "alert") else { return Ok(None) };
    let confidence = match alert.severity {
        Some(1) => Confidence::High,
        Some(2) => Confidence::Mid,
        _ => Confidence::Low,
    };
    let technique = alert.metadata.get("mitre_technique_id").and_then(|ids| ids.first()).cloned();
    Ok(Some(Alert {
        t: moment(&event.timestamp, start)?,
        name: alert.signature.unwrap_or_default(),
        ends: event.dest_ip.into_iter().chain(event.src_ip).collect(),
        technique,
        confidence,
    }))
}

fn finding(text: &str) -> Result<Option<Alert>, String> {
    let finding: Finding = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let confidence = match finding.level {
        Level::Informational => return Ok(None),
        Level::Low => Confidence::Low,
        Level::Medium => Confidence::Mid,
        Level::High | Level::Critical => Confidence::High,
    };
    Ok(Some(Alert {
        t: Some(finding.t),
        name: finding.rule,
        ends: finding.entities.iter().map(ToString::to_string).collect(),
        technique: finding.techniques.into_iter().next(),
        confidence,
    }))
}

fn notices(path: &Path, start: StartTime, alerts: &mut Vec<Alert>) -> Result<(), TableError> {
    const COLUMNS: [&str; 6] = ["ts", "note", "id.orig_h", "id.resp_h", "src", "dst"];
    read_log(path, &COLUMNS, 2, |fields| {
        let [ts, note, client, server, src, dst] = fields else { return Err("too few fields".to_owned()) };
        let ends = server.as_ref().or(dst.as_ref()).into_iter().chain(client.as_ref().or(src.as_ref()));
        if alerts.len() <= ALERTS_MAX {
            alerts.push(Alert {
                t: moment(ts.as_deref().ok_or("no ts")?, start)?,
                name: note.clone().ok_or("no note")?,
                ends: ends.cloned().collect(),
                technique: None,
                confidence: Confidence::Low,
            });
        }
        Ok(())
    })
}

#[derive(Deserialize)]
struct CsvAlert {
    time: String,
    name: String,
    #[serde(default)]
    src: Option<String>,
    #[serde(default)]
    dst: Option<String>,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    technique: Option<String>,
}

fn table(path: &Path, start: StartTime, alerts: &mut Vec<Alert>) -> Result<(), TableError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(BufReader::new(File::open(path).map_err(io_error(path))?));
    for (index, row) in reader.deserialize().enumerate() {
        let at =
            |problem: String| TableError::BadLine { path: path.to_owned(), line: index as u64 + 2, problem };
        let row: CsvAlert = row.map_err(|error| at(error.to_string()))?;
        let confidence = match row.severity.to_lowercase().as_str() {
            "" | "low" => Confidence::Low,
            "mid" | "medium" => Confidence::Mid,
            "high" | "critical" => Confidence::High,
            other => return Err(at(format!("severity is {other:?}: write low, medium or high"))),
        };
        alerts.push(Alert {
            t: moment(&row.time, start).map_err(at)?,
            name: row.name,
            ends: row.dst.into_iter().chain(row.src).collect(),
            technique: row.technique.filter(|id| !id.is_empty()),
            confidence,
        });
        if alerts.len() > ALERTS_MAX {
            break;
        }
    }
    Ok(())
}

/// A time in seconds (of the run, or since 1970 where it is later than the start), or in ISO 8601. None before the run.
fn moment(text: &str, start: StartTime) -> Result<Option<VirtualTime>, String> {
    let text = text.trim();
    let wrong = || format!("{text:?} is no time: write seconds, or UTC as in 2026-03-02T06:00:00.5Z");
    let began = start.unix_nanos(VirtualTime::ZERO);
    if let Ok(seconds) = text.parse::<f64>() {
        if !(0.0..1.8e10).contains(&seconds) {
            return Err(wrong());
        }
        let at = VirtualTime::from_secs_f64(seconds);
        let since_1970 = began > 0 && at.as_nanos() >= began;
        return Ok(Some(if since_1970 { VirtualTime::from_nanos(at.as_nanos() - began) } else { at }));
    }
    let (local, east_s) = without_zone(text).ok_or_else(wrong)?;
    let read: StartTime = format!("{local}Z").parse().map_err(|_| wrong())?;
    let nanos = i128::from(read.unix_nanos(VirtualTime::ZERO)) - i128::from(east_s) * 1_000_000_000;
    Ok(u64::try_from(nanos).ok().and_then(|nanos| start.virtual_time(nanos)))
}

/// A time without its zone, and how many seconds that lies east of UTC: `Z`, `+0000`, `-05:00`, or none.
fn without_zone(text: &str) -> Option<(String, i64)> {
    let text = text.replacen(' ', "T", 1);
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local.to_owned(), 0));
    }
    let clock = text.find('T')?;
    let Some(place) = text[clock..].find(['+', '-']).map(|place| clock + place) else {
        return Some((text, 0));
    };
    let (local, zone) = text.split_at(place);
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let number: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    let east = (number / 100 * 60 + number % 100) * 60;
    Some((local.to_owned(), if zone.starts_with('-') { -east } else { east }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use site::Site;

    use super::*;

    fn read(text: &str) -> Result<Judged, AlertsError> {
        let manifest = RunManifest {
            marking: "EXERCISE".into(),
            scenario: "first-shift".into(),
            seed: Some(1),
            settings: BTreeMap::new(),
            version: "0".into(),
            start: "2026-03-02T06:00:00Z".parse().unwrap(),
            duration: VirtualTime::from_secs(2000),
            site: "waterworks".into(),
            topology: BTreeMap::from([("192.168.1.77".to_owned(), "laptop".to_owned())]),
            ended_early: None,
            files: BTreeMap::new(),
        };
        let names = EntityNames::new(&Site::named("waterworks").unwrap(), &manifest.topology);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read_alerts(file.path(), &manifest, &names)
    }

    #[track_caller]
    fn one(text: &str) -> Call {
        let judged = read(text).unwrap();
        assert_eq!((judged.alerts, judged.left_out, judged.calls.len()), (1, 0, 1), "{judged:?}");
        let call = judged.calls[0].clone();
        assert_eq!(call.t, VirtualTime::from_secs_f64(100.5));
        assert_eq!(call.interval[0], VirtualTime::from_secs_f64(40.5));
        assert_eq!(call.entities, [EntityId::device("PLC-1"), EntityId::host("laptop")]);
        call
    }

    const EVE: &str = r#"{"timestamp":"2026-03-02T06:01:40.500000+0000","event_type":"alert","src_ip":"192.168.1.77","dest_ip":"192.168.1.101","alert":{"signature":"write","severity":1,"metadata":{"mitre_technique_id":["T0836"]}}}"#;

    #[test]
    fn each_form_gives_the_same_call() {
        let call = one(EVE);
        assert_eq!((call.confidence, call.technique.as_deref()), (Confidence::High, Some("T0836")));
        let call = one(
            "#separator \\x09\n#fields\tts\tid.orig_h\tid.resp_h\tnote\n1772431300.500000\t192.168.1.77\t192.168.1.101\tScan::Port_Scan\n",
        );
        assert_eq!((call.confidence, call.technique), (Confidence::Low, None));
        one(r#"{"ts":1772431300.5,"note":"X::Y","src":"192.168.1.77","dst":"192.168.1.101"}"#);
        one("time,name,src,dst,severity,technique\n100.5,write,192.168.1.77,192.168.1.101,medium,T9999\n");
        one("name,dst,src,time\nwrite,PLC-1,laptop,2026-03-02 07:01:40.5+01:00\n");
        one(
            r#"{"t":100.5,"rule":"r","title":"t","level":"high","techniques":[],"entities":["device:PLC-1","host:laptop"],"uid":null,"frames":[],"message":"m"}"#,
        );
    }

    #[test]
    fn what_a_product_repeats_is_one_call_for_a_quarter_of_an_hour() {
        let later = |minute: u32| EVE.replace("06:01:40", &format!("06:{minute:02}:40"));
        let judged = read(&[EVE, &later(5), &later(15), &later(16), &later(59)].join("\n")).unwrap();
        assert_eq!((judged.alerts, judged.left_out, judged.calls.len()), (5, 1, 2), "{judged:?}");
    }

    #[test]
    fn flows_and_strangers_are_no_calls_and_bad_lines_are_named() {
        let judged = read(&format!(
            "{}\n{}",
            EVE.replace("\"alert\",", "\"flow\","),
            EVE.replace("192.168.1.", "9.9.9.")
        ));
        let judged = judged.unwrap();
        assert_eq!((judged.alerts, judged.left_out, judged.calls.len()), (1, 1, 0));
        let error = read(&format!("{EVE}\n{}", EVE.replace("2026-03-02T", "soon"))).unwrap_err();
        assert!(error.to_string().contains(":2: "), "{error}");
        assert!(read("time,name,severity\n1,x,dire\n").unwrap_err().to_string().contains("severity"));
        assert_eq!(read("").unwrap().alerts, 0);
    }
}
