//! Whatever arrives: no panic, the scan goes on, and the next client is served.

use proptest::prelude::*;

use crate::harness::{Bench, adu, ms};

/// Octets that are framed, so that they get past the header.
fn framed() -> impl Strategy<Value = Vec<u8>> {
    (
        any::<u16>(),
        prop_oneof![Just(1_u8), Just(255), any::<u8>()],
        proptest::collection::vec(any::<u8>(), 1..=253),
    )
        .prop_map(|(transaction, unit, pdu)| adu(transaction, unit, &pdu))
}

/// A known function with random data.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let function = proptest::sample::select(&[
        1_u8, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43, 90,
    ]);
    let small = prop_oneof![4 => 0_u8..8, 2 => 38_u8..48, 1 => any::<u8>()];
    (function, proptest::collection::vec(small, 0..20)).prop_map(|(function, data)| {
        let mut pdu = vec![function];
        pdu.extend(data);
        adu(1, 1, &pdu)
    })
}

fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        2 => framed(),
        6 => plausible(),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ];
    proptest::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_octets_never_stop_the_scan(octets in traffic(), cut in 1_usize..64) {
        let mut bench = Bench::new("PLC-1");
        let mut client = bench.connect();
        for piece in octets.chunks(cut) {
            if !client.send(piece) {
                break;
            }
            bench.settle();
        }
        bench.run_for(ms(5000));
        client.take();
        client.hang_up();
        bench.settle();
        prop_assert_eq!(bench.handle.statistics().scans, 50);
        prop_assert_eq!(bench.handle.connections(), 0);
        let mut next = bench.connect();
        // It may have been made to listen only; a restart ends that without a word.
        next.send(&adu(1, 1, &[8, 0, 1, 0, 0]));
        bench.run_for(ms(200));
        next.take();
        next.send(&adu(2, 1, &[2, 0, 0, 0, 3]));
        bench.run_for(ms(200));
        prop_assert_eq!(next.take().len(), 10);
    }
}
