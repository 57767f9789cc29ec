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
            .response_types(&[])
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
fn a_claim_check_that_can_be_no_decision_is_refused() {
    let client = "[[clients]]\nclient_id = 'a'\nredirect_uris = ['https://a.example/cb']\n";
    assert_eq!(
        refused(&format!("{client}issue_when = \"1 + 1\"\n")),
        r#"the configuration is refused
error: the claim check is of type int, expected bool
 --> id.toml:4:15
  |
4 | issue_when = "1 + 1"
  |               ^^^^^"#
    );
    let text = refused(&format!(
        "{client}issue_when = \"claims.sub == 'a' ? 'b' : 'c'\"\n"
    ));
    assert!(text.contains("is of type string, expected bool"), "{text}");
    let resource = "[[resources]]\nresource = 'https://a.example'\naccept_when = '[now]'\n";
    let text = refused(resource);
    assert!(
        text.contains("is of type list(int)") && text.contains("id.toml:3:16"),
        "{text}"
    );
    // What a claim is, its issuer says.
    for dynamic in ["claims.admin", "claims.exp > now", "dyn(1)"] {
        let text = format!("{client}issue_when = '{dynamic}'\n");
        assert!(ConfigFile::parse("id.toml", &text).is_ok(), "{dynamic}");
    }
}

#[test]
fn rules_of_a_resource_that_nobody_asks_are_told_of() {
    let told = |text: &str, issuer: &str| {
        let settings = ConfigFile::parse("id.toml", text).unwrap().settings;
        let told = settings
            .unasked
            .iter()
            .filter_map(|rule| rule.under(issuer));
        told.map(str::to_owned).collect::<Vec<_>>()
    };
    let (own, api) = ("https://id.example", "https://api.example");
    let resource = format!("[[resources]]\nresource = '{api}'\n");
    let rule = format!("{resource}accept_when = 'claims.exp > now'\n");
    let [warning] = &told(&rule, own)[..] else {
        panic!("one rule")
    };
    assert!(
        warning.starts_with("warning: no resource server asks for this rule"),
        "{warning}"
    );
    assert!(warning.contains("id.toml:3:15"), "{warning}");
    let opaque = format!("{resource}format = 'opaque'\n");
    let [warning] = &told(&opaque, own)[..] else {
        panic!("one rule")
    };
    assert!(warning.contains("id.toml:3:10"), "{warning}");
    // The service's own API asks itself, and who may introspect asks here.
    for text in [&rule, &opaque] {
        assert!(told(text, api).is_empty(), "{text}");
        assert!(
            told(&format!("{text}introspected_by = ['api']\n"), own).is_empty(),
            "{text}"
        );
    }
    assert!(told(&format!("{resource}format = 'jwt'\n"), own).is_empty());
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
            "3:8",
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
        (
            "[[clients]]\nclient_id = 'a'",
            "nothing to do yet: expected redirect_uris",
            "2:13",
        ),
        (
            "[[clients]]\nclient_id = 'a'\ngrant_types = ['authorization_code']",
            "at least one redirect URI",
            "3:16",
        ),
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
            "4:30",
        ),
        (
            "[[clients]]\nclient_id = 'a'\nredirect_uris = ['http://localhost/']\nresponse_types = ['code token']\n",
            "a web client with a hybrid response type",
            "3:17",
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
        (
            &user.replace("m=19456", "m=4000000"),
            "may ask for m=262144 at most",
            "3:17",
        ),
        (
            &user.replace("t=2", "t=50"),
            "may ask for t=10 at most",
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
            "4:17",
        ),
        (
            "issuer = 'http://id.example'",
            "must begin with https://",
            "1:10",
        ),
        (
            "issuer = 'https://id.example/'",
            "may not end with a slash",
            "1:10",
        ),
        (
            "issuer = 'https://id.example/realms/../one'",
            "no dot segments",
            "1:10",
        ),
        (
            "issuer = 'https://id.example/realms/%6Fne'",
            "nothing percent-encoded",
            "1:10",
        ),
        (
            "listen_plain = '0.0.0.0:80'",
            "is not a loopback address",
            "1:16",
        ),
        (
            "[authority]\nacme = true\nlisten = '0.0.0.0:80'",
            "give `url`",
            "3:10",
        ),
        ("[lifetimes]\ncode = 60\nsigning_key = 60", "3600", "3:15"),
        (&format!("{client}name = ''"), "1 to 100 printable", "4:8"),
        (
            &format!("{user}name = '{}'", "x".repeat(101)),
            "up to 100 printable",
            "4:8",
        ),
        (&format!("{client}scope = 'a \"'"), "scope", "4:9"),
        (
            "[[clients]]\nclient_id = 'a'\nredirect_uris = ['https://a.example/cb', 'http://a.example/cb']",
            "over plain http",
            "3:42",
        ),
        (
            &format!("{client}post_logout_redirect_uris = ['https://a.example/#x']"),
            "fragment",
            "4:30",
        ),
        (
            &format!("{client}backchannel_logout_uri = 'http://a.example/'"),
            "backchannel_logout_uri is an https address",
            "4:26",
        ),
        (
            &format!("{client}frontchannel_logout_uri = 'https://b.example/'"),
            "one of the redirect URIs",
            "4:27",
        ),
        (
            &format!("{client}jwks = '{{}}'"),
            "jwks cannot be used",
            "4:8",
        ),
        (
            &format!("{client}jwks_uri = 'http://a.example/'"),
            "https",
            "4:12",
        ),
        (
            &format!("{client}jwks = '{{}}'\njwks_uri = 'https://a.example/'"),
            "not both",
            "5:12",
        ),
        (
            &format!("{client}request_uris = ['https://a.example/r']"),
            "needs jwks or jwks_uri",
            "4:16",
        ),
        (
            &format!("{client}require_signed_request_object = true"),
            "needs jwks or jwks_uri",
            "4:33",
        ),
        (&format!("{client}default_max_age = -1"), "seconds", "4:19"),
        (
            &format!("{client}grant_types = ['authorization_code', 'client_credentials']"),
            "this one is public",
            "4:38",
        ),
        (
            "[[clients]]\nclient_id = 'a'\ngrant_types = ['refresh_token']",
            "goes with a grant of a person",
            "3:16",
        ),
        (
            "[[clients]]\nclient_id = 'a'\nresponse_types = ['code id_token']\ngrant_types = ['client_credentials']\nclient_secret = '0123456789abcdef0123456789abcdef'",
            "goes with the grant authorization_code",
            "3:18",
        ),
        (
            "[[clients]]\nclient_id = 'a'\nsubject_type = 'pairwise'\nredirect_uris = ['https://a.example/', 'https://b.example/']",
            "redirect URIs of one host",
            "3:16",
        ),
        (
            &format!(
                "{client}token_endpoint_auth_method = 'none'\nclient_secret = '0123456789abcdef0123456789abcdef'"
            ),
            "has no client_secret",
            "5:17",
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
        // Over several lines
        "[[clients]]\nclient_id = 'a'\nclient_secret = \"\"\"\nhunter2\nhunter2\"\"\"\n",
        "[[clients]]\nclient_id = 'a'\nclient_secret = '''\nhunter2\n'''\n",
        "[[clients]]\nclient_id = 'a'\nclient_secret = [\n'hunter2',\n'hunter2'\n]\n",
        // In one line
        "clients = [{ client_id = 'a', client_secret = 'hunter2' }]\n",
        "clients = [{ client_id = 'a', \"client_secret\" = 'hunter2' }]\n",
        "users = [{ username = 'a', password_hash = 'hunter2' }]\n",
        // Misspelled
        "[[clients]]\nclient_id = 'a'\nclient_secert = 'hunter2'\n",
        "[[clients]]\nclient_id = 'a'\nsecret = 'hunter2'\n",
        "[[users]]\nusername = 'a'\npasswd = 'hunter2'\n",
        // Not TOML
        "[[clients]]\nclient_id = 'a'\nclient_secret 'hunter2'\n",
        "[[clients]]\nclient_id = 'a'\nclient_secret = hunter2 hunter2\n",
        "[[clients]]\nclient_id = 'a'\nclient_secret = 'a'hunter2'\n",
        "[[clients]]\nclient_id = 'a'\nclient_secret = \"\"\"hunter2\nhunter2",
        "\u{fc} client_secret = 'hunter2\u{fc}'\n",
    ] {
        let error = refused(text);
        assert!(!error.contains("hunter2"), "{error}");
    }
}

