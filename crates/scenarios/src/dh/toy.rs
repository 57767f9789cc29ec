//! `dh_toy`: p = 23, g = 5, small enough to see everything and to break by trying.

use std::collections::BTreeSet;

use anyhow::Context;
use rand::rngs::SysRng;
use stampmill_dh::{Group, KeyPair};
use stampmill_modexp::Modulus;

use super::number;
use crate::stage::Stage;

const DRAWS: usize = 6;

pub(crate) fn toy(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let group = Group::toy();
    let alice = KeyPair::from_private(group, &[3])?;
    let bob = KeyPair::from_private(group, &[2])?;
    the_posts_run(stage, &alice, &bob)?;
    what_eve_does(stage, &alice, &bob)?;
    random_draws(stage)?;
    degenerate_values(stage)?;
    real_sizes(stage)
}

fn the_posts_run(stage: &mut Stage<'_>, alice: &KeyPair, bob: &KeyPair) -> anyhow::Result<()> {
    stage.heading("The post's run: p = 23, g = 5, Alice draws a = 3, Bob draws b = 2");
    let by_hand = |base: &dyn std::fmt::Display, exponent: u8| {
        format!("python3 -c 'print(pow({base}, {exponent}, 23))'")
    };
    let (a, b) = (alice.public(), bob.public());
    stage.compute_as("Alice sends A = g^a mod p", &[], a, by_hand(&5, 3));
    stage.compute_as("Bob sends B = g^b mod p", &[], b, by_hand(&5, 2));
    let alices = number(alice.agree(b)?.as_bytes());
    let bobs = number(bob.agree(a)?.as_bytes());
    stage.compute_as("Alice computes B^a mod p", &[], &alices, by_hand(b, 3));
    stage.compute_as("Bob computes A^b mod p", &[], &bobs, by_hand(a, 2));
    stage.check("A", 10, a);
    stage.check("B", 2, b);
    stage.check("Alice's secret", 8, alices);
    stage.check("Bob's secret", 8, bobs);
    Ok(())
}

fn what_eve_does(stage: &mut Stage<'_>, alice: &KeyPair, bob: &KeyPair) -> anyhow::Result<()> {
    stage.heading("What Eve does: she knows p, g, A and B, and tries");
    let powers = powers_of_g()?;
    let mark = |power: u8| {
        let is = |pair: &KeyPair| pair.public().as_bytes() == [power];
        match (is(alice), is(bob)) {
            (true, _) => " <- A",
            (_, true) => " <- B",
            _ => "",
        }
    };
    let table: Vec<String> = powers
        .iter()
        .map(|&(x, power)| format!("5^{x:<2} = {power}{}", mark(power)))
        .collect();
    stage.listing("5^x mod 23 for every x", columns(&table, 11));
    let different: BTreeSet<u8> = powers.iter().map(|&(_, power)| power).collect();
    stage.check("residues that occur", 22, different.len());
    stage.note(
        "Each of 1 to 22 occurs once: 5 is a primitive root modulo 23. A base without that property reaches fewer \
         values, and Eve has fewer to try.",
    );
    let a = powers
        .iter()
        .find(|&&(_, power)| alice.public().as_bytes() == [power])
        .map(|&(x, _)| x)
        .context("the generator reaches every residue, so A is among its powers")?;
    stage.check("Eve finds a", number(alice.expose_private()), a);
    let eves = KeyPair::from_private(Group::toy(), &[a])?.agree(bob.public())?;
    stage.check("and with it the secret", 8, number(eves.as_bytes()));
    stage.note(
        "Twenty-two values are tried in no time. In a group of 2048 bits there are more than 10^600 of them, and the \
         best methods known still need about as many steps as breaking a cipher with a key of 103 to 112 bits.",
    );
    Ok(())
}

fn random_draws(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("With random draws from the operating system");
    let mut lines = Vec::new();
    let mut agreed = 0;
    for _ in 0..DRAWS {
        let alice = KeyPair::generate(Group::toy(), &mut SysRng)?;
        let bob = KeyPair::generate(Group::toy(), &mut SysRng)?;
        let (ours, theirs) = (alice.agree(bob.public())?, bob.agree(alice.public())?);
        agreed += usize::from(ours.as_bytes() == theirs.as_bytes());
        lines.push(format!(
            "a = {:>2}  b = {:>2}   A = {:>2}  B = {:>2}   shared = {:>2}{}",
            number(alice.expose_private()),
            number(bob.expose_private()),
            alice.public(),
            bob.public(),
            number(ours.as_bytes()),
            remark(&alice, &bob),
        ));
    }
    stage.listing("six runs", lines.join("\n"));
    stage.check("runs in which both had the same secret", DRAWS, agreed);
    Ok(())
}

