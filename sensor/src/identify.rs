//! Services that are named but not taken apart, and what devices say about themselves in them.
//!
//! Pure functions of a few octets: the first of a segment or datagram, where these protocols begin their messages. A
//! name is given where the octets can hardly be anything else; where a protocol has no mark, its port has to agree. What
//! a device says is what it chose to say: cut to print, and to a length, by the inventory. Nothing is reassembled: an
//! answer that lies across segments is not read.

/// What a device or a program says about itself; what it does not say is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity<'a> {
    pub(crate) vendor: &'a [u8],
    pub(crate) product: &'a [u8],
    pub(crate) revision: Revision<'a>,
}

/// A revision, by numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Revision<'a> {
    #[default]
    None,
    Numbers(&'a [u8]),
}

/// Names the protocol of a TCP connection by octets that one side sent; `port` is the responder's.
pub(crate) fn tcp_service(port: u16, from_orig: bool, octets: &[u8]) -> Option<&'static str> {
    match octets {
        [b'R', b'F', b'B', b' ', b'0', b'0', ..] => Some("rfb"),
        [b'S', b'S', b'H', b'-', ..] => Some("ssh"),
        [0x16, 3, 0..=4, _, _, 1 | 2, ..] => Some("ssl"),
        [3, 0, ..] => tpkt_service(port, octets),
        // TDS: pre-login, login or batch from the client; a whole header, status 0 or 1, length as it says.
        [0x12 | 0x10 | 1, 0 | 1, high, low, 0, 0, ..]
            if from_orig && usize::from(u16::from_be_bytes([*high, *low])) == octets.len() =>
        {
            Some("tds")
        }
        // An APDU of IEC 60870-5-104 without data: start, stop or test, asked or confirmed (section 5.1 and 5.2).
        [0x68, 4, 0x07 | 0x0b | 0x13 | 0x23 | 0x43 | 0x83, 0, 0, 0, ..] => Some("iec104"),
        [0x68, 4..=253, _, _, low, _, ..] if port == 2404 && low & 1 == 0 => Some("iec104"),
        // Bind or alter context, whole, little-endian (DCE 1.1: RPC, chapter 12.6.3.1).
        [5, 0, 11 | 14, 3, 0x10, 0, 0, 0, ..] => Some("dce_rpc"),
        _ if enip(octets).is_some() => Some("enip"),
        _ => {
            let methods: [&[u8]; 6] = [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"HTTP/1."];
            methods.iter().any(|method| octets.starts_with(method)).then_some("http")
        }
    }
}

/// Names the protocol of a UDP conversation by one datagram.
pub(crate) fn udp_service(port: u16, octets: &[u8]) -> Option<&'static str> {
    match port {
        53 | 5353 => (octets.len() >= 12).then_some("dns"),
        123 => (octets.len() >= 48).then_some("ntp"),
        44818 => enip(octets).map(|_| "enip"),
        _ => None,
    }
}

/// Whether a service's name says for certain that it is not Modbus or DNP3, whatever the port.
pub(crate) fn is_certain(service: &str) -> bool {
    matches!(service, "ssl" | "ssh" | "http" | "dce_rpc")
}

/// TPKT (RFC 1006): with an X.224 connection request or confirm it is RDP or S7 by its port, with S7's protocol id it is
/// S7.
fn tpkt_service(port: u16, octets: &[u8]) -> Option<&'static str> {
    match octets {
        [3, 0, _, _, 2, 0xf0, _, 0x32, 1..=3 | 7, ..] => Some("s7comm"),
        [3, 0, _, _, _, 0xe0 | 0xd0, ..] => match port {
            3389 => Some("rdp"),
            102 if octets.windows(2).any(|pair| matches!(pair, [0xc1 | 0xc2, 2])) => Some("s7comm"),
            _ => None,
        },
        _ => None,
    }
}

/// A whole message of EtherNet/IP: its command and its data. Source: ODVA, The CIP Networks Library volume 2, table 2-3.1:
/// command, length, session, status, 8 octets of context, options, all little-endian.
fn enip(octets: &[u8]) -> Option<(u16, &[u8])> {
    let (header, data) = octets.split_first_chunk::<24>()?;
    let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let known = matches!(word(0), 0x04 | 0x63..=0x66 | 0x6f | 0x70);
    let options_zero = header[20..] == [0; 4];
    let status_plausible = header[9..12] == [0; 3];
    (known && options_zero && status_plausible && usize::from(word(2)) == data.len()).then(|| (word(0), data))
}

