//! Proves that the server's certificate is exchanged when its moment comes, when it was revoked, when its intermediate was renewed and when
//! somebody says so; that no connection is dropped by it; and that a failure leaves what there was.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Waker};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspResponse};
use openssl::ssl::{Ssl, SslConnector, SslMethod, SslVerifyMode, StatusType};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use stampmill_local_ca::{AuthorityProfile, CrlError, OcspResponder, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio_openssl::SslStream;

use super::*;
use crate::clock::SystemClock;
use crate::listener::{Closing, Transport, accept_loop};

const DAY: i64 = 24 * 3600;

/// A clock that stands until it is set.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A folder with an authority whose intermediate lives 120 days, and a server on it.
struct Scene {
    folder: tempfile::TempDir,
    certificates: Arc<Certificates>,
    renewal: Arc<Mutex<Renewal>>,
    acceptor: watch::Receiver<Arc<SslAcceptor>>,
    clock: Arc<SetClock>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    /// `/slow` has been asked, and may answer.
    slow: Arc<(Notify, Notify)>,
}

impl Scene {
    async fn new(stapling: bool) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let mut profile = AuthorityProfile::new("test");
        profile.issuing_days = Some(120);
        Authority::create_with(&folder.path().join("ca"), &profile).unwrap();
        stampmill_local_ca::create_private_folder(&folder.path().join("tls")).unwrap();
        let certificates = Arc::new(Certificates::open(folder.path()).unwrap());
        let started = SystemClock.now();
        let responder = stapling.then(|| {
            let authority = certificates.authority();
            let responder = OcspResponder::in_memory(authority, started).unwrap();
            Arc::new(responder)
        });
        let names = [SubjectAltName::dns("localhost").unwrap()];
        let renewal = Renewal::start(Arc::clone(&certificates), &names, responder, started);
        let renewal = renewal.unwrap();
        let acceptor = renewal.acceptor();

        let slow = Arc::new((Notify::new(), Notify::new()));
        let signals = Arc::clone(&slow);
        let wait = async move || {
            signals.0.notify_one();
            signals.1.notified().await;
            "at last"
        };
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/slow", get(wait));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let transport = Transport::Tls(renewal.acceptor());
        let ticket = Closing::new().ticket();
        tokio::spawn(accept_loop(listener, transport, router, stopped, ticket));
        Scene {
            folder,
            certificates,
            renewal: Arc::new(Mutex::new(renewal)),
            acceptor,
            clock: Arc::new(SetClock(AtomicI64::new(started))),
            address,
            stop,
            slow,
        }
    }

    fn now(&self) -> i64 {
        self.clock.now()
    }

    fn shown(&self) -> Certificate {
        lock(&self.renewal).shown.clone()
    }

    fn look(&self, now: i64) {
        lock(&self.renewal).look(now);
    }

    fn look_at_intermediate(&self, now: i64) {
        look_at_intermediate(&self.certificates, &mut Pause::default(), now);
    }

    /// The moment at which the certificate is to be exchanged.
    fn moment(&self) -> i64 {
        let serial = self.shown().serial();
        let authority = self.certificates.authority();
        let entry = authority.store().unwrap().find(&serial).unwrap();
        RenewalWindow::of(&entry).moment(&serial)
    }

    async fn connect(&self, protocol: &[u8]) -> SslStream<TcpStream> {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        // Which certificate is shown is the question here; whether it is to be trusted, another's.
        connector.set_verify(SslVerifyMode::NONE);
        connector.set_alpn_protos(protocol).unwrap();
        let mut ssl = Ssl::new(connector.build().context()).unwrap();
        ssl.set_status_type(StatusType::OCSP).unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut stream = SslStream::new(ssl, stream).unwrap();
        Pin::new(&mut stream).connect().await.unwrap();
        stream
    }

    async fn http1(&self) -> SslStream<TcpStream> {
        self.connect(b"\x08http/1.1").await
    }

    async fn http2(&self) -> SendRequest<Empty<Bytes>> {
        let stream = TokioIo::new(self.connect(b"\x02h2").await);
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
                .await
                .unwrap();
        tokio::spawn(connection);
        sender
    }

    /// The serial number that a new connection is shown.
    async fn serial(&self) -> String {
        serial(&self.http1().await)
    }
}

fn serial(stream: &SslStream<TcpStream>) -> String {
    let shown = stream.ssl().peer_certificate().unwrap();
    Certificate::from_der(&shown.to_der().unwrap())
        .unwrap()
        .serial()
}

