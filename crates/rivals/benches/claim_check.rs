//! Claim checks: ours, code written by hand, the `cel` crate and datalogic-rs (JSONLogic), on eight rules over three payloads.
//!
//! All of them take turns: each round measures every engine once on every rule, and of each pair the quickest round counts, so
//! that whatever else the machine does hits all alike. Decisions are held equal before anything is timed. The end of
//! the output are ratios of geometric means, beside the goals.
#![allow(missing_docs, clippy::unwrap_used)]

mod cel_claims;
#[path = "../../../benches/claims/mod.rs"]
mod claims;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cel::common::types::CelInt;
use cel_claims::Claims;
use claims::{CASES, Case, Client, Groups, Hand, NOW, Person, Realm, Scope, Subject, Teams, Times};
use datalogic_rs::bumpalo::Bump;
use datalogic_rs::{DataValue, Engine};
use stampmill_claim_check::{Buffers, ClaimCheck, Context, Environment};

const CONTEXT: Context = Context { now: NOW };

/// Rounds, unless `ROUNDS` says otherwise.
const ROUNDS: usize = 200;

/// The rules as JSONLogic, which has no regular expressions.
#[rustfmt::skip]
const LOGIC: [Option<&str>; 8] = [
    Some(r#"{"and":[{"==":[{"var":"iss"},"https://issuer.example"]},{"in":["https://api.example",{"var":"aud"}]},{">":[{"var":"exp"},1700000000]},{"<=":[{"var":"nbf"},1700000000]}]}"#),
    Some(r#"{"or":[{"==":[{"var":"scope"},"files.read"]},{"starts_with":[{"var":"scope"},"files.read "]},{"ends_with":[{"var":"scope"}," files.read"]},{"in":[" files.read ",{"var":"scope"}]}]}"#),
    None,
    Some(r#"{"in":["ops",{"var":"realm_access.roles"}]}"#),
    Some(r#"{"and":[{"in":["reader",{"var":"resource_access.files.roles"}]},{"some":[{"var":"amr"},{"in":[{"var":""},["otp","hwk","mfa"]]}]},{">":[{"var":"auth_time"},{"-":[1700000000,900]}]}]}"#),
    Some(r#"{"and":[{"var":"email_verified"},{"ends_with":[{"var":"email"},"@example.com"]},{"!=":[{"var":"preferred_username"},null]},{"starts_with":[{"var":"preferred_username"},"adm-"]}]}"#),
    Some(r#"{"some":[{"var":"groups"},{"and":[{"starts_with":[{"var":""},"/staff/"]},{"ends_with":[{"var":""},"/admins"]}]}]}"#),
    Some(r#"{"or":[{">=":[{"length":{"filter":[{"var":"groups"},{"in":["/team-",{"var":""}]}]}},10]},{"and":[{"==":[{"var":"acr"},"1"]},{"<=":[{"-":[{"var":"exp"},{"var":"iat"}]},3600]}]}]}"#),
];

/// Nanoseconds by what is measured and rule.
type Table = BTreeMap<&'static str, [f64; CASES.len()]>;

fn main() {
    let rounds = std::env::var("ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok());
    let mut table = Table::new();
    for index in 0..CASES.len() {
        match index {
            0 => case::<Times<'static>>(index, rounds, &mut table),
            1 => case::<Scope<'static>>(index, rounds, &mut table),
            2 => case::<Subject<'static>>(index, rounds, &mut table),
            3 => case::<Realm<'static>>(index, rounds, &mut table),
            4 => case::<Client<'static>>(index, rounds, &mut table),
            5 => case::<Person<'static>>(index, rounds, &mut table),
            6 => case::<Groups<'static>>(index, rounds, &mut table),
            _ => case::<Teams<'static>>(index, rounds, &mut table),
        }
    }
    print(&table);
}

fn case<H: Hand<'static>>(index: usize, rounds: Option<usize>, table: &mut Table) {
    let case: &Case = &CASES[index];
    let payload = case.payload.as_bytes();
    let ours = ClaimCheck::compile(case.rule).unwrap();
    let unlimited =
        ClaimCheck::compile_in(case.rule, &Environment::claims().cost_limit(None)).unwrap();
    let env = Arc::new(cel::Env::stdlib());
    let program = env.compile(case.rule).unwrap();
    let bind = |payload: &str| {
        let claims: serde_json::Value = serde_json::from_str(payload).unwrap();
        let mut context = cel::Context::with_env(Arc::clone(&env));
        context.add_variable("claims", claims).unwrap();
        context.add_variable("now", NOW).unwrap();
        context
    };
    let engine = Engine::new();
    let logic = LOGIC[index].map(|logic| engine.compile(logic).unwrap());

    let by_cel = |payload: &str| program.execute(&bind(payload)) == Ok(true.into());
    let by_borrowing_cel = |payload: &str| {
        let Claims(claims) = serde_json::from_str(payload).unwrap();
        let mut context = cel::Context::with_env(Arc::clone(&env));
        context.add_variable_as_val("claims", claims);
        context.add_variable_as_val("now", Box::new(CelInt::from(NOW)));
        program.execute(&context) == Ok(true.into())
    };
    let by_logic = |payload: &str| {
        let arena = Bump::new();
        let logic = logic.as_ref()?;
        engine.evaluate(logic, payload, &arena).unwrap().as_bool()
    };
    for (payload, expected) in [(case.payload.to_owned(), true)]
        .into_iter()
        .chain(case.refused().into_iter().map(|payload| (payload, false)))
    {
        let text: &'static str = payload.clone().leak();
        let by_hand = serde_json::from_str::<H>(text).is_ok_and(|claims| claims.accepted(NOW));
        let by_sonic = sonic_rs::from_str::<H>(text).is_ok_and(|claims| claims.accepted(NOW));
        let decided = ours.decide(payload.as_bytes(), &CONTEXT) == Ok(true);
        let interpreted = ours.interpret(payload.as_bytes(), &CONTEXT)
            == Ok(stampmill_claim_check::Value::Bool(true));
        let theirs = [by_cel(&payload), by_borrowing_cel(&payload)];
        assert_eq!(theirs, [expected; 2], "{} {payload}", case.name);
        let others = [by_hand, by_sonic, decided, interpreted];
        assert_eq!(others, [expected; 4], "{} {payload}", case.name);
        assert_eq!(
            by_logic(&payload).unwrap_or(expected),
            expected,
            "{}",
            case.name
        );
    }

    let mut buffers = Buffers::default();
    let bound = ours.bind(payload, &mut buffers).unwrap();
    let mut other_buffers = Buffers::default();
    let unlimited_bound = unlimited.bind(payload, &mut other_buffers).unwrap();
    let hand: H = serde_json::from_slice(payload).unwrap();
    let context = bind(case.payload);
    let data_arena = Bump::new();
    let data = DataValue::from_str(case.payload, &data_arena).unwrap();
    let mut arena = Bump::new();
    let mut fresh_buffers = Buffers::default();

    for _ in 0..rounds.unwrap_or(ROUNDS) {
        let mut time = |name: &'static str, run: &mut dyn FnMut() -> bool| {
            let best = &mut table.entry(name).or_insert([f64::INFINITY; CASES.len()])[index];
            *best = best.min(nanoseconds(run));
        };
        time("1 eval: machine code", &mut || {
            ours.decide_on(black_box(&bound), &CONTEXT).unwrap()
        });
        time("1 eval: machine code, no cost limit", &mut || {
            unlimited
                .decide_on(black_box(&unlimited_bound), &CONTEXT)
                .unwrap()
        });
        time("1 eval: interpreter", &mut || {
            ours.interpret_on(black_box(&bound), &CONTEXT).unwrap()
        });
        time("1 eval: hand-written on a struct", &mut || {
            black_box(&hand).accepted(black_box(NOW))
        });
        time("1 eval: cel", &mut || {
            program.execute(black_box(&context)).is_ok()
        });
        if let Some(logic) = &logic {
            time("1 eval: datalogic-rs", &mut || {
                arena.reset();
                engine
                    .evaluate(logic, black_box(&data), &arena)
                    .unwrap()
                    .as_bool()
                    .unwrap()
            });
        }
        time("2 bytes: machine code", &mut || {
            ours.decide(black_box(payload), &CONTEXT).unwrap()
        });
        time("2 bytes: our reading alone", &mut || {
            ours.bind(black_box(payload), &mut fresh_buffers).is_ok()
        });
        time("2 bytes: hand-written, serde derive", &mut || {
            serde_json::from_slice::<H>(black_box(payload))
                .unwrap()
                .accepted(NOW)
        });
        time("2 bytes: hand-written, sonic-rs derive", &mut || {
            sonic_rs::from_slice::<H>(black_box(payload))
                .unwrap()
                .accepted(NOW)
        });
        time("2 bytes: cel, serde_json::Value", &mut || {
            by_cel(black_box(case.payload))
        });
        time("2 bytes: cel, own values that borrow", &mut || {
            by_borrowing_cel(black_box(case.payload))
        });
        if let Some(logic) = &logic {
            time("2 bytes: datalogic-rs", &mut || {
                arena.reset();
                engine
                    .evaluate(logic, black_box(case.payload), &arena)
                    .unwrap()
                    .as_bool()
                    .unwrap()
            });
        }
        time("3 compile: to machine code", &mut || {
            ClaimCheck::compile(black_box(case.rule)).is_ok()
        });
        time("3 compile: parse and check", &mut || {
            ClaimCheck::interpreted_in(black_box(case.rule), &Environment::claims()).is_ok()
        });
    }
}

/// Time of one run, from as many as take about 20 µs.
fn nanoseconds(run: &mut dyn FnMut() -> bool) -> f64 {
    let start = Instant::now();
    black_box(run());
    let once = start.elapsed().as_nanos().max(20);
    let repeat = (20_000 / once).clamp(1, 1_000) as u32;
    let start = Instant::now();
    for _ in 0..repeat {
        black_box(run());
    }
    start.elapsed().as_nanos() as f64 / f64::from(repeat)
}

fn print(table: &Table) {
    print!("{:42}", "nanoseconds");
    CASES
        .iter()
        .for_each(|case| print!("{:>9}", &case.name[..2]));
    println!("{:>10}", "geomean");
    for (name, times) in table {
        print!("{name:42}");
        for time in times {
            if time.is_finite() {
                print!("{time:9.1}")
            } else {
                print!("{:>9}", "-")
            }
        }
        println!("{:10.1}", mean(times, times));
    }
    println!();
    let ratio = |text: &str, goal: &str, above: &str, below: &str| {
        let (above, below) = (&table[above], &table[below]);
        let ratio = mean(above, below) / mean(below, above);
        println!("{text:62} {ratio:8.2}   goal {goal}");
    };
    let code = "1 eval: machine code";
    let bytes = "2 bytes: machine code";
    ratio(
        "bound claims: cel / machine code",
        ">= 60",
        "1 eval: cel",
        code,
    );
    ratio(
        "bound claims: datalogic-rs / machine code",
        ">= 6",
        "1 eval: datalogic-rs",
        code,
    );
    ratio(
        "bound claims: machine code / hand-written on a struct",
        "<= 2",
        code,
        "1 eval: hand-written on a struct",
    );
    ratio(
        "bound claims: cel / our interpreter",
        ">= 4",
        "1 eval: cel",
        "1 eval: interpreter",
    );
    ratio(
        "bound claims: cost limit on / off",
        "<= 1.10",
        code,
        "1 eval: machine code, no cost limit",
    );
    ratio(
        "from bytes: cel, documented binding / machine code",
        ">= 30",
        "2 bytes: cel, serde_json::Value",
        bytes,
    );
    ratio(
        "from bytes: cel, cheapest binding / machine code",
        ">= 10",
        "2 bytes: cel, own values that borrow",
        bytes,
    );
    ratio(
        "from bytes: datalogic-rs / machine code",
        ">= 2.2",
        "2 bytes: datalogic-rs",
        bytes,
    );
    ratio(
        "from bytes: machine code / hand-written, serde derive",
        "<= 0.6",
        bytes,
        "2 bytes: hand-written, serde derive",
    );
    ratio(
        "from bytes: machine code / hand-written, sonic-rs derive",
        "<= 1.0",
        bytes,
        "2 bytes: hand-written, sonic-rs derive",
    );
}

/// The geometric mean of the times for which both engines have one.
fn mean(times: &[f64], other: &[f64]) -> f64 {
    let both = times
        .iter()
        .zip(other)
        .filter(|(a, b)| a.is_finite() && b.is_finite());
    let logarithms: Vec<f64> = both.map(|(time, _)| time.ln()).collect();
    (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp()
}
