//! What an administrator does from the command line, beside a running server or without one: list and add clients and
//! users, and make a lost secret anew.

use std::path::Path;

use stampmill_jose::Algorithm;

use crate::clock::{Clock, SystemClock, SystemRandom};
use crate::data_folder::{DataFolderError, open_beside};
use crate::domain::{
    ClaimError, Client, ClientAuthentication, ClientId, KeyState, PersonClaims, Registration,
    RegistrationError, SealedSecret, StoredKey, User, UserId, Username, UsernameError, state,
};
use crate::keyring::{KeysError, PUBLISHED_AHEAD, WithdrawnKey, make_key, withdraw};
use crate::password::{MAX_PASSWORD_BYTES, PasswordHash, typable_password};
use crate::secret::{Digest, SealingKey, Secret};
use crate::store::client_cache::LIFETIME;
use crate::store::{InitialToken, SqliteStore, Store, StoreError};

/// The administrator's view of a data folder. It takes no lock: SQLite keeps two writers apart. Nor does it change the
/// schema under a running server: a database of an earlier version is refused until a server has brought it up to date.
#[derive(Debug)]
pub struct Admin {
    store: SqliteStore,
    sealing: SealingKey,
}

/// What is asked for when a user is added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// What they type.
    pub username: String,
    /// How they want to be called; the user name if empty.
    pub name: String,
    /// Their address, if known.
    pub email: Option<String>,
    /// What else is known of them.
    pub claims: PersonClaims,
    /// Their password; `None` for a generated one.
    pub password: Option<Secret>,
}

impl Admin {
    /// Opens the folder's database and sealing key.
    pub fn open(path: &Path) -> Result<Admin, AdminError> {
        let (store, sealing) = open_beside(path)?;
        Ok(Admin { store, sealing })
    }

    /// Registers a client; gives it and, for a confidential one, its secret, which is shown once.
    pub async fn add_client(
        &self,
        registration: Registration,
    ) -> Result<(Client, Option<Secret>), AdminError> {
        let (client, secret) =
            registration.check(&self.sealing, &SystemRandom, SystemClock.now())?;
        self.store.insert_client(client.clone()).await?;
        Ok((client, secret))
    }

    /// Makes an initial access token (RFC 7591 §1.2), which is told once: whoever has it registers so many clients within so
    /// many seconds.
    pub async fn add_initial_token(&self, uses: u32, seconds: u32) -> Result<Secret, AdminError> {
        let token = Secret::generate(&SystemRandom);
        let row = InitialToken {
            hash: Digest::of(token.expose()),
            uses,
            expires_at: SystemClock.now() + i64::from(seconds),
        };
        self.store.insert_initial_token(row).await?;
        Ok(token)
    }

    /// Every client, by id.
    pub async fn clients(&self) -> Result<Vec<Client>, AdminError> {
        Ok(self.store.clients().await?)
    }

    /// Adds a user; gives them and, if it was generated, their password, which is shown once.
    pub async fn add_user(&self, new: NewUser) -> Result<(User, Option<Secret>), AdminError> {
        let username = Username::parse(&new.username)?;
        let name = person_name(&new.name, &username)?;
        email_address(new.email.as_deref())?;
        let generated = new.password.is_none();
        let password = new
            .password
            .unwrap_or_else(|| typable_password(&SystemRandom));
        password_length(&password)?;
        let user = User {
            id: UserId::generate(&SystemRandom),
            username,
            password: PasswordHash::of(&password, &SystemRandom),
            name,
            email: new.email,
            email_verified: false,
            claims: new.claims,
            updated_at: SystemClock.now(),
        };
        self.store.insert_user(user.clone()).await?;
        Ok((user, generated.then_some(password)))
    }

    /// Gives a user a new generated password, which is told once, ends their sessions and revokes what they granted:
    /// nothing is refreshed any more, and access tokens that are not asked about end by themselves within ten minutes. A
    /// running server tells the clients within seconds, and the next one if none runs.
    pub async fn reset_password(&self, username: &str) -> Result<Secret, AdminError> {
        let unknown = || AdminError::UnknownUser(username.to_owned());
        let name = Username::parse(username).map_err(|_| unknown())?;
        let user = self.store.user_by_name(&name).await?.ok_or_else(unknown)?;
        let password = typable_password(&SystemRandom);
        let hash = PasswordHash::of(&password, &SystemRandom);
        let now = SystemClock.now();
        match self.store.set_password(user.id, hash, now).await? {
            true => Ok(password),
            false => Err(AdminError::ConfiguredUser(username.to_owned())),
        }
    }

    /// Removes a user with their sessions and all they granted. A running server tells their clients within seconds, and the
    /// next one if none runs.
    pub async fn remove_user(&self, username: &str) -> Result<(), AdminError> {
        let unknown = || AdminError::UnknownUser(username.to_owned());
        let name = Username::parse(username).map_err(|_| unknown())?;
        let user = self.store.user_by_name(&name).await?.ok_or_else(unknown)?;
        match self.store.delete_user(user.id, SystemClock.now()).await? {
            true => Ok(()),
            false => Err(AdminError::ConfiguredUser(username.to_owned())),
        }
    }

    /// Gives a confidential client a new secret, which is told once. Once this returns, a running server refuses the old one; tokens
    /// it got stay good.
    pub async fn renew_secret(&self, client_id: &str) -> Result<Secret, AdminError> {
        let unknown = || AdminError::UnknownClient(client_id.to_owned());
        let id = ClientId::parse(client_id).map_err(|_| unknown())?;
        let client = self.store.client(&id).await?.ok_or_else(unknown)?;
        if !matches!(
            client.authentication,
            ClientAuthentication::Confidential { .. }
        ) {
            return Err(AdminError::PublicClient(client_id.to_owned()));
        }
        let secret = Secret::generate(&SystemRandom);
        let sealed = SealedSecret::seal(&self.sealing, &SystemRandom, &id, &secret);
        match self.store.set_client_secret(id, sealed).await? {
            true => {
                until_servers_know().await;
                Ok(secret)
            }
            false => Err(AdminError::ConfiguredClient(client_id.to_owned())),
        }
    }

