//! OCSP answers, by the checks P of this project's list. What takes the question is not asked here: whether it is answered, whether the nonce
//! came back.
//!
//! Nothing that this project uses reads OCSP answers but OpenSSL, which shows little of them; so they are read with the reader of [`der`].

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;

use super::{Found, Named, error, unless};
use crate::der::{self, Element, NotDer, oid};
use crate::moment::{self, DAY};

type Question = fn(&Answer<'_>) -> Found;
/// An extension's name and value.
type Extension<'a> = (&'a [u8], &'a [u8]);

/// Number, whether it binds public-like rules only, the rule, the question.
pub(super) const CHECKS: &[Named<Question>] = &[
    ("P1", false, "RFC 6960 §4.2.2.2", responder),
    ("P2", false, "RFC 6960 §4.2.1", parts),
    ("P3", false, "Baseline Requirements §4.9.9", intervals),
    ("P3", true, "Baseline Requirements §4.9.9", interval_lengths),
    ("P5", false, "RFC 6960 §4.2.1", refusals),
    ("P6", false, "RFC 9654 §2.1", nonce),
    ("P9", false, "Baseline Requirements §7.3", reasons),
];

/// Shortest and longest life of an answer there.
const LIFE: std::ops::RangeInclusive<i64> = 8 * 60 * 60..=10 * DAY;

/// `OCSPResponse`.
pub(super) struct Answer<'a> {
    status: u8,
    /// The type of what follows the status, and what it contains.
    bytes: Option<(&'a [u8], Option<Basic<'a>>)>,
}

/// `BasicOCSPResponse`.
struct Basic<'a> {
    responder: Element<'a>,
    singles: Vec<Single<'a>>,
    extensions: Vec<Extension<'a>>,
    certificate: Option<&'a [u8]>,
}

/// `SingleResponse`.
struct Single<'a> {
    status: Element<'a>,
    this_update: i64,
    next_update: Option<i64>,
    extensions: Vec<Extension<'a>>,
}

/// Whether this may be one: its first part is an ENUMERATED.
pub(super) fn is_answer(bytes: &[u8]) -> bool {
    der::only(bytes, der::SEQUENCE).is_ok_and(|outer| outer.contents.first() == Some(&0x0a))
}

impl<'a> Answer<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, NotDer> {
        let mut outer = der::only(bytes, der::SEQUENCE)?.inside();
        let [status] = outer.expect(0x0a)?.contents else {
            return Err(NotDer);
        };
        let bytes = outer.optional(der::CONTEXT_0)?;
        outer.finish()?;
        let bytes = bytes.map(|bytes| {
            let mut parts = der::only(bytes.contents, der::SEQUENCE)?.inside();
            let kind = parts.expect(der::OID)?.contents;
            let response = parts.expect(der::OCTET_STRING)?.contents;
            parts.finish()?;
            let basic = match kind == oid::OCSP_BASIC {
                true => Some(Basic::read(response)?),
                false => None,
            };
            Ok((kind, basic))
        });
        Ok(Self {
            status: *status,
            bytes: bytes.transpose()?,
        })
    }

    fn basic(&self) -> Option<&Basic<'a>> {
        self.bytes.as_ref()?.1.as_ref()
    }

    fn singles(&self) -> impl Iterator<Item = &Single<'a>> {
        self.basic().into_iter().flat_map(|basic| &basic.singles)
    }
}

impl<'a> Basic<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, NotDer> {
        let mut signed = der::only(bytes, der::SEQUENCE)?.inside();
        let mut data = signed.expect(der::SEQUENCE)?.inside();
        signed.expect(der::SEQUENCE)?;
        signed.expect(der::BIT_STRING)?;
        let certificates = signed.optional(der::CONTEXT_0)?;
        signed.finish()?;

        data.optional(der::CONTEXT_0)?;
        let responder = data.element()?;
        moment::read(data.expect(der::GENERALIZED_TIME)?)?;
        let mut list = data.expect(der::SEQUENCE)?.inside();
        let mut singles = Vec::new();
        while !list.is_empty() {
            singles.push(Single::read(list.expect(der::SEQUENCE)?)?);
        }
        let extensions = data.optional(0xa1)?;
        data.finish()?;
        let certificate = certificates.map(|list| {
            let mut list = der::only(list.contents, der::SEQUENCE)?.inside();
            Ok(list.expect(der::SEQUENCE)?.whole)
        });
        Ok(Self {
            responder,
            singles,
            extensions: extensions.map_or(Ok(Vec::new()), read_extensions)?,
            certificate: certificate.transpose()?,
        })
    }
}

impl<'a> Single<'a> {
    fn read(single: Element<'a>) -> Result<Self, NotDer> {
        let mut parts = single.inside();
        parts.expect(der::SEQUENCE)?;
        let status = parts.element()?;
        let this_update = moment::read(parts.expect(der::GENERALIZED_TIME)?)?;
        let next_update = parts.optional(der::CONTEXT_0)?.map(|next| {
            let time = der::only(next.contents, der::GENERALIZED_TIME)?;
            moment::read(time)
        });
        let extensions = parts.optional(0xa1)?;
        parts.finish()?;
        Ok(Self {
            status,
            this_update,
            next_update: next_update.transpose()?,
            extensions: extensions.map_or(Ok(Vec::new()), read_extensions)?,
        })
    }
}

