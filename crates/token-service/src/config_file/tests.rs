//! Files that are taken, and files that are refused with the place.

use stampmill_jose::Algorithm;

use super::*;
use crate::domain::{SecretMethod, SubjectType, TokenFormat};

fn refused(text: &str) -> String {
    ConfigFile::parse("id.toml", text).unwrap_err().to_string()
}

#[test]
fn everything_there_is() {
    let file = ConfigFile::parse(
        "id.toml",
        r#"
        issuer = "https://id.example"
        listen = "127.0.0.1:8443"
        listen_plain = "127.0.0.1:8080"
        signer = "openssl"
        pkce = "public"
        networks = ["loopback", "10.0.0.0/8"]
        dpop_nonces = true
        [lifetimes]
        code = 30
        access_token = 300
        id_token = 300
        session = 3600
        refresh_token = 86400
        offline = 864000
        signing_key = 604800
        [[resources]]
        resource = "https://api.example"
        format = "opaque"
        signing_alg = "ES256"
        scope = "api.read api.write"
        introspected_by = ["api"]
        access_token_lifetime = 60
        accept_when = "claims.exp > now"
        [[clients]]
        client_id = "app"
        name = "The application"
        client_secret = "0123456789abcdef0123456789abcdef"
        token_endpoint_auth_method = "client_secret_post"
        application_type = "web"
        redirect_uris = ["https://app.example/cb"]
        grant_types = ["authorization_code", "refresh_token"]
        scope = "openid offline_access"
        backchannel_logout_uri = "https://app.example/out"
        backchannel_logout_session_required = true
        frontchannel_logout_uri = "https://app.example/frame"
        frontchannel_logout_session_required = true
        id_token_signed_response_alg = "EdDSA"
        subject_type = "pairwise"
        issue_when = "claims.sub != claims.client_id"
        [[clients]]
        client_id = "spa"
        redirect_uris = ["https://spa.example/"]
        [[users]]
        username = "Alice"
        password_hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$7h0V0J9S0WQ6r7rvOqg1bqg9bS7pZb4m1fV5oY0q3mA"
        name = "Alice Example"
        email = "alice@example.com"
        email_verified = true
        claims = { given_name = "Alice", phone_number_verified = true, address = { country = "GB" } }
        "#,
    )
    .unwrap();
    assert_eq!(file.issuer.as_deref(), Some("https://id.example"));
    let policy = &file.settings.policy;
    assert_eq!(
        (policy.code_lifetime(), policy.access_token_lifetime()),
        (30, 300)
    );
    assert_eq!(
        (policy.offline_lifetime(), policy.refresh_token_lifetime()),
        (864_000, 86_400)
    );
    assert!(policy.dpop_nonces());
    let networks = &file.settings.networks;
    assert!(networks.allow([127, 0, 0, 1].into()) && networks.allow([10, 1, 2, 3].into()));
    assert!(!networks.allow([9, 9, 9, 9].into()));
    let [api] = &file.settings.resources[..] else {
        panic!("one resource")
    };
    assert_eq!(
        (api.format, api.access_token_lifetime),
        (TokenFormat::Opaque, Some(60))
    );
    let [app, spa] = &file.settings.clients[..] else {
        panic!("two clients")
    };
    assert_eq!(
        (app.secret_method, spa.secret_method),
        (Some(SecretMethod::Post), None)
    );
    assert_eq!(
        (api.signing_alg, app.id_token_alg),
        (Algorithm::Es256, Algorithm::EdDsa)
    );
    assert_eq!(file.settings.issue_when.len(), 1);
    assert_eq!(
        (app.subject_type, spa.subject_type),
        (SubjectType::Pairwise, SubjectType::Public)
    );
    let [alice] = &file.settings.users[..] else {
        panic!("one user")
    };
    assert_eq!(alice.username.as_str(), "alice");
    assert_eq!(alice.claim("given_name"), Some("Alice".into()));
    assert!(alice.email_verified && alice.name == "Alice Example");
}

#[test]
fn the_file_for_the_conformance_suite_is_good() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/conformance/stampmill.toml"
    );
    let file = ConfigFile::read(Path::new(path)).unwrap();
    assert_eq!(
        (file.settings.clients.len(), file.settings.users.len()),
        (5, 1)
    );
}

