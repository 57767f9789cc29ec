//! A chain judged step by step, in the order in which RFC 5280 §6 does it: what a verifier asks of each certificate, what it finds, and which
//! rule that is. [`verify`](crate::verify()) gives OpenSSL's verdict on the same; a test holds the two against each other.
//!
//! ```text
//!   leaf ──issuer's name──▶ intermediate ──issuer's name──▶ root, which is trusted because somebody put it there
//!    │ signature, life        │ signature, life, CA, keyCertSign,      │ life, CA, keyCertSign, path length, names
//!    │ names, purpose         │ path length, names, purpose            │
//! ```

use crate::certificate::Certificate;
use crate::constraints::NameConstraints;
use crate::der::{self, oid};
use crate::keys::{KeyError, PublicKey};
use crate::moment::{now, utc};
use crate::names::SubjectAltName;
use crate::status;
use crate::subject;
use crate::verify::{Purpose, VerifyOptions};

/// One question that a verifier asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Which certificate: 0 is the leaf.
    pub depth: usize,
    /// Whose, for people.
    pub subject: String,
    /// What is asked.
    pub question: &'static str,
    /// What is found.
    pub found: String,
    /// Whether that is good enough.
    pub ok: bool,
    /// The rule.
    pub rule: &'static str,
}

/// Longest chain that is followed.
const MAX_DEPTH: usize = 10;
/// Extensions that this walk looks at, or that say nothing about a chain.
const UNDERSTOOD: &[&[u8]] = &[
    oid::BASIC_CONSTRAINTS,
    oid::KEY_USAGE,
    oid::EXTENDED_KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::NAME_CONSTRAINTS,
    oid::CERTIFICATE_POLICIES,
    oid::CRL_DISTRIBUTION_POINTS,
];

/// Builds a certificate's chain to one of `roots`, and asks every question, also after one was answered badly.
#[must_use]
pub fn verify_by_hand(
    leaf: &Certificate,
    roots: &[Certificate],
    options: &VerifyOptions,
) -> Vec<Step> {
    let moment = options.at.unwrap_or_else(now);
    let mut walk = Walk { steps: Vec::new() };
    let (chain, trusted) = build(leaf, roots);
    for (depth, certificate) in chain.iter().enumerate() {
        let issuer = chain.get(depth + 1);
        walk.issuer(
            depth,
            certificate,
            issuer,
            depth + 1 == chain.len() && trusted,
        );
        walk.life(depth, certificate, moment);
        walk.strength(depth, certificate);
        walk.criticals(depth, certificate);
        if depth > 0 {
            walk.authority(depth, certificate);
            walk.names_within(depth, certificate, leaf);
        }
        let anchor = trusted && depth + 1 == chain.len();
        walk.purpose(depth, certificate, options.purpose, anchor);
    }
    let (lists, answers) = (&options.lists, &options.answers);
    walk.steps
        .extend(status::steps(&chain, trusted, lists, answers, moment));
    if let Some(host) = &options.host {
        walk.host(leaf, host);
    }
    walk.steps
}

/// Follows issuers' names, first into the roots, then into what came with the leaf.
fn build(leaf: &Certificate, roots: &[Certificate]) -> (Vec<Certificate>, bool) {
    let sent = sent_with(leaf);
    let mut chain = vec![leaf.clone()];
    while chain.len() < MAX_DEPTH {
        let last = chain.last().expect("it begins with the leaf");
        if roots
            .iter()
            .any(|root| root.der_bytes() == last.der_bytes())
        {
            return (chain, true);
        }
        let wanted = last.parsed().issuer;
        let is_issuer = |one: &&Certificate| {
            one.parsed().subject == wanted && one.der_bytes() != last.der_bytes()
        };
        let mut known = roots.iter().filter(is_issuer);
        // of several with the name, the one whose key fits
        let fits = |one: &&Certificate| last.verifies_by_openssl(one);
        let root = known.clone().find(fits).or_else(|| known.next());
        if let Some(root) = root {
            chain.push(root.clone());
            return (chain, true);
        }
        match sent.iter().find(is_issuer) {
            Some(next) if !chain.iter().any(|one| one.der_bytes() == next.der_bytes()) => {
                chain.push(next.clone());
            }
            _ => return (chain, false),
        }
    }
    (chain, false)
}

