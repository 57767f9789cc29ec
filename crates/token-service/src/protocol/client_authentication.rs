//! Who asks at the token endpoint (RFC 6749 §2.3): by header, by form fields, or (public clients) by name alone.

use zeroize::Zeroizing;

use super::Service;
use super::client_request::ClientRequest;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use crate::domain::{Client, ClientAuthentication, ClientId, SecretMethod};
use crate::secret::Secret;

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
            id: form_decode(id).to_string(),
            secret: Secret::new(form_decode(secret).as_str()),
        })
    }
}

/// One form-encoded value: `+` is a space, `%xx` a byte.
fn form_decode(text: &str) -> Zeroizing<String> {
    // A bare `&` or `=` cannot be in an encoded value; taken as part of it, so that a client that forgot to encode is
    // not cut short.
    let guarded = Zeroizing::new(text.replace('&', "%26"));
    let guarded = Zeroizing::new(guarded.replace('=', "%3D"));
    let decoded = form_urlencoded::parse(guarded.as_bytes()).next();
    Zeroizing::new(decoded.map_or_else(String::new, |(name, _)| name.into_owned()))
}

/// What a client showed.
struct Shown {
    id: String,
    secret: Option<(Secret, SecretMethod)>,
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

impl Service {
    /// The client that asks, or `invalid_client`: for an unknown one with the same words and at the same cost as for a
    /// wrong secret.
    pub(crate) async fn authenticate_client(
        &self,
        request: &ClientRequest,
    ) -> Result<Client, OAuthError> {
        let shown = shown(request.basic.as_ref(), &request.parameters)?;
        let client = match ClientId::parse(&shown.id) {
            Ok(id) => self.store.client(&id).await?,
            Err(_) => None,
        };
        let secret_fits = self.secret_fits(client.as_ref(), &shown);
        match client {
            Some(client) if secret_fits => Ok(client),
            _ => {
                tracing::info!("client authentication failed");
                Err(FAILED)
            }
        }
    }

    fn secret_fits(&self, client: Option<&Client>, shown: &Shown) -> bool {
        let (id, sealed, registered) =
            match client.map(|client| (&client.id, &client.authentication)) {
                // RFC 7591 §2: a client registered as `none` shows its name and nothing else.
                Some((_, ClientAuthentication::Public)) => return shown.secret.is_none(),
                Some((id, ClientAuthentication::Confidential { secret, method })) => {
                    (id, secret, Some(*method))
                }
                None => (&self.nobody.0, &self.nobody.1, None),
            };
        let expected = sealed.open(&self.sealing, id);
        let Some((secret, method)) = &shown.secret else {
            return false;
        };
        let equal = expected.is_some_and(|expected| expected.ct_eq(secret));
        let method_fits =
            registered == Some(*method) || !self.policy.registered_authentication_method_only();
        equal && registered.is_some() && method_fits
    }
}

fn shown(basic: Option<&BasicCredentials>, parameters: &Parameters) -> Result<Shown, OAuthError> {
    let id = parameters.one("client_id")?;
    let posted = parameters.one("client_secret")?;
    if parameters.one("client_assertion")?.is_some()
        || parameters.one("client_assertion_type")?.is_some()
    {
        return Err(if basic.is_some() || posted.is_some() {
            TWO_METHODS
        } else {
            FAILED
        });
    }
    match (basic, id, posted) {
        (Some(_), _, Some(_)) => Err(TWO_METHODS),
        (Some(basic), Some(id), None) if id != basic.id => Err(TWO_NAMES),
        (Some(basic), _, None) => Ok(Shown {
            id: basic.id.clone(),
            secret: Some((basic.secret.clone(), SecretMethod::Basic)),
        }),
        (None, Some(id), Some(secret)) => Ok(Shown {
            id: id.into(),
            secret: Some((Secret::new(secret), SecretMethod::Post)),
        }),
        (None, Some(id), None) => Ok(Shown {
            id: id.into(),
            secret: None,
        }),
        (None, None, _) => Err(NOBODY),
    }
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
