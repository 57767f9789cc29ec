//! `ca serve`: what the authority publishes, and its ACME server, until it is told to stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use stampmill_local_ca::acme::{AcmeServer, AcmeSettings, Surroundings};
use stampmill_local_ca::{Authority, OcspResponder, Published, now};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::args::{AuthorityArgs, ServeArgs};
use crate::print::Printer;

/// How often it is asked whether another intermediate is due: when the clock was set right, nothing is issued until there is one.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long it is left alone after that: an end that is near is told for weeks.
const SAY_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

pub(super) fn serve(authority: Authority, args: &ServeArgs, out: Printer) -> anyhow::Result<()> {
    super::super::serve::log_to_stderr();
    authority.check_issuing()?;
    let authority = Arc::new(authority);
    let looked_after = Arc::clone(&authority);
    let folder = &args.authority.folder;
    let responder = Arc::new(OcspResponder::open(Arc::clone(&authority), folder, now())?);
    let published = Published::new(Arc::clone(&authority), responder);
    super::super::block_on(async move {
        let plain = listen(args.listen).await?;
        let plain_url = format!("http://{}", plain.local_addr()?);
        // Where certificates point, the front page points, too.
        let mut published = match authority.base_url() {
            Some(_) => published,
            None => published.at(&reached(plain.local_addr()?)),
        };
        let (stop, stopping) = watch::channel(());
        let told = |mut stopping: watch::Receiver<()>| async move {
            // an error is a sender that is gone: told as well
            let _ = stopping.changed().await;
        };
        let (directory, secure) = match args.no_acme {
            true => (None, None),
            false => {
                let listener = listen(acme_address(args, plain.local_addr()?)).await?;
                let server = Arc::new(acme(authority, args, listener.local_addr()?)?);
                let directory = server.directory_url();
                published = published.beside(&server);
                let others = published.clone().router();
                let serving = server.serve_with(others, listener, told(stopping.clone()));
                let serving = serving.context(
                    "ACME cannot be served; --acme-url names another host, --no-acme leaves it out",
                )?;
                (Some(directory), Some(serving))
            }
        };
        announce(directory, &plain_url, out);
        let plain = published.serve(plain, told(stopping));
        let secure = async {
            match secure {
                Some(serving) => Ok(serving.await?),
                None => anyhow::Ok(()),
            }
        };
        let waited = async {
            stopped().await;
            drop(stop);
            anyhow::Ok(())
        };
        let served = async { tokio::try_join!(async { Ok(plain.await?) }, secure, waited) };
        tokio::select! {
            served = served => served.map(drop),
            () = look_after(&looked_after, &args.authority) => Ok(()),
        }
    })?
}

/// Renews the intermediate in good time, where the root's key is at hand; what serves sees it by itself, as it sees one that another
/// process renewed.
async fn look_after(authority: &Authority, args: &AuthorityArgs) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !authority.issuing_is_due(now()) {
            continue;
        }
        let args = args.clone();
        // Opening it renews it, or says why not.
        let opened = tokio::task::spawn_blocking(move || super::open(&args).map(drop)).await;
        let failed = match opened {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(failed) = failed {
            let _ = writeln!(
                anstream::stderr(),
                "stampmill: the intermediate is not looked after: {failed}"
            );
        }
        if authority.issuing_is_due(now()) {
            tokio::time::sleep(SAY_EVERY).await;
        }
    }
}

/// An address that a link can have.
fn reached(at: SocketAddr) -> String {
    match at.ip().is_unspecified() {
        true => format!("http://localhost:{}", at.port()),
        false => format!("http://{at}"),
    }
}

/// The port after the plain one, or a free one if that was.
fn acme_address(args: &ServeArgs, plain: SocketAddr) -> SocketAddr {
    args.acme_listen.unwrap_or_else(|| {
        let port = match args.listen.port() {
            0 => 0,
            _ => plain.port().wrapping_add(1),
        };
        SocketAddr::new(plain.ip(), port)
    })
}

fn acme(authority: Arc<Authority>, args: &ServeArgs, at: SocketAddr) -> anyhow::Result<AcmeServer> {
    let host = match at.ip() {
        ip if ip.is_loopback() || ip.is_unspecified() => format!("localhost:{}", at.port()),
        _ => at.to_string(),
    };
    let base = args
        .acme_url
        .clone()
        .unwrap_or_else(|| format!("https://{host}"));
    let mut settings = AcmeSettings::new(format!("{}/acme", base.trim_end_matches('/')));
    settings.terms_of_service = args.terms.clone();
    settings.terms_asked_again = args.terms_again;
    settings.external_account_required = args.eab_required;
    settings.caa_identities = args.caa.clone();
    settings.http_01_port = args.http_01_port;
    settings.tls_alpn_01_port = args.tls_alpn_01_port;
    if !args.challenges.is_empty() {
        settings.challenges = args.challenges.clone();
    }
    for network in &args.networks {
        settings.networks = settings.networks.with(*network);
    }
    let surroundings = match args.dns {
        Some(server) => Surroundings::name_server(server)?,
        None => Surroundings::system()?,
    };
    Ok(AcmeServer::open(authority, settings, surroundings)?)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

/// The line that says `ready` is the last: whoever waits for it can use both.
fn announce(directory: Option<String>, plain: &str, out: Printer) {
    if out.is_json() {
        out.fields(&[
            ("ready", json!(true)),
            ("url", json!(plain)),
            ("acme", json!(directory)),
        ]);
        return;
    }
    if let Some(directory) = directory {
        out.line(format_args!("acme: {directory}"));
    }
    out.line(format_args!("ready: {plain}"));
}

/// Ctrl-C, or the signal by which service managers stop a program.
pub(super) async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
