//! Accounts (RFC 8555 §7.3): a key, perhaps somebody to write to.

use serde_json::{Map, Value, json};
use stampmill_jose::Jwk;

use super::problem::{Problem, ProblemKind};
use super::records::{Account, AccountChange, AccountStatus, Bound, NewAccount};
use super::routes::{Call, Reply, Signer};
use super::{AcmeServer, binding, random_id};
use crate::names::{EmailAddress, shown};

const MOST_CONTACTS: usize = 10;

/// newAccount: makes one, or finds the one that has this key.
pub(super) fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let (server, asked) = (call.server, call.object());
    let Signer::Key(key) = call.signer() else {
        unreachable!("the table says that a key signs here");
    };
    if let Some(account) = server.records.account_of_key(key)? {
        return existing(server, &account);
    }
    // §7.3.1
    if flag(asked, "onlyReturnExisting")? {
        let detail = "no account has this key";
        return Err(Problem::new(ProblemKind::AccountDoesNotExist, detail));
    }
    let terms = server.agreed(asked)?;
    if let (Some(url), None) = (&server.settings.terms_of_service, terms) {
        return Err(terms_problem(url));
    }
    let contact = contact(asked)?.unwrap_or_default();
    let bound = binding::check(call, key)?;
    server.check_account_rate(call.network.as_deref(), call.now)?;
    make(call, key, &contact, terms, bound.as_ref())
}

fn make(
    call: &Call<'_>,
    key: &Jwk,
    contact: &[String],
    terms: Option<&str>,
    bound: Option<&(String, Value)>,
) -> Result<Reply, Problem> {
    let server = call.server;
    let id = random_id();
    let made = server.records.add_account(&NewAccount {
        id: &id,
        jwk: key,
        contact,
        terms,
        binding: bound.map(|(kid, binding)| (kid.as_str(), binding)),
        network: call.network.as_deref(),
        at: call.now,
    })?;
    let account = server.records.account_of_key(key)?;
    match (made, account) {
        (Bound::Yes, Some(account)) => {
            let reply = Reply::json(server.account_json(&account)).created(server.account_url(&id));
            Ok(with_terms(server, reply))
        }
        // a moment ago, by the same client
        (Bound::KeyTaken, Some(account)) => existing(server, &account),
        (Bound::ExternalKeyTaken, _) => Err(Problem::unauthorized(
            "another account was made with this external key",
        )),
        (Bound::AccountChanged, _) | (_, None) => Err(Problem::internal(
            &"an account that was just recorded is not there",
        )),
    }
}

/// §7.3: 200 and where it is.
fn existing(server: &AcmeServer, account: &Account) -> Result<Reply, Problem> {
    if account.status != AccountStatus::Valid {
        let detail = format!("the account of this key is {}", account.status.name());
        return Err(Problem::unauthorized(detail).status(401));
    }
    let reply = Reply::json(server.account_json(account)).at(server.account_url(&account.id));
    Ok(with_terms(server, reply))
}

fn with_terms(server: &AcmeServer, reply: Reply) -> Reply {
    match &server.settings.terms_of_service {
        Some(terms) => reply.link(terms.clone(), "terms-of-service"),
        None => reply,
    }
}

/// The account's own address: read, changed (§7.3.2), given up (§7.3.6). What cannot be changed is read over.
pub(super) fn show_or_update(call: &Call<'_>) -> Result<Reply, Problem> {
    let (server, account) = (call.server, call.account());
    if call.id != account.id {
        return Err(Problem::unauthorized("this is another account's address"));
    }
    if let Some(asked) = call.payload() {
        let change = change(server, asked)?;
        if !server
            .records
            .change_account(&account.id, &change, call.now)?
        {
            return Err(Problem::unauthorized("this account has ended").status(401));
        }
    }
    let account = server
        .records
        .account(&account.id)?
        .ok_or_else(|| Problem::not_found("account"))?;
    Ok(Reply::json(server.account_json(&account)))
}

