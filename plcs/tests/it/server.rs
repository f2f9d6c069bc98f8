//! Connections: order, limits, time limits, counters, and what the key switch allows.

use plcs::{EventKind, KeySwitch, Mode};

use crate::harness::{Bench, adu, device, ms};

const READ_NAOH_SP: [u8; 5] = [3, 0, 40, 0, 1];

#[test]
fn an_answer_waits_for_the_scan() {
    let mut bench = Bench::new("PLC-1");
    bench.run_for(ms(150));
    let mut client = bench.connect();
    client.send(&adu(1, 1, &READ_NAOH_SP));
    bench.run_for(ms(49));
    assert!(client.take().is_empty());
    bench.run_for(ms(1));
    assert_eq!(client.take(), adu(1, 1, &[3, 2, 0, 100]));
}

#[test]
fn octets_may_come_one_by_one() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    for octet in adu(1, 1, &READ_NAOH_SP) {
        client.send(&[octet]);
        bench.run_for(ms(100));
    }
    bench.scan();
    assert_eq!(client.take(), adu(1, 1, &[3, 2, 0, 100]));
}

#[test]
fn dripping_octets_do_not_hold_a_place_for_ever() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    for octet in adu(1, 1, &READ_NAOH_SP).into_iter().take(11) {
        client.send(&[octet]);
        bench.run_for(ms(300));
        client.take();
    }
    assert!(client.is_closed(), "the ADU had two seconds in all");
    assert_eq!(bench.handle.connections(), 0);
    let events = bench.handle.drain_events();
    assert!(
        matches!(events[..], [ref one] if matches!(one.kind, EventKind::TimedOut { within_adu: true, .. }))
    );
}

#[test]
fn an_idle_connection_is_dropped_after_the_devices_time() {
    let mut bench = Bench::new("PLC-3");
    let mut client = bench.connect();
    bench.run_for(ms(50_000));
    client.send(&adu(1, 3, &[4, 0, 0, 0, 1]));
    bench.run_for(ms(59_000));
    assert_eq!(client.take().len(), 11);
    assert!(!client.is_closed(), "a request starts the time anew");
    bench.run_for(ms(1_500));
    client.take();
    assert!(client.is_closed());
}

#[test]
fn connections_beyond_the_limit_are_refused_and_a_freed_place_is_given_again() {
    let mut bench = Bench::new("PLC-3");
    let mut clients: Vec<_> = (0..5).map(|_| bench.connect()).collect();
    let mut sixth = bench.connect();
    sixth.take();
    assert!(sixth.is_closed());
    assert_eq!((bench.refused.get(), bench.handle.connections()), (1, 5));
    let events = bench.handle.drain_events();
    assert!(matches!(events[..], [ref one] if matches!(one.kind, EventKind::ConnectionRefused { .. })));
    clients[2].hang_up();
    bench.settle();
    let mut seventh = bench.connect();
    seventh.send(&adu(9, 3, &[4, 0, 0, 0, 1]));
    bench.run_for(ms(200));
    assert_eq!(seventh.take(), adu(9, 3, &[4, 2, 0x0b, 0xb8]));
}

#[test]
fn a_client_that_closes_its_half_still_gets_its_answers() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    client.send(&[adu(1, 1, &READ_NAOH_SP), adu(2, 1, &READ_NAOH_SP)].concat());
    client.finish();
    bench.scan();
    assert_eq!(client.take(), [adu(1, 1, &[3, 2, 0, 100]), adu(2, 1, &[3, 2, 0, 100])].concat());
    assert!(client.is_closed());
    assert_eq!(bench.handle.connections(), 0);
}