/// What a message says about who sent it.
pub(crate) fn identity<'a>(service: &str, from_orig: bool, octets: &'a [u8]) -> Option<Identity<'a>> {
    match service {
        "enip" => enip_identity(octets),
        "s7comm" => s7_identity(octets),
        "http" => {
            let name: &[u8] = if from_orig { b"user-agent" } else { b"server" };
            Some(Identity { product: http_header(octets, name)?, ..Identity::default() })
        }
        "ssh" => {
            // SSH-2.0-software comments (RFC 4253, section 4.2).
            let line = octets.split(|octet| matches!(octet, b'\r' | b'\n')).next()?;
            let software = line.strip_prefix(b"SSH-2.0-").or(line.strip_prefix(b"SSH-1.99-"))?;
            Some(Identity { product: software, ..Identity::default() })
        }
        "tds" if !from_orig => tds_identity(octets),
        _ => None,
    }
}

/// A header of an HTTP message, without the spaces around it; looked for in the first 4 KiB.
fn http_header<'a>(octets: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let head = octets.get(..4096).unwrap_or(octets);
    for line in head.split(|octet| *octet == b'\n').skip(1) {
        if line.trim_ascii().is_empty() {
            return None;
        }
        if let Some((line_name, value)) = line.split_at_checked(name.len())
            && line_name.eq_ignore_ascii_case(name)
            && let Some(value) = value.strip_prefix(b":")
        {
            return Some(value.trim_ascii()).filter(|value| !value.is_empty());
        }
    }
    None
}

/// The identity item of a List Identity reply (CIP Networks Library volume 2, table 2-4.4): version, a socket address of
/// 16 octets, vendor, device type, product code, revision, status, serial number, and the product's name with its length.
fn enip_identity(octets: &[u8]) -> Option<Identity<'_>> {
    const LIST_IDENTITY: u16 = 0x63;
    let (command, data) = enip(octets)?;
    let [_, _, 0x0c, 0, _, _, item @ ..] = data else { return None };
    if command != LIST_IDENTITY {
        return None;
    }
    let vendor = item.get(18..20)?;
    let name = item.get(33..33 + usize::from(*item.get(32)?))?;
    Some(Identity {
        vendor: cip_vendor(u16::from_le_bytes([vendor[0], vendor[1]])).as_bytes(),
        product: name,
        revision: Revision::Numbers(item.get(24..26)?),
    })
}

/// Vendors by their CIP number: the ones most met, from ODVA's public list.
fn cip_vendor(number: u16) -> &'static str {
    match number {
        1 => "Rockwell Automation",
        40 => "WAGO",
        47 => "Omron",
        90 => "HMS Networks",
        108 => "Beckhoff Automation",
        161 => "Mitsubishi Electric",
        243 => "Schneider Electric",
        252 => "Moxa",
        283 => "Hilscher",
        562 => "Phoenix Contact",
        1251 => "Siemens",
        _ => "",
    }
}

