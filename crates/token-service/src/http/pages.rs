//! The pages people see: plain HTML and one stylesheet, no script (save one line in `response`). Everything in them is
//! escaped by askama.

use askama::Template;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use url::{Host, Url};

use super::answer::{NO_SNIFF, NO_STORE};
use super::me;
use super::site::Site;
use crate::domain::{ClientProfile, Resource, has_plain_host};
use crate::protocol::{
    Attempt, AuthorizationRequest, CodeProblem, DevicePage, Page, SINGLE_CLAIM, Service, paths,
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    site: &'a Site,
    /// Where the form goes.
    action: &'a str,
    client: &'a str,
    sealed: &'a str,
    username: &'a str,
    /// What went wrong; empty at first.
    problem: &'a str,
    /// What the client says of itself (OIDC Registration §2: logo, policy and terms are shown to the person).
    about: Option<&'a ClientProfile>,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    site: &'a Site,
    action: &'a str,
    client: &'a str,
    user: &'a str,
    scopes: Vec<String>,
    resources: Vec<&'a str>,
    destination: String,
    sealed: &'a str,
}

#[derive(Template)]
#[template(path = "device_code.html")]
struct DeviceCode<'a> {
    site: &'a Site,
    action: &'a str,
    sealed: &'a str,
    user_code: &'a str,
    problem: &'a str,
}

#[derive(Template)]
#[template(path = "device_confirm.html")]
struct DeviceConfirm<'a> {
    site: &'a Site,
    action: &'a str,
    client: &'a str,
    user: &'a str,
    user_code: String,
    scopes: Vec<String>,
    resources: Vec<&'a str>,
    sealed: &'a str,
}

#[derive(Template)]
#[template(path = "device_done.html")]
struct DeviceDone<'a> {
    site: &'a Site,
    allowed: bool,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    site: &'a Site,
    title: &'a str,
    sentence: &'a str,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    site: &'a Site,
    issuer: &'a str,
    openid: &'a str,
    oauth: &'a str,
    jwks: &'a str,
    me: &'a str,
    may_call: &'a str,
}

/// What a scope means, in the words of the consent page.
const MEANINGS: [(&str, &str); 6] = [
    ("openid", "know that it is you"),
    ("profile", "see your name and user name"),
    ("email", "see your e-mail address"),
    ("address", "see your postal address"),
    ("phone", "see your telephone number"),
    ("offline_access", "keep this access while you are away"),
];

fn meaning(scope: &str) -> String {
    if let Some(claim) = scope.strip_prefix(SINGLE_CLAIM) {
        return format!("see your {}", claim.replace('_', " "));
    }
    let mut known = MEANINGS.iter();
    let known = known.find(|(name, _)| *name == scope);
    known.map_or(scope, |(_, meaning)| meaning).to_owned()
}

