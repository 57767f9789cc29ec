//! A certificate authority of one's own: how root, request and leaf are made, what verifiers say to them and to the
//! ones that tutorials make, and an HTTPS server that lives on one.

mod by_hand;
mod pinning;
mod revoked;
mod rogue;
mod verifiers;
mod zoo;

use std::net::Ipv4Addr;
use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslConnector, SslMethod, SslVerifyMode};
use openssl::stack::Stack;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509Name, X509Req};
use stampmill_local_ca::{
    Authority, Certificate, CertificateRequest, Field, LeafKey, Profile, SubjectAltName,
    VerifyOptions, explain, verify,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;
use url::Url;

use crate::event::{Channel, Exchange};
use crate::http_client::HttpClient;
use crate::stage::Stage;

use verifiers::{Asked, CLIENTS};

pub(crate) use by_hand::verify_chain_by_hand;
pub(crate) use pinning::pinning;
pub(crate) use revoked::mtls_revoked;
pub(crate) use rogue::rogue;
pub(crate) use zoo::zoo;

const DAY: i64 = 24 * 60 * 60;

// ---- root and leaf ---------------------------------------------------------------------------------------------------

/// The post's steps, root → request → leaf, in the form that today's verifiers ask for; then the post's own forms
/// before today's verifiers.
pub(crate) fn root_and_leaf(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = make_root(stage, &folder.path().join("ca"))?;
    let request = make_request(stage)?;
    let leaf = make_leaf(stage, &authority, &request)?;
    judge(stage, &authority, &leaf)?;
    refuse_requests(stage, &authority)?;
    short_root(stage)?;
    root_without_key_usage(stage)?;
    common_name_only(stage)
}

fn make_root(stage: &mut Stage<'_>, dir: &std::path::Path) -> anyhow::Result<Authority> {
    stage.heading("1  the root: a key, and a certificate that it signs for itself");
    let authority = stage.time("key, certificate and two files", || {
        Authority::create(dir, "localhost-ca")
    })?;
    stage.note(
        "Nobody vouches for a root. It is trusted because somebody puts it into a store, and from then on its key can \
         sign for any name: the key stays in a file that only its owner can read.",
    );
    let fields = explain(&authority.root())?;
    stage.listing("root.pem", tree(&fields, &[]));
    stage.note(
        "The root signs one certificate and rests: an intermediate, which signs from day to day. Its key can be replaced \
         without anybody changing what they trust, and the root's can be kept where no server reaches it. Both say which \
         names they are good for, so that whoever steals a key gets no bank with it.",
    );
    let known: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    stage.listing("issuing.pem", tree(&explain(&authority.issuing())?, &known));
    stage.check(
        "root.key can be read by",
        "its owner",
        readers(&dir.join(Authority::KEY_FILE))?,
    );
    Ok(authority)
}

fn make_request(stage: &mut Stage<'_>) -> anyhow::Result<CertificateRequest> {
    stage.heading("2  the request: the server's own key, and the names it wants");
    let names: [SubjectAltName; 2] = ["localhost".parse()?, "127.0.0.1".parse()?];
    let (request, _key) = CertificateRequest::new("localhost", &names)?;
    let pem = request.to_pem();
    stage.listing(
        "what goes to the authority (the private key does not)",
        &pem,
    );
    // The authority reads it as it would read a stranger's.
    let read = CertificateRequest::from_pem(pem.as_bytes())?;
    stage.compute(
        "names in the request",
        &[
            ("key", &read.key_description()),
            ("signed by that key", &"yes, or it would not have been read"),
        ],
        list(read.names()),
    );
    Ok(read)
}

fn make_leaf(
    stage: &mut Stage<'_>,
    authority: &Authority,
    request: &CertificateRequest,
) -> anyhow::Result<Certificate> {
    stage.heading(
        "3  the leaf: the authority signs the names and the key, and nothing else of the request",
    );
    let leaf = stage.time("issuing", || authority.issue(request, &Profile::server()))?;
    let known: Vec<String> = explain(&authority.issuing())?
        .into_iter()
        .map(|field| field.name)
        .collect();
    stage.listing("leaf.pem", tree(&explain(&leaf)?, &known));
    Ok(leaf)
}

fn judge(stage: &mut Stage<'_>, authority: &Authority, leaf: &Certificate) -> anyhow::Result<()> {
    stage.heading("4  the verdict: OpenSSL, under strict rules");
    let roots = [authority.root()];
    for (host, expected) in [
        ("localhost", "OK"),
        ("127.0.0.1", "OK"),
        ("example.test", "error 62 at 0 depth: hostname mismatch"),
    ] {
        let verdict = verify(leaf, &roots, &VerifyOptions::for_host(host.parse()?))?;
        stage.check_rule(
            format!("asked for {host}"),
            expected,
            verdict,
            "RFC 9525 §6",
        );
    }
    let nobody = verify(leaf, &[], &VerifyOptions::default())?;
    stage.check_rule(
        "with a store that lacks the root",
        "error 20 at 1 depth: unable to get local issuer certificate",
        nobody,
        "RFC 5280 §6",
    );
    Ok(())
}

fn refuse_requests(stage: &mut Stage<'_>, authority: &Authority) -> anyhow::Result<()> {
    stage.heading("5  what a request does not get");
    let key = p256()?;
    let powerful = foreign_request(&key, Some("localhost"), true)?;
    stage.check(
        "a request for CA:TRUE",
        "request asks for basicConstraints CA:TRUE; a server certificate does not get it",
        refusal(authority, &powerful)?,
    );
    let unnamed = foreign_request(&key, None, false)?;
    stage.check(
        "a request with a common name alone",
        "a server certificate needs a name in subjectAltName: a common name names nothing (RFC 9525)",
        refusal(authority, &unnamed)?,
    );
    let bank = foreign_request(&key, Some("bank.example"), false)?;
    let refused = refusal(authority, &bank)?;
    stage.check_rule(
        "a request for a bank",
        true,
        refused.starts_with("`bank.example` lies outside the authority's name constraints"),
        "RFC 5280 §4.2.1.10",
    );
    Ok(())
}

fn refusal(authority: &Authority, request: &[u8]) -> anyhow::Result<String> {
    let request = CertificateRequest::from_der(request)?;
    Ok(match authority.issue(&request, &Profile::server()) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    })
}

