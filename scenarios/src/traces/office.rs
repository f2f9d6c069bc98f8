//! Mail gateway, VPN gateway, directory, doors and telephone.

use serde_json::json;

use super::{DAYS_BEFORE, ENGINEER, MS_PER_HOUR, OFFICE, STRANGER, Writer, pool};

const MAIL: &str = "mail.jsonl";
const VPN: &str = "vpn.jsonl";
const DIRECTORY: &str = "directory-security.jsonl";
const DOORS: &str = "doors.jsonl";
const PHONE: &str = "telephone.jsonl";
/// Domain of the works.
pub(super) const DOMAIN: &str = "hollinford.example";

pub(super) fn write(writer: &mut Writer<'_>) {
    everyday(writer);
    for (index, session) in writer.sessions.clone().into_iter().enumerate() {
        let before = writer.between("vpn before", index as u64, 60_000, 150_000);
        let (up, down) = (session.start_ms - before, session.end_ms + 20_000);
        let (account, group) = (session.who.account, session.who.group);
        let (source, assigned) = (session.from.to_string(), pool(index).to_string());
        let second = if session.hostile { "approved after 6 prompts" } else { "approved" };
        let device = if session.hostile { "new" } else { "known" };
        let line = json!({ "time": writer.stamp(up), "event": "session-up", "user": account, "group": group,
            "source_ip": source, "device": device, "assigned_ip": assigned, "second_factor": second });
        writer.note(VPN, up, &line);
        let line = json!({ "time": writer.stamp(down), "event": "session-down", "user": account, "assigned_ip": assigned });
        writer.note(VPN, down, &line);
        tickets(writer, index, up, account, &assigned);
        if !session.hostile {
            let called = session.start_ms - 240_000;
            let about = session.ticket.as_deref().unwrap_or("work without a ticket");
            let line = json!({ "time": writer.stamp(called), "from": account, "to": "control room",
                "note": format!("{account} announces: {about}") });
            writer.note(PHONE, called, &line);
        }
    }
    match writer.intrusion() {
        Some(session) => {
            let account = session.who.account;
            phishing(writer, account);
            writer.fact("vpn.account", account);
            writer.fact("vpn.source", STRANGER);
        }
        None => {
            for name in ["mail.sender", "mail.sha256", "vpn.account", "vpn.source"] {
                writer.fact(name, "none");
            }
        }
    }
}

/// Kerberos: a ticket for the account, one for the jump server's desktop (Security 4768, 4769).
fn tickets(writer: &mut Writer<'_>, index: usize, up: i64, account: &str, assigned: &str) {
    let at = up + writer.between("kerberos", index as u64, 4_000, 12_000);
    let address = format!("::ffff:{assigned}");
    let line = json!({ "EventID": 4768, "TimeCreated": writer.stamp(at), "Computer": format!("DC1.{DOMAIN}"),
        "TargetUserName": account, "TargetDomainName": "HOLLINFORD", "ServiceName": "krbtgt", "Status": "0x0",
        "PreAuthType": "2", "IpAddress": address, "IpPort": 49_152 + writer.draw("kerberos port", index as u64, 9_000) });
    writer.note(DIRECTORY, at, &line);
    let line = json!({ "EventID": 4769, "TimeCreated": writer.stamp(at + 900), "Computer": format!("DC1.{DOMAIN}"),
        "TargetUserName": format!("{account}@HOLLINFORD"), "TargetDomainName": "HOLLINFORD", "ServiceName": "JUMP$", "Status": "0x0",
        "IpAddress": address, "IpPort": 49_152 + writer.draw("kerberos port", index as u64 + 1_000, 9_000) });
    writer.note(DIRECTORY, at + 900, &line);
}

/// The mail that took the credential, the afternoon before.
fn phishing(writer: &mut Writer<'_>, account: &str) {
    let lookalike = ["hollin-ford.example", "hollinford-it.example", "h0llinford.example"];
    let domain = lookalike[writer.draw("lookalike", 0, 3) as usize % 3];
    let at = -writer.between("phishing", 0, 15 * MS_PER_HOUR, 20 * MS_PER_HOUR);
    let (sender, hash) = (format!("service-desk@{domain}"), writer.hash("attachment"));
    let line = json!({ "time": writer.stamp(at), "from": sender, "to": format!("{account}@{DOMAIN}"),
        "subject": "Your remote access ends today: confirm your account", "attachment": "vpn-renewal.html",
        "sha256": hash, "source_ip": STRANGER.to_string(), "spf": "pass", "verdict": "delivered" });
    writer.note(MAIL, at, &line);
    writer.fact("mail.sender", sender);
    writer.fact("mail.sha256", hash);
}

