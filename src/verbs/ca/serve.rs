//! `ca serve`: what the authority publishes, until it is told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;
use stampmill_local_ca::{Authority, OcspResponder, Published, now};
use tokio::net::TcpListener;

use crate::print::Printer;

pub(super) fn serve(
    authority: Authority,
    folder: &Path,
    listen: SocketAddr,
    out: Printer,
) -> anyhow::Result<()> {
    let authority = Arc::new(authority);
    let responder = Arc::new(OcspResponder::open(Arc::clone(&authority), folder, now())?);
    let published = Published::new(authority, responder);
    super::super::block_on(async move {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        let url = format!("http://{}", listener.local_addr()?);
        if out.is_json() {
            out.fields(&[("ready", json!(true)), ("url", json!(url))]);
        } else {
            out.line(format_args!("ready: {url}"));
        }
        published.serve(listener, stopped()).await?;
        Ok(())
    })?
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
