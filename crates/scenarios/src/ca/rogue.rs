//! Certificates that claim too much, before verifiers that look and before one that does not. Attacks 25 to 28, 30 and 31.

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Ref};
use stampmill_local_ca::{
    Authority, AuthorityProfile, Certificate, CertificateRequest, LeafKey, Profile, VerifyOptions,
    create_private_folder, read_private, verify,
};

use super::{DAY, common_name, now, p256, serial};
use crate::stage::Stage;

/// Mallory's certificates: for a name that is not hers, by keys that are not meant for it.
pub(crate) fn rogue(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("ca");
    create_private_folder(&dir)?;
    let authority = Authority::create(&dir, "localhost-ca")?;
    let (request, mallory) = CertificateRequest::new("mallory.test", &["mallory.test".parse()?])?;
    let hers = authority.issue(&request, &Profile::server())?;
    let roots = [authority.root()];

    stage.heading("1  nobody vouches for it, or not for this name, or no longer");
    let key = p256()?;
    let own = Forged::new("bank.test").self_signed(&key)?;
    refused(
        stage,
        "25 a self-signed certificate",
        &own,
        &roots,
        "bank.test",
        "the chain",
        "RFC 5280 §6.1",
    )?;
    let unnamed = Forged::new("bank.test").without_names();
    let unnamed = unnamed.signed(&key, &*issuing_key(&dir)?, authority.issuing().as_openssl())?;
    let unnamed = with_chain(&unnamed, &[&authority.issuing()])?;
    let mut gullible = VerifyOptions::for_host("bank.test".parse()?);
    gullible.common_name_fallback = true;
    gullible.strict = false;
    stage.check(
        "a verifier that takes the common name for a name",
        "OK",
        verify(&unnamed, &roots, &gullible)?,
    );
    stage.succeeded("26 the name in the common name alone, before a verifier of before 2017");
    refused(
        stage,
        "26 the name in the common name alone",
        &unnamed,
        &roots,
        "bank.test",
        "names",
        "RFC 9525 §2",
    )?;
    refused(
        stage,
        "27 a good certificate for another host",
        &hers,
        &roots,
        "bank.test",
        "names",
        "RFC 9525 §6.3",
    )?;
    let mut later = VerifyOptions::for_host("mallory.test".parse()?);
    later.at = Some(now() + 91 * DAY);
    let verdict = verify(&hers, &roots, &later)?;
    stage.check(
        "on day 91",
        "error 10 at 0 depth: certificate has expired",
        &verdict,
    );
    stage.blocked(
        "28 an expired certificate",
        "validity",
        "RFC 5280 §6.1.3 (a)(2)",
    );

    stage.heading("2  a leaf that signs another leaf");
    stage.note(
        "Mallory has a good certificate, for mallory.test. With its key she signs one for the bank. Every signature in the chain is \
         right. Internet Explorer believed that until 2002: it did not ask whether the signer may sign.",
    );
    let below = Forged::new("bank.test").signed(&key, mallory.as_openssl(), hers.as_openssl())?;
    let below = with_chain(&below, &[&hers, &authority.issuing()])?;
    refused(
        stage,
        "30 a leaf that signs a leaf",
        &below,
        &roots,
        "bank.test",
        "basicConstraints",
        "RFC 5280 §6.1.4 (k)",
    )?;

    stage.heading("3  a client's certificate on a server");
    let (request, _) = CertificateRequest::new("", &["bank.test".parse()?])?;
    let client = authority.issue(&request, &Profile::client())?;
    refused(
        stage,
        "a certificate for clients",
        &client,
        &roots,
        "bank.test",
        "extendedKeyUsage",
        "RFC 5280 §4.2.1.12",
    )?;

    stage.heading("4  the authority's key is stolen");
    let stolen = Forged::new("bank.example").signed(
        &key,
        &*issuing_key(&dir)?,
        authority.issuing().as_openssl(),
    )?;
    let stolen = with_chain(&stolen, &[&authority.issuing()])?;
    refused(
        stage,
        "31 the stolen key, for a bank",
        &stolen,
        &roots,
        "bank.example",
        "name constraints",
        "RFC 5280 §4.2.1.10",
    )?;
    let mut profile = AuthorityProfile::new("localhost-ca");
    profile.constraints = None;
    let (free_dir, free) = (
        folder.path().join("free"),
        Authority::create_with(&folder.path().join("free"), &profile)?,
    );
    let stolen = Forged::new("bank.example").signed(
        &key,
        &*issuing_key(&free_dir)?,
        free.issuing().as_openssl(),
    )?;
    let stolen = with_chain(&stolen, &[&free.issuing()])?;
    let options = VerifyOptions::for_host("bank.example".parse()?);
    stage.check(
        "the same under an authority without constraints",
        "OK",
        verify(&stolen, &[free.root()], &options)?,
    );
    stage.succeeded("31 the stolen key of an unconstrained authority, for a bank");
    stage.note(
        "That is what a root of mkcert or of the post in one's browser means: whoever copies its key is everybody's bank. Constraints \
         cost nothing, and the key of a local authority lies on the disk of a laptop.",
    );
    Ok(())
}

