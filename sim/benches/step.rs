//! What one step of a plant costs: `cargo bench -p sim`.

#![allow(missing_docs, reason = "criterion's macros")]

use criterion::{Criterion, criterion_group, criterion_main};
use sim::Plant;

fn step(criterion: &mut Criterion) {
    let mut plant = Plant::named("water", 1).expect("the plant file is good");
    plant.set_reference_control(true);
    criterion.bench_function("water works, one step of 1 s", |bench| {
        bench.iter(|| {
            plant.step();
            plant.drain_events()
        });
    });
    // 200 steps are a second: plant seconds per second are the inverse of this figure.
    let mut plant = Plant::named("power", 1).expect("the plant file is good");
    criterion.bench_function("power system, one second in 200 steps", |bench| {
        bench.iter(|| {
            for _ in 0..200 {
                plant.step();
            }
            plant.drain_events()
        });
    });
    let mut plant = Plant::named("power", 1).expect("the plant file is good");
    let coils = ["52-57.T", "52-57.C"].map(|tag| plant.actuator_index(tag).expect("the breaker has coils"));
    criterion.bench_function("power system, one second with a line opened and closed", |bench| {
        bench.iter(|| {
            for step in 0..200 {
                plant.command(coils[0], f64::from(u8::from(step == 0)));
                plant.command(coils[1], f64::from(u8::from(step == 100)));
                plant.step();
            }
            plant.drain_events()
        });
    });
}

criterion_group!(benches, step);
criterion_main!(benches);
