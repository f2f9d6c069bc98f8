//! A real network at a zone: what enters, what goes out, what never does, and that it replays.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use net::{LiveControl, Pace, ProbeStyle, UplinkCounters};
use record::{Clock, OutsideInput, VirtualTime};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv4Message, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket,
    TcpRepr, TcpSeqNumber,
};

use crate::lab::{Lab, PLC_1, at};
use crate::tshark::{assert_clean, tshark};

/// A real machine in the control zone, and the Ethernet address of its card.
const REAL: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 77);
const CARD: Mac = [2, 0x42, 0xc0, 0xa8, 1, 77];
const EVERYBODY: Mac = [0xff; 6];
const PLC_1_CARD: Mac = [0x00, 0x80, 0xf4, 0x51, 0x01, 0x65];

type Mac = [u8; 6];

const IPV4: [u8; 2] = [8, 0];
const ARP: [u8; 2] = [8, 6];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

fn frame(to: Mac, kind: [u8; 2], payload: &[u8]) -> Vec<u8> {
    [&to[..], &CARD, &kind, payload].concat()
}

/// RFC 826.
fn arp(operation: u8, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let fixed = [0, 1, 8, 0, 6, 4, 0, operation];
    frame(EVERYBODY, ARP, &[&fixed[..], &CARD, &sender.octets(), &[0; 6], &target.octets()].concat())
}

fn ipv4(
    to: Mac,
    ends: (Ipv4Addr, Ipv4Addr),
    protocol: IpProtocol,
    length: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let head = Ipv4Repr {
        src_addr: ends.0,
        dst_addr: ends.1,
        next_header: protocol,
        payload_len: length,
        hop_limit: 64,
    };
    let mut packet = vec![0; 20 + length];
    head.emit(&mut Ipv4Packet::new_unchecked(&mut packet), &ChecksumCapabilities::default());
    fill(&mut packet[20..]);
    frame(to, IPV4, &packet)
}

fn tcp(to: Mac, ends: (Ipv4Addr, Ipv4Addr), control: TcpControl, numbers: (i32, Option<i32>)) -> Vec<u8> {
    segment(to, ends, control, numbers, &[])
}

fn segment(
    to: Mac,
    ends: (Ipv4Addr, Ipv4Addr),
    control: TcpControl,
    numbers: (i32, Option<i32>),
    payload: &[u8],
) -> Vec<u8> {
    let repr = TcpRepr {
        src_port: 40_000,
        dst_port: 502,
        control,
        seq_number: TcpSeqNumber(numbers.0),
        ack_number: numbers.1.map(TcpSeqNumber),
        window_len: 8000,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload,
    };
    ipv4(to, ends, IpProtocol::Tcp, repr.buffer_len(), |into| {
        let (source, destination) = (ends.0.into(), ends.1.into());
        let mut packet = TcpPacket::new_unchecked(into);
        repr.emit(&mut packet, &source, &destination, &ChecksumCapabilities::default());
    })
}

/// The real machine's side of the wire.
struct Wire {
    control: LiveControl,
    name: Arc<str>,
    zone: Arc<str>,
    out: Receiver<Vec<u8>>,
    counters: Arc<UplinkCounters>,
    heard: Vec<Vec<u8>>,
}

impl Wire {
    fn new(control: &LiveControl, zone: &str) -> Self {
        let (frames, out) = sync_channel(1024);
        let (zone, counters): (Arc<str>, _) = (zone.into(), Arc::<UplinkCounters>::default());
        control.plug_in(&zone, frames, counters.clone());
        Self { control: control.clone(), name: "veth0".into(), zone, out, counters, heard: Vec::new() }
    }

    fn send(&self, frame: Vec<u8>) {
        assert!(self.control.frame(&self.name, &self.zone, frame));
    }

    /// The next frame that comes out, if one does within two seconds.
    fn hear(&mut self) -> Vec<u8> {
        let frame = self.out.recv_timeout(Duration::from_secs(20)).expect("a frame comes out");
        self.heard.push(frame.clone());
        frame
    }

    /// Asks for an address, hears the answer: whose card it is.
    fn resolve(&mut self, address: Ipv4Addr) -> Mac {
        self.send(arp(REQUEST, REAL, address));
        let answer = self.hear();
        assert_eq!((answer[..6].to_vec(), &answer[12..14], answer[21]), (CARD.to_vec(), &ARP[..], REPLY));
        assert_eq!(answer[28..32], address.octets());
        assert_eq!(answer[6..12], answer[22..28]);
        answer[6..12].try_into().unwrap()
    }
}

struct Left {
    capture: Vec<u8>,
    inputs: Vec<OutsideInput>,
    notes: Vec<String>,
    now: VirtualTime,
    events: u64,
}

type Notes = Rc<RefCell<Vec<String>>>;

