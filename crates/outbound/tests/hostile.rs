//! Proves that connections go where they were checked to go, and that no server can hold us: rebinding resolvers, redirects inwards, slow
//! drips, endless bodies and heads, wrong certificates. No network: resolver and connector are the tests' own, time is tokio's paused clock.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use stampmill_outbound::{Limits, Networks, Outbound, OutboundError, Purpose, Request, Trust};
use support::{Authority, Names, Servers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}";

/// Plain http to public networks, so that servers can be strings.
fn plain(names: &Names, servers: &Servers) -> Outbound {
    Outbound::new(Networks::public())
        .with_plain_http()
        .with_resolver(names.clone())
        .with_connector(servers.clone())
}

// ---- where it goes -------------------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_name_is_resolved_once_and_the_checked_address_is_connected_to() {
    let names = Names::new(&[
        ("client.example", &["93.184.215.14"]),
        ("client.example", &["10.0.0.1"]),
    ]);
    let servers = Servers::saying(OK);
    let answer = plain(&names, &servers)
        .get("http://client.example:8080/jwks.json")
        .await
        .unwrap();
    assert_eq!(
        (
            answer.status,
            answer.media_type().as_str(),
            &answer.body[..]
        ),
        (StatusCode::OK, "application/json", &b"{}"[..])
    );
    assert_eq!(names.asked(), ["client.example"]);
    assert_eq!(servers.dialled(), ["93.184.215.14:8080"]);
    // The second time the name points inside.
    let refused = plain(&names, &servers)
        .get("http://client.example:8080/jwks.json")
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            OutboundError::Forbidden {
                purpose: Purpose::Special("private"),
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(servers.dialled().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_inner_address_among_public_ones_forbids_the_name() {
    for addresses in [
        &["9.9.9.9", "169.254.169.254"],
        &["::1", "9.9.9.9"],
        &["9.9.9.9", "::ffff:192.168.0.1"],
    ] {
        let servers = Servers::saying(OK);
        let refused = plain(&Names::new(&[("client.example", addresses)]), &servers)
            .get("http://client.example/")
            .await;
        assert!(
            matches!(refused, Err(OutboundError::Forbidden { .. })),
            "{addresses:?}"
        );
        assert!(servers.dialled().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn address_literals_in_every_spelling_are_checked_without_a_resolver() {
    let names = Names::new(&[]);
    let servers = Servers::saying(OK);
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "１２７.0.0.1",
    ] {
        let refused = plain(&names, &servers)
            .get(&format!("http://{host}/"))
            .await;
        assert!(
            matches!(refused, Err(OutboundError::Forbidden { .. })),
            "{host}: {refused:?}"
        );
        let refused = plain(&names, &servers).connect(host, 443).await;
        assert!(
            matches!(refused, Err(OutboundError::Forbidden { .. })),
            "{host}: {refused:?}"
        );
    }
    assert!(names.asked().is_empty() && servers.dialled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn loopback_and_named_networks_are_a_choice() {
    let servers = Servers::saying(OK);
    let inner = Networks::none()
        .with_loopback()
        .with("10.1.0.0/16".parse().unwrap());
    let outbound = Outbound::new(inner)
        .with_plain_http()
        .with_connector(servers.clone())
        .with_resolver(Names::new(&[]));
    outbound
        .get("http://[::1]:5002/.well-known/acme-challenge/x")
        .await
        .unwrap();
    outbound.get("http://10.1.2.3/").await.unwrap();
    assert!(matches!(
        outbound.get("http://10.2.0.1/").await,
        Err(OutboundError::Forbidden { .. })
    ));
    assert!(matches!(
        outbound.get("http://9.9.9.9/").await,
        Err(OutboundError::Forbidden { .. })
    ));
    assert_eq!(servers.dialled(), ["[::1]:5002", "10.1.2.3:80"]);
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_when_one_does_not_answer() {
    let servers = Servers::saying(OK)
        .refusing("9.9.9.9:80")
        .silent("9.9.9.10:80");
    let names = Names::new(&[("client.example", &["9.9.9.9", "9.9.9.10", "2620:fe::fe"])]);
    plain(&names, &servers)
        .get("http://client.example/")
        .await
        .unwrap();
    assert_eq!(
        servers.dialled(),
        ["9.9.9.9:80", "9.9.9.10:80", "[2620:fe::fe]:80"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_bare_connection_is_the_stream_itself() {
    let servers = Servers::new(|mut stream| async move {
        let mut question = [0; 4];
        stream.read_exact(&mut question).await.unwrap();
        stream.write_all(&question).await.unwrap();
    });
    let outbound = plain(&Names::new(&[("device.example", &["9.9.9.9"])]), &servers);
    let mut connection = outbound.connect("device.example", 443).await.unwrap();
    assert_eq!(connection.address, "9.9.9.9:443".parse().unwrap());
    connection.stream.write_all(b"ping").await.unwrap();
    let mut echo = [0; 4];
    connection.stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"ping");
    for bad in ["", "a b", "http://x/", "::1", "user@host", "[::1"] {
        assert!(
            matches!(
                outbound.connect(bad, 443).await,
                Err(OutboundError::BadUrl { .. } | OutboundError::Resolve { .. })
            ),
            "{bad}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn urls_that_are_not_for_fetching_are_refused_unasked() {
    let names = Names::new(&[("a.example", &["9.9.9.9"])]);
    let servers = Servers::saying(OK);
    let strict = Outbound::new(Networks::public())
        .with_resolver(names.clone())
        .with_connector(servers.clone());
    for (url, reason) in [
        (
            "http://a.example/",
            "http addresses are not fetched here, only https",
        ),
        (
            "file:///etc/passwd",
            "file addresses are not fetched here, only https",
        ),
        (
            "gopher://a.example/",
            "gopher addresses are not fetched here, only https",
        ),
        (
            "data:application/json,{}",
            "data addresses are not fetched here, only https",
        ),
        (
            "https://alice:secret@a.example/",
            "the address has a user name or a password in it",
        ),
        (
            "https://a.example@b.example/",
            "the address has a user name or a password in it",
        ),
        (
            "/jwks.json",
            "`/jwks.json` is no address to connect to: relative URL without a base",
        ),
    ] {
        assert_eq!(strict.get(url).await.unwrap_err().to_string(), reason);
    }
    assert!(names.asked().is_empty() && servers.dialled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_and_a_forbidden_one_look_alike_to_strangers() {
    let names = Names::new(&[("inside.example", &["10.0.0.1"]), ("nowhere.example", &[])]);
    let outbound = plain(&names, &Servers::saying(OK));
    let forbidden = outbound.get("http://inside.example/").await.unwrap_err();
    let unknown = outbound.get("http://nowhere.example/").await.unwrap_err();
    assert_eq!(
        forbidden.reason_for_strangers(),
        unknown.reason_for_strangers()
    );
}

// ---- what is sent --------------------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_request_is_what_was_asked_for() {
    let servers = Servers::saying(OK);
    let outbound = plain(&Names::new(&[("client.example", &["9.9.9.9"])]), &servers);
    let url = Url::parse("http://client.example:81/a%20b?x=y#part").unwrap();
    let request = Request::post(url, "application/x-www-form-urlencoded", "logout_token=eyJ")
        .with(header::HOST, HeaderValue::from_static("elsewhere.example"))
        .with(header::ACCEPT, HeaderValue::from_static("application/json"));
    outbound.send(request).await.unwrap();
    let sent = servers.heard();
    assert!(sent.starts_with("POST /a%20b?x=y HTTP/1.1\r\n"), "{sent}");
    for line in [
        "host: client.example:81\r\n",
        "content-length: 16\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        "\r\n\r\nlogout_token=eyJ",
    ] {
        assert!(sent.contains(line), "{sent}");
    }
    assert!(
        !sent.contains("elsewhere") && !sent.contains("accept-encoding"),
        "{sent}"
    );
}

// ---- redirects -----------------------------------------------------------------------------------------------------

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn redirects_are_refused_unless_chosen() {
    let names = Names::new(&[("a.example", &["9.9.9.9"])]);
    let servers = Servers::saying(&redirect("http://a.example/2"));
    let refused = plain(&names, &servers).get("http://a.example/").await;
    assert!(
        matches!(
            refused,
            Err(OutboundError::Redirected {
                status: StatusCode::FOUND
            })
        ),
        "{refused:?}"
    );
    let names = Names::new(&[("a.example", &["9.9.9.9"])]);
    let refused = plain(&names, &servers)
        .with_redirects(5)
        .post("http://a.example/", "text/plain", "x")
        .await;
    assert!(
        matches!(refused, Err(OutboundError::Redirected { .. })),
        "{refused:?}"
    );
    assert_eq!(servers.dialled().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_hop_is_checked_from_the_top() {
    for (to, expected) in [
        (
            "http://169.254.169.254/latest/meta-data/",
            "169.254.169.254 is 169.254.169.254 (link-local, cloud metadata), which may not be connected to",
        ),
        (
            "//inside.example/",
            "inside.example is 10.0.0.1 (private), which may not be connected to",
        ),
        (
            "file:///etc/passwd",
            "file addresses are not fetched here, only https and http",
        ),
        (
            "http://u:p@b.example/",
            "the address has a user name or a password in it",
        ),
        (
            "http://[::1",
            "`http://[::1` is no address to connect to: invalid IPv6 address",
        ),
    ] {
        let names = Names::new(&[
            ("a.example", &["9.9.9.9"]),
            ("inside.example", &["10.0.0.1"]),
        ]);
        let servers = Servers::saying(&redirect(to));
        let refused = plain(&names, &servers)
            .with_redirects(3)
            .get("http://a.example/")
            .await;
        assert_eq!(refused.unwrap_err().to_string(), expected);
        assert_eq!(servers.dialled(), ["9.9.9.9:80"]);
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_are_followed_to_a_limit_and_carry_nothing_along() {
    let names = Names::new(&[("a.example", &["9.9.9.9"]), ("b.example", &["9.9.9.10"])]);
    let servers = Servers::saying_in_turn(&[&redirect("http://b.example/x"), OK]);
    let request = Request::get(Url::parse("http://a.example/").unwrap())
        .with(
            header::AUTHORIZATION,
            HeaderValue::from_static("Bearer secret"),
        )
        .with(header::ACCEPT, HeaderValue::from_static("application/json"));
    let answer = plain(&names, &servers)
        .with_redirects(1)
        .send(request)
        .await
        .unwrap();
    assert_eq!(answer.url.as_str(), "http://b.example/x");
    let (first, second) = servers
        .heard()
        .split_once("\r\n\r\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert!(first.contains("Bearer secret"), "{first}");
    assert!(
        second.contains("host: b.example")
            && second.contains("application/json")
            && !second.contains("secret"),
        "{second}"
    );

    let round = Servers::saying(&redirect("/again"));
    let refused = plain(
        &Names::new(&[("a.example", &["9.9.9.9"] as &[&str]); 9]),
        &round,
    )
    .with_redirects(3)
    .get("http://a.example/")
    .await;
    assert!(
        matches!(refused, Err(OutboundError::TooManyRedirects { limit: 3 })),
        "{refused:?}"
    );
    assert_eq!(round.dialled().len(), 4);
}

// ---- servers that do not end ---------------------------------------------------------------------------------------

fn any_name() -> Names {
    Names::new(&[("slow.example", &["9.9.9.9"])])
}

#[tokio::test(start_paused = true)]
async fn silence_and_drips_end_when_time_is_over() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n";
    for (before, drip) in [
        ("", ""),
        ("HTTP/1.1 200 OK\r\nx: ", "y"),
        (head, "z"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        let servers = Servers::after_a_request(move |mut stream| async move {
            stream.write_all(before.as_bytes()).await.unwrap();
            while stream.write_all(drip.as_bytes()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        let began = tokio::time::Instant::now();
        let refused = plain(&any_name(), &servers)
            .get("http://slow.example/")
            .await;
        assert!(
            matches!(refused, Err(OutboundError::TimedOut { limit }) if limit == Duration::from_secs(5)),
            "{refused:?}"
        );
        assert_eq!(began.elapsed().as_secs(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_resolver_or_a_handshake_that_hangs_ends_as_well() {
    let slow = Names::new(&[("slow.example", &["9.9.9.9"])]).hanging();
    let refused = plain(&slow, &Servers::saying(OK))
        .get("http://slow.example/")
        .await;
    assert!(
        matches!(refused, Err(OutboundError::TimedOut { .. })),
        "{refused:?}"
    );
    let mute = Servers::new(|stream| async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(stream);
    });
    let refused = plain(&any_name(), &mute).get("https://slow.example/").await;
    assert!(
        matches!(refused, Err(OutboundError::TimedOut { .. })),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn endless_bodies_are_cut_off_at_the_limit() {
    let limits = Limits {
        body_bytes: 1000,
        ..Limits::default()
    };
    for head in [
        "transfer-encoding: chunked",
        "content-length: 1000000",
        "connection: close",
    ] {
        let chunked = head.starts_with("transfer");
        let servers = Servers::after_a_request(move |mut stream| async move {
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let piece = if chunked {
                "64\r\n".to_owned() + &"x".repeat(100) + "\r\n"
            } else {
                "x".repeat(100)
            };
            while stream.write_all(piece.as_bytes()).await.is_ok() {}
        });
        let refused = plain(&any_name(), &servers)
            .with_limits(limits)
            .get("http://slow.example/")
            .await;
        assert!(
            matches!(refused, Err(OutboundError::BodyTooLarge { limit: 1000 })),
            "{head}: {refused:?}"
        );
    }
    let exactly = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{}",
        "x".repeat(1000)
    );
    let answer = plain(&any_name(), &Servers::saying(&exactly))
        .with_limits(limits)
        .get("http://slow.example/")
        .await;
    assert_eq!(answer.unwrap().body.len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn endless_heads_are_cut_off_at_the_limit() {
    for line in ["x-field: y\r\n", "xxxxxxxxxxxxxxxx"] {
        let servers = Servers::after_a_request(move |mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
            while stream.write_all(line.as_bytes()).await.is_ok() {}
        });
        let refused = plain(&any_name(), &servers)
            .get("http://slow.example/")
            .await;
        assert!(
            matches!(
                refused,
                Err(OutboundError::HeadTooLarge { .. } | OutboundError::Http(_))
            ),
            "{refused:?}"
        );
    }
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n",
        "a: b\r\n".repeat(65)
    );
    let refused = plain(&any_name(), &Servers::saying(&many))
        .get("http://slow.example/")
        .await;
    assert!(
        matches!(refused, Err(OutboundError::HeadTooLarge { fields: 64, .. })),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_said_so() {
    for bad in [
        "",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "HTTP/1.1 302 Found\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let refused = plain(&any_name(), &Servers::saying(bad))
            .with_redirects(1)
            .get("http://slow.example/")
            .await;
        assert!(
            matches!(refused, Err(OutboundError::Http(_))),
            "{bad:?}: {refused:?}"
        );
    }
    let packed = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx";
    let refused = plain(&any_name(), &Servers::saying(packed))
        .get("http://slow.example/")
        .await;
    assert!(
        matches!(refused, Err(OutboundError::Encoded { .. })),
        "{refused:?}"
    );
}

// ---- TLS -----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_certificate_proves_the_name_that_was_given() {
    let authority = Authority::new();
    let servers = Servers::over_tls(authority.certificate("good.example"), OK);
    let names = Names::new(&[
        ("good.example", &["9.9.9.9"]),
        ("other.example", &["9.9.9.9"]),
    ]);
    let trusting = plain(&names, &servers).with_trust(Trust::none().with(authority.root.clone()));
    assert_eq!(
        trusting.get("https://good.example/").await.unwrap().body,
        "{}"
    );

    let names = Names::new(&[
        ("good.example", &["9.9.9.9"]),
        ("other.example", &["9.9.9.9"]),
    ]);
    let wrong_name = trusting
        .with_resolver(names.clone())
        .get("https://other.example/")
        .await
        .unwrap_err();
    assert_eq!(
        wrong_name.to_string(),
        "no TLS connection with other.example: the certificate is refused: hostname mismatch"
    );
    let stranger = plain(&names, &servers)
        .with_trust(Trust::system().with(Authority::new().root))
        .get("https://good.example/")
        .await
        .unwrap_err();
    assert!(
        matches!(&stranger, OutboundError::Tls { reason, .. } if reason.starts_with("the certificate is refused")),
        "{stranger}"
    );
    let nobody = plain(&Names::new(&[("good.example", &["9.9.9.9"])]), &servers)
        .with_trust(Trust::none())
        .get("https://good.example/")
        .await;
    assert!(
        matches!(nobody, Err(OutboundError::Tls { .. })),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn an_address_is_proven_by_an_address_in_the_certificate() {
    let authority = Authority::new();
    let servers = Servers::over_tls(authority.certificate("9.9.9.9"), OK);
    let trusting =
        plain(&Names::new(&[]), &servers).with_trust(Trust::none().with(authority.root.clone()));
    trusting.get("https://9.9.9.9/").await.unwrap();
    assert!(matches!(
        trusting.get("https://9.9.9.10/").await,
        Err(OutboundError::Tls { .. })
    ));
}

#[tokio::test]
async fn plain_http_where_tls_should_be_is_an_error() {
    let refused = plain(&any_name(), &Servers::saying(OK))
        .get("https://slow.example/")
        .await;
    assert!(
        matches!(refused, Err(OutboundError::Tls { .. })),
        "{refused:?}"
    );
}
