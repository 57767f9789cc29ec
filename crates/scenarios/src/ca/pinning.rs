//! Pinning: a client that knows the key it expects trusts no authority for it. The post's other idea, with what it costs.

use openssl::sha::sha256;
use stampmill_local_ca::{
    Authority, AuthorityProfile, Certificate, CertificateRequest, LeafKey, Profile, VerifyOptions,
    now, verify,
};

use crate::stage::Stage;

/// A pin on the server's key, on the intermediate's, and what happens at renewal and after a theft.
pub(crate) fn pinning(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let ours = Authority::generate(&AuthorityProfile::new("localhost-ca"), now())?;
    // another authority that the client trusts as well, as browsers trust a hundred
    let other = Authority::generate(&AuthorityProfile::new("careless-ca"), now())?;
    let roots = [ours.root(), other.root()];
    let options = VerifyOptions::for_host("api.test".parse()?);
    let key = LeafKey::generate(Default::default())?;
    let leaf = issue(&ours, &key)?;
    let pin = spki_hash(&leaf)?;

    stage.heading("1  a pin is the hash of a public key");
    stage.compute(
        "base64(SHA-256(SubjectPublicKeyInfo))",
        &[("of", &"api.test")],
        &pin,
    );

    stage.heading("2  another trusted authority is deceived");
    let mallory = LeafKey::generate(Default::default())?;
    let forged = issue(&other, &mallory)?;
    stage.check(
        "OpenSSL, both roots trusted",
        "OK",
        verify(&forged, &roots, &options)?,
    );
    stage.succeeded(
        "a certificate for api.test by an authority that should not have signed it, without a pin",
    );
    stage.check_rule(
        "its key is the pinned one",
        false,
        spki_hash(&forged)? == pin,
        "RFC 7469 §2.6",
    );
    stage.blocked(
        "a certificate for api.test by an authority that should not have signed it",
        "the pin",
        "RFC 7469 §2.6",
    );

    stage.heading("3  renewal");
    let renewed = issue(&ours, &key)?;
    stage.check(
        "a new certificate for the same key fits the pin",
        true,
        spki_hash(&renewed)? == pin,
    );
    let rekeyed = issue(&ours, &LeafKey::generate(Default::default())?)?;
    stage.check(
        "one for a new key does not",
        false,
        spki_hash(&rekeyed)? == pin,
    );
    stage.note(
        "The key is lost or stolen, and every client refuses its own server until it is updated: a pin needs a second, of a key that \
         lies in a safe (RFC 7469 §2.5 demanded that). Browsers gave pins from the wire up in 2018 for this reason.",
    );

    stage.heading("4  the middle way: pin the authority");
    let pin = spki_hash(&ours.issuing())?;
    let holds = |leaf: &Certificate| -> anyhow::Result<bool> {
        let chain = leaf
            .intermediates()
            .iter()
            .map(|one| hash(&one.public_key()?.public_key_to_der()?));
        Ok(chain.collect::<anyhow::Result<Vec<_>>>()?.contains(&pin))
    };
    for (what, certificate, expected) in [
        ("the server's, renewed with a new key", &rekeyed, true),
        ("the careless authority's", &forged, false),
    ] {
        stage.check(
            format!("{what}: the pinned key is in the chain"),
            expected,
            holds(certificate)?,
        );
    }
    stage.note(
        "An application that trusts one's own root alone has just that: `curl --cacert ca/root.pem`. With name constraints in the root \
         the authority cannot be misused for others either.",
    );
    Ok(())
}

fn issue(authority: &Authority, key: &LeafKey) -> anyhow::Result<Certificate> {
    let request = CertificateRequest::for_key(key, "", &["api.test".parse()?])?;
    Ok(authority.issue(&request, &Profile::server())?)
}

fn spki_hash(certificate: &Certificate) -> anyhow::Result<String> {
    hash(&certificate.as_openssl().public_key()?.public_key_to_der()?)
}

fn hash(spki: &[u8]) -> anyhow::Result<String> {
    Ok(openssl::base64::encode_block(&sha256(spki)))
}
