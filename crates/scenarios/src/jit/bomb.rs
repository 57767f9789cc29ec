//! Attack 41, the expression bomb: a policy that costs whoever evaluates it more than it costs whoever wrote it.

use std::fmt::Display;

use stampmill_claim_check::{ClaimCheck, Context, Environment, limits};

use crate::stage::Stage;

/// A list in a token that anyone may get: thirty short texts.
fn payload() -> String {
    let texts: Vec<String> = (0..30).map(|number| format!("\"g{number}\"")).collect();
    format!("{{\"l\":[{}]}}", texts.join(","))
}

/// Macros in macros: each level walks the list once for every element of the level above.
fn nested(levels: usize) -> String {
    let open: String = (0..levels)
        .map(|level| format!("claims.l.all(x{level}, "))
        .collect();
    format!("{open}true{}", ")".repeat(levels))
}

/// Each line doubles the text of the line before.
fn doubling(times: usize) -> String {
    let open: String = (1..=times)
        .map(|n| format!("cel.bind(s{n}, s{0} + s{0}, ", n - 1))
        .collect();
    format!(
        "cel.bind(s0, 'xxxxxxxx', {open}size(s{times}) > 0{})",
        ")".repeat(times)
    )
}

/// `attack_expression_bomb`.
pub(crate) fn bomb(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let context = Context { now: 0 };
    let payload = payload();

    stage.heading("Without a limit");
    stage.note(
        "An API lets its customers write rules. This one has two hundred bytes and is true of every token; each level of \
         macros multiplies the work by thirty. Cost is counted as cel-go counts it.",
    );
    // Counted, but never reached.
    let unlimited = Environment::claims().cost_limit(Some(u64::MAX));
    let mut costs = Vec::new();
    for levels in 1..=4 {
        let rule = nested(levels);
        let check = ClaimCheck::compile_in(&rule, &unlimited)?;
        let (value, cost) = stage.time(format_args!("{levels} levels"), || {
            check.measure(payload.as_bytes(), &context)
        });
        value?;
        stage.compute("cost", &[("levels", &levels)], cost);
        costs.push(cost);
    }
    let grows = costs.windows(2).all(|pair| pair[1] > 25 * pair[0]);
    stage.check(
        "each level costs 25 times the one before, or more",
        true,
        grows,
    );
    stage.succeeded("four levels of macros over thirty elements, with nothing to stop them");

    stage.heading("The running cost");
    let rule = nested(8);
    let check = ClaimCheck::compile(&rule)?;
    let result = stage.time("eight levels, until the limit", || {
        check.decide(payload.as_bytes(), &context)
    });
    refused(
        stage,
        "eight levels of macros",
        result,
        format_args!("cost limit {}", limits::COST_LIMIT),
    );
    let lazy = format!("true || {rule}");
    let decided = ClaimCheck::compile(&lazy)?.decide(payload.as_bytes(), &context);
    stage.check(
        "what is not evaluated costs nothing",
        "Ok(true)",
        format!("{decided:?}"),
    );
    let absorbed = format!("{rule} || true");
    let decided = ClaimCheck::compile(&absorbed)?.decide(payload.as_bytes(), &context);
    stage.check("|| does not absorb the limit", true, decided.is_err());

    stage.heading("Known before any token is there");
    for levels in [1, 2, 8] {
        let check = ClaimCheck::compile(&nested(levels))?;
        let worst = check.worst_case_cost(4096);
        stage.compute("worst case on 4 KiB", &[("levels", &levels)], worst);
        stage.check(
            format_args!("{levels} levels may exceed the limit"),
            levels > 1,
            worst > limits::COST_LIMIT,
        );
    }

    stage.heading("Other fuses");
    refused(
        stage,
        "40 doublings of eight bytes: eight terabytes",
        ClaimCheck::compile(&doubling(40))?.decide(b"{}", &context),
        format_args!("{} bytes may be built", limits::MAX_BUILT_BYTES),
    );
    refused(
        stage,
        "50,000 parentheses",
        ClaimCheck::compile(&("(".repeat(50_000) + &")".repeat(50_000))),
        format_args!("depth {}", limits::MAX_DEPTH),
    );
    refused(
        stage,
        "a rule of 200,000 code points",
        ClaimCheck::compile(&" ".repeat(200_000)),
        format_args!("length {}", limits::MAX_SOURCE_CODE_POINTS),
    );
    refused(
        stage,
        "a pattern that unfolds to a million states",
        ClaimCheck::compile("claims.l[0].matches('(a{1000}){1000}')"),
        "patterns of bounded size",
    );
    let slow = ClaimCheck::compile("claims.s.matches('^(a+)+$')")?;
    let text = format!("{{\"s\":\"{}b\"}}", "a".repeat(20_000));
    let decided = stage.time("(a+)+$ against 20,000 letters", || {
        slow.decide(text.as_bytes(), &context)
    });
    stage.check(
        "a pattern that makes others backtrack for ever",
        "Ok(false)",
        format!("{decided:?}"),
    );
    stage.blocked(
        "catastrophic backtracking",
        "automata, time linear in the text",
        "CEL specification, Regular Expressions",
    );
    Ok(())
}

/// An attack that must end in an error, whose first line is shown.
fn refused<T, E: Display>(
    stage: &mut Stage<'_>,
    attack: &str,
    result: Result<T, E>,
    by: impl Display,
) {
    let told = match result {
        Ok(_) => "it was let through".to_owned(),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.chars().take(100).collect()
        }
    };
    stage.check(attack, true, told != "it was let through");
    stage.blocked(attack, by, told);
}
