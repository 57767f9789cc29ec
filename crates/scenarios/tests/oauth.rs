//! Proves that the lessons on OAuth hold: every check passes, the attacks are refused, and no secret of the service is shown.
#![allow(clippy::unwrap_used)]

use stampmill_scenarios::{Channel, Event, Outcome, Scenario};

fn events(name: &str) -> Vec<Event> {
    let mut events = Vec::new();
    Scenario::named(name).unwrap().play(&mut events).unwrap();
    events
}

/// The attacks that were stopped. None may succeed but those that a lesson carries out to show why there is a rule.
fn blocked<'a>(events: &'a [Event], shown: &[&str]) -> Vec<&'a str> {
    let verdicts = events.iter().filter_map(|event| match event {
        Event::Verdict {
            attack,
            outcome: Outcome::Blocked { .. },
        } => Some(attack.as_str()),
        Event::Verdict { attack, .. } => {
            let expected = shown.iter().any(|name| attack.starts_with(name));
            assert!(expected, "{attack} succeeded");
            None
        }
        _ => None,
    });
    verdicts.collect()
}

#[test]
fn code_and_pkce() {
    let events = events("oauth_code_pkce");
    assert_eq!(
        blocked(&events, &[]),
        [
            "stolen authorization code",
            "replayed authorization code",
            "redirect to an attacker, PKCE downgrade"
        ]
    );
    let verifier = events.iter().find_map(|event| match event {
        Event::Compute { inputs, .. } => inputs
            .iter()
            .find(|(name, _)| name == "code_verifier")
            .map(|(_, value)| value),
        _ => None,
    });
    let verifier = verifier.expect("the lesson shows the verifier");
    for event in &events {
        if let Event::Http(exchange) = event
            && exchange.channel == Channel::Front
        {
            assert!(
                !format!("{exchange:?}").contains(verifier.as_str()),
                "the verifier in the front channel: {exchange:?}"
            );
        }
    }
}

#[test]
fn client_credentials() {
    let events = events("oauth_client_credentials");
    assert_eq!(blocked(&events, &[]), ["tampered access token"]);
    let paths: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Http(exchange) => Some(exchange.request.as_str()),
            _ => None,
        })
        .collect();
    assert!(
        !paths.iter().any(|path| path.contains("authorize")),
        "no browser takes part: {paths:?}"
    );
}

#[test]
fn what_each_lesson_ends_with() {
    for (name, shown, attacks) in [
        ("oauth_refresh", None, &["stolen refresh token"][..]),
        (
            "oauth_state",
            Some("login in somebody else's name"),
            &["forged answer"],
        ),
        (
            "oauth_pkce",
            Some("code injection"),
            &["stolen or injected code"],
        ),
        (
            "oauth_oidc",
            Some("login by somebody else's access token"),
            &["token of another client"],
        ),
        ("oauth_hybrid", None, &["code exchanged on its way"]),
        ("oauth_logout", None, &["signing others out"]),
        (
            "oauth_device",
            None,
            &["guessed user codes", "guessed or replayed device codes"],
        ),
        ("oauth_split", None, &[]),
        (
            "oauth_jwks_rotation",
            None,
            &["token of a foreign key", "tokens of a stolen key"],
        ),
        ("oauth_dpop", None, &["stolen access token"]),
    ] {
        let shown: Vec<&str> = shown.into_iter().collect();
        assert_eq!(blocked(&events(name), &shown), attacks, "{name}");
    }
}