#[test]
fn registration_and_requests_as_the_file_says() {
    let text = r#"
        require_pushed_authorization_requests = true
        [registration]
        access = "open"
        scope = "openid"
        response_types = ["code", "code id_token"]
        per_minute = 5
        [[clients]]
        client_id = "app"
        redirect_uris = ["https://app.example/cb"]
        jwks_uri = "https://app.example/jwks.json"
        token_endpoint_auth_signing_alg = "ES256"
        request_object_signing_alg = "PS256"
        require_signed_request_object = true
        request_uris = ["https://app.example/r.jwt"]
        require_pushed_authorization_requests = true
        default_max_age = 60
    "#;
    let settings = ConfigFile::parse("id.toml", text).unwrap().settings;
    assert!(settings.policy.requires_pushed_requests());
    let rules = settings.registration.as_ref().unwrap();
    assert_eq!(
        (rules.open, rules.per_minute, rules.most_clients),
        (true, 5, 10_000)
    );
    assert!(
        settings
            .response_types()
            .contains(&ResponseType::CodeIdToken)
    );
    let [app] = &settings.clients[..] else {
        panic!("one client")
    };
    assert!(app.jwks_uri.is_some() && app.secret_method.is_none());
    let requests = &app.requests;
    assert!(
        requests.require_signed_request_object && requests.require_pushed_authorization_requests
    );
    assert_eq!(requests.default_max_age, Some(60));
    assert!(Settings::default().registration.is_none());
    let client = "[[clients]]\nclient_id = 'a'\nredirect_uris = ['https://a.example/cb']\n";
    for (text, message) in [
        (
            "[registration]\naccess = 'all'",
            "expected one of token, open",
        ),
        ("[registration]\nscope = 'openid'", "missing field `access`"),
        ("trusted_authorities = 'nowhere.pem'", "id.toml:1:23"),
        (
            &format!("{client}jwks_uri = 'http://a.example/'"),
            "jwks_uri: expected https",
        ),
        (
            &format!("{client}request_uris = ['https://a.example/r']"),
            "needs jwks or jwks_uri",
        ),
        (
            &format!("{client}request_object_signing_alg = 'none'"),
            "this algorithm is not supported",
        ),
    ] {
        let error = refused(text);
        assert!(error.contains(message), "{text}\n{error}");
    }
}

#[test]
fn the_authority_serves_others_as_the_file_says() {
    let text = r#"
        [authority]
        listen = "127.0.0.1:8380"
        url = "http://ca.internal"
        external_account_required = true
        terms_of_service = "https://ca.internal/terms"
        challenges = ["http-01", "dns-01"]
        http_01_port = 5002
        tls_alpn_01_port = 5001
        name_server = "127.0.0.1:8053"
        networks = ["loopback", "10.0.0.0/8"]
        caa_identities = ["ca.internal"]
    "#;
    let settings = ConfigFile::parse("id.toml", text).unwrap().settings;
    let authority = settings.authority.unwrap();
    let acme = authority.acme.as_ref().unwrap();
    assert!(acme.external_account_required && acme.networks.allow([10, 0, 0, 1].into()));
    assert_eq!((acme.http_01_port, acme.tls_alpn_01_port), (5002, 5001));
    assert_eq!((acme.challenges.len(), acme.caa_identities.len()), (2, 1));
    assert!(authority.name_server.is_some() && authority.check().is_ok());
    let plain = ConfigFile::parse("id.toml", "[authority]\nacme = false").unwrap();
    assert!(plain.settings.authority.unwrap().acme.is_none());
    assert!(Settings::default().authority.is_none());
    for (text, message) in [
        ("[authority]\nlisten = 'here'", "id.toml:2:10"),
        (
            "[authority]\nurl = 'https://ca.internal'",
            "expected http://HOST",
        ),
        ("[authority]\nchallenges = ['post']", "id.toml:2:15"),
        (
            "[authority]\nchallenges = []",
            "expected at least one challenge",
        ),
        ("[authority]\nport = 1", "unknown field `port`"),
    ] {
        let error = refused(text);
        assert!(error.contains(message), "{text}\n{error}");
    }
}

#[test]
fn an_empty_file_is_the_strict_policy() {
    let file = ConfigFile::parse("id.toml", "").unwrap();
    assert_eq!(file.settings.policy, Policy::strict());
    assert!(file.settings.clients.is_empty() && file.listen.is_none());
}

#[test]
fn a_claim_check_that_does_not_compile_is_shown_at_its_place() {
    let text = "[[resources]]\nresource = 'https://a.example'\naccept_when = \"claims.exp > )\"\n";
    assert_eq!(
        refused(text),
        r#"the configuration is refused
error: expected an expression
 --> id.toml:3:29
  |
3 | accept_when = "claims.exp > )"
  |                             ^"#
    );
}

