//! Claim checks: ours and other people's engines.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../../benches/claims/mod.rs"]
mod claims;

use std::hint::black_box;
use std::time::Instant;

use claims::*;
use stampmill_claims_json::{Buffers, Limits, Paths};

fn main() {
    let wanted: [&[(&[&str], bool)]; 8] = [
        &[(&["iss"], false), (&["aud"], true), (&["exp"], false), (&["nbf"], false)],
        &[(&["scope"], false)],
        &[(&["sub"], false)],
        &[(&["realm_access", "roles"], true)],
        &[(&["resource_access", "files", "roles"], true), (&["amr"], true), (&["auth_time"], false)],
        &[(&["email_verified"], false), (&["email"], false), (&["preferred_username"], false)],
        &[(&["groups"], true)],
        &[(&["groups"], true), (&["acr"], false), (&["exp"], false), (&["iat"], false)],
    ];
    for (case, wanted) in CASES.iter().zip(wanted) {
        let mut paths = Paths::default();
        for (path, whole) in wanted {
            paths.want(path.iter().copied(), *whole);
        }
        let mut buffers = Buffers::default();
        let payload = case.payload.as_bytes();
        let hand = |sonic: bool| {
            match (case.name.as_bytes()[1], sonic) {
                (b'1', true) => run(|| sonic_rs::from_slice::<Times>(black_box(payload)).unwrap().accepted(NOW)),
                (b'1', false) => run(|| serde_json::from_slice::<Times>(black_box(payload)).unwrap().accepted(NOW)),
                (b'2', true) => run(|| sonic_rs::from_slice::<Scope>(black_box(payload)).unwrap().accepted(NOW)),
                (b'2', false) => run(|| serde_json::from_slice::<Scope>(black_box(payload)).unwrap().accepted(NOW)),
                (b'4', true) => run(|| sonic_rs::from_slice::<Realm>(black_box(payload)).unwrap().accepted(NOW)),
                (b'4', false) => run(|| serde_json::from_slice::<Realm>(black_box(payload)).unwrap().accepted(NOW)),
                (b'8', true) => run(|| sonic_rs::from_slice::<Teams>(black_box(payload)).unwrap().accepted(NOW)),
                (b'8', false) => run(|| serde_json::from_slice::<Teams>(black_box(payload)).unwrap().accepted(NOW)),
                _ => 0.0,
            }
        };
        let mut best = [f64::MAX; 5];
        for _ in 0..50 {
            best[0] = best[0].min(run(|| paths.bind(black_box(payload), &Limits::TOKEN, &mut buffers).is_ok()));
            best[1] = best[1].min(hand(false));
            best[2] = best[2].min(hand(true));
            best[3] = best[3].min(run(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(payload)).is_ok()));
            best[4] = best[4].min(run(|| std::str::from_utf8(black_box(payload)).is_ok()));
        }
        println!("{:32} {:?}", case.name, best.map(|x| x as u32));
    }
}

fn run(mut f: impl FnMut() -> bool) -> f64 {
    let start = Instant::now();
    for _ in 0..200 {
        black_box(f());
    }
    start.elapsed().as_nanos() as f64 / 200.0
}