// ---- what tutorials make -----------------------------------------------------------------------------------------------

/// `openssl req -x509` without `-days` gives 30 days; the leaf of the post is made for ten years.
fn short_root(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("6  as printed: a root of 30 days, a leaf of 3650");
    let root = Handmade::root(30)?;
    let leaf = root.issue("localhost", true, 3650)?;
    let roots = [root.certificate()?];
    for (day, expected) in [
        (1, "OK"),
        (40, "error 10 at 1 depth: certificate has expired"),
    ] {
        let mut options = lenient("localhost")?;
        options.at = Some(now() + day * DAY);
        stage.check(
            format!("on day {day}"),
            expected,
            verify(&leaf, &roots, &options)?,
        );
    }
    stage.note(
        "Depth 1 is the root: a leaf dies with it, however long it is made for. Here a root lives ten years, a leaf at \
         most 398 days, and never longer than its root.",
    );
    Ok(())
}

/// `openssl req -x509` without a configuration writes no keyUsage.
fn root_without_key_usage(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("7  as printed: a root that does not say what its key may sign");
    let root = Handmade::root(3650)?;
    let leaf = root.issue("localhost", true, 90)?;
    let roots = [root.certificate()?];
    let relaxed = lenient("localhost")?;
    let mut strict = relaxed.clone();
    strict.strict = true;
    stage.check("openssl verify", "OK", verify(&leaf, &roots, &relaxed)?);
    stage.check_rule(
        "openssl verify -x509_strict",
        "error 92 at 1 depth: CA cert does not include key usage extension",
        verify(&leaf, &roots, &strict)?,
        "RFC 5280 §4.2.1.3",
    );
    stage.note(
        "Python asks for the strict rules since 3.13, so such a root works in one program and not in another. The cure \
         is one line: keyUsage = critical, keyCertSign, cRLSign.",
    );
    Ok(())
}

