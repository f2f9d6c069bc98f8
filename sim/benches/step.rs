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
}

criterion_group!(benches, step);
criterion_main!(benches);
