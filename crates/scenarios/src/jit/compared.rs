//! `jit_vs_interpreter`: when compiling pays.

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use stampmill_claim_check::{Buffers, ClaimCheck, Context, Environment};

use crate::stage::Stage;

const RULE: &str = r#"claims.iss == "https://login.example.com" && "https://api.example.com" in claims.aud
    && claims.exp > now && claims.roles.exists(role, role.startsWith("ops-"))"#;

const PAYLOAD: &str = r#"{"iss":"https://login.example.com","aud":["https://files.example.com","https://api.example.com"],"exp":1700000300,"iat":1699999990,"sub":"alice","roles":["dev-read","dev-write","ops-read"]}"#;

const CONTEXT: Context = Context { now: 1_700_000_000 };

/// The same rule by the tree interpreter and by machine code: the same decisions, and after how many of them the time that the
/// compiler took has come back.
pub(crate) fn vs_interpreter(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let code = ClaimCheck::compile(RULE)?;
    let tree = ClaimCheck::interpreted_in(RULE, &Environment::claims())?;
    stage.listing("rule (CEL)", code.source());
    stage.note(format_args!(
        "Once compiled ({}), once not ({}).",
        code.engine(),
        tree.engine()
    ));

    stage.heading("The same decisions, the same cost");
    for payload in [
        PAYLOAD.to_owned(),
        PAYLOAD.replace("ops-", "opx-"),
        PAYLOAD.replace("1700000300", "1700000000"),
        PAYLOAD.replace("\"aud\"", "\"audience\""),
    ] {
        let (by_tree, cost_of_tree) = tree.measure(payload.as_bytes(), &CONTEXT);
        let (by_code, cost) = code.measure(payload.as_bytes(), &CONTEXT);
        let shown = |result: Result<_, _>, cost: u64| match result {
            Ok(value) => format!("{value}, cost {cost}"),
            Err(error) => format!("{error}, cost {cost}"),
        };
        stage.check(
            format_args!("{} bytes", payload.len()),
            shown(by_tree, cost_of_tree),
            shown(by_code, cost),
        );
    }

    stage.heading("What each costs");
    let quickest = |rounds: usize, work: &mut dyn FnMut()| -> Duration {
        let once = |_| {
            let start = Instant::now();
            work();
            start.elapsed()
        };
        (0..rounds).map(once).min().unwrap_or_default()
    };
    let parse = quickest(20, &mut || {
        black_box(ClaimCheck::interpreted_in(RULE, &Environment::claims()).is_ok());
    });
    let compile = quickest(20, &mut || {
        black_box(ClaimCheck::compile(RULE).is_ok());
    });
    let (mut tree_buffers, mut code_buffers) = (Buffers::default(), Buffers::default());
    let for_tree = tree.bind(PAYLOAD.as_bytes(), &mut tree_buffers)?;
    let for_code = code.bind(PAYLOAD.as_bytes(), &mut code_buffers)?;
    const MANY: u32 = 1_000;
    let by_tree = quickest(20, &mut || {
        for _ in 0..MANY {
            black_box(tree.decide_on(black_box(&for_tree), &CONTEXT).is_ok());
        }
    }) / MANY;
    let by_code = quickest(20, &mut || {
        for _ in 0..MANY {
            black_box(code.decide_on(black_box(&for_code), &CONTEXT).is_ok());
        }
    }) / MANY;
    stage.timing("parsing and checking", parse);
    stage.timing("the same, and compiling to machine code", compile);
    stage.timing("a decision by the interpreter", by_tree);
    stage.timing("a decision by machine code", by_code);
    stage.note("The claims are bound already, and each time is the shortest of twenty rounds.");

    stage.heading("When the compiler's time has come back");
    let totals = |decisions: u32| (parse + by_tree * decisions, compile + by_code * decisions);
    let mut curve = format!(
        "{:>12}  {:>14}  {:>14}\n",
        "decisions", "interpreter", "machine code"
    );
    for exponent in 0..7 {
        let decisions = 10u32.pow(exponent);
        let (tree, code) = totals(decisions);
        let winner = if tree < code {
            "interpreter"
        } else {
            "machine code"
        };
        writeln!(
            curve,
            "{decisions:>12}  {:>14}  {:>14}  {winner}",
            format!("{tree:.1?}"),
            format!("{code:.1?}")
        )?;
    }
    stage.listing("time in all", curve);
    let gain = by_tree.saturating_sub(by_code).as_nanos();
    match compile.saturating_sub(parse).as_nanos().checked_div(gain) {
        Some(even) => stage.note(format_args!(
            "Break-even: {even} decisions. A resource server decides as often as it is called; a rule that is tried once is \
             better left to the interpreter."
        )),
        None => stage.note("Here machine code is not faster, so compiling never pays."),
    }
    Ok(())
}
