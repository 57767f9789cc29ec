//! OCSP answers: reading them, and what one who relies on them asks (RFC 6960 §3.2): is it about this certificate, did somebody sign it who
//! may, does it hold now.

use super::{Extension, signed_by, since, step};
use crate::certificate::{Certificate, serial_text};
use crate::der::{self, Element, NotDer, oid};
use crate::input::InputError;
use crate::moment::{self, utc};
use crate::ocsp::CertId;
use crate::path::{self, Step};

pub(super) const RULE: &str = "RFC 6960 §3.2";
/// How far clocks may differ, in seconds: what `openssl ocsp` allows.
const SKEW: i64 = 300;

/// An answer of an OCSP responder, from anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct OcspResponse {
    der: Vec<u8>,
}

impl OcspResponse {
    /// Reads an answer in DER, as it comes from a responder.
    ///
    /// # Errors
    /// [`InputError`] when it is damaged or something else.
    pub fn from_der(bytes: &[u8]) -> Result<Self, InputError> {
        match is_answer(bytes) && Answer::read(bytes).is_ok() {
            true => Ok(Self {
                der: bytes.to_vec(),
            }),
            false => Err(InputError::of("an OCSP answer", bytes)),
        }
    }

    /// The answer in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn is_about(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        let answer = self.answer();
        let mut about = answer.successful_singles();
        about.any(|one| one.is_about(certificate, issuer))
    }

    /// Of an answer that is about nobody in the chain: what it is about instead.
    pub(super) fn about_nobody(&self, leaf: &Certificate) -> Step {
        let answer = self.answer();
        let found = match (answer.status, answer.basic()) {
            (0, Some(basic)) => {
                let mut about = basic.singles.iter().filter_map(Single::id);
                match about.find(|id| id.serial != leaf.parsed().serial) {
                    Some(id) => format!("the answer is about {}", serial_text(id.serial)),
                    None => "the answer is about another issuer's certificate".to_owned(),
                }
            }
            (0, None) => "the answer is of another type than basic".to_owned(),
            (status, _) => format!("the responder said {}", refusal(status)),
        };
        step(0, leaf, (false, format!("nobody knows: {found}")), RULE)
    }

    fn answer(&self) -> Answer<'_> {
        Answer::read(&self.der).expect("it was read before")
    }
}

impl std::fmt::Debug for OcspResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OcspResponse").finish_non_exhaustive()
    }
}

/// Whether this may be one: its first part is an ENUMERATED.
pub(crate) fn is_answer(bytes: &[u8]) -> bool {
    der::only(bytes, der::SEQUENCE).is_ok_and(|outer| outer.contents.first() == Some(&0x0a))
}

/// What the answers about one certificate say.
pub(super) fn ask(
    answers: &[OcspResponse],
    depth: usize,
    certificate: &Certificate,
    issuer: &Certificate,
    moment: i64,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for response in answers {
        let answer = response.answer();
        let about = answer
            .successful_singles()
            .find(|single| single.is_about(certificate, issuer));
        if let (Some(basic), Some(single)) = (answer.basic(), about) {
            let found = match basic.signer(issuer, moment) {
                Err(why) => (false, format!("nobody knows: the answer {why}")),
                Ok(signer) => single.says(&signer, moment),
            };
            steps.push(step(depth, certificate, found, RULE));
        }
    }
    steps
}

/// `OCSPResponseStatus`.
fn refusal(status: u8) -> String {
    const NAMES: [(u8, &str); 5] = [
        (1, "malformedRequest"),
        (2, "internalError"),
        (3, "tryLater"),
        (5, "sigRequired"),
        (6, "unauthorized"),
    ];
    let known = NAMES.iter().find(|(code, _)| *code == status);
    known.map_or(format!("status {status}"), |(_, name)| (*name).to_owned())
}

/// `OCSPResponse`.
pub(crate) struct Answer<'a> {
    pub(crate) status: u8,
    /// The type of what follows the status, and what it contains.
    pub(crate) bytes: Option<(&'a [u8], Option<Basic<'a>>)>,
}

/// `BasicOCSPResponse`.
pub(crate) struct Basic<'a> {
    signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    pub(crate) responder: Element<'a>,
    pub(crate) singles: Vec<Single<'a>>,
    pub(crate) extensions: Vec<Extension<'a>>,
    /// In DER.
    pub(crate) certificates: Vec<&'a [u8]>,
}