#[test]
fn a_full_queue_is_answered_busy_in_order() {
    let mut device = device("PLC-3");
    device.requests_per_scan = 2;
    let mut bench = Bench::with(&device);
    let mut client = bench.connect();
    let burst: Vec<u8> = (0..8).flat_map(|n| adu(n, 3, &[4, 0, 0, 0, 1])).collect();
    client.send(&burst);
    bench.run_for(ms(199));
    assert!(client.take().is_empty(), "busy answers keep their place in the order");
    bench.run_for(ms(1));
    let served = |n| adu(n, 3, &[4, 2, 0x0b, 0xb8]);
    assert_eq!(client.take(), [served(0), served(1)].concat(), "two requests are served in a scan");
    bench.run_for(ms(200));
    let busy = |n| adu(n, 3, &[0x84, 6]);
    let rest: Vec<u8> = [served(2), served(3)].into_iter().chain((4..8).map(busy)).flatten().collect();
    assert_eq!(client.take(), rest);
    let statistics = bench.handle.statistics();
    assert_eq!((statistics.refused_busy, statistics.deferred, statistics.queue_longest), (4, 2, 4));
}

#[test]
fn more_requests_than_a_connection_may_have_wait_in_the_stream() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    let burst: Vec<u8> = (0..100).flat_map(|n| adu(n, 1, &READ_NAOH_SP)).collect();
    client.send(&burst);
    bench.settle();
    bench.run_for(ms(1000));
    let expected: Vec<u8> = (0..100).flat_map(|n| adu(n, 1, &[3, 2, 0, 100])).collect();
    assert_eq!(client.take(), expected);
    assert!(bench.handle.statistics().queue_longest <= plcs::server::PIPELINE);
}

#[test]
fn requests_of_a_lost_connection_are_carried_out() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    client.send(&adu(1, 1, &[6, 0, 40, 0, 120]));
    bench.settle();
    client.hang_up();
    bench.scan();
    assert_eq!(bench.handle.snapshot("NAOH.SP"), Some(120.0));
    assert_eq!(bench.handle.connections(), 0);
}

#[test]
fn function_12_shows_what_happened_latest_first() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    // Restart with a clear log; a request; an exception; a message for somebody else; then the log.
    let requests = [
        adu(1, 1, &[8, 0, 1, 0xff, 0]),
        adu(2, 1, &READ_NAOH_SP),
        adu(3, 1, &[3, 0, 40, 0, 0]),
        adu(5, 1, &[0x0c]),
    ];
    client.send(&requests.concat());
    bench.scan();
    client.take();
    client.send(&adu(4, 9, &READ_NAOH_SP));
    bench.scan();
    // Receive event of the log request itself, then the four before it; "restart" was noted while its request ran.
    let log = [0x80, 0x40, 0x80, 0x41, 0x80, 0x40, 0x80, 0x40, 0x00];
    let answer = client.ask(&mut bench, &[0x0c]);
    // Two carried out since the restart (the first log among them); five for the bus.
    assert_eq!(answer, [&[0x0c, 6 + 9, 0, 0, 0, 2, 0, 5][..], &log].concat());
    assert_eq!(client.ask(&mut bench, &[0x0b]), [0x0b, 0, 0, 0, 3]);
    assert_eq!(client.ask(&mut bench, &[8, 0, 13, 0, 0]), [8, 0, 13, 0, 1], "one exception");
    assert_eq!(client.ask(&mut bench, &[8, 0, 10, 0, 0]), [8, 0, 10, 0, 0]);
    assert_eq!(client.ask(&mut bench, &[0x0b]), [0x0b, 0, 0, 0, 0]);
    assert_eq!(client.ask(&mut bench, &[8, 0, 14, 0, 0]), [8, 0, 14, 0, 2], "this and the one before");
}

#[test]
fn listen_only_silences_every_connection_and_writes_nothing() {
    let mut bench = Bench::new("PLC-1");
    let (mut attacker, mut hmi) = (bench.connect(), bench.connect());
    attacker.send(&adu(1, 1, &[8, 0, 4, 0, 0]));
    bench.scan();
    hmi.send(&adu(2, 1, &[6, 0, 40, 0, 1]));
    bench.run_for(ms(1000));
    assert!(attacker.take().is_empty() && hmi.take().is_empty());
    assert_eq!(bench.handle.snapshot("NAOH.SP"), Some(100.0));
    attacker.send(&adu(3, 1, &[8, 0, 1, 0, 0]));
    bench.scan();
    assert!(attacker.take().is_empty(), "a restart out of listen only is not answered");
    hmi.send(&adu(4, 1, &READ_NAOH_SP));
    bench.scan();
    assert_eq!(hmi.take(), adu(4, 1, &[3, 2, 0, 100]));
    let kinds: Vec<_> = bench.handle.drain_events().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::ListenOnly, EventKind::CommunicationsRestarted]);
}

