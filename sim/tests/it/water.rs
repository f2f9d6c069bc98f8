//! The water works.
use sim::Plant;

#[test]
fn stands_up() {
    let mut plant = Plant::named("water", 1).unwrap();
    plant.hold_suction_head(Some(59.0));
    plant.set_reference_control(true);
    let t = std::time::Instant::now();
    for h in 0..48 {
        println!(
            "{h} L {:?} P1 {:?} P2 {:?} J156 {:?} LIT301 {:?} ph {:?} {:?} unconv {} bal {:e}",
            plant.state("LIT-401.true"),
            plant.state("FIT-301.true"),
            plant.state("FIT-302.true"),
            plant.state("PIT-401.true"),
            plant.state("LIT-301.true"),
            plant.state("AIT-202.true"),
            plant.state("AIT-301"),
            plant.unconverged_solutions(),
            plant.water_balance().relative_error()
        );
        for _ in 0..3600 {
            plant.step();
        }
        for e in plant.drain_events() {
            println!("{e:?}");
        }
    }
    println!("{:?} {:?}", t.elapsed(), plant.harm());
}
