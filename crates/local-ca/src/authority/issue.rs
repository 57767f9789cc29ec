//! Issuing: a request and a profile in, a certificate out, recorded before anybody gets it.

use std::path::Path;

use super::make::pointers_of_root;
use super::{Authority, IssueError, Issuer};
use crate::certificate::Certificate;
use crate::der::oid;
use crate::keys::{BlockedKeys, LeafKey, PublicKey};
use crate::moment::now;
use crate::names::SubjectAltName;
use crate::profile::{
    DIGITAL_SIGNATURE, KEY_CERT_SIGN, KEY_ENCIPHERMENT, Profile, ProfileError, Role, Row, RuleSet,
};
use crate::request::{CertificateRequest, names_extension};
use crate::store::{ForOrder, Issued, Recorded};
use crate::subject;
use crate::tbs;

impl Authority {
    /// Issues a certificate, from now on.
    ///
    /// # Errors
    /// As [`Authority::issue_at`].
    pub fn issue(
        &self,
        request: &CertificateRequest,
        profile: &Profile,
    ) -> Result<Certificate, IssueError> {
        self.issue_at(request, profile, now())
    }

    /// Issues a certificate as if it were `now`, in seconds since the epoch.
    ///
    /// It never outlives its issuer: what would last longer ends with it. It is in the records before it is returned; when it cannot be
    /// recorded there is none.
    ///
    /// # Errors
    /// [`IssueError`], one variant a rule.
    pub fn issue_at(
        &self,
        request: &CertificateRequest,
        profile: &Profile,
        now: i64,
    ) -> Result<Certificate, IssueError> {
        self.issue_for(request, profile, now, None)
    }

    /// As [`Authority::issue_at`], for an ACME order: it becomes valid in the moment in which the certificate is recorded.
    pub(crate) fn issue_for(
        &self,
        request: &CertificateRequest,
        profile: &Profile,
        now: i64,
        order: Option<&ForOrder<'_>>,
    ) -> Result<Certificate, IssueError> {
        let row = profile.row();
        let days = profile.checked_days(self.rules, now)?;
        self.check(request, row)?;
        let issuing = self.issuing_issuer();
        let root = match row.role {
            Role::SubCa => {
                let absent = IssueError::RootKeyAbsent { profile: row.name };
                Some(self.root_issuer().ok_or(absent)?)
            }
            _ => {
                self.check_issuing()?;
                None
            }
        };
        let issuer = root.as_ref().unwrap_or(&issuing);
        issuer.check_life(now)?;
        let common_name = match self.rules {
            RuleSet::Private => request.common_name(),
            // Baseline Requirements §7.1.2.7.2: domain-validated subjects are better empty
            RuleSet::PublicLike => None,
        };
        let key = request.public_key();
        let extensions = self.extensions(issuer, row, key, request.names(), common_name);
        let life = issuer.life(now, days);
        let plan = Plan {
            subject: subject::common_name(common_name),
            spki: key.spki(),
            life: order.map_or(life, |order| order.within(life)),
            extensions,
            row,
            order,
        };
        self.sign_and_record(issuer, &plan, now)
    }

    /// A responder's certificate for a key made here, signed by the authority it answers for (RFC 6960 §4.2.2.2).
    ///
    /// # Errors
    /// As [`Authority::issue_at`].
    pub(crate) fn issue_ocsp_responder(
        &self,
        key: &LeafKey,
        now: i64,
    ) -> Result<Certificate, IssueError> {
        let profile = Profile::new(Role::OcspResponder);
        let row = profile.row();
        let issuing = self.issuing_issuer();
        issuing.check_life(now)?;
        let public = key
            .private()
            .public()
            .expect("keys made here are certified here");
        let common_name = format!("{} OCSP responder", self.display_name());
        let plan = Plan {
            // country and organization as the intermediate has them (Baseline Requirements §7.1.2.8.3), within whose constraints it lies;
            // a blank keeps Java from taking it for a host
            subject: subject::renamed(issuing.subject(), &common_name),
            spki: public.spki(),
            life: issuing.life(now, profile.checked_days(self.rules, now)?),
            extensions: self.extensions(&issuing, row, &public, &[], Some(&common_name)),
            row,
            order: None,
        };
        self.sign_and_record(&issuing, &plan, now)
    }

