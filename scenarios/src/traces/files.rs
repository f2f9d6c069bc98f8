//! Files on the historian, the advisories of the vendors, and what a partner reported in confidence.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use site::Site;

use super::windows::BROUGHT;
use super::{MS_PER_HOUR, STRANGER, Writer};

/// Folders of the historian's disk.
const FOLDERS: [&str; 5] = [
    r"C:\Program Files\Tarn\Historian",
    r"C:\ProgramData\Tarn\Archive",
    r"C:\Windows\Temp",
    r"C:\Users\Public\Libraries",
    r"D:\Exchange",
];
/// Names of files that are what they say.
const NAMES: [&str; 8] = [
    "update.exe",
    "thist.exe",
    "archive.dat",
    "index.idx",
    "readme.txt",
    "hs-sync.log",
    "setup.msi",
    "report.xlsx",
];

pub(super) fn files(writer: &mut Writer<'_>, site: &Site) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    files.insert("historian-files.csv".to_owned(), tree(writer));
    files.insert("advisories.json".to_owned(), pretty(&advisories(writer, site)));
    files.insert("notification.json".to_owned(), pretty(&notification(writer)));
    files
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Path, size, time and hash of every file. Where the intruder's tool lies, it lies under another name.
fn tree(writer: &mut Writer<'_>) -> String {
    let mut rows = Vec::new();
    for (n, folder) in FOLDERS.iter().enumerate() {
        for (m, name) in NAMES.iter().enumerate() {
            let key = (n * NAMES.len() + m) as u64;
            let at = -writer.between("file time", key, 24 * MS_PER_HOUR, 4_000 * MS_PER_HOUR);
            let size = writer.draw("file size", key, 4_000_000) + 512;
            rows.push((format!(r"{folder}\{name}"), size, at, writer.hash(&format!("file {key}"))));
        }
    }
    // The same name as the tool's log, another content: a name is no indicator.
    if let Some(session) = writer.intrusion() {
        let at = session.start_ms - writer.between("dropped", 0, 300_000, 900_000);
        let folder = FOLDERS[writer.draw("dropped in", 0, FOLDERS.len() as u64) as usize % FOLDERS.len()];
        let path = format!(r"{folder}\thist-update.tmp");
        writer.fact("historian.path", &path);
        writer.fact("historian.time", writer.stamp(at));
        rows.push((path, 412_160, at, writer.hash(BROUGHT)));
    } else {
        writer.fact("historian.path", "none");
        writer.fact("historian.time", "none");
    }
    rows.sort();
    let mut text = "path,octets,modified,sha256\n".to_owned();
    for (path, size, at, hash) in rows {
        let _ = writeln!(text, "{path},{size},{},{hash}", writer.stamp(at));
    }
    text
}

/// Advisories in the shape of CSAF 2.0's main fields. One for each product of the site, and for one that it does not have;
/// a version range decides whether it applies.
fn advisories(writer: &mut Writer<'_>, site: &Site) -> Value {
    let mut products: Vec<(&str, &str, &str)> = site
        .devices
        .iter()
        .map(|device| (device.vendor.as_str(), device.product_code.as_str(), device.revision.as_str()))
        .collect();
    products.sort_unstable();
    products.dedup();
    products.push(("Halvard Automation", "HA-900", "V1.0"));
    let mut applies = Vec::new();
    let advisories: Vec<Value> = products
        .iter()
        .enumerate()
        .map(|(index, (vendor, product, revision))| {
            let is_here = site.devices.iter().any(|device| device.product_code == *product);
            let is_fixed = writer.draw("advisory", index as u64, 2) == 1;
            let id = format!("EX-2026-{:04}", 100 + index);
            if is_here && !is_fixed {
                applies.push(id.clone());
            }
            let range = if is_fixed { format!("< {revision}") } else { format!("<= {revision}") };
            json!({ "document": { "category": "csaf_security_advisory", "title": format!("{product}: a request of function 90 is taken without a password"),
                "tracking": { "id": id, "status": "final" }, "publisher": { "name": vendor, "category": "vendor" } },
                "product_tree": { "full_product_names": [{ "product_id": product, "name": format!("{vendor} {product} {range}") }] },
                "vulnerabilities": [{ "cwe": { "id": "CWE-306", "name": "Missing Authentication for Critical Function" },
                    "product_status": { "known_affected": [product] },
                    "remediations": [{ "category": "mitigation", "details": "Turn the key switch to Run; let the engineering workstation alone reach port 502 with function 90." }] }] })
        })
        .collect();
    let applies = if applies.is_empty() { "none".to_owned() } else { applies.join(" ") };
    writer.fact("advisories.apply", applies);
    json!({ "marking": "EXERCISE", "advisories": advisories })
}

/// What a partner reported, with indicators that occur in this run where it has an intrusion, and one address that everybody
/// talks to.
fn notification(writer: &Writer<'_>) -> Value {
    let shared = "192.0.2.25";
    json!({ "marking": "EXERCISE", "tlp": "AMBER+STRICT", "from": "a national response team", "received": writer.stamp(-2 * MS_PER_HOUR),
        "contact": "name one within an hour",
        "text": "An actor uses credentials of remote access without a second look at the prompt, and brings a tool to engineering workstations. Search for these and report what you find and when.",
        "indicators": [
            { "type": "ipv4", "value": STRANGER.to_string(), "confidence": "high" },
            { "type": "ipv4", "value": shared, "confidence": "low", "note": "a mail relay that many use" },
            { "type": "sha256", "value": writer.hash(BROUGHT), "confidence": "high" },
            { "type": "file-name", "value": "hs-sync.exe", "confidence": "medium" },
            { "type": "domain", "value": "hollinford-it.example", "confidence": "medium" },
        ] })
}
