//! Collectors that come and go, on real sockets of this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::log::Log;
use crate::row::Field;

fn config() -> QueueConfig {
    QueueConfig { patience: Duration::from_secs(20), ..QueueConfig::default() }
}

/// Puts oddities with these numbers on their way.
fn put(delivery: &mut Delivery, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let name = format!("oddity_{number}");
        let mut fields = [Field::Unset; 11];
        fields[0] = Field::Time(1_400_547_199_000_000_000 + number * 1000);
        fields[6] = Field::Text(&name);
        delivery.entry(&Entry::row(Log::Weird, &fields, 0)).unwrap();
    }
}

fn report(delivery: &Delivery) -> Report {
    delivery.report().lock().unwrap().clone()
}

fn start(destination: &str, queues: &Path, config: &QueueConfig) -> Delivery {
    Delivery::start(destination.parse().unwrap(), queues, config).unwrap()
}

/// The number in `"name":"oddity_NUMBER"`.
fn number(text: &str) -> u64 {
    let (_, rest) = text.split_once("oddity_").unwrap_or_else(|| panic!("{text}"));
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// One message by octet counting; `None` at the end or where it was cut off.
fn message(reader: &mut impl BufRead) -> Option<String> {
    let mut length = Vec::new();
    reader.read_until(b' ', &mut length).ok()?;
    let length: usize = std::str::from_utf8(&length).ok()?.trim().parse().ok()?;
    let mut octets = vec![0; length];
    reader.read_exact(&mut octets).ok()?;
    String::from_utf8(octets).ok()
}

/// Repeats are allowed, holes and wrong order are not.
#[track_caller]
fn check_at_least_once(seen: &[u64], expected: u64) {
    let mut next = 0;
    for number in seen {
        assert!(*number <= next, "{number} before {next}");
        if *number == next {
            next += 1;
        }
    }
    assert_eq!(next, expected);
}

#[test]
fn a_collector_that_dies_twice_gets_everything_in_order() {
    let scratch = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let collector = std::thread::spawn(move || {
        let mut listener = Some(listener);
        let mut seen = Vec::new();
        for most in [700, 900, u64::MAX] {
            let listening =
                listener.take().unwrap_or_else(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
            let mut reader = BufReader::new(listening.accept().unwrap().0);
            let mut taken = 0;
            while taken < most
                && let Some(message) = message(&mut reader)
            {
                seen.push(number(&message));
                taken += 1;
            }
            // Dead: the port is closed, and what lies in its buffers unread is gone.
        }
        seen
    });
    let mut delivery = start(&format!("syslog+tcp://127.0.0.1:{port}"), scratch.path(), &config());
    put(&mut delivery, 0..2500);
    // The connection breaks while there is more to come.
    put(&mut delivery, 2500..5000);
    delivery.finish().unwrap();
    let report = report(&delivery);
    assert_eq!((report.delivered, report.waiting, report.dropped), (5000, 0, 0), "{report:?}");
    check_at_least_once(&collector.join().unwrap(), 5000);
}

#[test]
fn what_waits_is_sent_by_the_next_run() {
    let scratch = tempfile::tempdir().unwrap();
    // Nobody listens there while the first run lasts.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let destination = format!("syslog+tcp://127.0.0.1:{port}");
    let impatient = QueueConfig { patience: Duration::from_millis(300), ..config() };
    let mut delivery = start(&destination, scratch.path(), &impatient);
    put(&mut delivery, 0..100);
    delivery.finish().unwrap();
    let told = report(&delivery);
    assert_eq!((told.delivered, told.waiting), (0, 100));
    assert!(told.trouble.is_some_and(|trouble| trouble.contains("refused")));
    drop(delivery);
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let collector = std::thread::spawn(move || {
        let mut reader = BufReader::new(listener.accept().unwrap().0);
        std::iter::from_fn(|| message(&mut reader)).collect::<Vec<_>>()
    });
    let mut delivery = start(&destination, scratch.path(), &config());
    put(&mut delivery, 100..150);
    delivery.finish().unwrap();
    assert_eq!((report(&delivery).delivered, report(&delivery).waiting), (150, 0));
    let messages = collector.join().unwrap();
    check_at_least_once(&messages.iter().map(|message| number(message)).collect::<Vec<_>>(), 150);
    assert_eq!(messages.len(), 150);
    assert!(messages[0].starts_with("<134>1 2014-05-20T00:53:19.000000Z "), "{}", messages[0]);
    assert!(messages[149].contains(" weird [meta sequenceId=\"150\"]"), "{}", messages[149]);
}

#[test]
fn datagrams_that_are_refused_are_sent_again() {
    let scratch = tempfile::tempdir().unwrap();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut delivery = start(&format!("syslog+udp://127.0.0.1:{port}"), scratch.path(), &config());
    put(&mut delivery, 0..50);
    while delivery.now().trouble.is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    delivery.finish().unwrap();
    assert_eq!(report(&delivery).waiting, 0);
    socket.set_nonblocking(true).unwrap();
    let mut octets = [0; 2048];
    let mut seen = Vec::new();
    while let Ok(length) = socket.recv(&mut octets) {
        seen.push(number(std::str::from_utf8(&octets[..length]).unwrap()));
    }
    check_at_least_once(&seen, 50);
}

/// A server that answers each POST with what `answer` makes of it (status and body), and tells of it.
fn server(
    mut answer: impl FnMut(&str) -> (u16, String) + Send + 'static,
) -> (u16, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() <= 2 {
                    break;
                }
                if let Some(digits) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = digits.trim().parse().unwrap();
                }
                head += &line;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let (status, text) = answer(&body);
            let mut stream: TcpStream = reader.into_inner();
            let length = text.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
            )
            .unwrap();
            if tell.send((head, body)).is_err() {
                return;
            }
        }
    });
    (port, told)
}

