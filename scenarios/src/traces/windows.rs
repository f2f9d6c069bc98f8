//! Windows Security auditing and Sysmon on the jump server and on the engineering workstation.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{DESKTOP, ENGINEER, Flow, Session, Writer, millis, office::DOMAIN, pool};

const JUMP_SECURITY: &str = "jump-security.jsonl";
const JUMP_SYSMON: &str = "jump-sysmon.jsonl";
const WORKSTATION_SECURITY: &str = "ews-security.jsonl";
const WORKSTATION_SYSMON: &str = "ews-sysmon.jsonl";
/// The engineering tool.
pub(super) const STUDIO: &str = r"C:\Program Files\Halvard\Studio\HStudio.exe";
/// What an intruder brings.
pub(super) const BROUGHT: &str = r"C:\Users\Public\Libraries\hs-sync.exe";
const EXPLORER: &str = r"C:\Windows\explorer.exe";
const SHELL: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";
const DESKTOP_CLIENT: &str = r"C:\Windows\System32\mstsc.exe";
const MODBUS: u16 = 502;

/// A process of the workstation: its number, its file, its parent's number and file.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) id: u64,
    pub(super) image: &'static str,
    pub(super) command: String,
    pub(super) parent: u64,
    pub(super) parent_image: &'static str,
    pub(super) user: String,
    pub(super) since_ms: i64,
}

pub(super) fn write(writer: &mut Writer<'_>) {
    for (index, session) in writer.sessions.clone().iter().enumerate() {
        logons(writer, index, session);
        jump_processes(writer, index, session);
    }
    let processes = processes(writer);
    for process in &processes {
        let line = started(writer, process, "EWS", writer.logon_of(process.since_ms));
        writer.note(WORKSTATION_SYSMON, process.since_ms, &line);
    }
    let own: Vec<Flow> = writer
        .flows
        .iter()
        .filter(|flow| flow.client == writer.workstation && flow.server_port == MODBUS)
        .copied()
        .collect();
    for flow in own {
        let Some(process) = speaker(&processes, millis(flow.start)) else { continue };
        let line = connection(writer, "EWS", process.id, process.image, &process.user, &flow);
        writer.note(WORKSTATION_SYSMON, millis(flow.start), &line);
    }
    facts(writer, &processes);
}

/// Who speaks to controllers at a moment: the process that was started last.
pub(super) fn speaker(processes: &[Process], at_ms: i64) -> Option<&Process> {
    let speaks = |process: &&Process| process.since_ms <= at_ms && [STUDIO, BROUGHT].contains(&process.image);
    processes.iter().filter(speaks).max_by_key(|process| process.since_ms)
}

/// Processes of the workstation that somebody started, by time: the engineer's tool since the morning, and one per session.
pub(super) fn processes(writer: &Writer<'_>) -> Vec<Process> {
    let at_its_desk = writer.between("studio", 0, 600_000, 3_000_000);
    let mut processes = vec![Process {
        id: 3_000 + 4 * writer.draw("pid", 0, 400),
        image: STUDIO,
        command: format!("\"{STUDIO}\" /project waterworks"),
        parent: 1_204,
        parent_image: EXPLORER,
        user: format!(r"HOLLINFORD\{}", ENGINEER.account),
        since_ms: -at_its_desk,
    }];
    for (index, session) in writer.sessions.iter().enumerate() {
        let key = index as u64 + 1;
        let since_ms = session.start_ms + writer.between("tool", key, 400, 900);
        let (shell, id) =
            (5_000 + 4 * writer.draw("shell", key, 300), 6_400 + 4 * writer.draw("pid", key, 500));
        let user = format!(r"HOLLINFORD\{}", session.who.account);
        if session.hostile {
            processes.push(Process {
                id: shell,
                image: SHELL,
                command: "powershell.exe -NoProfile -WindowStyle Hidden".to_owned(),
                parent: 1_204,
                parent_image: EXPLORER,
                user: user.clone(),
                since_ms: since_ms - 300,
            });
        }
        let (image, parent, parent_image) =
            if session.hostile { (BROUGHT, shell, SHELL) } else { (STUDIO, 1_204, EXPLORER) };
        let command = if session.hostile { "hs-sync.exe -q".to_owned() } else { format!("\"{STUDIO}\"") };
        processes.push(Process { id, image, command, parent, parent_image, user, since_ms });
    }
    processes
}

/// Security 4624 and 4634 on both machines, 4625 before where somebody mistyped.
fn logons(writer: &mut Writer<'_>, index: usize, session: &Session) {
    let key = index as u64;
    let from = pool(index);
    let at = session.start_ms - writer.between("jump logon", key, 15_000, 40_000);
    let failures = if session.hostile { 3 } else { writer.draw("mistyped", key, 2) };
    for failure in 0..failures {
        let when = at - 9_000 * (i64::try_from(failure).unwrap_or(0) + 1);
        let line = logon(writer, when, "JUMP", 4625, session, from, 50_000 + failure);
        writer.note(JUMP_SECURITY, when, &line);
    }
    let line = logon(writer, at, "JUMP", 4624, session, from, 51_000 + writer.draw("rdp port", key, 9_000));
    writer.note(JUMP_SECURITY, at, &line);
    let line = logon(writer, session.end_ms + 8_000, "JUMP", 4634, session, from, 0);
    writer.note(JUMP_SECURITY, session.end_ms + 8_000, &line);
    let begun = session.start_ms + 250;
    let line =
        logon(writer, begun, "EWS", 4624, session, session.flow.client, u64::from(session.flow.client_port));
    writer.note(WORKSTATION_SECURITY, begun, &line);
    let line = logon(writer, session.end_ms, "EWS", 4634, session, session.flow.client, 0);
    writer.note(WORKSTATION_SECURITY, session.end_ms, &line);
}

