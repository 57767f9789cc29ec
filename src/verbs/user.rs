//! `stampmill user …`: the people who can log in.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Context as _;
use serde_json::json;
use stampmill_token_service::domain::PersonClaims;
use stampmill_token_service::secret::Secret;
use stampmill_token_service::{Admin, NewUser, password_hash};
use zeroize::Zeroizing;

use crate::cli::UserVerb;
use crate::print::Printer;
use crate::verbs::block_on;

pub(crate) fn run(verb: UserVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        UserVerb::Add {
            data,
            username,
            name,
            email,
            claims,
        } => {
            let new = NewUser {
                username,
                name: name.unwrap_or_default(),
                email,
                claims: person_claims(&claims)?,
                password: None,
            };
            let (user, password) = block_on(Admin::open(&data.data)?.add_user(new))??;
            out.fields(&[
                ("username", json!(user.username.as_str())),
                ("sub", json!(user.id.as_str())),
                (
                    "password",
                    json!(password.as_ref().map(|password| password.expose())),
                ),
            ]);
            Ok(())
        }
        UserVerb::Hash => {
            let hash = password_hash(&password_from_stdin()?)?;
            out.fields(&[("password_hash", json!(hash.as_phc()))]);
            Ok(())
        }
        UserVerb::Password { data, username } => {
            let password = block_on(Admin::open(&data.data)?.reset_password(&username))??;
            out.fields(&[
                ("username", json!(username)),
                ("password", json!(password.expose())),
            ]);
            Ok(())
        }
        UserVerb::Remove { data, username } => {
            block_on(Admin::open(&data.data)?.remove_user(&username))??;
            out.fields(&[("removed", json!(username))]);
            Ok(())
        }
        UserVerb::List { data } => {
            let users = block_on(Admin::open(&data.data)?.users())??;
            out.rows(users.iter().map(|user| {
                vec![
                    ("username", json!(user.username.as_str())),
                    ("sub", json!(user.id.as_str())),
                    ("name", json!(user.name)),
                    ("email", json!(user.email)),
                ]
            }));
            Ok(())
        }
    }
}

/// The first line of standard input; from a terminal, asked for and not shown.
fn password_from_stdin() -> anyhow::Result<Secret> {
    if std::io::stdin().is_terminal() {
        let typed = Zeroizing::new(rpassword::prompt_password("Password: ")?);
        return Ok(Secret::new(&*typed));
    }
    let mut line = Zeroizing::new(Vec::new());
    let read = std::io::stdin().lock().read_until(b'\n', &mut line)?;
    anyhow::ensure!(
        read > 0,
        "there is no password on standard input: expected one line"
    );
    let line = std::str::from_utf8(&line).context("a password is a line of UTF-8 text")?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

/// `NAME=VALUE` each; a value that is no JSON is a text.
fn person_claims(given: &[String]) -> anyhow::Result<PersonClaims> {
    let mut claims = PersonClaims::default();
    for claim in given {
        let (name, value) = claim
            .split_once('=')
            .with_context(|| format!("{claim:?} is not NAME=VALUE"))?;
        let as_text = || serde_json::Value::from(value);
        let value = serde_json::from_str(value).unwrap_or_else(|_| as_text());
        // A number or a word such as true may well be a text here: a postal code, a name.
        if claims.set(name, value).is_err() {
            claims.set(name, as_text())?;
        }
    }
    Ok(claims)
}
