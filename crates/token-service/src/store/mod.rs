//! What outlives a request: one trait, so that the rules above do not know which database answers.
//!
//! ```text
//! Store        the trait: what the rules may ask
//!   sqlite       its methods, each a read or a write of one of the files of SQL below
//!     clients users sessions grants codes refresh_tokens access_tokens …      one file for each family of tables
//!       connections   where it runs: the writer's groups for a file, at once in memory
//!       transaction   one write whole or not at all, statements, file, migrations
//! ```
//! SQLite is behind it today ([`SqliteStore`]), in a file or in memory. Every method is one statement or one transaction, because what must
//! hold between two requests (a code is spent once) must hold between two processes as well.

mod access_tokens;
pub(crate) mod client_cache;
mod clients;
mod codes;
mod connections;
mod device_codes;
mod earlier_tokens;
mod file;
mod grants;
mod migrations;
mod pushed_requests;
mod refresh_tokens;
mod registrations;
mod sessions;
mod signing_keys;
mod sqlite;
mod statements;
#[cfg(test)]
pub(crate) mod suite;
mod transaction;
mod users;
mod writer;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use sqlite::SqliteStore;

use crate::domain::{
    AuthorizationCode, Client, ClientId, CodeRow, DeviceRequest, EndedSession, Grace, Grant,
    GrantId, NewRefreshToken, Polled, RefreshToken, Rotation, Scope, SealedSecret, Session,
    SessionId, StoredKey, Successor, User, UserCode, UserId, Username,
};
use crate::handle::{HandleKind, Place, Shown};
use crate::password::PasswordHash;
use crate::secret::Digest;

