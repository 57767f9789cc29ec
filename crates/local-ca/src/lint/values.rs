//! What the values of extensions say that RFC 5280 forbids, though their form is right.

use std::collections::HashSet;

use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::X509Extension;

use super::extensions::TIMESTAMPS;
use super::input::{DECIPHER_ONLY, ENCIPHER_ONLY, Input};
use super::{Found, error, unless};
use crate::der::{self, Der, NotDer, oid};
use crate::names::shown;

const ANY_POLICY: &str = "2.5.29.32.0";

/// RFC 5280 §4.2.1.4: a policy once.
pub(super) fn policies_once(input: &Input<'_>) -> Found {
    let mut seen = HashSet::new();
    let twice = policies(input)
        .into_iter()
        .find(|policy| !seen.insert(policy.clone()));
    twice.and_then(|twice| error(format!("the policy {twice} stands there twice")))
}

/// Whoever says that all policies hold has none to add (Baseline Requirements §7.1.2.10.5).
pub(super) fn any_policy_alone(input: &Input<'_>) -> Found {
    let policies = policies(input);
    unless(
        policies.len() < 2 || !policies.iter().any(|policy| policy == ANY_POLICY),
        error("anyPolicy beside another policy"),
    )
}

pub(super) fn policies(input: &Input<'_>) -> Vec<String> {
    let policies = input
        .extension(|one| matches!(one, ParsedExtension::CertificatePolicies(_)))
        .map(X509Extension::parsed_extension);
    match policies {
        Some(ParsedExtension::CertificatePolicies(policies)) => policies
            .iter()
            .map(|policy| policy.policy_id.to_id_string())
            .collect(),
        _ => Vec::new(),
    }
}

/// RFC 5280 §4.2.1.13: reasons alone point nowhere.
pub(super) fn points_somewhere(input: &Input<'_>) -> Found {
    let points = input
        .certificate
        .extensions()
        .iter()
        .find(|one| one.oid.as_bytes() == oid::CRL_DISTRIBUTION_POINTS)?;
    let mut points = der::only(points.value, der::SEQUENCE).ok()?.inside();
    let mut only_reasons = false;
    while let Ok(point) = points.element() {
        let tag = point.inside().peek();
        only_reasons |= tag == Some(0x81) && elements(point.inside()) == Ok(1);
    }
    unless(
        !only_reasons,
        error("a distribution point with reasons alone, and no place"),
    )
}

fn elements(mut der: Der<'_>) -> Result<usize, NotDer> {
    let mut count = 0;
    while !der.is_empty() {
        der.element()?;
        count += 1;
    }
    Ok(count)
}

/// RFC 5280 §4.2.1.13, §4.2.2.1: where something is found is an absolute URI.
pub(super) fn absolute_pointers(input: &Input<'_>) -> Found {
    let relative = input
        .certificate
        .extensions()
        .iter()
        .flat_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CRLDistributionPoints(points) => points
                .iter()
                .filter_map(|point| match &point.distribution_point {
                    Some(DistributionPointName::FullName(names)) => Some(names.iter()),
                    _ => None,
                })
                .flatten()
                .collect(),
            ParsedExtension::AuthorityInfoAccess(access) => {
                let all = access.accessdescs.iter();
                all.map(|one| &one.access_location).collect()
            }
            _ => Vec::new(),
        })
        .find_map(|name| match name {
            GeneralName::URI(uri) if url::Url::parse(uri).is_err() => Some(uri),
            _ => None,
        });
    relative.and_then(|uri| error(format!("`{}` is no absolute URI", shown(uri))))
}

/// RFC 6962 §3.3: an OCTET STRING of a list that is not empty, with lengths of two octets before it and before each in it.
pub(super) fn timestamps(input: &Input<'_>) -> Found {
    let mut all = input.certificate.extensions().iter();
    let list = all.find(|one| one.oid.as_bytes() == TIMESTAMPS)?;
    let list = der::only(list.value, der::OCTET_STRING).ok()?.contents;
    let good = vector(list).is_some_and(|(mut inside, behind)| {
        let mut good = behind.is_empty() && !inside.is_empty();
        while let (true, false) = (good, inside.is_empty()) {
            match vector(inside) {
                Some((one, rest)) if !one.is_empty() => inside = rest,
                _ => good = false,
            }
        }
        good
    });
    unless(
        good,
        error("signedCertificateTimestampList is empty, or its lengths do not fit"),
    )
}

fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// RFC 5280 §4.2.1.10: subtrees begin at once and never end, and addresses have a mask of ones before zeros.
pub(super) fn subtrees(input: &Input<'_>) -> Found {
    let constraints = input.extension(|one| matches!(one, ParsedExtension::NameConstraints(_)))?;
    if bounded(constraints.value) == Ok(true) {
        return error("name constraints with a minimum or a maximum");
    }
    let ParsedExtension::NameConstraints(parsed) = constraints.parsed_extension() else {
        return None;
    };
    let lists = [&parsed.permitted_subtrees, &parsed.excluded_subtrees];
    let mut bases = lists.into_iter().flatten().flatten().map(|one| &one.base);
    let odd = bases.any(|base| matches!(base, GeneralName::IPAddress(octets) if !is_range(octets)));
    unless(
        !odd,
        error("name constraints for addresses that are no address and mask"),
    )
}

fn bounded(value: &[u8]) -> Result<bool, NotDer> {
    let mut lists = der::only(value, der::SEQUENCE)?.inside();
    while !lists.is_empty() {
        let mut subtrees = lists.element()?.inside();
        while !subtrees.is_empty() {
            if elements(subtrees.expect(der::SEQUENCE)?.inside())? > 1 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn is_range(octets: &[u8]) -> bool {
    let (_, mask) = octets.split_at(octets.len() / 2);
    let bits = mask
        .iter()
        .fold(0_u128, |bits, octet| bits << 8 | u128::from(*octet));
    let width = 8 * u32::try_from(mask.len()).unwrap_or(u32::MAX / 8);
    matches!(octets.len(), 8 | 32) && bits.count_ones() + bits.trailing_zeros().min(width) == width
}

/// RFC 5280 §4.2.1.9: how long a path below it may be is said by who can sign certificates. (That an authority can is asked by R2 and I2.)
pub(super) fn path_length_of_leaves(input: &Input<'_>) -> Found {
    let constraints = input.certificate.basic_constraints().ok().flatten()?.value;
    unless(
        constraints.path_len_constraint.is_none(),
        error("pathLenConstraint of what is no authority"),
    )
}

/// RFC 5280 §4.2.1.3: some bit, and never both that narrow keyAgreement down.
pub(super) fn usage_bits(flags: u16) -> Found {
    const BOTH: u16 = ENCIPHER_ONLY | DECIPHER_ONLY;
    match flags {
        0 => error("keyUsage without any use"),
        both if both & BOTH == BOTH => error("encipherOnly and decipherOnly at once"),
        _ => None,
    }
}
