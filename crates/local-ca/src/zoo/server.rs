//! The zoo's door: one TLS port, the inhabitant chosen by the name that the client asks for (SNI, RFC 6066 §3), and beside it the plain HTTP
//! port where CRL and OCSP answers are.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use openssl::error::ErrorStack;
use openssl::ssl::{NameType, SslContext, SslMethod, SslVersion};
use stampmill_listener::{Limits, Plain, Tls, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::make::{NARROW_CERTIFICATE, NARROW_LIST};
use super::{DOMAIN, Inhabitant, Narrow, Zoo};
use crate::limits::SERVER;

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
        self.serve_within(SERVER, tls, status, stopped).await
    }

    async fn serve_within(
        self,
        limits: Limits,
        tls: TcpListener,
        status: TcpListener,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let port = tls.local_addr()?.port();
        let router = Router::new()
            .fallback(get(page))
            .with_state(Arc::from(page_of(&self.inhabitants, port)));
        // Most clients end it in the handshake: that is what the zoo is for.
        let context = contexts(&self.inhabitants)?;
        let door = Tls::new(move || context.clone());
        let (stop, stopping) = watch::channel(());
        let stopping = || {
            let mut stopping = stopping.clone();
            async move {
                let _gone = stopping.changed().await;
            }
        };
        let shown = serve(tls, &limits, door, router, stopping());
        let published = published(self.published.router(), &self.narrow);
        let published = serve(status, &limits, Plain, published, stopping());
        let told = async {
            stopped.await;
            drop(stop);
        };
        tokio::join!(shown, published, told);
        Ok(())
    }
}

/// What the authority publishes, and beside it what belongs to the intermediate that is not its own.
fn published(router: Router, narrow: &Arc<Narrow>) -> Router {
    let (list, issuer) = (Arc::clone(narrow), Arc::clone(narrow));
    let typed = |kind: &'static str, der: Vec<u8>| ([(header::CONTENT_TYPE, kind)], der);
    router
        .route(
            NARROW_LIST,
            get(async move || typed("application/pkix-crl", list.crl.clone())),
        )
        .route(
            NARROW_CERTIFICATE,
            get(async move || typed("application/pkix-cert", issuer.certificate.clone())),
        )
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::time::Duration;

    use openssl::ssl::{SslConnector, SslVerifyMode};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::time::timeout;
    use tokio_openssl::SslStream;

    use super::*;
    use crate::moment::now;

    const LONG: Duration = Duration::from_secs(60 * 60);

    #[tokio::test]
    async fn a_head_that_never_ends_is_cut_off_at_the_tls_port_too() {
        let zoo = Zoo::open(&"http://localhost:1".parse().unwrap(), now()).unwrap();
        let limits = Limits {
            head: Duration::from_millis(100),
            // no other limit may end it
            lifetime: LONG,
            ..SERVER
        };
        let tls = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let status = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tls.local_addr().unwrap();
        tokio::spawn(zoo.serve_within(limits, tls, status, std::future::pending()));

        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        let session = connector.build().configure().unwrap();
        let session = session.into_ssl("good.localhost").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = SslStream::new(session, stream).unwrap();
        Pin::new(&mut stream).connect().await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        let mut answer = Vec::new();
        let ended = timeout(LONG / 60, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "it is open after a minute");
        assert!(answer.is_empty(), "{answer:?}");
    }
}
