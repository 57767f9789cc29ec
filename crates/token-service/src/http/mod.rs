//! HTTP in, HTTP out: read the request into the protocol's words, and give its answer a shape. No rule of OAuth lives
//! here. One file an endpoint; [`router`] is the table of them.

mod answer;
mod around;
mod authorize;
mod check_session;
mod client_request;
mod device;
mod end_session;
mod head;
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
mod site;
mod token;
mod userinfo;

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use tower::ServiceExt as _;
use tower::layer::layer_fn;
use tower::util::MapResponseLayer;

pub(crate) use around::REQUEST_TIMEOUT;
use head::untouched;
use site::Site;

pub(crate) use crate::protocol::LONGEST_REQUEST;
use crate::protocol::{Document, Service, paths};

/// What the handlers share. A request keeps what it began with.
struct App {
    service: Arc<Service>,
    site: Site,
    metadata: Document,
    /// Our own API with its guard.
    api: Router,
}

type Shared = State<Arc<App>>;

/// What is served at the moment: it is exchanged whole when the configuration is read again.
#[derive(Clone)]
pub(crate) struct Current(Arc<RwLock<Arc<App>>>);

impl Current {
    pub(crate) fn new(service: Arc<Service>) -> Current {
        Current(Arc::new(RwLock::new(Arc::new(App::new(service)))))
    }

    /// The service that the next request meets.
    pub(crate) fn service(&self) -> Arc<Service> {
        Arc::clone(&self.app().service)
    }

    pub(crate) fn exchange(&self, service: Arc<Service>) {
        let app = Arc::new(App::new(service));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = app;
    }

    fn app(&self) -> Arc<App> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FromRef<Current> for Arc<App> {
    fn from_ref(current: &Current) -> Arc<App> {
        current.app()
    }
}

impl App {
    fn new(service: Arc<Service>) -> App {
        App {
            site: Site::new(&service.issuer),
            metadata: service.metadata(),
            api: me::routes(&service),
            service,
        }
    }
}

/// For programs: any web page may read the answers (no cookie is looked at), so that browser clients work (CORS).
#[rustfmt::skip]
fn for_programs() -> Vec<(&'static str, MethodRouter<Current>)> {
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
        (paths::ME,                   get(api)),
        (paths::PROTECTED_RESOURCE,   get(api)),
        (paths::PROTECTED_ME,         get(api)),
    ]
}

/// For people: never readable by another page, never in a frame (RFC 9700 §2.6, §4.16), save the one that is for frames.
#[rustfmt::skip]
fn for_people() -> Vec<(&'static str, MethodRouter<Current>)> {
    vec![
        (paths::HOME,            get(home)),
        (paths::STYLE,           get(pages::style)),
        (paths::AUTHORIZE,       get(authorize::authorize).head(untouched).post(authorize::authorize_by_form)),
        (paths::POSTED_AUTHORIZE, get(authorize::posted).head(untouched)),
        (paths::RESUME,          get(authorize::resume).head(untouched)),
        (paths::SIGN_IN,         post(interaction::sign_in)),
        (paths::CONSENT,         post(interaction::consent)),
        (paths::END_SESSION,     get(end_session::end_session).head(untouched).post(end_session::end_session_by_form)),
        (paths::POSTED_END_SESSION, get(end_session::posted).head(untouched)),
        (paths::END_SESSION_DECISION, post(end_session::decision)),
        (paths::CHECK_SESSION,   get(check_session::page)),
        (paths::DEVICE,          get(device::page).post(device::code)),
        (paths::DEVICE_SIGN_IN,  post(device::sign_in)),
        (paths::DEVICE_DECISION, post(device::decision)),
    ]
}

/// The service as an axum router: the same one behind TLS, behind a proxy and in tests. `beside` is served with it, at addresses that the
/// service has not.
pub(crate) fn router(current: Current, beside: Router) -> Router {
    let issuer = current.service().issuer.clone();
    let mut open = Router::new();
    for (path, methods) in for_programs() {
        let methods = methods.options(answer::preflight);
        for place in issuer.places(path) {
            open = open.route(&place, methods.clone());
        }
    }
    let mut all = open.layer(MapResponseLayer::new(answer::readable_by_any_page));
    for (path, methods) in for_people() {
        for place in issuer.places(path) {
            all = all.route(&place, methods.clone());
        }
    }
    let log = around::Log::new(&issuer);
    all.fallback(not_found)
        .with_state(current)
        .merge(beside)
        .layer(layer_fn(move |inner| {
            around::Around::new(inner, log.clone())
        }))
}

async fn api(State(app): Shared, request: Request) -> Result<Response, Infallible> {
    app.api.clone().oneshot(request).await
}

async fn home(State(app): Shared) -> Response {
    pages::home(&app.site, &app.service)
}

async fn not_found(State(app): Shared) -> Response {
    pages::problem(
        &app.site,
        StatusCode::NOT_FOUND,
        "There is nothing at this address.",
    )
}
