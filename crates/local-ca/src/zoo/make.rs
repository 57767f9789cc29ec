//! How each inhabitant comes to be. Who can be issued is issued; the others are put together by hand, right in all but one thing.

use std::sync::Arc;

use openssl::ecdsa::EcdsaSig;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use openssl::sha::{sha1, sha256};

use super::{DOMAIN, ZooError};
use crate::authority::{Authority, AuthorityProfile, Issuer};
use crate::base_url::BaseUrl;
use crate::certificate::Certificate;
use crate::constraints::NameConstraints;
use crate::der::{self, oid, write};
use crate::http::Published;
use crate::keys::{KeyKind, PrivateKey, Signer};
use crate::moment::DAY;
use crate::names::SubjectAltName;
use crate::ocsp::OcspResponder;
use crate::profile::{CRL_SIGN, DIGITAL_SIGNATURE, KEY_CERT_SIGN, Profile};
use crate::reason::Reason;
use crate::request::{CertificateRequest, names_extension};
use crate::subject;
use crate::tbs;

/// A chain and the key of its leaf.
pub(super) type Shown = (Certificate, PKey<Private>);

/// The age of the root: old enough for a certificate of it that has expired.
const AGE: i64 = 400 * DAY;

/// Where the zoo publishes what is below the intermediate that is good for `.test` only.
pub(super) const NARROW_LIST: &str = "/zoo/test.crl";
pub(super) const NARROW_CERTIFICATE: &str = "/zoo/test.cer";
/// How long its list holds: longer than anybody keeps a zoo open.
const LIST_LIFE: i64 = 30 * DAY;

/// The zoo's authority, and its clock.
pub(super) struct Keeper {
    pub(super) authority: Authority,
    /// Where CRL and OCSP answers are.
    base_url: BaseUrl,
    /// The intermediate that is good for `.test` only.
    narrow: Narrow,
    now: i64,
}

/// An intermediate with a key of its own, and its list.
struct Narrow {
    signer: Signer,
    certificate: Certificate,
}

impl Keeper {
    pub(super) fn new(base_url: &BaseUrl, now: i64) -> Result<Self, ZooError> {
        let mut profile = AuthorityProfile::new("stampmill zoo");
        profile.days = 800;
        profile.base_url = Some(base_url.clone());
        let authority = Authority::generate_recorded(&profile, now - AGE)?;
        let narrow = narrow(&authority, base_url)?;
        Ok(Self {
            authority,
            base_url: base_url.clone(),
            narrow,
            now,
        })
    }

    /// The list of the intermediate that is good for `.test` only: it has taken nothing back.
    pub(super) fn narrow_crl(&self) -> Result<Vec<u8>, ZooError> {
        let signer = &self.narrow.signer;
        let identifier = signer.public().identifier();
        let number = write::extension(oid::CRL_NUMBER, false, &write::integer(1));
        let extensions = [tbs::authority_key_identifier(&identifier), number];
        let tbs = write::sequence([
            write::integer(1), // version 2
            signer.algorithm(),
            self.narrow.certificate.parsed().subject.to_vec(),
            write::time(self.now - 60),
            write::time(self.now + LIST_LIFE),
            write::context(0, [write::sequence(extensions)]),
        ]);
        Ok(signer.signed(tbs)?)
    }

    pub(super) fn publish(self) -> Result<Published, ZooError> {
        // The root's list is as old as the root otherwise, and so void.
        self.authority.renew_root_crl(self.now)?;
        let authority = Arc::new(self.authority);
        let responder = OcspResponder::in_memory(Arc::clone(&authority), self.now)?;
        Ok(Published::new(authority, Arc::new(responder)))
    }

    // ---- issued, and at most used in the wrong place or at the wrong time ---------------------------------------------------

    pub(super) fn good(&self, host: &str) -> Result<Shown, ZooError> {
        self.issue(host, &Profile::server(), self.now)
    }