/// Lists of module and component identification (SZL 0011 and 001C) that an S7 controller answers to a read: order
/// number, module name, firmware. Source: Siemens, System Software for S7-300/400 System and Standard Functions,
/// chapter "System status lists", partial lists W#16#xy11 and W#16#xy1C.
fn s7_identity(octets: &[u8]) -> Option<Identity<'_>> {
    // TPKT 4, X.224 data 3, S7 header 10: protocol 32, user data 7, then lengths of parameters and of data.
    let [3, 0, _, _, 2, 0xf0, _, 0x32, 7, _, _, _, _, p0, p1, _, _, rest @ ..] = octets else { return None };
    let (parameters, data) = rest.split_at_checked(usize::from(u16::from_be_bytes([*p0, *p1])))?;
    // An answer (8) of the CPU functions (4), sub-function read SZL (1).
    let [0, 1, 0x12, _, _, 0x84, 1, ..] = parameters else { return None };
    let [0xff, 9, _, _, l0, l1, _, _, s0, s1, _, _, items @ ..] = data else { return None };
    let (list, size) = (u16::from_be_bytes([*l0, *l1]), usize::from(u16::from_be_bytes([*s0, *s1])));
    let mut identity = Identity::default();
    if size < 4 {
        return None;
    }
    for item in items.chunks_exact(size) {
        let (Some(index), Some(text)) = (item.get(1), item.get(2..)) else { continue };
        let text = |length: usize| {
            let text = text.get(..length).unwrap_or(text);
            text.split(|octet| *octet == 0).next().unwrap_or_default().trim_ascii()
        };
        match (list & 0xff, index) {
            (0x11, 1) => identity.product = text(20),
            // A letter V, then three numbers.
            (0x11, 7) => identity.revision = item.get(25..28).map_or(Revision::None, Revision::Numbers),
            (0x1c, 7) => identity.product = text(32),
            (0x1c, 2) if identity.product.is_empty() => identity.product = text(32),
            (0x1c, 4) if text(32).windows(7).any(|word| word == b"Siemens") => identity.vendor = b"Siemens",
            _ => {}
        }
    }
    Some(identity).filter(|identity| *identity != Identity::default())
}

/// The server's version in its answer to a pre-login: option 0, with offset and length from the end of the header
/// (MS-TDS, section 2.2.6.5).
fn tds_identity(octets: &[u8]) -> Option<Identity<'_>> {
    let (header, data) = octets.split_first_chunk::<8>()?;
    if header[0] != 4 {
        return None;
    }
    let [0, o0, o1, 0, 6, ..] = data else { return None };
    let version = data.get(usize::from(u16::from_be_bytes([*o0, *o1]))..)?.get(..2)?;
    let identity = Identity { revision: Revision::Numbers(version), ..Identity::default() };
    Some(identity)
}

