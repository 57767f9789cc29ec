//! Finding the token in a request: the `Authorization` header and nothing else (RFC 6750 §2.1, RFC 9449 §7.1).
//!
//! The RFC knows two more places, and both are refused here. A token in the query (§2.3) ends up in logs, histories and
//! `Referer` headers, which RFC 9700 §4.3.2 forbids; a token in a form body (§2.2) would make a guard read bodies it has
//! no business with. Both count as "no credentials in a form we support", for which §3.1 wants a bare challenge.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use thiserror::Error;

/// Why a request's credentials cannot even be read. All are `invalid_request`, HTTP 400 (RFC 6750 §3.1).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedCredentials {
    /// More than one `Authorization` header: a proxy and an API could each believe another one.
    #[error("expected one Authorization header, found {0}")]
    RepeatedHeader(usize),
    /// The scheme is one of ours, but what follows is not one `b64token` (RFC 6750 §2.1).
    #[error("expected the scheme and one token of the b64token alphabet")]
    NotAToken,
    /// A token in the header and another in the query: "more than one method" (RFC 6750 §3.1).
    #[error("an access token in the header and another in the query")]
    TwoMethods,
}

/// How a token was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// By whoever bears it (RFC 6750).
    Bearer,
    /// With a proof of its key (RFC 9449 §7.1).
    Dpop,
}

/// A token, and how it was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Credentials<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) token: &'a str,
}

/// The token of a request, or `None` when it carries none in a form that is supported; `dpop` says whether the scheme
/// `DPoP` is.
///
/// The size is not judged here: see [`GuardBuilder::max_token_bytes`](crate::GuardBuilder::max_token_bytes).
pub(crate) fn credentials(
    request: &Parts,
    dpop: bool,
) -> Result<Option<Credentials<'_>>, MalformedCredentials> {
    let Some(credentials) = authorization(&request.headers)? else {
        return Ok(None);
    };
    let Some((scheme, rest)) = scheme_of(credentials, dpop) else {
        return Ok(None);
    };
    let token = b64token(rest).ok_or(MalformedCredentials::NotAToken)?;
    if has_query_token(request) {
        return Err(MalformedCredentials::TwoMethods);
    }
    Ok(Some(Credentials { scheme, token }))
}

fn authorization(headers: &HeaderMap) -> Result<Option<&[u8]>, MalformedCredentials> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.count()) {
        (None, _) => Ok(None),
        (Some(only), 0) => Ok(Some(only.as_bytes())),
        (Some(_), more) => Err(MalformedCredentials::RepeatedHeader(1 + more)),
    }
}

/// The scheme, whose name is case-insensitive (RFC 9110 §11.1), and what follows it; `None` for every other scheme.
fn scheme_of(credentials: &[u8], dpop: bool) -> Option<(Scheme, &[u8])> {
    let end = credentials
        .iter()
        .position(|&byte| byte == b' ')
        .unwrap_or(credentials.len());
    let (name, rest) = credentials.split_at(end);
    if name.eq_ignore_ascii_case(b"Bearer") {
        Some((Scheme::Bearer, rest))
    } else if dpop && name.eq_ignore_ascii_case(b"DPoP") {
        Some((Scheme::Dpop, rest))
    } else {
        None
    }
}

/// `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, after one space or more (RFC 9110 §11.4).
fn b64token(rest: &[u8]) -> Option<&str> {
    let token = str::from_utf8(rest).ok()?.trim_start_matches(' ');
    let unpadded = token.trim_end_matches('=');
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    (!unpadded.is_empty() && unpadded.bytes().all(in_alphabet)).then_some(token)
}

fn has_query_token(request: &Parts) -> bool {
    let query = request.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn read(uri: &str, authorization: &[&str]) -> Result<Option<String>, MalformedCredentials> {
        let mut request = Request::get(uri);
        for value in authorization {
            request = request.header(AUTHORIZATION, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        credentials(&parts, false).map(|found| found.map(|found| found.token.to_owned()))
    }

    #[test]
    fn rfc_6750_2_1_the_header_carries_the_token() {
        assert_eq!(
            read("/", &["Bearer mF_9.B5f-4.1JqM"]),
            Ok(Some("mF_9.B5f-4.1JqM".into()))
        );
        assert_eq!(read("/", &["Bearer   a~+/=="]), Ok(Some("a~+/==".into())));
    }

    #[test]
    fn rfc_9110_11_1_the_scheme_name_is_case_blind() {
        for scheme in ["bearer", "BEARER", "bEaReR"] {
            assert_eq!(read("/", &[&format!("{scheme} t")]), Ok(Some("t".into())));
        }
    }

    #[test]
    fn rfc_6750_3_1_other_schemes_are_no_credentials() {
        for other in ["Basic dDp0", "DPoP t", "Bearers t", "Bear t"] {
            assert_eq!(read("/", &[other]), Ok(None), "{other}");
        }
        assert_eq!(read("/", &[]), Ok(None));
    }

    #[test]
    fn rfc_9449_7_1_the_scheme_dpop_where_it_is_supported() {
        let request = Request::get("/").header(AUTHORIZATION, "dPoP t");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let found = credentials(&parts, true).unwrap();
        let expected = Credentials {
            scheme: Scheme::Dpop,
            token: "t",
        };
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn rfc_6750_2_1_anything_but_one_b64token_is_malformed() {
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a,b",
            "Bearer \"a\"",
            "Bearer ==",
            "Bearer a=b",
            "Bearer a\tb",
        ] {
            assert_eq!(
                read("/", &[bad]),
                Err(MalformedCredentials::NotAToken),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn rfc_6750_3_1_a_repeated_header_is_malformed() {
        assert_eq!(
            read("/", &["Bearer a", "Bearer a"]),
            Err(MalformedCredentials::RepeatedHeader(2))
        );
        assert_eq!(
            read("/", &["Basic dDp0", "Bearer a"]),
            Err(MalformedCredentials::RepeatedHeader(2))
        );
    }

    #[test]
    fn rfc_9700_4_3_2_a_token_in_the_query_is_never_used() {
        assert_eq!(read("/?access_token=t", &[]), Ok(None));
        for uri in [
            "/?access_token=t",
            "/?a=b&access%5Ftoken=",
            "/?access_token",
        ] {
            assert_eq!(
                read(uri, &["Bearer t"]),
                Err(MalformedCredentials::TwoMethods),
                "{uri}"
            );
        }
        assert_eq!(
            read("/?access_tokens=t", &["Bearer t"]),
            Ok(Some("t".into()))
        );
    }
}