    /// Removes a client with everything that was issued to it. Once this returns, a running server knows it no more.
    pub async fn remove_client(&self, client_id: &str) -> Result<(), AdminError> {
        let unknown = || AdminError::UnknownClient(client_id.to_owned());
        let id = ClientId::parse(client_id).map_err(|_| unknown())?;
        self.store.client(&id).await?.ok_or_else(unknown)?;
        match self.store.remove_client(id).await? {
            true => {
                until_servers_know().await;
                Ok(())
            }
            false => Err(AdminError::ConfiguredClient(client_id.to_owned())),
        }
    }

    /// Every signing key, oldest first, and where it is in its life.
    pub async fn signing_keys(&self) -> Result<Vec<(StoredKey, KeyState)>, AdminError> {
        let (keys, now) = (self.store.signing_keys().await?, SystemClock.now());
        let states = keys.iter().map(|key| state(&keys, key, now));
        Ok(keys.iter().cloned().zip(states).collect())
    }

    /// Makes the next signing key of an algorithm. A running server publishes it within a second or two, and signs with it a
    /// quarter of an hour from now, when verifiers have met it.
    pub async fn rotate_signing_key(&self, algorithm: Algorithm) -> Result<StoredKey, AdminError> {
        let now = SystemClock.now();
        let signs_from = now + PUBLISHED_AHEAD;
        let key = make_key(algorithm, &self.sealing, &SystemRandom, now, signs_from).await?;
        self.store.insert_signing_key(key.clone()).await?;
        Ok(key)
    }

    /// Withdraws a signing key that others may have: a running server publishes and believes it no more within a second or
    /// two, and signs with a new one. What it signed dies with it for those who ask this service, and for those who verify by
    /// themselves as soon as they fetch the key set again. What it did not sign lives on: refresh tokens, opaque tokens,
    /// sessions.
    pub async fn withdraw_signing_key(&self, kid: &str) -> Result<WithdrawnKey, AdminError> {
        let (random, now) = (SystemRandom, SystemClock.now());
        Ok(withdraw(&self.store, kid, &self.sealing, &random, now).await?)
    }

    /// Every user, by name.
    pub async fn users(&self) -> Result<Vec<User>, AdminError> {
        Ok(self.store.users().await?)
    }
}

/// Until a server beside us has forgotten the clients it read before our change: then what is said of a change is true.
async fn until_servers_know() {
    tokio::time::sleep(LIFETIME).await;
}

/// The hash of a password for the configuration file (`password_hash`). Takes some tens of milliseconds.
pub fn password_hash(password: &Secret) -> Result<PasswordHash, AdminError> {
    password_length(password)?;
    Ok(PasswordHash::of(password, &SystemRandom))
}

/// NIST SP 800-63B-4 §3.1.1.2: eight characters at the very least, and no rules of composition.
fn password_length(password: &Secret) -> Result<(), AdminError> {
    let password = password.expose();
    match password.chars().count() < 8 || password.len() > MAX_PASSWORD_BYTES {
        true => Err(AdminError::Password),
        false => Ok(()),
    }
}

/// How a person wants to be called: their user name if that is empty.
pub(crate) fn person_name(name: &str, username: &Username) -> Result<String, AdminError> {
    let name = match name.trim() {
        "" => username.as_str(),
        name => name,
    };
    match name.chars().count() > 100 || name.chars().any(char::is_control) {
        true => Err(AdminError::Name),
        false => Ok(name.to_owned()),
    }
}

pub(crate) fn email_address(email: Option<&str>) -> Result<(), AdminError> {
    match email.is_some_and(|email| !is_plausible_address(email)) {
        true => Err(AdminError::Email),
        false => Ok(()),
    }
}

/// Something before and after one `@`, printable, and short enough for SMTP (RFC 5321 §4.5.3.1).
fn is_plausible_address(email: &str) -> bool {
    let sides = email.split_once('@');
    email.len() <= 254
        && email.bytes().all(|byte| byte.is_ascii_graphic())
        && sides.is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !host.contains('@')
        })
}

/// Why nothing was added, changed or listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    /// The database; a taken name among others.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The client.
    #[error(transparent)]
    Client(#[from] RegistrationError),
    /// The user name.
    #[error(transparent)]
    Username(#[from] UsernameError),
    /// Nobody of that name.
    #[error("no user is named {0:?}: `stampmill user list` shows those there are")]
    UnknownUser(String),
    /// Somebody who would be back with the next start.
    #[error("the user {0:?} is in the configuration file: what it says holds, so change it there")]
    ConfiguredUser(String),
    /// No client of that id.
    #[error("no client has the id {0:?}: `stampmill client list` shows those there are")]
    UnknownClient(String),
    /// A client that would be as it was with the next start.
    #[error(
        "the client {0:?} is in the configuration file: what it says holds, so change it there"
    )]
    ConfiguredClient(String),
    /// A client that has no secret to renew.
    #[error("the client {0:?} has no secret: it is public, or has a key of its own")]
    PublicClient(String),
    /// Not a name.
    #[error("a person's name is up to 100 printable characters")]
    Name,
    /// Not an address.
    #[error("an e-mail address is something@host, printable ASCII, at most 254 characters")]
    Email,
    /// Not a claim, or of another type.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Too short or too long.
    #[error("a password has at least 8 characters and at most {MAX_PASSWORD_BYTES} bytes")]
    Password,
}
