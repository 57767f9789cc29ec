//! Proves that the lessons on assembly show what they are about: the lost carries, the clobbered register, equal powers, and
//! a picture of measured times.

#![allow(clippy::unwrap_used)]

use stampmill_modexp::{Engine, has_lanes, tutorial};
use stampmill_scenarios::{Event, Scenario};

fn play(name: &str) -> Vec<Event> {
    let mut events = Vec::new();
    Scenario::named(name).unwrap().play(&mut events).unwrap();
    events
}

/// The names and values of all checks.
fn checks(events: &[Event]) -> Vec<(&str, &str)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Check { name, actual, .. } => Some((name.as_str(), actual.as_str())),
            _ => None,
        })
        .collect()
}

#[test]
fn asm_limbs_adds_right_with_carries_and_wrong_without() {
    let events = play("asm_limbs");
    let checks = checks(&events);
    assert!(
        checks[0]
            .1
            .ends_with("0000000000000001_0000000000000000_0000000000000000"),
        "{checks:?}"
    );
    if cfg!(target_arch = "x86_64") {
        assert!(
            checks.contains(&("random pairs as num-bigint adds", "1000")),
            "{checks:?}"
        );
        let (_, missing) = checks.last().unwrap();
        assert!(
            missing.starts_with("0000000000000001_0000000000000000_0000000000000001"),
            "{checks:?}"
        );
    }
}

#[test]
fn asm_clobber_has_a_wrong_sum_and_then_a_right_one() {
    if tutorial::AVAILABLE && cfg!(target_os = "linux") {
        let events = play("asm_clobber");
        assert_eq!(
            checks(&events),
            [("the sum is wrong", "true"), ("add_four(1, 2, 3, 4)", "10")]
        );
    }
}

#[test]
fn asm_modexp_compares_every_engine_and_openssl() {
    let events = play("asm_modexp");
    let expected = Engine::available().len() + usize::from(has_lanes()) + 1;
    assert_eq!(checks(&events).len(), expected);
}

/// What the times say is the machine's business.
#[test]
fn asm_timing_leak_draws_every_exponent_twice() {
    let events = play("asm_timing_leak");
    let pictures: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Picture { svg, .. } => Some(svg.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(pictures.len(), 1);
    assert!(pictures[0].starts_with("<svg") && pictures[0].ends_with("</svg>\n"));
    assert_eq!(pictures[0].matches("<circle").count(), 800);
}