/// A lab in which somebody scripted sweeps the zone again and again, pings and dials the real machine, and keeps polling.
fn busy_lab() -> (Lab, Rc<RefCell<Vec<OutsideInput>>>, Notes) {
    let mut lab = Lab::new(5);
    lab.serve_echo("plc-1", 502);
    lab.poll_echo("hmi", at(PLC_1, 502), 20, 1_000_000);
    let (inputs, notes) = (Rc::new(RefCell::new(Vec::new())), Notes::default());
    let into = inputs.clone();
    lab.kernel.on_outside_input(Box::new(move |input| into.borrow_mut().push(input.clone())));
    let (host, clock, into) = (lab.host("ews"), lab.kernel.clock(), notes.clone());
    lab.spawn("sweep", async move {
        loop {
            for last in 70..80 {
                let to = at(Ipv4Addr::new(192, 168, 1, last), 502);
                if let Err(error) = host.probe(to, ProbeStyle::HalfOpen, Duration::from_millis(50)).await {
                    into.borrow_mut().push(format!("probe {} {:?}", to.ip(), error.kind()));
                }
            }
            if let Err(error) = host.connect(at(REAL, 502)).await {
                into.borrow_mut().push(format!("connect {:?}", error.kind()));
            }
            if let Err(error) = host.ping(REAL, Duration::from_millis(50)).await {
                into.borrow_mut().push(format!("ping {:?}", error.kind()));
            }
            clock.sleep(Duration::from_millis(100)).await;
        }
    });
    (lab, inputs, notes)
}

fn leave(lab: Lab, inputs: &RefCell<Vec<OutsideInput>>, notes: &Notes) -> Left {
    let (now, events) = (lab.kernel.now(), lab.kernel.events_delivered());
    let (inputs, notes) = (inputs.take(), notes.take());
    Left { capture: lab.capture(), inputs, notes, now, events }
}

fn live(visitor: impl FnOnce(&LiveControl)) -> Left {
    let (send, receive) = channel();
    let kernel = thread::spawn(move || {
        let (mut lab, inputs, notes) = busy_lab();
        send.send(lab.kernel.live_control()).unwrap();
        lab.kernel.run_live(Pace::new(5.0).unwrap(), VirtualTime::from_secs(600)).unwrap();
        leave(lab, &inputs, &notes)
    });
    let control = receive.recv().unwrap();
    visitor(&control);
    control.stop();
    kernel.join().unwrap()
}

#[track_caller]
fn assert_replays(live: &Left) {
    let (inputs, end) = (live.inputs.clone(), live.now);
    let again = thread::spawn(move || {
        let (mut lab, kept, notes) = busy_lab();
        lab.kernel.run_replay(&inputs, end).unwrap();
        leave(lab, &kept, &notes)
    });
    let again = again.join().unwrap();
    assert_eq!((again.now, again.events), (live.now, live.events));
    assert_eq!(again.notes, live.notes);
    assert!(again.inputs == live.inputs && again.capture == live.capture, "the replay differs");
}

#[test]
fn a_real_machine_finds_hosts_and_hears_answers_alone_and_it_replays() {
    let heard = Mutex::new(Vec::new());
    let left = live(|control| {
        let mut wire = Wire::new(control, "control");
        // Before it says a word it hears none of the sweeps and polls.
        thread::sleep(Duration::from_millis(300));
        assert!(wire.out.try_recv().is_err(), "nobody was heard, nothing goes out");

        let plc = wire.resolve(PLC_1);
        assert_eq!(plc, PLC_1_CARD);
        let gateway = wire.resolve([192, 168, 1, 1].into());
        assert_eq!(gateway[..3], [0x00, 0x90, 0x0b], "the firewall is the gateway");
        assert_ne!(plc, gateway);

        // An ARP probe (RFC 5227) is answered, so that nobody takes an address of the lab.
        wire.send(arp(REQUEST, Ipv4Addr::UNSPECIFIED, PLC_1));
        assert_eq!(wire.hear()[12..14], ARP);

        let echo = Icmpv4Repr::EchoRequest { ident: 7, seq_no: 1, data: &[1; 32] };
        wire.send(ipv4(plc, (REAL, PLC_1), IpProtocol::Icmp, echo.buffer_len(), |into| {
            echo.emit(&mut Icmpv4Packet::new_unchecked(into), &ChecksumCapabilities::default());
        }));
        let answer = wire.hear();
        assert_eq!(Icmpv4Packet::new_checked(&answer[34..]).unwrap().msg_type(), Icmpv4Message::EchoReply);

        // A handshake, a request and its echo, and a reset.
        wire.send(tcp(plc, (REAL, PLC_1), TcpControl::Syn, (100, None)));
        let answer = wire.hear();
        let packet = Ipv4Packet::new_checked(&answer[14..]).unwrap();
        let theirs = TcpPacket::new_checked(packet.payload()).unwrap();
        assert!(theirs.syn() && theirs.ack() && theirs.verify_checksum(&PLC_1.into(), &REAL.into()));
        let next = theirs.seq_number().0 + 1;
        wire.send(segment(plc, (REAL, PLC_1), TcpControl::Psh, (101, Some(next)), b"hello, PLC"));
        let answer = loop {
            let answer = wire.hear();
            let length = TcpPacket::new_checked(Ipv4Packet::new_checked(&answer[14..]).unwrap().payload())
                .unwrap()
                .payload()
                .len();
            if length > 0 {
                break answer;
            }
        };
        assert!(answer.windows(10).any(|it| it == b"hello, PLC"));
        wire.send(tcp(plc, (REAL, PLC_1), TcpControl::Rst, (111, Some(next + 10))));

        // The sweep goes on for a while now that the machine is known.
        thread::sleep(Duration::from_millis(600));
        wire.heard.extend(wire.out.try_iter());
        *heard.lock().unwrap() = std::mem::take(&mut wire.heard);
        assert_eq!(wire.counters.dropped(), 0);
        assert!(wire.counters.kept_inside.get() > 0, "broadcasts of the sweep stayed inside");
    });
    for frame in heard.into_inner().unwrap() {
        if frame[12..14] == IPV4 {
            let packet = Ipv4Packet::new_checked(&frame[14..]).unwrap();
            assert_eq!((packet.src_addr(), packet.dst_addr()), (PLC_1, REAL), "flows of ours alone");
        }
    }
    for what in ["connect PermissionDenied", "ping PermissionDenied", "probe 192.168.1.77 PermissionDenied"] {
        assert!(left.notes.iter().any(|note| note == what), "{what}: {:?}", left.notes);
    }
    assert_replays(&left);
    assert_clean(&left.capture);
    if let Some(lines) = tshark(&left.capture, &["-Y", "tcp.flags.syn == 1 && ip.src == 192.168.1.77"]) {
        assert_eq!(lines.len(), 1, "the mirror port sees it: {lines:#?}");
    }
}