/// What a store method gives: an answer that may take a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The service's memory.
pub trait Store: Send + Sync + 'static {
    /// The client of that id; what another program changed may be seen a second later.
    fn client<'a>(&'a self, id: &'a ClientId) -> Answer<'a, Option<Arc<Client>>>;
    /// The client of that id as it is at this moment.
    fn client_anew<'a>(&'a self, id: &'a ClientId) -> Answer<'a, Option<Arc<Client>>>;
    /// Every client, by id.
    fn clients(&self) -> Answer<'_, Vec<Client>>;
    /// Adds a client; an id that is taken is a [`StoreError::Conflict`].
    fn insert_client(&self, client: Client) -> Answer<'_, ()>;

    /// Makes these the clients and the people of the configuration file, in one step: new ones are added, known ones changed
    /// (people keep their `sub`), those that left it removed with all they had. Another password ends sessions and grants.
    ///
    /// # Errors
    /// [`StoreError::ClientTaken`] for an id that a registered client has, [`StoreError::UserTaken`] for a name that a registered
    /// person has. With an error, whichever it is, nothing has changed.
    fn configure(&self, clients: Vec<Client>, users: Vec<User>, now: i64) -> Answer<'_, ()>;

    /// Registers a client that asked for it: uses its initial access token, and keeps its registration access token.
    fn register_client(&self, new: NewClient, now: i64) -> Answer<'_, Registered>;
    /// The client whose registration access token this is.
    fn registered_client(&self, token: Digest) -> Answer<'_, Option<Client>>;
    /// Whether the client registered itself, so that nobody vouches for its name and its addresses.
    fn registered_itself<'a>(&'a self, client: &'a ClientId) -> Answer<'a, bool>;
    /// Gives a registered client another registration; false if there is none of its id. One that
    /// [is another](Client::is_another_than) now has to ask people anew.
    fn update_client(&self, client: Client) -> Answer<'_, bool>;
    /// Removes a client that registered itself, with everything that was issued to it; false if there is none.
    fn delete_client(&self, client: ClientId) -> Answer<'_, bool>;
    /// Removes a client in the same way, whoever added it; false if there is none, or the configuration file has it.
    fn remove_client(&self, client: ClientId) -> Answer<'_, bool>;
    /// Adds an initial access token.
    fn insert_initial_token(&self, token: InitialToken) -> Answer<'_, ()>;
    /// Whether an initial access token would register a client now.
    fn initial_token_is_good(&self, token: Digest, now: i64) -> Answer<'_, bool>;

    /// Keeps a pushed authorization request under the hash of its `request_uri`; false, and nothing is kept, if its client has
    /// `most` of them that stand.
    fn push_request(
        &self,
        hash: Digest,
        request: PushedRequest,
        most: i64,
        now: i64,
    ) -> Answer<'_, bool>;
    /// The pushed request behind a hash, if it has not expired and nobody has answered it.
    fn pushed_request(&self, hash: Digest, now: i64) -> Answer<'_, Option<PushedRequest>>;
    /// Somebody has begun to answer a pushed request: it is kept until then, and not only until
    /// [`PushedRequest::expires_at`]. False if it has gone.
    fn keep_pushed_request(&self, hash: Digest, until: i64) -> Answer<'_, bool>;
    /// Removes a pushed request: true for exactly one caller, ever (RFC 9126 §4).
    fn spend_pushed_request(&self, hash: Digest) -> Answer<'_, bool>;

    /// The user of that id.
    fn user<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<User>>;
    /// The user who types that name.
    fn user_by_name<'a>(&'a self, name: &'a Username) -> Answer<'a, Option<User>>;
    /// Every user, by name.
    fn users(&self) -> Answer<'_, Vec<User>>;
    /// Adds a user; a name that is taken is a [`StoreError::Conflict`].
    fn insert_user(&self, user: User) -> Answer<'_, ()>;

    /// Gives a user another password, ends their sessions and revokes their grants; false if there is no such user, or the
    /// configuration file says their password. Their clients are among the [untold](Store::untold_logouts) from then on.
    fn set_password(&self, user: UserId, password: PasswordHash, now: i64) -> Answer<'_, bool>;
    /// Removes a user with all they had, as [`set_password`](Store::set_password) does; false if there is none that was added
    /// (those of the configuration file leave with it).
    fn delete_user(&self, user: UserId, now: i64) -> Answer<'_, bool>;
    /// Gives a confidential client another secret; false if there is no such client, it is public, or the configuration file
    /// says its secret.
    fn set_client_secret(&self, client: ClientId, secret: SealedSecret) -> Answer<'_, bool>;

    /// The session behind a cookie's hash, if it has not ended.
    fn session(&self, hash: Digest, now: i64) -> Answer<'_, Option<Session>>;
    /// Starts a session and, in the same step, takes the place of another: one of the same name and person goes on under the
    /// new cookie, any other ends and is given back.
    fn start_session(
        &self,
        hash: Digest,
        session: Session,
        replaces: Option<Digest>,
        now: i64,
    ) -> Answer<'_, Option<EndedSession>>;
    /// Ends a session and revokes the grants that were for it alone (all without `offline_access`); gives whom it was known
    /// to, or `None` if there was none.
    fn end_session(&self, hash: Digest, now: i64) -> Answer<'_, Option<EndedSession>>;
    /// The sessions that ended with a password or a person, with the clients that have not heard of it.
    fn untold_logouts(&self) -> Answer<'_, Vec<EndedSession>>;
    /// This client needs not be told any more that this session ended.
    fn told_of_logout(&self, session: SessionId, client: ClientId) -> Answer<'_, ()>;

    /// What the user has allowed the client so far.
    fn consent<'a>(&'a self, user: &'a UserId, client: &'a ClientId) -> Answer<'a, Option<Scope>>;
    /// Records a grant, its code, (if it shall be remembered) the consent, and that the grant's session knows the client, all
    /// or nothing; gives the grant's number, which is the code's. `None`, and nothing is recorded, if that session has ended: a
    /// grant cannot be given in it any more.
    fn issue_code(
        &self,
        hash: Digest,
        code: AuthorizationCode,
        remember: Option<Scope>,
        now: i64,
    ) -> Answer<'_, Option<i64>>;
    /// The code that was shown, spent or not.
    fn code(&self, shown: Shown) -> Answer<'_, Option<CodeRow>>;
    /// Spends a code: true for exactly one caller, ever, and for none from `expires_at` on (RFC 6749 §4.1.2). For that
    /// one its grant's first refresh token, if there shall be one, is written in the same step.
    fn spend_code(&self, shown: Shown, now: i64, first: Option<FirstRefresh>) -> Answer<'_, bool>;

    /// The refresh token that was shown, used or not, if its grant stands.
    fn refresh_token(&self, shown: Shown, now: i64) -> Answer<'_, Option<RefreshToken>>;
    /// Uses a refresh token: of any number of callers one rotates it, some get the same successor within the grace, and
    /// any other use of a used one revokes the grant (RFC 9700 §4.14.2).
    fn rotate_refresh_token(
        &self,
        shown: Shown,
        successor: Successor,
        grace: Grace,
        now: i64,
    ) -> Answer<'_, Rotation>;

    /// Records what a device asks for; a user code that is taken is a [`StoreError::Conflict`]. False, and nothing is recorded, if
    /// its client has `most` device codes that have neither expired nor been spent.
    fn insert_device_request(
        &self,
        hash: Digest,
        request: DeviceRequest,
        interval: i64,
        most: i64,
        now: i64,
    ) -> Answer<'_, bool>;
    /// The request behind a user code, if nobody has decided it and it has not expired.
    fn device_request<'a>(
        &'a self,
        code: &'a UserCode,
        now: i64,
    ) -> Answer<'a, Option<DeviceRequest>>;
    /// The person's decision: a grant, or no. True for exactly one caller, and for none once it has expired.
    fn decide_device_request(
        &self,
        code: UserCode,
        grant: Option<Grant>,
        now: i64,
    ) -> Answer<'_, bool>;
    /// A device asks how far the person is (RFC 8628 §3.5).
    fn poll_device_code(&self, hash: Digest, client: ClientId, now: i64) -> Answer<'_, Polled>;
    /// Spends a device code that was allowed; gives its grant's number to exactly one caller, ever.
    fn spend_device_code(
        &self,
        hash: Digest,
        now: i64,
        first: Option<FirstRefresh>,
    ) -> Answer<'_, Option<i64>>;

    /// Keeps what an opaque access token says, and the hash of its secret; gives its number. `None` if its grant has gone.
    fn insert_access_token(&self, hash: Digest, token: OpaqueToken) -> Answer<'_, Option<i64>>;
    /// The opaque access token that was shown, if it has not expired, was not revoked, and its grant stands.
    fn access_token(&self, shown: Shown, now: i64) -> Answer<'_, Option<FoundToken>>;
    /// Kills an opaque access token.
    fn delete_access_token(&self, shown: Shown) -> Answer<'_, ()>;
    /// Where the row is of a token that an earlier version gave out: its text is its secret alone, and this is its hash.
    fn earlier_token(&self, kind: HandleKind, hash: Digest) -> Answer<'_, Option<Place>>;
    /// Remembers until `expires_at` that the token of this `jti` is dead.
    fn revoke_jti(&self, jti: Digest, expires_at: i64) -> Answer<'_, ()>;
    /// Whether a JWT is still good: its `jti` was not revoked, and its grant (if it has one) stands.
    fn jti_stands(&self, jti: Digest, grant: Option<GrantId>, now: i64) -> Answer<'_, bool>;

    /// A grant that stands.
    fn grant<'a>(&'a self, grant: &'a GrantId, now: i64) -> Answer<'a, Option<Grant>>;
    /// Whether tokens of the grant are still good.
    fn grant_is_alive<'a>(&'a self, grant: &'a GrantId, now: i64) -> Answer<'a, bool>;
    /// Kills a grant and everything derived from it.
    fn revoke_grant(&self, grant: GrantId, now: i64) -> Answer<'_, ()>;

    /// Uses something that may be used once until `expires_at`, then forgotten: true for exactly one caller.
    fn use_once(&self, hash: Digest, expires_at: i64) -> Answer<'_, bool>;

    /// Writes everything that is in side files into the database itself: a file that can be copied alone.
    fn checkpoint(&self) -> Answer<'_, ()>;

    /// Every signing key, oldest first.
    fn signing_keys(&self) -> Answer<'_, Vec<StoredKey>>;
    /// Adds a signing key.
    fn insert_signing_key(&self, key: StoredKey) -> Answer<'_, ()>;
    /// Removes a signing key.
    fn delete_signing_key(&self, kid: String) -> Answer<'_, ()>;

    /// Removes rows that can no longer matter; gives how many. Of the room they leave, what is much more than the rest needs goes
    /// back to the file system, a piece at a time.
    fn purge(&self, now: i64) -> Answer<'_, usize>;
}

