//! The device authorization endpoint (RFC 8628 §3.1, §3.2): a device asks for two codes, one for itself, one to show.

use serde::Serialize;

use super::client_request::ClientRequest;
use super::error::{ErrorCode, OAuthError};
use super::{Service, paths, resource};
use crate::domain::{Client, DeviceRequest, GrantType, Scope, UserCode};
use crate::secret::{Digest, Secret};
use crate::store::StoreError;

/// How many device codes of one client may wait for a person or for the device. Each stands for ten minutes at most: that is
/// sixteen devices a second, and 3 MB of rows.
const MOST_OF_A_CLIENT: i64 = 10_000;

/// §3.2.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceAuthorization {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: i64,
    interval: i64,
}

impl Service {
    /// Answers a device authorization request.
    pub(crate) async fn authorize_device(
        &self,
        request: &ClientRequest,
    ) -> Result<DeviceAuthorization, OAuthError> {
        const NOT_THIS_CLIENT: OAuthError = OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "this client is not registered for the device_code grant",
        );
        request.parameters.refuse_repeats()?;
        let client = self.authenticate_client(request).await?;
        if !client.may(GrantType::DeviceCode) {
            return Err(NOT_THIS_CLIENT);
        }
        let scope = asked_scope(&client, request.parameters.one("scope")?)?;
        let resources = resource::asked(self, &request.parameters)?;
        // The person is asked for what a token will carry.
        let scope = self.resources.grantable(&resources, &scope);
        if scope.is_empty() {
            return Err(resource::NO_SUCH_SCOPE);
        }
        let device_code = Secret::generate(&*self.random);
        let expires_at = self.now() + self.policy.device_code_lifetime();
        let hash = Digest::of(device_code.expose());
        let user_code = self
            .record(hash, |user_code| DeviceRequest {
                user_code,
                client: client.id.clone(),
                scope: scope.clone(),
                resources: resources.clone(),
                expires_at,
            })
            .await?;
        let verification_uri = self.issuer.address(paths::DEVICE);
        tracing::info!(client_id = %client.id, "device code issued");
        Ok(DeviceAuthorization {
            device_code: device_code.expose().to_owned(),
            verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
            user_code: user_code.to_string(),
            verification_uri,
            expires_in: self.policy.device_code_lifetime(),
            interval: self.policy.device_poll_interval(),
        })
    }

    /// Writes the request under a user code that no other has at the time.
    async fn record(
        &self,
        hash: Digest,
        request: impl Fn(UserCode) -> DeviceRequest,
    ) -> Result<UserCode, OAuthError> {
        const TRIES: usize = 4;
        const FULL: OAuthError = OAuthError::new(
            ErrorCode::TemporarilyUnavailable,
            "too many device codes of this client are waiting; try again later",
        );
        let now = self.now();
        let interval = self.policy.device_poll_interval();
        for _ in 0..TRIES {
            let code = UserCode::generate(&*self.random);
            let written = self.store.insert_device_request(
                hash,
                request(code.clone()),
                interval,
                MOST_OF_A_CLIENT,
                now,
            );
            match written.await {
                Ok(true) => return Ok(code),
                Ok(false) => return Err(FULL),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        tracing::error!("no user code was free");
        Err(OAuthError::SERVER_ERROR)
    }
}

/// What the client asks of what it is registered for; without `scope`, all of it. The person sees it before they allow
/// it, which is the consent that `offline_access` needs.
fn asked_scope(client: &Client, asked: Option<&str>) -> Result<Scope, OAuthError> {
    const ILLEGAL: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "scope is too long, or has a character that RFC 6749 section 3.3 does not allow",
    );
    const NOTHING_LEFT: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "none of the scopes is registered for this client",
    );
    let scope = match asked {
        None => client.scope.clone(),
        Some(text) => {
            let asked: Scope = text.parse().map_err(|_| ILLEGAL)?;
            asked.retain(|token| client.scope.contains(token))
        }
    };
    let refreshes = client.may(GrantType::RefreshToken);
    let scope = scope.retain(|token| refreshes || token != Scope::OFFLINE_ACCESS);
    if scope.is_empty() {
        Err(NOTHING_LEFT)
    } else {
        Ok(scope)
    }
}