/// A page that asks something.
pub(super) fn ask(
    site: &Site,
    page: &Page,
    sealed: &str,
    request: &AuthorizationRequest,
) -> Response {
    let client = request.client.name.as_str();
    let mut status = StatusCode::OK;
    let mut retry_after = None;
    let html = match page {
        Page::SignIn { username, last } => {
            let (told, wait) = problem_of(*last);
            if wait.is_some() {
                (status, retry_after) = (StatusCode::TOO_MANY_REQUESTS, wait);
            }
            SignIn {
                site,
                action: &site.place(paths::SIGN_IN),
                client,
                sealed,
                username,
                problem: &told,
                about: Some(&request.client.profile),
            }
            .render()
        }
        Page::Consent { user } => {
            let scopes = request.to_consent().iter().map(meaning).collect();
            let destination = destination(&request.redirect_uri);
            let resources = request.resources.iter().map(Resource::as_str).collect();
            Consent {
                site,
                action: &site.place(paths::CONSENT),
                client,
                user: &user.name,
                scopes,
                resources,
                destination,
                sealed,
            }
            .render()
        }
    };
    let logo = request.client.profile.logo_uri.as_deref();
    let logo = logo.and_then(source);
    let images = logo.map_or_else(String::new, |logo| format!(" {logo}"));
    let policy = Policy {
        images: &images,
        ..Policy::forms_to(FormAction::Anywhere)
    };
    let mut response = html_page(status, html, policy);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// What the sign-in page says of the last try, and how long to wait.
fn problem_of(last: Attempt) -> (String, Option<i64>) {
    match last {
        Attempt::None => (String::new(), None),
        Attempt::Wrong => (
            "That user name and password do not go together. Please try again.".into(),
            None,
        ),
        Attempt::TooSoon(seconds) => (
            format!(
                "There were too many wrong passwords for this user name. Please try again in {seconds} s."
            ),
            Some(seconds),
        ),
    }
}

/// A page of the device verification.
pub(super) fn device(site: &Site, page: &DevicePage) -> Response {
    let mut wait = None;
    let html = match page {
        DevicePage::SignIn {
            sealed,
            username,
            last,
        } => {
            let (problem, seconds) = problem_of(*last);
            wait = seconds;
            SignIn {
                site,
                action: &site.place(paths::DEVICE_SIGN_IN),
                client: "a device",
                sealed,
                username,
                problem: &problem,
                about: None,
            }
            .render()
        }
        DevicePage::Enter {
            sealed,
            user_code,
            problem,
        } => {
            let told = match problem {
                None => String::new(),
                Some(CodeProblem::Unknown) => {
                    "No device waits for this code. Please compare it with the one your device shows."
                        .into()
                }
                Some(CodeProblem::TooSoon(seconds)) => {
                    wait = Some(*seconds);
                    format!("There were too many wrong codes. Please try again in {seconds} s.")
                }
            };
            DeviceCode {
                site,
                action: &site.place(paths::DEVICE),
                sealed,
                user_code,
                problem: &told,
            }
            .render()
        }
        DevicePage::Confirm {
            sealed,
            client,
            user,
            request,
        } => DeviceConfirm {
            site,
            action: &site.place(paths::DEVICE_DECISION),
            client: &client.name,
            user: &user.name,
            user_code: request.user_code.to_string(),
            scopes: request.scope.iter().map(meaning).collect(),
            resources: request.resources.iter().map(Resource::as_str).collect(),
            sealed,
        }
        .render(),
        DevicePage::Done { allowed } => DeviceDone {
            site,
            allowed: *allowed,
        }
        .render(),
        DevicePage::Stale => {
            return problem(
                site,
                StatusCode::BAD_REQUEST,
                "This page is too old, or belongs to another browser, or the code was used. Start again on your device.",
            );
        }
        DevicePage::Broken | DevicePage::SignedIn { .. } => {
            return problem(
                site,
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server could not finish this request. Please try again.",
            );
        }
    };
    let status = match wait {
        Some(_) => StatusCode::TOO_MANY_REQUESTS,
        None => StatusCode::OK,
    };
    let mut response = html_page(status, html, Policy::forms_to(FormAction::Here));
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// A page that says what went wrong, without an address to go to.
pub(super) fn problem(site: &Site, status: StatusCode, sentence: &str) -> Response {
    let title = match status {
        StatusCode::NOT_FOUND => "Nothing here",
        StatusCode::INTERNAL_SERVER_ERROR => "Our mistake",
        _ => "This cannot be done",
    };
    let html = Problem {
        site,
        title,
        sentence,
    }
    .render();
    html_page(status, html, Policy::forms_to(FormAction::Nowhere))
}

/// The page at the issuer itself.
pub(super) fn home(site: &Site, service: &Service) -> Response {
    let home = Home {
        site,
        issuer: service.issuer(),
        openid: &site.place(paths::OPENID_CONFIGURATION),
        oauth: &site.place(paths::AUTHORIZATION_SERVER),
        jwks: &site.place(paths::JWKS),
        me: &site.place(paths::ME),
        may_call: &me::may_call(service),
    };
    html_page(
        StatusCode::OK,
        home.render(),
        Policy::forms_to(FormAction::Nowhere),
    )
}

/// The one stylesheet.
pub(super) async fn style() -> Response {
    let mut response = Response::new(Body::from(include_str!("../../assets/style.css")));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/css; charset=utf-8"),
    );
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    response
}

/// What a page may do (Content Security Policy). Everything that is not named is forbidden.
pub(super) struct Policy<'a> {
    /// Where its forms may lead.
    pub(super) form_action: FormAction,
    /// Which script it may run: almost always `'none'`.
    pub(super) script: &'a str,
    /// What it may show in frames: almost always `'none'`.
    pub(super) frames: &'a str,
    /// Who may show it in a frame: almost always `'none'`.
    pub(super) framed_by: &'a str,
    /// Where its pictures may come from besides itself: almost always nowhere.
    pub(super) images: &'a str,
}

