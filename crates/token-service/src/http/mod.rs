//! HTTP in, HTTP out: read the request into the protocol's words, and give its answer a shape. No rule of OAuth lives
//! here.

mod answer;
mod log;
pub(crate) mod me;
mod pages;
mod request;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::protocol::{
    BearerError, Decision, Document, ErrorCode, OAuthError, Outcome, Parameters, Service, SignedIn,
    TokenError, paths,
};
use crate::secret::Secret;

/// A request that is not answered by then is given up (password hashing behind a full gate is the slowest thing there
/// is).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest authorization request, in bytes: it travels sealed through our pages, so it must fit a form and an address.
pub(crate) const LONGEST_REQUEST: usize = 8 * 1024;

/// What the handlers share.
struct App {
    service: Arc<Service>,
    metadata: Document,
    keys: Document,
}

type Shared = State<Arc<App>>;

/// The service as an axum router: the same one behind TLS, behind a proxy and in tests.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let guarded = me::routes(&service);
    let app = Arc::new(App {
        metadata: service.metadata(),
        keys: service.key_set(),
        service,
    });
    // For programs: any web page may read these (no cookie is looked at), so that browser clients work (CORS).
    let open = Router::new()
        .route(
            paths::OPENID_CONFIGURATION,
            get(metadata).options(answer::preflight),
        )
        .route(
            paths::AUTHORIZATION_SERVER,
            get(metadata).options(answer::preflight),
        )
        .route(paths::JWKS, get(keys).options(answer::preflight))
        .route(paths::TOKEN, post(token).options(answer::preflight))
        .route(
            paths::USERINFO,
            get(userinfo).post(userinfo).options(answer::preflight),
        )
        .merge(guarded)
        .layer(middleware::map_response(answer::readable_by_any_page));
    // For people: never readable by another page, never in a frame (RFC 9700 §2.6, §4.16).
    let pages = Router::new()
        .route("/", get(home))
        .route(paths::STYLE, get(pages::style))
        .route(paths::AUTHORIZE, get(authorize).post(authorize_by_form))
        .route(paths::RESUME, get(resume))
        .route(paths::SIGN_IN, post(sign_in))
        .route(paths::CONSENT, post(consent));
    open.merge(pages)
        .fallback(not_found)
        .with_state(app)
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .layer(middleware::map_response(answer::not_stored_by_default))
        .layer(middleware::from_fn(log::one_line))
}

async fn home(State(app): Shared) -> Response {
    pages::home(&app.service)
}

async fn metadata(State(app): Shared, request: Request) -> Response {
    answer::document(&app.metadata, request.headers())
}

async fn keys(State(app): Shared, request: Request) -> Response {
    answer::document(&app.keys, request.headers())
}

/// RFC 6749 §3.1, by GET.
async fn authorize(State(app): Shared, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    if query.len() > LONGEST_REQUEST {
        return pages::problem(
            StatusCode::URI_TOO_LONG,
            "The application sent a longer request than any needs.",
        );
    }
    let Ok(parameters) = Parameters::parse(query) else {
        return pages::problem(
            StatusCode::BAD_REQUEST,
            "The application sent more parameters than any request needs.",
        );
    };
    let browser = request::browser(request.headers());
    outcome(app.service.authorize(&parameters, &browser).await)
}

/// RFC 6749 §3.1, by POST: turned into a GET, because a form posted by another site arrives without our SameSite=Lax
/// cookies, and the person would have to sign in again.
async fn authorize_by_form(request: Request) -> Response {
    match request::form_text(request).await {
        Ok(form) => answer::see_other(&format!("{}?{}", paths::AUTHORIZE, form.as_str())),
        Err(error) => pages::problem(
            error.status(),
            "The application posted something that is not a form.",
        ),
    }
}

/// Back from the sign-in page.
async fn resume(State(app): Shared, request: Request) -> Response {
    let browser = request::browser(request.headers());
    let parameters =
        Parameters::parse(request.uri().query().unwrap_or_default()).unwrap_or_default();
    let sealed = parameters.one("request").ok().flatten().unwrap_or_default();
    outcome(app.service.resume(sealed, &browser).await)
}

async fn sign_in(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(request).await {
        Ok(posted) => posted,
        Err(problem) => return problem,
    };
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let password = Secret::new(field("password"));
    match app
        .service
        .sign_in(field("request"), field("username"), password, &browser)
        .await
    {
        SignedIn::Yes { session, sealed } => {
            let next = format!("{}?request={sealed}", paths::RESUME);
            answer::with_cookie(answer::see_other(&next), request::SESSION_COOKIE, &session)
        }
        SignedIn::No(refused) => outcome(refused),
    }
}

async fn consent(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(request).await {
        Ok(posted) => posted,
        Err(problem) => return problem,
    };
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let decision = match field("decision") {
        "allow" => Decision::Allow,
        "deny" => Decision::Deny,
        "switch" => Decision::SwitchUser,
        _ => {
            return pages::problem(
                StatusCode::BAD_REQUEST,
                "Neither Allow nor Deny was chosen. Go back and choose one.",
            );
        }
    };
    outcome(
        app.service
            .decide(field("request"), decision, &browser)
            .await,
    )
}

/// RFC 6749 §3.2.
async fn token(State(app): Shared, request: Request) -> Response {
    const NOT_A_FORM: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "expected a body of type application/x-www-form-urlencoded",
    );
    const BAD_HEADER: OAuthError = OAuthError::new(
        ErrorCode::InvalidClient,
        "the Authorization header holds no Basic credentials",
    );
    let Ok(basic) = request::basic_credentials(request.headers()) else {
        return answer::token_error(&TokenError {
            error: BAD_HEADER,
            challenge: true,
        });
    };
    let form = match request::form_text(request).await {
        Ok(form) => form,
        Err(error) => {
            return answer::with_status(
                answer::token_error(&TokenError {
                    error: NOT_A_FORM,
                    challenge: false,
                }),
                error.status(),
            );
        }
    };
    let answered = match Parameters::parse(&form) {
        Ok(parameters) => app.service.token(basic, &parameters).await,
        Err(error) => Err(TokenError {
            error,
            challenge: false,
        }),
    };
    match answered {
        Ok(tokens) => answer::private_json(StatusCode::OK, &tokens),
        Err(error) => answer::token_error(&error),
    }
}

/// OIDC Core §5.3.1, by GET and POST.
async fn userinfo(State(app): Shared, request: Request) -> Response {
    const TWO_METHODS: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "more than one access token in one request",
    );
    let Ok(token) = request::bearer_token(request).await else {
        return answer::bearer_error(&BearerError::Refused(TWO_METHODS));
    };
    match app
        .service
        .userinfo(token.as_ref().map(Secret::expose))
        .await
    {
        Ok(claims) => answer::private_json(StatusCode::OK, &claims),
        Err(error) => answer::bearer_error(&error),
    }
}

async fn not_found() -> Response {
    pages::problem(StatusCode::NOT_FOUND, "There is nothing at this address.")
}

/// What the browser gets from the protocol's answer.
fn outcome(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Redirect(location) => answer::see_other(&location),
        Outcome::Refuse(sentence) => pages::problem(StatusCode::BAD_REQUEST, sentence),
        Outcome::Broken => pages::problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server could not finish this request. Please try again.",
        ),
        Outcome::Ask {
            page,
            sealed,
            request,
            new_binding,
        } => {
            let shown = pages::ask(&page, &sealed, &request);
            match new_binding {
                Some(binding) => answer::with_cookie(shown, request::BINDING_COOKIE, &binding),
                None => shown,
            }
        }
    }
}
