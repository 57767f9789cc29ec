//! `stampmill keys …`: the keys the service signs tokens with.

use serde_json::json;
use stampmill_token_service::Admin;

use crate::cli::KeysVerb;
use crate::print::Printer;
use crate::verbs::block_on;

pub(crate) fn run(verb: KeysVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        KeysVerb::List { data } => {
            let keys = block_on(Admin::open(&data.data)?.signing_keys())??;
            out.rows(keys.iter().map(|(key, state)| {
                vec![
                    ("kid", json!(key.kid)),
                    ("alg", json!(key.algorithm.name())),
                    ("state", json!(state.name())),
                    ("signs_from", out.time(key.signs_from)),
                ]
            }));
            Ok(())
        }
        KeysVerb::Rotate { data, alg } => {
            let key = block_on(Admin::open(&data.data)?.rotate_signing_key(alg))??;
            out.fields(&[
                ("kid", json!(key.kid)),
                ("alg", json!(key.algorithm.name())),
                ("signs_from", out.time(key.signs_from)),
            ]);
            Ok(())
        }
        KeysVerb::Withdraw { kid, data } => {
            let admin = Admin::open(&data.data)?;
            let withdrawn = block_on(admin.withdraw_signing_key(&kid))??;
            let signs_now = withdrawn.replaced_by.map(|key| key.kid);
            out.fields(&[
                ("withdrawn", json!(withdrawn.key.kid)),
                ("alg", json!(withdrawn.key.algorithm.name())),
                ("was", json!(withdrawn.was.name())),
                ("signs_now", json!(signs_now)),
            ]);
            out.say(WITHDRAWN);
            Ok(())
        }
    }
}

/// What whoever withdraws a key has to know.
const WITHDRAWN: &str = "
A running server takes it out of its key set within seconds. From then on
- access tokens (JWT) it signed are refused by introspection, UserInfo and /api/me. An API that verifies tokens by itself
  believes them until it fetches the key set again (it may keep it for five minutes, and some keep it longer) or they expire;
- ID tokens it signed are no proof of anything here: as id_token_hint they make the person sign in, or confirm signing out;
- refresh tokens, opaque access tokens and sessions stay good: no key signs them. Clients refresh and go on.
If whoever has the key has read the whole data folder, withdrawing is not enough: client secrets and the authority's key lie
in it, too. Begin with a new folder then.";