impl Policy<'_> {
    /// A page without script.
    pub(super) fn forms_to(form_action: FormAction) -> Policy<'static> {
        Policy {
            form_action,
            script: "'none'",
            frames: "'none'",
            framed_by: "'none'",
            images: "",
        }
    }
}

/// Where the forms of a page may lead.
///
/// Chromium holds every redirect that follows a post against this, to the end of the chain; whether a browser should is open
/// (CSP 3 §6.4.1, w3c/webappsec-csp issue 8). What follows our answer to a client is the client's own: it may send the person on to another host,
/// or into an application (`https://a.example/cb`, then `a://done`), and no list that is made here can foresee that. A page
/// whose post may end at a client therefore has no `form-action`. What it still has: no foreign markup (everything is
/// escaped), no foreign script, no `base`, no frame around it.
#[derive(Clone, Copy)]
pub(super) enum FormAction {
    /// There is no form.
    Nowhere,
    /// To us, and the answer is a page or a redirect to us.
    Here,
    /// To us or a client, and from there wherever the client likes.
    Anywhere,
}

impl FormAction {
    fn directive(self) -> &'static str {
        match self {
            FormAction::Nowhere => " form-action 'none';",
            FormAction::Here => " form-action 'self';",
            FormAction::Anywhere => "",
        }
    }
}

/// A page that stands alone: in no frame (save one), in no cache, and no trace of its address elsewhere.
pub(super) fn html_page(
    status: StatusCode,
    html: askama::Result<String>,
    policy: Policy<'_>,
) -> Response {
    let Policy {
        form_action,
        script,
        frames,
        framed_by,
        images,
    } = policy;
    let html = html.expect("the templates write strings into a string");
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src 'self'; img-src data:{images}; frame-src {frames};{} base-uri 'none'; frame-ancestors {framed_by}",
        form_action.directive()
    );
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_str(&policy).expect("sources are letters, digits, hyphens and dots"),
    );
    if framed_by == "'none'" {
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

/// CSP 3 §6.7.3: this script, by its hash, and no other.
pub(super) fn script_source(script: &str) -> String {
    let hash = openssl::sha::sha256(script.as_bytes());
    format!("'sha256-{}'", base64_simd::STANDARD.encode_to_string(hash))
}

/// An address as a source expression of a Content Security Policy: an origin, or a scheme where it has none. Nothing for a
/// host that could mean anything else there: a `;` in it would end the directive and begin another, a `*` name everybody.
/// No such host is registered any more; here it is not relied on that none was before.
pub(super) fn source(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    let scheme = format!("{}:", url.scheme());
    match url.host() {
        _ if !url.origin().is_tuple() => Some(scheme),
        // A source expression cannot name an IPv6 address.
        Some(Host::Ipv6(_)) => Some(scheme),
        _ if has_plain_host(&url) => Some(url.origin().ascii_serialization()),
        _ => None,
    }
}

/// The part of the redirect URI a person can judge.
pub(super) fn destination(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => redirect_uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{HOSTS_THAT_ARE_NONE, Issuer};

    #[test]
    fn sources_are_origins_or_schemes() {
        for (uri, expected) in [
            ("https://a.example/cb?x=;y", "https://a.example"),
            ("http://127.0.0.1:1234/cb", "http://127.0.0.1:1234"),
            ("http://[::1]:1234/cb", "http:"),
            ("com.example.app:/cb", "com.example.app:"),
        ] {
            assert_eq!(source(uri).as_deref(), Some(expected));
        }
        for host in HOSTS_THAT_ARE_NONE {
            assert_eq!(source(&format!("https://{host}/cb")), None, "{host}");
        }
    }

    #[test]
    fn everything_is_escaped() {
        let html = SignIn {
            site: &Site::new(&Issuer::parse("https://id.example").unwrap()),
            action: "/sign-in",
            client: "<script>",
            sealed: "\"><x",
            username: "'\"&",
            problem: "<b>",
            about: None,
        }
        .render()
        .unwrap();
        assert!(
            !html.contains("<script>") && !html.contains("\"><x") && !html.contains("'\"&"),
            "{html}"
        );
    }
}
