//! Hosts that talk.

use crate::lab::{Lab, PLC_1, at};

#[test]
fn two_hosts_talk_and_the_same_seed_gives_the_same_capture() {
    let run = |seed| {
        let mut lab = Lab::new(seed);
        lab.serve_echo("plc-1", 502);
        let done = lab.poll_echo("hmi", at(PLC_1, 502), 100, 50);
        lab.run(20.0);
        assert_eq!(*done.borrow(), 50);
        lab.capture()
    };
    let first = run(1);
    assert!(first.len() > 50 * 2 * 60);
    assert!(first == run(1), "same seed, other octets");
    assert!(first != run(2), "other seed, same octets");
}
