//! From a data folder and a configuration to the service that answers requests.

use std::path::Path;
use std::sync::Arc;

use openssl::x509::X509;
use stampmill_jose::{Backend, SigningKey};
use stampmill_outbound::{Outbound, Trust};

use super::error::StartError;
use crate::certificates::Certificates;
use crate::clock::{Clock as _, SystemClock, SystemRandom};
use crate::config_file::{Settings, Storage};
use crate::courier::OutboundCourier;
use crate::data_folder::{DataFolder, DataFolderError};
use crate::domain::{Resource, Resources, StoredKey};
use crate::keyring::KeysError;
use crate::protocol::{Fetches, Notifier, Parts, Service, Signatures};
use crate::secret::SealingKey;
use crate::store::{SqliteStore, Store, StoreError};

/// Everything but the sockets.
pub(super) async fn service(
    authority: X509,
    data: DataFolder,
    issuer: String,
    backend: Backend,
    settings: Settings,
) -> Result<(Service, Certificates), StartError> {
    let DataFolder {
        certificates,
        earlier_key,
        sealing,
        store,
        lock,
    } = data;
    if let Some((key, file)) = earlier_key {
        take_in(&store, &sealing, &key, &file).await?;
    }
    let store = match settings.storage {
        Storage::File => store,
        Storage::Memory => {
            tracing::warn!("what happens is kept in memory and forgotten when the server ends");
            store.into_memory().map_err(DataFolderError::from)?
        }
    };
    let courier = OutboundCourier::new(settings.networks.clone(), authority.clone());
    let response_types = settings.response_types();
    // Believing this machine's authorities, those of the configuration, and our own.
    let mut trust = Trust::system().with(authority);
    for authority in &settings.trusted_authorities {
        trust = trust.with(authority.clone());
    }
    let outbound = Outbound::new(settings.networks.clone()).with_trust(trust);
    settings
        .check_beside(&store)
        .await
        .map_err(DataFolderError::from)??;
    let configured = settings.clients.into_iter().map(|registration| {
        let checked = registration.check(&sealing, &SystemRandom, SystemClock.now());
        checked.map(|(client, _)| client)
    });
    let configured = configured
        .collect::<Result<Vec<_>, _>>()
        .map_err(DataFolderError::from)?;
    store
        .configure_clients(configured)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(client_id) => StartError::ClientTaken { client_id },
            error => StartError::Data(error.into()),
        })?;
    store
        .configure_users(settings.users, SystemClock.now())
        .await
        .map_err(|error| match error {
            StoreError::Conflict(username) => StartError::UserTaken { username },
            error => StartError::Data(error.into()),
        })?;
    let own = Resource::parse(&issuer).expect("an issuer is an absolute URI without a fragment");
    let service = Service::new(Parts {
        issuer,
        policy: settings.policy,
        resources: Resources::new(own, settings.resources),
        response_types,
        issue_when: settings.issue_when,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        store: Arc::new(store),
        lock: Some(lock),
        signatures: Signatures::new(backend).map_err(StartError::Threads)?,
        sealing,
        registration: settings.registration,
        fetches: Fetches::new(outbound),
        notifier: Notifier::new(Arc::new(courier), Notifier::PAUSES),
    });
    service.tend_keys().await?;
    Ok((service, certificates))
}

/// The signing key of an earlier version's folder moves into the database, where it can be rotated.
async fn take_in(
    store: &SqliteStore,
    sealing: &SealingKey,
    key: &SigningKey,
    file: &Path,
) -> Result<(), StartError> {
    let rows = store.signing_keys().await.map_err(KeysError::from)?;
    if rows.iter().all(|row| row.kid != key.kid()) {
        let now = SystemClock.now();
        let row = StoredKey::seal(key, sealing, &SystemRandom, now, now);
        store
            .insert_signing_key(row)
            .await
            .map_err(KeysError::from)?;
    }
    std::fs::remove_file(file).map_err(|error| {
        StartError::Data(DataFolderError::Io {
            action: "remove",
            path: file.to_owned(),
            error,
        })
    })
}
