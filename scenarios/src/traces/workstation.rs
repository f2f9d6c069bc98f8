//! The engineering workstation as a responder found it: processes, connections, and a memory image as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::windows::{BROUGHT, Process, STUDIO, processes, speaker};
use super::{STRANGER, Writer, millis};

/// What runs on every Windows: number, parent, file.
const SYSTEM: [(u64, u64, &str); 9] = [
    (4, 0, "System"),
    (392, 4, "smss.exe"),
    (560, 552, "csrss.exe"),
    (648, 552, "wininit.exe"),
    (776, 648, "services.exe"),
    (784, 648, "lsass.exe"),
    (912, 776, "svchost.exe"),
    (1_012, 776, "svchost.exe"),
    (1_204, 1_180, "explorer.exe"),
];

/// Files that a responder made. They looked when the last session had begun, or at the end of a run without one.
pub(super) fn files(writer: &mut Writer<'_>) -> BTreeMap<String, String> {
    let hostile = writer.sessions.iter().find(|session| session.hostile);
    let last = hostile.or_else(|| writer.sessions.last());
    // While the tool speaks, so that its connection is there to be seen.
    let taken_ms = last.map_or(writer.end_ms, |session| {
        let spoke =
            writer.flows.iter().filter(|flow| flow.client == writer.workstation && flow.server_port == 502);
        let spoke = spoke.map(|flow| (millis(flow.start), millis(flow.end)));
        spoke
            .filter(|(start, _)| *start >= session.start_ms)
            .map(|(start, end)| i64::midpoint(start, end))
            .min()
            .unwrap_or(session.start_ms + 1_000)
    });
    let running: Vec<Process> =
        processes(writer).into_iter().filter(|process| process.since_ms <= taken_ms).collect();
    let taken = writer.stamp(taken_ms);
    let mut files = BTreeMap::new();
    files.insert("ews-processes.csv".to_owned(), process_list(writer, &running));
    files.insert("ews-netstat.txt".to_owned(), netstat(writer, &running, taken_ms));
    files.insert("ews-memory/pstree.txt".to_owned(), tree(&running, &taken));
    files.insert(
        "ews-memory/netscan.txt".to_owned(),
        format!("# memory image of EWS, taken {taken}\n{}", netstat(writer, &running, taken_ms)),
    );
    files.insert("ews-memory/strings.txt".to_owned(), strings(&running, &taken));
    files
}

fn name(image: &str) -> &str {
    image.rsplit('\\').next().unwrap_or(image)
}

fn process_list(writer: &Writer<'_>, running: &[Process]) -> String {
    let mut list = "Name,ProcessId,ParentProcessId,CreationDate,CommandLine\n".to_owned();
    for (id, parent, name) in SYSTEM {
        let _ = writeln!(list, "{name},{id},{parent},{},", writer.stamp(-40 * super::MS_PER_HOUR));
    }
    for process in running {
        let command = process.command.replace('"', "\"\"");
        let _ = writeln!(
            list,
            "{},{},{},{},\"{command}\"",
            name(process.image),
            process.id,
            process.parent,
            writer.stamp(process.since_ms)
        );
    }
    list
}

/// As `netstat -ano` prints it.
fn netstat(writer: &Writer<'_>, running: &[Process], at_ms: i64) -> String {
    let mut table = "\nActive Connections\n\n  Proto  Local Address          Foreign Address        State           PID\n".to_owned();
    let mut row = |local: &str, foreign: &str, state: &str, id: u64| {
        let _ = writeln!(table, "  TCP    {local:<22} {foreign:<22} {state:<15} {id}");
    };
    row("0.0.0.0:135", "0.0.0.0:0", "LISTENING", 912);
    row("0.0.0.0:445", "0.0.0.0:0", "LISTENING", 4);
    row("0.0.0.0:3389", "0.0.0.0:0", "LISTENING", 1_012);
    let open = |flow: &&super::Flow| (millis(flow.start)..=millis(flow.end)).contains(&at_ms);
    for flow in writer.flows.iter().filter(open) {
        if flow.client == writer.workstation {
            let id = speaker(running, millis(flow.start)).map_or(4, |process| process.id);
            row(
                &format!("{}:{}", flow.client, flow.client_port),
                &format!("{}:{}", flow.server, flow.server_port),
                "ESTABLISHED",
                id,
            );
        } else if flow.server == writer.workstation {
            row(
                &format!("{}:{}", flow.server, flow.server_port),
                &format!("{}:{}", flow.client, flow.client_port),
                "ESTABLISHED",
                1_012,
            );
        }
    }
    table
}

fn tree(running: &[Process], taken: &str) -> String {
    let mut text = format!("# memory image of EWS, taken {taken}\nPID\tPPID\tImageFileName\n");
    for (id, parent, name) in SYSTEM {
        let _ = writeln!(text, "{id}\t{parent}\t{name}");
    }
    for process in running {
        let depth = if process.image == BROUGHT { "** " } else { "* " };
        let _ = writeln!(text, "{depth}{}\t{}\t{}", process.id, process.parent, name(process.image));
    }
    text
}

/// What stands in memory: every tool leaves its words.
fn strings(running: &[Process], taken: &str) -> String {
    let mut text = format!("# memory image of EWS, taken {taken}: offset, process, text\n");
    for (index, process) in running.iter().enumerate() {
        let offset = 0x7f_3000 + 0x2_1000 * (index as u64 + 1);
        let mut line = |more: u64, what: &str| {
            let _ = writeln!(text, "0x{:08x}\t{}\t{what}", offset + more, process.id);
        };
        line(0x10, process.image);
        line(0x80, &process.command);
        if process.image == BROUGHT {
            line(0x140, "stop sent to unit %d, answer %d");
            line(0x1a0, &format!("https://{STRANGER}/sync"));
            line(0x1e0, "EXERCISE: this program exists as text only");
        } else if process.image == STUDIO {
            line(0x140, "project waterworks, revision 41, loaded");
        }
    }
    text
}
