//! The client registration endpoint (RFC 7591 §3) and the client configuration endpoint (RFC 7592 §2).

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{App, Shared, answer, request};
use crate::protocol::{BearerError, ErrorCode, OAuthError, Refusal, RegistrationRules};
use crate::secret::Secret;

/// Longest metadata, in bytes.
const LONGEST: usize = 64 * 1024;

pub(super) async fn register(State(app): Shared, request: Request) -> Response {
    let Some(rules) = &app.service.registration else {
        return answer::empty(StatusCode::NOT_FOUND);
    };
    let registered = async {
        let (token, body) = read(request).await?;
        let service = &app.service;
        Ok(service.register(rules, token.as_ref(), &body).await?)
    };
    told(StatusCode::CREATED, registered.await)
}

/// The client that a path names; one that is no text names nobody.
type Named = Result<Path<String>, PathRejection>;

fn id_in(path: Named) -> String {
    path.map(|Path(id)| id).unwrap_or_default()
}

pub(super) async fn show(State(app): Shared, path: Named, request: Request) -> Response {
    let id = id_in(path);
    let token = bearer(request.headers());
    let read = async {
        let token = token?;
        let service = &app.service;
        Ok(service.read_registration(&id, token.as_ref()).await?)
    };
    told(StatusCode::OK, read.await)
}

pub(super) async fn replace(State(app): Shared, path: Named, request: Request) -> Response {
    let id = id_in(path);
    let rules = registration_rules(&app);
    let replaced = async {
        let (token, body) = read(request).await?;
        let replaced = app
            .service
            .replace_registration(&rules, &id, token.as_ref(), &body);
        Ok(replaced.await?)
    };
    told(StatusCode::OK, replaced.await)
}

pub(super) async fn delete(State(app): Shared, path: Named, request: Request) -> Response {
    let id = id_in(path);
    let token = bearer(request.headers());
    let deleted = async {
        let token = token?;
        let service = &app.service;
        Ok(service.delete_registration(&id, token.as_ref()).await?)
    };
    match deleted.await {
        Ok(()) => answer::empty(StatusCode::NO_CONTENT),
        Err(refused) => refused_answer(refused),
    }
}

/// Clients that are there can be looked after even where no more are taken.
fn registration_rules(app: &App) -> RegistrationRules {
    app.service.registration.clone().unwrap_or_default()
}

/// Why there is no good answer: the rules refused, or the message cannot be read.
enum Refused {
    ByRules(Refusal),
    Unreadable(StatusCode, &'static str),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused::ByRules(refusal)
    }
}

async fn read(request: Request) -> Result<(Option<Secret>, Bytes), Refused> {
    let token = bearer(request.headers())?;
    let media_type = request.headers().get(CONTENT_TYPE);
    let media_type = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Refused::Unreadable(
            StatusCode::BAD_REQUEST,
            "expected a body of type application/json",
        ));
    }
    match request::body(request, LONGEST).await {
        Ok(body) => Ok((token, body)),
        Err(error) => Err(Refused::Unreadable(
            error.status(),
            "the metadata is longer than any client's, or did not come in time",
        )),
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<Secret>, Refusal> {
    const UNCLEAR: OAuthError = OAuthError::new(ErrorCode::InvalidRequest, "send one bearer token");
    request::bearer_token(headers).map_err(|_| Refusal::Bearer(BearerError::Refused(UNCLEAR)))
}

fn told(status: StatusCode, outcome: Result<Map<String, Value>, Refused>) -> Response {
    match outcome {
        Ok(metadata) => answer::private_json(status, &metadata),
        Err(refused) => refused_answer(refused),
    }
}

fn refused_answer(refused: Refused) -> Response {
    let error = |status, code: ErrorCode, description: &str| {
        let body = json!({"error": code.name(), "error_description": description});
        answer::private_json(status, &body)
    };
    match refused {
        Refused::Unreadable(status, sentence) => {
            error(status, ErrorCode::InvalidClientMetadata, sentence)
        }
        Refused::ByRules(Refusal::Metadata(code, sentence)) => {
            tracing::info!(error = code.name(), %sentence, "registration refused");
            error(StatusCode::BAD_REQUEST, code, &sentence)
        }
        Refused::ByRules(Refusal::Bearer(refused)) => answer::bearer_error(&refused),
        Refused::ByRules(Refusal::Later(seconds)) => {
            let mut response = error(
                StatusCode::TOO_MANY_REQUESTS,
                ErrorCode::TemporarilyUnavailable,
                "too many registrations; try again later",
            );
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Refused::ByRules(Refusal::Broken) => {
            let broken = OAuthError::SERVER_ERROR;
            error(
                StatusCode::INTERNAL_SERVER_ERROR,
                broken.code,
                broken.description,
            )
        }
    }
}
