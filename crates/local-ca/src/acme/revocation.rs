//! revokeCert (RFC 8555 §7.6): by the account that has the certificate, by an account that has all its names, or by its own key.

use serde_json::Value;
use stampmill_jose::base64url;

use super::identifier::Identifier;
use super::problem::{Problem, ProblemKind};
use super::routes::{Call, Reply, Signer};
use super::spki;
use crate::crl::CrlError;
use crate::reason::Reason;
use crate::store::{Entry, StoreError};

/// Who asks, since not everybody may say everything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// The account it was issued to, or the certificate's own key.
    Holder,
    /// An account that has shown to have all the names.
    Names,
}

/// Revokes a certificate that was issued here.
pub(super) fn revoke(call: &Call<'_>) -> Result<Reply, Problem> {
    let server = call.server;
    let entry = find(call)?;
    let by = permitted(call, &entry)?;
    let reason = reason(call, by)?;
    let who = match call.signer() {
        Signer::Key(_) => "by the certificate's key".to_owned(),
        Signer::Account(account) => format!("by the account {}", account.id),
    };
    let authority = &server.authority;
    match authority.revoke_asked_by(&who, &entry.serial, reason, call.now) {
        Ok(()) => Ok(Reply::nothing()),
        Err(CrlError::Store(StoreError::AlreadyRevoked { at, .. })) => {
            let detail = format!("it was revoked at {at}");
            Err(Problem::new(ProblemKind::AlreadyRevoked, detail))
        }
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// The certificate in the records, byte for byte.
fn find(call: &Call<'_>) -> Result<Entry, Problem> {
    let text = call.object().get("certificate").and_then(Value::as_str);
    let text = text.ok_or_else(|| Problem::malformed("`certificate` is not a text"))?;
    let der = base64url::decode(text)
        .map_err(|error| Problem::malformed(format!("certificate: {error}")))?;
    let certificate = crate::certificate::Certificate::from_der(&der)
        .map_err(|error| Problem::malformed(error.to_string()))?;
    let entry = call.server.records.store().exactly(&certificate.serial())?;
    entry
        .filter(|entry| entry.certificate().der_bytes() == der)
        .ok_or_else(|| Problem::not_found("certificate"))
}

fn permitted(call: &Call<'_>, entry: &Entry) -> Result<By, Problem> {
    let certificate = entry.certificate();
    let account = match call.signer() {
        Signer::Key(key) => {
            let its_own = spki::of_jwk(key).is_some_and(|key| key == certificate.parsed().spki);
            return match its_own {
                true => Ok(By::Holder),
                false => Err(Problem::unauthorized("this is not the certificate's key")),
            };
        }
        Signer::Account(account) => account,
    };
    if entry.account.as_ref() == Some(&account.id) {
        return Ok(By::Holder);
    }
    let names = certificate.names();
    let names: Option<Vec<Identifier>> = names.iter().map(Identifier::of_name).collect();
    let holds = match names {
        Some(names) => call.server.records.holds(&account.id, &names, call.now)?,
        None => false,
    };
    match holds {
        true => Ok(By::Names),
        false => Err(Problem::unauthorized(
            "the certificate is another account's, and this account has not proved all its names",
        )),
    }
}

/// §7.6: the numbers of RFC 5280 §5.3.1; those that only authorities have a say in are refused. A compromised key is never certified
/// again, so that reason is for whoever holds the certificate.
fn reason(call: &Call<'_>, by: By) -> Result<Reason, Problem> {
    let Some(value) = call.object().get("reason") else {
        return Ok(Reason::Unspecified);
    };
    let refuse = |detail: String| Problem::new(ProblemKind::BadRevocationReason, detail);
    let code = value.as_u64().and_then(|code| u8::try_from(code).ok());
    let reason = code.and_then(|code| Reason::from_code(code).ok());
    match reason {
        None | Some(Reason::CaCompromise) => {
            let listed = Reason::all()
                .filter(|reason| *reason != Reason::CaCompromise)
                .map(|reason| format!("{} ({reason})", reason.code()));
            let listed = listed.collect::<Vec<_>>().join(", ");
            Err(refuse(format!("reasons are {listed}")))
        }
        Some(Reason::KeyCompromise) if by == By::Names => Err(refuse(
            "keyCompromise is said by the certificate's own account or key".to_owned(),
        )),
        Some(reason) => Ok(reason),
    }
}