fn logon(
    writer: &Writer<'_>,
    at: i64,
    computer: &str,
    id: u16,
    session: &Session,
    from: Ipv4Addr,
    port: u64,
) -> Value {
    let mut line = json!({ "EventID": id, "TimeCreated": writer.stamp(at), "Channel": "Security",
        "Computer": format!("{computer}.{DOMAIN}"), "TargetUserName": session.who.account,
        "TargetDomainName": "HOLLINFORD", "TargetLogonId": format!("0x{:x}", session.logon_id), "LogonType": 10 });
    if let (Some(fields), true) = (line.as_object_mut(), id != 4634) {
        fields.insert("IpAddress".to_owned(), json!(from.to_string()));
        fields.insert("IpPort".to_owned(), json!(port));
        fields.insert("LogonProcessName".to_owned(), json!("User32"));
        fields.insert("AuthenticationPackageName".to_owned(), json!("Negotiate"));
        if id == 4625 {
            fields.remove("TargetLogonId");
            fields.insert("Status".to_owned(), json!("0xc000006d"));
            fields.insert("SubStatus".to_owned(), json!("0xc000006a"));
        }
    }
    line
}

/// On the jump server: the desktop client, and its connection.
fn jump_processes(writer: &mut Writer<'_>, index: usize, session: &Session) {
    let key = index as u64;
    let process = Process {
        id: 2_000 + 4 * writer.draw("mstsc", key, 800),
        image: DESKTOP_CLIENT,
        command: "mstsc.exe /v:EWS".to_owned(),
        parent: 1_880,
        parent_image: EXPLORER,
        user: format!(r"HOLLINFORD\{}", session.who.account),
        since_ms: session.start_ms - 4_000,
    };
    let line = started(writer, &process, "JUMP", session.logon_id);
    writer.note(JUMP_SYSMON, process.since_ms, &line);
    let line = connection(writer, "JUMP", process.id, DESKTOP_CLIENT, &process.user, &session.flow);
    writer.note(JUMP_SYSMON, session.start_ms, &line);
}

/// Sysmon 1.
fn started(writer: &Writer<'_>, process: &Process, computer: &str, logon_id: u64) -> Value {
    json!({ "EventID": 1, "UtcTime": writer.stamp(process.since_ms), "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": format!("{computer}.{DOMAIN}"), "ProcessId": process.id, "Image": process.image,
        "CommandLine": process.command, "User": process.user, "LogonId": format!("0x{logon_id:x}"),
        "ParentProcessId": process.parent, "ParentImage": process.parent_image,
        "Hashes": format!("SHA256={}", writer.hash(process.image)) })
}

/// Sysmon 3.
fn connection(writer: &Writer<'_>, computer: &str, id: u64, image: &str, user: &str, flow: &Flow) -> Value {
    json!({ "EventID": 3, "UtcTime": writer.stamp(millis(flow.start)), "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": format!("{computer}.{DOMAIN}"), "ProcessId": id, "Image": image, "User": user, "Protocol": "tcp",
        "Initiated": true, "SourceIp": flow.client.to_string(), "SourcePort": flow.client_port,
        "DestinationIp": flow.server.to_string(), "DestinationPort": flow.server_port })
}

impl Writer<'_> {
    /// The logon that a process of the workstation belongs to; that at its own desk where no session is open.
    fn logon_of(&self, at_ms: i64) -> u64 {
        let open = |session: &&Session| (session.start_ms..=session.end_ms).contains(&at_ms);
        self.sessions.iter().find(open).map_or(0x1_9f3c, |session| session.logon_id)
    }
}

fn facts(writer: &mut Writer<'_>, processes: &[Process]) {
    let Some((index, session)) =
        writer.sessions.clone().into_iter().enumerate().find(|(_, session)| session.hostile)
    else {
        for name in [
            "session.logon_id",
            "session.account",
            "session.source",
            "process.pid",
            "process.parent",
            "process.remote",
            "file.path",
            "file.sha256",
        ] {
            writer.fact(name, "none");
        }
        return;
    };
    writer.fact("session.logon_id", format!("0x{:x}", session.logon_id));
    writer.fact("session.account", session.who.account);
    writer.fact("session.source", pool(index));
    let Some(tool) = processes.iter().find(|process| process.image == BROUGHT) else { return };
    writer.fact("process.pid", tool.id);
    writer.fact("process.parent", tool.parent);
    let first = writer.flows.iter().find(|flow| {
        flow.client == writer.workstation && flow.server_port == MODBUS && millis(flow.start) >= tool.since_ms
    });
    let remote = first.map_or_else(|| "none".to_owned(), |flow| flow.server.to_string());
    writer.fact("process.remote", remote);
    writer.fact("file.path", BROUGHT);
    writer.fact("file.sha256", writer.hash(BROUGHT));
    // A desktop that nobody opened over the network has no port of it.
    debug_assert_eq!(session.flow.server_port, DESKTOP);
}
