//! Reading requests: forms with a limit, cookies, `Authorization` headers.

use std::mem;
use std::time::Duration;

use axum::body::{Bytes, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::pages;
use super::site::Site;
use crate::protocol::{
    BasicCredentials, Browser, CredentialsError, ErrorCode, OAuthError, Parameters, ResourceRequest,
};
use crate::secret::Secret;

/// Longest form taken, in bytes.
pub(super) const LONGEST_FORM: usize = 32 * 1024;

/// How long a body may take to come. Less than a request as a whole, so that who is slow is told so.
const BODY_TIMEOUT: Duration = if cfg!(test) {
    Duration::from_secs(2)
} else {
    Duration::from_secs(10)
};

/// Why a body is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAForm {
    /// Another `Content-Type`.
    Type,
    /// Bytes that are not the text of a form.
    Text,
    /// Longer than [`LONGEST_FORM`].
    Length,
    /// Not there in time.
    Late,
}

impl NotAForm {
    pub(super) fn status(self) -> StatusCode {
        match self {
            NotAForm::Type | NotAForm::Text => StatusCode::BAD_REQUEST,
            NotAForm::Length => StatusCode::PAYLOAD_TOO_LARGE,
            NotAForm::Late => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The same for the developer of a client.
    pub(super) fn error(self) -> OAuthError {
        const fn error(sentence: &'static str) -> OAuthError {
            OAuthError::new(ErrorCode::InvalidRequest, sentence)
        }
        match self {
            NotAForm::Type => error("expected a body of type application/x-www-form-urlencoded"),
            NotAForm::Text => error(
                "the form has a byte that is not printable ASCII; it has to be percent-encoded UTF-8",
            ),
            NotAForm::Length => error("the form is longer than 32 KiB"),
            NotAForm::Late => error("the form did not come in time"),
        }
    }

    /// The same for a person.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            NotAForm::Type | NotAForm::Text => {
                "The application posted something that is not a form."
            }
            NotAForm::Length => "The application posted a longer form than any needs.",
            NotAForm::Late => "The form did not come in time. Please try again.",
        }
    }
}

/// The body as form text (RFC 6749 §3.2: `application/x-www-form-urlencoded`, nothing else).
pub(super) async fn form_text(request: Request) -> Result<Zeroizing<String>, NotAForm> {
    if !is_form(request.headers()) {
        return Err(NotAForm::Type);
    }
    // Passwords and secrets are in it: what is ours of it is this one buffer, which is wiped whatever becomes of it.
    let mut bytes = Zeroizing::new(Vec::from(body(request, LONGEST_FORM).await?));
    for byte in bytes.iter_mut() {
        match byte {
            // Some clients forget to encode the spaces of a scope (oidc-agent 4), and every decoder reads a bare space as a space.
            b' ' => *byte = b'+',
            // A form is printable ASCII: anything else would not survive becoming an address.
            byte if !byte.is_ascii_graphic() => return Err(NotAForm::Text),
            _ => {}
        }
    }
    // Takes the buffer itself.
    match String::from_utf8(mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(_) => Err(NotAForm::Text),
    }
}

