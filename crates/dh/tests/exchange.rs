//! Proves that exchanges give the known answers, that both sides agree, and that bad values are refused.

#![allow(clippy::unwrap_used)]

use num_bigint::BigUint;
use proptest::prelude::*;
use rand::rngs::SysRng;
use serde_json::Value;
use stampmill_dh::{
    AuthenticationError, Authenticator, DhError, Group, KeyPair, OutOfRange, PublicValueError, Role,
};

fn known_answers() -> Value {
    serde_json::from_str(include_str!("known_answers.json")).unwrap()
}

/// Hexadecimal digits to bytes, an odd digit alone in the first byte; the number of bytes is kept.
fn hex(digits: &str) -> Vec<u8> {
    let number = BigUint::parse_bytes(digits.as_bytes(), 16)
        .unwrap()
        .to_bytes_be();
    let length = digits.len().div_ceil(2);
    [vec![0; length.saturating_sub(number.len())], number].concat()
}

#[test]
fn known_exchanges() {
    let file = known_answers();
    let mut leading_zeros = 0;
    for vector in file["vectors"].as_array().unwrap() {
        let bytes = |name: &str| hex(vector[name].as_str().unwrap());
        let group = Group::by_name(vector["group"].as_str().unwrap()).unwrap();
        let alice = KeyPair::from_private(group, &bytes("a")).unwrap();
        let bob = KeyPair::from_private(group, &bytes("b")).unwrap();
        assert_eq!(alice.public().as_bytes(), bytes("A"));
        assert_eq!(bob.public().as_bytes(), bytes("B"));
        let z = bytes("z_padded");
        assert_eq!(
            alice
                .agree(&group.parse_public(&bytes("B")).unwrap())
                .unwrap()
                .as_bytes(),
            z
        );
        assert_eq!(
            bob.agree(&group.parse_public(&bytes("A")).unwrap())
                .unwrap()
                .as_bytes(),
            z
        );
        leading_zeros += usize::from(z[0] == 0);
    }
    assert!(
        leading_zeros >= 2,
        "secrets that begin with a zero byte must be among the vectors"
    );
}

#[test]
fn invalid_public_values_are_refused() {
    for entry in known_answers()["invalid_public_values"].as_array().unwrap() {
        let group = Group::by_name(entry["group"].as_str().unwrap()).unwrap();
        let expected = |name: &str| match name {
            "zero" => PublicValueError::OutOfRange {
                group,
                found: OutOfRange::Zero,
            },
            "one" => PublicValueError::OutOfRange {
                group,
                found: OutOfRange::One,
            },
            "p_minus_1" => PublicValueError::OutOfRange {
                group,
                found: OutOfRange::MinusOne,
            },
            "p" | "p_plus_1" => PublicValueError::OutOfRange {
                group,
                found: OutOfRange::NotBelowP,
            },
            "non_residue" => PublicValueError::OutsideSubgroup { group },
            other => panic!("unknown case {other}"),
        };
        for (name, value) in entry["values"].as_object().unwrap() {
            let error = group
                .parse_public(&hex(value.as_str().unwrap()))
                .unwrap_err();
            assert_eq!(error, expected(name), "{group}, {name}");
        }
        assert!(group.parse_public(&[0xff; 100_000]).is_err());
        assert!(group.parse_public(&[]).is_err());
    }
}

/// The post's group leaks: this shows what the range check would have stopped.
#[test]
fn toy_accepts_degenerate_values_and_says_what_they_are() {
    let toy = Group::toy();
    for (value, degenerate) in [
        (0, Some(OutOfRange::Zero)),
        (1, Some(OutOfRange::One)),
        (22, Some(OutOfRange::MinusOne)),
        (10, None),
    ] {
        assert_eq!(toy.parse_public(&[value]).unwrap().degenerate(), degenerate);
    }
    let found = OutOfRange::NotBelowP;
    assert_eq!(
        toy.parse_public(&[23]),
        Err(PublicValueError::OutOfRange { group: toy, found })
    );
    let minus_one = toy.parse_public(&[22]).unwrap();
    for x in 1..=21 {
        let secret = KeyPair::from_private(toy, &[x])
            .unwrap()
            .agree(&minus_one)
            .unwrap();
        assert_eq!(secret.as_bytes(), if x % 2 == 0 { [1] } else { [22] });
    }
}

#[test]
fn private_values_out_of_range_are_refused() {
    for group in Group::all() {
        let p = BigUint::from_bytes_be(&group.p());
        for bad in [
            vec![],
            vec![0],
            vec![0; 300],
            (&p - 1_u8).to_bytes_be(),
            p.to_bytes_be(),
            vec![0xff; 300],
        ] {
            let result = KeyPair::from_private(group, &bad);
            assert!(
                matches!(result, Err(DhError::PrivateValue { .. })),
                "{group}: {bad:x?}"
            );
        }
        assert!(KeyPair::from_private(group, &(&p - 2_u8).to_bytes_be()).is_ok());
        assert!(KeyPair::from_private(group, &[1]).is_ok());
    }
}

