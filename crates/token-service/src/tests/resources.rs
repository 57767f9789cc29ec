//! Resource indicators (RFC 8707) and tokens that differ by resource (RFC 9068 §3).

use axum::http::StatusCode;

use super::support::{Browser, FILES, Fixture, ISSUER, OTHER, VAULT, ask_for, claims};

#[tokio::test]
async fn rfc8707_2_without_resource_a_token_is_for_the_service_itself() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.tokens_for(&[]).await;
    assert_eq!(claims(&tokens["access_token"])["aud"], ISSUER);
    assert_eq!(
        tokens["scope"], "openid offline_access",
        "reports.read belongs to another resource"
    );
}

#[tokio::test]
async fn rfc8707_2_2_one_resource_at_a_time_of_those_allowed() {
    let fixture = Fixture::with_resources().await;
    let ask = ask_for(&[
        ("scope", "openid offline_access reports.read"),
        ("prompt", "consent"),
    ]);
    let ask = format!("{ask}&resource={FILES}&resource={OTHER}");
    let back = Browser::default().through(&fixture, &ask).await;
    let code = back.parameter("code").unwrap();
    let ambiguous = fixture.redeem(&code).await;
    assert_eq!(
        (ambiguous.status, ambiguous.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_target")
    );
    let redemption = super::support::redemption(&code);
    let redeem = async |resource: &str| {
        let form = format!("{redemption}&resource={resource}");
        fixture.post("/token", fixture.basic("web"), &form).await
    };
    assert_eq!(
        redeem(VAULT).await.error(),
        "invalid_target",
        "not in the request"
    );
    let tokens = redeem(FILES).await;
    assert_eq!(
        tokens.status,
        StatusCode::OK,
        "refusals did not spend the code: {tokens:?}"
    );
    let tokens = tokens.json();
    let access = claims(&tokens["access_token"]);
    assert_eq!(
        (&access["aud"], &access["scope"]),
        (&FILES.into(), &"reports.read".into())
    );
    assert_eq!(
        access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(),
        120
    );
    assert_eq!(
        (&tokens["expires_in"], &tokens["scope"]),
        (&120.into(), &"reports.read".into())
    );
    assert!(tokens["id_token"].is_string(), "openid was granted");

    let other = fixture
        .refresh(&tokens["refresh_token"], &format!("&resource={OTHER}"))
        .await
        .json();
    assert_eq!(claims(&other["access_token"])["aud"], OTHER);
    let own = fixture
        .refresh(&other["refresh_token"], &format!("&resource={ISSUER}"))
        .await
        .json();
    let token = own["access_token"].as_str().unwrap();
    assert_eq!(
        fixture.bearer("/userinfo", token).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn rfc8707_2_unknown_and_malformed_resources() {
    let fixture = Fixture::with_resources().await;
    for bad in [
        "https://unknown.example",
        "relative",
        "https://other.example/%23x",
    ] {
        let ask = format!("{}&resource={bad}", ask_for(&[]));
        let back = Browser::default().get(&fixture, &ask).await;
        assert_eq!(
            back.parameter("error").as_deref(),
            Some("invalid_target"),
            "{bad}"
        );
        let form = format!("grant_type=client_credentials&resource={bad}");
        let answer = fixture
            .post("/token", fixture.basic("machine"), &form)
            .await;
        assert_eq!(answer.error(), "invalid_target", "{bad}");
    }
}

#[tokio::test]
async fn a_single_allowed_resource_need_not_be_named_again() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.tokens_for(&[OTHER]).await;
    assert_eq!(claims(&tokens["access_token"])["aud"], OTHER);
}

#[tokio::test]
async fn rfc9068_4_a_token_for_another_resource_opens_nothing_here() {
    let fixture = Fixture::with_resources().await;
    for resource in [OTHER, VAULT] {
        let tokens = fixture.tokens_for(&[resource]).await;
        let token = tokens["access_token"].as_str().unwrap();
        for path in ["/userinfo", "/api/me"] {
            let answer = fixture.bearer(path, token).await;
            assert_eq!(
                answer.status,
                StatusCode::UNAUTHORIZED,
                "{resource} at {path}"
            );
        }
    }
}

#[tokio::test]
async fn the_consent_page_names_the_resources() {
    let fixture = Fixture::with_resources().await;
    let ask = format!("{}&resource={OTHER}", ask_for(&[]));
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask).await;
    let page = browser.sign_in(&fixture, &page, "alice").await;
    assert!(page.body.contains(OTHER), "{}", page.body);
}

#[tokio::test]
async fn clients_ask_for_resources_in_their_own_name() {
    let fixture = Fixture::with_resources().await;
    let form = format!("grant_type=client_credentials&resource={FILES}");
    let tokens = fixture
        .post("/token", fixture.basic("machine"), &form)
        .await
        .json();
    let claims = claims(&tokens["access_token"]);
    assert_eq!(
        (&claims["aud"], &claims["scope"]),
        (&FILES.into(), &"reports.read".into())
    );
}

#[tokio::test]
async fn an_opaque_token_is_a_reference_and_its_id_token_still_binds_it() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.tokens_for(&[VAULT]).await;
    let token = tokens["access_token"].as_str().unwrap();
    assert!(token.len() == 81 && !token.contains('.'));
    let half = openssl::sha::sha256(token.as_bytes())[..16].to_vec();
    let at_hash = stampmill_jose::base64url::encode(half);
    assert_eq!(claims(&tokens["id_token"])["at_hash"], at_hash);
    let bytes = fixture.database_bytes();
    assert!(
        !bytes
            .windows(43)
            .any(|window| window == &token.as_bytes()[..43]),
        "its hash is kept, not the token"
    );
}

#[tokio::test]
async fn the_services_own_tokens_can_be_opaque() {
    let own = crate::domain::ResourceServer {
        format: crate::domain::TokenFormat::Opaque,
        ..crate::domain::ResourceServer::new(crate::domain::Resource::parse(ISSUER).unwrap())
    };
    let fixture = Fixture::with(vec![own], Default::default()).await;
    let tokens = fixture.tokens().await;
    let token = tokens["access_token"].as_str().unwrap();
    assert!(!token.contains('.'));
    for path in ["/userinfo", "/api/me"] {
        assert_eq!(
            fixture.bearer(path, token).await.status,
            StatusCode::OK,
            "{path}"
        );
    }
    let form = format!("token={token}");
    fixture.post("/revoke", fixture.basic("web"), &form).await;
    for path in ["/userinfo", "/api/me"] {
        let answer = fixture.bearer(path, token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn rfc9728_3_the_api_tells_who_issues_its_tokens() {
    let fixture = Fixture::new().await;
    let refused = fixture.get("/api/me").await;
    let address = format!("{ISSUER}/.well-known/oauth-protected-resource");
    let challenges = refused.headers.get_all("www-authenticate");
    let named = format!("resource_metadata=\"{address}\"");
    assert!(
        challenges
            .iter()
            .all(|value| value.to_str().unwrap().contains(&named))
    );
    let document = fixture
        .get("/.well-known/oauth-protected-resource")
        .await
        .json();
    assert_eq!(document["resource"], ISSUER);
    assert_eq!(document["authorization_servers"][0], ISSUER);
}
