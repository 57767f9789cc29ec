//! The configuration in force: how it is put in force at the start, and exchanged while the server runs.
//!
//! ```text
//!   SIGHUP ──▶ the file is read and checked ──▶ refused: the log shows the place, and nothing has changed
//!                    │
//!                    ▼
//!              claim checks of the clients to come: every request is asked them, beside those it began with
//!                    ▼
//!              clients and people ──▶ the store, in one transaction ──▶ refused: the checks are put back
//!                    ▼
//!              rules: policy, resources, registration, networks ──▶ the next request meets them
//! ```
//! A request keeps the rules that it began with, but not the clients: it may find one that came since. So the checks come first, and
//! no client stands without its own, however long a request took to ask. The checks of a client that leaves are those of the service
//! before, which goes when its last request has its answer and upkeep has finished what it was at.

use std::collections::HashSet;
use std::sync::Arc;

use openssl::x509::X509;
use stampmill_outbound::{Outbound, Trust};

use crate::clock::{Clock as _, SystemClock, SystemRandom};
use crate::config_file::Settings;
use crate::courier::OutboundCourier;
use crate::data_folder::DataFolderError;
use crate::domain::{Client, Resource, Resources};
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
        let own = Resource::parse(issuer)
            .expect("an issuer is an absolute URI without a fragment, and not too long");
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
    people: usize,
}

impl Configured {
    pub(crate) fn of(settings: &Settings) -> Configured {
        let clients = settings.clients.iter().filter_map(|one| one.id.clone());
        Configured {
            clients: clients.collect(),
            people: settings.users.len(),
        }
    }

    fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.people == 0
    }
}

/// Has the store know the clients and people of the configuration, and those of an earlier one no more: all of it, or nothing. The
/// people are taken out of the settings.
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
    let users = std::mem::take(&mut settings.users);
    store
        .configure(clients, users, now)
        .await
        .map_err(|error| match error {
            StoreError::ClientTaken(client_id) => StartError::ClientTaken { client_id },
            StoreError::UserTaken(username) => StartError::UserTaken { username },
            error => StartError::Data(error.into()),
        })
}

