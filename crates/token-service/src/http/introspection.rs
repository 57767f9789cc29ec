//! The introspection endpoint (RFC 7662), which answers in JSON or, where the caller asks, in a JWT (RFC 9701 §4).

use axum::extract::{Request, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{Shared, answer, client_request};
use crate::protocol::Introspected;

const SIGNED: &str = "application/token-introspection+jwt";

pub(super) async fn introspect(State(app): Shared, request: Request) -> Response {
    let signed = wants_signed(request.headers());
    let request = match client_request::read(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    match app.service.introspect(&request, signed).await {
        Ok(Introspected::Json(answer)) => answer::private_json(StatusCode::OK, &answer),
        Ok(Introspected::Jwt(jwt)) => answer::private_text(SIGNED, jwt),
        Err(error) => answer::token_error(&error),
    }
}

/// Whether the signed answer is named, and not liked less than the plain one (RFC 9110 §12.5.1).
fn wants_signed(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    let accepted = values
        .filter_map(|value| value.to_str().ok())
        .collect::<Vec<_>>();
    let liking = |names: &[&str]| {
        let ranges = accepted.iter().flat_map(|value| value.split(','));
        let mut ranges = ranges.map(media_range);
        ranges.find_map(|(range, quality)| {
            names
                .iter()
                .any(|name| range.eq_ignore_ascii_case(name))
                .then_some(quality)
        })
    };
    let signed = liking(&[SIGNED]).unwrap_or(0);
    let plain = liking(&["application/json"])
        .or_else(|| liking(&["application/*"]))
        .or_else(|| liking(&["*/*"]))
        .unwrap_or(0);
    signed > 0 && signed >= plain
}

/// A media range and how much it is liked, in thousandths: 1000 unless `q` says less.
fn media_range(text: &str) -> (&str, u32) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let quality = quality.map_or(Some(1.0), |text| text.parse::<f32>().ok());
    // What is no number is no wish.
    let thousandths = quality.map_or(0.0, |quality| quality.clamp(0.0, 1.0) * 1000.0);
    (range, thousandths as u32)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn rfc9110_12_5_1_what_is_liked_more_is_sent() {
        let signed = "application/token-introspection+jwt";
        for (accept, expected) in [
            (String::new(), false),
            ("*/*".into(), false),
            ("application/json".into(), false),
            (signed.into(), true),
            (signed.to_uppercase(), true),
            (format!("{signed}, application/json"), true),
            (format!("{signed};q=0.1, application/json"), false),
            (format!("{signed}; q=0.5, application/json;q=0.4"), true),
            (format!("{signed};q=0.5, */*;q=0.8"), false),
            (format!("{signed};q=0.5, application/json;q=0.1, */*"), true),
            (format!("{signed};q=0"), false),
            (format!("{signed};q=x"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(&accept).unwrap());
            assert_eq!(wants_signed(&headers), expected, "{accept}");
        }
    }
}
