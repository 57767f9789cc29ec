//! The server's sockets: what protects each, and who is waited for when the server stops. What strangers may take is
//! `stampmill-listener`'s.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use openssl::error::ErrorStack;
use openssl::ssl::SslAcceptor;
use stampmill_listener::{Limits, Plain, Tls, serve};
use stampmill_local_ca::{Certificate, LeafKey, now};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::staple::Stapler;

/// The server's.
pub(crate) const SERVER: Limits = Limits {
    grace: GRACE,
    ..Limits::of(1024)
};

/// How long requests under way may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// What protects a listener's connections.
#[derive(Clone)]
pub(crate) enum Transport {
    /// The acceptor of the moment: it changes when the certificate does.
    Tls(watch::Receiver<Arc<SslAcceptor>>),
    /// For a proxy on the same machine.
    Plain,
}

/// Who is still at work: everything that must end before the server has stopped holds a [`Ticket`].
pub(crate) struct Closing {
    tickets: mpsc::Sender<()>,
    all_returned: mpsc::Receiver<()>,
}

pub(crate) type Ticket = mpsc::Sender<()>;

impl Closing {
    pub(crate) fn new() -> Closing {
        let (tickets, all_returned) = mpsc::channel(1);
        Closing {
            tickets,
            all_returned,
        }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.tickets.clone()
    }

    /// Waits until every ticket was dropped, or the grace is over.
    pub(crate) async fn wait(self) {
        let Closing {
            tickets,
            mut all_returned,
        } = self;
        drop(tickets);
        if timeout(GRACE, all_returned.recv()).await.is_err() {
            tracing::warn!(
                "some connections, or the care for certificates, did not finish in time and were cut off"
            );
        }
    }
}

/// TLS as `stampmill-listener` has it, and a stapled OCSP answer for clients that ask for one.
pub(crate) fn tls_acceptor(
    certificate: &Certificate,
    key: &LeafKey,
    stapler: Option<Arc<Stapler>>,
) -> Result<Arc<SslAcceptor>, ErrorStack> {
    let mut builder = stampmill_listener::acceptor(
        certificate.as_openssl(),
        certificate.intermediates(),
        key.as_openssl(),
    )?;
    if let Some(stapler) = stapler {
        builder.set_status_callback(move |ssl| match stapler.answer(now()) {
            Some(answer) => ssl.set_ocsp_status(&answer).map(|()| true),
            None => Ok(false),
        })?;
    }
    Ok(Arc::new(builder.build()))
}

/// Accepts until told to stop, and gives the ticket back when the last connection has ended.
pub(crate) async fn accept_loop(
    listener: TcpListener,
    transport: Transport,
    router: Router,
    stopped: watch::Receiver<bool>,
    ticket: Ticket,
) {
    accept_within(&SERVER, listener, transport, router, stopped, ticket).await;
}

/// The same with other limits.
pub(crate) async fn accept_within(
    limits: &Limits,
    listener: TcpListener,
    transport: Transport,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    ticket: Ticket,
) {
    let stopped = async move {
        // An error is a server that was dropped: told to stop as well.
        let _gone = stopped.changed().await;
    };
    match transport {
        Transport::Plain => serve(listener, limits, Plain, router, stopped).await,
        Transport::Tls(acceptor) => {
            let context = move || acceptor.borrow().context().to_owned();
            serve(listener, limits, Tls::new(context), router, stopped).await;
        }
    }
    drop(ticket);
}