#[test]
fn generated_pairs_agree() {
    for group in Group::all() {
        for _ in 0..4 {
            let alice = KeyPair::generate(group, &mut SysRng).unwrap();
            let bob = KeyPair::generate(group, &mut SysRng).unwrap();
            let received = group.parse_public(alice.public().as_bytes()).unwrap();
            let secret = alice.agree(bob.public()).unwrap();
            assert_eq!(secret.as_bytes(), bob.agree(&received).unwrap().as_bytes());
            assert_eq!(secret.as_bytes().len(), group.byte_len());
        }
    }
}

#[test]
fn toy_draws_every_private_value_and_no_other() {
    let mut seen = [false; 256];
    for _ in 0..2000 {
        let pair = KeyPair::generate(Group::toy(), &mut SysRng).unwrap();
        seen[usize::from(pair.expose_private()[0])] = true;
    }
    let drawn: Vec<usize> = (0..256).filter(|&x| seen[x]).collect();
    assert_eq!(drawn, (1..=21).collect::<Vec<usize>>());
}

#[test]
fn groups_do_not_mix() {
    let toy = KeyPair::from_private(Group::toy(), &[3]).unwrap();
    let real = KeyPair::from_private(Group::modp2048(), &[3]).unwrap();
    assert!(matches!(
        real.agree(toy.public()),
        Err(DhError::GroupMismatch { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn exchanges_agree_with_num_bigint(a in proptest::collection::vec(1_u8.., 1..=40), b in 1_u64..) {
        for group in [Group::modp2048(), Group::ffdhe2048()] {
            let p = BigUint::from_bytes_be(&group.p());
            let [x, y] = [BigUint::from_bytes_be(&a), BigUint::from(b)];
            let alice = KeyPair::from_private(group, &a).unwrap();
            let bob = KeyPair::from_private(group, &b.to_be_bytes()).unwrap();
            let secret = alice.agree(bob.public()).unwrap();
            prop_assert_eq!(
                BigUint::from_bytes_be(secret.as_bytes()),
                BigUint::from(2_u8).modpow(&(x * y), &p)
            );
        }
    }
}

/// A stand-in for signatures: a name and a word that only that name's owner knows.
struct Word {
    own: (&'static str, &'static str),
    peer: (&'static str, &'static str),
}

impl Authenticator for Word {
    type Error = &'static str;

    fn own_name(&self) -> &str {
        self.own.0
    }

    fn peer_name(&self) -> &str {
        self.peer.0
    }

    fn sign(&self, transcript: &[u8]) -> Result<Vec<u8>, Self::Error> {
        Ok([self.own.1.as_bytes(), transcript].concat())
    }

    fn verify_peer(&self, transcript: &[u8], signature: &[u8]) -> Result<(), Self::Error> {
        let expected = [self.peer.1.as_bytes(), transcript].concat();
        if signature == expected {
            Ok(())
        } else {
            Err("not the peer's")
        }
    }
}

#[test]
fn signatures_keep_the_third_party_out() {
    let group = Group::modp2048();
    let alice_word = Word {
        own: ("alice", "a-word"),
        peer: ("bob", "b-word"),
    };
    let bob_word = Word {
        own: ("bob", "b-word"),
        peer: ("alice", "a-word"),
    };
    let [alice, bob, mallory] = [11, 12, 13].map(|x| KeyPair::from_private(group, &[x]).unwrap());

    let from_bob = bob
        .sign_exchange(Role::Responder, alice.public(), &bob_word)
        .unwrap();
    let from_alice = alice
        .sign_exchange(Role::Initiator, bob.public(), &alice_word)
        .unwrap();
    let ours = alice
        .agree_authenticated(Role::Initiator, bob.public(), &from_bob, &alice_word)
        .unwrap();
    let theirs = bob
        .agree_authenticated(Role::Responder, alice.public(), &from_alice, &bob_word)
        .unwrap();
    assert_eq!(ours.as_bytes(), theirs.as_bytes());

    let refused = |role, peer: &KeyPair, signature: &[u8]| {
        let result = match role {
            Role::Initiator => {
                alice.agree_authenticated(role, peer.public(), signature, &alice_word)
            }
            Role::Responder => bob.agree_authenticated(role, peer.public(), signature, &bob_word),
        };
        matches!(result, Err(AuthenticationError::Signature(_)))
    };
    assert!(
        refused(Role::Initiator, &mallory, &from_bob),
        "Mallory's value under Bob's signature"
    );
    assert!(
        refused(Role::Responder, &mallory, &from_alice),
        "Mallory's value under Alice's signature"
    );
    assert!(
        refused(Role::Initiator, &bob, &from_alice),
        "Alice's own signature sent back"
    );
    assert!(refused(Role::Initiator, &bob, &[]), "no signature");
}
