//! Clients that register themselves (RFC 7591, OIDC Registration 1.0) and look after their registration (RFC 7592).
//!
//! ```text
//!   POST   /register       metadata [, initial access token] ──▶ client_id, client_secret, registration_access_token
//!   GET    /register/ID    registration access token         ──▶ what is registered
//!   PUT    /register/ID    the same, and all metadata anew    ──▶ what is registered now
//!   DELETE /register/ID    the same                           ──▶ gone, and every token with it
//! ```
//!
//! Whoever may register may fill the store and make this server connect to addresses of their choice. So it does not exist unless it is
//! configured, needs an initial access token unless it is configured open, happens so many times a minute, ends at so many clients, and
//! every address goes through `stampmill-outbound`.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::registration_metadata::{Members, metadata, registration};
use super::{BearerError, Service, paths};
use crate::domain::{
    Client, ClientAuthentication, RedirectUriError, RegistrationError, ResponseType, Scope,
};
use crate::protocol::{ErrorCode, OAuthError};
use crate::secret::{Digest, Secret};
use crate::store::{NewClient, Registered, StoreError};

/// Who may register what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationRules {
    /// Whether anybody may, without an initial access token.
    pub open: bool,
    /// The most a client may be registered for.
    pub scope: Scope,
    /// What clients may ask the authorization endpoint for.
    pub response_types: Vec<ResponseType>,
    /// How many registrations are taken in a minute.
    pub per_minute: u32,
    /// How many registered clients there may be.
    pub most_clients: i64,
}

impl Default for RegistrationRules {
    /// With a token, for what is about persons, codes only, thirty a minute, ten thousand in all.
    fn default() -> Self {
        let scope = Scope::OF_PERSONS.join(" ");
        RegistrationRules {
            open: false,
            scope: scope.parse().expect("these are scope tokens"),
            response_types: vec![ResponseType::Code],
            per_minute: 30,
            most_clients: 10_000,
        }
    }
}

/// Why nothing was registered.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No token, or one that does not allow it (RFC 6750 §3.1).
    Bearer(BearerError),
    /// The metadata (RFC 7591 §3.2.2). The sentence is of the alphabet of RFC 6749 §5.2 and repeats no value.
    Metadata(ErrorCode, String),
    /// Too many at the moment; come back in so many seconds.
    Later(i64),
    /// Our fault.
    Broken,
}

impl Refusal {
    pub(super) fn metadata(sentence: &str) -> Refusal {
        Refusal::Metadata(ErrorCode::InvalidClientMetadata, legal(sentence))
    }

    pub(super) fn member(name: &'static str, expected: &str) -> Refusal {
        Refusal::metadata(&format!("{name}: expected {expected}"))
    }

    pub(super) fn unknown_word(name: &'static str) -> Refusal {
        Refusal::metadata(&format!(
            "{name}: a value that this server does not support"
        ))
    }

    pub(super) fn statement(sentence: &str) -> Refusal {
        Refusal::Metadata(ErrorCode::UnapprovedSoftwareStatement, legal(sentence))
    }
}

/// RFC 6749 §5.2: no quotes, no backslashes, nothing beyond ASCII.
fn legal(sentence: &str) -> String {
    let legal = |c: char| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~');
    sentence
        .chars()
        .map(|c| match c {
            '"' | '`' => '\'',
            '§' => '#',
            c if legal(c) => c,
            _ => '?',
        })
        .take(300)
        .collect()
}

