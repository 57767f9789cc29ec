//! `ca acme`: the ACME server's accounts and orders. `ca eab`: the keys that accounts are made with.

use serde_json::{Value, json};
use stampmill_local_ca::acme::{
    AccountEntry, AcmeOperator, AuthorizationEntry, ChallengeEntry, OrderEntry,
};
use stampmill_local_ca::now;

use super::args::{AcmeVerb, AuthorityArgs};
use crate::print::Printer;

pub(super) fn run(verb: AcmeVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        AcmeVerb::Accounts { authority, text } => {
            accounts(&operator(&authority)?, text.as_deref(), out)
        }
        AcmeVerb::Orders {
            authority,
            account,
            status,
            most,
        } => {
            let operator = operator(&authority)?;
            let account = account.as_deref().map(account_id);
            orders(&operator, account, status.as_deref(), most, out)
        }
        AcmeVerb::Deactivate { authority, account } => {
            let operator = operator(&authority)?;
            operator.revoke_account(account_id(&account), now())?;
            out.fields(&[
                ("account", json!(account_id(&account))),
                ("status", json!("revoked")),
            ]);
            Ok(())
        }
    }
}

pub(super) fn external_keys(
    authority: &AuthorityArgs,
    list: bool,
    withdraw: Option<&str>,
    out: Printer,
) -> anyhow::Result<()> {
    if let Some(kid) = withdraw {
        operator(authority)?.withdraw_external_key(kid, now())?;
        out.fields(&[("withdrawn", json!(kid))]);
        return Ok(());
    }
    if list {
        let keys = operator(authority)?.external_keys()?;
        out.rows(keys.into_iter().map(|key| {
            vec![
                ("kid", json!(key.kid)),
                ("created_at", out.time(key.created_at)),
                ("account", json!(key.account)),
            ]
        }));
        return Ok(());
    }
    let key = operator(authority)?.make_external_key()?;
    out.recorded(format!(
        "the key {0} was made, and its secret is not shown again: `stampmill ca eab --withdraw {0}` takes it back",
        key.kid()
    ));
    out.fields(&[
        ("kid", json!(key.kid())),
        ("hmac-key", json!(*key.hmac_key())),
    ]);
    Ok(())
}

/// Takes no key, and no passphrase.
fn operator(authority: &AuthorityArgs) -> anyhow::Result<AcmeOperator> {
    Ok(AcmeOperator::in_folder(&authority.folder)?)
}

/// Of an address, which clients show, the last part.
fn account_id(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

fn accounts(operator: &AcmeOperator, text: Option<&str>, out: Printer) -> anyhow::Result<()> {
    let has = |account: &AccountEntry| {
        let texts = [&account.id].into_iter().chain(&account.contact);
        let mut texts = texts.chain(&account.external_key);
        text.is_none_or(|text| texts.any(|one| one.contains(text)))
    };
    let found = operator.accounts()?.into_iter().filter(has);
    out.rows(found.map(|account| {
        vec![
            ("account", json!(account.id)),
            ("status", json!(account.status)),
            ("created_at", out.time(account.created_at)),
            ("orders", json!(account.orders)),
            ("external_key", json!(account.external_key)),
            ("key", json!(account.key)),
            ("contact", json!(account.contact)),
        ]
    }));
    Ok(())
}

fn orders(
    operator: &AcmeOperator,
    account: Option<&str>,
    status: Option<&str>,
    most: u32,
    out: Printer,
) -> anyhow::Result<()> {
    let found = operator.orders(account, most, now())?.into_iter();
    let wanted = found.filter(|order| status.is_none_or(|status| status == order.status));
    for order in wanted {
        let looks = looks(&order, out);
        let mut row = row(&order, out);
        if out.is_json() {
            row.push(("authorizations", json!(looks)));
        }
        out.rows([row]);
        // What became a certificate needs no explanation.
        if order.serial.is_none() {
            looks.iter().for_each(|look| out.say(line(look)));
        }
    }
    Ok(())
}

fn row(order: &OrderEntry, out: Printer) -> Vec<(&'static str, Value)> {
    vec![
        ("order", json!(order.id)),
        ("account", json!(order.account)),
        ("status", json!(order.status)),
        ("created_at", out.time(order.created_at)),
        ("profile", json!(order.profile)),
        ("serial", json!(order.serial)),
        ("names", json!(order.names)),
    ]
}

/// For each name where it stands, and each look at a challenge: how, when, where, and what was wrong.
fn looks(order: &OrderEntry, out: Printer) -> Vec<Value> {
    let challenge = |one: &ChallengeEntry| {
        let (kind, detail) = one
            .problem
            .as_ref()
            .map(|(kind, detail)| (kind, detail))
            .unzip();
        json!({
            "type": one.kind.name(),
            "status": one.status,
            "began_at": one.began_at.map(|at| out.time(at)),
            "ended_at": one.ended_at.map(|at| out.time(at)),
            "tried": one.tried,
            "problem": kind,
            "detail": detail,
        })
    };
    let authorization = |one: &AuthorizationEntry| {
        json!({
            "name": one.name,
            "status": one.status,
            "expires": out.time(one.expires),
            "challenges": one.challenges.iter().map(challenge).collect::<Vec<_>>(),
        })
    };
    order.authorizations.iter().map(authorization).collect()
}

/// The same in a line for people, indented below its order; one more for each look.
fn line(authorization: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let list = |value: &Value| -> Vec<Value> { value.as_array().cloned().unwrap_or_default() };
    let (name, status) = (text(&authorization["name"]), text(&authorization["status"]));
    let mut lines = format!(
        "  {name}  {status}  until {}",
        text(&authorization["expires"])
    );
    for look in list(&authorization["challenges"]) {
        let (kind, status) = (text(&look["type"]), text(&look["status"]));
        lines += &format!("\n    {kind}  {status}  {}", text(&look["ended_at"]));
        let tried: Vec<String> = list(&look["tried"]).iter().map(text).collect();
        if !tried.is_empty() {
            lines += &format!("  tried {}", tried.join(", "));
        }
        if let Some(problem) = look["problem"].as_str() {
            lines += &format!("\n      {problem}: {}", text(&look["detail"]));
        }
    }
    lines
}