/// `SingleResponse`.
pub(crate) struct Single<'a> {
    id: Element<'a>,
    pub(crate) status: Element<'a>,
    pub(crate) this_update: i64,
    pub(crate) next_update: Option<i64>,
    pub(crate) extensions: Vec<Extension<'a>>,
}

impl<'a> Answer<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, NotDer> {
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

    pub(crate) fn basic(&self) -> Option<&Basic<'a>> {
        self.bytes.as_ref()?.1.as_ref()
    }

    /// A refusal says nothing about anybody, whatever it brings along (RFC 6960 §4.2.1).
    fn successful_singles(&self) -> impl Iterator<Item = &Single<'a>> {
        self.singles().filter(|_| self.status == 0)
    }

    pub(crate) fn singles(&self) -> impl Iterator<Item = &Single<'a>> {
        self.basic().into_iter().flat_map(|basic| &basic.singles)
    }
}

impl<'a> Basic<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, NotDer> {
        let mut parts = der::only(bytes, der::SEQUENCE)?.inside();
        let signed = parts.expect(der::SEQUENCE)?;
        let algorithm = parts.expect(der::SEQUENCE)?.whole;
        let signature = parts.expect(der::BIT_STRING)?.contents;
        let certificates = parts.optional(der::CONTEXT_0)?;
        parts.finish()?;

        let mut data = signed.inside();
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
        let extensions = extensions.map(|list| Extension::read_all(list.contents));
        Ok(Self {
            signed: signed.whole,
            algorithm,
            signature: signature.strip_prefix(&[0]).ok_or(NotDer)?,
            responder,
            singles,
            extensions: extensions.transpose()?.unwrap_or_default(),
            certificates: certificates.map_or(Ok(Vec::new()), sequences)?,
        })
    }

    /// Who signed: the issuer itself, or somebody whom it made its responder (RFC 6960 §4.2.2.2). Anybody else's word does not count.
    fn signer(&self, issuer: &Certificate, moment: i64) -> Result<Certificate, String> {
        let brought = self.certificates.iter();
        let brought = brought.filter_map(|der| Certificate::from_der(der).ok());
        let named: Vec<Certificate> = std::iter::once(issuer.clone())
            .chain(brought)
            .filter(|one| self.names(one))
            .collect();
        let Some(signer) = named.first() else {
            return Err("is signed by somebody whose certificate is not here".to_owned());
        };
        let called = path::name_of(signer);
        match signed_by(signer, self.algorithm, self.signed, self.signature) {
            Some(true) => {}
            Some(false) => {
                return Err(format!(
                    "has a signature that does not verify under the key of {called}"
                ));
            }
            None => {
                return Err(format!(
                    "is signed with a kind of key unknown here, {called}'s"
                ));
            }
        }
        match signer.der_bytes() == issuer.der_bytes() {
            true => Ok(signer.clone()),
            false => delegated(signer, issuer, moment).map(|()| signer.clone()),
        }
    }

    /// `ResponderID`: a name, or the SHA-1 of a key's bits.
    fn names(&self, certificate: &Certificate) -> bool {
        let parsed = certificate.parsed();
        match self.responder.tag {
            0xa1 => self.responder.contents == parsed.subject,
            0xa2 => {
                let bits = key_bits(parsed.spki).unwrap_or_default();
                der::only(self.responder.contents, der::OCTET_STRING)
                    .is_ok_and(|hash| hash.contents == openssl::sha::sha1(bits))
            }
            _ => false,
        }
    }
}

/// Whether the issuer itself made this one its responder, and still does.
fn delegated(signer: &Certificate, issuer: &Certificate, moment: i64) -> Result<(), String> {
    let called = path::name_of(signer);
    let parsed = signer.parsed();
    if parsed.issuer != issuer.parsed().subject || !signer.is_signed_by(issuer) {
        let by = path::name_of(issuer);
        return Err(format!(
            "is signed by {called}, whom {by} did not make its responder: another signed that certificate"
        ));
    }
    let purposes = path::purposes(signer).unwrap_or_default();
    if !purposes.iter().any(|one| one == oid::OCSP_SIGNING) {
        return Err(format!(
            "is signed by {called}, whose certificate is not for OCSPSigning"
        ));
    }
    match moment < signer.not_before() || moment > signer.not_after() {
        true => Err(format!(
            "is signed by {called}, whose certificate holds from {} to {}",
            utc(signer.not_before()),
            utc(signer.not_after())
        )),
        false => Ok(()),
    }
}