const RESOURCE: &str =
    "[[resources]]\nresource = 'https://api.example'\nintrospected_by = ['api']\n";
const SECRET: &str = "client_secret = '0123456789abcdef0123456789abcdef'\n";

#[test]
fn whoever_introspects_is_a_client_or_the_file_is_refused_where_it_is_named() {
    let file = format!(
        "{RESOURCE}[[clients]]\nclient_id = 'app'\nredirect_uris = ['https://a.example/cb']\n"
    );
    let settings = ConfigFile::parse("id.toml", &file).unwrap().settings;
    let error = settings.check_alone().unwrap_err().to_string();
    assert_eq!(
        error,
        r#"the configuration is refused
error: no client has this client_id, neither among [[clients]] nor in the data folder (`stampmill client list`); did you mean "app"?
 --> id.toml:3:20
  |
3 | introspected_by = ['api']
  |                    ^^^^^"#
    );
    let alone = ConfigFile::parse("id.toml", RESOURCE).unwrap().settings;
    let error = alone.check_alone().unwrap_err().to_string();
    assert!(!error.contains("did you mean"), "{error}");
}

#[test]
fn a_resource_server_needs_a_secret_and_no_grant() {
    for (more, grants) in [
        (SECRET.to_owned(), 0),
        (format!("{SECRET}grant_types = []\n"), 0),
        (format!("{SECRET}grant_types = ['client_credentials']\n"), 1),
        ("jwks_uri = 'https://api.example/jwks'\n".to_owned(), 0),
    ] {
        let text = format!("{RESOURCE}[[clients]]\nclient_id = 'api'\n{more}");
        let settings = ConfigFile::parse("id.toml", &text).unwrap().settings;
        assert_eq!(settings.clients[0].grant_types.len(), grants, "{more}");
        assert!(settings.check_alone().is_ok());
    }
    for (text, message, place) in [
        (
            format!("{RESOURCE}[[clients]]\nclient_id = 'api'\n"),
            "has to authenticate before it may introspect",
            "5:13",
        ),
        (
            format!("[[clients]]\nclient_id = 'api'\ngrant_types = []\n{SECRET}"),
            "no resource has introspected_by = [\"api\"]; else expected one of authorization_code",
            "3:15",
        ),
        (
            format!("[[clients]]\nclient_id = 'api'\n{SECRET}"),
            "or a resource with introspected_by = [\"api\"]",
            "2:13",
        ),
    ] {
        let error = refused(&text);
        assert!(error.contains(message), "{text}\n{error}");
        assert!(
            error.contains(&format!("id.toml:{place}")),
            "{place}\n{error}"
        );
    }
}