/// All that is asked for, read before any of it is done.
fn change<'a>(
    server: &'a AcmeServer,
    asked: &Map<String, Value>,
) -> Result<AccountChange<'a>, Problem> {
    let deactivate = match asked.get("status").map(Value::as_str) {
        None => false,
        Some(Some("deactivated")) => true,
        Some(_) => {
            let detail = "an account's status changes to deactivated only";
            return Err(Problem::malformed(detail));
        }
    };
    Ok(AccountChange {
        contact: contact(asked)?,
        terms: server.agreed(asked)?,
        deactivate,
    })
}

/// §7.3.3: what the user has to do, and where.
fn terms_problem(url: &str) -> Problem {
    let detail = format!("the terms of service must be agreed to: {url}");
    Problem::new(ProblemKind::UserActionRequired, detail).place(url.to_owned())
}

impl AcmeServer {
    /// The terms that a request agrees to; empty where there are none to agree to.
    fn agreed(&self, asked: &Map<String, Value>) -> Result<Option<&str>, Problem> {
        let agreed = flag(asked, "termsOfServiceAgreed")?;
        Ok(agreed.then(|| {
            self.settings
                .terms_of_service
                .as_deref()
                .unwrap_or_default()
        }))
    }

    /// Whether an account agreed to what holds now, where the operator asks again (§7.3.3).
    pub(super) fn check_terms(&self, account: &Account) -> Result<(), Problem> {
        let (Some(url), true) = (
            &self.settings.terms_of_service,
            self.settings.terms_asked_again,
        ) else {
            return Ok(());
        };
        match account.terms_url.as_ref() == Some(url) {
            true => Ok(()),
            false => Err(terms_problem(url)),
        }
    }

    pub(super) fn account_url(&self, id: &str) -> String {
        self.url(&format!("/account/{id}"))
    }

    /// §7.1.2.
    pub(super) fn account_json(&self, account: &Account) -> Value {
        let mut members = Map::new();
        let mut tell = |name: &str, value: Value| members.insert(name.to_owned(), value);
        tell("status", json!(account.status.name()));
        if !account.contact.is_empty() {
            tell("contact", json!(account.contact));
        }
        if account.terms {
            tell("termsOfServiceAgreed", json!(true));
        }
        if let Some(binding) = &account.binding {
            tell("externalAccountBinding", binding.clone());
        }
        tell(
            "orders",
            json!(self.url(&format!("/account/{}/orders", account.id))),
        );
        Value::Object(members)
    }
}

fn flag(asked: &Map<String, Value>, name: &str) -> Result<bool, Problem> {
    match asked.get(name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Problem::malformed(format!("`{name}` is true or false"))),
    }
}

/// Mail addresses: one in each, without header fields (§7.3).
fn contact(asked: &Map<String, Value>) -> Result<Option<Vec<String>>, Problem> {
    let Some(list) = asked.get("contact") else {
        return Ok(None);
    };
    let list = list
        .as_array()
        .filter(|list| list.len() <= MOST_CONTACTS)
        .ok_or_else(|| {
            Problem::malformed(format!(
                "`contact` is a list of at most {MOST_CONTACTS} addresses"
            ))
        })?;
    let read = |value: &Value| {
        let address = value
            .as_str()
            .ok_or_else(|| Problem::malformed("a contact is a text"))?;
        let Some(mail) = address.strip_prefix("mailto:") else {
            let detail = format!("`{}`: only mailto addresses are written to", shown(address));
            return Err(Problem::new(ProblemKind::UnsupportedContact, detail));
        };
        let invalid = |detail: String| Problem::new(ProblemKind::InvalidContact, detail);
        if mail.contains([',', '?']) {
            return Err(invalid(
                "a contact is one address, without header fields".to_owned(),
            ));
        }
        EmailAddress::parse(mail).map_err(|error| invalid(error.to_string()))?;
        Ok(address.to_owned())
    };
    list.iter().map(read).collect::<Result<_, _>>().map(Some)
}
