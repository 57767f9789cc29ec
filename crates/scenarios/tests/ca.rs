//! Proves that the lessons on certificates hold: every check passes, and the verdicts that the guide quotes are the ones that come.
#![allow(clippy::unwrap_used)]

use stampmill_scenarios::{Event, Scenario};

fn events(name: &str) -> Vec<Event> {
    let mut events = Vec::new();
    Scenario::named(name).unwrap().play(&mut events).unwrap();
    events
}

fn actual<'e>(events: &'e [Event], check: &str) -> &'e str {
    let found = events.iter().find_map(|event| match event {
        Event::Check { name, actual, .. } if name == check => Some(actual.as_str()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no check `{check}`"))
}

#[test]
fn root_and_leaf() {
    let events = events("ca_root_and_leaf");
    assert_eq!(actual(&events, "asked for localhost"), "OK");
    assert!(actual(&events, "on day 40").starts_with("error 10 at 1 depth"));
    assert!(actual(&events, "openssl verify -x509_strict").starts_with("error 92 at 1 depth"));
    let listings: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Listing { title, text } if title.ends_with(".pem") => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert!(listings[0].contains("critical, CA:TRUE, pathlen:1"));
    assert!(listings[1].contains("critical, CA:TRUE, pathlen:0"));
    assert!(listings[2].contains("DNS:localhost, IP:127.0.0.1"));
    let secret = format!("{events:?}").contains("PRIVATE KEY");
    assert!(!secret, "no private key is shown");
}

#[test]
fn https() {
    let events = events("ca_https");
    assert_eq!(actual(&events, "https://localhost answers"), "200");
    let statuses: Vec<u16> = events
        .iter()
        .filter_map(|event| match event {
            Event::Http(exchange) => Some(exchange.status),
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [200, 200]);
}