/// "Be sure the CN matches the hostname."
fn common_name_only(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("8  as printed: the name in the common name alone");
    let root = Handmade::root(3650)?;
    let leaf = root.issue("localhost", false, 90)?;
    let roots = [root.certificate()?];
    let names_only = lenient("localhost")?;
    let mut fallback = names_only.clone();
    fallback.common_name_fallback = true;
    stage.check(
        "a verifier that falls back to the common name (OpenSSL unless told otherwise)",
        "OK",
        verify(&leaf, &roots, &fallback)?,
    );
    stage.check_rule(
        "a verifier that looks at subjectAltName only (browsers, Go, rustls)",
        "error 62 at 0 depth: hostname mismatch",
        verify(&leaf, &roots, &names_only)?,
        "RFC 9525 §2",
    );
    Ok(())
}

/// OpenSSL without the strict rules, and without looking at common names.
fn lenient(host: &str) -> anyhow::Result<VerifyOptions> {
    let mut options = VerifyOptions::for_host(host.parse()?);
    options.strict = false;
    Ok(options)
}

/// A root as `openssl req -x509` of OpenSSL 3.0 makes it when it is told nothing but a name and a life: key
/// identifier, `CA:TRUE`, no keyUsage.
struct Handmade {
    key: PKey<Private>,
    root: X509,
}

impl Handmade {
    fn root(days: i64) -> anyhow::Result<Self> {
        let key = p256()?;
        let name = common_name("localhost-ca")?;
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*serial()?)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_pubkey(&key)?;
        builder.set_not_before(&*Asn1Time::from_unix(now())?)?;
        builder.set_not_after(&*Asn1Time::from_unix(now() + days * DAY)?)?;
        let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(identifier)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self {
            key,
            root: builder.build(),
        })
    }

    fn issue(&self, name: &str, alternative: bool, days: i64) -> anyhow::Result<Certificate> {
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*serial()?)?;
        builder.set_subject_name(&*common_name(name)?)?;
        builder.set_issuer_name(self.root.subject_name())?;
        builder.set_pubkey(&*p256()?)?;
        builder.set_not_before(&*Asn1Time::from_unix(now())?)?;
        builder.set_not_after(&*Asn1Time::from_unix(now() + days * DAY)?)?;
        let context = builder.x509v3_context(Some(&self.root), None);
        let mut extensions = vec![
            SubjectKeyIdentifier::new().build(&context)?,
            AuthorityKeyIdentifier::new().keyid(true).build(&context)?,
        ];
        if alternative {
            extensions.push(SubjectAlternativeName::new().dns(name).build(&context)?);
        }
        for extension in extensions {
            builder.append_extension(extension)?;
        }
        builder.sign(&self.key, MessageDigest::sha256())?;
        read_back(&builder.build())
    }

    fn certificate(&self) -> anyhow::Result<Certificate> {
        read_back(&self.root)
    }
}

fn read_back(certificate: &X509) -> anyhow::Result<Certificate> {
    Ok(Certificate::from_pem(&certificate.to_pem()?)?)
}

/// A request as somebody else's program makes it.
fn foreign_request(
    key: &PKey<Private>,
    alternative: Option<&str>,
    authority: bool,
) -> anyhow::Result<Vec<u8>> {
    let mut builder = X509Req::builder()?;
    builder.set_version(0)?;
    builder.set_subject_name(&*common_name(alternative.unwrap_or("localhost"))?)?;
    builder.set_pubkey(key)?;
    let mut extensions = Stack::new()?;
    if let Some(name) = alternative {
        let context = builder.x509v3_context(None);
        extensions.push(SubjectAlternativeName::new().dns(name).build(&context)?)?;
    }
    if authority {
        extensions.push(BasicConstraints::new().critical().ca().build()?)?;
    }
    builder.add_extensions(&extensions)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build().to_der()?)
}

fn p256() -> anyhow::Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}

fn common_name(name: &str) -> anyhow::Result<X509Name> {
    let mut builder = X509Name::builder()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}

