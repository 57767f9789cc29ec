//! Lists of revoked certificates as one who relies on them reads them (RFC 5280 §6.3.3): which list is about this certificate, whether it
//! counts, and what it says.

use openssl::x509::{X509Crl, X509Ref};

use super::{Extension, Said, reason_code, signed_by, since, step};
use crate::certificate::{Certificate, serial_text};
use crate::der::{self, Der, Element, NotDer, oid};
use crate::input::InputError;
use crate::moment::{self, utc};
use crate::path::Step;
use crate::pem;
use crate::subject;

/// A list of revoked certificates (CRL) from anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationList {
    der: Vec<u8>,
}

const RULE: &str = "RFC 5280 §6.3.3";
const WANTED: &str = "a CRL";
/// cRLSign in keyUsage.
const CRL_SIGN: usize = 6;

impl RevocationList {
    /// Reads a list in DER, or every `X509 CRL` of a file in PEM.
    ///
    /// # Errors
    /// [`InputError`] when there is none, or one is damaged.
    pub fn read(bytes: &[u8]) -> Result<Vec<Self>, InputError> {
        let ders = match pem::blocks(bytes) {
            None => vec![bytes.to_vec()],
            Some(blocks) => {
                let lists = blocks.into_iter().filter(|block| block.label == "X509 CRL");
                let lists: Result<Vec<_>, _> = lists.map(|block| block.bytes).collect();
                lists.map_err(|reason| InputError::because(WANTED, reason))?
            }
        };
        if ders.is_empty() {
            return Err(InputError::of(WANTED, bytes));
        }
        let read = |der: Vec<u8>| match Contents::read(&der) {
            Ok(_) => Ok(Self { der }),
            Err(NotDer) => Err(InputError::of(WANTED, &der)),
        };
        ders.into_iter().map(read).collect()
    }

    /// The list in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    fn contents(&self) -> Contents<'_> {
        Contents::read(&self.der).expect("it was read before")
    }
}

impl std::fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RevocationList")
            .field(&self.contents().called())
            .finish()
    }
}

/// What the lists say about one certificate. `known`: an OCSP answer has said that it is good.
pub(super) fn ask(
    lists: &[RevocationList],
    (depth, known): (usize, bool),
    certificate: &Certificate,
    issuer: &Certificate,
    moment: i64,
) -> Vec<Step> {
    let wanted = certificate.parsed().issuer;
    let all: Vec<(&RevocationList, Contents<'_>)> =
        lists.iter().map(|one| (one, one.contents())).collect();
    let mut said = Vec::new();
    let mut useless = Vec::new();
    for (list, contents) in all.iter().filter(|(_, one)| one.issuer == wanted) {
        let called = contents.called();
        match contents.speaks_of(&list.der, certificate, issuer, moment) {
            Ok(Said::No) => {
                let end = contents.next_update.map(utc).unwrap_or_default();
                said.push((true, format!("no, says {called}, good until {end}")));
            }
            Ok(Said::Yes(at, reason)) => {
                said.push((false, format!("{}, says {called}", since(at, reason))));
            }
            Err(why) => useless.push(format!("{called} {why}")),
        }
    }
    if said.is_empty() && !known {
        let why = match useless.is_empty() {
            false => useless.join("; "),
            true => {
                let others: Vec<String> = all.iter().map(|(_, one)| one.called()).collect();
                format!(
                    "no list of {} is here, only {}",
                    subject::display(wanted),
                    others.join(", ")
                )
            }
        };
        said.push((false, format!("nobody knows: {why}")));
    }
    said.into_iter()
        .map(|found| step(depth, certificate, found, RULE))
        .collect()
}

/// `CertificateList` (RFC 5280 §5.1).
struct Contents<'a> {
    signed: Element<'a>,
    algorithm: &'a [u8],
    /// The same, within what is signed.
    algorithm_signed: &'a [u8],
    signature: &'a [u8],
    issuer: &'a [u8],
    this_update: i64,
    next_update: Option<i64>,
    entries: Der<'a>,
    extensions: Vec<Extension<'a>>,
}

/// One of `revokedCertificates`.
struct Entry<'a> {
    serial: &'a [u8],
    at: i64,
    extensions: Vec<Extension<'a>>,
}

