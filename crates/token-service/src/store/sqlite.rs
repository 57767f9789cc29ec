//! The store in one SQLite file (WAL, a writer thread that commits in groups, readers beside it), or in memory.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, params};

use super::client_cache::ClientCache;
use super::connections::Connections;
use super::statements::{all, conflict, database, execute};
use super::transaction::Extent;
use super::{
    Answer, FirstRefresh, FoundToken, InitialToken, NewClient, OpaqueToken, PushedRequest,
    Registered, Store, StoreError, access_tokens, clients, codes, device_codes, earlier_tokens,
    file, grants, migrations, pushed_requests, refresh_tokens, registrations, sessions,
    signing_keys, users,
};
use crate::domain::{
    AuthorizationCode, Client, ClientId, CodeRow, DeviceRequest, EndedSession, Grace, Grant,
    GrantId, Polled, RefreshToken, Rotation, Scope, SealedSecret, Session, SessionId, StoredKey,
    Successor, User, UserCode, UserId, Username,
};
use crate::handle::{HandleKind, Place, Shown};
use crate::password::PasswordHash;
use crate::secret::Digest;

/// Connections that read. Under WAL they neither wait for the writer nor make it wait.
const READERS: usize = 4;

/// A [`Store`] in a file, or in memory.
pub struct SqliteStore {
    path: PathBuf,
    connections: Connections,
    clients: Arc<ClientCache>,
}

impl SqliteStore {
    /// Creates the file. It must not exist.
    pub fn create(path: &Path) -> Result<SqliteStore, StoreError> {
        file::create_empty(path)?;
        SqliteStore::start(path)
    }

    /// Creates the file, with a client and a user if there shall be any, and closes it again.
    pub(crate) fn create_with(
        path: &Path,
        first: Option<(&Client, &User)>,
    ) -> Result<(), StoreError> {
        file::create_empty(path)?;
        let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(database)?;
        migrations::apply(&mut connection).map_err(database)?;
        if let Some((client, user)) = first {
            clients::insert_client(&connection, client).map_err(database)?;
            users::insert_user(&connection, user).map_err(database)?;
        }
        connection.close().map_err(|(_, error)| database(error))
    }