#[test]
fn elastic_answers_for_each_document() {
    let scratch = tempfile::tempdir().unwrap();
    let mut there = std::collections::BTreeMap::new();
    let (tell, told) = channel();
    let mut requests = 0;
    let (port, heads) = server(move |body| {
        requests += 1;
        if requests == 1 {
            return (503, "busy".to_owned());
        }
        let lines: Vec<&str> = body.lines().collect();
        let mut items = Vec::new();
        for pair in lines.chunks(2) {
            let action: serde_json::Value = serde_json::from_str(pair[0]).unwrap();
            let id = action["create"]["_id"].as_str().unwrap().to_owned();
            let document: serde_json::Value = serde_json::from_str(pair[1]).unwrap();
            let number = number(document["event"]["action"].as_str().unwrap());
            let status = match number {
                7 => 400,
                // Once refused for now; what came after it was taken, and comes again.
                20 if requests == 2 => 429,
                _ if there.contains_key(&id) => 409,
                _ => {
                    there.insert(id, number);
                    tell.send(number).unwrap();
                    201
                }
            };
            items.push(serde_json::json!({ "create": { "status": status, "error": { "type": "mapping" } } }));
        }
        (200, serde_json::json!({ "errors": true, "items": items }).to_string())
    });
    let mut delivery = start(&format!("elastic+http://127.0.0.1:{port}/plant"), scratch.path(), &config());
    put(&mut delivery, 0..50);
    delivery.finish().unwrap();
    let report = report(&delivery);
    assert_eq!((report.delivered, report.waiting, report.rejected), (50, 0, 1), "{report:?}");
    assert!(report.trouble.unwrap().contains("mapping"));
    let mut taken: Vec<u64> = told.try_iter().collect();
    taken.sort_unstable();
    let expected: Vec<u64> = (0..50).filter(|number| *number != 7).collect();
    assert_eq!(taken, expected, "each of them once");
    let (head, _) = heads.try_iter().next().unwrap();
    assert!(head.starts_with("POST /plant/_bulk HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/x-ndjson"), "{head}");
}

#[test]
fn splunk_loses_only_the_event_that_it_calls_invalid() {
    let scratch = tempfile::tempdir().unwrap();
    let (tell, told) = channel();
    let (port, heads) = server(move |body| {
        let numbers: Vec<u64> = body.lines().map(number).collect();
        if numbers.contains(&13) {
            return (400, r#"{"text":"Invalid data format","code":6}"#.to_owned());
        }
        for number in numbers {
            tell.send(number).unwrap();
        }
        (200, r#"{"text":"Success","code":0}"#.to_owned())
    });
    // PATH is set wherever tests run; its content is not looked at.
    let destination = format!("splunk+http://127.0.0.1:{port}?token_env=PATH&index=ot&format=eve");
    let mut delivery = start(&destination, scratch.path(), &config());
    put(&mut delivery, 0..40);
    delivery.finish().unwrap();
    let report = report(&delivery);
    assert_eq!((report.waiting, report.rejected), (0, 1), "{report:?}");
    let taken: Vec<u64> = told.try_iter().collect();
    assert_eq!(taken, (0..40).filter(|number| *number != 13).collect::<Vec<_>>());
    let (head, body) = heads.try_iter().last().unwrap();
    assert!(head.starts_with("POST /services/collector/event HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("authorization: splunk "), "{head}");
    let event: serde_json::Value = serde_json::from_str(body.lines().last().unwrap()).unwrap();
    assert_eq!(event["sourcetype"], "fieldrange:weird");
    assert_eq!(event["index"], "ot");
    assert_eq!(event["event"]["event_type"], "anomaly");
}

#[test]
fn a_full_queue_stops_nobody_and_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let destination = format!("syslog+tcp://127.0.0.1:{port}");
    let small = QueueConfig { limit: 64 << 10, patience: Duration::from_millis(100), ..config() };
    let mut delivery = start(&destination, scratch.path(), &small);
    put(&mut delivery, 0..2000);
    delivery.finish().unwrap();
    let told = report(&delivery);
    assert!(told.dropped > 1000 && told.waiting + told.dropped == 2001, "{told:?}");
    drop(delivery);
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let collector = std::thread::spawn(move || {
        let mut reader = BufReader::new(listener.accept().unwrap().0);
        std::iter::from_fn(|| message(&mut reader)).collect::<Vec<_>>()
    });
    let mut delivery = start(&destination, scratch.path(), &config());
    delivery.finish().unwrap();
    let messages = collector.join().unwrap();
    let (note, before) = messages.split_last().unwrap();
    assert!(note.contains(&format!("{} records are missing here", told.dropped)), "{note}");
    check_at_least_once(
        &before.iter().map(|message| number(message)).collect::<Vec<_>>(),
        2000 - told.dropped,
    );
}

#[test]
fn a_log_that_is_not_asked_for_is_not_sent() {
    let scratch = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut delivery =
        start(&format!("syslog+tcp://127.0.0.1:{port}?logs=findings"), scratch.path(), &config());
    put(&mut delivery, 0..10);
    delivery.finish().unwrap();
    assert_eq!(report(&delivery), Report::default());
}
