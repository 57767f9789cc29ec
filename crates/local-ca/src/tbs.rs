//! Certificates as bytes: `TBSCertificate` (RFC 5280 §4.1.2) and its extensions (§4.2). OpenSSL's only part in it is the signature.

use openssl::error::ErrorStack;
use rand::RngExt as _;

use crate::certificate::Certificate;
use crate::der::{oid, write};
use crate::keys::Signer;

/// What a certificate says.
pub(crate) struct ToBeSigned<'a> {
    pub(crate) serial: [u8; 16],
    /// The issuer's subject, byte for byte (RFC 5280 §7.1).
    pub(crate) issuer: &'a [u8],
    /// First and last second.
    pub(crate) life: (i64, i64),
    pub(crate) subject: &'a [u8],
    pub(crate) spki: &'a [u8],
    pub(crate) extensions: &'a [Vec<u8>],
}

impl ToBeSigned<'_> {
    /// The certificate, signed.
    pub(crate) fn sign(&self, signer: &Signer) -> Result<Certificate, ErrorStack> {
        let (start, end) = self.life;
        let tbs = write::sequence([
            write::context(0, [write::integer(2)]), // counted from 0: version 3
            write::unsigned(&self.serial),
            signer.algorithm(),
            self.issuer.to_vec(),
            write::sequence([write::time(start), write::time(end)]),
            self.subject.to_vec(),
            self.spki.to_vec(),
            write::context(3, [write::sequence(self.extensions)]),
        ]);
        let der = signer.signed(tbs)?;
        Ok(Certificate::trusted(der).expect("what is written here can be read here"))
    }
}

/// 128 random bits, positive, not zero: at most 17 octets of the 20 allowed (RFC 5280 §4.1.2.2); at least 64 bits are asked for
/// by the Baseline Requirements §7.1, so that nobody can prepare a collision of the certificate's hash.
pub(crate) fn random_serial() -> [u8; 16] {
    loop {
        let mut bytes = [0; 16];
        rand::rng().fill(&mut bytes);
        if bytes[..8] != [0; 8] {
            return bytes;
        }
    }
}

/// basicConstraints of an authority, critical; with how many authorities may stand below it.
pub(crate) fn authority(path_length: Option<u8>) -> Vec<u8> {
    let length = path_length.map_or(Vec::new(), |length| write::integer(length.into()));
    let value = write::sequence([write::boolean_true(), length]);
    write::extension(oid::BASIC_CONSTRAINTS, true, &value)
}

/// basicConstraints of everyone else: cA has the default FALSE, so that nothing is written: 30 00.
pub(crate) fn no_authority() -> Vec<u8> {
    let nothing: [&[u8]; 0] = [];
    write::extension(oid::BASIC_CONSTRAINTS, true, &write::sequence(nothing))
}

/// keyUsage, critical.
pub(crate) fn key_usage(bits: u16) -> Vec<u8> {
    write::extension(oid::KEY_USAGE, true, &write::named_bits(bits))
}

pub(crate) fn extended_key_usage(purposes: &[&[u8]]) -> Vec<u8> {
    let value = write::sequence(purposes.iter().map(|purpose| write::oid(purpose)));
    write::extension(oid::EXTENDED_KEY_USAGE, false, &value)
}

pub(crate) fn subject_key_identifier(identifier: &[u8]) -> Vec<u8> {
    let value = write::octet_string(identifier);
    write::extension(oid::SUBJECT_KEY_IDENTIFIER, false, &value)
}

/// The issuer's key identifier, and nothing else of it (Baseline Requirements §7.1.2.11.1).
pub(crate) fn authority_key_identifier(identifier: &[u8]) -> Vec<u8> {
    let value = write::sequence([write::context_bytes(0, identifier)]);
    write::extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &value)
}

/// `DistributionPointName` with one address: fullName [0], uniformResourceIdentifier [6].
pub(crate) fn distribution_point_name(url: &str) -> Vec<u8> {
    write::context(
        0,
        [write::context(0, [write::context_bytes(6, url.as_bytes())])],
    )
}

/// Where the list of revoked certificates is: one address, no reasons, no other issuer (RFC 5280 §4.2.1.13).
pub(crate) fn crl_distribution_point(url: &str) -> Vec<u8> {
    let value = write::sequence([write::sequence([distribution_point_name(url)])]);
    write::extension(oid::CRL_DISTRIBUTION_POINTS, false, &value)
}

/// What a part of a list is a part of: it covers the certificates that point at this address and no others. Critical, so that nobody takes
/// it for the whole (RFC 5280 §5.2.5).
pub(crate) fn issuing_distribution_point(url: &str) -> Vec<u8> {
    let value = write::sequence([distribution_point_name(url)]);
    write::extension(oid::ISSUING_DISTRIBUTION_POINT, true, &value)
}

/// Where to ask for the status, and where the issuer's certificate is (RFC 5280 §4.2.2.1).
pub(crate) fn authority_info_access(ocsp: Option<&str>, issuer: &str) -> Vec<u8> {
    let access = |method: &[u8], url: &str| {
        write::sequence([write::oid(method), write::context_bytes(6, url.as_bytes())])
    };
    let ocsp = ocsp.map(|url| access(oid::AD_OCSP, url));
    let issuer = access(oid::AD_CA_ISSUERS, issuer);
    let value = write::sequence(ocsp.into_iter().chain([issuer]));
    write::extension(oid::AUTHORITY_INFO_ACCESS, false, &value)
}

/// The one reserved policy, without qualifiers (Baseline Requirements §7.1.2.7.9): domain validated.
pub(crate) fn domain_validated() -> Vec<u8> {
    let value = write::sequence([write::sequence([write::oid(oid::DOMAIN_VALIDATED)])]);
    write::extension(oid::CERTIFICATE_POLICIES, false, &value)
}

/// A responder's certificate is not itself asked about (RFC 6960 §4.2.2.2.1): NULL.
pub(crate) fn ocsp_no_check() -> Vec<u8> {
    write::extension(oid::OCSP_NO_CHECK, false, &write::null())
}