/// Names and values.
fn read_extensions<'a>(tagged: Element<'a>) -> Result<Vec<Extension<'a>>, NotDer> {
    let mut list = der::only(tagged.contents, der::SEQUENCE)?.inside();
    let mut found = Vec::new();
    while !list.is_empty() {
        let mut extension = list.expect(der::SEQUENCE)?.inside();
        let name = extension.expect(der::OID)?.contents;
        extension.optional(der::BOOLEAN)?;
        found.push((name, extension.expect(der::OCTET_STRING)?.contents));
        extension.finish()?;
    }
    Ok(found)
}

/// A delegated responder's certificate is for this alone, and is not itself asked about. An authority that answers for itself brings none.
fn responder(input: &Answer<'_>) -> Found {
    let bytes = input.basic()?.certificate?;
    let Ok((_, certificate)) = X509Certificate::from_der(bytes) else {
        return error("the responder's certificate cannot be read");
    };
    let extensions = certificate.extensions();
    let purpose = extensions
        .iter()
        .find_map(|one| match one.parsed_extension() {
            ParsedExtension::ExtendedKeyUsage(purposes) => Some(purposes),
            _ => None,
        });
    let alone = purpose.is_some_and(|purpose| {
        let others = purpose.any
            || purpose.server_auth
            || purpose.client_auth
            || purpose.code_signing
            || purpose.email_protection
            || purpose.time_stamping
            || !purpose.other.is_empty();
        purpose.ocsp_signing && !others
    });
    if !alone && !certificate.is_ca() {
        return error("the responder's certificate is not for OCSPSigning alone");
    }
    let no_check = extensions
        .iter()
        .find(|one| one.oid.as_bytes() == oid::OCSP_NO_CHECK);
    match no_check {
        None if certificate.is_ca() => None,
        None => error(
            "the responder's certificate has no id-pkix-ocsp-nocheck: who asks about it asks it",
        ),
        Some(one) => unless(
            !one.critical && one.value == [5, 0],
            error("id-pkix-ocsp-nocheck is critical, or not NULL"),
        ),
    }
}

fn parts(input: &Answer<'_>) -> Found {
    if input.status != 0 {
        return None;
    }
    let Some((_, basic)) = &input.bytes else {
        return error("successful, and no responseBytes");
    };
    let Some(basic) = basic else {
        return error("an answer of another type than basic");
    };
    let named = match basic.responder.tag {
        0xa1 => true,
        // byKey: SHA-1 of the key
        0xa2 => der::only(basic.responder.contents, der::OCTET_STRING)
            .is_ok_and(|hash| hash.contents.len() == 20),
        _ => false,
    };
    if !named {
        return error("responderID is neither a name nor the hash of a key");
    }
    unless(
        !basic.singles.is_empty(),
        error("an answer about no certificate"),
    )
}

fn intervals(input: &Answer<'_>) -> Found {
    input.singles().find_map(|single| match single.next_update {
        None => error("no nextUpdate: nobody knows when it is void"),
        Some(next) => unless(
            next > single.this_update,
            error("nextUpdate is not after thisUpdate"),
        ),
    })
}

fn interval_lengths(input: &Answer<'_>) -> Found {
    input.singles().find_map(|single| {
        let life = single.next_update? - single.this_update;
        unless(
            LIFE.contains(&life),
            error(format!(
                "good for {life} seconds, not for 8 hours to 10 days"
            )),
        )
    })
}

fn refusals(input: &Answer<'_>) -> Found {
    match (input.status, &input.bytes) {
        (0, _) | (1 | 2 | 3 | 5 | 6, None) => None,
        (1 | 2 | 3 | 5 | 6, Some(_)) => error("a refusal with responseBytes"),
        (other, _) => error(format!("there is no status {other}")),
    }
}

fn nonce(input: &Answer<'_>) -> Found {
    let mut all = input.basic()?.extensions.iter();
    let (_, value) = all.find(|(name, _)| *name == oid::OCSP_NONCE)?;
    let nonce = der::only(value, der::OCTET_STRING).map_or(0, |nonce| nonce.contents.len());
    unless(
        (1..=128).contains(&nonce),
        error(format!("a nonce of {nonce} octets, 1 to 128 are allowed")),
    )
}

fn reasons(input: &Answer<'_>) -> Found {
    input.singles().find_map(|single| {
        if single
            .extensions
            .iter()
            .any(|(name, _)| *name == oid::REASON_CODE)
        {
            return error("reasonCode is an extension of lists, not of answers");
        }
        match (single.status.tag, revocation_reason(single.status)) {
            (0x80 | 0x82, _) => unless(
                single.status.contents.is_empty(),
                error("a status that is not good, revoked or unknown"),
            ),
            (0xa1, Ok(None | Some(1 | 3 | 4 | 5 | 9))) => None,
            (0xa1, Ok(Some(0))) => error("reason 0, unspecified, is left out"),
            (0xa1, Ok(Some(other))) => error(format!("reason {other} of a leaf")),
            _ => error("a status that is not good, revoked or unknown"),
        }
    })
}

/// `RevokedInfo`.
fn revocation_reason(status: Element<'_>) -> Result<Option<u8>, NotDer> {
    let mut info = status.inside();
    moment::read(info.expect(der::GENERALIZED_TIME)?)?;
    let reason = info.optional(der::CONTEXT_0)?;
    info.finish()?;
    let Some(reason) = reason else {
        return Ok(None);
    };
    match der::only(reason.contents, 0x0a)?.contents {
        [code] => Ok(Some(*code)),
        _ => Err(NotDer),
    }
}