fn serial() -> anyhow::Result<Asn1Integer> {
    let mut number = BigNum::new()?;
    number.rand(127, MsbOption::ONE, false)?;
    Ok(number.to_asn1_integer()?)
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs().cast_signed())
}

/// The fields as a tree; the purpose stands below those that `known` does not name.
fn tree(fields: &[Field], known: &[String]) -> String {
    let mut text = String::new();
    for (index, field) in fields.iter().enumerate() {
        let (branch, stem) = match index + 1 == fields.len() {
            true => ("└─", "  "),
            false => ("├─", "│ "),
        };
        let critical = if field.critical { "critical, " } else { "" };
        text += &format!("{branch} {:<22} {critical}{}\n", field.name, field.value);
        if !field.purpose.is_empty() && !known.contains(&field.name) {
            text += &format!("{stem} {:<22} ({})\n", "", field.purpose);
        }
    }
    text
}

fn list(names: &[SubjectAltName]) -> String {
    let texts: Vec<String> = names.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

#[cfg(unix)]
fn readers(path: &std::path::Path) -> anyhow::Result<&'static str> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)?.permissions().mode();
    Ok(match mode & 0o077 {
        0 => "its owner",
        _ => "others",
    })
}

/// Where there are no permission bits, the folder's own protection has to do.
#[cfg(not(unix))]
fn readers(_path: &std::path::Path) -> anyhow::Result<&'static str> {
    Ok("its owner")
}

// ---- HTTPS -----------------------------------------------------------------------------------------------------------

/// An HTTPS server with a leaf of one's own authority, and who believes it: a client that trusts the root, one that does not,
/// one that asks for another name, and the TLS clients of this machine.
pub(crate) fn https(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(https_lesson(stage))
}

async fn https_lesson(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.heading("1  a server with a certificate of its own authority");
    let folder = tempfile::tempdir()?;
    let authority = Authority::create(&folder.path().join("ca"), "localhost-ca")?;
    let (request, key) =
        CertificateRequest::new("localhost", &["localhost".parse()?, "127.0.0.1".parse()?])?;
    let leaf = authority.issue(&request, &Profile::server())?;
    let port = serve(&leaf, &key).await?;
    stage.note(format!(
        "Listening on https://localhost:{port}. The post's server hands out the files of its working folder, the \
         authority's key among them; this one knows a single page.",
    ));

    stage.heading("2  a client whose only trust anchor is our root");
    let client = HttpClient::trusting(&authority.root_pem())?;
    for host in ["localhost", "127.0.0.1"] {
        fetch(stage, &client, host, port).await?;
    }
    let root = Some(authority.root());
    let session = handshake(port, "localhost", root.as_ref()).await?;
    stage.check("the verifier's words", "0: ok", &session.verdict);
    stage.compute("what the two agreed upon", &[], session.agreed);

    stage.heading("3  a client that does not know our root");
    let stranger = handshake(port, "localhost", None).await?;
    stage.check_rule(
        "the verifier's words",
        "20: unable to get local issuer certificate",
        stranger.verdict,
        "RFC 5280 §6",
    );
    stage.note(
        "That is what a browser shows as a warning page. Clicking it away, or `curl -k`, accepts anybody's certificate; \
         putting root.pem into the client's store accepts exactly ours.",
    );

    stage.heading("4  a client that asks for another name");
    let elsewhere = handshake(port, "example.test", root.as_ref()).await?;
    stage.check_rule(
        "the verifier's words",
        "62: hostname mismatch",
        elsewhere.verdict,
        "RFC 9525 §6",
    );

    stage.heading("5  the verifiers of this machine");
    let ours = folder.path().join("ca").join(Authority::ROOT_FILE);
    Authority::create(&folder.path().join("other"), "localhost-ca")?;
    let namesake = folder.path().join("other").join(Authority::ROOT_FILE);
    let here = ["localhost".to_owned()];
    for client in CLIENTS {
        let name = client.name;
        let believed = match client.believes(&here, port, &ours)? {
            Asked::Believes(believed) => believed,
            Asked::Not(why) => {
                stage.note(format!("{name} {why}"));
                continue;
            }
        };
        stage.check(
            format!("{name}, told of our root, believes"),
            "localhost",
            believed.into_iter().collect::<String>(),
        );
        let Asked::Believes(believed) = client.believes(&here, port, &namesake)? else {
            stage.note(format!("{name} gave no second verdict"));
            continue;
        };
        stage.check_rule(
            format!("{name}, told of another of the same name, believes"),
            "nobody",
            believed.into_iter().next().unwrap_or("nobody".to_owned()),
            "RFC 5280 §6.1",
        );
    }
    Ok(())
}

