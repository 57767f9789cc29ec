//! The authorization server: OAuth 2 and OpenID Connect, strict, durable, on one file (or in memory, for tests on loopback).
//!
//! A *client* (some application) wants to act for a *person*. It must not learn the person's password, so it sends
//! their browser here. The person signs in and allows it; the browser carries a one-time *code* back; the client
//! redeems the code for *tokens* over a channel of its own. Everything hard about this is in the word "browser": what
//! passes through it can be read, replayed and forged by others, and each rule below closes one such way.
//!
//! ```text
//!  browser                      token service                        client
//!    │ GET /authorize?client_id, redirect_uri, state, code_challenge ◀──│ sends the browser here
//!    │─────────────────────────▶│ who asks? where may the answer go? is the request good?
//!    │◀── sign-in page ─────────│
//!    │─── name, password ──────▶│ argon2id, a new session
//!    │◀── consent page ─────────│
//!    │─── allow ───────────────▶│ a code, bound to client, redirect URI, challenge, nonce, person; 60 s; its hash is stored
//!    │◀── 303 redirect_uri?code, state, iss ──────────────────────────▶│
//!    │                          │◀── POST /token: code, code_verifier, client secret
//!    │                          │ spend the code (one atomic statement), sign
//!    │                          │──▶ access token (at+jwt), ID token ──▶│
//!    │                          │◀── GET /userinfo, GET /api/me ────────│
//! ```
//!
//! # How a request travels
//! ```text
//! listener      TLS handshake, limits, timeouts; the certificate is exchanged while connections stand
//!    ▼
//! http          reads the request, gives the answer its shape; pages are plain HTML, and all but three without script
//!    ▼
//! protocol      one file an endpoint or grant, named after its RFC; its steps are a table: authorization.rs, token.rs
//!    ▼
//! domain        clients, people, sessions, grants, codes: types that cannot hold an illegal state
//!    ▼
//! store         one trait; SQLite: in a file with a writer thread that commits in groups, or in memory
//! ```
//! Time, randomness and the store come in from outside, so every rule is tested without waiting, luck or a socket.
//! Every rule asks one [`Policy`]: [`Policy::strict`], as far as a [`ConfigFile`] does not change what it may.
//!
//! Beside all that, where the configuration has a table `[authority]`, the folder's certificate authority serves others
//! ([`AuthoritySettings`]): ACME, certificates, CRL, OCSP.
//!
//! # What is kept, and how
//! Codes, refresh tokens, opaque access tokens, session cookies and the browser's own cookie are 256 random bits; the store
//! keeps their SHA-256 ([`secret::Digest`]). The first three say beside it where their row is ([`handle`]). Client secrets and signing keys are sealed under a key beside the database
//! ([`secret::SealingKey`]), passwords hashed with argon2id ([`password`]), and wrong ones are answered ever more slowly.
//! JWTs are not kept at all: what can be revoked is their `jti` and the *grant* they name, which UserInfo, introspection and
//! `/api/me` look up. A resource server that does not ask us accepts a revoked JWT until it expires, ten minutes at most; one
//! that cannot live with that is configured for opaque tokens and asks.
//!
//! # Example
//! A server on a free port, and what a client would read first:
//! ```
//! use stampmill_token_service::{Config, DataFolder, Listen, Server};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! # let folder = scratch.path().join("data");
//! let (data, first_start) = DataFolder::open_or_create(&folder)?;
//! let first_start = first_start.ok_or("the folder was new")?;
//! assert_eq!((first_start.client_id.as_str(), first_start.username.as_str()), ("demo", "alice"));
//!
//! let mut config = Config::new(data);
//! config.listen = Some(Listen::Localhost(0));
//! let server = Server::start(config).await?;
//! assert!(server.issuer().starts_with("https://localhost:"));
//! server.shutdown().await;
//!
//! // The same folder again: nothing is lost, and nothing secret is told twice.
//! let (_data, second_start) = DataFolder::open_or_create(&folder)?;
//! assert!(second_start.is_none());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod admin;
mod authority;
mod certificates;
pub mod clock;
mod config_file;
mod courier;
mod data_folder;
pub mod domain;
mod folder_lock;
pub mod handle;
mod http;
mod keyring;
mod listener;
pub mod password;
pub mod policy;
pub mod protocol;
mod reload;
pub mod secret;
mod server;
mod staple;
pub mod store;
mod throttle;

pub use admin::{Admin, AdminError, NewUser, password_hash};
pub use authority::{AuthorityError, AuthoritySettings};
pub use certificates::RenewalError;
pub use config_file::{ConfigFile, ConfigFileError, Settings, Storage};
pub use data_folder::{DataFolder, DataFolderError, FirstStart};
pub use keyring::{KEPT_AFTER, KeysError, PUBLISHED_AHEAD, WithdrawnKey};
pub use policy::Policy;
pub use protocol::RegistrationRules;
pub use server::{Config, Listen, ListenError, RunningServer, Server, StartError};
pub use stampmill_jose::Backend;

#[cfg(test)]
mod tests;
