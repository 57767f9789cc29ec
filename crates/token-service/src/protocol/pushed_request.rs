//! Pushed authorization requests (RFC 9126): the client sends its request over its own channel, authenticated, and the browser
//! carries a reference only. Whoever holds the browser can neither read nor change the request.

use serde::Serialize;
use stampmill_jose::DpopExpectations;

use super::Service;
use super::client_request::ClientRequest;
use super::error::{ErrorCode, OAuthError};
use super::parameters::{Parameters, Provenance};
use super::{dpop, paths};
use crate::domain::Client;
use crate::secret::{Digest, Secret};
use crate::store::PushedRequest;

/// What the references begin with (§2.2).
pub(super) const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// How many of one client's requests may stand at once. One that no browser has begun with stands for 90 seconds, one that a
/// person is at for ten minutes at most: that is eleven pushes a second which nobody follows up, more than a client has that
/// serves people, and in bytes 64 MB at the very worst.
const MOST_OF_A_CLIENT: i64 = 1000;

const PURPOSE: &str = "pushed authorization request, form 1";

/// §2.2.
#[derive(Debug, Serialize)]
pub(crate) struct Pushed {
    request_uri: String,
    expires_in: i64,
}

impl Service {
    /// Answers a pushed request: whoever is told "yes" here will not be refused at the authorization endpoint for what they sent.
    pub(crate) async fn push(&self, request: &ClientRequest) -> Result<Pushed, OAuthError> {
        const REFERENCE: OAuthError = OAuthError::new(
            ErrorCode::InvalidRequest,
            "request_uri cannot be pushed (RFC 9126 section 2.1)",
        );
        let sent = &request.parameters;
        sent.refuse_repeats()?;
        // RFC 9449 §8: before the client's assertion is used up.
        dpop::nonce_is_there(self, &request.dpop)?;
        let client = self.authenticate_client(request).await?;
        if sent.one("request_uri")?.is_some() {
            return Err(REFERENCE);
        }
        let inside = match sent.one("request")? {
            None => of_the_request(sent, &client),
            Some(object) => self.open_object(&client, object).await?,
        };
        let inside = self.bound_to_the_proof(request, inside).await?;
        let signed = inside.provenance().signed;
        let inside = inside.from(Provenance {
            unwrapped: true,
            signed,
            pushed: None,
            being_pushed: true,
        });
        self.check_rules(Client::clone(&client), &inside)
            .map_err(|fault| fault.error())?;
        const FULL: OAuthError = OAuthError::new(
            ErrorCode::TemporarilyUnavailable,
            "too many pushed requests of this client wait for a browser; try again later",
        );
        let reference = Secret::generate(&*self.random);
        let request_uri = format!("{PREFIX}{}", reference.expose());
        let (now, lifetime) = (self.now(), self.policy.pushed_request_lifetime());
        let form_sealed = self.sealing.seal(
            &*self.random,
            &purpose(&client, signed),
            inside.as_form().as_bytes(),
        );
        let row = PushedRequest {
            client: client.id.clone(),
            form_sealed,
            expires_at: now + lifetime,
        };
        let pushed = self
            .store
            .push_request(Digest::of(&request_uri), row, MOST_OF_A_CLIENT, now);
        if !pushed.await? {
            return Err(FULL);
        }
        tracing::info!(client_id = %client.id, "authorization request pushed");
        Ok(Pushed {
            request_uri,
            expires_in: lifetime,
        })
    }

    /// RFC 9449 §10.1: a proof sent along binds the code, as `dpop_jkt` would; both must name one key.
    async fn bound_to_the_proof(
        &self,
        request: &ClientRequest,
        inside: Parameters,
    ) -> Result<Parameters, OAuthError> {
        const ANOTHER_KEY: OAuthError = OAuthError::new(
            ErrorCode::InvalidDpopProof,
            "dpop_jkt is not the key that the DPoP proof shows",
        );
        let proof = match request.dpop.as_slice() {
            [] => return Ok(inside),
            [proof] => proof,
            _ => return Err(dpop::INVALID),
        };
        let uri = self.issuer.address(paths::PUSHED_AUTHORIZATION_REQUEST);
        let jkt = self
            .check_proof(proof, &DpopExpectations::new("POST", &uri))
            .await?;
        match inside.one("dpop_jkt")? {
            None => Ok(inside.with("dpop_jkt", &jkt)),
            Some(named) if named == jkt => Ok(inside),
            Some(_) => Err(ANOTHER_KEY),
        }
    }

    /// The parameters that were pushed under this `request_uri`, if it was by this client and not too long ago. It stays: a browser may
    /// open the address twice, and it is spent when the person has answered.
    pub(super) async fn take_pushed(
        &self,
        client: &Client,
        request_uri: &str,
    ) -> Result<Parameters, OAuthError> {
        let hash = Digest::of(request_uri);
        let row = self.store.pushed_request(hash, self.now()).await?;
        // One that another client pushed is none of this client's (§4), and looks like one that never was.
        let row = row.filter(|row| row.client == client.id).ok_or(GONE)?;
        // From its first page on a person has time to answer.
        let until = self.now() + self.policy.interaction_lifetime();
        if !self.store.keep_pushed_request(hash, until).await? {
            return Err(GONE);
        }
        let opened = [true, false].into_iter().find_map(|signed| {
            let form = self
                .sealing
                .open(&purpose(client, signed), &row.form_sealed)?;
            Some((signed, form))
        });
        let (signed, form) = opened.ok_or(OAuthError::SERVER_ERROR)?;
        let form = std::str::from_utf8(&form).map_err(|_| OAuthError::SERVER_ERROR)?;
        Ok(Parameters::parse(form)?.from(Provenance {
            unwrapped: true,
            signed,
            pushed: Some(hash.0),
            being_pushed: false,
        }))
    }

    /// The person has answered a request: if it was pushed, its reference is worth nothing from now on (§4). An error for all who
    /// answer the same one but the first.
    pub(super) async fn spend_pushed(&self, provenance: &Provenance) -> Result<(), OAuthError> {
        match provenance.pushed {
            Some(hash) if !self.store.spend_pushed_request(Digest(hash)).await? => Err(GONE),
            _ => Ok(()),
        }
    }
}

pub(super) const GONE: OAuthError = OAuthError::new(
    ErrorCode::InvalidRequestUri,
    "the request_uri is unknown, expired, used, or another client's",
);

fn purpose(client: &Client, signed: bool) -> String {
    format!("{PURPOSE}:{}:{signed}", client.id)
}

/// What was sent, without what authenticates the client (§2.1), and with the client's name even where it was only in a header.
fn of_the_request(sent: &Parameters, client: &Client) -> Parameters {
    const OF_THE_CLIENT: [&str; 4] = [
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
    ];
    sent.without(&OF_THE_CLIENT)
        .with("client_id", client.id.as_str())
}