async fn fetch(
    stage: &mut Stage<'_>,
    client: &HttpClient,
    host: &str,
    port: u16,
) -> anyhow::Result<()> {
    let address = Url::parse(&format!("https://{host}:{port}/"))?;
    let answer = client.get(&address, &[]).await?;
    let body = answer.text()?.trim_end().to_owned();
    stage.http(Exchange {
        from: "client".to_owned(),
        to: "server".to_owned(),
        channel: Channel::Back,
        request: format!("GET https://{host}:{port}/"),
        sent: Vec::new(),
        status: answer.status.as_u16(),
        received: vec![("body".to_owned(), body)],
    });
    stage.check(
        format!("https://{host} answers"),
        200,
        answer.status.as_u16(),
    );
    Ok(())
}

/// How a handshake ended.
struct Handshake {
    /// The verifier's number and words.
    verdict: String,
    /// Protocol and cipher suite, when there is a session.
    agreed: String,
}

/// Asks the server on `port` for `name`, trusting `root` or nobody.
async fn handshake(port: u16, name: &str, root: Option<&Certificate>) -> anyhow::Result<Handshake> {
    let mut store = X509StoreBuilder::new()?;
    if let Some(root) = root {
        store.add_cert(root.as_openssl().to_owned())?;
    }
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_cert_store(store.build());
    connector.set_verify(SslVerifyMode::PEER);
    let ssl = connector.build().configure()?.into_ssl(name)?;
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let mut stream = SslStream::new(ssl, tcp)?;
    let connected = Pin::new(&mut stream).connect().await;
    let result = stream.ssl().verify_result();
    let accepted = result == openssl::x509::X509VerifyResult::OK;
    anyhow::ensure!(
        connected.is_ok() == accepted,
        "the handshake failed for another reason than the certificate: {connected:?}"
    );
    let suite = stream
        .ssl()
        .current_cipher()
        .map_or("no cipher suite", |suite| suite.name());
    Ok(Handshake {
        verdict: format!("{}: {}", result.as_raw(), result.error_string()),
        agreed: format!("{}, {suite}", stream.ssl().version_str()),
    })
}

/// Serves one page on a free port of the loopback interface until the lesson's runtime ends.
async fn serve(leaf: &Certificate, key: &LeafKey) -> anyhow::Result<u16> {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_certificate(leaf.as_openssl())?;
    for intermediate in leaf.intermediates() {
        acceptor.add_extra_chain_cert(intermediate.clone())?;
    }
    acceptor.set_private_key(key.as_openssl())?;
    acceptor.check_private_key()?;
    let acceptor = acceptor.build();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("no free port on 127.0.0.1")?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            // A client that refuses our certificate ends its own connection, not the server.
            tokio::spawn(async move { answer(&acceptor, tcp).await.ok() });
        }
    });
    Ok(port)
}

async fn answer(acceptor: &SslAcceptor, tcp: TcpStream) -> anyhow::Result<()> {
    let ssl = openssl::ssl::Ssl::new(acceptor.context())?;
    let mut stream = SslStream::new(ssl, tcp)?;
    Pin::new(&mut stream).accept().await?;
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(page))
        .await?;
    Ok(())
}

async fn page(request: Request<Incoming>) -> http::Result<Response<Full<Bytes>>> {
    let (status, text) = match request.uri().path() {
        "/" => (200, "hello over TLS\n"),
        _ => (404, "there is only one page\n"),
    };
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(Full::from(text))
}
