//! `GET /api/me`: a small API of our own, guarded as any other API would be, by `resource-guard` and a compiled claim
//! check.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Router};
use serde::Serialize;
use stampmill_claim_check::{ClaimCheck, Environment};
use stampmill_jose::Jwks;
use stampmill_resource_guard::{
    AccessToken, BoxError, BoxFuture, Guard, GuardLayer, KeySource, KeysUnavailable, NonceSource,
    ReplayStore,
};
use tower::ServiceExt as _;

use super::answer;
use crate::protocol::{Document, Service, paths};

/// Who may call: somebody who signed in, or a client for itself; and the token may not claim a longer life than we
/// give (600 seconds, unless configured otherwise).
///
/// `auth_time` is missing from a client's own token. In CEL a missing claim is an error, and `||` forgives it where the
/// other side is true. A NumericDate may have a fraction (RFC 7519 §2), and CEL subtracts no double from an integer, so both
/// are made doubles.
pub(crate) fn may_call(service: &Service) -> String {
    let own = service.resources.own();
    let configured = own
        .accept_when
        .as_ref()
        .map(|check| check.source().to_owned());
    let lifetime = own
        .access_token_lifetime
        .unwrap_or(service.policy.access_token_lifetime());
    configured.unwrap_or_else(|| {
        format!(
            "(claims.sub == claims.client_id || claims.auth_time <= now) && claims.exp > now && double(claims.exp) - double(claims.iat) <= {lifetime}.0"
        )
    })
}

#[derive(Serialize)]
struct Me<'a> {
    sub: &'a str,
    client_id: &'a str,
    scope: Vec<&'a str>,
}

/// The route, its guard, and what the guard tells of itself (RFC 9728).
pub(super) fn routes(service: &Arc<Service>) -> Router {
    let rule = may_call(service);
    let plain = ClaimCheck::interpreted_in(&rule, &Environment::claims()).expect(COMPILES);
    let plain = Arc::new(plain);
    let describe = |address: String| {
        let guard = guard(service, Arc::clone(&plain), &address);
        let metadata = guard.metadata().map(|metadata| metadata.json.clone());
        let metadata = Document::new(metadata.unwrap_or_default());
        get(move |request: Request| {
            let answer = answer::document(&metadata, request.headers());
            async move { answer }
        })
    };
    let of_the_service = describe(service.issuer().to_owned());
    let of_the_api = describe(service.api_address());
    let issuer = service.issuer.clone();
    // Machine code for the check is made when somebody first asks: making it reads some megabytes of code generator into
    // memory, and many servers are never asked.
    let (service, guarded) = (Arc::clone(service), OnceLock::<MethodRouter>::new());
    let guarded = get(move |request: Request| {
        let guarded = guarded.get_or_init(|| {
            let check = ClaimCheck::compile(&rule).expect(COMPILES);
            let guard = guard(&service, Arc::new(check), &service.api_address());
            get(me).layer(GuardLayer::new(guard))
        });
        guarded.clone().oneshot(request)
    });
    Router::new()
        .route(&issuer.place(paths::ME), guarded)
        .route(&issuer.place(paths::PROTECTED_RESOURCE), of_the_service)
        .route(&issuer.place(paths::PROTECTED_ME), of_the_api)
}

const COMPILES: &str =
    "the expression above compiles, and a configured one has been compiled before";

/// The guard; what it publishes is of this address.
fn guard(service: &Arc<Service>, check: Arc<ClaimCheck>, address: &str) -> Guard {
    let (clock, grants) = (Arc::clone(&service.clock), Arc::clone(service));
    let guard = Guard::builder(service.issuer(), service.resources.own().resource.as_str())
        .keys(OwnKeys(Arc::clone(service)))
        .clock(move || clock.now())
        .accept_when(check)
        // The one question a JWT cannot answer by itself; we keep the grants, so we can.
        .revoked_when(move |token: AccessToken| {
            let grants = Arc::clone(&grants);
            let (jti, grant) = (token.jwt_id().to_owned(), token.claim_str("grant_id"));
            let client = token.client_id().to_owned();
            async move { Ok(!grants.jwt_stands(&jti, grant, &client).await?) }
        })
        .introspect({
            let service = Arc::clone(service);
            move |token| {
                let service = Arc::clone(&service);
                async move { Ok(service.describe_own(&token).await?) }
            }
        })
        .dpop(service.issuer.origin(), UsedProofs(Arc::clone(service)))
        .publish_metadata_of(address)
        .realm("stampmill");
    let guard = match service.policy.dpop_nonces() {
        true => guard.dpop_nonces(OwnNonces(Arc::clone(service))),
        false => guard,
    };
    guard
        .build()
        .expect("keys are given and the realm is plain")
}

/// The keys of the moment: they rotate.
struct OwnKeys(Arc<Service>);

impl KeySource for OwnKeys {
    fn current(&self) -> BoxFuture<'_, Result<Arc<Jwks>, KeysUnavailable>> {
        Box::pin(async { Ok(self.0.jwks()) })
    }
}

/// One nonce for the token endpoint, UserInfo and this API.
struct OwnNonces(Arc<Service>);

impl NonceSource for OwnNonces {
    fn accepted(&self, _: i64) -> [String; 2] {
        self.0.dpop_nonces()
    }
}

/// Proofs used at our own API are remembered where those of the token endpoint are.
struct UsedProofs(Arc<Service>);

impl ReplayStore for UsedProofs {
    fn first_use(
        &self,
        name: String,
        expires_at: i64,
        _now: i64,
    ) -> BoxFuture<'_, Result<bool, BoxError>> {
        Box::pin(async move { Ok(self.0.first_use(&name, expires_at).await?) })
    }
}

async fn me(Extension(token): Extension<AccessToken>) -> Response {
    let me = Me {
        sub: token.subject(),
        client_id: token.client_id(),
        scope: token.scope().collect(),
    };
    answer::private_json(StatusCode::OK, &me)
}
