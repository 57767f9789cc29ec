//! What the tokens say: access tokens in the JWT profile of RFC 9068 (signed, or kept here under a reference), ID tokens
//! of OIDC Core §2.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stampmill_jose::{JwtError, base64url, verify_jws};

use super::Service;
use super::claims;
use super::error::{ErrorCode, OAuthError};
use super::token::{Asking, Ticket, TokenResponse};
use crate::clock::random_bytes;
use crate::domain::{Client, ResourceServer, TokenFormat};
use crate::handle::{HandleKind, Place};
use crate::secret::{Digest, Secret};
use crate::store::{FoundToken, OpaqueToken};

/// RFC 9068 §2.2: what an access token says, be it signed (a JWT) or kept here (opaque).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccessTokenClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) client_id: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) scope: String,
    /// When the person signed in (RFC 9068 §2.2.1); absent where nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_time: Option<i64>,
    /// Ours: the grant this token came from. Who asks us learns whether it still stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grant_id: Option<String>,
    /// The key whose proof the bearer must bring (RFC 7800 §3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cnf: Option<Value>,
}

/// How everybody signs in here: a name and a password, over TLS. A value other servers know, too (OASIS SAML 2.0
/// Authentication Context §3.4.9; OIDC Core §2 wants a URI or a registered name).
pub(crate) const ACR: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";

/// The same in the words of RFC 8176 §2.
const AMR: &[&str] = &["pwd"];

/// OIDC Core §2. `aud` is the one client, so there is no `azp`.
#[derive(Serialize)]
struct IdTokenClaims {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    /// Required with `max_age`, welcome without.
    auth_time: i64,
    acr: &'static str,
    amr: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    /// The session, by the name this client knows it (Front-Channel Logout 1.0 §3).
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// OIDC Core §3.1.3.6: of the access token that came along.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    /// OIDC Core §3.3.2.11: of the code that came along.
    #[serde(skip_serializing_if = "Option::is_none")]
    c_hash: Option<String>,
    /// OIDC Core §5.5: what `claims` asked for here.
    #[serde(flatten)]
    person: Map<String, Value>,
}

/// What an ID token says when it comes back as `id_token_hint`.
pub(super) struct IdTokenHint {
    /// The person.
    pub(super) subject: String,
    /// The client it was issued to.
    pub(super) audience: String,
    /// The session, if it was issued in one.
    pub(super) sid: Option<String>,
}

impl AccessTokenClaims {
    /// The thumbprint of the key the token is bound to (RFC 9449 §6.1).
    pub(crate) fn jkt(&self) -> Option<&str> {
        self.cnf.as_ref()?.get("jkt")?.as_str()
    }

    /// With the scope that its client may still have.
    pub(super) fn as_of_now(mut self, client: &Client) -> AccessTokenClaims {
        let may = |token: &str| client.scope.contains(token);
        if !self.scope.split(' ').all(may) {
            let left: Vec<_> = self.scope.split(' ').filter(|token| may(token)).collect();
            self.scope = left.join(" ");
        }
        self
    }
}

impl Service {
    /// The answer, once every step has been walked: an access token, and an ID token where `openid` was granted.
    pub(super) async fn issue(&self, asking: Asking<'_>) -> Result<TokenResponse, OAuthError> {
        let (access_token, expires_in) = self.issue_access_token(&asking).await?;
        let id_token = match self.id_token_claims(&asking).await? {
            Some(id) => Some(
                self.sign_id_token(&asking.client, id, Some(&access_token), None)
                    .await?,
            ),
            None => None,
        };
        Ok(TokenResponse {
            access_token,
            token_type: match asking.jkt {
                Some(_) => "DPoP",
                None => "Bearer",
            },
            expires_in,
            scope: (!asking.scope.is_empty()).then(|| asking.token_scope.to_string()),
            id_token,
            refresh_token: asking.refresh_token.map(|token| token.expose().to_owned()),
        })
    }

    /// An access token and the seconds it lives.
    pub(super) async fn issue_access_token(
        &self,
        asking: &Asking<'_>,
    ) -> Result<(String, i64), OAuthError> {
        if asking.resource.format == TokenFormat::Opaque {
            return self.issue_opaque_token(asking).await;
        }
        let access = self.access_token_claims(asking, self.fresh_jti());
        let expires_in = access.exp - access.iat;
        let token = self.sign(asking.resource.signing_alg, "at+jwt", access);
        Ok((token.await?, expires_in))
    }