impl RunningServer {
    /// Puts another configuration in force for the requests that follow: clients, people, resources, claim checks, lifetimes and
    /// the other rules, registration, networks. Where the service listens, its issuer, its storage, who signs and what its
    /// authority serves stay as they are until it is started again.
    ///
    /// # Errors
    /// Why it cannot be, [`StartError::NobodyLeft`] above all. Then the one that was in force is in force still.
    pub async fn reload(&self, mut settings: Settings) -> Result<(), StartError> {
        // One after the other.
        let mut configured = self.configured.lock().await;
        let before = self.current.service();
        let (store, next) = (&*before.store, Configured::of(&settings));
        // Sessions and grants would go with them, for good; and a file that is just being written can look so.
        if next.is_empty() && !configured.is_empty() {
            return Err(StartError::NobodyLeft);
        }
        let mut settings_of_store = Settings {
            clients: settings.clients.clone(),
            users: std::mem::take(&mut settings.users),
            elsewhere: std::mem::take(&mut settings.elsewhere),
            unasked: std::mem::take(&mut settings.unasked),
            ..Settings::default()
        };
        let authority = X509::from_pem(self.ca_root_pem().as_bytes())?;
        let mut registered = store.clients().await.map_err(DataFolderError::from)?;
        registered.retain(|client| !configured.clients.contains(client.id.as_str()));
        let rules = Rules::of(settings, &registered, before.issuer(), &authority);
        let after = Arc::new(before.under(rules));
        after.issue_when.put_in_force();
        if let Err(error) = configure(store, &before.sealing, &mut settings_of_store).await {
            before.issue_when.put_in_force();
            return Err(error);
        }
        self.current.exchange(after);
        settings_of_store.tell_unasked(before.issuer());
        *configured = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::Path;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::config_file::ConfigFile;
    use crate::data_folder::DataFolder;
    use crate::server::{Config, Server};

    const FORM: &str = "grant_type=client_credentials&client_id=two&client_secret=0123456789abcdef0123456789abcdef";
    const ONE: &str = "one";
    const TWO: &str = "two";

    fn settings(clients: &[&str], more: &str) -> Settings {
        let client = |id: &&str| {
            format!(
                "[[clients]]\nclient_id = '{id}'\nclient_secret = '0123456789abcdef0123456789abcdef'\n\
                 token_endpoint_auth_method = 'client_secret_post'\ngrant_types = ['client_credentials']\nscope = 'api'\n\
                 issue_when = 'false'\n"
            )
        };
        let text = clients.iter().map(client).collect::<String>() + more;
        ConfigFile::parse("test.toml", &text).unwrap().settings
    }

    async fn start(folder: &Path) -> RunningServer {
        let (data, _) = DataFolder::open_or_create(folder).unwrap();
        let config = Config {
            issuer: Some("https://id.example".into()),
            listen: None,
            listen_plain: Some((Ipv4Addr::LOCALHOST, 0).into()),
            settings: settings(&[ONE], ""),
            ..Config::new(data)
        };
        Server::start(config).await.unwrap()
    }

    /// A request whose service is chosen, and whose body has not come.
    async fn begin(server: &RunningServer) -> TcpStream {
        let mut stream = TcpStream::connect(server.plain_addr().unwrap())
            .await
            .unwrap();
        let head = format!(
            "POST /token HTTP/1.1\r\nHost: id.example\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
            FORM.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // Said when the handler, which has its service by then, begins to read the body.
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).await.unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
    }

    async fn finish(mut stream: TcpStream) -> String {
        stream.write_all(FORM.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_slow_request_is_asked_the_check_of_a_client_that_came_since() {
        let scratch = tempfile::tempdir().unwrap();
        let server = start(&scratch.path().join("data")).await;
        let slow = begin(&server).await;
        server.reload(settings(&[TWO], "")).await.unwrap();
        let late = begin(&server).await;
        for answer in [finish(slow).await, finish(late).await] {
            assert!(answer.contains("unauthorized_client"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_refused_reload_changes_nothing_and_the_next_good_one_is_taken() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("data");
        let server = start(&folder).await;
        let people = "[[users]]\nusername = 'carol'\npassword_hash = '$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'\n";
        let database = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|is| is == "sqlite3"));
        let beside = rusqlite::Connection::open(database.unwrap()).unwrap();
        beside
            .execute_batch(
                "CREATE TRIGGER no BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'no'); END",
            )
            .unwrap();
        let refused = server.reload(settings(&[TWO], people)).await;
        assert!(matches!(refused, Err(StartError::Data(_))), "{refused:?}");
        let answer = finish(begin(&server).await).await;
        assert!(answer.contains("invalid_client"), "{answer}");
        beside.execute_batch("DROP TRIGGER no").unwrap();
        server.reload(settings(&[TWO], people)).await.unwrap();
        let answer = finish(begin(&server).await).await;
        assert!(answer.contains("unauthorized_client"), "{answer}");
    }

    /// Emptied, and not filled again yet.
    #[tokio::test]
    async fn a_file_that_names_nobody_any_more_is_not_put_in_force() {
        let scratch = tempfile::tempdir().unwrap();
        let server = start(&scratch.path().join("data")).await;
        for more in ["", "[lifetimes]\ncode = 30\n"] {
            let refused = server.reload(settings(&[], more)).await;
            assert!(
                matches!(refused, Err(StartError::NobodyLeft)),
                "{refused:?}"
            );
        }
        let answer = finish(begin(&server).await).await;
        assert!(answer.contains("invalid_client"), "{answer}");
        server.reload(settings(&[TWO], "")).await.unwrap();
        let answer = finish(begin(&server).await).await;
        assert!(answer.contains("unauthorized_client"), "{answer}");
    }

    #[tokio::test]
    async fn the_check_of_a_client_that_left_goes_with_the_service_before() {
        let scratch = tempfile::tempdir().unwrap();
        let server = start(&scratch.path().join("data")).await;
        let held = server.current.service();
        let check = held.issue_when.weak(ONE);
        assert!(check.upgrade().is_some());
        server.reload(settings(&[TWO], "")).await.unwrap();
        assert!(check.upgrade().is_some(), "a request may still ask it");
        let now = server.current.service().issue_when.weak(ONE);
        assert!(now.upgrade().is_none(), "no request from now on knows it");
        drop(held);
        // What upkeep was at when the rules were exchanged, it finishes by those of before.
        for _ in 0..500 {
            if check.upgrade().is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("somebody keeps the service before");
    }
}
