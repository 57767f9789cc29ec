//! The checks of what stands in names, of keys that others can have, and of what an issuing authority says about itself.

use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::X509Extension;

use super::algorithms::has_fixed_length;
use super::input::{CA_ISSUERS, Input};
use super::{Found, error, unless, warning};
use crate::keys::{KeyError, PublicKey};

/// Parts of domain names and mail addresses, which are IA5String (RFC 4519 §2.4, RFC 5280 §4.1.2.6).
const IN_ASCII: &[&str] = &["0.9.2342.19200300.100.1.25", "1.2.840.113549.1.9.1"];

/// G11: country in two letters of PrintableString, everything else in UTF8String or PrintableString, from the large to the small.
pub(super) fn name_forms(input: &Input<'_>) -> Found {
    const ORDER: &[&str] = &["2.5.4.6", "2.5.4.8", "2.5.4.7", "2.5.4.10", "2.5.4.3"];
    let attributes: Vec<(String, u32, &[u8])> = input
        .certificate
        .subject()
        .iter_attributes()
        .map(|one| {
            let value = one.attr_value();
            (one.attr_type().to_id_string(), value.tag().0, value.data)
        })
        .collect();
    let country = attributes.iter().find(|(kind, ..)| kind == ORDER[0]);
    let letters = |value: &[u8]| value.len() == 2 && value.iter().all(u8::is_ascii_uppercase);
    if country.is_some_and(|(_, tag, value)| *tag != 19 || !letters(value)) {
        return error("a country is two capital letters, in PrintableString");
    }
    if attributes.iter().any(|(_, _, value)| value.is_empty()) {
        return error("an empty name: what has nothing to say is left out");
    }
    if let Some((kind, most)) = attributes.iter().find_map(too_long) {
        return error(format!(
            "more than {most} characters in the attribute {kind}"
        ));
    }
    let odd = attributes.iter().any(|(kind, tag, _)| match tag {
        12 | 19 => false,
        22 => !IN_ASCII.contains(&kind.as_str()),
        _ => true,
    });
    if odd {
        return error("a name in another string type than UTF8String or PrintableString");
    }
    let places: Vec<usize> = attributes
        .iter()
        .filter_map(|(kind, ..)| ORDER.iter().position(|known| known == kind))
        .collect();
    if !places.is_sorted() {
        return error(
            "attributes out of order: country, state, locality, organization, common name",
        );
    }
    unless(
        places.windows(2).all(|pair| pair[0] != pair[1]),
        error("country, state, locality, organization or common name twice"),
    )
}

/// G11: whoever issues certificates has a name.
pub(super) fn names_present(input: &Input<'_>) -> Found {
    if input.certificate.issuer().iter().next().is_none() {
        return error("an empty issuer: nobody is known by no name");
    }
    let nameless = input.certificate.subject().iter().next().is_none();
    unless(
        !(nameless && input.is_authority()),
        error("an authority with an empty subject: what it issues has no issuer"),
    )
}

/// Most characters of what is in names (RFC 5280 Appendix A.1, RFC 1035 §2.3.4 for a label).
const LONGEST: &[(&str, usize)] = &[
    ("2.5.4.3", 64),
    ("2.5.4.5", 64),
    ("2.5.4.7", 128),
    ("2.5.4.8", 128),
    ("2.5.4.10", 64),
    ("2.5.4.11", 64),
    ("2.5.4.12", 64),
    ("0.9.2342.19200300.100.1.25", 63),
    ("1.2.840.113549.1.9.1", 255),
];

/// What there is too much of, if it is text in octets.
fn too_long((kind, _, value): &(String, u32, &[u8])) -> Option<(String, usize)> {
    let (_, most) = LONGEST.iter().find(|(known, _)| known == kind)?;
    let text = std::str::from_utf8(value).ok()?;
    (text.chars().count() > *most).then(|| (kind.clone(), *most))
}

/// C2: a mail address in the subject is one of the names (RFC 5280 §4.1.2.6).
pub(super) fn mail_is_a_name(input: &Input<'_>) -> Found {
    let names = input.names().map_or(&[][..], |(_, names)| names);
    let named = |address: &str| {
        names
            .iter()
            .any(|name| matches!(name, GeneralName::RFC822Name(named) if *named == address))
    };
    let mut all = input.certificate.subject().iter_email();
    let stray = all.any(|one| one.as_str().is_ok_and(|address| !named(address)));
    unless(
        !stray,
        error("a mail address in the subject that is none of the names"),
    )
}

/// K1 and K2 in the words of what refuses such a key in a request.
fn refused(input: &Input<'_>) -> Option<KeyError> {
    PublicKey::from_spki(input.certificate.public_key().raw).err()
}

pub(super) fn exponent(input: &Input<'_>) -> Found {
    match refused(input) {
        Some(error @ KeyError::RsaExponent) => self::error(error.to_string()),
        // that those of a fixed length are whole is asked without OpenSSL, which may be too old to know them
        Some(error @ KeyError::Damaged) if !has_fixed_length(input) => {
            self::error(error.to_string())
        }
        _ => None,
    }
}

pub(super) fn known_key(input: &Input<'_>) -> Found {
    match refused(input) {
        Some(error @ KeyError::Weak { .. }) => self::error(error.to_string()),
        _ => None,
    }
}

/// I4: without it the authority's leaves are good for mail and code as well.
pub(super) fn issuing_purposes(input: &Input<'_>) -> Found {
    unless(
        input.purposes().is_some(),
        warning("no extendedKeyUsage: what is below it is not bounded to TLS"),
    )
}

/// I5: where its own status is, and under which policy it issues.
pub(super) fn issuing_pointers(input: &Input<'_>) -> Found {
    let has = |wanted| input.extension(wanted).is_some();
    if !has(|one| matches!(one, ParsedExtension::CRLDistributionPoints(_))) {
        return error("no cRLDistributionPoints");
    }
    let access = input.access().unwrap_or_default();
    if !access.iter().any(|one| one == CA_ISSUERS) {
        return error("no authorityInfoAccess with caIssuers");
    }
    super::leaves::policy(input)
}

/// S14: the only feature in use is status_request, 5.
pub(super) fn tls_feature(input: &Input<'_>) -> Found {
    let mut all = input.certificate.extensions().iter();
    let feature =
        all.find(|one: &&X509Extension<'_>| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.24");
    unless(
        feature.is_none_or(|one| one.value == [0x30, 3, 2, 1, 5]),
        error("tlsfeature with something else than status_request"),
    )
}