    /// An ID token alone, with the hashes of what comes along.
    pub(super) async fn issue_id_token(
        &self,
        asking: &Asking<'_>,
        access_token: Option<&str>,
        code: Option<&str>,
    ) -> Result<String, OAuthError> {
        let claims = self.id_token_claims(asking).await?;
        let claims = claims.ok_or(OAuthError::SERVER_ERROR)?;
        self.sign_id_token(&asking.client, claims, access_token, code)
            .await
    }

    /// What the ID token will say, its hashes aside; `None` without a person or without the scope `openid`.
    async fn id_token_claims(
        &self,
        asking: &Asking<'_>,
    ) -> Result<Option<IdTokenClaims>, OAuthError> {
        let ticket = asking.ticket.as_ref();
        let Some(ticket) = ticket.filter(|_| asking.brings_id_token()) else {
            return Ok(None);
        };
        let (grant, now) = (ticket.grant(), self.now());
        let mut person = Map::new();
        if !grant.claims.id_token.is_empty()
            && let Some(user) = self.store.user(&grant.user).await?
        {
            person = claims::for_id_token(&user, &asking.client, &grant.claims);
        }
        Ok(Some(IdTokenClaims {
            iss: self.issuer().to_owned(),
            sub: self.subject(&asking.client, &grant.user),
            aud: asking.client.id.to_string(),
            iat: now,
            exp: now + self.policy.id_token_lifetime(),
            auth_time: grant.auth_time,
            acr: ACR,
            amr: AMR,
            nonce: ticket.nonce().map(str::to_owned),
            sid: grant
                .session
                .as_ref()
                .map(|session| self.sid(session, &asking.client.id)),
            at_hash: None,
            c_hash: None,
            person,
        }))
    }

    /// A name for a token, with 128 random bits.
    pub(super) fn fresh_jti(&self) -> String {
        base64url::encode(random_bytes::<16>(&*self.random))
    }

    /// Seconds an access token for the resource lives.
    fn access_token_lifetime(&self, resource: &ResourceServer) -> i64 {
        let of_all = self.policy.access_token_lifetime();
        resource.access_token_lifetime.unwrap_or(of_all)
    }

    /// What the access token of that name will say.
    pub(super) fn access_token_claims(
        &self,
        asking: &Asking<'_>,
        jti: String,
    ) -> AccessTokenClaims {
        let (now, client) = (self.now(), &asking.client);
        let grant = asking.ticket.as_ref().map(Ticket::grant);
        // RFC 9068 §2.2: `sub` is the client where no person takes part.
        let sub = match grant {
            None => client.id.to_string(),
            Some(grant) => self.subject(client, &grant.user),
        };
        AccessTokenClaims {
            iss: self.issuer().to_owned(),
            sub,
            aud: asking.resource.resource.to_string(),
            client_id: client.id.to_string(),
            iat: now,
            exp: now + self.access_token_lifetime(&asking.resource),
            jti,
            scope: asking.token_scope.to_string(),
            auth_time: grant.map(|grant| grant.auth_time),
            grant_id: grant.map(|grant| grant.id.to_string()),
            cnf: asking.jkt.as_ref().map(|jkt| json!({ "jkt": jkt })),
        }
    }

    /// An opaque token: a handle for the client, what it says under the handle's number for us.
    async fn issue_opaque_token(&self, asking: &Asking<'_>) -> Result<(String, i64), OAuthError> {
        let secret = Secret::generate(&*self.random);
        let hash = Digest::of(secret.expose());
        let now = self.now();
        let (resource, ticket) = (&asking.resource, asking.ticket.as_ref());
        let expires_in = self.access_token_lifetime(resource);
        let token = OpaqueToken {
            grant: ticket.map(|ticket| ticket.grant().id.clone()),
            client: asking.client.id.clone(),
            audience: resource.resource.to_string(),
            scope: asking.token_scope.to_string(),
            issued_at: now,
            expires_at: now + expires_in,
            jkt: asking.jkt.clone(),
        };
        const GONE: OAuthError = OAuthError::new(ErrorCode::InvalidGrant, "the grant has gone");
        let number = self.store.insert_access_token(hash, token).await?;
        let place = Place {
            number: number.ok_or(GONE)?,
            generation: 0,
        };
        let token = self.handles.write(HandleKind::AccessToken, place, &secret);
        Ok((token.expose().to_owned(), expires_in))
    }

