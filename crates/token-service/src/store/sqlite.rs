//! The store in one SQLite file (WAL, a writer thread that commits in groups, readers beside it), or in memory.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::client_cache::ClientCache;
use super::connections::{Connections, Extent};
use super::writer::database;
use super::{
    Answer, FirstRefresh, FoundToken, InitialToken, NewClient, OpaqueToken, PushedRequest,
    Registered, Store, StoreError, access_tokens, codes, device_codes, earlier_tokens, migrations,
    pushed_requests, refresh_tokens, registrations, rows, sessions,
};
use crate::domain::{
    AuthorizationCode, Client, ClientId, CodeRow, DeviceRequest, EndedSession, Grace, Grant,
    GrantId, Polled, RefreshToken, Rotation, Scope, SealedSecret, Session, SessionId, StoredKey,
    Successor, User, UserCode, UserId, Username,
};
use crate::handle::{HandleKind, Place, Shown};
use crate::password::PasswordHash;
use crate::secret::Digest;

/// What a store in memory begins with, from the file that is attached.
const TAKE_ALONG: &str = "
    INSERT INTO main.clients SELECT * FROM file.clients WHERE origin = 'registered';
    INSERT INTO main.registrations SELECT * FROM file.registrations;
    INSERT INTO main.users SELECT * FROM file.users WHERE origin = 'registered';
    INSERT INTO main.signing_keys SELECT * FROM file.signing_keys;
    DETACH file;";

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
        SqliteStore::create_empty_file(path)?;
        SqliteStore::start(path)
    }

    /// Creates the file, with a client and a user if there shall be any, and closes it again.
    pub(crate) fn create_with(
        path: &Path,
        first: Option<(&Client, &User)>,
    ) -> Result<(), StoreError> {
        SqliteStore::create_empty_file(path)?;
        let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(database)?;
        migrations::apply(&mut connection).map_err(database)?;
        if let Some((client, user)) = first {
            rows::insert_client(&connection, client).map_err(database)?;
            rows::insert_user(&connection, user).map_err(database)?;
        }
        connection.close().map_err(|(_, error)| database(error))
    }

    fn create_empty_file(path: &Path) -> Result<(), StoreError> {
        let taken = |error: std::io::Error| {
            StoreError::Database(format!("cannot create {}: {error}", path.display()))
        };
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        // Mode 0600 from the first byte on: SQLite gives its side files (-wal, -shm) the mode of the database.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map(drop).map_err(taken)
    }

    /// Opens a file that [`create`](Self::create) made. One that is damaged, cut short, foreign or newer is refused and
    /// not touched.
    pub fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        inspect(path)?;
        SqliteStore::start(path)
    }

    /// Opens a file that needs no migration. For programs that work beside a server and do not hold the folder's lock.
    pub(crate) fn open_beside(path: &Path) -> Result<SqliteStore, StoreError> {
        let (found, known) = (inspect(path)?, migrations::known_version());
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
        let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
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
            .map(|_| connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
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
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut memory = Connection::open_in_memory_with_flags(flags).map_err(database)?;
        configure(&memory)?;
        migrations::apply(&mut memory).map_err(database)?;
        let path = self.path.to_string_lossy();
        memory
            .execute("ATTACH ?1 AS file", [&path])
            .and_then(|_| memory.execute_batch(TAKE_ALONG))
            .map_err(database)?;
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
        let sql = format!("{} ORDER BY client_id", rows::CLIENT);
        self.read(|c| rows::all(c, &sql, rows::client))
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

/// Reads the file without writing a byte: is it ours, whole, and of a version we know? Gives the version.
fn inspect(path: &Path) -> Result<u32, StoreError> {
    let damaged = |reason: String| StoreError::Damaged {
        path: path.display().to_string(),
        reason,
    };
    let unreadable =
        |reason: String| StoreError::Database(format!("cannot open {}: {reason}", path.display()));
    let length = fs::metadata(path)
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if length == 0 {
        // SQLite would take an empty file for a new database and fill it.
        return Err(damaged("the file is empty".into()));
    }
    // A file we may not read, or that is locked for long, or on a disk that fails, is not a damaged one.
    let refused = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::DatabaseBusy
            | ErrorCode::SystemIoFailure,
        ) => unreadable(error.to_string()),
        _ => damaged(error.to_string()),
    };
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(refused)?;
    let application: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(refused)?;
    if application != migrations::APPLICATION_ID {
        return Err(damaged("it belongs to another program".into()));
    }
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(refused)?;
    let known = migrations::known_version();
    if found > known {
        return Err(StoreError::Newer {
            path: path.display().to_string(),
            found,
            known,
        });
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(refused)?;
    if verdict == "ok" {
        Ok(found)
    } else {
        Err(damaged(
            verdict.lines().last().unwrap_or_default().to_owned(),
        ))
    }
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    // A `Connection` is one thread's at a time by its type: SQLite need not lock at every call as well.
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(database)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    // Plans do not depend on what is bound. Without this, SQLite compiles a statement that compares an indexed column with a
    // parameter (`expires_at > ?`) anew at each call, which takes longer than running it.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(database)?;
    // `client add` may write from another process while the server runs: wait for it rather than fail.
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(database)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(database)?;
    // Rows are trusted no more than their file: no SQL functions hidden in a schema.
    connection
        .pragma_update(None, "trusted_schema", false)
        .map_err(database)
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
            let sql = format!("{} WHERE client_id = ?1", rows::CLIENT);
            let client = self.read(|c| rows::one(c, &sql, [id.as_str()], rows::client))?;
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
            rows::insert_client(c, &client)
                .map(drop)
                .map_err(|error| conflict(error, client.id.as_str()))
        })
    }

    fn configure_clients(&self, clients: Vec<Client>) -> Answer<'_, ()> {
        self.write_clients(move |c| {
            for client in &clients {
                if rows::configure_client(c, client).map_err(database)? == 0 {
                    return Err(StoreError::Conflict(client.id.to_string()));
                }
            }
            let kept: Vec<&str> = clients.iter().map(|client| client.id.as_str()).collect();
            // Ids have no spaces, so a list of them is a text.
            let gone = "DELETE FROM clients WHERE origin = 'file' AND instr(?1, ' ' || client_id || ' ') = 0";
            execute(c, gone, [format!(" {} ", kept.join(" "))]).map(drop)
        })
    }

    fn register_client(&self, new: NewClient, now: i64) -> Answer<'_, Registered> {
        self.write(move |c| registrations::register(c, &new, now))
    }

    fn registered_client(&self, token: Digest) -> Answer<'_, Option<Client>> {
        self.answer(move |c| registrations::find(c, token))
    }

    fn update_client(&self, client: Client) -> Answer<'_, bool> {
        self.write_clients(move |c| {
            // Only one that is there: what inserts would bring a deleted client back.
            let there = "SELECT 1 FROM clients WHERE client_id = ?1";
            let there = rows::one(c, there, [client.id.as_str()], |_| Ok(()))?;
            Ok(there.is_some() && rows::update_client(c, &client).map_err(database)? == 1)
        })
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

    fn push_request(&self, hash: Digest, request: PushedRequest) -> Answer<'_, ()> {
        self.statement(move |c| pushed_requests::insert(c, hash, &request))
    }

    fn pushed_request(&self, hash: Digest, now: i64) -> Answer<'_, Option<PushedRequest>> {
        self.answer(move |c| pushed_requests::find(c, hash, now))
    }

    fn spend_pushed_request(&self, hash: Digest) -> Answer<'_, bool> {
        self.statement(move |c| pushed_requests::spend(c, hash))
    }

    fn user<'a>(&'a self, id: &'a UserId) -> Answer<'a, Option<User>> {
        self.answer(move |c| {
            rows::one(
                c,
                &format!("{} WHERE user_id = ?1", rows::USER),
                [id.as_str()],
                rows::user,
            )
        })
    }

    fn user_by_name<'a>(&'a self, name: &'a Username) -> Answer<'a, Option<User>> {
        self.answer(move |c| {
            rows::one(
                c,
                &format!("{} WHERE username = ?1", rows::USER),
                [name.as_str()],
                rows::user,
            )
        })
    }

    fn users(&self) -> Answer<'_, Vec<User>> {
        self.answer(|c| rows::all(c, &format!("{} ORDER BY username", rows::USER), rows::user))
    }

    fn insert_user(&self, user: User) -> Answer<'_, ()> {
        self.statement(move |c| {
            rows::insert_user(c, &user)
                .map(drop)
                .map_err(|error| conflict(error, user.username.as_str()))
        })
    }

    fn configure_users(&self, users: Vec<User>, now: i64) -> Answer<'_, ()> {
        self.write(move |c| {
            for user in &users {
                let by_name = format!("{} WHERE username = ?1", rows::USER);
                let name = user.username.as_str();
                let known = rows::one(c, &by_name, [name], rows::user)?;
                if rows::configure_user(c, user).map_err(database)? == 0 {
                    return Err(StoreError::Conflict(name.into()));
                }
                if let Some(known) = known.filter(|known| known.password != user.password) {
                    sessions::end_all_of(c, &known.id, now)?;
                }
            }
            let kept: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
            let of_file = format!("{} WHERE origin = 'file'", rows::USER);
            let gone = rows::all(c, &of_file, rows::user)?;
            let gone = gone
                .iter()
                .filter(|user| !kept.contains(&user.username.as_str()));
            gone.map(|user| &user.id).try_for_each(|user| {
                sessions::end_all_of(c, user, now)?;
                execute(c, "DELETE FROM users WHERE user_id = ?1", [user.as_str()]).map(drop)
            })
        })
    }

    fn set_password(&self, user: UserId, password: PasswordHash, now: i64) -> Answer<'_, bool> {
        self.write(move |c| {
            let changed = execute(
                c,
                "UPDATE users SET password_hash = ?2, updated_at = ?3 WHERE user_id = ?1 AND origin <> 'file'",
                params![user.as_str(), password.as_phc(), now],
            )?;
            if changed == 0 {
                return Ok(false);
            }
            sessions::end_all_of(c, &user, now)?;
            Ok(true)
        })
    }

    fn delete_user(&self, user: UserId, now: i64) -> Answer<'_, bool> {
        self.write(move |c| {
            let added = "SELECT user_id FROM users WHERE user_id = ?1 AND origin <> 'file'";
            let known = rows::one(c, added, [user.as_str()], |row| row.get::<_, String>(0))?;
            if known.is_none() {
                return Ok(false);
            }
            sessions::end_all_of(c, &user, now)?;
            execute(c, "DELETE FROM users WHERE user_id = ?1", [user.as_str()]).map(|_| true)
        })
    }

    fn set_client_secret(&self, client: ClientId, secret: SealedSecret) -> Answer<'_, bool> {
        self.write_clients(move |c| {
            let changed = execute(
                c,
                "UPDATE clients SET secret_sealed = ?2 WHERE client_id = ?1 AND secret_sealed IS NOT NULL AND origin <> 'file'",
                params![client.as_str(), secret.as_bytes()],
            )?;
            Ok(changed == 1)
        })
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
        let sql = "SELECT scope FROM consents WHERE user_id = ?1 AND client_id = ?2";
        let scope = |row: &rusqlite::Row<'_>| rows::scope(row, 0);
        self.answer(move |c| rows::one(c, sql, [user.as_str(), client.as_str()], scope))
    }

    fn issue_code(
        &self,
        hash: Digest,
        code: AuthorizationCode,
        remember: Option<Scope>,
    ) -> Answer<'_, Option<i64>> {
        self.write(move |c| codes::issue(c, hash, &code, remember.as_ref()))
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
    ) -> Answer<'_, ()> {
        self.statement(move |c| {
            device_codes::insert(c, hash, &request, interval)
                .map(drop)
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

    fn insert_access_token(&self, hash: Digest, token: OpaqueToken) -> Answer<'_, i64> {
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
        let sql = format!(
            "{} WHERE grant_id = ?1 AND revoked_at IS NULL AND expires_at > ?2",
            rows::GRANT
        );
        let read = |row: &rusqlite::Row<'_>| rows::grant(row, 0);
        self.answer(move |c| rows::one(c, &sql, params![grant.as_str(), now], read))
    }

    fn grant_is_alive<'a>(&'a self, grant: &'a GrantId, now: i64) -> Answer<'a, bool> {
        let sql =
            "SELECT 1 FROM grants WHERE grant_id = ?1 AND revoked_at IS NULL AND expires_at > ?2";
        self.answer(move |c| {
            rows::one(c, sql, params![grant.as_str(), now], |_| Ok(())).map(|row| row.is_some())
        })
    }

    fn revoke_grant(&self, grant: GrantId, now: i64) -> Answer<'_, ()> {
        self.statement(move |c| {
            execute(
                c,
                "UPDATE grants SET revoked_at = ?2 WHERE grant_id = ?1 AND revoked_at IS NULL",
                params![grant.as_str(), now],
            )
            .map(drop)
        })
    }

    fn use_once(&self, hash: Digest, expires_at: i64) -> Answer<'_, bool> {
        let sql = "INSERT OR IGNORE INTO used_once (hash, expires_at) VALUES (?1, ?2)";
        self.statement(move |c| Ok(execute(c, sql, params![hash.as_bytes(), expires_at])? == 1))
    }

    fn checkpoint(&self) -> Answer<'_, ()> {
        Box::pin(self.connections.checkpoint())
    }

    fn signing_keys(&self) -> Answer<'_, Vec<StoredKey>> {
        self.answer(|c| rows::all(c, rows::SIGNING_KEYS, rows::signing_key))
    }

    fn insert_signing_key(&self, key: StoredKey) -> Answer<'_, ()> {
        self.statement(move |c| {
            rows::insert_signing_key(c, &key)
                .map(drop)
                .map_err(database)
        })
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
                // For an hour a device still hears that its code expired.
                "DELETE FROM device_codes WHERE expires_at + 3600 <= ?1",
            ];
            let removed = expired.into_iter().map(|sql| execute(c, sql, [now]));
            Ok(removed.sum::<Result<usize, _>>()? + access_tokens::purge(c, now)?)
        })
    }
}

