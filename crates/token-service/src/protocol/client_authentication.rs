//! Who asks at the token endpoint (RFC 6749 §2.3): by header, by form fields, by a signed assertion (RFC 7523), or (public
//! clients) by name alone.

use std::borrow::Cow;
use std::sync::Arc;

use stampmill_jose::{
    AlgorithmSet, Expectations, MacAlgorithm, SharedSecret, unverified_claim, verify_mac_jwt,
};
use zeroize::Zeroizing;

use super::Service;
use super::client_keys::SignatureError;
use super::client_request::ClientRequest;
use super::error::{ErrorCode, OAuthError};
use super::paths;
use crate::domain::{AssertionAlg, Client, ClientAuthentication, ClientId, SecretMethod};
use crate::secret::{Digest, Secret};

/// `Authorization: Basic`, taken apart.
#[derive(Debug)]
pub(crate) struct BasicCredentials {
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

/// An `Authorization` header that holds no Basic credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `Basic` and the base64 of `id:secret`, both form-encoded (RFC 6749 §2.3.1)")]
pub(crate) struct CredentialsError;

impl BasicCredentials {
    /// Reads the header's value. Id and secret are form-urlencoded *before* base64, which most clients' ids survive
    /// unchanged.
    pub(crate) fn parse(header: &str) -> Result<BasicCredentials, CredentialsError> {
        let (scheme, credentials) = header.split_once(' ').ok_or(CredentialsError)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(CredentialsError);
        }
        let bytes = base64_simd::STANDARD
            .decode_to_vec(credentials.trim_start_matches(' '))
            .map_err(|_| CredentialsError)?;
        let text = Zeroizing::new(String::from_utf8(bytes).map_err(|_| CredentialsError)?);
        let (id, secret) = text.split_once(':').ok_or(CredentialsError)?;
        Ok(BasicCredentials {
            id: form_decode(id),
            secret: Secret::new(form_decode(secret)),
        })
    }
}

/// One form-encoded value: `+` is a space, `%xx` a byte.
fn form_decode(text: &str) -> String {
    let encoded = |byte| matches!(byte, b'%' | b'+' | b'&' | b'=');
    if !text.bytes().any(encoded) {
        return text.to_owned();
    }
    // A bare `&` or `=` cannot be in an encoded value; taken as part of it, so that a client that forgot to encode is
    // not cut short.
    let guarded = Zeroizing::new(text.replace('&', "%26"));
    let guarded = Zeroizing::new(guarded.replace('=', "%3D"));
    let decoded = form_urlencoded::parse(guarded.as_bytes()).next();
    decoded.map_or_else(String::new, |(name, _)| name.into_owned())
}

/// What a client showed.
struct Shown<'a> {
    id: Cow<'a, str>,
    credential: Credential<'a>,
}