async fn answers(stream: &mut SslStream<TcpStream>) {
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"here") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "cut off");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn its_moment_comes_and_no_connection_is_dropped() {
    let mut scene = Scene::new(false).await;
    let (first, moment) = (scene.shown(), scene.moment());
    let life = first.not_after() - first.not_before();
    assert!((2 * life / 3..=2 * life / 3 + life / 24).contains(&(moment - first.not_before())));
    scene.look(moment - 1);
    assert_eq!(scene.serial().await, first.serial(), "not yet due");

    // Opened before: one that has had an answer and waits for the next request, and one whose answer is still to come.
    let mut idle = scene.http1().await;
    answers(&mut idle).await;
    let mut stream = scene.http2().await;
    let request = Request::get("https://localhost/slow").body(Empty::new());
    let in_flight = tokio::spawn(stream.send_request(request.unwrap()));
    scene.slow.0.notified().await;

    // From here on nobody calls: the task does it all.
    let tending = Tending {
        certificates: Arc::clone(&scene.certificates),
        renewal: Some(Arc::clone(&scene.renewal)),
        clock: Arc::clone(&scene.clock) as Arc<dyn Clock>,
        every: Duration::from_millis(5),
    };
    let closing = Closing::new();
    tokio::spawn(tending.run(scene.stop.subscribe(), closing.ticket()));
    scene.clock.0.store(moment, Ordering::SeqCst);
    let exchanged = tokio::time::timeout(Duration::from_secs(60), scene.acceptor.changed()).await;
    exchanged.expect("the acceptor is exchanged").unwrap();

    let next = scene.serial().await;
    assert_ne!(next, first.serial(), "a new connection sees the new one");
    answers(&mut idle).await;
    answers(&mut scene.http1().await).await;
    scene.slow.1.notify_one();
    assert_eq!(in_flight.await.unwrap().unwrap().status(), StatusCode::OK);
    let request = Request::get("https://localhost/").body(Empty::new());
    let again = stream.send_request(request.unwrap()).await.unwrap();
    assert_eq!(again.status(), StatusCode::OK, "the same connection again");

    let shown = scene.shown();
    assert_eq!(shown.serial(), next);
    assert!(shown.not_after() > first.not_after());
    let authority = scene.certificates.authority();
    for serial in [first.serial(), next] {
        let entry = authority.store().unwrap().find(&serial).unwrap();
        assert_eq!(
            (entry.serial, entry.revoked),
            (serial, None),
            "in the records"
        );
    }
    let kept = read_public(&scene.folder.path().join(CERTIFICATE)).unwrap();
    let kept = Certificate::from_pem(&kept).unwrap();
    assert_eq!(kept, shown, "and the next start shows it, too");
    let names = [SubjectAltName::dns("localhost").unwrap()];
    let certificates = Arc::clone(&scene.certificates);
    let restarted = Renewal::start(certificates, &names, None, moment).unwrap();
    assert_eq!(restarted.shown, shown);
}

#[tokio::test]
async fn what_was_made_while_the_clock_went_fast_is_exchanged_once_it_is_right() {
    let scene = Scene::new(true).await;
    let now = scene.now();
    // far enough for another intermediate, too
    let far = now + 110 * DAY;
    scene.look_at_intermediate(far);
    scene.look(far);
    let ahead = scene.shown();
    assert!(ahead.not_before() > now + DAY);
    assert!(scene.certificates.authority().issuing().not_before() > now + DAY);
    scene.look_at_intermediate(now);
    scene.look(now);
    let shown = scene.shown();
    assert_ne!(scene.serial().await, ahead.serial());
    assert!(shown.not_before() <= now && shown.not_after() > now);
    let issuing = scene.certificates.authority().issuing();
    assert!(issuing.not_before() <= now && stands_below(&shown, &scene.certificates.authority()));
    let stapler = lock(&scene.renewal).stapler.clone().unwrap();
    assert!(stapler.answer(now).is_some(), "and its status with it");
}