impl<'a> Single<'a> {
    fn read(single: Element<'a>) -> Result<Self, NotDer> {
        let mut parts = single.inside();
        let id = parts.expect(der::SEQUENCE)?;
        let status = parts.element()?;
        let this_update = moment::read(parts.expect(der::GENERALIZED_TIME)?)?;
        let next_update = parts.optional(der::CONTEXT_0)?.map(|next| {
            let time = der::only(next.contents, der::GENERALIZED_TIME)?;
            moment::read(time)
        });
        let extensions = parts.optional(0xa1)?;
        parts.finish()?;
        let extensions = extensions.map(|list| Extension::read_all(list.contents));
        Ok(Self {
            id,
            status,
            this_update,
            next_update: next_update.transpose()?,
            extensions: extensions.transpose()?.unwrap_or_default(),
        })
    }

    /// `CertID`, unless it is by a hash unknown here.
    fn id(&self) -> Option<CertId<'a>> {
        CertId::read(self.id).ok()
    }

    fn is_about(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        let issuer = issuer.parsed();
        let (Some(id), Ok(bits)) = (self.id(), key_bits(issuer.spki)) else {
            return false;
        };
        id.serial == certificate.parsed().serial && id.is_by(issuer.subject, bits)
    }

    fn says(&self, signer: &Certificate, moment: i64) -> (bool, String) {
        let says = format!("says the answer of {}", path::name_of(signer));
        let unknown = |why: String| (false, format!("nobody knows: the answer {why}"));
        if moment + SKEW < self.this_update {
            return unknown(format!("begins on {}", utc(self.this_update)));
        }
        let end = match self.next_update {
            None => return unknown("has no nextUpdate: nobody knows when it is void".to_owned()),
            Some(end) if end < moment - SKEW => return unknown(format!("lapsed on {}", utc(end))),
            Some(end) => utc(end),
        };
        if let Some(odd) = self.extensions.iter().find(|one| one.critical) {
            let name = oid::name(odd.name);
            return unknown(format!("has the critical extension {name}, unknown here"));
        }
        match (self.status.tag, self.revocation()) {
            (0x80, _) => (true, format!("no, {says}, good until {end}")),
            (0xa1, Ok((at, reason))) => (false, format!("{}, {says}", since(at, reason))),
            (0x82, _) => unknown("says `unknown`: its issuer never made it, or forgot".to_owned()),
            _ => unknown("has a status that is not good, revoked or unknown".to_owned()),
        }
    }

    /// `RevokedInfo`.
    pub(crate) fn revocation(&self) -> Result<(i64, Option<u8>), NotDer> {
        let mut info = self.status.inside();
        let at = moment::read(info.expect(der::GENERALIZED_TIME)?)?;
        let reason = info.optional(der::CONTEXT_0)?;
        info.finish()?;
        match reason.map(|reason| super::reason_code(reason.contents)) {
            None => Ok((at, None)),
            Some(Some(code)) => Ok((at, Some(code))),
            Some(None) => Err(NotDer),
        }
    }
}

/// The bits of a `SubjectPublicKeyInfo`, without the octet that counts unused ones.
fn key_bits(spki: &[u8]) -> Result<&[u8], NotDer> {
    let mut info = der::only(spki, der::SEQUENCE)?.inside();
    info.expect(der::SEQUENCE)?;
    info.expect(der::BIT_STRING)?
        .contents
        .strip_prefix(&[0])
        .ok_or(NotDer)
}

/// The elements of a tagged `SEQUENCE OF SEQUENCE`, whole.
fn sequences(tagged: Element<'_>) -> Result<Vec<&[u8]>, NotDer> {
    let mut list = der::only(tagged.contents, der::SEQUENCE)?.inside();
    let mut found = Vec::new();
    while !list.is_empty() {
        found.push(list.expect(der::SEQUENCE)?.whole);
    }
    Ok(found)
}
