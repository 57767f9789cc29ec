//! `stampmill dh …`: the post's exchange, the groups, and an exchange with fresh keys.

use anyhow::Context as _;
use rand::rngs::SysRng;
use serde_json::json;
use stampmill_dh::{Group, KeyPair};

use crate::cli::DhVerb;
use crate::print::Printer;

pub(crate) fn run(verb: DhVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        DhVerb::Toy { a, b } => toy(a, b, out),
        DhVerb::Group { name: None } => {
            out.rows(Group::all().map(|group| {
                vec![
                    ("name", json!(group.name())),
                    ("bits", json!(bits(&group.p()))),
                    ("source", json!(group.source())),
                ]
            }));
            Ok(())
        }
        DhVerb::Group { name: Some(name) } => {
            let group = named(&name)?;
            out.fields(&[
                ("name", json!(group.name())),
                ("source", json!(group.source())),
                ("p", json!(hex(&group.p()))),
                ("g", json!(hex(&group.g()))),
            ]);
            Ok(())
        }
        DhVerb::Exchange { group } => exchange(named(&group)?, out),
    }
}

fn toy(a: u8, b: u8, out: Printer) -> anyhow::Result<()> {
    let group = Group::toy();
    let alice = KeyPair::from_private(group, &[a])?;
    let bob = KeyPair::from_private(group, &[b])?;
    out.fields(&[
        ("p", json!(decimal(&group.p()))),
        ("g", json!(decimal(&group.g()))),
        ("alice_public", json!(decimal(alice.public().as_bytes()))),
        ("bob_public", json!(decimal(bob.public().as_bytes()))),
        (
            "alice_secret",
            json!(decimal(alice.agree(bob.public())?.as_bytes())),
        ),
        (
            "bob_secret",
            json!(decimal(bob.agree(alice.public())?.as_bytes())),
        ),
    ]);
    Ok(())
}

/// Two fresh key pairs, each side checking what it receives; the secret itself is not printed.
fn exchange(group: Group, out: Printer) -> anyhow::Result<()> {
    let alice = KeyPair::generate(group, &mut SysRng)?;
    let bob = KeyPair::generate(group, &mut SysRng)?;
    let at_bob = group.parse_public(alice.public().as_bytes())?;
    let at_alice = group.parse_public(bob.public().as_bytes())?;
    let key =
        |secret: stampmill_dh::SharedSecret| secret.hkdf_sha256(b"", b"stampmill dh exchange", 32);
    let same = key(alice.agree(&at_alice)?)? == key(bob.agree(&at_bob)?)?;
    anyhow::ensure!(same, "the two sides derived different keys");
    out.fields(&[
        ("group", json!(group.name())),
        ("alice_public", json!(hex(alice.public().as_bytes()))),
        ("bob_public", json!(hex(bob.public().as_bytes()))),
        ("same_key", json!(same)),
    ]);
    Ok(())
}

fn named(name: &str) -> anyhow::Result<Group> {
    Group::by_name(name).with_context(|| {
        let known: Vec<&str> = Group::all().map(|group| group.name()).collect();
        format!("there is no group {name:?}; known are {}", known.join(", "))
    })
}

/// The length of a number, without leading zeros.
fn bits(big_endian: &[u8]) -> usize {
    let zeros: usize = big_endian.iter().take_while(|byte| **byte == 0).count();
    let highest = big_endian
        .get(zeros)
        .map_or(0, |byte| byte.leading_zeros() as usize);
    (big_endian.len() - zeros) * 8 - highest
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The number of a toy-sized value.
fn decimal(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