fn refused(
    stage: &mut Stage<'_>,
    attack: &str,
    certificate: &Certificate,
    roots: &[Certificate],
    host: &str,
    by: &str,
    spec: &str,
) -> anyhow::Result<()> {
    let verdict = verify(certificate, roots, &VerifyOptions::for_host(host.parse()?))?;
    stage.check_rule(format!("{attack}: accepted"), false, verdict.accepted, spec);
    stage.compute("OpenSSL", &[], &verdict);
    stage.blocked(attack, by, spec);
    Ok(())
}

fn issuing_key(dir: &std::path::Path) -> anyhow::Result<PKey<Private>> {
    let pem = read_private(&dir.join(Authority::ISSUING_KEY_FILE))?;
    Ok(LeafKey::from_pkcs8_pem(&pem)?.as_openssl().to_owned())
}

/// The certificate with those that a server would send behind it.
fn with_chain(certificate: &X509, others: &[&Certificate]) -> anyhow::Result<Certificate> {
    let mut pem = String::from_utf8(certificate.to_pem()?)?;
    others.iter().for_each(|other| pem += &other.pem());
    Ok(Certificate::from_pem(pem.as_bytes())?)
}

/// A certificate for a server as anybody can write one: everything right but who signs it.
struct Forged {
    host: &'static str,
    named: bool,
}

impl Forged {
    fn new(host: &'static str) -> Self {
        Self { host, named: true }
    }

    fn without_names(mut self) -> Self {
        self.named = false;
        self
    }

    fn self_signed(&self, key: &PKeyRef<Private>) -> anyhow::Result<Certificate> {
        with_chain(&self.build(key, key, None)?, &[])
    }

    fn signed(
        &self,
        key: &PKeyRef<Private>,
        signer: &PKeyRef<Private>,
        issuer: &X509Ref,
    ) -> anyhow::Result<X509> {
        self.build(key, signer, Some(issuer))
    }

    fn build(
        &self,
        key: &PKeyRef<Private>,
        signer: &PKeyRef<Private>,
        issuer: Option<&X509Ref>,
    ) -> anyhow::Result<X509> {
        let name = common_name(self.host)?;
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*serial()?)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(issuer.map_or(&*name, |issuer| issuer.subject_name()))?;
        builder.set_pubkey(key)?;
        builder.set_not_before(&*Asn1Time::from_unix(now())?)?;
        builder.set_not_after(&*Asn1Time::from_unix(now() + 30 * DAY)?)?;
        let context = builder.x509v3_context(issuer, None);
        let mut extensions = vec![
            BasicConstraints::new().critical().build()?,
            KeyUsage::new().critical().digital_signature().build()?,
            ExtendedKeyUsage::new().server_auth().build()?,
            SubjectKeyIdentifier::new().build(&context)?,
        ];
        if issuer.is_some() {
            extensions.push(AuthorityKeyIdentifier::new().keyid(true).build(&context)?);
        }
        if self.named {
            extensions.push(
                SubjectAlternativeName::new()
                    .dns(self.host)
                    .build(&context)?,
            );
        }
        for extension in extensions {
            builder.append_extension(extension)?;
        }
        builder.sign(signer, MessageDigest::sha256())?;
        Ok(builder.build())
    }
}