#[test]
fn who_takes_the_address_of_a_host_out_there_gets_none_of_its_traffic() {
    let left = live(|control| {
        let mut wire = Wire::new(control, "control");
        wire.resolve(PLC_1);
        // A forged answer: the controller's address is at our card. The operator station believes it.
        for _ in 0..20 {
            wire.send(arp(REPLY, PLC_1, [192, 168, 1, 20].into()));
            wire.send(arp(REQUEST, PLC_1, [192, 168, 1, 20].into()));
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(200));
        for frame in wire.out.try_iter() {
            assert_eq!(frame[12..14], ARP, "ARP and nothing else: {frame:02x?}");
        }
        assert!(wire.counters.kept_inside.get() > 0, "the station's polls came to the port");
        // A frame that looks as if a card of the lab had sent it is a loop or a forgery.
        let mut forged = arp(REQUEST, REAL, PLC_1);
        forged[6..12].copy_from_slice(&PLC_1_CARD);
        wire.send(forged);
        thread::sleep(Duration::from_millis(100));
        assert_eq!(wire.counters.refused_in.get(), 1);
    });
    assert_replays(&left);
}

#[test]
fn the_firewall_stands_between_a_real_machine_and_another_zone() {
    let left = live(|control| {
        let mut wire = Wire::new(control, "enterprise");
        let real = Ipv4Addr::new(10, 0, 4, 66);
        wire.send(arp(REQUEST, real, [10, 0, 4, 1].into()));
        let gateway = wire.hear()[6..12].try_into().unwrap();
        // 10.0.4.66 has no rule; the port of the historian is open to 10.0.4.10 alone.
        wire.send(tcp(gateway, (real, PLC_1), TcpControl::Syn, (1, None)));
        thread::sleep(Duration::from_millis(300));
        assert!(wire.out.try_recv().is_err(), "denied in silence");
        // A source that does not belong to the zone is spoofed, and its answer finds no way out.
        wire.send(tcp(gateway, (Ipv4Addr::new(10, 10, 5, 9), PLC_1), TcpControl::Syn, (1, None)));
        thread::sleep(Duration::from_millis(200));
        assert!(wire.out.try_recv().is_err());
    });
    assert_replays(&left);
}

#[test]
fn a_flood_is_dropped_and_counted_and_the_lab_goes_on() {
    let left = live(|control| {
        let mut wire = Wire::new(control, "control");
        wire.resolve(PLC_1);
        control.pause();
        thread::sleep(Duration::from_millis(50));
        let mut taken = 0_u64;
        for _ in 0..100_000 {
            taken += u64::from(control.frame(&wire.name, &wire.zone, arp(REQUEST, REAL, PLC_1)));
        }
        control.resume();
        thread::sleep(Duration::from_millis(300));
        assert!(wire.counters.dropped_in.get() > 0 && wire.counters.dropped_in.get() <= taken);
        while wire.out.try_recv().is_ok() {}
        wire.resolve(PLC_1);
    });
    assert!(left.inputs.len() < 5000, "what was dropped is not kept: {}", left.inputs.len());
    assert_replays(&left);
}

#[test]
fn a_zone_that_is_not_there_takes_nothing() {
    let left = live(|control| {
        let wire = Wire::new(control, "no-such-zone");
        wire.send(arp(REQUEST, REAL, PLC_1));
        thread::sleep(Duration::from_millis(100));
        assert!(wire.out.try_recv().is_err());
    });
    assert_eq!(left.inputs.len(), 1);
    assert_replays(&left);
}