#[test]
fn the_key_decides_what_the_network_may_do() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    bench.handle.turn_key(KeySwitch::Program);
    assert_eq!(client.ask(&mut bench, &[90, 2]), [90, 2]);
    assert_eq!((bench.handle.mode(), bench.wires.output("FCV-101")), (Mode::Stop, 0.0));
    assert_eq!(client.ask(&mut bench, &[17])[..4], [17, 14, 1, 0], "the run indicator is off");
    assert_eq!(client.ask(&mut bench, &[6, 0, 40, 0, 90]), [6, 0, 40, 0, 90], "data may be written");
    assert_eq!(client.ask(&mut bench, &[90, 1]), [90, 1]);
    assert_eq!(bench.handle.snapshot("NAOH.SP"), Some(90.0), "setpoints are retained");
    assert!(bench.wires.output("FCV-101") > 50.0);
    bench.handle.turn_key(KeySwitch::Stop);
    assert_eq!(bench.handle.mode(), Mode::Stop);
    for write in [&[5, 0, 0, 0, 0][..], &[6, 0, 40, 0, 9], &[22, 0, 40, 0, 0, 0, 0], &[90, 1]] {
        assert_eq!(client.ask(&mut bench, write), [write[0] | 0x80, 4]);
    }
    assert_eq!(client.ask(&mut bench, &READ_NAOH_SP), [3, 2, 0, 90]);
    bench.handle.turn_key(KeySwitch::Run);
    assert_eq!(client.ask(&mut bench, &[90, 2]), [0xda, 4]);
    assert_eq!(bench.handle.mode(), Mode::Run);
}

#[test]
fn an_upload_brings_the_whole_program() {
    let mut bench = Bench::new("PLC-2");
    let mut client = bench.connect();
    let mut program = Vec::new();
    loop {
        let offset = (program.len() as u32).to_be_bytes();
        let answer = client.ask(&mut bench, &[&[90, 3][..], &offset].concat());
        assert_eq!(answer[..2], [90, 3]);
        assert_eq!(answer[6..10], offset);
        if answer.len() == 10 {
            let total = u32::from_be_bytes([answer[2], answer[3], answer[4], answer[5]]);
            assert_eq!(total as usize, program.len());
            break;
        }
        program.extend_from_slice(&answer[10..]);
    }
    assert!(String::from_utf8(program).unwrap().contains("The high-lift pumps' controller"));
}

#[test]
fn a_device_answers_only_the_functions_of_its_list() {
    let mut bench = Bench::new("PLC-3");
    let mut client = bench.connect();
    for function in [5, 7, 11, 12, 15, 20, 21, 22, 23, 24, 90] {
        assert_eq!(client.ask(&mut bench, &[function, 0, 0, 0, 1]), [function | 0x80, 1]);
    }
    assert_eq!(client.ask(&mut bench, &[6, 0, 0, 0, 1]), [6, 0, 0, 0, 1], "a copy of an input");
}

#[test]
fn the_alarm_queue_tells_what_changed_oldest_first() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    bench.wires.set("AIT-202", 8.0);
    bench.scan();
    bench.wires.set("AIT-202", 8.6);
    bench.scan();
    bench.wires.set("AIT-202", 8.0);
    bench.scan();
    let answer = client.ask(&mut bench, &[24, 4, 0]);
    assert_eq!(answer, [24, 0, 8, 0, 3, 0x80, 0, 0x80, 1, 0, 1]);
    assert_eq!(client.ask(&mut bench, &[7]), [7, 1], "PH.HIGH stands");
    for high in 0..40 {
        bench.wires.set("AIT-202", if high % 2 == 0 { 7.0 } else { 8.0 });
        bench.scan();
    }
    assert_eq!(client.ask(&mut bench, &[24, 4, 0])[..5], [24, 0, 64, 0, 31], "at most 31");
    assert_eq!(client.ask(&mut bench, &[8, 0, 2, 0, 0]), [8, 0, 2, 0, 2], "entries gave way");
}
