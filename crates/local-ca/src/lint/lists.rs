//! Lists of revoked certificates, by the checks L of this project's list. What takes the issuer's certificate or the list before is not asked
//! here: who signed it, whether its number rose, whether it was made in time.

use x509_parser::extensions::X509Extension;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};
use x509_parser::x509::X509Version;

use super::every::parameters_fit;
use super::strict::{self, Fault, Kind};
use super::{Found, Named, error, unless, warning};
use crate::der::{self, NotDer, oid};
use crate::moment::DAY;

type Question = fn(&List<'_>) -> Found;

/// Number, whether it binds public-like rules only, the rule, the question.
pub(super) const CHECKS: &[Named<Question>] = &[
    ("G3", false, "RFC 5280 §5.1.1.2", algorithms),
    ("G7", false, "X.690 §10, §11, RFC 5280 §5", strict_form),
    ("G8", false, "RFC 5280 §5.2", nothing_empty),
    ("L1", false, "RFC 5280 §5.1.2, §5.2", parts),
    ("L2", false, "RFC 5280 §5.2.3", number),
    ("L3", true, "Baseline Requirements §7.2", life),
    (
        "L4",
        false,
        "RFC 5280 §5.3.1, Baseline Requirements §7.2.2",
        reasons,
    ),
    ("L5", false, "RFC 5280 §5.1.2.6", empty),
    ("L7", false, "RFC 5280 §5.2.5", part),
];

/// A list, read by x509-parser; its bytes for what that does not tell.
pub(super) struct List<'a> {
    pub(super) list: CertificateRevocationList<'a>,
    pub(super) bytes: &'a [u8],
    pub(super) faults: Vec<Fault>,
}

impl<'a> List<'a> {
    fn extension(&self, name: &[u8]) -> Option<&X509Extension<'_>> {
        let mut all = self.list.extensions().iter();
        all.find(|extension| extension.oid.as_bytes() == name)
    }
}

fn algorithms(input: &List<'_>) -> Found {
    if input.list.signature_algorithm != input.list.tbs_cert_list.signature {
        return error("the two signature algorithms differ");
    }
    unless(
        parameters_fit(&input.list.signature_algorithm),
        error("the signature algorithm's parameters: NULL for RSA, absent for others"),
    )
}

fn parts(input: &List<'_>) -> Found {
    if input.list.version() != Some(X509Version::V2) {
        return error("not version 2, and so no extensions");
    }
    let Some(next) = input.list.next_update() else {
        return error("no nextUpdate: nobody knows when it is void");
    };
    if next.timestamp() <= input.list.last_update().timestamp() {
        return error("nextUpdate is not after thisUpdate");
    }
    for (name, called) in [
        (oid::AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier"),
        (oid::CRL_NUMBER, "cRLNumber"),
    ] {
        match input.extension(name) {
            None => return error(format!("no {called}")),
            Some(extension) if extension.critical => {
                return error(format!("{called} is critical"));
            }
            Some(_) => {}
        }
    }
    None
}

/// Below 2^159, in at most 20 octets.
fn number(input: &List<'_>) -> Found {
    let value = input.extension(oid::CRL_NUMBER)?.value;
    match der::only(value, der::INTEGER).map(|number| number.contents) {
        Ok([]) | Err(NotDer) => error("cRLNumber is no number"),
        Ok([first, ..]) if first & 0x80 != 0 => error("cRLNumber is negative"),
        Ok(long) if long.len() > 20 => error(format!("cRLNumber has {} octets", long.len())),
        Ok(_) => None,
    }
}

/// Of leaves at most 10 days, of authorities at most 12 months; a list does not say which it is.
fn life(input: &List<'_>) -> Found {
    let life = input.list.next_update()?.timestamp() - input.list.last_update().timestamp();
    match life {
        short if short <= 10 * DAY => None,
        long if long <= 366 * DAY => {
            warning("good for more than 10 days: only a list of authorities may be")
        }
        _ => error("good for more than 12 months"),
    }
}

fn reasons(input: &List<'_>) -> Found {
    let mut entries = input.list.iter_revoked_certificates();
    entries.find_map(reason)
}

fn reason(entry: &RevokedCertificate<'_>) -> Found {
    let (critical, code) = entry.reason_code()?;
    let of = || format!("the entry of {}", entry.raw_serial_as_string());
    match code.0 {
        _ if critical => error(format!("{}: reasonCode is critical", of())),
        0 => error(format!("{}: reason 0, unspecified, is left out", of())),
        6 => error(format!("{}: on hold, which nothing here undoes", of())),
        1 | 3 | 4 | 5 | 9 => None,
        // what can be taken of an authority; a list does not say whose entries it has
        2 => warning(format!("{}: reason 2 is for authorities only", of())),
        other => error(format!("{}: reason {other}", of())),
    }
}

/// x509-parser takes an empty list for none.
fn empty(input: &List<'_>) -> Found {
    let empty = || -> Result<bool, NotDer> {
        let mut tbs = der::only(input.bytes, der::SEQUENCE)?.inside();
        let mut tbs = tbs.expect(der::SEQUENCE)?.inside();
        tbs.optional(der::INTEGER)?;
        tbs.expect(der::SEQUENCE)?;
        tbs.expect(der::SEQUENCE)?;
        tbs.element()?;
        while matches!(tbs.peek(), Some(der::UTC_TIME | der::GENERALIZED_TIME)) {
            tbs.element()?;
        }
        let entries = tbs.optional(der::SEQUENCE)?;
        Ok(entries.is_some_and(|entries| entries.contents.is_empty()))
    };
    // what is not DER is G7
    unless(
        empty() != Ok(true),
        error("revokedCertificates is there and empty"),
    )
}

fn strict_form(input: &List<'_>) -> Found {
    strict::first(&input.faults, Kind::Form).or_else(|| strict::first(&input.faults, Kind::Time))
}

fn nothing_empty(input: &List<'_>) -> Found {
    strict::first(&input.faults, Kind::Empty)
}

fn part(input: &List<'_>) -> Found {
    let part = input.extension(oid::ISSUING_DISTRIBUTION_POINT)?;
    unless(
        part.critical,
        error("issuingDistributionPoint is not critical: a part may be taken for the whole"),
    )
}
