//! Good requests to every endpoint. `{…}` is filled in by the world; `&` and `=` part the fields, whose values are encoded when they are sent.

/// One good request and its answer.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// Method, path and query.
    pub(super) line: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: Content,
    pub(super) status: u16,
}

#[derive(Clone, Copy)]
pub(super) enum Content {
    Nothing,
    Form(&'static str),
    Json(&'static str),
}

impl Row {
    pub(super) fn method(&self) -> &'static str {
        self.line.split(' ').next().unwrap()
    }

    fn target(&self) -> &'static str {
        self.line.split_once(' ').unwrap().1
    }

    pub(super) fn path(&self) -> &'static str {
        self.target().split('?').next().unwrap()
    }

    pub(super) fn query(&self) -> &'static str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }
}

const WEB: &[(&str, &str)] = &[("authorization", "{basic:web}")];
const BROWSER: &[(&str, &str)] = &[("cookie", "{cookies}")];
const PAGE: &[(&str, &str)] = &[
    ("cookie", "{page_cookies}"),
    ("sec-fetch-site", "same-origin"),
];

use Content::{Form, Json, Nothing};

const fn row(
    name: &'static str,
    line: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Content,
    status: u16,
) -> Row {
    Row {
        name,
        line,
        headers,
        body,
        status,
    }
}