/// A whole body, within a length and within the time. One that announces that it is longer is not waited for.
pub(super) async fn body(request: Request, longest: usize) -> Result<Bytes, NotAForm> {
    if request.body().size_hint().lower() > longest as u64 {
        return Err(NotAForm::Length);
    }
    match timeout(BODY_TIMEOUT, to_bytes(request.into_body(), longest)).await {
        Ok(read) => read.map_err(|_| NotAForm::Length),
        Err(_) => Err(NotAForm::Late),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// A form of one of our pages, from one of our pages.
pub(super) async fn posted_page(
    site: &Site,
    request: Request,
) -> Result<(Browser, Parameters), Response> {
    // Browsers say where a post comes from. The seal in the form is the real defence; this one costs nothing.
    let from = request
        .headers()
        .get("sec-fetch-site")
        .map(|value| value.as_bytes().to_owned());
    if from.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return Err(pages::problem(
            site,
            StatusCode::FORBIDDEN,
            "This form was sent from another site.",
        ));
    }
    let browser = browser(site, request.headers());
    let not_a_form = |error: NotAForm| {
        pages::problem(site, error.status(), "This is not the form that was shown.")
    };
    let text = form_text(request).await.map_err(not_a_form)?;
    let form = Parameters::parse(&text).map_err(|_| not_a_form(NotAForm::Text))?;
    Ok((browser, form))
}

/// The cookies that matter to us.
pub(super) fn browser(site: &Site, headers: &HeaderMap) -> Browser {
    Browser {
        session: cookie(headers, site.session.name()),
        binding: cookie(headers, site.binding.name()),
    }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    // Ours are 43 base64url characters; what is not can only be noise.
    pairs
        .find(|(known, value)| *known == name && value.len() == 43)
        .map(|(_, value)| Secret::new(value))
}

/// `Authorization` at the token endpoint: none, or Basic.
pub(super) fn basic_credentials(
    headers: &HeaderMap,
) -> Result<Option<BasicCredentials>, CredentialsError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            BasicCredentials::parse(value.to_str().map_err(|_| CredentialsError)?).map(Some)
        }
        _ => Err(CredentialsError),
    }
}

/// The values of every `DPoP` header field; one that is no text counts as one that is no proof.
pub(super) fn dpop_proofs(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all("dpop").iter();
    values
        .map(|value| value.to_str().unwrap_or_default().to_owned())
        .collect()
}

/// Why a request that may hold an access token holds none that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoToken {
    /// More than one (RFC 6750 §2).
    Several,
    /// The scheme `DPoP`, and not exactly one proof (RFC 9449 §7.1).
    Proofs,
    /// The form that may hold one could not be read.
    Form(NotAForm),
}

/// The access token of a header (RFC 6750 §2.1, RFC 9449 §7.1) or, by POST, of a form field (§2.2). A token in the query
/// is not looked at (RFC 9700 §4.3.2).
pub(super) async fn access_token(request: Request) -> Result<Option<ResourceRequest>, NoToken> {
    let by_post = request.method() == Method::POST;
    let method = match *request.method() {
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        _ => "GET",
    };
    let in_header = header_token(request.headers(), method)?;
    let in_form = if by_post && is_form(request.headers()) {
        let text = form_text(request).await.map_err(NoToken::Form)?;
        let form = Parameters::parse(&text).map_err(|_| NoToken::Form(NotAForm::Text))?;
        form.one("access_token")
            .map_err(|_| NoToken::Several)?
            .map(|token| ResourceRequest {
                token: Secret::new(token),
                proof: None,
                method,
            })
    } else {
        None
    };
    match (in_header, in_form) {
        (Some(_), Some(_)) => Err(NoToken::Several),
        (one, other) => Ok(one.or(other)),
    }
}

/// The bearer token of the header, where nothing else is taken.
pub(super) fn bearer_token(headers: &HeaderMap) -> Result<Option<Secret>, NoToken> {
    let shown = header_token(headers, "")?;
    match shown {
        Some(ResourceRequest { proof: Some(_), .. }) => Err(NoToken::Proofs),
        shown => Ok(shown.map(|shown| shown.token)),
    }
}

fn header_token(
    headers: &HeaderMap,
    method: &'static str,
) -> Result<Option<ResourceRequest>, NoToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => return Err(NoToken::Several),
    };
    // The scheme's name is case-blind (RFC 9110 §11.1).
    let Some((scheme, token)) = value.split_once(' ') else {
        return Ok(None);
    };
    let proof = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => None,
        "dpop" => match <[String; 1]>::try_from(dpop_proofs(headers)) {
            Ok([proof]) => Some(proof),
            Err(_) => return Err(NoToken::Proofs),
        },
        _ => return Ok(None),
    };
    Ok(Some(ResourceRequest {
        token: Secret::new(token.trim()),
        proof,
        method,
    }))
}
