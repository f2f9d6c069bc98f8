//! Where records are sent: a destination as people write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::log::{Log, LogSet};
use crate::output::Rendering;

/// How records travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// RFC 5424 in UDP datagrams (RFC 5426).
    SyslogUdp,
    /// RFC 5424 over TCP, octets counted (RFC 6587, 3.4.1).
    SyslogTcp,
    /// RFC 5424 over TLS (RFC 5425).
    SyslogTls,
    /// Elasticsearch's `_bulk`, with or without TLS.
    Elastic {
        /// HTTPS.
        tls: bool,
    },
    /// Splunk's HTTP Event Collector, with or without TLS.
    Splunk {
        /// HTTPS.
        tls: bool,
    },
}

/// Schemes and what they mean: name, carrier, port where none is named.
const SCHEMES: [(&str, Carrier, u16); 7] = [
    ("syslog+udp", Carrier::SyslogUdp, 514),
    ("syslog+tcp", Carrier::SyslogTcp, 601),
    ("syslog+tls", Carrier::SyslogTls, 6514),
    ("elastic+http", Carrier::Elastic { tls: false }, 9200),
    ("elastic+https", Carrier::Elastic { tls: true }, 9200),
    ("splunk+http", Carrier::Splunk { tls: false }, 8088),
    ("splunk+https", Carrier::Splunk { tls: true }, 8088),
];

/// A collector, and how records reach it.
///
/// `SCHEME://[USER@]HOST[:PORT][/INDEX][?OPTION=VALUE&...]`. Options: `format` (json, ecs, eve), `logs` (full, basic, names with
/// commas), `ca` (PEM file with the authorities to trust instead of the system's), `cert` and `key` (PEM files that say
/// who we are), `token_env` (name of the environment variable with token or password). No secret stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// How records travel.
    pub carrier: Carrier,
    /// Name or address; IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Elastic's index or data stream, or Splunk's index.
    pub index: Option<String>,
    /// Who logs on, where that is by password.
    pub user: Option<String>,
    /// In which names records are told.
    pub rendering: Rendering,
    /// Which logs are sent.
    pub logs: LogSet,
    /// Authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Certificate and key that say who we are.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Environment variable with token or password.
    pub token_env: Option<String>,
    text: String,
}

/// Why a text is no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {fix}")]
pub struct DestinationError {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

fn wrong(problem: impl Into<String>, fix: impl Into<String>) -> DestinationError {
    DestinationError { problem: problem.into(), fix: fix.into() }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let schemes = || SCHEMES.map(|(name, ..)| format!("{name}://")).join(", ");
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong(
                format!("{text:?} is no destination"),
                format!("begin with one of {}", schemes()),
            ));
        };
        let Some((_, carrier, port)) = SCHEMES.into_iter().find(|(name, ..)| *name == scheme) else {
            return Err(wrong(
                format!("{scheme:?} is no way to send records"),
                format!("use one of {}", schemes()),
            ));
        };
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => {
                return Err(wrong(
                    "a password in a destination could be read by everybody on this machine",
                    "leave it out, and put it into an environment variable: token_env=NAME",
                ));
            }
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, authority),
        };
        let (host, port) = host_and_port(host, port)?;
        let index = Some(path.trim_end_matches('/')).filter(|path| !path.is_empty()).map(str::to_owned);
        let is_elastic = matches!(carrier, Carrier::Elastic { .. });
        if is_elastic && index.is_none() {
            return Err(wrong(
                "no index is named",
                "write it behind the host, as in elastic+http://host:9200/fieldrange",
            ));
        }
        if !is_elastic && index.is_some() {
            return Err(wrong(format!("{path:?} behind the host means nothing here"), "leave it out"));
        }
        if index.as_ref().is_some_and(|index| {
            !index.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet))
        }) {
            return Err(wrong(
                format!("{path:?} is no index"),
                "use letters, digits, hyphen, underscore and full stop",
            ));
        }
        let mut destination = Self {
            carrier,
            host,
            port,
            index,
            user,
            rendering: if is_elastic { Rendering::Ecs } else { Rendering::Zeek },
            logs: LogSet::FULL,
            ca: None,
            identity: None,
            token_env: None,
            text: text.to_owned(),
        };
        destination.take_options(options)?;
        Ok(destination)
    }
}

