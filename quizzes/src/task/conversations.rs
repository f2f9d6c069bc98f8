//! Who talks to whom in which protocol: lines as tshark prints them, against the connections of a record.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use site::FileError;

use super::{Graded, f1};
use crate::logs::ConnRow;

/// Most lines that are read.
const LINES_MAX: usize = 100_000;

/// Two hosts, the lower address first, and what they speak: both directions of a talk are one conversation.
type Conversation = (Ipv4Addr, Ipv4Addr, String);

fn conversation(one: Ipv4Addr, other: Ipv4Addr, service: &str) -> Conversation {
    (one.min(other), one.max(other), service.to_owned())
}

/// Grades lines of two addresses and a protocol, separated by spaces, tabs or commas. The protocol may be the whole
/// stack as `frame.protocols` writes it (`eth:ethertype:ip:tcp:mbtcp:modbus`): its last layer counts. A line whose protocol
/// is none of `services` is passed over, as a capture filter may let through more. Scored by F1 over conversations.
///
/// # Errors
/// The first line that is no such triple; more than 100,000 lines.
pub fn grade_conversations(
    file: &str,
    text: &str,
    services: &[String],
    conn: &[impl AsRef<ConnRow>],
) -> Result<Graded, FileError> {
    let spoken: BTreeSet<Conversation> = conn
        .iter()
        .map(AsRef::as_ref)
        .filter_map(|row| {
            let service = row.service.as_deref()?;
            let service =
                services.iter().find(|wanted| service.split(',').any(|one| one == wanted.as_str()))?;
            Some(conversation(row.client.parse().ok()?, row.server.parse().ok()?, service))
        })
        .collect();
    let named = read(file, text, services)?;
    let mut graded = Graded::empty();
    for (one, other, service) in named.union(&spoken) {
        let key = (*one, *other, service.clone());
        let what = format!("{one} and {other}, {service}");
        match (named.contains(&key), spoken.contains(&key)) {
            (true, true) => graded.line(true, what, "they talk"),
            (true, false) => graded.line(false, what, "not in this record"),
            _ => graded.line(false, what, "missing"),
        }
    }
    let found = named.intersection(&spoken).count();
    graded.score = f1(found, spoken.len() - found, named.len() - found);
    Ok(graded)
}

fn read(file: &str, text: &str, services: &[String]) -> Result<BTreeSet<Conversation>, FileError> {
    let mut named = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = |problem: String| FileError {
            file: file.to_owned(),
            line: index + 1,
            problem,
            fix: "write two addresses and a protocol, as in: 192.168.1.20 192.168.1.101 modbus".to_owned(),
        };
        if index >= LINES_MAX {
            return Err(wrong(format!("more than {LINES_MAX} lines")));
        }
        let words: Vec<&str> = line.split([' ', '\t', ',']).filter(|word| !word.is_empty()).collect();
        let Some((first, rest)) = words.split_first() else { continue };
        if first.starts_with('#') {
            continue;
        }
        let [second, .., last] = rest else {
            return Err(wrong(format!("{line:?} has too few words")));
        };
        let address =
            |word: &str| word.parse::<Ipv4Addr>().map_err(|_| wrong(format!("{word:?} is no IPv4 address")));
        let service = last.rsplit(':').next().unwrap_or(last).to_lowercase();
        let service = if service == "mbtcp" { "modbus" } else { &service };
        if services.iter().any(|wanted| wanted == service) {
            named.insert(conversation(address(first)?, address(second)?, service));
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record::VirtualTime;

    use super::*;

    fn row(client: &str, server: &str, service: Option<&str>) -> Arc<ConnRow> {
        Arc::new(ConnRow {
            t: VirtualTime::ZERO,
            uid: "C1".into(),
            client: client.into(),
            client_port: None,
            server: server.into(),
            port: 502,
            protocol: "tcp".into(),
            service: service.map(Into::into),
            duration_s: None,
            client_octets: None,
            server_octets: None,
            state: None,
        })
    }

    #[test]
    fn what_tshark_prints_is_taken_as_it_is() {
        let conn = [
            row("192.168.1.20", "192.168.1.101", Some("modbus")),
            row("192.168.1.20", "192.168.1.102", Some("modbus")),
            row("192.168.1.20", "192.168.1.102", None),
            row("10.0.4.10", "192.168.1.10", Some("tds")),
        ];
        let services = ["modbus".to_owned(), "dnp3".to_owned()];
        let printed = "192.168.1.20\t192.168.1.101\teth:ethertype:ip:tcp:mbtcp:modbus\n\
                       192.168.1.101\t192.168.1.20\teth:ethertype:ip:tcp:mbtcp:modbus\n\
                       192.168.1.101\t192.168.1.20\teth:ethertype:ip:tcp\n\
                       192.168.1.77,192.168.1.102,modbus\n";
        let graded = grade_conversations("talks.txt", printed, &services, &conn).unwrap();
        assert!((graded.score - 50.0).abs() < 1e-9, "{graded:?}");
        assert_eq!(graded.lines.iter().filter(|line| line.right == Some(true)).count(), 1);
        let error = grade_conversations("talks.txt", "\n192.168.1.20 plc-1 modbus", &services, &conn);
        assert_eq!(error.unwrap_err().line, 2);
    }
}
