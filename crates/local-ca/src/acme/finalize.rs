//! finalize and the certificate (RFC 8555 §7.4): the request must be for exactly what was ordered, and not for the account's own key.

use std::collections::BTreeSet;

use serde_json::Value;
use stampmill_jose::base64url;

use super::AcmeServer;
use super::identifier::Identifier;
use super::problem::{Problem, ProblemKind};
use super::records::{Order, OrderStatus};
use super::routes::{Call, Reply};
use super::spki;
use crate::authority::IssueError;
use crate::request::CertificateRequest;
use crate::store::ForOrder;

/// Issues. The order is valid in the same moment in which the certificate is recorded.
pub(super) fn finalize(call: &Call<'_>) -> Result<Reply, Problem> {
    let server = call.server;
    let order = server.order_of(call, call.id)?;
    // A client that did not hear our answer reads the order, and finds its certificate there.
    let status = order.status(call.now);
    if status != OrderStatus::Ready {
        return Err(not_ready(status.name()));
    }
    let request = read_request(call)?;
    let request = check_names(request, &order)?;
    if spki::of_jwk(&call.account().jwk).is_some_and(|key| key == request.public_key().spki()) {
        return Err(bad_csr(
            "the request brings the account's key (RFC 8555 §11.1)",
        ));
    }
    server.issue(&order, &request, call.now)?;
    let order = server.order_of(call, call.id)?;
    let reply = Reply::json(server.order_json(&order, call.now));
    Ok(reply.at(server.order_url(&order.id)))
}

fn not_ready(status: &str) -> Problem {
    let detail = format!("the order is {status}; it is finalized while it is ready, and once");
    Problem::new(ProblemKind::OrderNotReady, detail)
}

/// The chain: leaf, intermediate, no root (§9.1). There is one chain only, so there are no alternates.
pub(super) fn certificate(call: &Call<'_>) -> Result<Reply, Problem> {
    let authority = &call.server.authority;
    let store = call.server.records.store();
    let entry = store.exactly(call.id)?;
    let entry = entry.ok_or_else(|| Problem::not_found("certificate"))?;
    if entry.account.as_ref() != Some(&call.account().id) {
        return Err(Problem::unauthorized(
            "this is another account's certificate",
        ));
    }
    Ok(Reply::chain(
        authority.with_chain(entry.certificate()).chain_pem(),
    ))
}

fn read_request(call: &Call<'_>) -> Result<CertificateRequest, Problem> {
    let csr = call.object().get("csr").and_then(Value::as_str);
    let csr = csr.ok_or_else(|| Problem::malformed("`csr` is not a text"))?;
    let der = base64url::decode(csr).map_err(|error| bad_csr(&error.to_string()))?;
    CertificateRequest::from_der(&der).map_err(|error| bad_csr(&error.to_string()))
}

/// "The CSR MUST indicate the exact same set of requested identifiers as the initial newOrder request": in subjectAltName, or in the
/// common name alone, whatever their order and case.
fn check_names(request: CertificateRequest, order: &Order) -> Result<CertificateRequest, Problem> {
    let request = request.naming_its_common_name();
    let ordered: BTreeSet<_> = order
        .identifiers()
        .iter()
        .map(Identifier::to_name)
        .collect();
    let asked: BTreeSet<_> = request.names().iter().cloned().collect();
    if ordered == asked {
        return Ok(request);
    }
    let list = |names: Vec<String>| names.join(", ");
    let missing = list(
        ordered
            .difference(&asked)
            .map(ToString::to_string)
            .collect(),
    );
    let beyond = list(
        asked
            .difference(&ordered)
            .map(ToString::to_string)
            .collect(),
    );
    Err(bad_csr(&format!(
        "the request's names are not the order's: missing [{missing}], not ordered [{beyond}]"
    )))
}

fn bad_csr(detail: &str) -> Problem {
    Problem::new(ProblemKind::BadCsr, detail)
}

impl AcmeServer {
    fn issue(&self, order: &Order, request: &CertificateRequest, now: i64) -> Result<(), Problem> {
        let known = &self.settings.profiles;
        let profile = known.iter().find(|profile| profile.name == order.profile);
        // the operator has taken it away since
        let profile = profile.ok_or_else(|| {
            Problem::new(
                ProblemKind::InvalidProfile,
                "the order's profile is no longer offered",
            )
        })?;
        let for_order = ForOrder {
            account: &order.account,
            order: &order.id,
            not_before: order.not_before,
            not_after: order.not_after,
        };
        let issued = self
            .authority
            .issue_for(request, &profile.profile, now, Some(&for_order));
        match issued {
            Ok(_) => Ok(()),
            // another request was quicker; or the account, or a proof, ended a moment ago
            Err(IssueError::OrderTaken) => Err(not_ready("taken")),
            Err(IssueError::Store(error)) => Err(error.into()),
            Err(IssueError::OpenSsl(error)) => Err(Problem::internal(&error)),
            Err(
                error @ (IssueError::IssuerExpired { .. }
                | IssueError::IssuerNotYetValid { .. }
                | IssueError::IssuerRevoked { .. }),
            ) => Err(Problem::internal(&error)),
            Err(
                error @ (IssueError::NotPermitted { .. } | IssueError::KindNotPermitted { .. }),
            ) => Err(Problem::new(
                ProblemKind::RejectedIdentifier,
                error.to_string(),
            )),
            Err(error) => Err(bad_csr(&error.to_string())),
        }
    }
}
