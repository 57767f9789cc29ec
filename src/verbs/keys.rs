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
                    ("signs_from", json!(key.signs_from)),
                ]
            }));
            Ok(())
        }
        KeysVerb::Rotate { data, alg } => {
            let key = block_on(Admin::open(&data.data)?.rotate_signing_key(alg))??;
            out.fields(&[
                ("kid", json!(key.kid)),
                ("alg", json!(key.algorithm.name())),
                ("signs_from", json!(key.signs_from)),
            ]);
            Ok(())
        }
    }
}