    /// Opens a file that [`create`](Self::create) made. One that is damaged, cut short, foreign or newer is refused and
    /// not touched.
    pub fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        file::inspect(path)?;
        SqliteStore::start(path)
    }

    /// Opens a file that needs no migration. For programs that work beside a server and do not hold the folder's lock.
    pub(crate) fn open_beside(path: &Path) -> Result<SqliteStore, StoreError> {
        let (found, known) = (file::inspect(path)?, migrations::known_version());
        if found < known {
            return Err(StoreError::Older {
                path: path.display().to_string(),
                found,
                known,
            });
        }
        SqliteStore::start(path)
    }

    fn start(path: &Path) -> Result<SqliteStore, StoreError> {
        let mut writer = file::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Counts in an empty file alone, before anything else is written to it.
        writer
            .pragma_update(None, "auto_vacuum", "incremental")
            .map_err(database)?;
        writer
            .pragma_update(None, "journal_mode", "wal")
            .map_err(database)?;
        // FULL: the write-ahead log is flushed at each commit, so a code that was spent stays spent after a power cut.
        // NORMAL would be quicker and could forget the last moments (sqlite.org/pragma.html#pragma_synchronous); groups
        // share the flush instead.
        writer
            .pragma_update(None, "synchronous", "full")
            .map_err(database)?;
        migrations::apply(&mut writer).map_err(database)?;
        let readers = (0..READERS)
            .map(|_| file::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
            .collect::<Result<_, _>>()?;
        Ok(SqliteStore {
            path: path.to_owned(),
            connections: Connections::to_file(readers, writer)?,
            clients: Arc::default(),
        })
    }

    /// A store in memory that begins with the file's registered clients, people and signing keys. Nothing goes back: the
    /// file stays as it is, and what happens from here on is forgotten with the store.
    ///
    /// What could be used once more if it were forgotten that it was used (codes, refresh tokens, sessions) is not taken along.
    pub(crate) fn into_memory(self) -> Result<SqliteStore, StoreError> {
        let memory = file::into_memory(&self.path)?;
        Ok(SqliteStore {
            path: ":memory:".into(),
            connections: Connections::in_memory(memory),
            clients: Arc::default(),
        })
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connections.read(read)
    }

    /// Every client, by id, for whoever cannot wait: a folder that is being opened.
    pub(crate) fn clients_now(&self) -> Result<Vec<Client>, StoreError> {
        let sql = format!("{} ORDER BY client_id", clients::CLIENT);
        self.read(|c| all(c, &sql, [], clients::client))
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move { self.read(read) })
    }

    /// A write of several statements: all or nothing.
    fn write<'a, T, W>(&'a self, write: W) -> Answer<'a, T>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        Box::pin(self.connections.write(Extent::Several, write, || {}))
    }

    /// A write of one statement, which is all or nothing by itself.
    fn statement<'a, T, W>(&'a self, write: W) -> Answer<'a, T>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        Box::pin(self.connections.write(Extent::Statement, write, || {}))
    }

    /// A write that changes or removes clients. They are forgotten with the commit, even if the caller has gone by then.
    fn write_clients<'a, T, W>(&'a self, write: W) -> Answer<'a, T>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let clients = Arc::clone(&self.clients);
        let forget = move || clients.forget_all();
        Box::pin(self.connections.write(Extent::Several, write, forget))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Store for SqliteStore {
    fn client<'a>(&'a self, id: &'a ClientId) -> Answer<'a, Option<Arc<Client>>> {
        Box::pin(async move {
            match self.clients.get(id) {
                Some(known) => Ok(Some(known)),
                None => self.client_anew(id).await,
            }
        })
    }

    fn client_anew<'a>(&'a self, id: &'a ClientId) -> Answer<'a, Option<Arc<Client>>> {
        Box::pin(async move {
            let beginning = self.clients.begin();
            let client = self.read(|c| clients::find(c, id))?;
            let client = client.map(Arc::new);
            if let Some(client) = &client {
                self.clients.remember(&beginning, client);
            }
            Ok(client)
        })
    }

    fn clients(&self) -> Answer<'_, Vec<Client>> {
        Box::pin(async { self.clients_now() })
    }

    fn insert_client(&self, client: Client) -> Answer<'_, ()> {
        self.statement(move |c| {
            clients::insert_client(c, &client)
                .map(drop)
                .map_err(|error| conflict(error, client.id.as_str()))
        })
    }

    fn configure(&self, clients: Vec<Client>, users: Vec<User>, now: i64) -> Answer<'_, ()> {
        self.write_clients(move |c| {
            clients::configure_all(c, &clients)?;
            users::configure_all(c, &users, now)
        })
    }

    fn register_client(&self, new: NewClient, now: i64) -> Answer<'_, Registered> {
        self.write(move |c| registrations::register(c, &new, now))
    }

    fn registered_client(&self, token: Digest) -> Answer<'_, Option<Client>> {
        self.answer(move |c| registrations::find(c, token))
    }

    fn registered_itself<'a>(&'a self, client: &'a ClientId) -> Answer<'a, bool> {
        self.answer(move |c| registrations::has(c, client))
    }

    fn update_client(&self, client: Client) -> Answer<'_, bool> {
        self.write_clients(move |c| clients::update(c, &client))
    }

    fn delete_client(&self, client: ClientId) -> Answer<'_, bool> {
        self.write_clients(move |c| registrations::delete(c, &client))
    }

    fn remove_client(&self, client: ClientId) -> Answer<'_, bool> {
        self.write_clients(move |c| registrations::remove(c, &client))
    }

    fn insert_initial_token(&self, token: InitialToken) -> Answer<'_, ()> {
        self.statement(move |c| registrations::insert_initial_token(c, &token))
    }

    fn initial_token_is_good(&self, token: Digest, now: i64) -> Answer<'_, bool> {
        self.answer(move |c| registrations::initial_token_is_good(c, token, now))
    }

    fn push_request(
        &self,
        hash: Digest,
        request: PushedRequest,
        most: i64,
        now: i64,
    ) -> Answer<'_, bool> {
        self.statement(move |c| pushed_requests::insert(c, hash, &request, most, now))
    }

    fn keep_pushed_request(&self, hash: Digest, until: i64) -> Answer<'_, bool> {
        self.statement(move |c| pushed_requests::keep(c, hash, until))
    }

    fn pushed_request(&self, hash: Digest, now: i64) -> Answer<'_, Option<PushedRequest>> {
        self.answer(move |c| pushed_requests::find(c, hash, now))
    }

    fn spend_pushed_request(&self, hash: Digest) -> Answer<'_, bool> {
        self.statement(move |c| pushed_requests::spend(c, hash))
    }

    fn user<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<User>> {
        self.answer(move |c| users::find(c, id))
    }

    fn user_by_name<'a>(&'a self, name: &'a Username) -> Answer<'a, Option<User>> {
        self.answer(move |c| users::find_by_name(c, name))
    }

    fn users(&self) -> Answer<'_, Vec<User>> {
        self.answer(|c| {
            let sql = format!("{} ORDER BY username", users::USER);
            all(c, &sql, [], users::user)
        })
    }

    fn insert_user(&self, user: User) -> Answer<'_, ()> {
        self.statement(move |c| {
            users::insert_user(c, &user)
                .map(drop)
                .map_err(|error| conflict(error, user.username.as_str()))
        })
    }

    fn set_password(&self, user: UserId, password: PasswordHash, now: i64) -> Answer<'_, bool> {
        self.write(move |c| users::set_password(c, &user, &password, now))
    }

    fn delete_user(&self, user: UserId, now: i64) -> Answer<'_, bool> {
        self.write(move |c| users::delete(c, &user, now))
    }

    fn set_client_secret(&self, client: ClientId, secret: SealedSecret) -> Answer<'_, bool> {
        self.write_clients(move |c| clients::set_secret(c, &client, &secret))
    }

    fn session(&self, hash: Digest, now: i64) -> Answer<'_, Option<Session>> {
        self.answer(move |c| sessions::find(c, hash, now))
    }

    fn start_session(
        &self,
        hash: Digest,
        session: Session,
        replaces: Option<Digest>,
        now: i64,
    ) -> Answer<'_, Option<EndedSession>> {
        self.write(move |c| sessions::start(c, hash, &session, replaces, now))
    }

    fn end_session(&self, hash: Digest, now: i64) -> Answer<'_, Option<EndedSession>> {
        self.write(move |c| sessions::end(c, hash, now))
    }

    fn untold_logouts(&self) -> Answer<'_, Vec<EndedSession>> {
        self.answer(sessions::untold)
    }

    fn told_of_logout(&self, session: SessionId, client: ClientId) -> Answer<'_, ()> {
        self.write(move |c| sessions::told(c, &session, &client))
    }

    fn consent<'a>(&'a self, user: &'a UserId, client: &'a ClientId) -> Answer<'a, Option<Scope>> {
        self.answer(move |c| grants::consent(c, user, client))
    }

    fn issue_code(
        &self,
        hash: Digest,
        code: AuthorizationCode,
        remember: Option<Scope>,
        now: i64,
    ) -> Answer<'_, Option<i64>> {
        self.write(move |c| codes::issue(c, hash, &code, remember.as_ref(), now))
    }

    fn code(&self, shown: Shown) -> Answer<'_, Option<CodeRow>> {
        self.answer(move |c| codes::find(c, &shown))
    }

    fn spend_code(&self, shown: Shown, now: i64, first: Option<FirstRefresh>) -> Answer<'_, bool> {
        self.write(move |c| codes::spend(c, &shown, now, first.as_ref()))
    }

    fn refresh_token(&self, shown: Shown, now: i64) -> Answer<'_, Option<RefreshToken>> {
        self.answer(move |c| refresh_tokens::find(c, &shown, now))
    }

    fn rotate_refresh_token(
        &self,
        shown: Shown,
        successor: Successor,
        grace: Grace,
        now: i64,
    ) -> Answer<'_, Rotation> {
        // Several statements, of which at most one changes a row.
        self.statement(move |c| refresh_tokens::rotate(c, &shown, &successor, grace, now))
    }

    fn insert_device_request(
        &self,
        hash: Digest,
        request: DeviceRequest,
        interval: i64,
        most: i64,
        now: i64,
    ) -> Answer<'_, bool> {
        self.statement(move |c| {
            device_codes::insert(c, hash, &request, interval, most, now)
                .map(|rows| rows == 1)
                .map_err(|error| conflict(error, request.user_code.letters()))
        })
    }

    fn device_request<'a>(
        &'a self,
        code: &'a UserCode,
        now: i64,
    ) -> Answer<'a, Option<DeviceRequest>> {
        self.answer(move |c| device_codes::find(c, code, now))
    }

    fn decide_device_request(
        &self,
        code: UserCode,
        grant: Option<Grant>,
        now: i64,
    ) -> Answer<'_, bool> {
        self.write(move |c| device_codes::decide(c, &code, grant.as_ref(), now))
    }

    fn poll_device_code(&self, hash: Digest, client: ClientId, now: i64) -> Answer<'_, Polled> {
        self.write(move |c| device_codes::poll(c, hash, &client, now))
    }

    fn spend_device_code(
        &self,
        hash: Digest,
        now: i64,
        first: Option<FirstRefresh>,
    ) -> Answer<'_, Option<i64>> {
        self.write(move |c| device_codes::spend(c, hash, now, first.as_ref()))
    }

    fn insert_access_token(&self, hash: Digest, token: OpaqueToken) -> Answer<'_, Option<i64>> {
        // A kind without a token is in nobody's way, so the two need not be one piece.
        self.statement(move |c| access_tokens::insert(c, hash, &token))
    }

    fn access_token(&self, shown: Shown, now: i64) -> Answer<'_, Option<FoundToken>> {
        self.answer(move |c| access_tokens::find(c, &shown, now))
    }

    fn delete_access_token(&self, shown: Shown) -> Answer<'_, ()> {
        self.statement(move |c| access_tokens::delete(c, &shown))
    }

    fn earlier_token(&self, kind: HandleKind, hash: Digest) -> Answer<'_, Option<Place>> {
        self.answer(move |c| earlier_tokens::find(c, kind, hash))
    }

    fn revoke_jti(&self, jti: Digest, expires_at: i64) -> Answer<'_, ()> {
        let sql = "INSERT OR IGNORE INTO revoked_tokens (jti_hash, expires_at) VALUES (?1, ?2)";
        self.statement(move |c| execute(c, sql, params![jti.as_bytes(), expires_at]).map(drop))
    }

    fn jti_stands(&self, jti: Digest, grant: Option<GrantId>, now: i64) -> Answer<'_, bool> {
        self.answer(move |c| access_tokens::jti_stands(c, jti, grant.as_ref(), now))
    }

    fn grant<'a>(&'a self, grant: &'a GrantId, now: i64) -> Answer<'a, Option<Grant>> {
        self.answer(move |c| grants::find(c, grant, now))
    }

    fn grant_is_alive<'a>(&'a self, grant: &'a GrantId, now: i64) -> Answer<'a, bool> {
        self.answer(move |c| grants::is_alive(c, grant, now))
    }

    fn revoke_grant(&self, grant: GrantId, now: i64) -> Answer<'_, ()> {
        self.statement(move |c| grants::revoke(c, &grant, now))
    }

    fn use_once(&self, hash: Digest, expires_at: i64) -> Answer<'_, bool> {
        let sql = "INSERT OR IGNORE INTO used_once (hash, expires_at) VALUES (?1, ?2)";
        self.statement(move |c| Ok(execute(c, sql, params![hash.as_bytes(), expires_at])? == 1))
    }

    fn checkpoint(&self) -> Answer<'_, ()> {
        Box::pin(self.connections.checkpoint())
    }

    fn signing_keys(&self) -> Answer<'_, Vec<StoredKey>> {
        self.answer(signing_keys::every)
    }

    fn insert_signing_key(&self, key: StoredKey) -> Answer<'_, ()> {
        self.statement(move |c| signing_keys::insert(c, &key))
    }

    fn delete_signing_key(&self, kid: String) -> Answer<'_, ()> {
        let sql = "DELETE FROM signing_keys WHERE kid = ?1";
        self.statement(move |c| execute(c, sql, [kid]).map(drop))
    }

    fn purge(&self, now: i64) -> Answer<'_, usize> {
        self.write(move |c| {
            // Codes and refresh tokens go with their grant.
            let expired = [
                "DELETE FROM sessions WHERE expires_at <= ?1",
                "DELETE FROM grants WHERE expires_at <= ?1",
                "DELETE FROM earlier_tokens WHERE expires_at <= ?1",
                "DELETE FROM revoked_tokens WHERE expires_at <= ?1",
                "DELETE FROM used_once WHERE expires_at <= ?1",
                "DELETE FROM initial_access_tokens WHERE expires_at <= ?1",
                "DELETE FROM pushed_requests WHERE keep_until <= ?1",
                // For five minutes a device still hears that its code expired. One that was spent says nothing more.
                "DELETE FROM device_codes WHERE expires_at <= ?1 - 300",
                "DELETE FROM device_codes WHERE spent_at IS NOT NULL AND spent_at <= ?1",
            ];
            let removed = expired.into_iter().map(|sql| execute(c, sql, [now]));
            let removed = removed.sum::<Result<usize, _>>()? + access_tokens::purge(c, now)?;
            file::give_back_room(c)?;
            Ok(removed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite;

    fn in_memory() -> SqliteStore {
        let (_folder, path) = suite::room();
        SqliteStore::create(&path).unwrap().into_memory().unwrap()
    }

    #[tokio::test]
    async fn the_suite_every_store_must_pass() {
        let (_folder, path) = suite::room();
        suite::run(&SqliteStore::create(&path).unwrap()).await;
    }

    #[tokio::test]
    async fn the_suite_in_memory() {
        suite::run(&in_memory()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_parallel_redemptions_one_wins() {
        let (_folder, path) = suite::room();
        suite::one_code_one_winner(Arc::new(SqliteStore::create(&path).unwrap())).await;
        suite::one_code_one_winner(Arc::new(in_memory())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_parallel_refreshes_one_rotates() {
        let (_folder, path) = suite::room();
        let store = SqliteStore::create(&path).unwrap();
        suite::one_refresh_token_one_successor(Arc::new(store)).await;
        suite::one_refresh_token_one_successor(Arc::new(in_memory())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_parallel_registrations_as_many_win_as_there_are_uses() {
        let (_folder, path) = suite::room();
        suite::one_use_one_client(Arc::new(SqliteStore::create(&path).unwrap())).await;
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_reopening() {
        let (_folder, path) = suite::room();
        let store = SqliteStore::create(&path).unwrap();
        store.insert_user(suite::user("alice")).await.unwrap();
        drop(store);
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.users().await.unwrap(), [suite::user("alice")]);
    }
}
