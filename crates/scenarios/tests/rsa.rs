//! Proves that the attacks of the RSA lessons succeed where the mistake is made, and only there, and that a token's signature
//! comes out of seventeen multiplications.

#![allow(clippy::unwrap_used)]

use stampmill_scenarios::{Event, Outcome, Scenario};

fn play(name: &str) -> Vec<Event> {
    let mut events = Vec::new();
    Scenario::named(name).unwrap().play(&mut events).unwrap();
    events
}

/// Which attacks succeeded.
fn outcomes(events: &[Event]) -> Vec<bool> {
    let outcome = |event: &Event| match event {
        Event::Verdict { outcome, .. } => Some(*outcome == Outcome::Succeeded),
        _ => None,
    };
    events.iter().filter_map(outcome).collect()
}

#[test]
fn rsa_by_hand_takes_seventeen_rows() {
    let events = play("rsa_by_hand");
    let rows = events.iter().find_map(|event| match event {
        Event::Listing { text, .. } => Some(text.lines().count()),
        _ => None,
    });
    assert_eq!(rows, Some(17));
    assert!(events.iter().any(|event| matches!(
        event,
        Event::Check { name, actual, .. } if name == "bytes of ff that follow" && actual == "202"
    )));
}

#[test]
fn rsa_fault_gives_the_key_away_without_the_check_alone() {
    assert_eq!(outcomes(&play("rsa_fault")), [true, false, false]);
}

#[test]
fn rsa_lax_padding_fools_the_parser_alone() {
    assert_eq!(outcomes(&play("rsa_lax_padding")), [true, false]);
}

#[test]
fn rsa_two_signatures_give_n_and_that_harms_a_confused_verifier_alone() {
    assert_eq!(outcomes(&play("rsa_two_signatures")), [true, true, false]);
}
