//! Proves that the tour and every scenario of the table come to their end with all checks holding, and that each has the
//! example and the page of the guide that its row names.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use stampmill_scenarios::{Event, SCENARIOS, Scenario, TOUR};

fn events_of(scenario: &Scenario) -> Vec<Event> {
    let mut events = Vec::new();
    if let Err(error) = scenario.play(&mut events) {
        panic!("{}: {error:#}\n{events:#?}", scenario.name);
    }
    events
}

#[test]
fn every_scenario_holds() {
    for scenario in SCENARIOS {
        assert!(
            !events_of(scenario).is_empty(),
            "{} shows nothing",
            scenario.name
        );
    }
}

#[test]
fn the_tour_stops_at_every_topic_and_names_examples_that_exist() {
    let stops: Vec<(String, String)> = events_of(&TOUR)
        .into_iter()
        .filter_map(|event| match event {
            Event::Stop { topic, example, .. } => Some((topic, example)),
            _ => None,
        })
        .collect();
    let topics: Vec<&str> = stops.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(
        topics,
        [
            "Diffie-Hellman",
            "assembly",
            "JIT",
            "CA",
            "HTTPS",
            "OAuth",
            "claim check",
            "attack"
        ]
    );
    for (_, example) in &stops {
        assert!(Scenario::named(example).is_some(), "no scenario {example}");
    }
}

#[test]
fn every_row_names_an_example_and_a_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for scenario in SCENARIOS {
        let example = root
            .join("examples")
            .join(scenario.name)
            .with_extension("rs");
        assert!(example.is_file(), "{} is missing", example.display());
        for path in [scenario.guide, scenario.code] {
            assert!(root.join(path).is_file(), "{path} is missing");
        }
    }
}

#[test]
fn every_example_has_a_row() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(Scenario::named(name).is_some(), "{name} is no scenario");
    }
}