impl From<RegistrationError> for Refusal {
    fn from(error: RegistrationError) -> Refusal {
        use RedirectUriError as Uri;
        let about_uri =
            |sentence: &str| Refusal::Metadata(ErrorCode::InvalidRedirectUri, legal(sentence));
        match &error {
            // Their own texts repeat the address, which a client may have filled with anything.
            RegistrationError::RedirectUri(uri) => about_uri(match uri {
                Uri::NotAbsolute(_) => "a redirect URI is no absolute URI of printable ASCII",
                Uri::NoHost(_) => "a redirect URI names no host",
                Uri::Host(_) => {
                    "the host of a redirect URI is neither letters, digits, hyphens and dots nor an IP address"
                }
                Uri::Fragment(_) => "a redirect URI has a fragment (RFC 6749 section 3.1.2)",
                Uri::UserInfo(_) => "a redirect URI has a user name in it",
                Uri::PlainHttp(_) => "a redirect URI is plain http to another machine",
                Uri::HybridOnThisMachine(_) => {
                    "a web client with a hybrid response type needs https redirect URIs, and none of this machine (OpenID Connect Registration section 2)"
                }
                Uri::Scheme(_) => {
                    "a redirect URI has a scheme that this application_type may not use (RFC 8252 section 7.1)"
                }
            }),
            RegistrationError::NoRedirectUri => about_uri("redirect_uris is missing"),
            RegistrationError::Jwks(_) => Refusal::metadata("jwks holds no key that can be used"),
            other => Refusal::metadata(&other.to_string()),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        tracing::error!(%error, "the store failed");
        Refusal::Broken
    }
}

const UNKNOWN_TOKEN: Refusal = Refusal::Bearer(BearerError::Refused(OAuthError::new(
    ErrorCode::InvalidToken,
    "this token does not allow it, or not any more",
)));

impl Service {
    /// RFC 7591 §3: registers a client; gives what it has to know.
    pub(crate) async fn register(
        &self,
        rules: &RegistrationRules,
        token: Option<&Secret>,
        body: &[u8],
    ) -> Result<Map<String, Value>, Refusal> {
        let initial = token.map(|token| Digest::of(token.expose()));
        match initial {
            None if rules.open => {}
            None => return Err(Refusal::Bearer(BearerError::Missing)),
            Some(hash) if self.store.initial_token_is_good(hash, self.now()).await? => {}
            Some(_) => return Err(UNKNOWN_TOKEN),
        }
        self.pace.admit(rules.per_minute, self.now())?;
        let wanted = registration(&Members::read(body)?, rules)?;
        let (client, secret) = wanted.check(&self.sealing, &*self.random, self.now())?;
        self.check_sector(&client).await?;
        let management = Secret::generate(&*self.random);
        let new = NewClient {
            client: client.clone(),
            token: Digest::of(management.expose()),
            initial,
            most: rules.most_clients,
        };
        match self.store.register_client(new, self.now()).await? {
            Registered::Done => {}
            Registered::TokenSpent => return Err(UNKNOWN_TOKEN),
            Registered::Full => {
                tracing::warn!(
                    "a registration was refused: there are as many clients as there may be"
                );
                return Err(Refusal::Later(3600));
            }
        }
        tracing::info!(client_id = %client.id, "client registered itself");
        Ok(self.described(&client, secret, &management))
    }

    /// RFC 7592 §2.1.
    pub(crate) async fn read_registration(
        &self,
        client_id: &str,
        token: Option<&Secret>,
    ) -> Result<Map<String, Value>, Refusal> {
        let (client, token) = self.managed(client_id, token).await?;
        let secret = self.secret_of(&client);
        Ok(self.described(&client, secret, token))
    }

    /// RFC 7592 §2.2: what is sent is everything from now on; what is not sent is not registered any more. People who allowed the
    /// client under another name or for other addresses are asked again (OIDC Core §3.1.2.4).
    pub(crate) async fn replace_registration(
        &self,
        rules: &RegistrationRules,
        client_id: &str,
        token: Option<&Secret>,
        body: &[u8],
    ) -> Result<Map<String, Value>, Refusal> {
        let (before, token) = self.managed(client_id, token).await?;
        self.pace.admit(rules.per_minute, self.now())?;
        let members = Members::read(body)?;
        self.may_replace(&members, &before)?;
        let mut wanted = registration(&members, rules)?;
        wanted.id = Some(before.id.to_string());
        // A secret outlives the change; one that was not needed before is made now.
        wanted.secret = wanted.secret_method.and_then(|_| self.secret_of(&before));
        let (mut client, secret) = wanted.check(&self.sealing, &*self.random, before.created_at)?;
        client.created_at = before.created_at;
        self.check_sector(&client).await?;
        if !self.store.update_client(client.clone()).await? {
            return Err(UNKNOWN_TOKEN);
        }
        tracing::info!(client_id = %client.id, "client changed its registration");
        Ok(self.described(&client, secret, token))
    }

    /// RFC 7592 §2.3.
    pub(crate) async fn delete_registration(
        &self,
        client_id: &str,
        token: Option<&Secret>,
    ) -> Result<(), Refusal> {
        let (client, _) = self.managed(client_id, token).await?;
        self.store.delete_client(client.id.clone()).await?;
        tracing::info!(client_id = %client.id, "client removed its registration");
        Ok(())
    }