    /// Ninety days, from a hundred days ago on.
    pub(super) fn expired(&self, host: &str) -> Result<Shown, ZooError> {
        self.issue(host, &Profile::server(), self.now - 100 * DAY)
    }

    pub(super) fn not_yet_valid(&self, host: &str) -> Result<Shown, ZooError> {
        self.issue(host, &Profile::server(), self.now + 30 * DAY)
    }

    pub(super) fn wrong_host(&self, _host: &str) -> Result<Shown, ZooError> {
        self.good(&format!("somebody-else.{DOMAIN}"))
    }

    pub(super) fn no_intermediate(&self, host: &str) -> Result<Shown, ZooError> {
        let (leaf, key) = self.good(host)?;
        Ok((leaf.with_intermediates(Vec::new()), key))
    }

    pub(super) fn for_clients(&self, host: &str) -> Result<Shown, ZooError> {
        self.issue(host, &Profile::client(), self.now)
    }

    pub(super) fn revoked(&self, host: &str) -> Result<Shown, ZooError> {
        let (leaf, key) = self.good(host)?;
        let reason = Reason::KeyCompromise;
        self.authority.revoke(&leaf.serial(), reason, self.now)?;
        Ok((leaf, key))
    }

    /// A root of the same name, as an attacker would call it.
    pub(super) fn unknown_root(&self, host: &str) -> Result<Shown, ZooError> {
        let profile = AuthorityProfile::new("stampmill zoo");
        let stranger = Authority::generate(&profile, self.now)?;
        issue(&stranger, host, &Profile::server(), self.now)
    }

    fn issue(&self, host: &str, profile: &Profile, now: i64) -> Result<Shown, ZooError> {
        issue(&self.authority, host, profile, now)
    }

    // ---- written by hand ----------------------------------------------------------------------------------------------------

    pub(super) fn common_name_only(&self, host: &str) -> Result<Shown, ZooError> {
        let mut leaf = self.leaf(host)?;
        leaf.subject = subject::common_name(Some(host));
        leaf.names.clear();
        self.by_the_authority(leaf)
    }

    /// By its own key, under its own name.
    pub(super) fn self_signed(&self, host: &str) -> Result<Shown, ZooError> {
        let mut leaf = self.leaf(host)?;
        leaf.subject = subject::common_name(Some(host));
        let signer = signer_of(&leaf.key);
        let issuer = leaf.subject.clone();
        let der = leaf.signed(&issuer, &signer)?;
        Ok((read(der), leaf.key))
    }

    /// Whoever has a certificate for a host of their own signs one for another's.
    pub(super) fn rogue_leaf(&self, host: &str) -> Result<Shown, ZooError> {
        let hers = format!("mallory.{DOMAIN}");
        let (request, key) = CertificateRequest::new(&hers, &[hers.parse()?])?;
        let hers = self
            .authority
            .issue_at(&request, &Profile::server(), self.now)?;
        let leaf = self.leaf(host)?;
        let der = leaf.signed(hers.parsed().subject, &signer_of(key.as_openssl()))?;
        let behind = [
            vec![hers.as_openssl().to_owned()],
            hers.intermediates().to_vec(),
        ]
        .concat();
        Ok((read(der).with_intermediates(behind), leaf.key))
    }

    /// Below an intermediate of its own, which may certify names in `.test`. Like every other it says where its list is, so that nothing else
    /// is wrong with it.
    pub(super) fn outside_constraints(&self, host: &str) -> Result<Shown, ZooError> {
        let Narrow {
            signer,
            certificate,
        } = &self.narrow;
        let mut leaf = self.leaf(host)?;
        leaf.pointers = [
            tbs::crl_distribution_point(&narrow_url(&self.base_url, NARROW_LIST)),
            tbs::authority_info_access(None, &narrow_url(&self.base_url, NARROW_CERTIFICATE)),
        ];
        let der = leaf.signed(certificate.parsed().subject, signer)?;
        let behind = vec![certificate.as_openssl().to_owned()];
        Ok((read(der).with_intermediates(behind), leaf.key))
    }

