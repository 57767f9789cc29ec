//! Proves that the lessons on JIT compilation hold their own checks, print the post's line, and show the code at both moments.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#![allow(clippy::unwrap_used)]

use stampmill_scenarios::{Event, Outcome, Scenario};

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

/// The checks of a lesson that came true, by their names.
fn held(name: &str) -> Vec<String> {
    let held = events(name).into_iter().filter_map(|event| match event {
        Event::Check { name, ok: true, .. } => Some(name),
        _ => None,
    });
    held.collect()
}

#[test]
#[cfg(unix)]
fn what_ends_a_process_ends_a_copy_of_it() {
    for (name, check) in [
        (
            "jit_call_rust",
            "extern \"C\" ends the process rather than unwind",
        ),
        ("jit_abi_mistake", "a memory fault"),
        ("jit_wx", "here the addition still adds"),
    ] {
        assert!(
            held(name).iter().any(|held| held == check),
            "{name}: {check}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn jit_wx_sees_each_permission_and_never_both() {
    for check in ["written", "executed", "ever both"] {
        assert!(held("jit_wx").iter().any(|held| held == check), "{check}");
    }
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn attack_42_succeeds_on_open_pages_only() {
    let verdicts = events("attack_code_pages")
        .into_iter()
        .filter_map(|event| match event {
            Event::Verdict { outcome, .. } => Some(outcome),
            _ => None,
        });
    let blocked = verdicts.map(|outcome| matches!(outcome, Outcome::Blocked { .. }));
    assert_eq!(blocked.collect::<Vec<_>>(), [false, true]);
}
