//! Device authorization (RFC 8628): the endpoint for devices, and the verification pages for people.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::site::Site;
use super::{Shared, answer, client_request, pages, request};
use crate::protocol::{Decision, DeviceAnswer, DevicePage, Parameters, paths};
use crate::secret::Secret;

/// §3.1.
pub(super) async fn authorization(State(app): Shared, request: Request) -> Response {
    let request = match client_request::read(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    match app.service.authorize_device(&request).await {
        Ok(codes) => answer::private_json(StatusCode::OK, &codes),
        Err(error) => answer::token_error(&error),
    }
}

/// §3.3, §3.3.1.
pub(super) async fn page(State(app): Shared, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let parameters = Parameters::parse(query).unwrap_or_default();
    let code = parameters.one("user_code").ok().flatten();
    let browser = request::browser(&app.site, request.headers());
    let DeviceAnswer { page, new_binding } = app
        .service
        .device_page(code.unwrap_or_default(), &browser)
        .await;
    let shown = shown(&app.site, page);
    match new_binding {
        Some(binding) => answer::with_cookie(shown, &app.site.binding, &binding),
        None => shown,
    }
}

pub(super) async fn sign_in(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(&app.site, request).await {
        Ok(posted) => posted,
        Err(problem) => return problem,
    };
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let password = Secret::new(field("password"));
    let (sealed, username) = (field("request"), field("username"));
    let page = app
        .service
        .device_sign_in(sealed, username, password, &browser);
    shown(&app.site, page.await)
}

pub(super) async fn code(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(&app.site, request).await {
        Ok(posted) => posted,
        Err(problem) => return problem,
    };
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let page = app
        .service
        .device_code_typed(field("request"), field("user_code"), &browser);
    shown(&app.site, page.await)
}

pub(super) async fn decision(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(&app.site, request).await {
        Ok(posted) => posted,
        Err(problem) => return problem,
    };
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let decision = match field("decision") {
        "allow" => Decision::Allow,
        "deny" => Decision::Deny,
        _ => {
            return pages::problem(
                &app.site,
                StatusCode::BAD_REQUEST,
                "Neither Allow nor Deny was chosen. Go back and choose one.",
            );
        }
    };
    let page = app
        .service
        .decide_device(field("request"), decision, &browser);
    shown(&app.site, page.await)
}

fn shown(site: &Site, page: DevicePage) -> Response {
    match page {
        DevicePage::SignedIn { session, user_code } => {
            let code: String = form_urlencoded::byte_serialize(user_code.as_bytes()).collect();
            let page = site.place(paths::DEVICE);
            let next = match code.is_empty() {
                true => page,
                false => format!("{page}?user_code={code}"),
            };
            answer::with_cookie(answer::see_other(site, &next), &site.session, &session)
        }
        page => pages::device(site, &page),
    }
}
