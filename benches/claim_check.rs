//! Claim checks: machine code, the tree interpreter, and the same rules written by hand in Rust over serde.
//!
//! "bytes" begins with the payload's JSON, as a server does; "bound" with what each reader made of it. All deciders are held equal
//! on accepted and refused tokens before anything is timed. Other people's engines are in `crates/rivals/benches`.

mod claims;

use std::hint::black_box;
use std::time::Duration;

use claims::{CASES, Case, Client, Groups, Hand, NOW, Person, Realm, Scope, Subject, Teams, Times};
use criterion::{Criterion, criterion_group, criterion_main};
use stampmill_claim_check::{Buffers, ClaimCheck, Context, Value};

const CONTEXT: Context = Context { now: NOW };

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = cases, compile
}
criterion_main!(benches);

fn cases(criterion: &mut Criterion) {
    let [c1, c2, c3, c4, c5, c6, c7, c8] = &CASES;
    case::<Times<'static>>(criterion, c1);
    case::<Scope<'static>>(criterion, c2);
    case::<Subject<'static>>(criterion, c3);
    case::<Realm<'static>>(criterion, c4);
    case::<Client<'static>>(criterion, c5);
    case::<Person<'static>>(criterion, c6);
    case::<Groups<'static>>(criterion, c7);
    case::<Teams<'static>>(criterion, c8);
}

fn case<H: Hand<'static>>(criterion: &mut Criterion, case: &Case) {
    let check = ClaimCheck::compile(case.rule).expect("the rules compile");
    agree::<H>(case, &check);
    let payload = case.payload.as_bytes();
    let mut group = criterion.benchmark_group(format!("{} ({} bytes)", case.name, payload.len()));
    group.bench_function("bytes: machine code", |bencher| {
        bencher.iter(|| check.decide(black_box(payload), &CONTEXT));
    });
    group.bench_function("bytes: hand-written", |bencher| {
        bencher.iter(|| {
            serde_json::from_slice::<H>(black_box(payload)).map(|claims| claims.accepted(NOW))
        });
    });
    let mut buffers = Buffers::default();
    let bound = check.bind(payload, &mut buffers).expect("valid payloads");
    group.bench_function("bound: machine code", |bencher| {
        bencher.iter(|| check.decide_on(black_box(&bound), &CONTEXT));
    });
    group.bench_function("bound: interpreter", |bencher| {
        bencher.iter(|| check.interpret_on(black_box(&bound), &CONTEXT));
    });
    let claims: H = serde_json::from_slice(payload).expect("valid payloads");
    group.bench_function("bound: hand-written", |bencher| {
        bencher.iter(|| black_box(&claims).accepted(black_box(NOW)));
    });
    group.finish();
}

/// Holds that all deciders decide alike, on the payload and on those that the check refuses.
fn agree<H: Hand<'static>>(case: &Case, check: &ClaimCheck) {
    let accepted = (case.payload.to_owned(), true);
    let refused = case.refused().into_iter().map(|payload| (payload, false));
    for (payload, expected) in std::iter::once(accepted).chain(refused) {
        let text: &'static str = payload.leak();
        let by_hand = serde_json::from_str::<H>(text).is_ok_and(|claims| claims.accepted(NOW));
        let by_code = check.decide(text.as_bytes(), &CONTEXT) == Ok(true);
        let by_tree = check.interpret(text.as_bytes(), &CONTEXT) == Ok(Value::Bool(true));
        assert_eq!(
            [by_hand, by_code, by_tree],
            [expected; 3],
            "{} {text}",
            case.name
        );
    }
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    for case in &CASES {
        group.bench_function(case.name, |bencher| {
            bencher.iter(|| ClaimCheck::compile(black_box(case.rule)));
        });
    }
    group.finish();
}