pub(super) fn execute(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<usize, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params))
        .map_err(database)
}

fn conflict(error: rusqlite::Error, name: &str) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::Conflict(name.into()),
        _ => database(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite;

    fn fresh() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite3");
        (folder, path)
    }

    fn in_memory() -> SqliteStore {
        let (_folder, path) = fresh();
        SqliteStore::create(&path).unwrap().into_memory().unwrap()
    }

    #[tokio::test]
    async fn the_suite_every_store_must_pass() {
        let (_folder, path) = fresh();
        suite::run(&SqliteStore::create(&path).unwrap()).await;
    }

    #[tokio::test]
    async fn the_suite_in_memory() {
        suite::run(&in_memory()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_parallel_redemptions_one_wins() {
        let (_folder, path) = fresh();
        suite::one_code_one_winner(Arc::new(SqliteStore::create(&path).unwrap())).await;
        suite::one_code_one_winner(Arc::new(in_memory())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_parallel_refreshes_one_rotates() {
        let (_folder, path) = fresh();
        let store = SqliteStore::create(&path).unwrap();
        suite::one_refresh_token_one_successor(Arc::new(store)).await;
        suite::one_refresh_token_one_successor(Arc::new(in_memory())).await;
    }

    #[test]
    fn tokens_are_found_and_purged_by_their_numbers() {
        let mut connection = Connection::open_in_memory().unwrap();
        configure(&connection).unwrap();
        migrations::apply(&mut connection).unwrap();
        for query in [
            access_tokens::FIND,
            "DELETE FROM access_tokens WHERE number < ?1",
            refresh_tokens::ROTATE,
        ] {
            let explained = format!("EXPLAIN QUERY PLAN {query}");
            let mut explained = connection.prepare(&explained).unwrap();
            // Each step: a search in a table itself, and in nothing beside it.
            let mut steps = explained.raw_query();
            while let Some(step) = steps.next().unwrap() {
                let step: String = step.get(3).unwrap();
                let by_number =
                    step.contains("USING INTEGER PRIMARY KEY") || step.contains("SUBQUERY");
                assert!(by_number, "{step}");
            }
        }
    }

    #[tokio::test]
    async fn memory_begins_with_what_cannot_be_used_twice() {
        let (_folder, path) = fresh();
        let store = SqliteStore::create(&path).unwrap();
        let (user, client) = (suite::user("alice"), suite::client("web", None));
        store.insert_user(user.clone()).await.unwrap();
        store.insert_client(client.clone()).await.unwrap();
        let used = Digest::of("used");
        assert!(store.use_once(used, 100).await.unwrap());
        let memory = store.into_memory().unwrap();
        assert_eq!(memory.users().await.unwrap(), [user]);
        assert_eq!(memory.clients().await.unwrap(), [client]);
        memory.insert_user(suite::user("bob")).await.unwrap();
        drop(memory);
        let file = SqliteStore::open(&path).unwrap();
        assert_eq!(file.users().await.unwrap().len(), 1, "nothing goes back");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_parallel_registrations_as_many_win_as_there_are_uses() {
        let (_folder, path) = fresh();
        suite::one_use_one_client(Arc::new(SqliteStore::create(&path).unwrap())).await;
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_reopening() {
        let (_folder, path) = fresh();
        let store = SqliteStore::create(&path).unwrap();
        store.insert_user(suite::user("alice")).await.unwrap();
        drop(store);
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.users().await.unwrap(), [suite::user("alice")]);
    }

    #[tokio::test]
    async fn a_damaged_file_is_refused_and_left_alone() {
        let (_folder, path) = fresh();
        let store = SqliteStore::create(&path).unwrap();
        for number in 0..200 {
            store
                .insert_user(suite::user(&format!("user{number}")))
                .await
                .unwrap();
        }
        drop(store);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[..16].fill(b'x');
        let cases = [
            ("cut in the middle", whole[..whole.len() / 2].to_vec()),
            ("one page left", whole[..4096].to_vec()),
            ("part of a page", whole[..700].to_vec()),
            ("empty", Vec::new()),
            ("another header", flipped),
            ("text", b"not a database at all, only words".to_vec()),
        ];
        for (name, bytes) in cases {
            fs::write(&path, &bytes).unwrap();
            let error = SqliteStore::open(&path).unwrap_err();
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "{name}: {error}"
            );
            assert_eq!(
                fs::read(&path).unwrap(),
                bytes,
                "{name}: the file was touched"
            );
        }
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let (_folder, path) = fresh();
        drop(SqliteStore::create(&path).unwrap());
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", 999)
            .unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 999, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_not_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("absent")] {
            let error = SqliteStore::open(&path).unwrap_err();
            assert!(matches!(error, StoreError::Database(_)), "{error}");
            assert!(
                error.to_string().contains(&path.display().to_string()),
                "{error}"
            );
        }
    }

    #[test]
    fn an_older_schema_is_not_migrated_beside_a_server() {
        let (_folder, path) = fresh();
        drop(SqliteStore::create(&path).unwrap());
        drop(SqliteStore::open_beside(&path).unwrap());
        let version = |number: u32| {
            let connection = Connection::open(&path).unwrap();
            connection
                .pragma_update(None, "user_version", number)
                .unwrap();
        };
        version(migrations::known_version() - 1);
        let error = SqliteStore::open_beside(&path).unwrap_err();
        assert!(matches!(error, StoreError::Older { .. }), "{error}");
    }

    #[test]
    fn a_foreign_database_is_refused() {
        let (_folder, path) = fresh();
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE theirs (x)")
            .unwrap();
        assert!(matches!(
            SqliteStore::open(&path).unwrap_err(),
            StoreError::Damaged { .. }
        ));
    }

    #[test]
    fn an_existing_file_is_not_created_over() {
        let (_folder, path) = fresh();
        fs::write(&path, b"precious").unwrap();
        assert!(SqliteStore::create(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
