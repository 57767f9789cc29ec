//! What a request object says of the way its refusal shall go (OIDC Core §6, RFC 9101 §4).
//!
//! Request objects are refused. A client that sends one may have put `response_mode` and `state` into it alone, and
//! expects the refusal accordingly. Both are read here without looking at the signature: they would be trusted no less
//! in the open request, which nobody signs either.

use serde_json::Value;
use stampmill_jose::base64url;

use super::parameters::Parameters;

/// A text member of the `request` parameter's payload.
pub(super) fn member(parameters: &Parameters, name: &str) -> Option<String> {
    let object = parameters.one("request").ok().flatten()?;
    let payload = base64url::decode(object.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims.get(name)?.as_str().map(str::to_owned)
}
