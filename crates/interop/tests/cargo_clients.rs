//! Proves that the crates openidconnect and oauth2 work with `stampmill serve`, and that openidconnect refuses what is wrong with an ID
//! token: nonce, issuer, signature.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, DeviceAuthorizationUrl, HttpRequest, HttpResponse, IntrospectionUrl,
    RequestTokenError, RevocationUrl, StandardDeviceAuthorizationResponse, StandardRevocableToken,
    TokenIntrospectionResponse, TokenUrl,
};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreClientRegistrationRequest,
    CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope,
    SignatureVerificationError, TokenResponse,
};
use stampmill_interop::{Case, Serve, node_needs, run_cases, walk};
use url::Url;

const REDIRECT_URI: &str = "http://127.0.0.1:7777/callback";

fn main() -> ExitCode {
    let cases = vec![
        Case::new(
            "openidconnect_discovery_login_and_userinfo",
            openidconnect_login,
        ),
        Case::new(
            "openidconnect_registration_es256",
            openidconnect_registration,
        ),
        Case::new(
            "oauth2_client_credentials_introspection_and_revocation",
            oauth2_tokens,
        ),
        Case::new("oauth2_device_and_refresh", oauth2_device),
    ];
    run_cases(node_needs(&[]), cases)
}

// ---- openidconnect -------------------------------------------------------------------------------------------------

fn openidconnect_login(serve: &Serve) -> Result<(), String> {
    let first = serve.first_start()?;
    let http = http(serve.ca_root()?)?;
    let issuer = issuer(serve)?;
    let provider = CoreProviderMetadata::discover(&issuer, &http).map_err(told)?;
    let keys = provider.jwks().clone();
    let id = ClientId::new(first.client_id);
    let secret = ClientSecret::new(first.client_secret);
    let client = CoreClient::from_provider_metadata(provider, id.clone(), Some(secret.clone()))
        .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.into()).map_err(told)?);

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scope(Scope::new("profile".into()))
        .set_pkce_challenge(challenge)
        .url();
    let code = returned(serve, &url, &state)?;
    let tokens = client
        .exchange_code(code)
        .map_err(told)?
        .set_pkce_verifier(verifier)
        .request(&http)
        .map_err(told)?;
    let id_token = tokens.id_token().ok_or("no ID token")?;
    let verifier = client.id_token_verifier();
    let claims = id_token.claims(&verifier, &nonce).map_err(told)?;
    let hash = AccessTokenHash::from_token(
        tokens.access_token(),
        id_token.signing_alg().map_err(told)?,
        id_token.signing_key(&verifier).map_err(told)?,
    );
    assert_eq!(claims.access_token_hash(), Some(&hash.map_err(told)?));
    let subject = claims.subject().clone();
    let user: CoreUserInfoClaims = client
        .user_info(tokens.access_token().clone(), Some(subject))
        .map_err(told)?
        .request(&http)
        .map_err(told)?;
    let name = user.preferred_username().map(|name| name.as_str());
    assert_eq!(name, Some(first.username.as_str()));

    // What is planted, and refused for that very reason.
    let other_nonce = id_token.claims(&verifier, &Nonce::new_random());
    assert!(
        matches!(other_nonce, Err(ClaimsVerificationError::InvalidNonce(_))),
        "{other_nonce:?}"
    );
    let other = IssuerUrl::new("https://other.example".into()).map_err(told)?;
    let of_another = CoreIdTokenVerifier::new_confidential_client(id, secret, other, keys);
    let other_issuer = id_token.claims(&of_another, &nonce);
    assert!(
        matches!(other_issuer, Err(ClaimsVerificationError::InvalidIssuer(_))),
        "{other_issuer:?}"
    );
    let forged = CoreIdToken::from_str(&flip_signature(&id_token.to_string())).map_err(told)?;
    let refused = forged.claims(&verifier, &nonce);
    assert!(
        matches!(
            refused,
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::CryptoError(_)
            ))
        ),
        "{refused:?}"
    );
    Ok(())
}

/// A client that registers itself, with ID tokens in ES256 and a secret in the form.
fn openidconnect_registration(serve: &Serve) -> Result<(), String> {
    let http = http(serve.ca_root()?)?;
    let provider = CoreProviderMetadata::discover(&issuer(serve)?, &http).map_err(told)?;
    let redirect = RedirectUrl::new(REDIRECT_URI.into()).map_err(told)?;
    let request = CoreClientRegistrationRequest::new(vec![redirect.clone()], Default::default())
        .set_token_endpoint_auth_method(Some(CoreClientAuthMethod::ClientSecretPost))
        .set_id_token_signed_response_alg(Some(CoreJwsSigningAlgorithm::EcdsaP256Sha256));
    let endpoint = provider.registration_endpoint().ok_or("none")?.clone();
    let registered = request.register(&endpoint, &http).map_err(told)?;
    let client = CoreClient::from_provider_metadata(
        provider,
        registered.client_id().clone(),
        registered.client_secret().cloned(),
    )
    .set_auth_type(openidconnect::AuthType::RequestBody)
    .set_redirect_uri(redirect);

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .set_pkce_challenge(challenge)
        .url();
    let code = returned(serve, &url, &state)?;
    let tokens = client
        .exchange_code(code)
        .map_err(told)?
        .set_pkce_verifier(verifier)
        .request(&http)
        .map_err(told)?;
    let id_token = tokens.id_token().ok_or("no ID token")?;
    let only_es256 = client
        .id_token_verifier()
        .set_allowed_algs([CoreJwsSigningAlgorithm::EcdsaP256Sha256]);
    id_token.claims(&only_es256, &nonce).map_err(told)?;
    Ok(())
}

