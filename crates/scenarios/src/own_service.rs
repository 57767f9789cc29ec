//! A token service for the time of a lesson: in a temporary folder, on a free port, signing with our own RSA.

use std::path::Path;

use anyhow::Context as _;
use stampmill_token_service::{
    Backend, Config, ConfigFile, DataFolder, FirstStart, Listen, RunningServer, Server,
};

use crate::http_client::HttpClient;
use crate::relying_party::{Person, RelyingParty};
use crate::stage::Stage;

/// Where the demo client's users return to. Nobody listens there: the browser stops at the redirect, and the client
/// reads the address.
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:7777/callback";

/// A running token service, and what the lesson's people know of it.
pub(crate) struct OwnService {
    pub(crate) server: RunningServer,
    pub(crate) first: FirstStart,
    /// Trusts the service's own root and nothing else.
    pub(crate) http: HttpClient,
    folder: tempfile::TempDir,
}

impl OwnService {
    /// Makes the folder, and starts the service as a user's first start does.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::configured("").await
    }

    /// The same with a configuration file of this text.
    pub(crate) async fn configured(toml: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (data, first) = DataFolder::open_or_create(&folder.path().join("data"))?;
        let config = Config {
            listen: Some(Listen::Localhost(0)),
            // The lesson on modular exponentiation signs the tokens; both backends give the same bytes.
            backend: Backend::Stampmill,
            settings: ConfigFile::parse("lesson.toml", toml)?.settings,
            ..Config::new(data)
        };
        let server = Server::start(config).await?;
        let http = HttpClient::trusting(server.ca_root_pem())?;
        Ok(Self {
            server,
            first: first.context("a new data folder has a demo client")?,
            http,
            folder,
        })
    }

    /// The demo client, which reads the service's metadata; with its own secret or, for a lesson, a wrong one.
    pub(crate) async fn client(
        &self,
        stage: &mut Stage<'_>,
        secret: &str,
    ) -> anyhow::Result<RelyingParty> {
        let credentials = (self.first.client_id.as_str(), secret);
        RelyingParty::discover(
            stage,
            self.http.clone(),
            self.server.issuer(),
            credentials,
            REDIRECT_URI,
        )
        .await
    }

    /// The demo user with a fresh browser.
    pub(crate) fn person(&self) -> Person {
        Person::new(
            self.http.clone(),
            &self.first.username,
            self.first.password.expose(),
        )
    }

    /// The temporary folder, which holds the service's in `data`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