/// The first refresh token of a grant, and how long the grant now lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRefresh {
    /// The token.
    pub token: NewRefreshToken,
    /// When the last token that can come of the grant has died.
    pub grant_expires_at: i64,
}

/// A client that asks to be registered.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// The client.
    pub client: Client,
    /// Hash of its registration access token.
    pub token: Digest,
    /// Hash of the initial access token it showed.
    pub initial: Option<Digest>,
    /// How many such clients there may be.
    pub most: i64,
}

/// How a registration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The client is there.
    Done,
    /// The initial access token has no use left.
    TokenSpent,
    /// There are as many clients as there may be.
    Full,
}

/// An initial access token's row (RFC 7591 §1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialToken {
    /// Its hash.
    pub hash: Digest,
    /// How many clients it registers.
    pub uses: u32,
    /// First second at which it is too old.
    pub expires_at: i64,
}

/// A pushed authorization request's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedRequest {
    /// Who pushed it.
    pub client: ClientId,
    /// The request, sealed.
    pub form_sealed: Vec<u8>,
    /// First second at which its `request_uri` is too old to begin with.
    pub expires_at: i64,
}

/// What an opaque access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpaqueToken {
    /// The grant it came of; `None` for a client's own.
    pub grant: Option<GrantId>,
    /// Who got it.
    pub client: ClientId,
    /// The resource it is for.
    pub audience: String,
    /// What it allows there.
    pub scope: String,
    /// When it was made.
    pub issued_at: i64,
    /// First second at which it is too old.
    pub expires_at: i64,
    /// The thumbprint of the key it is bound to.
    pub jkt: Option<String>,
}