fn issuer(serve: &Serve) -> Result<IssuerUrl, String> {
    IssuerUrl::new(serve.issuer()?.into()).map_err(told)
}

/// Through the pages; the code, once the state is ours.
fn returned(serve: &Serve, url: &Url, state: &CsrfToken) -> Result<AuthorizationCode, String> {
    let back = Url::parse(&walk(serve, url.as_str(), REDIRECT_URI)?).map_err(told)?;
    let query: HashMap<_, _> = back.query_pairs().into_owned().collect();
    assert_eq!(query.get("state"), Some(state.secret()));
    let code = query.get("code").ok_or(format!("no code: {back}"))?;
    Ok(AuthorizationCode::new(code.clone()))
}

// ---- oauth2 --------------------------------------------------------------------------------------------------------

fn oauth2_tokens(serve: &Serve) -> Result<(), String> {
    let first = serve.first_start()?;
    let http = http(serve.ca_root()?)?;
    let at = |path: &str| format!("{}{path}", serve.issuer().unwrap_or_default());
    let client = BasicClient::new(ClientId::new(first.client_id.clone()))
        .set_client_secret(ClientSecret::new(first.client_secret))
        .set_token_uri(TokenUrl::new(at("/token")).map_err(told)?)
        .set_introspection_url(IntrospectionUrl::new(at("/introspect")).map_err(told)?)
        .set_revocation_url(RevocationUrl::new(at("/revoke")).map_err(told)?);
    let tokens = client
        .exchange_client_credentials()
        .request(&http)
        .map_err(told)?;
    let token = tokens.access_token();
    let introspect = || client.introspect(token).request(&http).map_err(told);
    let described = introspect()?;
    assert!(described.active());
    assert_eq!(described.client_id().unwrap().as_str(), first.client_id);
    let revocable = StandardRevocableToken::AccessToken(token.clone());
    client
        .revoke_token(revocable)
        .map_err(told)?
        .request(&http)
        .map_err(told)?;
    assert!(!introspect()?.active());

    let wrong = client.set_client_secret(ClientSecret::new("not the one".into()));
    match wrong.exchange_client_credentials().request(&http) {
        Err(RequestTokenError::ServerResponse(answer)) => {
            assert_eq!(answer.error().as_ref(), "invalid_client");
            Ok(())
        }
        other => Err(format!("expected invalid_client, got {other:?}")),
    }
}

fn oauth2_device(serve: &Serve) -> Result<(), String> {
    let first = serve.first_start()?;
    let http = http(serve.ca_root()?)?;
    let at = |path: &str| format!("{}{path}", serve.issuer().unwrap_or_default());
    let device = DeviceAuthorizationUrl::new(at("/device_authorization")).map_err(told)?;
    let client = BasicClient::new(ClientId::new(first.client_id))
        .set_client_secret(ClientSecret::new(first.client_secret))
        .set_auth_uri(AuthUrl::new(at("/authorize")).map_err(told)?)
        .set_token_uri(TokenUrl::new(at("/token")).map_err(told)?)
        .set_device_authorization_url(device);
    let codes: StandardDeviceAuthorizationResponse = client
        .exchange_device_code()
        .add_scope(Scope::new("openid".into()))
        .add_scope(Scope::new("offline_access".into()))
        .request(&http)
        .map_err(told)?;
    let address = codes.verification_uri_complete().ok_or("no address")?;
    let page = walk(serve, address.secret(), "nowhere:")?;
    assert!(page.contains("Device connected"), "{page}");
    let tokens = client
        .exchange_device_access_token(&codes)
        .request(&http, std::thread::sleep, None)
        .map_err(told)?;
    let refresh_token = tokens.refresh_token().ok_or("no refresh token")?;
    let refreshed = client
        .exchange_refresh_token(refresh_token)
        .request(&http)
        .map_err(told)?;
    assert!(refreshed.refresh_token().is_some());
    Ok(())
}

// ---- helpers -------------------------------------------------------------------------------------------------------

/// Both crates leave HTTP to their caller: ureq, which trusts one root and follows no redirect.
fn http(root: &Path) -> Result<impl Fn(HttpRequest) -> Result<HttpResponse, ureq::Error>, String> {
    let pem = std::fs::read(root).map_err(told)?;
    let root = ureq::tls::Certificate::from_pem(&pem).map_err(told)?;
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::new_with_certs(&[root]))
        .build();
    let agent = ureq::Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .new_agent();
    Ok(move |request: HttpRequest| {
        let (parts, mut body) = agent.run(request)?.into_parts();
        Ok(HttpResponse::from_parts(parts, body.read_to_vec()?))
    })
}

fn told(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

fn flip_signature(jws: &str) -> String {
    let (signed, signature) = jws.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    format!("{signed}.{other}{}", &signature[1..])
}
