//! DPoP (RFC 9449): tokens that are worth something only with a key.

use stampmill_jose::{DpopExpectations, JwtError, unverified_claim, verify_dpop_proof};

use super::authorization::AuthorizationRequest;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::token::{Asking, Ticket};
use super::{Service, paths};
use crate::secret::Digest;

pub(super) const INVALID: OAuthError = OAuthError::new(
    ErrorCode::InvalidDpopProof,
    "the DPoP proof is missing, invalid, for another request, too old or used",
);

pub(super) const USE_NONCE: OAuthError = OAuthError::new(
    ErrorCode::UseDpopNonce,
    "the DPoP proof needs the nonce of the DPoP-Nonce header",
);

/// Seconds after which there is a new nonce; the one before counts as long again.
const NONCE_SECONDS: i64 = 120;

/// §8: asked before anything of the request is used up, be it a code or the client's assertion, so that the same can be sent
/// again with the nonce. What is looked at here is not believed yet.
pub(super) fn nonce_is_there(service: &Service, proofs: &[String]) -> Result<(), OAuthError> {
    let [proof] = proofs else {
        return Ok(());
    };
    if !service.policy.dpop_nonces() {
        return Ok(());
    }
    match unverified_claim(proof, "nonce") {
        Some(nonce) if service.dpop_nonces().contains(&nonce) => Ok(()),
        _ => Err(USE_NONCE),
    }
}

/// `dpop_jkt` (§10): the key that will have to prove itself when the code is redeemed.
pub(super) fn key_is_named(
    _: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const NO_THUMBPRINT: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "dpop_jkt is not the base64url form of a SHA-256 thumbprint",
    );
    let jkt = parameters.one("dpop_jkt")?;
    let is_thumbprint =
        |jkt: &str| stampmill_jose::base64url::decode(jkt).is_ok_and(|bytes| bytes.len() == 32);
    if jkt.is_some_and(|jkt| !is_thumbprint(jkt)) {
        return Err(NO_THUMBPRINT);
    }
    request.dpop_jkt = jkt.map(str::to_owned);
    Ok(())
}

/// §5: the proof at the token endpoint, if there is one, and there must be for a client that registered so.
pub(super) async fn proof(service: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    asking.jkt = match asking.dpop {
        [] if asking.client.dpop_bound => return Err(INVALID),
        [] => None,
        // §4.3: "there is not more than one DPoP HTTP request header field".
        [proof] => {
            let uri = service.issuer.address(paths::TOKEN);
            let expect = DpopExpectations::new("POST", &uri);
            Some(service.check_proof(proof, &expect).await?)
        }
        _ => return Err(INVALID),
    };
    Ok(())
}

/// §10, §5: a code bound by `dpop_jkt`, and a public client's refresh token, need their own key.
pub(super) fn key_is_the_bound_one(_: &Service, asking: &Asking<'_>) -> Result<(), OAuthError> {
    const ANOTHER: OAuthError = OAuthError::new(
        ErrorCode::InvalidGrant,
        "this is bound to another key than the DPoP proof shows",
    );
    let bound_to = match &asking.ticket {
        Some(Ticket::Code(_, code) | Ticket::CodeToBe(code)) => code.dpop_jkt.as_ref(),
        Some(Ticket::Refresh(_, token)) => token.dpop_jkt.as_ref(),
        Some(Ticket::Device(..)) | None => None,
    };
    if bound_to.is_none() || bound_to == asking.jkt.as_ref() {
        Ok(())
    } else {
        Err(ANOTHER)
    }
}

impl Service {
    /// Verifies a proof and uses its `jti` up (§11.1); gives the key's thumbprint.
    pub(super) async fn check_proof(
        &self,
        proof: &str,
        expect: &DpopExpectations<'_>,
    ) -> Result<String, OAuthError> {
        let nonces = self.policy.dpop_nonces().then(|| self.dpop_nonces());
        let nonces: Vec<&str> = nonces.iter().flatten().map(String::as_str).collect();
        let expect = &expect.clone().with_nonces(&nonces);
        let proven = verify_dpop_proof(proof, expect, self.now()).map_err(|reason| {
            tracing::info!(%reason, "DPoP proof refused");
            match reason {
                JwtError::Nonce => USE_NONCE,
                _ => INVALID,
            }
        })?;
        let used = Digest::of(&format!("dpop proof:{}:{}", proven.jkt, proven.jti));
        let expires_at = proven.iat + expect.max_age_seconds + expect.leeway_seconds + 1;
        if self.store.use_once(used, expires_at).await? {
            Ok(proven.jkt)
        } else {
            tracing::warn!("a DPoP proof was used twice");
            Err(INVALID)
        }
    }

    /// The nonces that count now, the newest first (§8). Nothing is stored: each is computed from the minutes it is for.
    pub(crate) fn dpop_nonces(&self) -> [String; 2] {
        let stretch = self.now().div_euclid(NONCE_SECONDS);
        [stretch, stretch - 1]
            .map(|stretch| self.sealing.pseudonym("dpop nonce", &stretch.to_string()))
    }

    /// What a guard of our own API asks for its proofs.
    pub(crate) async fn first_use(&self, name: &str, expires_at: i64) -> Result<bool, OAuthError> {
        Ok(self.store.use_once(Digest::of(name), expires_at).await?)
    }
}
