//! Proves that the lessons on Diffie-Hellman and assembly come to their end and show what the posts print.

#![allow(clippy::unwrap_used)]

use stampmill_modexp::tutorial;
use stampmill_scenarios::{Event, Outcome, Scenario};

fn play(name: &str) -> Vec<Event> {
    let mut events = Vec::new();
    Scenario::named(name).unwrap().play(&mut events).unwrap();
    events
}

fn printed(events: &[Event]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Printed { line } => Some(line.as_str()),
            _ => None,
        })
        .collect()
}

/// The checked value of this name.
fn checked<'a>(events: &'a [Event], wanted: &str) -> Option<&'a str> {
    events.iter().find_map(|event| match event {
        Event::Check { name, actual, .. } if name == wanted => Some(actual.as_str()),
        _ => None,
    })
}

#[test]
fn asm_add_prints_the_posts_lines() {
    let events = play("asm_add");
    let expected: &[&str] = if tutorial::AVAILABLE {
        &["Zero: 0", "42 + 58 = 100"]
    } else {
        &[]
    };
    assert_eq!(printed(&events), expected);
}

#[test]
fn asm_and_c_multiplies_and_adds() {
    let events = play("asm_and_c");
    let computed: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Compute { output, .. } => Some(output.as_str()),
            _ => None,
        })
        .collect();
    let expected: &[&str] = if tutorial::AVAILABLE {
        &["42", "55"]
    } else {
        &[]
    };
    assert_eq!(computed, expected);
}

#[test]
fn dh_toy_shows_the_posts_run() {
    let events = play("dh_toy");
    for (name, value) in [
        ("A", "10"),
        ("B", "2"),
        ("Alice's secret", "8"),
        ("Bob's secret", "8"),
        ("Eve finds a", "3"),
    ] {
        assert_eq!(checked(&events, name), Some(value), "{name}");
    }
}

#[test]
fn dh_mitm_succeeds_without_signatures_and_only_then() {
    let events = play("dh_mitm");
    let outcomes: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            Event::Verdict { outcome, .. } => Some(*outcome == Outcome::Succeeded),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes, [true, false, false, false, false, false]);
}
