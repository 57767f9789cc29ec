//! UserInfo (OIDC Core §5.3): what the person's scopes let the client know, for an access token.

use serde::Serialize;
use serde_json::{Map, Value};
use stampmill_jose::DpopExpectations;

use super::Service;
use super::claims;
use super::error::{ErrorCode, OAuthError};
use super::live_token::LiveToken;
use super::paths;
use super::tokens::AccessTokenClaims;
use crate::domain::{GrantId, Scope};
use crate::secret::Secret;

/// The answer: `sub`, and what scopes and `claims` asked for (OIDC Core §5.4, §5.5).
#[derive(Debug, Serialize)]
pub(crate) struct UserInfo {
    sub: String,
    #[serde(flatten)]
    person: Map<String, Value>,
}

/// The answer as the client registered for it (OIDC Core §5.3.2).
#[derive(Debug)]
pub(crate) enum UserInfoAnswer {
    /// Plain.
    Json(UserInfo),
    /// Signed.
    Jwt(String),
}

/// §5.3.2: signed, it names its issuer and whom it is for.
#[derive(Serialize)]
struct SignedUserInfo {
    iss: String,
    aud: String,
    #[serde(flatten)]
    claims: UserInfo,
}

/// Why there is no answer (RFC 6750 §3.1).
#[derive(Debug)]
pub(crate) enum BearerError {
    /// No token: a bare challenge, no error code.
    Missing,
    /// A token, and this is wrong with it.
    Refused(OAuthError),
}

const INVALID: OAuthError =
    OAuthError::new(ErrorCode::InvalidToken, "the access token is not valid");
const NO_OPENID: OAuthError = OAuthError::new(
    ErrorCode::InsufficientScope,
    "the access token has no openid scope",
);

impl Service {
    /// Answers a UserInfo request.
    pub(crate) async fn userinfo(
        &self,
        request: Option<&ResourceRequest>,
    ) -> Result<UserInfoAnswer, BearerError> {
        let request = request.ok_or(BearerError::Missing)?;
        self.claims_of(request).await.map_err(BearerError::Refused)
    }

    async fn claims_of(&self, request: &ResourceRequest) -> Result<UserInfoAnswer, OAuthError> {
        let Some(LiveToken::Jwt(claims) | LiveToken::Opaque(_, claims)) =
            self.live_access_token(request.token.expose()).await?
        else {
            return Err(INVALID);
        };
        // A token for another resource is not for us (RFC 9068 §4).
        if claims.aud != self.resources.own().resource.as_str() {
            return Err(INVALID);
        }
        self.check_binding(request, &claims).await?;
        let scope: Scope = claims.scope.parse().map_err(|_| INVALID)?;
        if !scope.contains("openid") {
            return Err(NO_OPENID);
        }
        // The grant knows who it was; the token tells what this client calls them.
        let grant = claims.grant_id.map(GrantId::from_text).ok_or(INVALID)?;
        let grant = self.store.grant(&grant, self.now()).await?.ok_or(INVALID)?;
        let user = self.store.user(&grant.user).await?.ok_or(INVALID)?;
        let client = self.store.client(&grant.client).await?.ok_or(INVALID)?;
        let answer = UserInfo {
            sub: claims.sub,
            person: claims::for_userinfo(&user, &client, &scope, &grant.claims),
        };
        let Some(algorithm) = client.userinfo_alg else {
            return Ok(UserInfoAnswer::Json(answer));
        };
        let signed = SignedUserInfo {
            iss: self.issuer().to_owned(),
            aud: client.id.to_string(),
            claims: answer,
        };
        let jwt = self.sign(algorithm, "JWT", signed).await?;
        Ok(UserInfoAnswer::Jwt(jwt))
    }

    /// RFC 9449 §7: a bound token comes with a proof of its key, and never as a bearer token; one that is not bound comes
    /// as a bearer token.
    async fn check_binding(
        &self,
        request: &ResourceRequest,
        claims: &AccessTokenClaims,
    ) -> Result<(), OAuthError> {
        match (&claims.cnf, &request.proof) {
            (None, None) => Ok(()),
            (Some(_), Some(proof)) => {
                let uri = self.issuer.address(paths::USERINFO);
                let expect = DpopExpectations::new(request.method, &uri)
                    .with_access_token(request.token.expose());
                let jkt = self.check_proof(proof, &expect).await?;
                // Bound by anything else than the key of a proof, it is refused: what cannot be checked does not hold.
                if claims.jkt() == Some(jkt.as_str()) {
                    Ok(())
                } else {
                    Err(INVALID)
                }
            }
            _ => Err(INVALID),
        }
    }
}

/// An access token, and how it came.
#[derive(Debug)]
pub(crate) struct ResourceRequest {
    pub(crate) token: Secret,
    /// The proof, where the scheme was `DPoP`.
    pub(crate) proof: Option<String>,
    pub(crate) method: &'static str,
}