    /// The root's common name, short enough to be part of another.
    pub(super) fn display_name(&self) -> String {
        let attributes = subject::attributes(self.root.parsed().subject);
        let name = attributes
            .into_iter()
            .find(|(kind, _)| kind == oid::COMMON_NAME);
        name.map_or(String::new(), |(_, text)| text.chars().take(40).collect())
    }

    /// A serial number that is taken (of 2^128) costs another signature; nobody sees the certificate that was not recorded.
    fn sign_and_record(
        &self,
        issuer: &Issuer,
        plan: &Plan<'_>,
        now: i64,
    ) -> Result<Certificate, IssueError> {
        loop {
            let part = self.crl_part_of_next(plan.row)?;
            let mut extensions = plan.extensions.clone();
            extensions.extend(self.pointers(plan.row, part.unwrap_or(0)));
            let certificate = issuer.sign(&plan.subject, plan.spki, plan.life, &extensions)?;
            let recorded = match &self.store {
                None => Recorded::Yes,
                Some(store) => store.record(&Issued {
                    certificate: &certificate,
                    issuer: issuer.name,
                    profile: plan.row.name,
                    part,
                    order: plan.order,
                    at: now,
                })?,
            };
            if recorded == Recorded::OrderTaken {
                return Err(IssueError::OrderTaken);
            }
            if recorded == Recorded::Yes {
                return Ok(certificate.followed_by(self.behind(issuer)));
            }
        }
    }

    /// The part of the CRL that would list the next certificate, where it will say so.
    fn crl_part_of_next(&self, row: &Row) -> Result<Option<u64>, IssueError> {
        match (&self.store, &self.base_url) {
            (Some(store), Some(_)) if row.status && row.role != Role::SubCa => {
                Ok(Some(crate::crl::part_of(store.last_number()? + 1)))
            }
            _ => Ok(None),
        }
    }

    /// Where its status is asked for.
    fn pointers(&self, row: &Row, part: u64) -> Vec<Vec<u8>> {
        match &self.base_url {
            Some(base) if row.status && row.role == Role::SubCa => pointers_of_root(base).into(),
            Some(base) if row.status => vec![
                tbs::crl_distribution_point(&base.crl_part(part)),
                tbs::authority_info_access(Some(&base.ocsp()), &base.issuing_certificate()),
            ],
            _ => Vec::new(),
        }
    }

    /// What must hold before anything is signed.
    fn check(&self, request: &CertificateRequest, row: &Row) -> Result<(), IssueError> {
        if self.rules == RuleSet::PublicLike && row.role != Role::Server {
            return Err(ProfileError::PublicLike { profile: row.name }.into());
        }
        if row.role == Role::OcspResponder {
            return Err(ProfileError::OwnResponder.into());
        }
        request.wishes().check(row)?;
        if row.needs_names && request.names().is_empty() {
            return Err(ProfileError::NoNames { profile: row.name }.into());
        }
        for name in request.names() {
            self.check_name(name, row)?;
        }
        self.check_key(request.public_key())?;
        match row.role {
            Role::SubCa => self.check_authority_name(request),
            _ => Ok(()),
        }
    }

