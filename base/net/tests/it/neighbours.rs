//! Address resolution.

use std::io::ErrorKind;
use std::net::Ipv4Addr;

use crate::lab::{Lab, PLC_1, at};
use crate::tshark::{assert_clean, tshark};

#[test]
fn an_address_that_nobody_has_is_unreachable_after_three_requests() {
    let mut lab = Lab::new(1);
    let host = lab.host("hmi");
    lab.spawn("client", async move {
        let nobody = at(Ipv4Addr::new(192, 168, 1, 77), 502);
        assert_eq!(host.connect(nobody).await.unwrap_err().kind(), ErrorKind::HostUnreachable);
    });
    lab.run(3.5);
    assert_eq!(lab.kernel.tasks(), 0);
    assert_eq!(lab.kernel.connections(), 0);
    assert_eq!(lab.network.mirror_ledger().last_frame(), 3);
}

#[test]
fn neighbours_in_use_are_asked_now_and_then_and_nothing_is_held_up() {
    let mut lab = Lab::new(1);
    lab.serve_echo("plc-1", 502);
    let done = lab.poll_echo("hmi", at(PLC_1, 502), 1000, 3600);
    lab.run(3700.0);
    assert_eq!(*done.borrow(), 3600);
    let capture = lab.capture();
    assert_clean(&capture);
    if let Some(lines) = tshark(&capture, &["-Y", "arp.opcode == 1"]) {
        assert!((8..40).contains(&lines.len()), "{} requests in an hour", lines.len());
    }
}

#[test]
fn hosts_in_other_zones_are_reached_through_the_firewall() {
    let mut lab = Lab::new(1);
    lab.serve_echo("historian", 1433);
    let done = lab.poll_echo("it-historian", at(crate::lab::HISTORIAN, 1433), 1000, 5);
    lab.run(60.0);
    assert_eq!(*done.borrow(), 5);
    let capture = lab.capture();
    assert_clean(&capture);
    if let Some(lines) =
        tshark(&capture, &["-Y", "ip.src == 10.0.4.10", "-T", "fields", "-e", "ip.ttl", "-e", "eth.src"])
    {
        assert!(!lines.is_empty());
        assert!(lines.iter().all(|line| line == "63\t00:90:0b:10:01:05"), "{lines:#?}");
    }
}
