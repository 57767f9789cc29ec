//! keyChange (RFC 8555 §7.3.5): a request within a request. The account signs the outer one, the new key the inner one, so that nobody
//! is given a key they do not have, nor gets one for an account that is not theirs.

use stampmill_jose::Jwk;

use super::jws::{self, Jws, KeyClaim};
use super::problem::{Problem, ProblemKind};
use super::records::Bound;
use super::routes::{Call, Reply};

/// Gives the account the inner request's key.
pub(super) fn change(call: &Call<'_>) -> Result<Reply, Problem> {
    let (server, account) = (call.server, call.account());
    let inner = Jws::from_json(call.object())?;
    let KeyClaim::Jwk(new) = &inner.key else {
        return Err(Problem::malformed(
            "the inner request is signed by a new key: `jwk`",
        ));
    };
    let new = (**new).clone();
    if inner.url != call.url {
        return Err(Problem::malformed(
            "the inner request is for another address",
        ));
    }
    if inner.nonce.is_some() {
        return Err(Problem::malformed("the inner request has no nonce"));
    }
    let payload = jws::object(&inner.verified_by(&new)?, "the inner payload")?;
    let named = jws::text(&payload, "account")?;
    if named.as_deref() != Some(&server.account_url(&account.id)) {
        return Err(Problem::malformed(
            "the inner request names another account",
        ));
    }
    let old = payload
        .get("oldKey")
        .map(ToString::to_string)
        .unwrap_or_default();
    let same = |old: Jwk| old.thumbprint() == account.jwk.thumbprint();
    if !Jwk::from_json(old.as_bytes()).is_ok_and(same) {
        return Err(Problem::malformed("`oldKey` is not the account's key"));
    }
    match server
        .records
        .change_key(&account.id, &account.jwk, &new, call.now)?
    {
        Bound::Yes => {
            Ok(Reply::json(server.account_json(account)).at(server.account_url(&account.id)))
        }
        Bound::AccountChanged => Err(Problem::unauthorized(
            "the account has another key by now, or has ended",
        )),
        _ => {
            let holder = server.records.account_of_key(&new)?;
            let taken = Problem::new(ProblemKind::Malformed, "an account has this key already");
            let taken = taken.status(409);
            Err(match holder {
                Some(holder) => taken.location(server.account_url(&holder.id)),
                None => taken,
            })
        }
    }
}
