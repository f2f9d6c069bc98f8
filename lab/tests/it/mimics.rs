//! The plant mimics against the site and plant files: what they show must be there, with the same unit and limits.

use std::collections::BTreeMap;
use std::path::Path;

use site::Site;

const MIMICS: [(&str, &str, &str); 2] =
    [("mimic-water.svg", "waterworks", "water"), ("mimic-power.svg", "power", "power")];
const KINDS: [&str; 10] =
    ["value", "flow", "setpoint", "mode", "state", "pump", "valve", "breaker", "unit", "tank"];

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("lab stands in the workspace");
    std::fs::read_to_string(root.join(path)).expect("readable")
}

/// Attributes of every element that shows a tag. The drawings are ours: one element per line, double quotes.
fn elements(svg: &str) -> Vec<BTreeMap<String, String>> {
    let shows = |line: &&str| line.contains("data-tag=");
    svg.lines()
        .filter(shows)
        .map(|line| {
            let parts: Vec<&str> = line.split('"').collect();
            parts
                .chunks_exact(2)
                .map(|pair| {
                    let name = pair[0].trim().rsplit([' ', '<']).next().unwrap_or_default();
                    (name.trim_end_matches('=').to_owned(), pair[1].to_owned())
                })
                .collect()
        })
        .collect()
}

/// Limits of the plant file's alarms, by instrument and side.
fn alarm_limits(plant: &str) -> Vec<(String, &'static str, f64)> {
    let name = format!("sim/plants/{plant}.toml");
    let plant: serde_json::Value = site::parse_toml(&name, &file(&name)).expect("TOML");
    let alarms = plant["alarm"].as_array().expect("alarms");
    let limits = alarms.iter().flat_map(|alarm| {
        [("low", "data-alarm-low"), ("high", "data-alarm-high")].into_iter().filter_map(|(key, side)| {
            Some((alarm["instrument"].as_str()?.to_owned(), side, alarm.get(key)?.as_f64()?))
        })
    });
    limits.collect()
}

#[test]
fn every_element_of_a_mimic_is_a_tag_of_the_site_with_its_unit_and_limits() {
    for (svg, site, plant) in MIMICS {
        let drawing = file(&format!("lab/src/console/assets/{svg}"));
        let (site, limits) = (Site::named(site).expect("a site"), alarm_limits(plant));
        let elements = elements(&drawing);
        assert_eq!(elements.len(), drawing.matches("data-tag=").count(), "{svg}: one element per line");
        assert!(elements.len() > 50, "{svg}: {} elements", elements.len());
        for element in &elements {
            let name = &element["data-tag"];
            let tag = site.tag(name).unwrap_or_else(|| panic!("{svg}: {name} is no tag of the site"));
            let others = element.get("data-alarms").into_iter().flat_map(|list| list.split(' '));
            for other in others.chain(element.get("data-state-tag").map(String::as_str)) {
                assert!(site.tag(other).is_some(), "{svg}: {other} beside {name} is no tag of the site");
            }
            assert!(KINDS.contains(&element["data-kind"].as_str()), "{svg}: {name}");
            if let Some(unit) = element.get("data-unit") {
                let unit = if unit == "°C" { "degC" } else { unit };
                let without = ["tap", ""].contains(&tag.unit.as_str()) && unit.is_empty();
                assert!(unit == tag.unit || without, "{svg}: {name} in {unit:?}, not {:?}", tag.unit);
            }
            let number = |key: &str| element.get(key).map(|it| it.parse::<f64>().expect("a number"));
            if let (Some(low), Some(high)) = (number("data-low"), number("data-high")) {
                assert!(low < high && low >= tag.low && high <= tag.high, "{svg}: {name}: {low} to {high}");
            }
            for (side, normal) in [("data-alarm-low", tag.normal_low), ("data-alarm-high", tag.normal_high)] {
                let Some(shown) = number(side) else { continue };
                let known = limits.iter().any(|(instrument, at, limit)| {
                    instrument == name && *at == side && (limit - shown).abs() < 1e-9
                });
                assert!(known || normal == Some(shown), "{svg}: {name}: no alarm at {shown}");
            }
        }
    }
}

#[test]
fn every_element_of_a_mimic_can_be_reached_and_has_a_name() {
    for (svg, ..) in MIMICS {
        let drawing = file(&format!("lab/src/console/assets/{svg}"));
        assert!(
            !drawing.contains("style=") && !drawing.contains("<style"),
            "{svg}: a strict policy forbids it"
        );
        let mut places: BTreeMap<(String, String), String> = BTreeMap::new();
        for element in elements(&drawing) {
            let name = &element["data-tag"];
            assert_eq!((element["tabindex"].as_str(), element["role"].as_str()), ("0", "button"), "{name}");
            assert!(element["aria-label"].len() > 4, "{svg}: {name}");
            if let Some(place) = element.get("transform") {
                let there = places.insert((element["data-kind"].clone(), place.clone()), name.clone());
                assert_eq!(there, None, "{svg}: {name} at {place}");
            }
        }
    }
}

/// An alarm of the plant that no element shows would leave the picture grey.
#[test]
fn every_alarm_of_the_plant_shows_on_its_mimic() {
    for (svg, _, plant) in MIMICS {
        let drawing = file(&format!("lab/src/console/assets/{svg}"));
        let shown: Vec<String> = elements(&drawing).into_iter().map(|it| it["data-tag"].clone()).collect();
        for (instrument, ..) in alarm_limits(plant) {
            assert!(shown.contains(&instrument), "{svg}: alarms of {instrument} show nowhere");
        }
    }
}
