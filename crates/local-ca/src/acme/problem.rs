//! What went wrong, as ACME says it (RFC 8555 §6.7, RFC 7807): one table of error types, and the document that carries one.

use serde_json::{Map, Value, json};

use crate::store::StoreError;

/// An error type of RFC 8555 §6.7, of RFC 9773 §7.4, or of the draft on profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // each is explained where the table cites it
pub enum ProblemKind {
    AccountDoesNotExist,
    AlreadyReplaced,
    AlreadyRevoked,
    BadCsr,
    BadNonce,
    BadPublicKey,
    BadRevocationReason,
    BadSignatureAlgorithm,
    Caa,
    Compound,
    Connection,
    Dns,
    ExternalAccountRequired,
    IncorrectResponse,
    InvalidContact,
    InvalidProfile,
    Malformed,
    OrderNotReady,
    RateLimited,
    RejectedIdentifier,
    ServerInternal,
    Tls,
    Unauthorized,
    UnsupportedContact,
    UnsupportedIdentifier,
    UserActionRequired,
}

use ProblemKind as Kind;

/// What every type's name begins with (§6.7).
const PREFIX: &str = "urn:ietf:params:acme:error:";

/// The name behind it, and the status of an answer that has nothing else to say.
const TABLE: &[(Kind, &str, u16)] = &[
    (Kind::AccountDoesNotExist, "accountDoesNotExist", 400),
    (Kind::AlreadyReplaced, "alreadyReplaced", 409),
    (Kind::AlreadyRevoked, "alreadyRevoked", 400),
    (Kind::BadCsr, "badCSR", 400),
    (Kind::BadNonce, "badNonce", 400),
    (Kind::BadPublicKey, "badPublicKey", 400),
    (Kind::BadRevocationReason, "badRevocationReason", 400),
    (Kind::BadSignatureAlgorithm, "badSignatureAlgorithm", 400),
    (Kind::Caa, "caa", 403),
    (Kind::Compound, "compound", 400),
    (Kind::Connection, "connection", 400),
    (Kind::Dns, "dns", 400),
    (
        Kind::ExternalAccountRequired,
        "externalAccountRequired",
        403,
    ),
    (Kind::IncorrectResponse, "incorrectResponse", 403),
    (Kind::InvalidContact, "invalidContact", 400),
    (Kind::InvalidProfile, "invalidProfile", 400),
    (Kind::Malformed, "malformed", 400),
    (Kind::OrderNotReady, "orderNotReady", 403),
    (Kind::RateLimited, "rateLimited", 429),
    (Kind::RejectedIdentifier, "rejectedIdentifier", 400),
    (Kind::ServerInternal, "serverInternal", 500),
    (Kind::Tls, "tls", 400),
    (Kind::Unauthorized, "unauthorized", 403),
    (Kind::UnsupportedContact, "unsupportedContact", 400),
    (Kind::UnsupportedIdentifier, "unsupportedIdentifier", 400),
    (Kind::UserActionRequired, "userActionRequired", 403),
];

impl ProblemKind {
    /// Every type, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(kind, ..)| *kind)
    }

    /// Its name: `badNonce`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    fn status(self) -> u16 {
        self.row().2
    }

    fn row(self) -> &'static (Self, &'static str, u16) {
        TABLE
            .iter()
            .find(|(kind, ..)| *kind == self)
            .expect("every type has a row: a test walks the table")
    }
}

