//! One frame of the capture, opened down to its octets: layer by layer, in words first.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use axum::Json;
use axum::extract::Path as RoutePath;
use sensor::LinkType;
use sensor::frame::{Content, Frame, Transport};
use serde_json::{Value, json};
use wire::modbus::mbap::{Framing, next_adu};
use wire::modbus::packet::Packet;

use super::exercise::Play;
use super::problem::Problem;
use super::team::AtTeam;
use crate::remarkable::Lookout;

const ENHANCED_PACKET: u32 = 6;
/// Octets of an enhanced packet block before the frame.
const BLOCK_HEAD: usize = 28;
/// No block of a capture of ours is longer.
const BLOCK_MAX: u32 = 1 << 20;
const MODBUS: u16 = 502;
const DNP3: u16 = 20_000;

/// Shows the head of each whole block to `see` (its kind, its first 28 octets) until it says true. The offset of the block it
/// stopped at, or of the end of the whole blocks.
pub(super) fn blocks(
    path: &Path,
    mut see: impl FnMut(u32, &[u8; BLOCK_HEAD]) -> bool,
) -> std::io::Result<u64> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let length = file.get_ref().metadata()?.len();
    let mut at = 0;
    loop {
        let mut head = [0; BLOCK_HEAD];
        if at + BLOCK_HEAD as u64 > length || file.read_exact(&mut head).is_err() {
            return Ok(at);
        }
        let word = |n: usize| u32::from_le_bytes([head[n], head[n + 1], head[n + 2], head[n + 3]]);
        let (kind, size) = (word(0), word(4));
        if size < BLOCK_HEAD as u32 || size > BLOCK_MAX || at + u64::from(size) > length || see(kind, &head) {
            return Ok(at);
        }
        file.seek_relative(i64::from(size) - BLOCK_HEAD as i64)?;
        at += u64::from(size);
    }
}

/// Which frame is asked for.
enum Wanted {
    Number(u64),
    /// The first frame at or after a time, nanoseconds since 1970.
    At(u64),
}

/// A frame and its time, by number from 1 or by time.
fn find(path: &Path, wanted: &Wanted) -> std::io::Result<Option<(u64, u64, Vec<u8>)>> {
    let (mut number, mut time) = (0, 0);
    let mut is_found = false;
    let offset = blocks(path, |kind, head| {
        if kind != ENHANCED_PACKET {
            return false;
        }
        number += 1;
        let word = |n: usize| u64::from(u32::from_le_bytes([head[n], head[n + 1], head[n + 2], head[n + 3]]));
        time = word(12) << 32 | word(16);
        is_found = match wanted {
            Wanted::Number(wanted) => number == *wanted,
            Wanted::At(at) => time >= *at,
        };
        is_found
    })?;
    if !is_found {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset + 20))?;
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let mut octets = vec![0; u32::from_le_bytes(length).min(BLOCK_MAX) as usize];
    file.seek(SeekFrom::Start(offset + BLOCK_HEAD as u64))?;
    file.read_exact(&mut octets)?;
    Ok(Some((number, time, octets)))
}

/// A frame by its number, or by its time as `@SECONDS` since 1970.
pub(super) async fn frame(
    at: AtTeam,
    RoutePath((_, which)): RoutePath<(i64, String)>,
) -> Result<Json<Value>, Problem> {
    at.evidence()?;
    let wrong = || Problem::bad("a frame is named by its number, or by its time as in @1772431387.221");
    let wanted = match which.strip_prefix('@') {
        // Logs round to microseconds, up as well as down.
        Some(time) => Wanted::At(nanoseconds(time).ok_or_else(wrong)?.saturating_sub(500)),
        None => Wanted::Number(which.parse().map_err(|_| wrong())?),
    };
    let path = at.play.directory().join("span.pcapng");
    let found = tokio::task::spawn_blocking(move || find(&path, &wanted)).await;
    let found = found.map_err(|error| Problem::bad(error.to_string()))??;
    let Some((number, unix_nanos, octets)) = found else {
        return Err(Problem::missing("the capture has no such frame, or not yet"));
    };
    Ok(Json(opened(&at.play, number, unix_nanos, &octets)))
}

/// `1772431387.221` in nanoseconds, without the loss of a binary fraction.
fn nanoseconds(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction.parse().ok()?)
}

fn opened(play: &Play, number: u64, unix_nanos: u64, octets: &[u8]) -> Value {
    let t = play.start().virtual_time(unix_nanos);
    let says = t.and_then(|t| Lookout::new(play.site.clone()).look(t, number, octets));
    json!({
        "number": number,
        "t": t,
        "clock": t.map(|t| play.start().time_of_day(t)),
        "says": says.map(|remark| format!("{} {}", remark.source, remark.what)),
        "layers": layers(play, octets),
        "octets": record::hex(octets),
    })
}

fn layer(title: String, at: usize, length: usize, fields: Vec<(&str, String)>) -> Value {
    let fields: Vec<Value> = fields.into_iter().map(|(name, value)| json!([name, value])).collect();
    json!({ "title": title, "at": at, "length": length, "fields": fields })
}

