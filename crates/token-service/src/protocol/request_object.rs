//! Requests that come wrapped: signed by the client (a *request object*, RFC 9101, OIDC Core §6), by value or by address, or pushed
//! beforehand (RFC 9126). Here they are unwrapped; what is inside is then checked as any other request.
//!
//! ```text
//!   client_id, request=eyJ...                      signature, iss, aud, exp, nbf, typ ─┐
//!   client_id, request_uri=https://...   fetched ──────────────────────────────────────┤
//!   client_id, request_uri=urn:...       what the client pushed, from the store ───────┴─▶ the parameters that count
//! ```
//!
//! `iss`, `aud`, `exp` and `nbf` must be right where they are there. They may be missing: OIDC Core §6.1 and RFC 9101 §4 say "should", and
//! what is signed without them asks for no more than what is not signed at all, which the same client may send, too, unless it promised
//! not to (`require_signed_request_object`). So such an object is no secret, and good as long as the client's key.
//!
//! Of a wrapped request only what is inside counts, besides `client_id`, which must be the same outside (RFC 9101 §5, §6.3; RFC 9126
//! §4). Merging, as OIDC Core §6.1 has it, would let whoever holds the browser add what the client did not sign.

use serde_json::{Map, Value};
use stampmill_jose::{AlgorithmSet, Expectations, base64url};
use stampmill_outbound::OutboundError;

use super::Service;
use super::authorization::AuthorizationRequest;
use super::client_keys::SignatureError;
use super::error::{ErrorCode, OAuthError};
use super::parameters::{Parameters, Provenance};
use super::pushed_request;
use crate::domain::Client;

pub(super) const NOT_SUPPORTED: OAuthError = OAuthError::new(
    ErrorCode::RequestNotSupported,
    "this client has no keys registered that request objects are verified with",
);
const URI_NOT_SUPPORTED: OAuthError = OAuthError::new(
    ErrorCode::RequestUriNotSupported,
    "this request_uri is not registered for the client",
);
const BOTH: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequest,
    "request and request_uri exclude each other",
);
const INVALID: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequestObject,
    "the request object is not signed by this client, or not for this server and time",
);
const NO_PARAMETERS: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequestObject,
    "a member of the request object has no form as a parameter, or is too long",
);
const ANOTHER_CLIENT: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequestObject,
    "client_id is missing in the request object, or differs from the one outside",
);
const NOT_THERE: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequestUri,
    "the request object could not be fetched",
);
/// Claims about the object itself (RFC 7519 §4.1), which are no parameters.
const OF_THE_OBJECT: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];

/// The longest a request object may live, in seconds.
const LONGEST_LIFE: i64 = 3600;

impl Service {
    /// The parameters that count. Those of a request that was unwrapped before are these.
    pub(super) async fn unwrap_request(
        &self,
        client: &Client,
        sent: &Parameters,
    ) -> Result<Parameters, OAuthError> {
        if sent.provenance().unwrapped {
            return Ok(sent.clone());
        }
        match (sent.one("request")?, sent.one("request_uri")?) {
            (None, None) => Ok(sent.clone()),
            (Some(_), Some(_)) => Err(BOTH),
            (Some(object), None) => self.open_object(client, object).await,
            (None, Some(uri)) if uri.starts_with(pushed_request::PREFIX) => {
                self.take_pushed(client, uri).await
            }
            (None, Some(uri)) => {
                let object = self.fetch_object(client, uri).await?;
                self.open_object(client, &object).await
            }
        }
    }

    /// The parameters of a request object that this client signed.
    pub(super) async fn open_object(
        &self,
        client: &Client,
        object: &str,
    ) -> Result<Parameters, OAuthError> {
        let keys = client.keys().ok_or(NOT_SUPPORTED)?;
        let algorithms = match client.requests.request_object_signing_alg {
            Some(only) => AlgorithmSet::of(&[only]),
            None => AlgorithmSet::ALL,
        };
        let expect = Expectations::request_object(client.id.as_str(), self.issuer())
            .with_algorithms(algorithms)
            .with_max_lifetime(LONGEST_LIFE);
        let jwt = self
            .verify_by_client(keys, object, &expect)
            .await
            .map_err(|reason| {
                tracing::info!(client_id = %client.id, %reason, "request object refused");
                match reason {
                    SignatureError::NoKeys | SignatureError::Jwt(_) => INVALID,
                }
            })?;
        let claims = serde_json::from_slice(jwt.payload()).map_err(|_| NO_PARAMETERS)?;
        let inside = as_parameters(&claims)?;
        // RFC 9101 §4, §5: it is required inside as well, whatever `iss` says.
        if inside.one("client_id")? != Some(client.id.as_str()) {
            return Err(ANOTHER_CLIENT);
        }
        Ok(inside.from(Provenance {
            unwrapped: true,
            signed: true,
            ..Provenance::default()
        }))
    }