enum Credential<'a> {
    /// Its name alone.
    Name,
    /// Its secret, and how it came.
    Secret(&'a str, SecretMethod),
    /// A JWT it signed (RFC 7523 §2.2).
    Assertion(&'a str),
}

const FAILED: OAuthError =
    OAuthError::new(ErrorCode::InvalidClient, "client authentication failed");
const NOBODY: OAuthError =
    OAuthError::new(ErrorCode::InvalidClient, "no client credentials were sent");
const TWO_METHODS: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequest,
    "more than one way of client authentication in one request",
);
const TWO_NAMES: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequest,
    "client_id differs from the authenticated client",
);
/// Whom an assertion may be for besides the issuer: RFC 9126 §2 names the token endpoint and its own, and clients write the
/// address they post to at the others, too. All of them are we.
const AUDIENCES: [&str; 5] = [
    paths::TOKEN,
    paths::PUSHED_AUTHORIZATION_REQUEST,
    paths::INTROSPECTION,
    paths::REVOCATION,
    paths::DEVICE_AUTHORIZATION,
];
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Service {
    /// The client that asks, or `invalid_client`: for an unknown one with the same words as for a wrong secret, and after the
    /// same comparison.
    pub(crate) async fn authenticate_client(
        &self,
        request: &ClientRequest,
    ) -> Result<Arc<Client>, OAuthError> {
        let shown = shown(request)?;
        let client = match ClientId::parse(&shown.id) {
            Ok(id) => self.store.client(&id).await?,
            Err(_) => None,
        };
        if let Credential::Assertion(assertion) = &shown.credential {
            return match client {
                Some(client) if self.assertion_holds(&client, assertion).await? => Ok(client),
                _ => Err(refused()),
            };
        }
        let proven = self.secret_fits(client.as_deref(), &shown.credential);
        match client {
            Some(client) if proven => Ok(client),
            Some(client) => self.secret_is_new(&client, &shown.credential).await,
            None => Err(refused()),
        }
    }

    /// Another program may have given the client a new secret just now, and then the old one is the wrong one.
    async fn secret_is_new(
        &self,
        remembered: &Client,
        shown: &Credential<'_>,
    ) -> Result<Arc<Client>, OAuthError> {
        let now = self.store.client_anew(&remembered.id).await?;
        let changed = now.filter(|now| now.authentication != remembered.authentication);
        match changed {
            Some(client) if self.secret_fits(Some(&client), shown) => Ok(client),
            _ => Err(refused()),
        }
    }

    fn secret_fits(&self, client: Option<&Client>, shown: &Credential<'_>) -> bool {
        let (id, sealed, registered) =
            match client.map(|client| (&client.id, &client.authentication)) {
                // RFC 7591 §2: a client registered as `none` shows its name and nothing else.
                Some((_, ClientAuthentication::Public)) => {
                    return matches!(shown, Credential::Name);
                }
                Some((id, ClientAuthentication::Confidential { secret, method })) => {
                    (id, secret, Some(*method))
                }
                Some((_, ClientAuthentication::PrivateKey { .. })) | None => {
                    (&self.nobody.0, &self.nobody.1, None)
                }
            };
        let expected = self.known_secrets.digest(&self.sealing, id, sealed);
        let Credential::Secret(secret, method) = shown else {
            return false;
        };
        let equal = expected.is_some_and(|expected| expected.ct_eq(&Digest::of(secret)));
        let method_fits =
            registered == Some(*method) || !self.policy.registered_authentication_method_only();
        equal && registered.is_some() && method_fits
    }

    /// RFC 7523 §3, OIDC Core §9: signed by the client (with its key, or its secret), about itself, for us, and for the
    /// first time.
    async fn assertion_holds(&self, client: &Client, assertion: &str) -> Result<bool, OAuthError> {
        let mut expect = Expectations::client_assertion(client.id.as_str(), self.issuer());
        for path in AUDIENCES {
            expect = expect.or_audience(self.issuer.address(path));
        }
        let verified = match &client.authentication {
            ClientAuthentication::PrivateKey { keys } => {
                let expect = match client.requests.token_endpoint_auth_signing_alg {
                    Some(AssertionAlg::Signature(only)) => {
                        expect.with_algorithms(AlgorithmSet::of(&[only]))
                    }
                    _ => expect,
                };
                self.verify_by_client(keys, assertion, &expect).await
            }
            ClientAuthentication::Confidential {
                secret,
                method: SecretMethod::Jwt,
            } => {
                let secret = secret.open(&self.sealing, &client.id).ok_or(FAILED)?;
                let key =
                    SharedSecret::new(MacAlgorithm::Hs256, secret.expose()).map_err(|_| FAILED)?;
                verify_mac_jwt(assertion, &key, &expect, self.now()).map_err(SignatureError::from)
            }
            _ => return Ok(false),
        };
        let jwt = match verified {
            Ok(jwt) => jwt,
            Err(reason) => {
                tracing::info!(client_id = %client.id, %reason, "client assertion refused");
                return Ok(false);
            }
        };
        let Some(jti) = jwt.claim_str("jti") else {
            return Ok(false);
        };
        let used = Digest::of(&format!("client assertion:{}:{jti}", client.id));
        // No assertion is accepted for longer than that, so no jti need be known for longer.
        let expires_at = self.now() + Expectations::MAX_ASSERTION_SECONDS + 1;
        let first = self.store.use_once(used, expires_at).await?;
        if !first {
            tracing::warn!(client_id = %client.id, "a client assertion was used twice");
        }
        Ok(first)
    }
}

fn refused() -> OAuthError {
    tracing::info!("client authentication failed");
    FAILED
}

fn shown(request: &ClientRequest) -> Result<Shown<'_>, OAuthError> {
    let (basic, parameters) = (request.basic.as_ref(), &request.parameters);
    let id = parameters.one("client_id")?;
    let posted = parameters.one("client_secret")?;
    let assertion = parameters.one("client_assertion")?;
    let assertion_type = parameters.one("client_assertion_type")?;
    if assertion.is_some() || assertion_type.is_some() {
        if basic.is_some() || posted.is_some() {
            return Err(TWO_METHODS);
        }
        return shown_by_assertion(
            id,
            assertion.filter(|_| assertion_type == Some(ASSERTION_TYPE)),
        );
    }
    let (id, credential) = match (basic, id, posted) {
        (Some(_), _, Some(_)) => return Err(TWO_METHODS),
        (Some(basic), Some(id), None) if id != basic.id => return Err(TWO_NAMES),
        (Some(basic), _, None) => {
            let credential = Credential::Secret(basic.secret.expose(), SecretMethod::Basic);
            (basic.id.as_str(), credential)
        }
        (None, Some(id), Some(secret)) => (id, Credential::Secret(secret, SecretMethod::Post)),
        (None, Some(id), None) => (id, Credential::Name),
        (None, None, _) => return Err(NOBODY),
    };
    Ok(Shown {
        id: id.into(),
        credential,
    })
}

/// Whose assertion it says it is. `client_id` may be left out (RFC 7521 §4.2); if it is there, it must agree.
fn shown_by_assertion<'a>(
    id: Option<&str>,
    assertion: Option<&'a str>,
) -> Result<Shown<'a>, OAuthError> {
    let assertion = assertion.ok_or(FAILED)?;
    let subject = unverified_claim(assertion, "sub").ok_or(FAILED)?;
    if id.is_some_and(|id| id != subject) {
        return Err(TWO_NAMES);
    }
    Ok(Shown {
        id: subject.into(),
        credential: Credential::Assertion(assertion),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_2_3_1_form_encoded_before_base64() {
        let header = format!(
            "basic {}",
            base64_simd::STANDARD.encode_to_string("a%3Ab+c:p%25q%26=&x")
        );
        let read = BasicCredentials::parse(&header).unwrap();
        assert_eq!(
            (read.id.as_str(), read.secret.expose()),
            ("a:b c", "p%q&=&x")
        );
    }

    #[test]
    fn what_is_no_basic_header() {
        for bad in [
            "Basic",
            "Basic !!!",
            "Bearer YTpi",
            "Basic YWI=",
            "Basic /w==",
        ] {
            assert!(BasicCredentials::parse(bad).is_err(), "{bad}");
        }
    }
}
