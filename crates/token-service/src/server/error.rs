//! Why a server does not start.

use std::net::SocketAddr;

use openssl::error::ErrorStack;

use crate::authority::AuthorityError;
use crate::config_file::ConfigFileError;
use crate::data_folder::DataFolderError;
use crate::domain::IssuerError;
use crate::keyring::KeysError;

/// Why the server did not start. Nothing listens then. The folder may have changed: by then it can have the clients and people of
/// the configuration, signing keys, the address that certificates point at, and another TLS certificate. All of it is what the next
/// start would make of it, too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port is taken, or not ours to take.
    #[error("cannot listen on {address}: {}", explain_bind(error))]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Plain HTTP for others to hear.
    #[error(
        "{address} is not a loopback address: plain HTTP is for a proxy on this machine (127.0.0.1 or ::1); others must use TLS"
    )]
    PlainBeyondLoopback {
        /// Where.
        address: SocketAddr,
    },
    /// What others are answered has to be kept.
    #[error(
        "store = \"memory\" forgets what was answered, which is for tests on this machine: {address} is for others, too; use store = \"file\""
    )]
    MemoryBeyondLoopback {
        /// What the server listens on, or its issuer.
        address: String,
    },
    /// Certificates cannot point at every address.
    #[error(
        "certificates have to say where their status is found: {address} does not; give `url` in [authority]"
    )]
    AuthorityUrlNeeded {
        /// Where the authority's routes would be.
        address: SocketAddr,
    },
    /// The authority's routes.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// An address that is nobody's name.
    #[error(
        "the issuer must be given (--issuer https://host[:port][/path]): what the server listens on does not say how clients reach it"
    )]
    IssuerNeeded,
    /// Not an issuer identifier.
    #[error("{issuer:?} cannot be the issuer: {reason}")]
    Issuer {
        /// What was given.
        issuer: String,
        /// What is wrong.
        reason: IssuerError,
    },
    /// The configuration file: it counts on a client that is not there.
    #[error(transparent)]
    Configuration(#[from] ConfigFileError),
    /// Another configuration for a running server has none of what it had.
    #[error(
        "the file names no clients and no people any more, and it did: one that is just being written can look so; only a restart takes such a file"
    )]
    NobodyLeft,
    /// Two clients of one id.
    #[error(
        "the client {client_id:?} of the configuration is registered already: choose another client_id"
    )]
    ClientTaken {
        /// Which.
        client_id: String,
    },
    /// Two people of one name.
    #[error(
        "the user {username:?} of the configuration was added before by other means: choose another username"
    )]
    UserTaken {
        /// Which.
        username: String,
    },
    /// No thread to sign on.
    #[error("cannot start the threads that sign: {0}")]
    Threads(std::io::Error),
    /// The folder.
    #[error(transparent)]
    Data(#[from] DataFolderError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(ErrorStack),
    /// A socket that is no socket.
    #[error("the listening socket failed: {0}")]
    Socket(std::io::Error),
}

impl From<ErrorStack> for StartError {
    /// Not by `#[from]`: the text tells what OpenSSL said, and a `source` would tell it once more.
    fn from(error: ErrorStack) -> StartError {
        StartError::Tls(error)
    }
}

fn explain_bind(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "the port is in use, perhaps by another server; choose another with --listen".into()
        }
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges; choose another with --listen".into()
        }
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        _ => error.to_string(),
    }
}
