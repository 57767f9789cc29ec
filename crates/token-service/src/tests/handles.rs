//! Handles at the endpoints: where a row is brings nothing without the row's secret, not even to whoever could forge the place,
//! and trying it changes nothing for the rightful holder.

use axum::http::StatusCode;
use serde_json::Value;

use super::support::{Browser, Fixture, VAULT, ask_for};
use crate::clock::SystemRandom;
use crate::handle::{HandleKind, Place};
use crate::secret::Secret;

/// A handle of another's row, made with the service's own key: whoever has no key comes nowhere near this.
fn forged(fixture: &Fixture, kind: HandleKind, text: &str, generations_on: u32) -> String {
    let handles = &fixture.service.handles;
    let place = handles.read(kind, text).unwrap().place;
    let place = Place {
        generation: place.generation + generations_on,
        ..place
    };
    let secret = Secret::generate(&SystemRandom);
    handles.write(kind, place, &secret).expose().to_owned()
}

#[tokio::test]
async fn an_access_tokens_place_is_no_access_token() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.tokens_for(&[VAULT]).await;
    let token = tokens["access_token"].as_str().unwrap();
    let forged = forged(&fixture, HandleKind::AccessToken, token, 0);
    let active = async |token: &str| {
        let form = format!("token={token}");
        let answer = fixture.post("/introspect", fixture.basic("web"), &form);
        answer.await.json()["active"].clone()
    };
    assert_eq!(active(&forged).await, false);
    let form = format!("token={forged}");
    let revoked = fixture.post("/revoke", fixture.basic("web"), &form).await;
    assert_eq!(revoked.status, StatusCode::OK, "{revoked:?}");
    assert_eq!(active(token).await, true, "and nothing was revoked");
}

#[tokio::test]
async fn a_refresh_tokens_place_is_no_refresh_token_and_ends_no_family() {
    let fixture = Fixture::new().await;
    let tokens = fixture.offline_tokens().await;
    let token = tokens["refresh_token"].as_str().unwrap();
    for generations_on in [0, 1, 2] {
        let forged = forged(&fixture, HandleKind::RefreshToken, token, generations_on);
        let answer = fixture.refresh(&Value::from(forged), "").await;
        assert_eq!(answer.error(), "invalid_grant", "{answer:?}");
    }
    let answer = fixture.refresh(&tokens["refresh_token"], "").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    // The predecessor, which has its grace, has its secret, too.
    let forged = forged(&fixture, HandleKind::RefreshToken, token, 0);
    let answer = fixture.refresh(&Value::from(forged), "").await;
    assert_eq!(answer.error(), "invalid_grant", "{answer:?}");
    let again = fixture.refresh(&tokens["refresh_token"], "").await;
    assert_eq!(again.status, StatusCode::OK, "{again:?}");
}

#[tokio::test]
async fn a_codes_place_is_no_code_and_spends_none() {
    let fixture = Fixture::new().await;
    let back = Browser::default().through(&fixture, &ask_for(&[])).await;
    let code = back.parameter("code").unwrap();
    let forged = forged(&fixture, HandleKind::Code, &code, 0);
    assert_eq!(fixture.redeem(&forged).await.error(), "invalid_grant");
    assert_eq!(fixture.redeem(&code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_handle_is_of_one_kind() {
    let fixture = Fixture::with_resources().await;
    let back = Browser::default().through(&fixture, &ask_for(&[])).await;
    let code = back.parameter("code").unwrap();
    let as_refresh = fixture.refresh(&Value::from(code.as_str()), "").await;
    assert_eq!(as_refresh.error(), "invalid_grant");
    let opaque = fixture.tokens_for(&[VAULT]).await;
    let token = opaque["access_token"].as_str().unwrap();
    assert_eq!(fixture.redeem(token).await.error(), "invalid_grant");
    let bearer = fixture.bearer("/userinfo", &code).await;
    assert_eq!(bearer.status, StatusCode::UNAUTHORIZED);
}