    /// The client that this token manages. Another's, and one that is gone, look like no token at all (RFC 7592 §2).
    async fn managed<'a>(
        &self,
        client_id: &str,
        token: Option<&'a Secret>,
    ) -> Result<(Client, &'a Secret), Refusal> {
        let token = token.ok_or(Refusal::Bearer(BearerError::Missing))?;
        let client = self
            .store
            .registered_client(Digest::of(token.expose()))
            .await?;
        let client = client.filter(|client| client.id.as_str() == client_id);
        Ok((client.ok_or(UNKNOWN_TOKEN)?, token))
    }

    /// RFC 7592 §2.2: it names itself, and sets nothing that this server gives out.
    fn may_replace(&self, members: &Members, client: &Client) -> Result<(), Refusal> {
        const OURS: [&str; 4] = [
            "registration_access_token",
            "registration_client_uri",
            "client_secret_expires_at",
            "client_id_issued_at",
        ];
        if members.text("client_id")? != Some(client.id.as_str()) {
            return Err(Refusal::metadata("client_id is missing, or another's"));
        }
        if let Some(name) = OURS.iter().find(|name| members.has(name)) {
            return Err(Refusal::metadata(&format!(
                "{name} is not the client's to set"
            )));
        }
        match (members.text("client_secret")?, self.secret_of(client)) {
            (None, _) => Ok(()),
            (Some(sent), Some(secret)) if secret.ct_eq(&Secret::new(sent)) => Ok(()),
            _ => Err(Refusal::metadata(
                "client_secret is not the one that was issued",
            )),
        }
    }

    fn secret_of(&self, client: &Client) -> Option<Secret> {
        match &client.authentication {
            ClientAuthentication::Confidential { secret, .. } => {
                secret.open(&self.sealing, &client.id)
            }
            _ => None,
        }
    }

    /// OIDC Registration §5: what is at `sector_identifier_uri` is a list, and every redirect URI is in it.
    async fn check_sector(&self, client: &Client) -> Result<(), Refusal> {
        let Some(uri) = &client.profile.sector_identifier_uri else {
            return Ok(());
        };
        let fetched = self.fetches.get(uri, "application/json").await;
        let answer = fetched.map_err(|error| {
            tracing::info!(%error, "a sector_identifier_uri could not be fetched");
            let why = error.reason_for_strangers();
            Refusal::metadata(&format!("sector_identifier_uri: {why}"))
        })?;
        let listed = answer.and_then(|answer| serde_json::from_slice(&answer.body).ok());
        let listed: Vec<String> = listed.ok_or_else(|| {
            Refusal::metadata("sector_identifier_uri: there is no JSON list of texts")
        })?;
        let mut uris = client.redirect_uris.iter();
        match uris.all(|uri| listed.iter().any(|one| one == uri.as_str())) {
            true => Ok(()),
            false => Err(Refusal::metadata(
                "a redirect URI is not in the list at sector_identifier_uri",
            )),
        }
    }

    /// RFC 7591 §3.2.1, RFC 7592 §3.
    fn described(
        &self,
        client: &Client,
        secret: Option<Secret>,
        management: &Secret,
    ) -> Map<String, Value> {
        let mut all = metadata(client);
        if let Some(secret) = secret {
            all.insert("client_secret".to_owned(), json!(secret.expose()));
        }
        let uri = format!("{}/{}", self.issuer.address(paths::REGISTRATION), client.id);
        all.insert("registration_client_uri".to_owned(), json!(uri));
        let token = json!(management.expose());
        all.insert("registration_access_token".to_owned(), token);
        all
    }
}

/// Counts registrations by the minute.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<(i64, u32)>);

impl Pace {
    /// One more in this minute, or how long to wait for the next.
    fn admit(&self, per_minute: u32, now: i64) -> Result<(), Refusal> {
        let mut pace = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (minute, count) = &mut *pace;
        if *minute != now.div_euclid(60) {
            (*minute, *count) = (now.div_euclid(60), 0);
        }
        if *count >= per_minute {
            return Err(Refusal::Later(60 - now.rem_euclid(60)));
        }
        *count += 1;
        Ok(())
    }
}
