//! Elasticsearch's `_bulk` and Splunk's HTTP Event Collector.
//!
//! # Theory of operation
//! A batch is one POST, and its answer is the acknowledgement. Elastic answers for each document: what is refused for
//! good (400: a mapping that does not fit) is counted and passed over, what is refused for now (429, 503) ends the batch
//! there, and what follows is sent again. Each document has an id made of the queue's identity and its sequence number,
//! so one that is sent twice is there once: 409 says that it was. Splunk answers for the batch; one that it calls
//! invalid is halved until the event that is meant is found.

use std::collections::VecDeque;
use std::time::Duration;

use super::carry::{Carry, Trouble};
use super::destination::{Carrier, Destination};
use super::queue::Queued;
use super::tls::Trust;

const WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Longest answer that is read: an Elastic answer has some hundred octets per document.
const ANSWER_MAX: u64 = 8 << 20;

/// A collector that takes batches by POST.
pub(super) struct Http {
    agent: ureq::Agent,
    url: String,
    authorization: Option<String>,
    /// Elastic: the queue's identity, for the ids of documents.
    identity: Option<String>,
    confirmed: u64,
    rejected: u64,
    first_refusal: Option<String>,
}

/// What became of a batch.
enum Answer {
    Taken,
    /// Taken up to here; the rest is to be sent again, for a reason.
    TakenTo(usize, String),
    /// The batch as it is will never be taken.
    Refused(String),
}

impl Http {
    /// `identity` is the queue's; `secret` the token or password, where there is one.
    pub(super) fn new(
        destination: &Destination,
        trust: Option<&Trust>,
        identity: &str,
        secret: Option<&str>,
    ) -> Self {
        let (path, elastic, tls) = match destination.carrier {
            Carrier::Elastic { tls } => {
                (format!("{}/_bulk", destination.index.as_deref().unwrap_or_default()), true, tls)
            }
            Carrier::Splunk { tls } => ("services/collector/event".to_owned(), false, tls),
            _ => (String::new(), false, false),
        };
        let scheme = if tls { "https" } else { "http" };
        let host = if destination.host.contains(':') {
            format!("[{}]", destination.host)
        } else {
            destination.host.clone()
        };
        let authorization = secret.map(|secret| match (&destination.user, elastic) {
            (Some(user), _) => format!("Basic {}", base64(format!("{user}:{secret}").as_bytes())),
            (None, true) => format!("ApiKey {secret}"),
            (None, false) => format!("Splunk {secret}"),
        });
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(WITHIN))
            .timeout_connect(Some(CONNECT_WITHIN))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("fieldrange-sensor/", env!("CARGO_PKG_VERSION")));
        if let Some(trust) = trust {
            config = config.tls_config(trust.http());
        }
        Self {
            agent: config.build().new_agent(),
            url: format!("{scheme}://{host}:{}/{path}", destination.port),
            authorization,
            identity: elastic.then(|| identity.to_owned()),
            confirmed: 0,
            rejected: 0,
            first_refusal: None,
        }
    }

    fn post(&mut self, records: &[Queued]) -> Result<Answer, Trouble> {
        let mut body = Vec::new();
        for record in records {
            if let Some(identity) = &self.identity {
                let action = format!("{{\"create\":{{\"_id\":\"{identity}-{}\"}}}}\n", record.sequence);
                body.extend_from_slice(action.as_bytes());
            }
            body.extend_from_slice(&record.payload);
            body.push(b'\n');
        }
        let kind = if self.identity.is_some() { "application/x-ndjson" } else { "application/json" };
        let mut request = self.agent.post(&self.url).header("Content-Type", kind);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.send(&body[..])?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(ANSWER_MAX).read_to_string()?;
        let told = || format!("HTTP status {status}: {}", text.chars().take(200).collect::<String>());
        match status {
            200..=299 if self.identity.is_some() => Ok(self.judge_items(records, &text)),
            200..=299 => Ok(Answer::Taken),
            400 | 413 => Ok(Answer::Refused(told())),
            // A wrong token or index, a busy collector: may be mended while records wait.
            _ => Err(Trouble(told())),
        }
    }

    /// Elastic's answer, one item per document.
    fn judge_items(&mut self, records: &[Queued], text: &str) -> Answer {
        let answer: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let Some(items) = answer.get("items").and_then(serde_json::Value::as_array) else {
            return Answer::TakenTo(0, "the answer is not Elasticsearch's".to_owned());
        };
        if items.len() != records.len() {
            return Answer::TakenTo(0, format!("{} answers to {} documents", items.len(), records.len()));
        }
        for (index, item) in items.iter().enumerate() {
            let result = item.get("create").unwrap_or(item);
            let status = result.get("status").and_then(serde_json::Value::as_u64).unwrap_or(0);
            match status {
                // Conflict: it was there already.
                200..=299 | 409 => {}
                400..=499 if status != 429 => {
                    let reason = result.get("error").map(ToString::to_string).unwrap_or_default();
                    self.reject(format!("status {status}: {}", reason.chars().take(200).collect::<String>()));
                }
                _ => return Answer::TakenTo(index, format!("document refused for now, status {status}")),
            }
        }
        Answer::Taken
    }

    fn reject(&mut self, reason: String) {
        self.rejected += 1;
        self.first_refusal.get_or_insert(reason);
    }

    fn confirm(&mut self, records: &[Queued]) {
        self.confirmed = records.last().map_or(self.confirmed, |record| record.sequence);
    }
}

impl Carry for Http {
    fn send(&mut self, records: &[Queued]) -> Result<(), Trouble> {
        let mut todo = VecDeque::from([records]);
        while let Some(batch) = todo.pop_front() {
            match self.post(batch)? {
                Answer::Taken => self.confirm(batch),
                Answer::TakenTo(count, reason) => {
                    self.confirm(batch.get(..count).unwrap_or_default());
                    return Err(Trouble(reason));
                }
                Answer::Refused(reason) if batch.len() <= 1 => {
                    self.reject(reason);
                    self.confirm(batch);
                }
                Answer::Refused(_) => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    todo.push_front(second);
                    todo.push_front(first);
                }
            }
        }
        Ok(())
    }

    fn confirmed(&mut self) -> u64 {
        self.confirmed
    }

    fn rejected(&self) -> (u64, Option<String>) {
        (self.rejected, self.first_refusal.clone())
    }
}

/// RFC 4648, 4, for HTTP's Basic scheme (RFC 7617).
fn base64(octets: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let sextet = (bits >> (18 - 6 * index) & 63) as usize;
            text.push(if index > chunk.len() { '=' } else { char::from(LETTERS[sextet]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_rfc_4648s() {
        // Test vectors of RFC 4648, 10.
        for (text, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), coded);
        }
    }
}