/// A frame's layers with the octets that each takes up.
fn layers(play: &Play, octets: &[u8]) -> Vec<Value> {
    let name = |address: std::net::IpAddr| match address {
        std::net::IpAddr::V4(v4) => play
            .site
            .host_at(v4)
            .map_or_else(|| address.to_string(), |host| format!("{} ({address})", host.name.get_ref())),
        std::net::IpAddr::V6(_) => address.to_string(),
    };
    let frame = Frame::parse(LinkType::Ethernet, octets, octets.len());
    let mac = |mac: Option<site::MacAddress>| mac.map_or_else(|| "-".to_owned(), |mac| mac.to_string());
    let mut layers = vec![layer(
        "Ethernet".to_owned(),
        0,
        14.min(octets.len()),
        vec![("source", mac(frame.source_mac)), ("destination", mac(frame.destination_mac))],
    )];
    let Content::Ip(packet) = &frame.content else {
        layers.push(layer(
            "ARP or other".to_owned(),
            14.min(octets.len()),
            octets.len().saturating_sub(14),
            Vec::new(),
        ));
        return layers;
    };
    let ip_length = octets.get(14).map_or(20, |octet| usize::from(octet & 15) * 4);
    layers.push(layer(
        "IPv4".to_owned(),
        14,
        ip_length,
        vec![("source", name(packet.source)), ("destination", name(packet.destination))],
    ));
    let Transport::Tcp(segment) = &packet.transport else { return layers };
    let tcp_at = 14 + ip_length;
    let tcp_length = octets.get(tcp_at + 12).map_or(20, |octet| usize::from(octet >> 4) * 4);
    layers.push(layer(
        "TCP".to_owned(),
        tcp_at,
        tcp_length,
        vec![
            ("source port", segment.source_port.to_string()),
            ("destination port", segment.destination_port.to_string()),
            ("octets of payload", segment.payload.len().to_string()),
        ],
    ));
    let at = tcp_at + tcp_length;
    if segment.payload.is_empty() {
        return layers;
    }
    let ports = [segment.source_port, segment.destination_port];
    if ports.contains(&MODBUS) {
        layers.extend(modbus(segment.payload, at, segment.destination_port == MODBUS));
    } else {
        let title = if ports.contains(&DNP3) { "DNP3" } else { "Payload" };
        layers.push(layer(title.to_owned(), at, segment.payload.len(), Vec::new()));
    }
    layers
}

/// Each Modbus ADU of a segment.
fn modbus(mut payload: &[u8], mut at: usize, is_request: bool) -> Vec<Value> {
    let mut layers = Vec::new();
    while let Framing::Whole { adu, consumed } = next_adu(payload) {
        let packet = if is_request { Packet::request(adu.pdu) } else { Packet::response(adu.pdu) };
        let mut fields = vec![
            ("transaction", adu.transaction.to_string()),
            ("unit", adu.unit.to_string()),
            (
                "function",
                packet.raw_function().map_or_else(|| "-".to_owned(), |function| function.to_string()),
            ),
        ];
        if let Some(exception) = packet.exception_code() {
            fields.push(("exception", format!("{exception:?}")));
        }
        if let Some(address) = packet.address() {
            fields.push(("address", address.0.to_string()));
        }
        if let Some(quantity) = packet.quantity() {
            fields.push(("quantity", quantity.to_string()));
        }
        if let Some(registers) = packet.registers() {
            let words: Vec<String> =
                (0..registers.len()).filter_map(|n| registers.get(n)).map(|word| word.to_string()).collect();
            fields.push(("registers", words.join(" ")));
        }
        if let Some(word) = packet.coil_word() {
            fields.push(("coil", if word == 0 { "off".to_owned() } else { "on".to_owned() }));
        }
        let title = if is_request { "Modbus request" } else { "Modbus response" };
        layers.push(layer(title.to_owned(), at, consumed, fields));
        at += consumed;
        payload = &payload[consumed..];
    }
    if !payload.is_empty() {
        layers.push(layer("Part of a Modbus ADU".to_owned(), at, payload.len(), Vec::new()));
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_by_number_and_by_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("span.pcapng");
        let mut writer = net::PcapngWriter::new(std::fs::File::create(&path).unwrap(), "span").unwrap();
        for n in 0..5_u8 {
            writer
                .write(1_772_431_387_000_000_000 + u64::from(n) * 1_000, &vec![n; 60 + usize::from(n)])
                .unwrap();
        }
        writer.finish().unwrap();
        let third = find(&path, &Wanted::Number(3)).unwrap().unwrap();
        assert_eq!((third.0, third.2), (3, vec![2; 62]));
        let at = nanoseconds("1772431387.000003").unwrap();
        assert_eq!(find(&path, &Wanted::At(at)).unwrap().unwrap().0, 4);
        assert!(find(&path, &Wanted::Number(6)).unwrap().is_none());
        let mut cut = std::fs::read(&path).unwrap();
        cut.truncate(cut.len() - 1);
        std::fs::write(&path, cut).unwrap();
        assert!(find(&path, &Wanted::Number(5)).unwrap().is_none(), "a block that is not whole is no frame");
    }
}
