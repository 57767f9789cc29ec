//! Reading what a client sends to an endpoint where it authenticates: `Authorization: Basic` and a form, nothing else.

use axum::extract::Request;
use axum::response::Response;

use super::{answer, request};
use crate::protocol::{ClientRequest, ErrorCode, OAuthError, Parameters};

/// The request, or the answer to one that cannot be read.
pub(super) async fn read(request: Request) -> Result<ClientRequest, Response> {
    const BAD_HEADER: OAuthError = OAuthError::new(
        ErrorCode::InvalidClient,
        "the Authorization header holds no Basic credentials",
    );
    let Ok(basic) = request::basic_credentials(request.headers()) else {
        return Err(answer::token_error(&BAD_HEADER));
    };
    let dpop = request::dpop_proofs(request.headers());
    let form = request::form_text(request).await.map_err(|error| {
        answer::with_status(answer::token_error(&error.error()), error.status())
    })?;
    let parameters = Parameters::of_form(form).map_err(|error| answer::token_error(&error))?;
    Ok(ClientRequest {
        basic,
        dpop,
        parameters,
    })
}
