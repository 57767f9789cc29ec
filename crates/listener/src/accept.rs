//! Accepting: a place for everyone who is served, and an order in which it ends.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::connection::{Limited, connection};
use crate::door::Door;
use crate::limits::Limits;
use crate::neighbours::Neighbours;

/// After a failure to accept. Out of file descriptors, most likely: waiting lets some go.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Serves until `stopped` is there, and then until every connection has ended, which none delays longer than its grace.
///
/// Dropped before that, it takes no more connections, and tells those there are to finish.
pub async fn serve(
    listener: TcpListener,
    limits: &Limits,
    door: impl Door,
    router: Router,
    stopped: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let neighbours = Neighbours::new(limits);
    // dropped, it tells the connections
    let (stop, stopping) = watch::channel(());
    let limited = Limited {
        limits: Arc::new(limits.clone()),
        stopping,
    };
    let mut stopped = pin!(stopped);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = stopped.as_mut() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        let Some(admitted) = neighbours.admit(peer.ip()) else {
            tracing::debug!(address = %peer.ip(), "an address has its share of the places already");
            continue;
        };
        let (limited, door, router) = (limited.clone(), door.clone(), router.clone());
        tokio::spawn(async move {
            if let Err(error) = connection(stream, &door, router, limited).await {
                tracing::debug!(error, "connection ended");
            }
            drop((place, admitted));
        });
    }
    drop((listener, stop));
    // Never closed; all places are free once all connections have ended.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let _ = places.acquire_many(all).await;
}