impl<'a> Contents<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, NotDer> {
        let mut outer = der::only(bytes, der::SEQUENCE)?.inside();
        let signed = outer.expect(der::SEQUENCE)?;
        let algorithm = outer.expect(der::SEQUENCE)?.whole;
        let signature = outer.expect(der::BIT_STRING)?.contents;
        let signature = signature.strip_prefix(&[0]).ok_or(NotDer)?;
        outer.finish()?;

        let mut tbs = signed.inside();
        tbs.optional(der::INTEGER)?;
        let algorithm_signed = tbs.expect(der::SEQUENCE)?.whole;
        let issuer = tbs.expect(der::SEQUENCE)?.whole;
        let this_update = moment::read(tbs.element()?)?;
        let next_update = match tbs.peek() {
            Some(der::UTC_TIME | der::GENERALIZED_TIME) => Some(moment::read(tbs.element()?)?),
            _ => None,
        };
        let entries = tbs.optional(der::SEQUENCE)?;
        let entries = entries.map_or(Der::new(&[]), Element::inside);
        let extensions = tbs.optional(der::CONTEXT_0)?;
        tbs.finish()?;
        let extensions = extensions.map(|list| Extension::read_all(list.contents));
        let read = Self {
            signed,
            algorithm,
            algorithm_signed,
            signature,
            issuer,
            this_update,
            next_update,
            entries,
            extensions: extensions.transpose()?.unwrap_or_default(),
        };
        let mut all = read.entries;
        while !all.is_empty() {
            Entry::next(&mut all)?;
        }
        Ok(read)
    }

    /// `list 7 of CN=localhost-ca issuing`.
    fn called(&self) -> String {
        let number = self
            .extension(oid::CRL_NUMBER)
            .and_then(|one| der::only(one.value, der::INTEGER).ok())
            .map(|number| match number.contents {
                short if short.len() <= 8 => {
                    let digits = short.iter();
                    let number = digits.fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
                    number.to_string()
                }
                long => format!("0x{}", serial_text(long)),
            });
        let number = number.map_or(String::new(), |number| format!(" {number}"));
        format!("list{number} of {}", subject::display(self.issuer))
    }

    fn extension(&self, name: &[u8]) -> Option<&Extension<'a>> {
        self.extensions.iter().find(|one| one.name == name)
    }

    /// What it says about a certificate of this issuer, or why that does not count.
    fn speaks_of(
        &self,
        whole: &[u8],
        certificate: &Certificate,
        issuer: &Certificate,
        moment: i64,
    ) -> Result<Said, String> {
        self.is_by(whole, issuer)?;
        self.holds_at(moment)?;
        self.covers(certificate, issuer)?;
        self.entry(certificate.parsed().serial)
    }

    /// §6.3.3 (f), (g).
    fn is_by(&self, whole: &[u8], issuer: &Certificate) -> Result<(), String> {
        if issuer.parsed().extension(oid::KEY_USAGE).is_some() && !issuer.parsed().may(CRL_SIGN) {
            return Err("is signed with a key whose keyUsage lacks cRLSign".to_owned());
        }
        let signed = signed_by(issuer, self.algorithm, self.signed.whole, self.signature);
        let good = signed.unwrap_or_else(|| verifies_by_openssl(whole, issuer));
        match good && self.algorithm == self.algorithm_signed {
            true => Ok(()),
            false => Err("has a signature that does not verify under its key".to_owned()),
        }
    }

    fn holds_at(&self, moment: i64) -> Result<(), String> {
        if moment < self.this_update {
            return Err(format!("begins on {}", utc(self.this_update)));
        }
        match self.next_update {
            None => Err("has no nextUpdate: nobody knows when it is void".to_owned()),
            Some(end) if end < moment => Err(format!("lapsed on {}", utc(end))),
            Some(_) => Ok(()),
        }
    }

    /// §6.3.3 (b): whether the list is about such certificates at all; and whether all that is critical in it is known here.
    fn covers(&self, certificate: &Certificate, issuer: &Certificate) -> Result<(), String> {
        debug_assert_eq!(issuer.parsed().subject, self.issuer);
        if self.extension(oid::DELTA_CRL).is_some() {
            return Err("says only what changed since another".to_owned());
        }
        let known = |one: &&Extension<'_>| one.name != oid::ISSUING_DISTRIBUTION_POINT;
        if let Some(odd) = self
            .extensions
            .iter()
            .filter(known)
            .find(|one| one.critical)
        {
            let name = oid::name(odd.name);
            return Err(format!("has the critical extension {name}, unknown here"));
        }
        match self.extension(oid::ISSUING_DISTRIBUTION_POINT) {
            None => Ok(()),
            Some(part) => Part::read(part.value)
                .map_err(|NotDer| "has an issuingDistributionPoint that cannot be read".to_owned())?
                .covers(certificate),
        }
    }

    /// §5.3: of a list with an entry that cannot be understood, none counts.
    fn entry(&self, serial: &[u8]) -> Result<Said, String> {
        let mut all = self.entries;
        let mut said = Said::No;
        while let Ok(entry) = Entry::next(&mut all) {
            let critical = entry.extensions.iter().find(|one| one.critical);
            if let Some(odd) = critical.filter(|one| one.name != oid::REASON_CODE) {
                let name = oid::name(odd.name);
                return Err(format!(
                    "has an entry with the critical extension {name}, unknown here"
                ));
            }
            if entry.serial == serial {
                let reason = entry
                    .extensions
                    .iter()
                    .find(|one| one.name == oid::REASON_CODE);
                said = Said::Yes(entry.at, reason.and_then(|one| reason_code(one.value)));
            }
        }
        Ok(said)
    }
}

