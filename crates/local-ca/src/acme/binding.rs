//! External account binding (RFC 8555 §7.3.4): an operator knows somebody already, gives out a key, and accounts are made with it.

use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use serde_json::Value;
use stampmill_jose::{Jwk, MacAlgorithm, SharedSecret, base64url, verify_mac_jws};
use zeroize::Zeroizing;

use super::jws::{self, Flattened};
use super::operator::AcmeOperator;
use super::problem::{Problem, ProblemKind};
use super::random_id;
use super::records::Records;
use super::routes::Call;
use crate::authority::Authority;
use crate::moment::now;
use crate::store::StoreError;

/// A key that an operator gives to somebody, good for one account. `Debug` shows its name only.
pub struct ExternalKey {
    kid: String,
    secret: Zeroizing<Vec<u8>>,
}

impl ExternalKey {
    /// Makes one and keeps it in the authority's records. The account that is made with it is bound to it for ever.
    ///
    /// # Errors
    /// [`AcmeError`](super::AcmeError): no records, or they cannot be written.
    pub fn make(authority: &std::sync::Arc<Authority>) -> Result<Self, super::AcmeError> {
        AcmeOperator::open(authority)?.make_external_key()
    }

    pub(super) fn make_in(records: &Records) -> Result<Self, super::AcmeError> {
        let key = Self::generate()?;
        key.record(records)?;
        Ok(key)
    }

    fn generate() -> Result<Self, ErrorStack> {
        let mut secret = Zeroizing::new(vec![0; 32]);
        rand_bytes(&mut secret)?;
        Ok(Self {
            kid: random_id(),
            secret,
        })
    }

    fn record(&self, records: &Records) -> Result<(), StoreError> {
        records.add_external_key(&self.kid, &self.secret, now())
    }

    /// The name that clients give (`--eab-kid`).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The secret in base64url, as clients take it (`--eab-hmac-key`).
    #[must_use]
    pub fn hmac_key(&self) -> Zeroizing<String> {
        Zeroizing::new(base64url::encode(&*self.secret))
    }
}

impl std::fmt::Debug for ExternalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// The binding of a request for a new account, if it has one and it is good: the operator's key's name, and the binding as it came.
pub(super) fn check(call: &Call<'_>, account: &Jwk) -> Result<Option<(String, Value)>, Problem> {
    let Some(binding) = call.object().get("externalAccountBinding") else {
        return match call.server.settings.external_account_required {
            true => Err(Problem::new(
                ProblemKind::ExternalAccountRequired,
                "accounts are made with a key that the operator gave out",
            )),
            false => Ok(None),
        };
    };
    let members = binding
        .as_object()
        .ok_or_else(|| Problem::malformed("externalAccountBinding is no object"))?;
    let parts = Flattened::read(members)?;
    let header = jws::object(&parts.header, "the binding's header")?;
    let url = jws::text(&header, "url")?;
    if url.as_deref() != Some(&call.url) || header.contains_key("nonce") {
        let detail = "the binding is for the address of the request, and has no nonce";
        return Err(Problem::malformed(detail));
    }
    let kid = jws::text(&header, "kid")?
        .ok_or_else(|| Problem::malformed("the binding's header has no `kid`"))?;
    // One answer for an unknown key, a spent one, and a wrong secret.
    let refused =
        || Problem::unauthorized("the external key is unknown, spent, or not the one that signed");
    let secret = call
        .server
        .records
        .external_key(&kid)?
        .ok_or_else(refused)?;
    let secret = SharedSecret::new(MacAlgorithm::Hs256, &*secret)
        .map_err(|error| Problem::internal(&error))?;
    let verified = verify_mac_jws(&parts.compact, &secret).map_err(|_| refused())?;
    match Jwk::from_json(verified.payload()) {
        Ok(bound) if bound.thumbprint() == account.thumbprint() => Ok(Some((kid, binding.clone()))),
        _ => Err(Problem::malformed(
            "the binding is for another key than the request's",
        )),
    }
}
