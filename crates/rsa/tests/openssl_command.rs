//! Proves that the `openssl` command reads every file that is written here and writes what is read here, and that signatures pass
//! from one to the other. Where the command is not installed the tests are reported as ignored.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};
use stampmill_rsa::{KeyError, PrivateKey, PublicKey, Scheme};

type Test = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    let version = Command::new("openssl")
        .arg("version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let absent = !version.is_ok_and(|status| status.success());
    let tests: [(&str, Test); 5] = [
        (
            "private keys written here are read there",
            private_keys_go_out,
        ),
        (
            "private keys written there are read here",
            private_keys_come_in,
        ),
        ("public keys go both ways", public_keys_go_both_ways),
        ("signatures go both ways", signatures_go_both_ways),
        (
            "an encrypted key is refused, and its decryption read",
            encrypted_keys,
        ),
    ];
    let trials = tests.map(|(name, test)| Trial::test(name, test).with_ignored_flag(absent));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// A key of the command's making.
fn pkcs8_pem() -> &'static [u8] {
    static PEM: OnceLock<Vec<u8>> = OnceLock::new();
    PEM.get_or_init(|| {
        let arguments = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048";
        openssl(arguments, b"")
    })
}

fn key() -> PrivateKey {
    PrivateKey::from_pem(pkcs8_pem()).unwrap()
}

/// What the command prints, given `input`.
fn openssl(arguments: &str, input: &[u8]) -> Vec<u8> {
    let file = scratch("input");
    fs::write(&file, input).unwrap();
    let mut command = Command::new("openssl");
    command.args(arguments.split(' '));
    if !input.is_empty() {
        command.arg("-in").arg(&file);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    fs::remove_file(&file).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
    output.stdout
}

/// A file of this test alone.
fn scratch(name: &str) -> PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("openssl-command-{}-{count}-{name}", std::process::id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// `pkey -check` looks at every number: that the factors are prime, and that the exponents belong to them.
fn private_keys_go_out() -> Result<(), Failed> {
    let key = key();
    let same = |read: Vec<u8>| assert_eq!(read, pkcs8_pem());
    same(openssl("pkey", &key.to_pkcs8_pem()));
    same(openssl("pkey -inform DER", &key.to_pkcs8_der()));
    same(openssl("pkey", &key.to_pkcs1_pem()));
    same(openssl("pkey -inform DER", &key.to_pkcs1_der()));
    let read = PrivateKey::from_jwk(key.to_jwk().as_bytes())?;
    same(read.to_pkcs8_pem().to_vec());
    let checked = openssl("pkey -check -noout", &key.to_pkcs8_pem());
    assert!(String::from_utf8(checked)?.contains("Key is valid"));
    let made = PrivateKey::generate(stampmill_rsa::KeySize::Bits2048)?;
    let checked = openssl("pkey -check -noout", &made.to_pkcs8_pem());
    assert!(String::from_utf8(checked)?.contains("Key is valid"));
    Ok(())
}

fn private_keys_come_in() -> Result<(), Failed> {
    let pem = pkcs8_pem();
    let read = [
        PrivateKey::from_pkcs8_der(&openssl("pkcs8 -topk8 -nocrypt -outform DER", pem))?,
        PrivateKey::from_pem(&openssl("rsa -traditional", pem))?,
        PrivateKey::from_pkcs1_der(&openssl("rsa -traditional -outform DER", pem))?,
    ];
    for key in read {
        assert_eq!(*key.to_pkcs8_pem(), pem);
    }
    Ok(())
}

fn public_keys_go_both_ways() -> Result<(), Failed> {
    let key = key();
    let public = key.public_key();
    let spki = openssl("pkey -pubout", pkcs8_pem());
    let pkcs1 = openssl("rsa -RSAPublicKey_out", pkcs8_pem());
    assert_eq!(public.to_spki_pem(), spki);
    assert_eq!(public.to_pkcs1_pem(), pkcs1);
    for file in [&spki, &pkcs1] {
        assert_eq!(PublicKey::from_pem(file)?.to_spki_pem(), spki);
    }
    let der = openssl("pkey -pubout -outform DER", pkcs8_pem());
    assert_eq!(PublicKey::from_spki_der(&der)?.to_spki_der(), der);
    let der = openssl("rsa -RSAPublicKey_out -outform DER", pkcs8_pem());
    assert_eq!(PublicKey::from_pkcs1_der(&der)?.to_pkcs1_der(), der);
    let read = openssl("pkey -pubin", &public.to_spki_pem());
    assert_eq!(read, spki);
    let read = openssl("rsa -RSAPublicKey_in -pubout", &public.to_pkcs1_pem());
    assert_eq!(read, spki);
    Ok(())
}

fn signatures_go_both_ways() -> Result<(), Failed> {
    const PSS: &str = " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    let key = key();
    let private = scratch("private");
    let public = scratch("public");
    let signature = scratch("signature");
    fs::write(&private, key.to_pkcs8_pem())?;
    fs::write(&public, key.public_key().to_spki_pem())?;
    for (scheme, hash, options) in [
        (Scheme::RS256, "sha256", ""),
        (Scheme::RS512, "sha512", ""),
        (Scheme::PS256, "sha256", PSS),
        (Scheme::PS384, "sha384", PSS),
    ] {
        let message = scratch("message");
        fs::write(&message, b"both ways")?;
        let dgst = |mode: &str| {
            let arguments = format!("dgst -{hash} {mode}{options} {}", message.display());
            openssl(&arguments, b"")
        };
        let theirs = dgst(&format!("-sign {}", private.display()));
        key.public_key().verify(scheme, b"both ways", &theirs)?;
        fs::write(&signature, key.sign(scheme, b"both ways")?)?;
        let (public, signature) = (public.display(), signature.display());
        let said = dgst(&format!("-verify {public} -signature {signature}"));
        assert_eq!(String::from_utf8(said)?.trim(), "Verified OK");
        fs::remove_file(&message)?;
    }
    for file in [private, public, signature] {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// Reading an encrypted key is for whoever knows the pass phrase; here it is refused at once, without asking a terminal.
fn encrypted_keys() -> Result<(), Failed> {
    let encrypted = openssl("pkcs8 -topk8 -passout pass:secret", &key().to_pkcs8_pem());
    let refused = PrivateKey::from_pem(&encrypted).unwrap_err();
    assert!(matches!(refused, KeyError::Unreadable { .. }), "{refused}");
    let der = openssl(
        "pkcs8 -topk8 -passout pass:secret -outform DER",
        &key().to_pkcs8_pem(),
    );
    let refused = PrivateKey::from_pkcs8_der(&der).unwrap_err();
    assert!(matches!(refused, KeyError::Unreadable { .. }), "{refused}");
    let decrypted = openssl("pkcs8 -passin pass:secret", &encrypted);
    assert_eq!(
        *PrivateKey::from_pem(&decrypted)?.to_pkcs8_pem(),
        pkcs8_pem()
    );
    Ok(())
}