/// An opaque access token that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    /// What it says itself.
    pub token: OpaqueToken,
    /// Whom it speaks for, which its grant says; `None` for the client itself.
    pub person: Option<Person>,
}

/// Who gave a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person.
    pub user: UserId,
    /// When they signed in.
    pub auth_time: i64,
}

/// Why the store did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A row of that name exists.
    #[error("the name {0:?} is taken")]
    Conflict(String),
    /// A client of the configuration has the id of a registered one.
    #[error("a client {0:?} is registered already")]
    ClientTaken(String),
    /// A person of the configuration has the name of a registered one.
    #[error("a user {0:?} was added already")]
    UserTaken(String),
    /// The file is not ours, is damaged or is cut short.
    #[error("{path} is not a readable stampmill database ({reason}); it was left as it is")]
    Damaged {
        /// Which file.
        path: String,
        /// What SQLite says.
        reason: String,
    },
    /// Written by a later program.
    #[error(
        "{path} has schema version {found}, and this program knows versions up to {known}: use the newer stampmill, or another data folder"
    )]
    Newer {
        /// Which file.
        path: String,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Written by an earlier program, and not ours to change: a server may be at work on it.
    #[error(
        "{path} has schema version {found}, and this program works with version {known}: start the server of this stampmill on it once, which brings it up to date"
    )]
    Older {
        /// Which file.
        path: String,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The database refused.
    #[error("the database failed: {0}")]
    Database(String),
    /// The store is shut.
    #[error("the store is closed")]
    Closed,
}
