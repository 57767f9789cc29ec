//! Proves agreement with Project Wycheproof: what is valid there is accepted by every backend, what is invalid refused. And that the suite
//! is able to fail: a planted verifier that is wrong one way or the other makes it.
//!
//! The suite is the example's (`examples/wycheproof`). The vector files are found as described in `vectors()`; without them the tests are
//! reported as ignored.
#![allow(clippy::unwrap_used)]

#[path = "../examples/wycheproof/signatures.rs"]
mod signatures;
#[path = "../examples/wycheproof/suite.rs"]
mod suite;
#[path = "../examples/wycheproof/tokens.rs"]
mod tokens;

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::json;
use suite::{Planted, Tally, run_file, run_folder};

fn main() {
    let folder = vectors();
    let mut files: Vec<PathBuf> = match folder.read_dir() {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    };
    files.sort();
    let mut trials: Vec<Trial> = files
        .into_iter()
        .map(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            Trial::test(name, move || agrees(&file))
        })
        .collect();
    let absent = trials.is_empty();
    trials.push(
        Trial::test("a planted wrong verifier is noticed", planted).with_ignored_flag(absent),
    );
    trials.push(Trial::test("a wrong flag is noticed", flipped).with_ignored_flag(absent));
    trials.push(Trial::test(
        "a key that one backend refuses is noticed",
        refused,
    ));
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

fn agrees(file: &Path) -> Result<(), Failed> {
    let mut report = Vec::new();
    let tally = run_file(file, Planted::Nothing, &mut report)?;
    match tally.failed {
        0 => Ok(()),
        _ => Err(String::from_utf8(report)?.into()),
    }
}

fn planted() -> Result<(), Failed> {
    for file in [
        "rsa_signature_2048_sha256_test.json",
        "rsa_pkcs1_2048_sig_gen_test.json",
        "rsa_pss_2048_sha256_mgf1_0_test.json",
        "ecdsa_secp256r1_sha256_test.json",
        "ecdsa_secp384r1_sha384_p1363_test.json",
        "ed25519_test.json",
        "json_web_signature_test.json",
        "json_web_key_test.json",
    ] {
        let run = |planted| run_file(&vectors().join(file), planted, &mut Vec::new());
        let honest = run(Planted::Nothing)?;
        let suspicious = run(Planted::Suspicious)?;
        let credulous = run(Planted::Credulous)?;
        assert_eq!(honest.failed, 0, "{file}");
        assert!(suspicious.failed > 0, "{file}");
        // that file has nothing invalid
        assert!(credulous.failed > 0 || file.contains("sig_gen"), "{file}");
        for tally in [suspicious, credulous] {
            assert_eq!(tally.passed + tally.failed, honest.passed, "{file}");
        }
    }
    Ok(())
}

/// A valid test called invalid, in a folder of its own.
fn flipped() -> Result<(), Failed> {
    let text = std::fs::read_to_string(vectors().join("ed25519_test.json"))?;
    let flipped = text.replacen("\"valid\"", "\"invalid\"", 1);
    assert_ne!(text, flipped);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wycheproof-flipped");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("ed25519_test.json"), flipped)?;
    let mut report = Vec::new();
    let tally = run_folder(&folder, Planted::Nothing, &mut report)?;
    let report = String::from_utf8(report)?;
    assert!(matches!(tally, Tally { failed: 1, .. }), "{report}");
    let last = report.lines().last().unwrap_or_default();
    assert_eq!(last, tally.to_string());
    Ok(())
}

/// Two keys that OpenSSL takes. One has an exponent that the other backend refuses: a failure, although the one test of it calls for a
/// refusal. The other is longer than that backend promises to take: that is said.
fn refused() -> Result<(), Failed> {
    let group = |modulus: String, exponent: &str| {
        json!({
            "type": "RsassaPkcs1Verify", "sha": "SHA-256",
            "publicKey": {"modulus": modulus, "publicExponent": exponent},
            "tests": [{"tcId": 1, "comment": "", "flags": [], "msg": "", "sig": "00", "result": "invalid"}],
        })
    };
    let run = |name: &str, group| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder)?;
        let document = json!({ "testGroups": [group] });
        std::fs::write(folder.join("test.json"), document.to_string())?;
        let mut report = Vec::new();
        let tally = run_folder(&folder, Planted::Nothing, &mut report)?;
        Ok::<_, Failed>((tally, String::from_utf8(report)?))
    };
    let (tally, report) = run(
        "wycheproof-exponent",
        group("c5".repeat(256), "010000000001"),
    )?;
    assert!(
        matches!(
            tally,
            Tally {
                passed: 0,
                failed: 1,
                ..
            }
        ),
        "{report}"
    );
    assert!(
        report.contains("jose by stampmill refuses a key that others take"),
        "{report}"
    );
    let (tally, report) = run("wycheproof-long", group("c5".repeat(600), "010001"))?;
    assert!(
        matches!(
            tally,
            Tally {
                passed: 1,
                failed: 0,
                ..
            }
        ),
        "{report}"
    );
    assert!(report.contains("1 not by jose by stampmill"), "{report}");
    Ok(())
}