#[rustfmt::skip]
pub(super) const ALL: &[Row] = &[
    // Documents.
    row("metadata", "GET /.well-known/openid-configuration", &[], Nothing, 200),
    row("metadata of RFC 8414", "GET /.well-known/oauth-authorization-server", &[("if-none-match", "\"x\", W/\"y\"")], Nothing, 200),
    row("keys", "GET /jwks.json", &[], Nothing, 200),
    row("metadata of the API", "GET /.well-known/oauth-protected-resource/api/me", &[], Nothing, 200),
    row("metadata of the resource", "GET /.well-known/oauth-protected-resource", &[], Nothing, 200),
    // The token endpoint.
    row("code", "POST /token", WEB, Form("grant_type=authorization_code&code={code}&redirect_uri=https://client.example/cb&code_verifier={verifier}"), 200),
    row("code, public client with a proof", "POST /token", &[("dpop", "{proof:POST /token}")],
        Form("grant_type=authorization_code&client_id=native&code={native_code}&redirect_uri=http://127.0.0.1:5555/callback&code_verifier={verifier}"), 200),
    row("refresh", "POST /token", WEB, Form("grant_type=refresh_token&refresh_token={refresh}&scope=openid profile"), 200),
    row("refresh for resources", "POST /token", WEB, Form("grant_type=refresh_token&refresh_token={refresh}&resource=https://vault.example"), 200),
    row("client credentials", "POST /token", WEB, Form("grant_type=client_credentials&scope=reports.read&resource=https://files.example/v1"), 200),
    row("client credentials by form", "POST /token", &[], Form("grant_type=client_credentials&client_id=sender&client_secret={secret:sender}"), 200),
    row("client credentials by assertion", "POST /token", &[],
        Form("grant_type=client_credentials&client_id=signer&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={assertion}"), 200),
    row("device code", "POST /token", &[], Form("grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=tv&device_code={device_code}"), 400),
    row("device code that was allowed", "POST /token", &[], Form("grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=tv&device_code={allowed_device_code}"), 200),
    // The others of programs.
    row("revocation", "POST /revoke", WEB, Form("token={refresh}&token_type_hint=refresh_token"), 200),
    row("revocation of a JWT", "POST /revoke", WEB, Form("token={access}&token_type_hint=access_token"), 200),
    row("introspection", "POST /introspect", &[("authorization", "{basic:machine}")], Form("token={opaque}"), 200),
    row("introspection, signed", "POST /introspect", &[("authorization", "{basic:machine}"), ("accept", "application/token-introspection+jwt")], Form("token={opaque}&token_type_hint=access_token"), 200),
    row("device authorization", "POST /device_authorization", &[], Form("client_id=tv&scope=openid profile offline_access&resource=https://files.example/v1"), 200),
    row("pushed request", "POST /par", WEB,
        Form("response_type=code&client_id=web&redirect_uri=https://client.example/cb&scope=openid profile&state={state}&nonce=n-1&code_challenge={challenge}&code_challenge_method=S256&claims={claims}&max_age=100&prompt=login&ui_locales=en&acr_values=0&resource=https://files.example/v1"), 201),
    row("pushed request object", "POST /par", &[("dpop", "{proof:POST /par}")],
        Form("client_id=signer&request={object}&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={assertion}"), 201),
    row("registration", "POST /register", &[], Json("{metadata}"), 201),
    row("registration by token", "POST /register", &[("authorization", "Bearer {initial_token}")], Json("{metadata}"), 201),
    row("registration, read", "GET /register/{registered}", &[("authorization", "Bearer {registration_token}")], Nothing, 200),
    row("registration, changed", "PUT /register/{registered}", &[("authorization", "Bearer {registration_token}")], Json("{changed_metadata}"), 200),
    row("registration, removed", "DELETE /register/{registered}", &[("authorization", "Bearer {registration_token}")], Nothing, 204),
    row("userinfo", "GET /userinfo", &[("authorization", "Bearer {access}")], Nothing, 200),
    row("userinfo by form", "POST /userinfo", &[], Form("access_token={access}"), 200),
    row("userinfo with a proof", "GET /userinfo", &[("authorization", "DPoP {bound_access}"), ("dpop", "{proof:GET /userinfo}")], Nothing, 200),
    row("api", "GET /api/me", &[("authorization", "Bearer {access}")], Nothing, 200),
    row("api with a proof", "GET /api/me", &[("authorization", "DPoP {bound_access}"), ("dpop", "{proof:GET /api/me}")], Nothing, 200),
    // Pages.
    row("home", "GET /", &[], Nothing, 200),
    row("style", "GET /style.css", &[], Nothing, 200),
    row("frame of sessions", "GET /check_session", &[], Nothing, 200),
    row("authorization, signed in", "GET /authorize?response_type=code&client_id=web&redirect_uri=https://client.example/cb&scope=openid profile email&state={state}&nonce=n-1&code_challenge={challenge}&code_challenge_method=S256&prompt=none&id_token_hint={id_token}&claims={claims}&max_age=10000&display=page&login_hint=alice&resource=https://files.example/v1",
        BROWSER, Nothing, 303),
    row("authorization, signed out", "GET /authorize?response_type=code&client_id=web&redirect_uri=https://client.example/cb&scope=openid profile email&state={state}&nonce=n-1&code_challenge={challenge}&code_challenge_method=S256&login_hint=<b>\"al&ui_locales=de",
        &[], Nothing, 200),
    row("authorization, hybrid", "GET /authorize?response_type=code id_token token&client_id=hybrid&redirect_uri=https://client.example/cb&scope=openid profile email&state={state}&nonce=n-1&code_challenge={challenge}&code_challenge_method=S256&prompt=none",
        BROWSER, Nothing, 303),
    row("authorization, form_post", "GET /authorize?response_type=code id_token&response_mode=form_post&client_id=hybrid&redirect_uri=https://client.example/cb&scope=openid&state={state}&nonce=n-1&code_challenge={challenge}&code_challenge_method=S256&prompt=none",
        BROWSER, Nothing, 200),
    row("authorization by form", "POST /authorize", BROWSER, Form("response_type=code&client_id=web&redirect_uri=https://client.example/cb&scope=openid&state={state}&code_challenge={challenge}&code_challenge_method=S256"), 303),
    row("authorization by form, kept", "GET /authorize/posted?reference={posted_request}", BROWSER, Nothing, 303),
    row("authorization, pushed", "GET /authorize?client_id=web&request_uri={request_uri}", BROWSER, Nothing, 303),
    row("authorization, request object", "GET /authorize?client_id=signer&request={object}", BROWSER, Nothing, 200),
    row("authorization, fetched request object", "GET /authorize?client_id=signer&request_uri=https://client.example/object", BROWSER, Nothing, 200),
    row("back from sign-in", "GET /authorize/resume?request={consent_page}", PAGE, Nothing, 200),
    row("sign-in", "POST /sign-in", PAGE, Form("request={sign_in_page}&username=bob&password={password}"), 303),
    row("consent", "POST /consent", PAGE, Form("request={consent_page}&decision=allow"), 303),
    row("no consent", "POST /consent", PAGE, Form("request={consent_page}&decision=deny"), 303),
    row("somebody else", "POST /consent", PAGE, Form("request={consent_page}&decision=switch"), 200),
    row("end of session", "GET /end_session?id_token_hint={id_token}&post_logout_redirect_uri=https://client.example/bye&state={state}&client_id=app&logout_hint=alice&ui_locales=en", BROWSER, Nothing, 303),
    row("end of session, asked", "GET /end_session?state={state}", BROWSER, Nothing, 200),
    row("end of session by form", "POST /end_session", BROWSER, Form("id_token_hint={id_token}&state={state}"), 303),
    row("end of session by form, kept", "GET /end_session/posted?reference={posted_end}", BROWSER, Nothing, 200),
    row("end of session, decided", "POST /end_session/decision", PAGE, Form("request={sign_out_page}&decision=end"), 200),
    row("device page", "GET /device?user_code={user_code}", BROWSER, Nothing, 200),
    row("device code typed", "POST /device", PAGE, Form("request={device_page}&user_code={user_code}"), 200),
    row("device sign-in", "POST /device/sign-in", PAGE, Form("request={device_sign_in_page}&username=bob&password={password}"), 303),
    row("device decision", "POST /device/decision", PAGE, Form("request={device_decision_page}&decision=allow"), 200),
];
