//! The configuration in force: how it is put in force at the start, and exchanged while the server runs.
//!
//! ```text
//!   SIGHUP ──▶ the file is read and checked ──▶ refused: the log shows the place, and nothing has changed
//!                    │
//!                    ▼
//!              rules: policy, resources, claim checks, registration, networks ──▶ the next request meets them
//!                    ▼
//!              clients and people ──▶ the store, in one transaction each
//! ```
//! A request keeps the service that it began with. Rules come before clients, and the claim check of a client that leaves stays until
//! it has left: at no moment is there a client without the check that is to stand before it.

use std::collections::HashSet;
use std::sync::Arc;

use openssl::x509::X509;
use stampmill_outbound::{Outbound, Trust};

use crate::clock::{Clock as _, SystemClock, SystemRandom};
use crate::config_file::Settings;
use crate::courier::OutboundCourier;
use crate::data_folder::DataFolderError;
use crate::domain::{Client, ClientId, Resource, Resources, Username};
use crate::protocol::{Fetches, Rules};
use crate::secret::SealingKey;
use crate::server::{RunningServer, StartError};
use crate::store::{Store, StoreError};

impl Rules {
    pub(crate) fn of(
        settings: Settings,
        registered: &[Client],
        issuer: &str,
        authority: &X509,
    ) -> Rules {
        // Believing this machine's authorities, those of the configuration, and our own.
        let mut trust = Trust::system().with(authority.clone());
        for trusted in &settings.trusted_authorities {
            trust = trust.with(trusted.clone());
        }
        let courier = OutboundCourier::new(settings.networks.clone(), authority.clone());
        let own = Resource::parse(issuer).expect("an issuer is an absolute URI without a fragment");
        Rules {
            response_types: settings.response_types(registered),
            policy: settings.policy,
            resources: Resources::new(own, settings.resources),
            issue_when: (settings.issue_when.into_iter())
                .map(|(client, check)| (client, Arc::new(check)))
                .collect(),
            registration: settings.registration,
            fetches: Fetches::new(Outbound::new(settings.networks).with_trust(trust)),
            courier: Arc::new(courier),
        }
    }
}

/// Whom a configuration names.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    clients: HashSet<String>,
    users: HashSet<String>,
}

impl Configured {
    pub(crate) fn of(settings: &Settings) -> Configured {
        let clients = settings.clients.iter().filter_map(|one| one.id.clone());
        let users = settings.users.iter().map(|user| user.username.to_string());
        Configured {
            clients: clients.collect(),
            users: users.collect(),
        }
    }

    /// Whether the names that are new to the configuration are free. The store asks the same, but of clients and people one after the
    /// other: what is refused here is refused before either has changed.
    async fn check_free(&self, before: &Configured, store: &dyn Store) -> Result<(), StartError> {
        let failed = |error: StoreError| StartError::Data(error.into());
        for client_id in self.clients.difference(&before.clients) {
            let Ok(id) = ClientId::parse(client_id) else {
                continue;
            };
            if store.client(&id).await.map_err(failed)?.is_some() {
                let client_id = client_id.clone();
                return Err(StartError::ClientTaken { client_id });
            }
        }
        for username in self.users.difference(&before.users) {
            let Ok(name) = Username::parse(username) else {
                continue;
            };
            if store.user_by_name(&name).await.map_err(failed)?.is_some() {
                let username = username.clone();
                return Err(StartError::UserTaken { username });
            }
        }
        Ok(())
    }
}

/// Has the store know the clients and people of the configuration, and those of an earlier one no more. They are taken out of the
/// settings.
pub(crate) async fn configure(
    store: &dyn Store,
    sealing: &SealingKey,
    settings: &mut Settings,
) -> Result<(), StartError> {
    settings
        .check_beside(store)
        .await
        .map_err(DataFolderError::from)??;
    let now = SystemClock.now();
    let clients = settings.clients.iter().map(|registration| {
        let checked = registration.clone().check(sealing, &SystemRandom, now);
        checked.map(|(client, _)| client)
    });
    let clients = clients
        .collect::<Result<Vec<_>, _>>()
        .map_err(DataFolderError::from)?;
    store
        .configure_clients(clients)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(client_id) => StartError::ClientTaken { client_id },
            error => StartError::Data(error.into()),
        })?;
    store
        .configure_users(std::mem::take(&mut settings.users), now)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(username) => StartError::UserTaken { username },
            error => StartError::Data(error.into()),
        })
}

impl RunningServer {
    /// Puts another configuration in force for the requests that follow: clients, people, resources, claim checks, lifetimes and
    /// the other rules, registration, networks. Where the service listens, its issuer, its storage, who signs and what its
    /// authority serves stay as they are until it is started again.
    ///
    /// # Errors
    /// Why it cannot be. Then the one that was in force is in force still.
    pub async fn reload(&self, mut settings: Settings) -> Result<(), StartError> {
        // One after the other.
        let mut configured = self.configured.lock().await;
        let before = self.current.service();
        let (store, next) = (&*before.store, Configured::of(&settings));
        next.check_free(&configured, store).await?;
        settings
            .check_beside(store)
            .await
            .map_err(DataFolderError::from)??;
        let (mut settings_of_store, authority) = (
            Settings {
                clients: settings.clients.clone(),
                users: std::mem::take(&mut settings.users),
                unasked: std::mem::take(&mut settings.unasked),
                ..Settings::default()
            },
            X509::from_pem(self.ca_root_pem().as_bytes())?,
        );
        let mut registered = store.clients().await.map_err(DataFolderError::from)?;
        registered.retain(|client| !configured.clients.contains(client.id.as_str()));
        let mut rules = Rules::of(settings, &registered, &before.issuer, &authority);
        for (client, check) in &before.issue_when {
            if !next.clients.contains(client.as_str()) {
                rules.issue_when.insert(client.clone(), Arc::clone(check));
            }
        }
        self.current.exchange(Arc::new(before.under(rules)));
        match configure(store, &before.sealing, &mut settings_of_store).await {
            Ok(()) => {
                settings_of_store.tell_unasked(&before.issuer);
                *configured = next;
                Ok(())
            }
            Err(error) => {
                self.current.exchange(before);
                Err(error)
            }
        }
    }
}
