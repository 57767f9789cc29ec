//! A chain verified by hand: the questions in their order, and one signature opened down to the hash.

use anyhow::Context as _;
use openssl::rsa::Padding;
use openssl::sha::sha256;
use stampmill_local_ca::{
    Authority, AuthorityProfile, Certificate, CertificateRequest, KeyKind, Profile, VerifyOptions,
    now, verify, verify_by_hand, view,
};

use super::DAY;
use crate::stage::Stage;

/// Leaf, intermediate, root: each question that a verifier asks, then the same chain broken in four ways.
pub(crate) fn verify_chain_by_hand(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let mut profile = AuthorityProfile::new("localhost-ca");
    // RSA, because its signatures can be opened and looked into.
    profile.key = KeyKind::Rsa2048;
    let authority = Authority::generate(&profile, now())?;
    let (request, _) = CertificateRequest::new("localhost", &["localhost".parse()?])?;
    let leaf = authority.issue(&request, &Profile::server())?;
    let roots = [authority.root()];

    stage.heading("1  the questions");
    let options = VerifyOptions::for_host("localhost".parse()?);
    for step in verify_by_hand(&leaf, &roots, &options) {
        stage.check_rule(
            format!("{} {}: {}", step.depth, step.subject, step.question),
            true,
            step.ok,
            step.rule,
        );
        stage.note(step.found);
    }
    stage.check("OpenSSL's verdict", "OK", verify(&leaf, &roots, &options)?);

    stage.heading("2  one signature, opened");
    open_signature(stage, &leaf, &authority.issuing())?;

    stage.heading("3  the same chain, broken");
    let alone = Certificate::from_der(&leaf.der())?;
    let stranger = Authority::generate(&AuthorityProfile::new("localhost-ca"), now())?;
    let strangers = [stranger.root()];
    let host = |name: &str, later: i64| -> anyhow::Result<VerifyOptions> {
        let mut options = VerifyOptions::for_host(name.parse()?);
        options.at = Some(now() + later);
        Ok(options)
    };
    for (what, certificate, roots, options) in [
        (
            "the server forgot the intermediate",
            &alone,
            &roots,
            host("localhost", 0)?,
        ),
        (
            "another root of the same name",
            &leaf,
            &strangers,
            host("localhost", 0)?,
        ),
        ("91 days later", &leaf, &roots, host("localhost", 91 * DAY)?),
        (
            "asked for another name",
            &leaf,
            &roots,
            host("example.test", 0)?,
        ),
    ] {
        let steps = verify_by_hand(certificate, roots, &options);
        let first = steps
            .iter()
            .find(|step| !step.ok)
            .context("a question is answered badly")?;
        let openssl = verify(certificate, roots, &options)?;
        stage.check(
            format!("{what}: accepted by OpenSSL"),
            false,
            openssl.accepted,
        );
        stage.compute(
            "the question that is answered badly",
            &[("question", &first.question), ("OpenSSL", &openssl)],
            &first.found,
        );
    }
    Ok(())
}

/// `s^e mod n` is the padding of PKCS #1 (RFC 8017 §9.2) and, at its end, the hash of what was signed.
fn open_signature(
    stage: &mut Stage<'_>,
    leaf: &Certificate,
    issuer: &Certificate,
) -> anyhow::Result<()> {
    let key = issuer.as_openssl().public_key()?.rsa()?;
    let signature = leaf.as_openssl().signature().as_slice();
    let mut opened = vec![0; usize::try_from(key.size())?];
    key.public_decrypt(signature, &mut opened, Padding::NONE)?;
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let padding = opened
        .iter()
        .skip(2)
        .take_while(|byte| **byte == 0xff)
        .count();
    let tail = &opened[2 + padding + 1..];
    stage.compute(
        "s^e mod n",
        &[
            ("s", &format!("{}...", hex(&signature[..16]))),
            ("e", &key.e().to_dec_str()?),
        ],
        format!("0001 ff×{padding} 00 {}", hex(tail)),
    );
    // The first thing inside the certificate is what was signed: its place and length, from the view.
    let der = leaf.der();
    let view = view(&der)?;
    let tbs = view
        .lines
        .iter()
        .find(|line| line.name == "tbsCertificate")
        .context("a certificate has one")?;
    let signed = &der[tbs.offset..tbs.offset + tbs.header + tbs.length];
    let hash = hex(&sha256(signed));
    stage.compute(
        "SHA-256(tbsCertificate)",
        &[("bytes", &signed.len())],
        &hash,
    );
    stage.check_rule(
        "the opened signature ends with that hash",
        true,
        hex(tail).ends_with(&hash),
        "RFC 8017 §8.2.2",
    );
    Ok(())
}
