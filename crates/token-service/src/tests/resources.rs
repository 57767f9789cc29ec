//! Resource indicators (RFC 8707) and tokens that differ by resource (RFC 9068 §3).

use axum::http::StatusCode;

use super::mounted::inserted;
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

/// RFC 6749 §3.3, §5.1: nothing is dropped in silence.
#[tokio::test]
async fn rfc6749_3_3_what_no_token_can_carry_is_refused_or_told() {
    let fixture = Fixture::with_resources().await;
    let machine = async |form: &str| {
        let form = format!("grant_type=client_credentials{form}");
        fixture
            .post("/token", fixture.basic("machine"), &form)
            .await
    };
    for elsewhere in ["", OTHER, VAULT] {
        let resource = match elsewhere {
            "" => String::new(),
            uri => format!("&resource={uri}"),
        };
        let refused = machine(&format!("&scope=reports.read{resource}")).await;
        assert_eq!(
            (refused.status, refused.error().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_scope"),
            "{elsewhere}"
        );
        let nothing_named = machine(&resource).await.json();
        assert_eq!(nothing_named["scope"], "", "{elsewhere}: its own default");
    }
    let right = machine(&format!("&scope=reports.read&resource={FILES}")).await;
    assert_eq!(right.json()["scope"], "reports.read");

    // The front channel: refused before anybody is asked, or not asked for.
    let refused = fixture.get(&ask_for(&[("scope", "reports.read")])).await;
    assert_eq!(refused.parameter("error").as_deref(), Some("invalid_scope"));
    let mut browser = Browser::default();
    let asked = ask_for(&[("scope", "openid reports.read")]);
    let page = browser.get(&fixture, &asked).await;
    let page = browser.sign_in(&fixture, &page, "alice").await;
    assert!(page.is_consent_page() && !page.body.contains("reports.read"));
    let back = browser.decide(&fixture, &page, "allow").await;
    let tokens = fixture.redeem(&back.parameter("code").unwrap()).await;
    assert_eq!(tokens.json()["scope"], "openid");

    // A token for a resource to which `openid` means nothing: the ID token is what was granted, and the access token has none.
    let asked = format!("{}&resource={FILES}", ask_for(&[("scope", "openid")]));
    let back = browser.through(&fixture, &asked).await;
    let tokens = fixture
        .redeem(&back.parameter("code").unwrap())
        .await
        .json();
    assert!(tokens["id_token"].is_string(), "{tokens}");
    assert_eq!(tokens["scope"], "");

    // A device.
    let device = async |form: &str| {
        let form = format!("client_id=tv&scope={form}");
        fixture.post("/device_authorization", None, &form).await
    };
    assert_eq!(device("reports.read").await.error(), "invalid_scope");
    let right = device(&format!("reports.read&resource={FILES}")).await;
    assert_eq!(right.status, StatusCode::OK, "{right:?}");
}

/// RFC 6749 §6: narrowed to what the resource does not know.
#[tokio::test]
async fn rfc6749_6_refreshing_for_nothing_is_refused() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.tokens_for(&[FILES]).await;
    let narrowed = format!("&scope=offline_access&resource={FILES}");
    let refused = fixture.refresh(&tokens["refresh_token"], &narrowed).await;
    assert_eq!(refused.error(), "invalid_scope");
    let again = fixture.refresh(&tokens["refresh_token"], "").await.json();
    assert_eq!(again["scope"], "reports.read");
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
        ..crate::domain::ResourceServer::new(crate::domain::Resource::parse(&ISSUER).unwrap())
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
    let address = inserted("/.well-known/oauth-protected-resource", "/api/me");
    let challenges = refused.headers.get_all("www-authenticate");
    let named = format!("resource_metadata=\"{address}\"");
    assert!(
        challenges
            .iter()
            .all(|value| value.to_str().unwrap().contains(&named))
    );
    // §3.3: the name in it is the address that was asked.
    let api = format!("{ISSUER}/api/me");
    for (path, resource) in [("", &*ISSUER), ("/api/me", &api)] {
        let path = format!("/.well-known/oauth-protected-resource{path}");
        let document = fixture.get(&path).await.json();
        assert_eq!(document["resource"], resource, "{path}");
        assert_eq!(document["authorization_servers"][0], ISSUER, "{path}");
    }
    // And a client may ask for tokens by that name.
    let form = format!("grant_type=client_credentials&resource={api}");
    let tokens = fixture
        .post("/token", fixture.basic("machine"), &form)
        .await
        .json();
    assert_eq!(claims(&tokens["access_token"])["aud"], ISSUER);
    let token = tokens["access_token"].as_str().unwrap();
    let answer = fixture.bearer("/api/me", token).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}