impl Revision<'_> {
    /// As octets to be shown; empty where there is none.
    pub(crate) fn shown(self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Numbers(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(u8::to_string).collect();
                numbers.join(".").into_bytes()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// List Identity reply of a 1756-ENBT/A revision 4.8, written out from the table of the CIP Networks Library.
    fn list_identity() -> Vec<u8> {
        let mut item = vec![1, 0];
        item.extend([0, 2, 0xaf, 0x12, 192, 168, 1, 50, 0, 0, 0, 0, 0, 0, 0, 0]);
        item.extend([1, 0, 12, 0, 58, 0, 4, 8, 0x30, 0, 0x78, 0x56, 0x34, 0x12]);
        item.extend([11]);
        item.extend(b"1756-ENBT/A");
        item.push(3);
        let mut octets = vec![0x63, 0, item.len() as u8 + 6, 0];
        octets.extend([0; 20]);
        octets.extend([1, 0, 0x0c, 0, item.len() as u8, 0]);
        octets.extend(item);
        octets
    }

    /// Answer to a read of SZL 0011, index 0, of an S7-300: order number, hardware, firmware V 3.2.6.
    fn module_identification() -> Vec<u8> {
        let mut items = Vec::new();
        for (index, versions) in [(1_u8, [0, 0, 0, 1]), (6, [0, 0, 0, 1]), (7, [b'V', 3, 2, 6])] {
            items.extend([0, index]);
            items.extend(b"6ES7 315-2EH14-0AB0 ");
            items.extend([0, 0xc0]);
            items.extend(versions);
        }
        let mut data = vec![0xff, 9, 0, items.len() as u8 + 8, 0, 0x11, 0, 0, 0, 28, 0, 3];
        data.extend(items);
        let parameters = [0, 1, 0x12, 8, 0x12, 0x84, 1, 1, 0, 0, 0, 0];
        let mut octets = vec![3, 0, 0, 0, 2, 0xf0, 0x80, 0x32, 7, 0, 0, 0, 1, 0, 12, 0, data.len() as u8];
        octets.extend(parameters);
        octets.extend(data);
        octets[3] = octets.len() as u8;
        octets
    }

    #[test]
    fn services_are_named_by_their_first_octets() {
        let cases: [(u16, &[u8], Option<&str>); 11] = [
            (443, &[0x16, 3, 1, 0, 5, 1, 0, 0], Some("ssl")),
            (5900, b"RFB 003.008\n", Some("rfb")),
            (
                102,
                &[3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2],
                Some("s7comm"),
            ),
            (3389, &[3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 0, 0], Some("rdp")),
            (102, &[3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 0, 0], None),
            // STARTDT act.
            (2404, &[0x68, 4, 7, 0, 0, 0], Some("iec104")),
            (9999, &[0x68, 4, 0x43, 0, 0, 0], Some("iec104")),
            (2404, &[0x68, 14, 0, 0, 0, 0, 100, 1, 6, 0, 1, 0, 0, 0, 0, 20], Some("iec104")),
            (9999, &[0x68, 14, 0, 0, 0, 0, 100, 1, 6, 0, 1, 0, 0, 0, 0, 20], None),
            // Register Session.
            (
                44818,
                &[0x65, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
                Some("enip"),
            ),
            (80, b"GET / HTTP/1.1\r\n", Some("http")),
        ];
        for (port, octets, expected) in cases {
            assert_eq!(tcp_service(port, true, octets), expected, "{port} {octets:02x?}");
            for length in 0..octets.len() {
                let _ = tcp_service(port, true, &octets[..length]);
            }
        }
        assert_eq!(udp_service(44818, &list_identity()), Some("enip"));
    }

    proptest::proptest! {
        #[test]
        fn any_octets_will_do(
            mut octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120),
            from_orig in proptest::prelude::any::<bool>(),
            seed in 0..5_usize,
        ) {
            // Beginnings that lead into each reader.
            let seeds: [&[u8]; 5] = [&[], &list_identity(), &module_identification(), b"HTTP/1.1 ", &[4, 1, 0, 20]];
            octets.splice(0..0, seeds[seed].iter().copied().take(20 + octets.len()));
            for port in [102, 2404, 3389, 44818] {
                let _ = tcp_service(port, from_orig, &octets);
                let _ = udp_service(port, &octets);
            }
            for service in ["enip", "s7comm", "http", "ssh", "tds"] {
                let _ = identity(service, from_orig, &octets);
            }
        }
    }

    #[test]
    fn ethernet_ip_devices_say_who_they_are() {
        let octets = list_identity();
        let told = identity("enip", false, &octets).unwrap();
        assert_eq!((told.vendor, told.product), (&b"Rockwell Automation"[..], &b"1756-ENBT/A"[..]));
        assert_eq!(told.revision.shown(), b"4.8");
        for length in 0..octets.len() {
            assert_eq!(identity("enip", false, &octets[..length]), None, "{length}");
        }
    }

    #[test]
    fn s7_controllers_tell_order_number_and_firmware() {
        let octets = module_identification();
        assert_eq!(tcp_service(102, false, &octets), Some("s7comm"));
        let told = identity("s7comm", false, &octets).unwrap();
        assert_eq!((told.product, told.revision.shown()), (&b"6ES7 315-2EH14-0AB0"[..], b"3.2.6".to_vec()));
        for length in 0..octets.len() {
            let _ = identity("s7comm", false, &octets[..length]);
        }
    }

    #[test]
    fn web_servers_browsers_shells_and_databases_name_themselves() {
        let answer = b"HTTP/1.1 200 OK\r\nDate: x\r\nSERVER:  Schneider-WEB/V2.1.4 \r\n\r\nServer: no";
        assert_eq!(identity("http", false, answer).unwrap().product, b"Schneider-WEB/V2.1.4");
        let request = b"GET / HTTP/1.1\r\nUser-Agent: curl/7.88.1\r\n\r\n";
        assert_eq!(identity("http", true, request).unwrap().product, b"curl/7.88.1");
        assert_eq!(identity("http", false, b"HTTP/1.1 200 OK\r\n\r\nServer: no"), None);
        assert_eq!(identity("ssh", false, b"SSH-2.0-OpenSSH_9.2\r\n").unwrap().product, b"OpenSSH_9.2");
        // Pre-login answer with the version alone, SQL Server 15.0.
        let tds = [4, 1, 0, 20, 0, 0, 1, 0, 0, 0, 6, 0, 6, 0xff, 15, 0, 7, 208, 0, 0];
        assert_eq!(identity("tds", false, &tds).unwrap().revision.shown(), b"15.0");
    }
}