impl<'a> Entry<'a> {
    fn next(list: &mut Der<'a>) -> Result<Self, NotDer> {
        let mut parts = list.expect(der::SEQUENCE)?.inside();
        let serial = parts.expect(der::INTEGER)?.contents;
        let at = moment::read(parts.element()?)?;
        let extensions = match parts.is_empty() {
            true => Vec::new(),
            false => Extension::read_all(parts.expect(der::SEQUENCE)?.whole)?,
        };
        parts.finish()?;
        Ok(Self {
            serial,
            at,
            extensions,
        })
    }
}

/// A key of a kind that is not certified here may have signed all the same.
fn verifies_by_openssl(list: &[u8], issuer: &Certificate) -> bool {
    let key = issuer.read_by_openssl().and_then(X509Ref::public_key);
    let verified = key.and_then(|key| X509Crl::from_der(list)?.verify(&key));
    verified.unwrap_or(false)
}

/// `IssuingDistributionPoint` (RFC 5280 §5.2.5): which certificates of its issuer a list is about.
struct Part<'a> {
    /// `GeneralName`s, whole.
    names: Option<Vec<&'a [u8]>>,
    users_only: bool,
    authorities_only: bool,
    /// It leaves something out that cannot be told here.
    odd: Option<&'static str>,
}

impl<'a> Part<'a> {
    fn read(value: &'a [u8]) -> Result<Self, NotDer> {
        let mut fields = der::only(value, der::SEQUENCE)?.inside();
        let point = fields.optional(der::CONTEXT_0)?;
        let mut flag = |tag: u8| -> Result<bool, NotDer> {
            let flag = fields.optional(tag)?;
            Ok(flag.is_some_and(|flag| flag.contents != [0]))
        };
        let (users_only, authorities_only) = (flag(0x81)?, flag(0x82)?);
        let odd = [
            (0x83, "is about some reasons only"),
            (0x84, "is about other authorities' certificates as well"),
            (0x85, "is about attribute certificates"),
        ];
        let mut found = None;
        for (tag, what) in odd {
            found = found.or(flag(tag)?.then_some(what));
        }
        fields.finish()?;
        Ok(Self {
            names: point.map(|point| full_names(point.contents)).transpose()?,
            users_only,
            authorities_only,
            odd: found,
        })
    }

    fn covers(&self, certificate: &Certificate) -> Result<(), String> {
        let parsed = certificate.parsed();
        let authority = parsed.is_authority();
        match self {
            Self {
                odd: Some(what), ..
            } => return Err((*what).to_owned()),
            Self {
                users_only: true, ..
            } if authority => {
                return Err("is a part, without authorities' certificates".to_owned());
            }
            Self {
                authorities_only: true,
                ..
            } if !authority => {
                return Err("is a part, with authorities' certificates only".to_owned());
            }
            _ => {}
        }
        let Some(names) = &self.names else {
            return Ok(());
        };
        let own = parsed.extension(oid::CRL_DISTRIBUTION_POINTS);
        let own = own.and_then(|value| points(value).ok()).unwrap_or_default();
        match own.iter().any(|name| names.contains(name)) {
            true => Ok(()),
            false => Err(format!(
                "is a part, for what points at {}; this one points at {}",
                addresses(names),
                match own.is_empty() {
                    true => "none".to_owned(),
                    false => addresses(&own),
                }
            )),
        }
    }
}

/// Every address of `CRLDistributionPoints`.
fn points(value: &[u8]) -> Result<Vec<&[u8]>, NotDer> {
    let mut list = der::only(value, der::SEQUENCE)?.inside();
    let mut names = Vec::new();
    while !list.is_empty() {
        let mut point = list.expect(der::SEQUENCE)?.inside();
        if let Some(name) = point.optional(der::CONTEXT_0)? {
            names.extend(full_names(name.contents)?);
        }
    }
    Ok(names)
}

/// `DistributionPointName`: its fullName; a name relative to the issuer's stands for no address.
fn full_names(bytes: &[u8]) -> Result<Vec<&[u8]>, NotDer> {
    let mut choice = Der::new(bytes);
    let Some(full) = choice.optional(der::CONTEXT_0)? else {
        return Ok(Vec::new());
    };
    choice.finish()?;
    let mut list = full.inside();
    let mut names = Vec::new();
    while !list.is_empty() {
        names.push(list.element()?.whole);
    }
    Ok(names)
}

/// uniformResourceIdentifier [6], for people; others in hexadecimal.
fn addresses(names: &[&[u8]]) -> String {
    let texts = names.iter().map(|name| match der::only(name, 0x86) {
        Ok(url) => crate::names::shown(&String::from_utf8_lossy(url.contents)),
        Err(NotDer) => crate::certificate::hex(name),
    });
    texts.collect::<Vec<_>>().join(", ")
}
