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
use stampmill_rsa::{Hash, KeyError, PrivateKey, Pss, PublicKey, Scheme};

fn main() -> ExitCode {
    let verify_pkcs1 = [
        (2048, 256, 213),
        (2048, 384, 215),
        (2048, 512, 198),
        (3072, 256, 208),
        (3072, 384, 208),
        (3072, 512, 208),
        (4096, 256, 194),
        (4096, 384, 211),
        (4096, 512, 214),
    ];
    let verify_pkcs1 = verify_pkcs1.map(|(bits, hash, tests)| {
        let file = format!("rsa_signature_{bits}_sha{hash}_test.json");
        trial(file, tests, verify)
    });
    let sign_pkcs1 = [(2048, 16), (3072, 21), (4096, 23)];
    let sign_pkcs1 = sign_pkcs1
        .map(|(bits, tests)| trial(format!("rsa_pkcs1_{bits}_sig_gen_test.json"), tests, sign));
    let verify_pss = [
        ("2048_sha256_mgf1_0_params", 87),
        ("2048_sha256_mgf1_0", 69),
        ("2048_sha256_mgf1_32_params", 87),
        ("2048_sha256_mgf1_32", 89),
        ("2048_sha384_mgf1_48", 111),
        ("3072_sha256_mgf1_32_params", 80),
        ("3072_sha256_mgf1_32", 93),
        ("4096_sha256_mgf1_32", 92),
        ("4096_sha384_mgf1_48", 112),
        ("4096_sha512_mgf1_32_params", 146),
        ("4096_sha512_mgf1_32", 131),
        ("4096_sha512_mgf1_64_params", 149),
        ("4096_sha512_mgf1_64", 145),
        ("misc", 42), // of 122: the others have SHA-1 or SHA-224 in them
    ];
    let verify_pss =
        verify_pss.map(|(name, tests)| trial(format!("rsa_pss_{name}_test.json"), tests, verify));
    let keys = [
        "rsa_signature_2048_sha256_test.json",
        "rsa_signature_4096_sha512_test.json",
        "rsa_pss_3072_sha256_mgf1_32_test.json",
        "rsa_pkcs1_2048_sig_gen_test.json",
        "rsa_pkcs1_4096_sig_gen_test.json",
    ];
    let keys = keys.map(|file| {
        let path = vectors().join(file);
        let present = path.is_file();
        Trial::test(format!("keys of {file}"), move || keys_agree(&path))
            .with_ignored_flag(!present)
    });
    let tests = keys
        .into_iter()
        .chain(verify_pkcs1)
        .chain(sign_pkcs1)
        .chain(verify_pss)
        .collect();
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

type Check = fn(scheme: Scheme, group: &Value, test: &Value) -> Result<(), String>;

/// One test for one file; `at_least` guards against a file that silently holds nothing of ours.
fn trial(file: String, at_least: usize, check: Check) -> Trial {
    let path = vectors().join(&file);
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
        .filter_map(|group| Some((scheme(group)?, group)))
        .flat_map(|(scheme, group)| {
            let tests = group["tests"].as_array().unwrap();
            tests.iter().map(move |test| (scheme, group, test))
        });
    let (mut run, mut failures) = (0, Vec::new());
    for (scheme, group, test) in tests {
        run += 1;
        if let Err(failure) = check(scheme, group, test) {
            failures.push(format!(
                "test {} ({}): {failure}",
                test["tcId"], test["comment"]
            ));
        }
    }
    if run < at_least {
        failures.push(format!(
            "{run} tests with SHA-2 in the file, expected {at_least} or more"
        ));
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n").into())
    }
}

/// The scheme of a group; none if it has a hash function that we do not.
fn scheme(group: &Value) -> Option<Scheme> {
    let hash = |name: &Value| Hash::ALL.into_iter().find(|hash| *name == hash.name());
    let message = hash(&group["sha"])?;
    let Some(salt_len) = group["sLen"].as_u64() else {
        return Some(Scheme::Pkcs1v15(message));
    };
    assert_eq!(group["mgf"], "MGF1");
    let pss = Pss::new(message)
        .with_mgf_hash(hash(&group["mgfSha"])?)
        .with_salt_len(salt_len as usize);
    Some(Scheme::Pss(pss.unwrap()))
}

fn verify(scheme: Scheme, group: &Value, test: &Value) -> Result<(), String> {
    let key = PublicKey::new(
        &hex(&group["publicKey"]["modulus"]),
        &hex(&group["publicKey"]["publicExponent"]),
    );
    let key = key.map_err(|error| error.to_string())?;
    let result = key.verify(scheme, &hex(&test["msg"]), &hex(&test["sig"]));
    // The one "acceptable" case lacks the NULL in DigestInfo; RFC 8017 §9.2 demands it, and so do we.
    match (test["result"].as_str().unwrap(), result) {
        ("valid", Ok(())) | ("invalid" | "acceptable", Err(_)) => Ok(()),
        (expected, actual) => Err(format!("expected {expected}, got {actual:?}")),
    }
}

/// "acceptable" here means a small public exponent. Some of those keys have primes of unequal length, made so that the
/// signature comes out very small or very large; FIPS 186-5 A.1.1 forbids such keys, and import refuses them.
fn sign(scheme: Scheme, group: &Value, test: &Value) -> Result<(), String> {
    let key = match PrivateKey::from_pkcs8_der(&hex(&group["privateKeyPkcs8"])) {
        Ok(key) => key,
        Err(KeyError::UnequalPrimes { .. }) if test["result"] == "acceptable" => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let signature = key
        .sign(scheme, &hex(&test["msg"]))
        .map_err(|error| error.to_string())?;
    if signature == hex(&test["sig"]) {
        Ok(())
    } else {
        Err("another signature".into())
    }
}

/// A group names its key in several formats: all of them must be read, and give the same key.
fn keys_agree(path: &Path) -> Result<(), Failed> {
    let file: Value = serde_json::from_slice(&fs::read(path)?)?;
    for group in file["testGroups"].as_array().unwrap() {
        let text = |names: &[&str]| names.iter().find_map(|name| group[*name].as_str());
        let jwk = |names: &[&str]| names.iter().find_map(|name| group[*name].as_object());
        let pem = PublicKey::from_pem(text(&["keyPem", "publicKeyPem"]).unwrap().as_bytes())?;
        let der = |name: &str| hex(&group[name]);
        let spki =
            ["keyDer", "publicKeyDer"].map(|name| group[name].is_string().then(|| der(name)));
        let spki = spki.into_iter().flatten().next().unwrap();
        assert_eq!(PublicKey::from_spki_der(&spki)?.n(), pem.n());
        assert_eq!(pem.to_spki_der(), spki);
        if let Some(jwk) = jwk(&["keyJwk", "publicKeyJwk"]) {
            let json = serde_json::to_vec(jwk)?;
            let key = PublicKey::from_jwk(&json)?;
            assert_eq!((key.n(), key.e()), (pem.n(), pem.e()));
        }
        if group["privateKeyPkcs8"].is_string() {
            let pkcs8 = hex(&group["privateKeyPkcs8"]);
            let key = match PrivateKey::from_pkcs8_der(&pkcs8) {
                Err(KeyError::UnequalPrimes { .. }) => continue,
                key => key?,
            };
            assert_eq!(*key.to_pkcs8_der(), pkcs8);
            assert_eq!(key.public_key().n(), pem.n());
            let pem = PrivateKey::from_pem(text(&["privateKeyPem"]).unwrap().as_bytes())?;
            assert_eq!(*pem.to_pkcs8_der(), pkcs8);
            if let Some(jwk) = jwk(&["privateKeyJwk"]) {
                let key = PrivateKey::from_jwk(&serde_json::to_vec(jwk)?)?;
                assert_eq!(*key.to_pkcs8_der(), pkcs8);
            }
        }
    }
    Ok(())
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}
