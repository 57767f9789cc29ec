//! `ca acme`: the ACME server's accounts and orders. `ca eab`: the keys that accounts are made with.

use std::sync::Arc;

use serde_json::{Value, json};
use stampmill_local_ca::acme::{AccountEntry, AcmeOperator, ExternalKey, OrderEntry};
use stampmill_local_ca::{Authority, now, utc};

use super::args::AcmeVerb;
use crate::print::Printer;

pub(super) fn run(verb: AcmeVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        AcmeVerb::Accounts { authority, text } => {
            accounts(&operator(super::open(&authority)?)?, text.as_deref(), out)
        }
        AcmeVerb::Orders {
            authority,
            account,
            status,
            most,
        } => {
            let operator = operator(super::open(&authority)?)?;
            let account = account.as_deref().map(account_id);
            orders(&operator, account, status.as_deref(), most, out)
        }
        AcmeVerb::Deactivate { authority, account } => {
            let operator = operator(super::open(&authority)?)?;
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
    authority: Authority,
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
                ("created_at", json!(utc(key.created_at))),
                ("account", json!(key.account)),
            ]
        }));
        return Ok(());
    }
    let key = ExternalKey::make(&Arc::new(authority))?;
    out.fields(&[
        ("kid", json!(key.kid())),
        ("hmac-key", json!(*key.hmac_key())),
    ]);
    Ok(())
}

fn operator(authority: Authority) -> anyhow::Result<AcmeOperator> {
    Ok(AcmeOperator::open(&Arc::new(authority))?)
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
            ("created_at", json!(utc(account.created_at))),
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
    out.rows(wanted.map(row));
    Ok(())
}

fn row(order: OrderEntry) -> Vec<(&'static str, Value)> {
    vec![
        ("order", json!(order.id)),
        ("account", json!(order.account)),
        ("status", json!(order.status)),
        ("created_at", json!(utc(order.created_at))),
        ("profile", json!(order.profile)),
        ("serial", json!(order.serial)),
        ("names", json!(order.names)),
    ]
}