    pub(super) fn weak_key(&self, host: &str) -> Result<Shown, ZooError> {
        let mut leaf = self.leaf(host)?;
        leaf.key = PKey::from_rsa(Rsa::generate(1024)?)?;
        self.by_the_authority(leaf)
    }

    pub(super) fn weak_digest(&self, host: &str) -> Result<Shown, ZooError> {
        let mut leaf = self.leaf(host)?;
        leaf.sha1 = true;
        self.by_the_authority(leaf)
    }

    /// What `openssl x509 -req` makes of a request when nobody names a file of extensions.
    pub(super) fn version_one(&self, host: &str) -> Result<Shown, ZooError> {
        let mut leaf = self.leaf(host)?;
        leaf.subject = subject::common_name(Some(host));
        leaf.version_one = true;
        self.by_the_authority(leaf)
    }

    pub(super) fn unknown_critical(&self, host: &str) -> Result<Shown, ZooError> {
        // 1.3.6.1.4.1.32473.1: the enterprise number for examples (RFC 5612)
        let example = b"\x2b\x06\x01\x04\x01\x81\xfd\x59\x01";
        let mut leaf = self.leaf(host)?;
        leaf.more = write::extension(example, true, &write::null());
        self.by_the_authority(leaf)
    }

    fn leaf(&self, host: &str) -> Result<ByHand, ZooError> {
        Ok(ByHand {
            key: KeyKind::P256.generate()?,
            subject: subject::common_name(None),
            names: vec![host.parse()?],
            // whole days: the last second belongs to the life (RFC 5280 §4.1.2.5)
            life: (self.now - DAY, self.now + 30 * DAY - 1),
            version_one: false,
            sha1: false,
            // No responder: it knows only what is in the records.
            pointers: [
                tbs::crl_distribution_point(&self.base_url.crl_part(0)),
                tbs::authority_info_access(None, &self.base_url.issuing_certificate()),
            ],
            more: Vec::new(),
        })
    }

    fn by_the_authority(&self, leaf: ByHand) -> Result<Shown, ZooError> {
        let issuer = &*self.authority.issuing_issuer();
        let der = leaf.signed(issuer.subject(), &issuer.signer)?;
        let behind = vec![issuer.certificate.as_openssl().to_owned()];
        Ok((read(der).with_intermediates(behind), leaf.key))
    }

    pub(super) fn narrow_certificate(&self) -> &Certificate {
        &self.narrow.certificate
    }
}

/// The intermediate that may certify names in `.test`, by the zoo's root.
fn narrow(authority: &Authority, base_url: &BaseUrl) -> Result<Narrow, ZooError> {
    let root = authority.root_issuer();
    let root: Issuer = root.expect("an authority that was just made has its root's key");
    let signer = signer_of(&*KeyKind::P256.generate()?);
    let constraints = NameConstraints::nothing().permitting("test")?;
    let extensions = [
        tbs::authority(Some(0)),
        tbs::key_usage(KEY_CERT_SIGN | CRL_SIGN),
        tbs::extended_key_usage(&[oid::SERVER_AUTH]),
        tbs::subject_key_identifier(&signer.public().identifier()),
        tbs::authority_key_identifier(&root.key_identifier()),
        constraints.extension(None),
        tbs::crl_distribution_point(&base_url.root_crl()),
        tbs::authority_info_access(None, &base_url.root_certificate()),
    ];
    let name = subject::common_name(Some("stampmill zoo, good for .test only"));
    let life = (root.certificate.not_before(), root.certificate.not_after());
    let certificate = root.sign(&name, signer.public().spki(), life, &extensions)?;
    Ok(Narrow {
        signer,
        certificate,
    })
}

