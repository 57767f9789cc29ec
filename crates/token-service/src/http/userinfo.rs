//! UserInfo (OIDC Core §5.3.1).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::request::NoToken;
use super::{Shared, answer, request};
use crate::protocol::{BearerError, ErrorCode, OAuthError, UserInfoAnswer};

/// OIDC Core §5.3.1, by GET and POST.
pub(super) async fn userinfo(State(app): Shared, request: Request) -> Response {
    const TWO_METHODS: OAuthError =
        OAuthError::new(ErrorCode::InvalidRequest, "send one access token");
    const PROOFS: OAuthError = OAuthError::new(
        ErrorCode::InvalidDpopProof,
        "the scheme DPoP needs exactly one DPoP header",
    );
    let refused = |error| answer::resource_error(&BearerError::Refused(error));
    let asked = match request::access_token(request).await {
        Ok(asked) => asked,
        Err(NoToken::Several) => return refused(TWO_METHODS),
        Err(NoToken::Proofs) => return refused(PROOFS),
        Err(NoToken::Form(error)) => {
            return answer::with_status(refused(error.error()), error.status());
        }
    };
    let answer = match app.service.userinfo(asked.as_ref()).await {
        Ok(UserInfoAnswer::Json(claims)) => answer::private_json(StatusCode::OK, &claims),
        Ok(UserInfoAnswer::Jwt(jwt)) => answer::private_text("application/jwt", jwt),
        Err(error) => answer::resource_error(&error),
    };
    answer::with_dpop_nonce(answer, &app.service)
}