/// The intermediates that came with the leaf.
pub(crate) fn sent_with(leaf: &Certificate) -> Vec<Certificate> {
    leaf.intermediates_by_openssl()
        .unwrap_or_default()
        .iter()
        .filter_map(|one| Certificate::from_der(&one.to_der().ok()?).ok())
        .collect()
}

struct Walk {
    steps: Vec<Step>,
}

impl Walk {
    fn step(
        &mut self,
        depth: usize,
        certificate: &Certificate,
        question: &'static str,
        (ok, found): (bool, String),
        rule: &'static str,
    ) {
        self.steps.push(Step {
            depth,
            subject: name_of(certificate),
            question,
            found,
            ok,
            rule,
        });
    }

    fn issuer(
        &mut self,
        depth: usize,
        certificate: &Certificate,
        issuer: Option<&Certificate>,
        anchor: bool,
    ) {
        let wanted = subject::display(certificate.parsed().issuer);
        let found = match issuer {
            _ if anchor => (
                true,
                "it is one of the roots we were given: trusted, not proved".to_owned(),
            ),
            None => (false, format!("nobody here is called {wanted}")),
            Some(issuer) => {
                let good = certificate.verifies_by_openssl(issuer);
                let verb = if good { "verifies" } else { "does not verify" };
                (
                    good,
                    format!("the signature {verb} under the key of {wanted}"),
                )
            }
        };
        self.step(
            depth,
            certificate,
            "who vouches for it?",
            found,
            "RFC 5280 §6.1.3 (a)(1)",
        );
    }

    fn life(&mut self, depth: usize, certificate: &Certificate, moment: i64) {
        let (start, end) = (certificate.not_before(), certificate.not_after());
        let found = match moment {
            early if early < start => (false, format!("it begins on {}", utc(start))),
            late if late > end => (false, format!("it ended on {}", utc(end))),
            _ => (true, format!("until {}", utc(end))),
        };
        self.step(
            depth,
            certificate,
            "is it its time?",
            found,
            "RFC 5280 §6.1.3 (a)(2)",
        );
    }

    /// Of the key, and of the digest that was signed for it.
    fn strength(&mut self, depth: usize, certificate: &Certificate) {
        let parsed = certificate.parsed();
        let found = match (PublicKey::from_spki(parsed.spki), parsed.signature_name) {
            (_, weak @ (oid::SHA1_WITH_RSA | oid::ECDSA_WITH_SHA1)) => (
                false,
                format!("signed as {}: SHA-1 is broken", oid::name(weak)),
            ),
            (Ok(key), _) => (true, key.describe()),
            // other curves and sizes are not weak for that
            (Err(KeyError::Type), _) => (true, "a kind that is not certified here".to_owned()),
            (Err(error), _) => (false, error.to_string()),
        };
        let rule = "Baseline Requirements §6.1.5, §7.1.3";
        self.step(
            depth,
            certificate,
            "are key and digest strong?",
            found,
            rule,
        );
    }

    fn criticals(&mut self, depth: usize, certificate: &Certificate) {
        let unknown = certificate
            .parsed()
            .criticals()
            .into_iter()
            .find(|kind| !UNDERSTOOD.contains(kind));
        let found = match unknown {
            None => (true, "yes".to_owned()),
            Some(kind) => (
                false,
                format!("{} is critical, and unknown", oid::name(kind)),
            ),
        };
        self.step(
            depth,
            certificate,
            "is all that is critical known?",
            found,
            "RFC 5280 §6.1.4 (o), §6.1.5 (f)",
        );
    }

    fn authority(&mut self, depth: usize, certificate: &Certificate) {
        let parsed = certificate.parsed();
        let found = match (parsed.is_authority(), parsed.may(5)) {
            (true, true) => (true, "CA:TRUE, keyCertSign".to_owned()),
            (false, _) => (false, "basicConstraints does not say CA:TRUE".to_owned()),
            (true, false) => (false, "keyUsage does not say keyCertSign".to_owned()),
        };
        let rule = "RFC 5280 §6.1.4 (k), (n)";
        self.step(depth, certificate, "may it sign certificates?", found, rule);
        if let Some(length) = path_length(certificate) {
            let below = depth - 1;
            let found = (
                below <= length,
                format!("{below} below it, {length} allowed"),
            );
            self.step(
                depth,
                certificate,
                "may so many stand below it?",
                found,
                "RFC 5280 §6.1.4 (l)",
            );
        }
    }

