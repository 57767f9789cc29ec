//! HTTP in, HTTP out: read the request into the protocol's words, and give its answer a shape. No rule of OAuth lives
//! here. One file an endpoint; [`router`] is the table of them.

mod answer;
mod around;
mod authorize;
mod check_session;
mod client_request;
mod device;
mod end_session;
mod interaction;
mod introspection;
pub(crate) mod me;
mod metadata;
mod pages;
mod pushed_request;
mod registration;
mod request;
mod response;
mod revocation;
mod token;
mod userinfo;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use tower::layer::layer_fn;
use tower::util::MapResponseLayer;

pub(crate) use around::REQUEST_TIMEOUT;

pub(crate) use crate::protocol::LONGEST_REQUEST;
use crate::protocol::{Document, Service, paths};

/// What the handlers share.
struct App {
    service: Arc<Service>,
    metadata: Document,
}

type Shared = State<Arc<App>>;

/// For programs: any web page may read the answers (no cookie is looked at), so that browser clients work (CORS).
#[rustfmt::skip]
fn for_programs() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    vec![
        (paths::OPENID_CONFIGURATION, get(metadata::metadata)),
        (paths::AUTHORIZATION_SERVER, get(metadata::metadata)),
        (paths::JWKS,                 get(metadata::keys)),
        (paths::TOKEN,                post(token::token)),
        (paths::REVOCATION,           post(revocation::revoke)),
        (paths::INTROSPECTION,        post(introspection::introspect)),
        (paths::PUSHED_AUTHORIZATION_REQUEST, post(pushed_request::push)),
        (paths::REGISTRATION,         post(registration::register)),
        (paths::REGISTERED_CLIENT,    get(registration::show).put(registration::replace).delete(registration::delete)),
        (paths::DEVICE_AUTHORIZATION, post(device::authorization)),
        (paths::USERINFO,             get(userinfo::userinfo).post(userinfo::userinfo)),
    ]
}

/// For people: never readable by another page, never in a frame (RFC 9700 §2.6, §4.16), save the one that is for frames.
#[rustfmt::skip]
fn for_people() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    vec![
        (paths::HOME,            get(home)),
        (paths::STYLE,           get(pages::style)),
        (paths::AUTHORIZE,       get(authorize::authorize).post(authorize::authorize_by_form)),
        (paths::RESUME,          get(authorize::resume)),
        (paths::SIGN_IN,         post(interaction::sign_in)),
        (paths::CONSENT,         post(interaction::consent)),
        (paths::END_SESSION,     get(end_session::end_session).post(end_session::end_session_by_form)),
        (paths::END_SESSION_DECISION, post(end_session::decision)),
        (paths::CHECK_SESSION,   get(check_session::page)),
        (paths::DEVICE,          get(device::page).post(device::code)),
        (paths::DEVICE_SIGN_IN,  post(device::sign_in)),
        (paths::DEVICE_DECISION, post(device::decision)),
    ]
}

/// The service as an axum router: the same one behind TLS, behind a proxy and in tests. `beside` is served with it, at addresses that the
/// service has not.
pub(crate) fn router(service: Arc<Service>, beside: Router) -> Router {
    let mut open = me::routes(&service);
    for (path, methods) in for_programs() {
        open = open.route(path, methods.options(answer::preflight));
    }
    let mut all = open.layer(MapResponseLayer::new(answer::readable_by_any_page));
    for (path, methods) in for_people() {
        all = all.route(path, methods);
    }
    let app = Arc::new(App {
        metadata: service.metadata(),
        service,
    });
    all.fallback(not_found)
        .with_state(app)
        .merge(beside)
        .layer(layer_fn(around::Around::new))
}

async fn home(State(app): Shared) -> Response {
    pages::home(&app.service)
}

async fn not_found() -> Response {
    pages::problem(StatusCode::NOT_FOUND, "There is nothing at this address.")
}