fn host_and_port(text: &str, port: u16) -> Result<(String, u16), DestinationError> {
    let (host, rest) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((host, rest)) => (host, rest),
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(wrong("no host is named", "write SCHEME://HOST:PORT"));
    }
    let port = match rest.strip_prefix(':') {
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 => port,
            _ => {
                return Err(wrong(
                    format!("{digits:?} is no port"),
                    "write a number from 1 to 65535 behind the host; put an IPv6 address into []",
                ));
            }
        },
        None if rest.is_empty() => port,
        None => return Err(wrong(format!("{rest:?} behind the address"), "write [ADDRESS]:PORT")),
    };
    Ok((host.to_owned(), port))
}

impl Destination {
    fn take_options(&mut self, options: &str) -> Result<(), DestinationError> {
        let (mut cert, mut key) = (None, None);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if value.is_empty() {
                return Err(wrong(format!("option {name:?} has no value"), format!("write {name}=VALUE")));
            }
            match name {
                "format" => {
                    self.rendering =
                        value.parse().map_err(|problem: String| wrong(problem, "write format=json"))?;
                }
                "logs" => {
                    self.logs = value
                        .parse()
                        .map_err(|problem: String| wrong(problem, "write logs=findings,incidents"))?;
                }
                "ca" => self.ca = Some(value.into()),
                "cert" => cert = Some(value.into()),
                "key" => key = Some(value.into()),
                "token_env" => self.token_env = Some(value.to_owned()),
                "index" if matches!(self.carrier, Carrier::Splunk { .. }) => {
                    self.index = Some(value.to_owned());
                }
                "token" | "password" | "api_key" => {
                    return Err(wrong(
                        "a secret on the command line could be read by everybody on this machine",
                        "put it into an environment variable and write token_env=NAME",
                    ));
                }
                _ => {
                    return Err(wrong(
                        format!("option {name:?} is none"),
                        "the options are format, logs, ca, cert, key, token_env, and for Splunk index",
                    ));
                }
            }
        }
        self.identity = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(wrong("one of cert and key is missing", "name both, or none")),
        };
        Ok(())
    }

    /// Whether a log goes there.
    pub fn wants(&self, log: Log) -> bool {
        self.logs.contains(log)
    }

    /// Name of a directory for its queue: the same for the same collector, whatever the options.
    pub(super) fn directory_name(&self) -> String {
        let scheme = self.text.split("://").next().unwrap_or_default();
        let index = self.index.as_deref().map(|index| format!("-{index}")).unwrap_or_default();
        let name = format!("{scheme}-{}-{}{index}", self.host, self.port);
        name.chars()
            .map(|letter| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' })
            .collect()
    }
}

/// As it was written; no secret is in it.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text.split('?').next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_have_host_port_and_options() {
        let destination: Destination =
            "syslog+tls://[fe80::1]:6515?ca=ca.pem&logs=findings&format=eve".parse().unwrap();
        assert_eq!((destination.host.as_str(), destination.port), ("fe80::1", 6515));
        assert_eq!(destination.rendering, Rendering::Eve);
        assert!(destination.wants(Log::Findings) && !destination.wants(Log::Conn));
        assert_eq!(destination.directory_name(), "syslog_tls-fe80__1-6515");
        let destination: Destination = "elastic+https://sensor@siem.example/plant-1".parse().unwrap();
        assert_eq!((destination.port, destination.rendering), (9200, Rendering::Ecs));
        assert_eq!(
            (destination.user.as_deref(), destination.index.as_deref()),
            (Some("sensor"), Some("plant-1"))
        );
        let destination: Destination = "splunk+https://siem.example?index=ot&token_env=HEC".parse().unwrap();
        assert_eq!(destination.to_string(), "splunk+https://siem.example");
        assert_eq!((destination.port, destination.index.as_deref()), (8088, Some("ot")));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_fix() {
        for (text, words) in [
            ("127.0.0.1:514", "syslog+udp://"),
            ("http://a/b", "elastic+http://"),
            ("syslog+tcp://", "HOST"),
            ("syslog+tcp://host:0", "port"),
            ("syslog+tcp://host:99999", "port"),
            ("syslog+tcp://fe80::1", "[]"),
            ("syslog+tcp://host/x", "leave it out"),
            ("elastic+http://host:9200", "index"),
            ("elastic+http://host:9200/a/b", "index"),
            ("elastic+http://user:secret@host/x", "environment"),
            ("splunk+https://host?token=secret", "environment"),
            ("splunk+https://host?nonsense=1", "options"),
            ("syslog+tls://host?cert=a.pem", "both"),
            ("syslog+udp://host?format=xml", "format"),
            ("syslog+udp://host?logs=nonsense", "nonsense"),
        ] {
            let error = text.parse::<Destination>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(!error.contains("secret@") && !error.contains("=secret"), "{error}");
        }
    }
}
