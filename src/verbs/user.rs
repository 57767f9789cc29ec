//! `stampmill user …`: the people who can log in.

use serde_json::json;
use stampmill_token_service::{Admin, NewUser};

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
        } => {
            let new = NewUser {
                username,
                name: name.unwrap_or_default(),
                email,
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
        UserVerb::Password { data, username } => {
            let password = block_on(Admin::open(&data.data)?.reset_password(&username))??;
            out.fields(&[
                ("username", json!(username)),
                ("password", json!(password.expose())),
            ]);
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