#[tokio::test]
async fn what_was_revoked_is_not_shown_again() {
    let scene = Scene::new(true).await;
    let (first, now) = (scene.shown(), scene.now());
    let other_process = Authority::open(&scene.folder.path().join("ca")).unwrap();
    other_process
        .revoke(&first.serial(), Reason::KeyCompromise, now)
        .unwrap();
    let names = [SubjectAltName::dns("localhost").unwrap()];
    let restarted = scene.certificates.kept(&names, now).unwrap();
    assert!(restarted.is_none(), "not by a restart either");
    scene.look(now);
    assert_ne!(scene.serial().await, first.serial());
    let public = |certificate: &Certificate| certificate.as_openssl().public_key().unwrap();
    assert!(
        !public(&scene.shown()).public_eq(&public(&first)),
        "nor its key"
    );
    let second = scene.shown();
    scene.look(now + 60);
    assert_eq!(scene.shown(), second, "once is enough");
}

#[tokio::test]
async fn an_intermediate_that_another_process_renewed_stands_above_it() {
    let scene = Scene::new(false).await;
    let (first, now) = (scene.shown(), scene.now());
    let folder = scene.folder.path().join("ca");
    let mut other_process = Authority::open(&folder).unwrap();
    other_process.unlock_root(None, None).unwrap();
    let renewed = other_process
        .renew_issuing(&folder, Some(200), now)
        .unwrap();
    scene.look_at_intermediate(now);
    scene.look(now);
    let stream = scene.http1().await;
    assert_ne!(serial(&stream), first.serial());
    let chain = stream.ssl().peer_cert_chain().unwrap();
    assert_eq!(chain[1].to_der().unwrap(), renewed.certificate.der());
    assert_eq!(chain.len(), 2, "and no root");
}

#[tokio::test]
async fn an_intermediate_near_its_end_is_renewed_where_the_roots_key_is() {
    let scene = Scene::new(false).await;
    let key = scene.folder.path().join("ca/root.key");
    let elsewhere = scene.folder.path().join("root.key");
    std::fs::rename(&key, &elsewhere).unwrap();
    let before = scene.certificates.authority().issuing();
    let now = before.not_after() - 10 * DAY;
    let error = scene.certificates.renew_intermediate(now).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("ca renew-issuing --root-key FILE"),
        "{error}"
    );
    // The leaf that can be had ends with the intermediate: one, and not one after the other.
    scene.look(now);
    let last = scene.shown();
    assert_eq!(last.not_after(), before.not_after());
    scene.look(before.not_after() - 60);
    assert_eq!(scene.shown(), last);
    // Over: still shown, with an error in the log, until somebody brings the key.
    scene.look(before.not_after() + 60);
    assert_eq!(scene.serial().await, last.serial());
    std::fs::rename(&elsewhere, &key).unwrap();
    scene.look_at_intermediate(before.not_after() + 120);
    let published = scene.certificates.authority();
    assert_ne!(published.issuing(), before);
    assert!(
        matches!(published.renew_root_crl(now), Err(CrlError::RootKeyAbsent)),
        "the root's key is not kept for the rest of the process"
    );
    scene.look(before.not_after() + 120);
    assert_ne!(scene.serial().await, last.serial());
    assert!(scene.shown().not_after() > before.not_after());
}

#[tokio::test]
async fn a_failure_leaves_what_there_was_and_is_tried_again_later() {
    let scene = Scene::new(false).await;
    let (first, moment) = (scene.shown(), scene.moment());
    let mut open = scene.http1().await;
    let records = scene.folder.path().join("ca/ca.sqlite3");
    let records = rusqlite::Connection::open(records).unwrap();
    let refuse =
        "CREATE TRIGGER full BEFORE INSERT ON certificate BEGIN SELECT RAISE(ABORT, 'full'); END";
    records.execute_batch(refuse).unwrap();
    for look in 0..4 {
        scene.look(moment + 60 * look);
        assert_eq!(scene.serial().await, first.serial());
    }
    assert_eq!(
        lock(&scene.renewal).pause.failures,
        3,
        "at looks 0, 1 and 3"
    );
    let asked = renew_now(Arc::clone(&scene.renewal), moment).await;
    assert!(asked.unwrap_err().to_string().contains("full"));
    answers(&mut open).await;
    answers(&mut scene.http1().await).await;

    records.execute_batch("DROP TRIGGER full").unwrap();
    for look in 4..7 {
        scene.look(moment + 60 * look);
        assert_eq!(scene.shown(), first, "the pause is not over");
    }
    scene.look(moment + 60 * 7);
    assert_ne!(scene.serial().await, first.serial());
    assert_eq!(lock(&scene.renewal).pause.failures, 0);
    answers(&mut open).await;
}

