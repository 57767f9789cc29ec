//! Proves that verification and signing give the verdicts and bytes of Project Wycheproof's vectors.
//!
//! The vectors lie outside the repository: in `$STAMPMILL_VECTORS`, or in `../shared` beside the workspace. Where they
//! are absent the tests are reported as ignored.

#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use stampmill_rsa::{KeyError, PrivateKey, PublicKey};

fn main() -> ExitCode {
    let tests = [
        trial("rsa_signature_2048_sha256_test.json", 213, verify),
        trial("rsa_signature_3072_sha256_test.json", 208, verify),
        trial("rsa_signature_4096_sha256_test.json", 194, verify),
        trial("rsa_pkcs1_2048_sig_gen_test.json", 9, sign),
        trial("rsa_pkcs1_3072_sig_gen_test.json", 7, sign),
        trial("rsa_pkcs1_4096_sig_gen_test.json", 8, sign),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests.into()).exit_code()
}

type Check = fn(group: &Value, test: &Value) -> Result<(), String>;

/// One test for one file; `at_least` guards against a file that silently holds nothing of ours.
fn trial(file: &'static str, at_least: usize, check: Check) -> Trial {
    let path = vectors().join(file);
    let present = path.is_file();
    Trial::test(file, move || run(&path, at_least, check)).with_ignored_flag(!present)
}

fn vectors() -> PathBuf {
    let shared = env::var_os("STAMPMILL_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    shared.join("vectors/wycheproof")
}

fn run(path: &Path, at_least: usize, check: Check) -> Result<(), Failed> {
    let file: Value = serde_json::from_slice(&fs::read(path)?)?;
    let groups = file["testGroups"].as_array().unwrap();
    let tests = groups
        .iter()
        .filter(|group| group["sha"] == "SHA-256")
        .flat_map(|group| {
            group["tests"]
                .as_array()
                .unwrap()
                .iter()
                .map(move |test| (group, test))
        });
    let (mut run, mut failures) = (0, Vec::new());
    for (group, test) in tests {
        run += 1;
        if let Err(failure) = check(group, test) {
            failures.push(format!(
                "test {} ({}): {failure}",
                test["tcId"], test["comment"]
            ));
        }
    }
    if run < at_least {
        failures.push(format!(
            "{run} tests with SHA-256 in the file, expected {at_least} or more"
        ));
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n").into())
    }
}

fn verify(group: &Value, test: &Value) -> Result<(), String> {
    let key = PublicKey::new(
        &hex(&group["publicKey"]["modulus"]),
        &hex(&group["publicKey"]["publicExponent"]),
    );
    let key = key.map_err(|error| error.to_string())?;
    let result = key.verify_pkcs1v15_sha256(&hex(&test["msg"]), &hex(&test["sig"]));
    // The one "acceptable" case lacks the NULL in DigestInfo; RFC 8017 §9.2 demands it, and so do we.
    match (test["result"].as_str().unwrap(), result) {
        ("valid", Ok(())) | ("invalid" | "acceptable", Err(_)) => Ok(()),
        (expected, actual) => Err(format!("expected {expected}, got {actual:?}")),
    }
}

/// "acceptable" here means a small public exponent. Some of those keys have primes of unequal length, made so that the
/// signature comes out very small or very large; FIPS 186-5 A.1.1 forbids such keys, and import refuses them.
fn sign(group: &Value, test: &Value) -> Result<(), String> {
    let key = match PrivateKey::from_pkcs8_der(&hex(&group["privateKeyPkcs8"])) {
        Ok(key) => key,
        Err(KeyError::UnequalPrimes { .. }) if test["result"] == "acceptable" => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let signature = key
        .sign_pkcs1v15_sha256(&hex(&test["msg"]))
        .map_err(|error| error.to_string())?;
    if signature == hex(&test["sig"]) {
        Ok(())
    } else {
        Err("another signature".into())
    }
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}
