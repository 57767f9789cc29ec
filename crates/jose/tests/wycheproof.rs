//! Proves agreement with Project Wycheproof's JWS and JWK vectors: what is valid there is accepted, all else is refused.
//! The vector files are found as described in `vectors()`; without them the tests are reported as ignored.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use stampmill_jose::{Algorithm, Backend, Jwks, base64url, verify_jws};

const FILES: &[&str] = &["json_web_signature_test.json", "json_web_key_test.json"];

fn main() {
    let trials = FILES.iter().flat_map(|file| trials(file)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// `vectors/wycheproof` in `$STAMPMILL_VECTORS`, else in `../shared` beside the workspace.
fn vectors() -> PathBuf {
    let shared = match std::env::var_os("STAMPMILL_VECTORS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    shared.join("vectors/wycheproof")
}

fn trials(file: &'static str) -> Vec<Trial> {
    let Ok(text) = std::fs::read_to_string(vectors().join(file)) else {
        let absent = Trial::test(format!("{file} (not found, see STAMPMILL_VECTORS)"), || {
            Ok(())
        });
        return vec![absent.with_ignored_flag(true)];
    };
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut trials = Vec::new();
    for group in document["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            for &backend in Backend::ALL {
                let name = format!("{file}/{}/{}/{backend}", group["comment"], test["tcId"]);
                let (group, test) = (group.clone(), test.clone());
                trials.push(Trial::test(name, move || run(&group, &test, backend)));
            }
        }
    }
    trials
}

fn run(group: &Value, test: &Value, backend: Backend) -> Result<(), Failed> {
    // Figure 20 is a PS384 token under a key for PS256, and the key of Figure 27 is for `ES521`, which is no algorithm:
    // a key that names its algorithm has no other here (RFC 8725 §3.1).
    let stricter = ["Figure20", "Figure27"].contains(&test["comment"].as_str().unwrap());
    let expected = test["result"] == "valid" && header_alg(test).is_some() && !stricter;
    let outcome = accepts(group, test, backend);
    match outcome.is_ok() == expected {
        true => Ok(()),
        false => Err(format!("{}: expected {expected}, got {outcome:?}", test["comment"]).into()),
    }
}

fn accepts(group: &Value, test: &Value, backend: Backend) -> Result<(), String> {
    let public = &group["public"];
    // a group of the first file has one key, of the second a set; symmetric groups have no public half at all
    let document = match public.get("keys") {
        Some(_) => public.clone(),
        None => {
            serde_json::json!({ "keys": public.is_object().then_some(public).into_iter().collect::<Vec<_>>() })
        }
    };
    let keys = Jwks::from_json(document.to_string().as_bytes())
        .and_then(|keys| keys.with_backend(backend))
        .map_err(|error| error.to_string())?;
    // some vectors are JSON serializations: given as objects, or as text that begins with a brace
    let token = test["jws"]
        .as_str()
        .map_or_else(|| test["jws"].to_string(), str::to_owned);
    verify_jws(&token, &keys)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn header_alg(test: &Value) -> Option<Algorithm> {
    let header = base64url::decode(test["jws"].as_str()?.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    Algorithm::from_name(header["alg"].as_str()?)
}
