//! What is looked after while the server runs: signing keys, clients that have not heard of a logout, rows that no longer matter.

use std::time::Duration;

use tokio::sync::watch;

use crate::http::Current;

/// How often rows that can no longer matter are removed.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// How often the signing keys are looked after. Much less than the time a key is published before it signs.
const TEND_KEYS_EVERY: Duration = Duration::from_secs(60);
/// How soon a key that another program made or withdrew is met.
const FOLLOW_KEYS_EVERY: Duration = Duration::from_secs(1);
/// How soon clients hear of sessions that another program ended.
const TELL_LOGOUTS_EVERY: Duration = Duration::from_secs(2);

/// Each in a task of its own, by the rules of the moment, until the server is told to stop.
pub(super) fn start(current: &Current, stopped: &watch::Receiver<bool>) {
    tokio::spawn(tend_keys(current.clone(), stopped.clone()));
    tokio::spawn(tell_logouts(current.clone(), stopped.clone()));
    tokio::spawn(purge(current.clone(), stopped.clone()));
}

async fn tend_keys(current: Current, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(TEND_KEYS_EVERY);
    let mut follow = tokio::time::interval(FOLLOW_KEYS_EVERY);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = every.tick() => if let Err(error) = current.service().tend_keys().await {
                tracing::error!(%error, "the signing keys could not be looked after; trying again in a minute");
            },
            // What goes wrong here goes wrong there, too, and is told once a minute.
            _ = follow.tick() => if let Err(error) = current.service().follow_keys().await {
                tracing::debug!(%error, "the signing keys could not be looked at");
            },
        }
    }
}

async fn tell_logouts(current: Current, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(TELL_LOGOUTS_EVERY);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = every.tick() => if let Err(error) = current.service().tell_untold_logouts().await {
                tracing::error!(%error, "clients could not be told of a logout");
            },
        }
    }
}

async fn purge(current: Current, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(PURGE_EVERY);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = every.tick() => {
                let service = current.service();
                match service.store.purge(service.now()).await {
                    Ok(rows) => tracing::debug!(rows, "purged"),
                    Err(error) => tracing::error!(%error, "purging failed"),
                }
            }
        }
    }
}
