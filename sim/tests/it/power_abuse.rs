//! Whatever is commanded, the numbers stay numbers and money never comes back.

use proptest::prelude::*;
use sim::Plant;

/// What stands behind the point of a tag.
fn part(tag: &str) -> &str {
    tag.rsplit_once('.').map_or("", |(_, part)| part)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_commands_breaks_the_physics(
        seed in 0_u64..1000,
        deeds in prop::collection::vec((any::<prop::sample::Index>(), -10.0..400.0_f64, 1_usize..400), 1..60),
        protected in any::<bool>(),
    ) {
        let mut plant = Plant::named("power", seed).unwrap();
        let actuators: Vec<_> =
            plant.actuators().iter().map(|info| plant.actuator_index(&info.tag).unwrap()).collect();
        if !protected {
            let blocks: Vec<_> = plant.actuators().iter().map(|info| info.tag.clone()).collect();
            for tag in blocks.iter().filter(|tag| matches!(part(tag), "BLK" | "DEF")) {
                let index = plant.actuator_index(tag).unwrap();
                plant.command(index, 1.0);
            }
        }
        let faults: Vec<_> =
            plant.faults().into_iter().map(|fault| (fault.kind.name(), fault.tag)).collect();
        let (mut row, mut spent) = (Vec::new(), 0.0);
        for (which, value, count) in deeds {
            // A quarter of the deeds are faults; coils get pulses of either level.
            if count % 4 == 0 {
                let (kind, tag) = which.get(&faults);
                plant.start_fault(kind, tag, &[]).unwrap();
            } else {
                plant.command(*which.get(&actuators), if count % 4 == 1 { value } else { f64::from(u8::from(value > 100.0)) });
            }
            for _ in 0..count {
                plant.step();
            }
            plant.row(&mut row);
            prop_assert!(row.iter().all(|value| value.is_finite()), "{row:?}");
            let total = plant.harm().total;
            prop_assert!(total.is_finite() && total >= spent, "{total} after {spent}");
            spent = total;
            plant.drain_events();
        }
    }

    #[test]
    fn breakers_alone_in_any_order_leave_finite_numbers(
        pulses in prop::collection::vec((0_usize..42, 1_usize..60), 1..120),
    ) {
        let mut plant = Plant::named("power", 1).unwrap();
        let coils: Vec<_> = plant
            .actuators()
            .iter()
            .filter(|info| info.tag.starts_with("52"))
            .map(|info| plant.actuator_index(&info.tag).unwrap())
            .collect();
        let mut row = Vec::new();
        for (coil, count) in pulses {
            let coil = coils[coil % coils.len()];
            plant.command(coil, 1.0);
            for _ in 0..count {
                plant.step();
            }
            plant.command(coil, 0.0);
            plant.step();
            plant.row(&mut row);
            prop_assert!(row.iter().all(|value| value.is_finite()), "{row:?}");
        }
        prop_assert!(plant.harm().total.is_finite());
    }
}

#[test]
fn half_an_hour_without_protection_and_load_ends_in_finite_numbers() {
    let mut plant = Plant::named("power", 1).unwrap();
    let tags: Vec<String> = plant.actuators().iter().map(|info| info.tag.clone()).collect();
    for tag in tags.iter().filter(|tag| part(tag) == "BLK" || tag.starts_with("52L") && part(tag) == "T") {
        let index = plant.actuator_index(tag).unwrap();
        plant.command(index, 1.0);
    }
    let mut row = Vec::new();
    for _ in 0..1800 * 200 {
        plant.step();
    }
    plant.row(&mut row);
    assert!(row.iter().all(|value| value.is_finite()));
    let destroyed = plant.harm().causes.into_iter().find(|cause| cause.name == "units-destroyed").unwrap();
    println!("units destroyed: {}", destroyed.amount);
}
