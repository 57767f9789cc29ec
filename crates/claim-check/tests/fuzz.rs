//! Proves that the fuzz targets for claim checks hold for their seeds, for damaged seeds and for random bytes. `fuzz/README.md` tells how
//! to fuzz on.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;

#[path = "../../../fuzz/src/claims.rs"]
pub mod claims;

fn run(name: &str, data: &[u8]) {
    let target = claims::TARGETS.into_iter().find(|target| target.0 == name);
    target.unwrap().1(data);
}

#[test]
fn seeds_hold() {
    for (name, data) in claims::seeds() {
        run(name, &data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_hold(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (_, target) in claims::TARGETS {
            target(&data);
        }
    }

    #[test]
    fn damaged_seeds_hold(
        pick in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let seeds = claims::seeds();
        let (name, mut data) = seeds[pick.index(seeds.len())].clone();
        let at = at.index(data.len() + 1);
        let end = data.len().min(at + 2);
        data.splice(at..end, bytes);
        run(name, &data);
    }
}