#[test]
fn mistakes_are_shown_with_line_and_caret() {
    let client = "[[clients]]\nclient_id = 'a'\nredirect_uris = ['https://a.example/cb']\n";
    let user = "[[users]]\nusername = 'a'\npassword_hash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$7h0V0J9S0WQ6r7rvOqg1bqg9bS7pZb4m1fV5oY0q3mA'\n";
    for (text, message, place) in [
        ("x = 1", "unknown field `x`", "1:1"),
        ("listen = 'nowhere'", "no address to listen on", "1:10"),
        ("networks = ['lan']", "expected public, loopback", "1:13"),
        ("networks = ['public', '10.0.0.0/40']", "range", "1:23"),
        ("pkce = 'none'", "expected one of all, public", "1:8"),
        ("signer = 'abacus'", "expected one of openssl", "1:10"),
        ("store = 'cloud'", "expected one of file, memory", "1:9"),
        (
            "listen = '0.0.0.0:1'\nstore = 'memory'",
            "0.0.0.0:1 is for others, too",
            "2:9",
        ),
        (
            "store = 'memory'\nissuer = 'https://id.example'",
            "https://id.example is for others, too",
            "1:9",
        ),
        (
            "[authority]\nacme = false\nchallenges = ['http-01']",
            "`acme = false` leaves nothing that this is for",
            "3:14",
        ),
        (
            "[authority]\nacme = false\nnetworks = ['public']",
            "`acme = false` leaves nothing that this is for",
            "3:12",
        ),
        (
            "[authority]\nexternal_account_required = true\nacme = false",
            "`acme = false` leaves nothing that this is for",
            "2:29",
        ),
        (
            "[authority]\nterms_asked_again = true",
            "there are no terms_of_service to agree to",
            "2:21",
        ),
        ("issuer = 5", "invalid type: integer", "1:10"),
        ("issuer = ", "", "1:10"),
        (
            "\n[lifetimes]\ncode = 601",
            "code is 1 to 600 seconds",
            "2:1",
        ),
        (
            "[[resources]]\nresource = 'nowhere'",
            "absolute URI",
            "2:12",
        ),
        (
            "[[resources]]\nresource = 'https://a.example'\nformat = 'xml'",
            "expected one of jwt, opaque",
            "3:10",
        ),
        (
            "[[resources]]\nresource = 'https://a.example'\n[[resources]]\nresource = 'https://a.example'",
            "twice",
            "4:12",
        ),
        ("[[clients]]\nclient_id = 'a b'", "client id", "2:13"),
        ("[[clients]]\nclient_id = 'a'", "redirect URI", "2:13"),
        (
            &format!("{client}grant_types = ['password']"),
            "expected one of authorization_code",
            "4:16",
        ),
        (
            &format!("{client}issue_when = 'clams.x'"),
            "undeclared reference to `clams`",
            "4:15",
        ),
        (
            &format!("{client}token_endpoint_auth_method = 'client_secret_basic'"),
            "needs client_secret",
            "2:13",
        ),
        (&format!("{client}{client}"), "twice", "5:13"),
        (
            &format!("{client}subject_type = 'secret'"),
            "expected one of public, pairwise",
            "4:16",
        ),
        (
            "[[users]]\nusername = 'a'\npassword_hash = 'hunter2'",
            "argon2id",
            "3:17",
        ),
        (&format!("{user}{user}"), "twice", "5:12"),
        (
            &format!("{user}claims = {{ shoe_size = 43 }}"),
            "no claim about a person",
            "4:12",
        ),
        (
            &format!("{user}claims = {{ gender = 1 }}"),
            "the claim gender is a text",
            "4:12",
        ),
        (&format!("{user}email = 'nowhere'"), "something@host", "4:9"),
        (
            &format!("{user}password = 'hunter2'"),
            "unknown field",
            "4:1",
        ),
        (
            &format!("{client}client_secret = 'short'"),
            "32 to 512",
            "2:13",
        ),
    ] {
        let error = refused(text);
        assert!(error.contains(message), "{text}\n{error}");
        assert!(
            error.contains(&format!("id.toml:{place}")),
            "{place} {text}\n{error}"
        );
    }
}

#[test]
fn no_error_shows_a_secret() {
    for text in [
        "[[clients]]\nclient_id = 'a'\nclient_secret = 'hunter2hunter2'\n",
        "[[clients]]\nclient_secret = 'hunter2hunter2' x\n",
        "[[clients]]\nclient_secret = ['hunter2hunter2']\n",
        "[[users]]\nusername = 'a'\npassword_hash = 'hunter2'\n",
        "[[users]]\nusername = 'a'\npassword = 'hunter2'\n",
    ] {
        let error = refused(text);
        assert!(!error.contains("hunter2"), "{error}");
    }
}
