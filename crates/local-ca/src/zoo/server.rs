//! The zoo's door: one TLS port, the inhabitant chosen by the name that the client asks for (SNI, RFC 6066 §3), and beside it the plain HTTP
//! port where CRL and OCSP answers are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use openssl::error::ErrorStack;
use openssl::ssl::{NameType, Ssl, SslContext, SslMethod, SslVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_openssl::SslStream;

use super::{DOMAIN, Inhabitant, Zoo};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes that are done and wait for the HTTP server.
const WAITING: usize = 16;

impl Zoo {
    /// Shows the inhabitants on `tls`, and CRL and OCSP answers on `status`, until `stopped` is there.
    ///
    /// # Errors
    /// The listeners', or OpenSSL's as an error of input and output.
    pub async fn serve(
        self,
        tls: TcpListener,
        status: TcpListener,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let port = tls.local_addr()?.port();
        let router = Router::new()
            .fallback(get(page))
            .with_state(Arc::from(page_of(&self.inhabitants, port)));
        let listener = TlsListener::start(tls, contexts(&self.inhabitants)?)?;
        let (stop, mut stopping) = watch::channel(false);
        let mut also_stopping = stop.subscribe();
        tokio::spawn(async move {
            stopped.await;
            let _ = stop.send(true);
        });
        let shown = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        });
        let published = self.published.serve(status, async move {
            let _ = also_stopping.wait_for(|stop| *stop).await;
        });
        let (shown, published) = tokio::join!(shown.into_future(), published);
        shown.and(published)
    }
}

/// One context for each host, the good one for clients that name none.
fn contexts(inhabitants: &[Inhabitant]) -> Result<SslContext, ErrorStack> {
    let made: Vec<(String, SslContext)> = inhabitants
        .iter()
        .map(|one| Ok((one.host(), context(one)?.build())))
        .collect::<Result<_, ErrorStack>>()?;
    let mut first = context(&inhabitants[0])?;
    first.set_servername_callback(move |ssl, _alert| {
        let wanted = ssl.servername(NameType::HOST_NAME).unwrap_or_default();
        if let Some((_, context)) = made.iter().find(|(host, _)| host == wanted) {
            ssl.set_ssl_context(context)
                .map_err(|_| openssl::ssl::SniError::ALERT_FATAL)?;
        }
        Ok(())
    });
    Ok(first.build())
}

fn context(one: &Inhabitant) -> Result<openssl::ssl::SslContextBuilder, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    // Level 0: a server of ours would refuse to show a key of 1024 bits, and here that is the point.
    context.set_security_level(0);
    context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    context.set_certificate(one.chain.as_openssl())?;
    context.set_private_key(&one.key.0)?;
    for behind in one.chain.intermediates() {
        context.add_extra_chain_cert(behind.clone())?;
    }
    Ok(context)
}

/// Connections whose handshake is done. Each has a task of its own until then, so that a slow one holds up nobody.
struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(SslStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    fn start(listener: TcpListener, context: SslContext) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (done, ready) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while !done.is_closed() {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = done.closed() => return,
                };
                let Ok((stream, peer)) = accepted else {
                    // out of descriptors, say: a little later there may be some
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let (context, done) = (context.clone(), done.clone());
                tokio::spawn(async move {
                    if let Some(stream) = handshake(&context, stream).await {
                        let _ = done.send((stream, peer)).await;
                    }
                });
            }
        });
        Ok(Self { address, ready })
    }
}

/// Most clients end it here: that is what the zoo is for.
async fn handshake(context: &SslContext, stream: TcpStream) -> Option<SslStream<TcpStream>> {
    let ssl = Ssl::new(context).ok()?;
    let mut stream = SslStream::new(ssl, stream).ok()?;
    let shaken = timeout(HANDSHAKE, std::pin::Pin::new(&mut stream).accept()).await;
    matches!(shaken, Ok(Ok(()))).then_some(stream)
}

impl axum::serve::Listener for TlsListener {
    type Io = SslStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // the task that accepts is gone with the program
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// What every host answers: the table for people, who see it at the good host; one line for programs. Other origins may read it, so that
/// the page can try the other hosts.
async fn page(State(page): State<Arc<str>>, headers: HeaderMap) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host
        .unwrap_or_default()
        .split(':')
        .next()
        .unwrap_or_default();
    let wants_html = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let open = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    match wants_html {
        true => ([open], Html(page.to_string())).into_response(),
        false => {
            let host: String = host
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c))
                .take(64)
                .collect();
            ([open], format!("you accepted {host}\n")).into_response()
        }
    }
}

/// The table, and a script that asks the browser for each host and writes down what it does.
fn page_of(inhabitants: &[Inhabitant], port: u16) -> String {
    let rows: String = inhabitants
        .iter()
        .map(|one| {
            let Inhabitant { name, wrong, rule, verdict, .. } = one;
            format!(
                "<tr><td><a href=\"https://{name}.{DOMAIN}:{port}/\">{name}</a><td>{wrong}<td>{rule}<td>{verdict}\
                 <td data-host=\"{name}\">not asked</tr>\n"
            )
        })
        .collect();
    let script = format!(
        "for (const cell of document.querySelectorAll('[data-host]')) {{\n\
           fetch(`https://${{cell.dataset.host}}.{DOMAIN}:{port}/`, {{ cache: 'no-store' }})\n\
             .then(() => 'accepted', () => 'refused')\n\
             .then((word) => {{ cell.textContent = `${{cell.dataset.host}}: ${{word}}`; }});\n\
         }}\n"
    );
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>stampmill zoo</title>\n\
         <h1>A zoo of bad certificates</h1>\n\
         <table><tr><th>host<th>what is wrong<th>rule<th>a verifier should say<th>your browser</tr>\n{rows}</table>\n\
         <script>\n{script}</script></html>\n"
    )
}