    fn names_within(&mut self, depth: usize, certificate: &Certificate, leaf: &Certificate) {
        let Some(value) = certificate.parsed().extension(oid::NAME_CONSTRAINTS) else {
            return;
        };
        let found = match NameConstraints::read(value) {
            Err(_) => (false, "they cannot be read".to_owned()),
            Ok(constraints) => {
                let outside = leaf.names().into_iter().find(|name| {
                    let free = matches!(name, SubjectAltName::Email(_) | SubjectAltName::Uri(_))
                        && constraints.has_kind_of(name);
                    !free && !constraints.permits(name)
                });
                match outside {
                    Some(name) => (false, format!("{name} is none of {constraints}")),
                    None => (true, format!("all within {constraints}")),
                }
            }
        };
        let question = "is it good for the leaf's names?";
        self.step(
            depth,
            certificate,
            question,
            found,
            "RFC 5280 §6.1.3 (b), (c)",
        );
    }

    /// An authority's purposes bound those below it; a root's are not asked for. A responder's are asked for by name: who says nothing is
    /// none (RFC 6960 §4.2.2.2), and it stands right below who made it one.
    fn purpose(&mut self, depth: usize, certificate: &Certificate, asked: Purpose, anchor: bool) {
        let Some((wanted, question)) = asked.row().wanted else {
            return;
        };
        let responder = asked == Purpose::Ocsp;
        let found = match purposes(certificate) {
            _ if responder && depth > 0 => return,
            None if responder => (false, "it names none".to_owned()),
            None if anchor || depth > 0 => return,
            None => (true, "it names none, and so is good for all".to_owned()),
            Some(all) => {
                let good = all
                    .iter()
                    .any(|one| one == wanted || (one == oid::ANY_EXTENDED_KEY_USAGE && !responder));
                let names: Vec<String> = all.iter().map(|one| oid::name(one)).collect();
                (good, names.join(", "))
            }
        };
        self.step(depth, certificate, question, found, "RFC 5280 §4.2.1.12");
    }

    fn host(&mut self, leaf: &Certificate, host: &SubjectAltName) {
        let names = leaf.names();
        let good = names.iter().any(|name| matches(name, host));
        let list: Vec<String> = names.iter().map(ToString::to_string).collect();
        let found = match (good, list.is_empty()) {
            (true, _) => (true, format!("{host} is among {}", list.join(", "))),
            (false, true) => (
                false,
                "it names nothing (a common name is no name)".to_owned(),
            ),
            (false, false) => (false, format!("{host} is none of {}", list.join(", "))),
        };
        self.step(
            0,
            leaf,
            "is it the one we asked for?",
            found,
            "RFC 9525 §6.3",
        );
    }
}

/// Whether a name of the certificate stands for the host: equal, or with `*` for exactly one label.
fn matches(name: &SubjectAltName, host: &SubjectAltName) -> bool {
    match (name, host) {
        (SubjectAltName::Dns(pattern), SubjectAltName::Dns(host)) => {
            match pattern.as_str().strip_prefix("*.") {
                Some(rest) => host
                    .as_str()
                    .split_once('.')
                    .is_some_and(|(label, parent)| !label.is_empty() && parent == rest),
                None => pattern == host,
            }
        }
        (one, other) => one == other,
    }
}

pub(crate) fn name_of(certificate: &Certificate) -> String {
    let parsed = certificate.parsed();
    match subject::attributes(parsed.subject).is_empty() {
        false => subject::display(parsed.subject),
        true => certificate
            .names()
            .first()
            .map_or("(no name)".to_owned(), ToString::to_string),
    }
}

fn path_length(certificate: &Certificate) -> Option<usize> {
    let value = certificate.parsed().extension(oid::BASIC_CONSTRAINTS)?;
    let mut constraints = der::only(value, der::SEQUENCE).ok()?.inside();
    constraints.optional(der::BOOLEAN).ok()?;
    let length = constraints.optional(der::INTEGER).ok()??;
    length.contents.iter().try_fold(0_usize, |number, byte| {
        number.checked_mul(256)?.checked_add(usize::from(*byte))
    })
}

pub(crate) fn purposes(certificate: &Certificate) -> Option<Vec<Vec<u8>>> {
    let value = certificate.parsed().extension(oid::EXTENDED_KEY_USAGE)?;
    let mut list = der::only(value, der::SEQUENCE).ok()?.inside();
    let mut found = Vec::new();
    while let Ok(purpose) = list.expect(der::OID) {
        found.push(purpose.contents.to_vec());
    }
    Some(found)
}
