//! Proves that each fault that can be put into a good certificate is found, under the number of its check, and that nothing is found in those
//! without; the same certificates are shown to pkilint in crates/interop/tests/ca_judges.rs.
#![allow(clippy::unwrap_used)]

mod lint_support;

use lint_support::{Good, mutants};
use proptest::prelude::*;
use stampmill_local_ca::{
    Authority, AuthorityProfile, CertificateRequest, Finding, Profile, RuleSet, Severity, lint,
    lint_checks, now,
};

/// Leaf, issuing authority and root.
fn good() -> [Vec<u8>; 3] {
    let authority = Authority::generate(&AuthorityProfile::new("linted"), now()).unwrap();
    let names = ["app.test".parse().unwrap()];
    let (request, _) = CertificateRequest::new("app.test", &names).unwrap();
    let leaf = authority.issue(&request, &Profile::server()).unwrap();
    [
        leaf.der(),
        authority.issuing().der(),
        authority.root().der(),
    ]
}

fn errors(der: &[u8]) -> Vec<Finding> {
    let (_, mut findings) = lint(der, RuleSet::Private).unwrap();
    findings.retain(|one| one.severity == Severity::Error);
    findings
}

#[test]
fn each_fault_is_found_by_its_number() {
    let [leaf, issuing, root] = good();
    for der in [&leaf, &issuing, &root] {
        assert_eq!(errors(der), []);
    }
    // as many as docs/04 says
    assert_eq!(lint_checks(), 43);
    let good = Good {
        leaf: &leaf,
        issuing: &issuing,
        root: &root,
    };
    let silent: Vec<String> = mutants(&good)
        .into_iter()
        .filter_map(|mutant| {
            let name = mutant.name;
            let (_, found) = lint(&mutant.der, RuleSet::Private).unwrap();
            let said = found.iter().any(|one| {
                let error = one.severity == Severity::Error && one.check == mutant.check;
                error && one.message.starts_with(mutant.says)
            });
            (!said).then(|| format!("{name}: {found:?}"))
        })
        .collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A byte changed, left out or put in ends in findings or a refusal.
    #[test]
    fn noise_in_a_certificate_ends_nothing(at in any::<prop::sample::Index>(), byte in any::<u8>(), way in 0..3) {
        static GOOD: std::sync::OnceLock<[Vec<u8>; 3]> = std::sync::OnceLock::new();
        for der in GOOD.get_or_init(good) {
            let mut der = der.clone();
            let at = at.index(der.len());
            match way {
                0 => der[at] = byte,
                1 => drop(der.remove(at)),
                _ => der.insert(at, byte),
            }
            let _ = lint(&der, RuleSet::PublicLike);
        }
    }
}

/// The walk says where, also when there is nothing else to say.
#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let [leaf, ..] = good();
    for (bytes, said) in [
        (&leaf[..leaf.len() - 1], "offset 0: a length"),
        (&[0x30, 0x80, 0, 0][..], "offset 0: a length"),
        (&[0x30, 3, 2, 1, 0], "offset 2: tbs"),
    ] {
        let refused = lint(bytes, RuleSet::Private).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}

/// As deep as the file is long, in an extension whose value may be anything.
#[test]
fn depth_is_bounded() {
    let mut inside = Vec::new();
    for _ in 0..2_000 {
        let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
        inside = match inside.len() {
            0..0x80 => [&[0x30, length[1]][..], &inside].concat(),
            0x80..0x100 => [&[0x30, 0x81, length[1]][..], &inside].concat(),
            _ => [&[0x30, 0x82, length[0], length[1]][..], &inside].concat(),
        };
    }
    let [leaf, ..] = good();
    let deep = lint_support::with_subject(&leaf, &inside);
    let found = errors(&deep);
    let said = |one: &Finding| one.check == "G7" && one.message.contains("nested too deeply");
    assert!(found.iter().any(said), "{found:?}");
}