    /// What was kept of an opaque token, as a JWT would say it; `None` if its client has gone in this moment.
    pub(super) async fn claims_of_opaque(
        &self,
        hash: Digest,
        found: FoundToken,
    ) -> Result<Option<AccessTokenClaims>, OAuthError> {
        let FoundToken { token, person } = found;
        let Some(client) = self.store.client(&token.client).await? else {
            return Ok(None);
        };
        let sub = match &person {
            None => token.client.to_string(),
            Some(person) => self.subject(&client, &person.user),
        };
        let claims = AccessTokenClaims {
            iss: self.issuer().to_owned(),
            sub,
            aud: token.audience,
            client_id: token.client.to_string(),
            iat: token.issued_at,
            exp: token.expires_at,
            jti: jti_of(hash),
            scope: token.scope,
            auth_time: person.map(|person| person.auth_time),
            grant_id: token.grant.map(|grant| grant.to_string()),
            cnf: token.jkt.map(|jkt| json!({ "jkt": jkt })),
        };
        Ok(Some(claims.as_of_now(&client)))
    }

    /// OIDC Core §3.1.3.6, §3.3.2.11: `at_hash` and `c_hash` by the hash of the ID token's own algorithm.
    async fn sign_id_token(
        &self,
        client: &Client,
        id: IdTokenClaims,
        access_token: Option<&str>,
        code: Option<&str>,
    ) -> Result<String, OAuthError> {
        let hash = |text| client.id_token_alg.left_half_hash(text);
        let claims = IdTokenClaims {
            at_hash: access_token.map(hash),
            c_hash: code.map(hash),
            ..id
        };
        self.sign(client.id_token_alg, "JWT", claims).await
    }

    /// A signed answer for a client: a JWT of another type than the tokens.
    pub(super) async fn sign_answer(
        &self,
        client: &Client,
        typ: &'static str,
        claims: impl Serialize + Send + 'static,
    ) -> Result<String, OAuthError> {
        self.sign(client.id_token_alg, typ, claims).await
    }

    /// `sub` of an ID token we issued (OIDC Core §3.1.2.1).
    pub(crate) fn subject_of_hint(&self, token: &str) -> Option<String> {
        self.id_token_hint(token).map(|hint| hint.subject)
    }

    /// Whom an ID token we issued names, even one that has expired since: the signature must hold, `exp` need not.
    pub(super) fn id_token_hint(&self, token: &str) -> Option<IdTokenHint> {
        let jws = verify_jws(token, &self.jwks()).ok()?;
        // An access token is no ID token, though the same key signed it.
        let is_id_token = jws
            .header()
            .typ
            .as_deref()
            .is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        let claims = jws.claims().ok()?;
        let claim = |name| claims.get(name)?.as_str();
        let ours = is_id_token && claim("iss") == Some(self.issuer());
        ours.then_some(IdTokenHint {
            subject: claim("sub")?.to_owned(),
            audience: claim("aud")?.to_owned(),
            sid: claim("sid").map(str::to_owned),
        })
    }
}

/// What an ID token says that is signed by a key we have no more, or never had.
pub(super) struct UnvouchedHint {
    /// The client it says it was issued to.
    pub(super) audience: String,
}

impl Service {
    /// Whether a token says that it is an ID token of ours, and names a key that we do not have: one that was withdrawn, or let
    /// go long since. Anybody could have written it, so it shows nothing but which client the asker means; yet an honest
    /// client has no better one.
    pub(super) fn unvouched_hint(&self, token: &str) -> Option<UnvouchedHint> {
        let Err(JwtError::UnknownKeyId { .. }) = verify_jws(token, &self.jwks()) else {
            return None;
        };
        let mut parts = token.split('.');
        let mut object = || -> Option<Value> {
            serde_json::from_slice(&base64url::decode(parts.next()?).ok()?).ok()
        };
        let (header, claims) = (object()?, object()?);
        let is_id_token = match header.get("typ") {
            None => true,
            Some(typ) => typ.as_str()?.eq_ignore_ascii_case("JWT"),
        };
        let ours = is_id_token && claims.get("iss")?.as_str() == Some(self.issuer());
        let audience = claims.get("aud")?.as_str()?.to_owned();
        ours.then_some(UnvouchedHint { audience })
    }
}

/// The name of an opaque token: half of its hash, which finds nothing and tells nothing of the token.
fn jti_of(hash: Digest) -> String {
    base64url::encode(&hash.as_bytes()[..16])
}
