//! Proves that the fuzz targets hold for their seeds, for damaged seeds and for random bytes. `fuzz/README.md` tells how to
//! fuzz on.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

#[path = "../../../fuzz/src/targets.rs"]
pub mod targets;

fn run(name: &str, data: &[u8]) {
    let (_, target) = targets::TARGETS
        .into_iter()
        .find(|target| target.0 == name)
        .unwrap();
    target(data);
}

#[test]
fn seeds_hold() {
    for (name, data) in targets::seeds() {
        run(name, &data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_bytes_hold(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        for (_, target) in targets::TARGETS {
            target(&data);
        }
    }

    #[test]
    fn damaged_seeds_hold(
        pick in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let seeds = targets::seeds();
        let (name, mut data) = seeds[pick.index(seeds.len())].clone();
        let at = at.index(data.len() + 1);
        let end = data.len().min(at + 2);
        data.splice(at..end, bytes);
        run(name, &data);
    }
}
