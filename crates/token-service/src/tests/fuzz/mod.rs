//! Proves that whatever strangers send to any endpoint is answered: no 5xx and no panic, in the shape that endpoint owes its
//! reader, with an error its RFC knows, not stored, nowhere but to registered addresses, and without telling a secret again.
//!
//! Requests begin as good ones ([`requests::ALL`], with codes, tokens and pages that are fresh: [`world`]), so that what is broken
//! about them ([`mutate`]) is met deep inside and not at the door. [`judge`] says what an answer may be.
//!
//! A run is a number of small worlds, each by a seed of its own; a failure prints the seed and the request. To look longer:
//! `STAMPMILL_FUZZ_WORLDS=1000 cargo test -p stampmill-token-service fuzz`, and to see one again: `STAMPMILL_FUZZ_SEED=…`.

mod dice;
mod judge;
mod mutate;
mod requests;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use dice::Dice;
use judge::ENDPOINTS;
use world::World;

use crate::protocol::paths;

/// Requests in a world.
const REQUESTS: usize = 200;
/// Worlds, unless the environment says otherwise.
const WORLDS: u64 = 4;

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

#[test]
fn every_endpoint_is_in_the_tables() {
    let there: BTreeSet<_> = paths::ALL.iter().copied().collect();
    let judged: BTreeSet<_> = ENDPOINTS.iter().map(|one| one.path).collect();
    assert_eq!(judged, there);
    let asked: BTreeSet<_> = requests::ALL
        .iter()
        .map(|row| judge::endpoint(row.path()))
        .collect();
    assert_eq!(asked.len(), there.len());
}

/// What the mutations begin with is good: otherwise they would stop at the door.
#[tokio::test]
async fn every_request_of_the_table_succeeds_as_it_is() {
    let mut world = World::new().await;
    for row in requests::ALL {
        let draft = world.draft(row).await;
        let sent = draft.render().unwrap();
        let answer = world.send(&sent).await;
        assert_eq!(
            answer.status.as_u16(),
            row.status,
            "{}\n{sent}{answer:?}",
            row.name
        );
        judge::judge(&sent, &answer)
            .unwrap_or_else(|problem| panic!("{problem}\n{sent}{answer:?}"));
    }
}

#[test]
fn strangers_are_answered() {
    let only = from_environment("STAMPMILL_FUZZ_SEED");
    let worlds = from_environment("STAMPMILL_FUZZ_WORLDS").unwrap_or(WORLDS);
    let seeds = only.map_or(1..=worlds, |seed| seed..=seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut seen = BTreeMap::new();
    for seed in seeds {
        runtime.block_on(one_world(seed, &mut seen));
    }
    if only.is_none() && worlds >= WORLDS {
        let met: BTreeSet<_> = seen.keys().map(|(path, _)| *path).collect();
        let passed: BTreeSet<_> = seen
            .keys()
            .filter(|(_, status)| *status < 400)
            .map(|(path, _)| *path)
            .collect();
        assert_eq!(
            met.len(),
            ENDPOINTS.len(),
            "every endpoint is met: {seen:?}"
        );
        assert!(
            passed.len() * 4 >= ENDPOINTS.len() * 3,
            "most are met inside as well: {seen:?}"
        );
    }
}

async fn one_world(seed: u64, seen: &mut BTreeMap<(&'static str, u16), usize>) {
    let mut dice = Dice::new(seed);
    let mut world = World::new().await;
    for number in 0..REQUESTS {
        let row = dice.pick(requests::ALL);
        let mut draft = world.draft(&row).await;
        for _ in 0..=dice.below(2) {
            mutate::mutate(&mut draft, &mut dice);
        }
        // What cannot be written as an HTTP request is not sent.
        let Some(sent) = draft.render() else { continue };
        let answer = world.send(&sent).await;
        if let Err(problem) = judge::judge(&sent, &answer) {
            panic!(
                "{problem}\nworld {seed}, request {number}, from {:?}:\n{sent}\nanswered with {answer:?}",
                row.name
            );
        }
        if let Some(path) = judge::endpoint(sent.path()) {
            *seen.entry((path, answer.status.as_u16())).or_default() += 1;
        }
        world.fixture.clock.advance(dice.below(3) as i64);
    }
}
