//! Same file, same seed, same commands: same bits.

use crate::{command, controlled, run};
use sim::Plant;

fn bits_of_a_day(seed: u64) -> Vec<u64> {
    let mut plant = controlled(seed);
    let (mut bits, mut row) = (Vec::new(), Vec::new());
    for minute in 0..600_u64 {
        if minute == 60 {
            plant.set_setpoint("NAOH.SP", 400.0).unwrap();
            plant.start_fault("failing_probe", "AIT-202", &[]).unwrap();
        }
        if minute == 120 {
            plant.set_setpoint("P-301", 0.0).unwrap();
            plant.set_setpoint("P-302", 0.0).unwrap();
        }
        run(&mut plant, 60);
        plant.row(&mut row);
        assert_eq!(row.len(), plant.columns().len());
        bits.extend(row.iter().map(|value| value.to_bits()));
    }
    bits
}

#[test]
fn two_runs_of_one_seed_agree_to_the_last_bit() {
    let first = bits_of_a_day(7);
    assert!(first == bits_of_a_day(7));
    assert!(first != bits_of_a_day(8), "another seed, another noise");
}

#[test]
fn noise_does_not_depend_on_what_anybody_does() {
    let mut idle = Plant::named("water", 5).unwrap();
    let mut busy = Plant::named("water", 5).unwrap();
    command(&mut busy, "P-202", 90.0);
    run(&mut idle, 600);
    run(&mut busy, 600);
    // Hypochlorite does not reach the tower's level: the same level with the same noise.
    let index = idle.instrument_index("LIT-401").unwrap();
    let (noise_idle, noise_busy) =
        (idle.read(index) - idle.true_value(index), busy.read(index) - busy.true_value(index));
    assert!((noise_idle - noise_busy).abs() < 0.0011, "{noise_idle} {noise_busy}");
}

#[test]
fn a_command_of_the_value_that_is_there_changes_nothing() {
    let mut idle = controlled(5);
    let mut busy = controlled(5);
    run(&mut idle, 900);
    run(&mut busy, 300);
    busy.set_setpoint("NAOH.SP", 100.0).unwrap();
    run(&mut busy, 600);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    idle.row(&mut first);
    busy.row(&mut second);
    assert_eq!(
        first.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
        second.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    );
}
