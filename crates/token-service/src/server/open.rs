//! From a data folder and a configuration to the service that answers requests.

use std::path::Path;
use std::sync::Arc;

use openssl::x509::X509;
use stampmill_jose::{Backend, SigningKey};

use super::error::StartError;
use crate::certificates::Certificates;
use crate::clock::{Clock as _, SystemClock, SystemRandom};
use crate::config_file::{Settings, Storage};
use crate::data_folder::{DataFolder, DataFolderError};
use crate::domain::{Issuer, StoredKey};
use crate::folder_lock;
use crate::keyring::KeysError;
use crate::protocol::{Notifier, Parts, Rules, Service, Signatures};
use crate::reload::configure;
use crate::secret::SealingKey;
use crate::store::{SqliteStore, Store};

/// Everything but the sockets.
pub(super) async fn service(
    authority: X509,
    data: DataFolder,
    issuer: Issuer,
    backend: Backend,
    mut settings: Settings,
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
            // Before the rows are copied, so that hardly anybody is let in who writes what is not seen any more.
            folder_lock::tell_in_memory(certificates.folder(), &lock)?;
            store.into_memory().map_err(DataFolderError::from)?
        }
    };
    configure(&store, &sealing, &mut settings).await?;
    let registered = store.clients().await.map_err(DataFolderError::from)?;
    let rules = Rules::of(settings, &registered, issuer.as_str(), &authority);
    let service = Service::new(Parts {
        issuer,
        policy: rules.policy,
        resources: rules.resources,
        response_types: rules.response_types,
        issue_when: rules.issue_when,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        store: Arc::new(store),
        lock: Some(lock),
        signatures: Signatures::new(backend).map_err(StartError::Threads)?,
        sealing,
        registration: rules.registration,
        fetches: rules.fetches,
        notifier: Notifier::new(rules.courier, Notifier::PAUSES),
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