    /// What is at a registered address (OIDC Core §6.2). Only registered ones are looked at: an open server would fetch for anybody who
    /// can open a page.
    async fn fetch_object(&self, client: &Client, uri: &str) -> Result<String, OAuthError> {
        // A fragment tells caches of versions apart (OIDC Registration §2), and nothing is cached here: what is there now is fetched,
        // and its signature says whose it is.
        let address = |uri: &str| uri.split('#').next().unwrap_or_default().to_owned();
        let (asked, mut registered) = (address(uri), client.requests.request_uris.iter());
        if !registered.any(|known| address(known) == asked) {
            return Err(URI_NOT_SUPPORTED);
        }
        let accept = "application/oauth-authz-req+jwt, application/jwt";
        let answer = self.fetches.get(&asked, accept).await;
        let answer = answer.unwrap_or_else(|error: OutboundError| {
            tracing::warn!(client_id = %client.id, %error, "a request object could not be fetched");
            None
        });
        let answer = answer.ok_or(NOT_THERE)?;
        let text = std::str::from_utf8(&answer.body).map_err(|_| INVALID)?;
        Ok(text.trim().to_owned())
    }
}

/// The rule: a client that promised to sign or to push its requests does, and so do all where the service demands it.
pub(super) fn came_as_promised(
    service: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const SIGN: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "this client has to send a signed request object (RFC 9101 section 10.5)",
    );
    const PUSH: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "the request has to be pushed (RFC 9126 section 5)",
    );
    const REGISTRATION: OAuthError = OAuthError::new(
        ErrorCode::RegistrationNotSupported,
        "registration in a request is not supported",
    );
    let (rules, came) = (&request.client.requests, parameters.provenance());
    let must_push =
        rules.require_pushed_authorization_requests || service.policy.requires_pushed_requests();
    match () {
        () if parameters.one("registration")?.is_some() => Err(REGISTRATION),
        () if rules.require_signed_request_object && !came.signed => Err(SIGN),
        () if must_push && came.pushed.is_none() && !came.being_pushed => Err(PUSH),
        () => Ok(()),
    }
}

/// Members as parameters: texts as they are, numbers and truth values as they are written, `resource` once for each, other
/// objects (`claims`) as JSON (OIDC Core §6.1).
fn as_parameters(claims: &Map<String, Value>) -> Result<Parameters, OAuthError> {
    let mut pairs = Vec::new();
    for (name, value) in claims {
        if OF_THE_OBJECT.contains(&name.as_str()) {
            continue;
        }
        match value {
            Value::Null => {}
            Value::String(text) => pairs.push((name.as_str(), text.clone())),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                pairs.push((name, value.to_string()));
            }
            Value::Array(values) if name == "resource" => {
                for value in values {
                    let text = value.as_str().ok_or(NO_PARAMETERS)?;
                    pairs.push((name, text.to_owned()));
                }
            }
            Value::Array(_) => pairs.push((name, value.to_string())),
        }
    }
    Parameters::of_pairs(pairs).ok_or(NO_PARAMETERS)
}

/// A text member of the `request` parameter's payload, for the refusal of one that could not be opened: a client may have put
/// `response_mode` and `state` into it alone, and expects the refusal accordingly. Nobody has looked at the signature, so they
/// are trusted no more than what stands in the open.
pub(super) fn member(parameters: &Parameters, name: &str) -> Option<String> {
    let object = parameters.one("request").ok().flatten()?;
    let payload = base64url::decode(object.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims.get(name)?.as_str().map(str::to_owned)
}