    fn check_name(&self, name: &SubjectAltName, row: &Row) -> Result<(), IssueError> {
        if !(row.names)(name) {
            return Err(ProfileError::NameKind {
                profile: row.name,
                kind: name.kind(),
                name: name.to_string(),
            }
            .into());
        }
        match &self.constraints {
            Some(constraints) if !constraints.has_kind_of(name) => {
                let (kind, option) = match name {
                    SubjectAltName::Email(_) => ("mail address", "--mail"),
                    _ => ("URI", "--uri"),
                };
                Err(IssueError::KindNotPermitted {
                    name: name.to_string(),
                    kind,
                    option,
                })
            }
            Some(constraints) if !constraints.permits(name) => Err(IssueError::NotPermitted {
                name: name.to_string(),
                permitted: constraints.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Nobody but the authority uses its keys, and nobody a key that was revoked as compromised (Baseline Requirements §6.1.1.3).
    fn check_key(&self, key: &PublicKey) -> Result<(), IssueError> {
        if key.spki() == self.root.parsed().spki
            || key.spki() == self.issuing_issuer().signer.public().spki()
        {
            return Err(IssueError::OwnKey);
        }
        if self.rules == RuleSet::PublicLike && key.algorithm().own_oid().is_some() {
            return Err(ProfileError::PublicLikeKey {
                key: key.describe(),
            }
            .into());
        }
        if self.blocked()?.has(key) {
            return Err(IssueError::BlockedKey);
        }
        let compromised = match &self.store {
            Some(store) => store.compromised(&key.fingerprint())?,
            None => None,
        };
        match compromised {
            Some(serial) => Err(IssueError::CompromisedKey { serial }),
            None => Ok(()),
        }
    }

    /// The lists of keys that others know, read when the first key is held against them.
    fn blocked(&self) -> Result<&BlockedKeys, IssueError> {
        if let Some(blocked) = self.blocked.get() {
            return Ok(blocked);
        }
        let own = self.root_key_path.with_file_name(Self::BLOCKED_KEYS_FILE);
        // an authority in memory has no folder
        let read = match own.parent().is_some_and(|folder| folder != Path::new("")) {
            true => BlockedKeys::of(&own),
            false => Ok(BlockedKeys::default()),
        };
        let read = read.map_err(|error| IssueError::BlockedKeys {
            reason: error.to_string(),
        })?;
        Ok(self.blocked.get_or_init(|| read))
    }

    /// The extensions, all of them the profile's choice but the names.
    fn extensions(
        &self,
        issuer: &Issuer,
        row: &Row,
        key: &PublicKey,
        names: &[SubjectAltName],
        common_name: Option<&str>,
    ) -> Vec<Vec<u8>> {
        let public = self.rules == RuleSet::PublicLike;
        let is_authority = row.key_usage & KEY_CERT_SIGN != 0;
        let mut extensions = vec![
            match is_authority {
                true => tbs::authority(Some(0)),
                false => tbs::no_authority(),
            },
            tbs::key_usage(key_usage(row, key, self.rules)),
        ];
        if !row.extended_key_usage.is_empty() {
            extensions.push(tbs::extended_key_usage(row.extended_key_usage));
        }
        // RFC 5280 §4.2.1.2 says SHOULD, Baseline Requirements §7.1.2.7.6 NOT RECOMMENDED
        if !public || is_authority {
            extensions.push(tbs::subject_key_identifier(&key.identifier()));
        }
        extensions.push(tbs::authority_key_identifier(&issuer.key_identifier()));
        if !names.is_empty() {
            extensions.push(names_extension(names, common_name.is_none()));
        }
        if is_authority {
            // what is free for the authority is free for those below it, and the rest is what the root's certificate says anyway
            extensions.extend(self.constraints.iter().map(|names| names.extension(None)));
        }
        if public && row.role == Role::Server {
            extensions.push(tbs::domain_validated());
        }
        if row.role == Role::OcspResponder {
            extensions.push(tbs::ocsp_no_check());
        }
        extensions
    }
}

/// What is signed, but for the serial number and the addresses.
struct Plan<'a> {
    subject: Vec<u8>,
    spki: &'a [u8],
    life: (i64, i64),
    extensions: Vec<Vec<u8>>,
    row: &'static Row,
    order: Option<&'a ForOrder<'a>>,
}

/// The row's, and for RSA servers keyEncipherment besides: NSS asks for it, and clients that still exchange keys with RSA in TLS 1.2
/// need it (RFC 5280 §4.2.1.3). The Baseline Requirements advise against both in one certificate. ECDSA keys cannot encipher
/// (RFC 8813 §3).
fn key_usage(row: &Row, key: &PublicKey, rules: RuleSet) -> u16 {
    let rsa = key.describe().starts_with("RSA");
    let server = row.role == Role::Server && row.key_usage & DIGITAL_SIGNATURE != 0;
    match rsa && server && rules == RuleSet::Private {
        true => row.key_usage | KEY_ENCIPHERMENT,
        false => row.key_usage,
    }
}
