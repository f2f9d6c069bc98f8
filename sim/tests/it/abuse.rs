//! Whatever is commanded, the numbers stay numbers and no water is lost.

use crate::run;
use record::KeyedStream;
use sim::Plant;

#[test]
fn a_thousand_random_commands_leave_the_physics_whole() {
    let mut draws = KeyedStream::new(11, "abuse", "commands");
    let mut plant = Plant::named("water", 11).unwrap();
    plant.arm_trip("PSLL-300", false);
    let actuators: Vec<_> =
        plant.actuators().iter().map(|info| plant.actuator_index(&info.tag).unwrap()).collect();
    let mut row = Vec::new();
    let mut was_pressure_driven = false;
    for round in 0..1000_u64 {
        let actuator = actuators[draws.below(3 * round, actuators.len() as u64) as usize];
        let value = [0.0, 100.0, 1.0, draws.uniform(3 * round + 1) * 120.0 - 10.0][(round % 4) as usize];
        plant.command(actuator, value);
        run(&mut plant, 30 + draws.below(3 * round + 2, 300));
        plant.row(&mut row);
        assert!(row.iter().all(|value| value.is_finite()), "round {round}: {row:?}");
        was_pressure_driven |= plant.is_pressure_driven();
    }
    println!("{:?} {:e}", plant.water_balance(), plant.water_balance().unwrap().relative_error());
    assert!(was_pressure_driven, "the run visits an empty tank");
    assert_eq!(plant.unconverged_solutions(), 0);
    assert!(plant.water_balance().unwrap().relative_error() < 1e-9);
}
