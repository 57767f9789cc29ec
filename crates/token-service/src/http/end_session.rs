//! The end session endpoint (OpenID Connect RP-Initiated Logout 1.0 §2) and the page that asks first.

use std::sync::LazyLock;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::request::LONGEST_FORM;
use super::site::Site;
use super::{Shared, answer, authorize, pages, request};
use crate::protocol::{Farewell, FrontChannelFrames, Logout, paths};

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOut<'a> {
    site: &'a Site,
    action: &'a str,
    user: &'a str,
    client: &'a str,
    destination: &'a str,
    sealed: &'a str,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOut<'a> {
    site: &'a Site,
    out: bool,
    frames: &'a [String],
    /// Names of the applications that have not heard of it.
    told_later: &'a [String],
    /// Where to go on; empty for nowhere.
    back: &'a str,
    /// Whose that is, where the person has to choose to go there.
    offer: Option<Offer<'a>>,
    script: &'static str,
}

struct Offer<'a> {
    client: &'a str,
    destination: &'a str,
}

impl SignedOut<'_> {
    /// By itself: not where there is something to read first, or to choose.
    fn goes_on(&self) -> bool {
        !self.back.is_empty() && self.told_later.is_empty() && self.offer.is_none()
    }
}

/// Goes on once every frame has loaded or failed, and after five seconds anyway. Without script the page does so by itself,
/// after those five seconds, and there is a link.
const SCRIPT: &str = "var go=function(){location.replace(document.getElementById('continue').href)};addEventListener('load',go);setTimeout(go,5000)";

static SCRIPT_SOURCE: LazyLock<String> = LazyLock::new(|| pages::script_source(SCRIPT));

/// §2, by GET.
pub(super) async fn end_session(State(app): Shared, request: Request) -> Response {
    let parameters = match authorize::query(&request) {
        Ok(parameters) => parameters,
        Err((status, sentence)) => return pages::problem(&app.site, status, sentence),
    };
    let browser = request::browser(&app.site, request.headers());
    shown(
        &app.site,
        app.service.end_session(&parameters, &browser).await,
    )
}

/// §2, by POST. The request stands sealed in the form of our page, where it takes almost twice as much.
pub(super) async fn end_session_by_form(State(app): Shared, request: Request) -> Response {
    const LONGEST: usize = LONGEST_FORM / 2;
    let form = match authorize::form(&app.site, request, LONGEST).await {
        Ok(form) => form,
        Err(problem) => return problem,
    };
    match app.service.end_session_by_form(&form).await {
        Ok(address) => answer::see_other(&app.site, &address),
        Err(refused) => shown(&app.site, refused),
    }
}

/// And back by GET.
pub(super) async fn posted(State(app): Shared, request: Request) -> Response {
    let parameters = match authorize::kept_form(&app, &request, paths::END_SESSION) {
        Ok(parameters) => parameters,
        Err((status, sentence)) => return pages::problem(&app.site, status, sentence),
    };
    let browser = request::browser(&app.site, request.headers());
    shown(
        &app.site,
        app.service.end_session(&parameters, &browser).await,
    )
}

pub(super) async fn decision(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(&app.site, request).await {
        Ok(posted) => posted,
        Err(problem) => return problem,
    };
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let end = match field("decision") {
        "end" => true,
        "stay" => false,
        _ => {
            return pages::problem(
                &app.site,
                StatusCode::BAD_REQUEST,
                "Neither Sign out nor Stay signed in was chosen. Go back and choose one.",
            );
        }
    };
    let sealed = field("request");
    shown(
        &app.site,
        app.service.decide_end_session(sealed, end, &browser).await,
    )
}

fn shown(site: &Site, logout: Logout) -> Response {
    let without_session = |response| {
        let response = answer::without_cookie(response, &site.session);
        answer::without_cookie(response, &site.state)
    };
    match logout {
        Logout::Done { farewell, back } => without_session(match back {
            Some(back) if farewell == Farewell::default() => answer::see_other(site, &back),
            back => signed_out(site, true, &farewell, &back.unwrap_or_default(), None),
        }),
        Logout::Offer { client, back } => without_session({
            let offer = Offer {
                client: &client.name,
                destination: &pages::destination(&back),
            };
            signed_out(site, true, &Farewell::default(), &back, Some(offer))
        }),
        Logout::Stayed => signed_out(site, false, &Farewell::default(), "", None),
        Logout::Refuse(sentence) => pages::problem(site, StatusCode::BAD_REQUEST, sentence),
        Logout::Broken => pages::problem(
            site,
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server could not finish this request. Please try again.",
        ),
        Logout::Ask {
            sealed,
            user,
            client,
            back,
            new_binding,
        } => {
            let back = back.unwrap_or_default();
            let html = SignOut {
                site,
                action: &site.place(paths::END_SESSION_DECISION),
                user: &user.name,
                client: client.as_ref().map_or("", |client| &client.name),
                destination: &pages::destination(&back),
                sealed: &sealed,
            };
            let policy = pages::Policy::forms_to(pages::FormAction::Anywhere);
            let asked = pages::html_page(StatusCode::OK, html.render(), policy);
            match new_binding {
                Some(binding) => answer::with_cookie(asked, &site.binding, &binding),
                None => asked,
            }
        }
    }
}

/// The page at the end, with the frames that tell clients (Front-Channel Logout 1.0 §2).
fn signed_out(
    site: &Site,
    out: bool,
    farewell: &Farewell,
    back: &str,
    offer: Option<Offer<'_>>,
) -> Response {
    let Farewell {
        frames: FrontChannelFrames(frames),
        told_later,
    } = farewell;
    let html = SignedOut {
        site,
        out,
        frames,
        told_later,
        back,
        offer,
        script: SCRIPT,
    };
    let sources = frames.iter().filter_map(|frame| pages::source(frame));
    let mut sources: Vec<String> = sources.collect();
    sources.sort_unstable();
    sources.dedup();
    let sources = sources.join(" ");
    let policy = pages::Policy {
        script: if !html.goes_on() {
            "'none'"
        } else {
            &SCRIPT_SOURCE
        },
        frames: if sources.is_empty() {
            "'none'"
        } else {
            &sources
        },
        ..pages::Policy::forms_to(pages::FormAction::Nowhere)
    };
    pages::html_page(StatusCode::OK, html.render(), policy)
}
