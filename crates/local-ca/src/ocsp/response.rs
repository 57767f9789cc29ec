//! Answers: `OCSPResponse` (RFC 6960 §4.2.1). The openssl crate cannot sign these, so they are written here, and OpenSSL's own verifier
//! judges them in the tests.

use openssl::error::ErrorStack;

use super::CertStatus;
use crate::der::{oid, write};
use crate::keys::Signer;
use crate::reason::Reason;

/// What an answer says when it says nothing about a certificate. Unsigned (RFC 6960 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorStatus {
    MalformedRequest = 1,
    TryLater = 3,
    Unauthorized = 6,
}

pub(super) fn error(status: ErrorStatus) -> Vec<u8> {
    write::sequence([write::enumerated(status as u8)])
}

/// One certificate's part of an answer.
pub(super) struct Single<'a> {
    /// `CertID` as the question has it.
    pub(super) id: &'a [u8],
    pub(super) status: CertStatus,
}

/// A successful answer about these certificates, good from `life.0` to `life.1`.
pub(super) fn successful(
    signer: &Signer,
    certificate: &[u8],
    singles: &[Single<'_>],
    nonce: Option<&[u8]>,
    life: (i64, i64),
) -> Result<Vec<u8>, ErrorStack> {
    let responder = write::octet_string(&signer.public().identifier());
    let nonce = nonce.map(|value| {
        let extension = write::extension(oid::OCSP_NONCE, false, value);
        write::context(1, [write::sequence([extension])])
    });
    let data = write::sequence([
        write::context(2, [responder]), // byKey
        write::generalized_time(life.0),
        write::sequence(singles.iter().map(|one| single(one, life))),
        nonce.unwrap_or_default(),
    ]);
    let signature = write::bit_string(&signer.sign(&data)?);
    let certificates = write::context(0, [write::sequence([certificate])]);
    let basic = write::sequence([data, signer.algorithm(), signature, certificates]);
    let bytes = write::sequence([write::oid(oid::OCSP_BASIC), write::octet_string(&basic)]);
    Ok(write::sequence([
        write::enumerated(0),
        write::context(0, [bytes]),
    ]))
}

fn single(one: &Single<'_>, life: (i64, i64)) -> Vec<u8> {
    let status = match one.status {
        CertStatus::Good => write::context_bytes(0, &[]),
        CertStatus::Revoked(at, reason) => {
            let reason = match reason {
                // never written (Baseline Requirements §7.3)
                Reason::Unspecified => Vec::new(),
                reason => write::context(0, [write::enumerated(reason.code())]),
            };
            write::context(1, [write::generalized_time(at), reason])
        }
        CertStatus::Unknown => write::context_bytes(2, &[]),
    };
    write::sequence([
        one.id.to_vec(),
        status,
        write::generalized_time(life.0),
        write::context(0, [write::generalized_time(life.1)]),
    ])
}
