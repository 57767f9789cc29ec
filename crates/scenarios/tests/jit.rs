//! Proves that the lessons on JIT compilation hold their own checks, print the post's line, and show the code at both moments.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#![allow(clippy::unwrap_used)]

use stampmill_scenarios::{Event, Scenario};

fn events(name: &str) -> Vec<Event> {
    let mut events = Vec::new();
    Scenario::named(name).unwrap().play(&mut events).unwrap();
    events
}

fn listing<'e>(events: &'e [Event], wanted: &str) -> &'e str {
    events
        .iter()
        .find_map(|event| match event {
            Event::Listing { title, text } if title == wanted => Some(text.as_str()),
            _ => None,
        })
        .unwrap()
}

#[test]
fn jit_add_prints_what_the_post_prints() {
    let events = events("jit_add");
    assert!(matches!(&events[0], Event::Printed { line } if line == "7 + 35 = 42"));
    assert!(listing(&events, "CLIF").contains("v2 = iadd v0, v1"));
    assert!(!listing(&events, "CLIF after clear_context").contains("iadd"));
}

#[test]
fn jit_control_flow_holds() {
    let checks = |event: &&Event| matches!(event, Event::Check { ok: true, .. });
    assert_eq!(events("jit_control_flow").iter().filter(checks).count(), 10);
}

#[test]
fn jit_claim_check_decides_both_ways() {
    let events = events("jit_claim_check");
    for decision in ["true", "false"] {
        let decided =
            |event: &Event| matches!(event, Event::Check { actual, .. } if actual == decision);
        assert!(events.iter().any(decided), "{decision}");
    }
    assert!(listing(&events, "on {\"exp\":1700000060}").contains("no such key"));
}
