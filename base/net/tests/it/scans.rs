//! Scans and pings.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use net::{ProbeResult, ProbeStyle};

use crate::lab::{Lab, PLC_1, at};
use crate::tshark::{assert_clean, tshark};

const LIMIT: Duration = Duration::from_secs(1);
const UPLINK: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 250);

fn scan(style: ProbeStyle) -> (Vec<ProbeResult>, Vec<u8>) {
    let mut lab = Lab::new(1);
    let _listener = lab.host("plc-1").listen(502, 4).unwrap();
    let results = Rc::new(RefCell::new(Vec::new()));
    let (host, into) = (lab.host("ews"), results.clone());
    lab.spawn("scanner", async move {
        for port in [501, 502, 503] {
            let result = host.probe(at(PLC_1, port), style, LIMIT).await.unwrap();
            into.borrow_mut().push(result);
        }
        let nobody = at(Ipv4Addr::new(192, 168, 1, 99), 502);
        let result = host.probe(nobody, style, LIMIT).await.unwrap();
        into.borrow_mut().push(result);
    });
    lab.run(30.0);
    assert_eq!(lab.kernel.connections(), usize::from(style == ProbeStyle::Connect));
    (Rc::try_unwrap(results).unwrap().into_inner(), lab.capture())
}

#[test]
fn both_styles_tell_open_from_closed_from_nobody() {
    use ProbeResult::{Closed, Filtered, Open};
    for style in [ProbeStyle::HalfOpen, ProbeStyle::Connect] {
        let (results, capture) = scan(style);
        assert_eq!(results, [Closed, Open, Closed, Filtered], "{style:?}");
        assert_clean(&capture);
        let acks = "tcp.dstport == 502 && tcp.flags == 0x010";
        if let Some(lines) = tshark(&capture, &["-Y", acks]) {
            assert_eq!(lines.len(), usize::from(style == ProbeStyle::Connect), "{style:?}: {lines:#?}");
        }
    }
}

#[test]
fn ping_takes_four_links() {
    let mut lab = Lab::new(1);
    let (host, rtt) = (lab.host("ews"), Rc::new(RefCell::new(Vec::new())));
    let into = rtt.clone();
    lab.spawn("pinger", async move {
        for _ in 0..3 {
            let span = host.ping(PLC_1, LIMIT).await.unwrap();
            into.borrow_mut().push(span);
        }
        let nobody = host.ping(Ipv4Addr::new(192, 168, 1, 99), LIMIT).await.unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::TimedOut);
        let gateway = host.ping(Ipv4Addr::new(192, 168, 1, 1), LIMIT).await;
        assert!(gateway.is_ok(), "the firewall answers for its own address");
    });
    lab.run(10.0);
    let rtt = rtt.borrow();
    assert_eq!(rtt.len(), 3);
    let (least, most) = (Duration::from_micros(160), Duration::from_micros(240));
    assert!(rtt[1..].iter().all(|rtt| (least..most).contains(rtt)), "{rtt:?}");
    drop(rtt);
    assert_eq!(lab.kernel.tasks(), 0, "the pinger came to its end");
    assert_clean(&lab.capture());
}

#[test]
fn nothing_scripted_opens_a_flow_towards_an_uplink() {
    let mut lab = Lab::new(1);
    let host = lab.host("ews");
    let refused = Rc::new(RefCell::new(0));
    let count = refused.clone();
    lab.spawn("escapist", async move {
        let to = at(UPLINK, 22);
        let errors = [
            host.connect(to).await.unwrap_err(),
            host.probe(to, ProbeStyle::HalfOpen, LIMIT).await.unwrap_err(),
            host.probe(to, ProbeStyle::Connect, LIMIT).await.unwrap_err(),
            host.ping(UPLINK, LIMIT).await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::PermissionDenied), "{errors:?}");
        *count.borrow_mut() += 1;
    });
    lab.run(5.0);
    assert_eq!(*refused.borrow(), 1);
    assert_eq!(lab.network.mirror_ledger().last_frame(), 0, "not one frame");
}
