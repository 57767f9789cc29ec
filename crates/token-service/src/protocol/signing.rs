//! Where the signatures of tokens are computed, so that the threads that answer requests go on answering.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use stampmill_jose::{Algorithm, Backend, BatchLimits, BatchSigner, JoseError, SigningKey};

use super::Service;
use super::error::OAuthError;

/// Who computes RSA signatures, and where.
pub(crate) enum Signatures {
    /// OpenSSL, each on a thread that may be held.
    OpenSsl,
    /// `stampmill-rsa`: what waits goes through the processor's eight lanes together.
    Stampmill(BatchSigner),
}

impl Signatures {
    /// Starts what the backend needs.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub(crate) fn new(backend: Backend) -> io::Result<Signatures> {
        match backend {
            Backend::Stampmill => {
                BatchSigner::new(BatchLimits::default()).map(Signatures::Stampmill)
            }
            _ => Ok(Signatures::OpenSsl),
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Signatures::OpenSsl => Backend::OpenSsl,
            Signatures::Stampmill(_) => Backend::Stampmill,
        }
    }
}

impl Service {
    /// A token of type `typ`, signed by today's key for the algorithm.
    pub(super) async fn sign(
        &self,
        algorithm: Algorithm,
        typ: &'static str,
        claims: impl Serialize + Send + 'static,
    ) -> Result<String, OAuthError> {
        let key = self.signer(algorithm)?;
        let signed = match &*self.signatures {
            // Elliptic curves take some ten microseconds: less than to hand them over.
            _ if algorithm.key_type() != "RSA" => key.sign_jwt(typ, &claims),
            Signatures::Stampmill(signer) => key.sign_jwt_in_batch(signer, typ, &claims).await,
            Signatures::OpenSsl => return on_another_thread(key, typ, claims).await,
        };
        signed.map_err(|error| failed(&error))
    }

    fn signer(&self, algorithm: Algorithm) -> Result<Arc<SigningKey>, OAuthError> {
        let signer = self.keys.ring().signer(algorithm, self.now());
        signer.ok_or_else(|| {
            tracing::error!(alg = algorithm.name(), "there is no signing key");
            OAuthError::SERVER_ERROR
        })
    }
}

/// Off the async threads: one RSA signature is about half a millisecond of arithmetic.
async fn on_another_thread(
    key: Arc<SigningKey>,
    typ: &'static str,
    claims: impl Serialize + Send + 'static,
) -> Result<String, OAuthError> {
    let signed: Result<Result<String, JoseError>, _> =
        tokio::task::spawn_blocking(move || key.sign_jwt(typ, &claims)).await;
    match signed {
        Ok(signed) => signed.map_err(|error| failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &dyn std::error::Error) -> OAuthError {
    tracing::error!(%error, "signing failed");
    OAuthError::SERVER_ERROR
}