/// What is wrong with a run, if something is.
fn remark(alice: &KeyPair, bob: &KeyPair) -> &'static str {
    let degenerate = |pair: &KeyPair| pair.public().degenerate().is_some();
    let one = |pair: &KeyPair| pair.expose_private() == [1];
    if degenerate(alice) || degenerate(bob) {
        "   <- a public value is p - 1"
    } else if one(alice) || one(bob) {
        "   <- a private value is 1: the secret is the other's public value"
    } else {
        ""
    }
}

fn degenerate_values(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("Values that give the secret away");
    let minus_one = Group::toy().parse_public(&[22])?;
    let secrets: Vec<String> = (1..=6)
        .map(|x| {
            let secret = KeyPair::from_private(Group::toy(), &[x])?.agree(&minus_one)?;
            Ok(format!("22^{x} = {}", number(secret.as_bytes())))
        })
        .collect::<anyhow::Result<_>>()?;
    stage.listing(
        "22 is -1 modulo 23, so its powers take turns",
        secrets.join("   "),
    );

    let (mut runs, mut forced) = (0, 0);
    let pairs = (1..=21)
        .map(|x| KeyPair::from_private(Group::toy(), &[x]))
        .collect::<Result<Vec<_>, _>>()?;
    for alice in &pairs {
        for bob in &pairs {
            runs += 1;
            let degenerate = alice.public().degenerate().or(bob.public().degenerate());
            forced += usize::from(degenerate.is_some());
        }
    }
    stage.check(
        "runs with such a value, of all 21 · 21",
        "41 of 441",
        format!("{forced} of {runs}"),
    );
    stage.note(
        "One run in eleven, then, ends with a secret that is 1 or 22 for everyone to see. A peer who means harm can \
         choose 0, 1 or p - 1 on purpose. Named groups refuse these values; the toy accepts them to show why.",
    );
    let group = Group::modp2048();
    let p = num_bigint::BigUint::from_bytes_be(&group.p());
    for (name, value) in [
        ("0", p.clone() - &p),
        ("1", 1_u8.into()),
        ("p - 1", &p - 1_u8),
        ("p or above", p.clone()),
    ] {
        let refused = match group.parse_public(&value.to_bytes_be()) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        let expected = format!("public value is {name}; group modp2048 allows 2 to p - 2");
        stage.check_rule(
            format_args!("modp2048 refuses {name}"),
            expected,
            refused,
            "RFC 7919 §5.1",
        );
    }
    Ok(())
}

fn real_sizes(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("The same with 2048 bits");
    let group = Group::ffdhe2048();
    let alice = KeyPair::generate(group, &mut SysRng)?;
    let bob = KeyPair::generate(group, &mut SysRng)?;
    stage.compute(
        "A = 2^a mod p",
        &[("p", &number(&group.p()))],
        alice.public(),
    );
    stage.compute("B = 2^b mod p", &[], bob.public());
    // What arrives over the wire is bytes; reading them is where the checks are.
    let (a, b) = (
        group.parse_public(alice.public().as_bytes())?,
        group.parse_public(bob.public().as_bytes())?,
    );
    let engine = Modulus::new(&group.p())?.engine();
    let secret = stage.time(format_args!("Alice's B^a mod p by engine {engine}"), || {
        alice.agree(&b)
    })?;
    let key = secret.hkdf_sha256(&[], b"dh_toy", 32)?;
    let bobs = bob.agree(&a)?.hkdf_sha256(&[], b"dh_toy", 32)?;
    stage.check(
        "both derive the same key of 32 bytes by HKDF-SHA-256",
        true,
        key == bobs,
    );
    Ok(())
}

/// `(x, 5^x mod 23)` for every exponent, by the arithmetic that signs tokens: one limb is enough here.
fn powers_of_g() -> anyhow::Result<Vec<(u8, u8)>> {
    let p = Modulus::new(&Group::toy().p())?;
    (1..=22)
        .map(|x| {
            let power = p.pow(&Group::toy().g(), &[x])?;
            Ok((x, *power.last().context("a residue has at least one byte")?))
        })
        .collect()
}

/// Entries set below each other, `rows` to a column.
fn columns(entries: &[String], rows: usize) -> String {
    let lines: Vec<String> = (0..rows)
        .map(|row| {
            let line: String = entries
                .iter()
                .skip(row)
                .step_by(rows)
                .map(|entry| format!("{entry:<20}"))
                .collect();
            line.trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}