/// What is there on every day.
fn everyday(writer: &mut Writer<'_>) {
    const SUBJECTS: [&str; 6] = [
        "Minutes of the morning meeting",
        "Chlorine delivery moved to Thursday",
        "Your parcel could not be delivered",
        "Re: pump 302, vibration",
        "Trend of the week",
        "Invoice 4471",
    ];
    const SENDERS: [&str; 4] = [
        "office@hollinford.example",
        "orders@northchem.example",
        "noreply@parcels.example",
        "service@halvard.example",
    ];
    for day in -DAYS_BEFORE..=0 {
        let n = (day + DAYS_BEFORE) as u64;
        let day_ms = day * 24 * MS_PER_HOUR;
        for mail in 0..12_u64 {
            let key = n * 100 + mail;
            let at = day_ms + writer.between("mail", key, 0, 9 * MS_PER_HOUR);
            let person = OFFICE[writer.draw("mail to", key, 3) as usize % 3];
            let sender = SENDERS[writer.draw("mail from", key, 4) as usize % 4];
            let subject = SUBJECTS[writer.draw("mail about", key, 6) as usize % 6];
            let suspicious = sender.contains("parcels");
            let line = json!({ "time": writer.stamp(at), "from": sender, "to": format!("{}@{DOMAIN}", person.account),
                "subject": subject, "attachment": null, "sha256": null, "source_ip": "192.0.2.25", "spf": "pass",
                "verdict": if suspicious { "quarantined" } else { "delivered" } });
            writer.note(MAIL, at, &line);
        }
        for (index, person) in OFFICE.iter().chain(std::iter::once(&ENGINEER)).enumerate() {
            let key = n * 10 + index as u64;
            let up = day_ms + writer.between("day", key, -MS_PER_HOUR / 2, MS_PER_HOUR / 4);
            let down = up + writer.between("day long", key, 2 * MS_PER_HOUR, 8 * MS_PER_HOUR);
            let line = json!({ "time": writer.stamp(up), "event": "session-up", "user": person.account, "group": person.group,
                "source_ip": person.home.to_string(), "device": "known", "assigned_ip": format!("10.10.5.{}", 200 + index),
                "second_factor": "approved" });
            writer.note(VPN, up, &line);
            let line = json!({ "time": writer.stamp(down), "event": "session-down", "user": person.account,
                "assigned_ip": format!("10.10.5.{}", 200 + index) });
            writer.note(VPN, down, &line);
        }
        for (door, name) in ["main gate", "control room", "switch room", "pump hall"].iter().enumerate() {
            for entry in 0..4_u64 {
                let key = n * 100 + door as u64 * 10 + entry;
                let at = day_ms + writer.between("door", key, 0, 9 * MS_PER_HOUR);
                let badge = ["d.okafor", "s.marsh", "a.brandt", "cleaning 2"]
                    [writer.draw("badge", key, 4) as usize % 4];
                let line =
                    json!({ "time": writer.stamp(at), "door": name, "badge": badge, "result": "opened" });
                writer.note(DOORS, at, &line);
            }
        }
    }
    // A machine that the site does not know was brought in by somebody.
    let brought: Vec<i64> = writer
        .plan
        .hosts
        .iter()
        .filter(|host| host.zone.get_ref() == "control")
        .filter_map(|host| {
            let first = writer.flows.iter().filter(|flow| flow.client == *host.address.get_ref());
            first.map(|flow| super::millis(flow.start)).min()
        })
        .collect();
    writer.fact("door.badge", if brought.is_empty() { "none" } else { "contractor 14" });
    for first in brought {
        let at = first - writer.between("brought", 0, 90_000, 200_000);
        let line = json!({ "time": writer.stamp(at), "door": "switch room", "badge": "contractor 14", "result": "opened" });
        writer.note(DOORS, at, &line);
    }
}