fn narrow_url(base_url: &BaseUrl, path: &str) -> String {
    format!("{base_url}{path}")
}

fn issue(
    authority: &Authority,
    host: &str,
    profile: &Profile,
    now: i64,
) -> Result<Shown, ZooError> {
    let (request, key) = CertificateRequest::new("", &[host.parse()?])?;
    let leaf = authority.issue_at(&request, profile, now)?;
    Ok((leaf, key.as_openssl().to_owned()))
}

/// A server's certificate as it should be, but for what is changed.
struct ByHand {
    key: PKey<Private>,
    subject: Vec<u8>,
    names: Vec<SubjectAltName>,
    life: (i64, i64),
    version_one: bool,
    sha1: bool,
    /// Where its issuer's list and certificate are.
    pointers: [Vec<u8>; 2],
    /// One more extension.
    more: Vec<u8>,
}

impl ByHand {
    /// `Certificate` (RFC 5280 §4.1), signed with a P-256 key.
    fn signed(&self, issuer: &[u8], signer: &Signer) -> Result<Vec<u8>, ZooError> {
        let algorithm = match self.sha1 {
            true => write::algorithm(oid::ECDSA_WITH_SHA1),
            false => signer.algorithm(),
        };
        let (version, extensions) = match self.version_one {
            true => (Vec::new(), Vec::new()),
            false => (
                write::context(0, [write::integer(2)]),
                write::context(3, [write::sequence(self.extensions(signer)?)]),
            ),
        };
        let (start, end) = self.life;
        let tbs = write::sequence([
            version,
            write::unsigned(&tbs::random_serial()),
            algorithm.clone(),
            issuer.to_vec(),
            write::sequence([write::time(start), write::time(end)]),
            self.subject.clone(),
            self.key.public_key_to_der()?,
            extensions,
        ]);
        let digest = match self.sha1 {
            true => sha1(&tbs).to_vec(),
            false => sha256(&tbs).to_vec(),
        };
        let signature = EcdsaSig::sign(&digest, &*signer.as_openssl().ec_key()?)?.to_der()?;
        let signature = write::bit_string(&signature);
        Ok(write::sequence([tbs, algorithm, signature]))
    }

    fn extensions(&self, signer: &Signer) -> Result<Vec<Vec<u8>>, ZooError> {
        let key_identifier = sha1(&key_bits(&self.key)?);
        let mut extensions = vec![
            tbs::no_authority(),
            tbs::key_usage(DIGITAL_SIGNATURE),
            tbs::extended_key_usage(&[oid::SERVER_AUTH]),
            tbs::subject_key_identifier(&key_identifier),
            tbs::authority_key_identifier(&signer.public().identifier()),
        ];
        if !self.names.is_empty() {
            let critical = self.subject == subject::common_name(None);
            extensions.push(names_extension(&self.names, critical));
        }
        extensions.extend(self.pointers.iter().cloned());
        extensions.push(self.more.clone());
        Ok(extensions)
    }
}

/// The BIT STRING's contents in the `SubjectPublicKeyInfo`, whatever the key.
fn key_bits(key: &PKeyRef<Private>) -> Result<Vec<u8>, ZooError> {
    let spki = key.public_key_to_der()?;
    let bits = der::only(&spki, der::SEQUENCE).and_then(|info| {
        let mut parts = info.inside();
        parts.expect(der::SEQUENCE)?;
        parts.expect(der::BIT_STRING)
    });
    let bits = bits.expect("OpenSSL writes keys as RFC 5280 has them");
    Ok(bits.contents[1..].to_vec())
}

fn signer_of(key: &PKeyRef<Private>) -> Signer {
    Signer::new(PrivateKey::of(key.to_owned()))
        .expect("a P-256 key that was just made may be certified")
}

fn read(der: Vec<u8>) -> Certificate {
    Certificate::trusted(der).expect("what is written here can be read here")
}