/// A problem document: what a client gets instead of what it asked for. It is the error of nearly every function here, and moved often: what
/// is rare is kept small.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) status: u16,
    pub(crate) detail: String,
    /// Which of several identifiers it is about (§6.7.1).
    subproblems: Vec<(Value, Problem)>,
    /// Algorithms we take (§6.2), of badSignatureAlgorithm.
    algorithms: Box<[&'static str]>,
    /// Seconds (§6.6), of rateLimited.
    pub(crate) retry_after: Option<i64>,
    /// Where the account is that has the key already (§7.3.5).
    pub(crate) location: Option<Box<str>>,
    /// Where a person is to go (§7.3.3).
    instance: Option<Box<str>>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            status: kind.status(),
            detail: detail.into(),
            subproblems: Vec::new(),
            algorithms: Box::default(),
            retry_after: None,
            location: None,
            instance: None,
        }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, detail)
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unauthorized, detail)
    }

    /// There is nothing at this address.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::malformed(format!("there is no such {what}")).status(404)
    }

    /// Our own trouble: what it was stands in the log, not in the answer.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "acme: a request could not be carried out");
        Self::new(
            Kind::ServerInternal,
            "the server could not do this; its log says why",
        )
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn algorithms(mut self, algorithms: Vec<&'static str>) -> Self {
        self.algorithms = algorithms.into();
        self
    }

    pub(crate) fn retry_after(mut self, seconds: i64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn location(mut self, location: String) -> Self {
        self.location = Some(location.into());
        self
    }

    pub(crate) fn instance(mut self, url: String) -> Self {
        self.instance = Some(url.into());
        self
    }

    /// A document that was written by [`Problem::to_json`].
    pub(crate) fn from_json(document: &Value) -> Option<Self> {
        let kind = document["type"].as_str()?;
        let kind = kind.strip_prefix(PREFIX)?;
        let (kind, ..) = TABLE.iter().find(|(_, name, _)| *name == kind)?;
        Some(Self::new(*kind, document["detail"].as_str()?))
    }

    /// One document for what is wrong with several identifiers, each as it was asked for; `None` if there is nothing. Where all are wrong in the same way it has
    /// their type, otherwise `compound`.
    pub(crate) fn of_identifiers(mut problems: Vec<(Value, Problem)>) -> Option<Self> {
        if problems.len() <= 1 {
            return problems.pop().map(|(_, problem)| problem);
        }
        let first = problems[0].1.kind;
        let same = problems.iter().all(|(_, problem)| problem.kind == first);
        let kind = if same { first } else { Kind::Compound };
        let detail = format!("{} of the identifiers are refused", problems.len());
        Some(Self {
            subproblems: problems,
            ..Self::new(kind, detail)
        })
    }

    /// The document (RFC 7807 §3.1).
    pub(crate) fn to_json(&self) -> Value {
        let mut members = self.members();
        members.insert("status".to_owned(), json!(self.status));
        Value::Object(members)
    }

    fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let kind = format!("{PREFIX}{}", self.kind.name());
        members.insert("type".to_owned(), json!(kind));
        members.insert("detail".to_owned(), json!(self.detail));
        if let Some(instance) = &self.instance {
            members.insert("instance".to_owned(), json!(instance));
        }
        if !self.algorithms.is_empty() {
            members.insert("algorithms".to_owned(), json!(self.algorithms));
        }
        if !self.subproblems.is_empty() {
            // §6.7.1: of a subproblem neither status nor further subproblems
            let list = self.subproblems.iter().map(|(identifier, problem)| {
                let mut members = problem.members();
                members.insert("identifier".to_owned(), identifier.clone());
                Value::Object(members)
            });
            members.insert("subproblems".to_owned(), list.collect());
        }
        members
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_one_row_and_a_status_of_an_error() {
        let mut names: Vec<&str> = Kind::all().map(Kind::name).collect();
        assert_eq!(names.len(), 26);
        assert!(Kind::all().all(|kind| (400..=599).contains(&kind.status())));
        names.dedup();
        assert_eq!(names.len(), TABLE.len(), "sorted, so that twice is seen");
    }

    #[test]
    fn several_problems_become_one_document_with_subproblems() {
        let name = |text: &str| json!({"type": "dns", "value": text});
        let refused = |text| (name(text), Problem::new(Kind::RejectedIdentifier, "no"));
        assert_eq!(Problem::of_identifiers(Vec::new()), None);
        let one = Problem::of_identifiers(vec![refused("a.test")])
            .unwrap()
            .to_json();
        assert_eq!(one.get("subproblems"), None);
        let two = Problem::of_identifiers(vec![refused("a.test"), refused("b.test")]).unwrap();
        let document = two.to_json();
        assert_eq!(
            document["type"],
            "urn:ietf:params:acme:error:rejectedIdentifier"
        );
        assert_eq!(document["subproblems"][1]["identifier"]["value"], "b.test");
        assert_eq!(document["subproblems"][1].get("status"), None);
        let caa = (name("c.test"), Problem::new(Kind::Caa, "no"));
        let mixed = Problem::of_identifiers(vec![refused("a.test"), caa]).unwrap();
        assert_eq!(mixed.kind, Kind::Compound);
    }
}