#[tokio::test]
async fn a_disk_that_is_full_is_no_reason_to_show_an_old_one() {
    let scene = Scene::new(false).await;
    let tls = scene.folder.path().join("tls");
    std::fs::remove_dir_all(&tls).unwrap();
    std::fs::write(&tls, "in the way").unwrap();
    let (first, moment) = (scene.shown(), scene.moment());
    scene.look(moment);
    let second = scene.serial().await;
    assert_ne!(second, first.serial());
    scene.look(moment + 60);
    assert_eq!(scene.serial().await, second, "once is enough");
}

#[tokio::test]
async fn rfc6066_8_its_status_comes_along() {
    let scene = Scene::new(true).await;
    for round in ["the first certificate", "the next"] {
        let (stream, leaf) = (scene.http1().await, scene.shown());
        let stapled = stream.ssl().ocsp_status().expect(round).to_vec();
        let answer = OcspResponse::from_der(&stapled).unwrap().basic().unwrap();
        let mut roots = X509StoreBuilder::new().unwrap();
        let authority = scene.certificates.authority();
        roots
            .add_cert(authority.root().as_openssl().to_owned())
            .unwrap();
        let mut chain = Stack::new().unwrap();
        let issuing = authority.issuing().as_openssl().to_owned();
        chain.push(issuing.clone()).unwrap();
        answer
            .verify(&chain, &roots.build(), OcspFlag::empty())
            .unwrap();
        let id = OcspCertId::from_cert(MessageDigest::sha1(), leaf.as_openssl(), &issuing);
        let status = answer.find_status(&id.unwrap()).unwrap();
        assert_eq!(status.status, OcspCertStatus::GOOD, "{round}");
        renew_now(Arc::clone(&scene.renewal), scene.now())
            .await
            .unwrap();
    }
    // An answer whose time is over is not sent: the client may ask for itself.
    let stapler = lock(&scene.renewal).stapler.clone().unwrap();
    assert!(stapler.answer(scene.now()).is_some());
    assert!(stapler.answer(scene.now() + 2 * DAY).is_none());
    let without = Scene::new(false).await;
    assert!(without.http1().await.ssl().ocsp_status().is_none());
}

#[tokio::test]
async fn two_looks_at_once_and_one_asked_for_are_in_nobodys_way() {
    let scene = Scene::new(false).await;
    let now = scene.now();
    let (asked, told) = oneshot::channel();
    let renewal = Arc::clone(&scene.renewal);
    tokio::spawn(async move { asked.send(renew_now(renewal, now).await) });
    let other = renew_now(Arc::clone(&scene.renewal), now).await.unwrap();
    let one = told.await.unwrap().unwrap();
    assert_ne!(one, other);
    let shown = scene.serial().await;
    assert!(shown == one || shown == other);
}

#[tokio::test]
async fn a_panic_in_a_renewal_is_an_error_of_the_renewal() {
    let renewal = spawn_blocking(|| -> Result<(), RenewalError> { panic!("in a renewal") });
    let broken = outcome(renewal).await;
    assert!(matches!(broken, Err(RenewalError::Broken(_))), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_has_not_stopped_while_certificates_are_looked_after() {
    let scene = Scene::new(false).await;
    let tending = Tending {
        certificates: Arc::clone(&scene.certificates),
        renewal: Some(Arc::clone(&scene.renewal)),
        clock: Arc::clone(&scene.clock) as Arc<dyn Clock>,
        every: Duration::from_millis(1),
    };
    let closing = Closing::new();
    let at_work = lock(&scene.renewal);
    let (running, stopped) = (closing.ticket(), scene.stop.subscribe());
    let tending = tokio::spawn(tending.run(stopped, running));
    // It is in a look, which waits for the renewal that is held here.
    while Arc::strong_count(&scene.renewal) < 3 {
        std::thread::yield_now();
    }
    scene.stop.send_replace(true);
    let mut waiting = Box::pin(closing.wait());
    let mut context = Context::from_waker(Waker::noop());
    let early = waiting.as_mut().poll(&mut context);
    assert!(early.is_pending(), "something is still at work");
    drop(at_work);
    waiting.await;
    tending.await.unwrap();
}

#[test]
fn pauses_double_up_to_sixty_looks() {
    let mut pause = Pause::default();
    let pauses: Vec<u32> = (0..8).map(|_| pause.failed()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    let left_out = (0..100).take_while(|_| !pause.is_over()).count();
    assert_eq!(left_out, 59);
}
