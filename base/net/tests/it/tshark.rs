//! What Wireshark's dissectors say about our captures. Where tshark is not installed these checks say so and
//! check nothing; CI has it.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs tshark over a capture; its output lines. `None` where there is no tshark.
pub(crate) fn tshark(capture: &[u8], arguments: &[&str]) -> Option<Vec<String>> {
    let child = Command::new("tshark")
        .args(["-n", "-r", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("tshark is not installed: not checked");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let capture = capture.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&capture));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// Frames that tshark finds odd: malformed, with a TCP analysis flag, or with a wrong checksum.
#[track_caller]
pub(crate) fn assert_clean(capture: &[u8]) {
    let filter = "_ws.malformed || tcp.analysis.flags || tcp.checksum.status == 0 || ip.checksum.status == 0 \
                  || icmp.checksum.status == 0 || arp.duplicate-address-detected";
    let checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y", filter];
    if let Some(odd) = tshark(capture, &checks) {
        assert!(odd.is_empty(), "{odd:#?}");
    }
}
