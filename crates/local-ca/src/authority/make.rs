//! How root and intermediate are made (checks.md §2, §3 of this project's conformance notes; Baseline Requirements §7.1.2.1, §7.1.2.10).

use std::sync::{Arc, OnceLock};

use openssl::error::ErrorStack;

use super::current::Current;
use super::{Authority, AuthorityProfile, BACKDATE, CaError, Issuer, last_second};
use crate::base_url::BaseUrl;
use crate::certificate::Certificate;
use crate::constraints::NameConstraints;
use crate::der::oid;
use crate::keys::Signer;
use crate::names::{NameError, check_common_name};
use crate::profile::{CRL_SIGN, KEY_CERT_SIGN, ProfileError, RuleSet};
use crate::store::Store;
use crate::subject;
use crate::tbs::{self, ToBeSigned, random_serial};

impl Authority {
    /// An authority in memory, for tests and lessons, without records. `now` is in seconds since the epoch.
    ///
    /// # Errors
    /// [`CaError::Name`] for a name that no certificate can carry; [`CaError::BaseUrlNeeded`]; [`CaError::OpenSsl`].
    pub fn generate(profile: &AuthorityProfile, now: i64) -> Result<Self, CaError> {
        check(profile)?;
        let root_signer = Signer::generate(profile.key)?;
        let root = self_signed(&root_signer, profile, now)?;
        let root = Issuer {
            name: "root",
            certificate: root,
            signer: root_signer,
        };
        let issuing_signer = Signer::generate(profile.key)?;
        let issuing = intermediate(&root, &issuing_signer, profile)?;
        Ok(Self {
            root: root.certificate,
            root_signer: Some(root.signer),
            issuing: Current::fixed(Issuer {
                name: "issuing",
                certificate: issuing,
                signer: issuing_signer,
            }),
            rules: profile.rules,
            constraints: profile.constraints.clone(),
            base_url: profile.base_url.clone(),
            store: None,
            root_key_path: Self::KEY_FILE.into(),
            blocked: OnceLock::new(),
        })
    }

    /// An authority in memory with records in memory: it can revoke, and say so, and is gone with the program.
    pub(crate) fn generate_recorded(profile: &AuthorityProfile, now: i64) -> Result<Self, CaError> {
        let mut authority = Self::generate(profile, now)?;
        authority.store = Some(Arc::new(Store::in_memory()?));
        authority.record_first_issuing(now)?;
        authority.publish_root_crl(now)?;
        Ok(authority)
    }
}

/// A root's life in days (Baseline Requirements §7.1.2.1.1).
const PUBLIC_ROOT_DAYS: std::ops::RangeInclusive<u32> = 2922..=9132;

fn check(profile: &AuthorityProfile) -> Result<(), CaError> {
    let organization = profile.organization.as_deref().unwrap_or("none");
    for name in [profile.common_name.as_str(), organization] {
        if name.is_empty() || name.trim() != name {
            return Err(NameError::Blank.into());
        }
    }
    check_common_name(&issuing_name(profile))?;
    if let Some(organization) = &profile.organization {
        check_common_name(organization)?;
    }
    if let Some(country) = &profile.country {
        let letters = country.len() == 2 && country.bytes().all(|c| c.is_ascii_uppercase());
        if !letters {
            return Err(NameError::Country.into());
        }
    }
    if profile.rules == RuleSet::PublicLike {
        if profile.base_url.is_none() {
            return Err(CaError::BaseUrlNeeded);
        }
        if !PUBLIC_ROOT_DAYS.contains(&profile.days) {
            return Err(CaError::PublicLikeDays {
                actual: profile.days,
            });
        }
        if profile.key.caveat().is_some() {
            return Err(CaError::Profile(ProfileError::PublicLikeKey {
                key: profile.key.to_string(),
            }));
        }
    }
    Ok(())
}

fn issuing_name(profile: &AuthorityProfile) -> String {
    format!("{} issuing", profile.common_name)
}

/// Country, organization, common name, in this order (checks.md G11, R6); under the private rules what was given.
fn name(profile: &AuthorityProfile, common_name: &str) -> Vec<u8> {
    let public = profile.rules == RuleSet::PublicLike;
    let country = profile.country.as_deref().or(public.then_some("XX"));
    let organization = profile.organization.as_deref();
    let organization = organization.or(public.then_some("Local development"));
    let attributes = [
        country.map(|country| (oid::COUNTRY, country)),
        organization.map(|organization| (oid::ORGANIZATION, organization)),
        (!common_name.is_empty()).then_some((oid::COMMON_NAME, common_name)),
    ];
    subject::name(&attributes.into_iter().flatten().collect::<Vec<_>>())
}

/// Country and organization alone: what the subjects below a constrained authority begin with, where they have any (Baseline Requirements
/// §7.1.2.10.8).
fn organization(profile: &AuthorityProfile) -> Vec<u8> {
    name(profile, "")
}

fn self_signed(
    signer: &Signer,
    profile: &AuthorityProfile,
    now: i64,
) -> Result<Certificate, ErrorStack> {
    let name = name(profile, &profile.common_name);
    let identifier = signer.public().identifier();
    let path_length = match profile.rules {
        RuleSet::Private => Some(1),
        // Baseline Requirements §7.1.2.1.4: a root says nothing about it
        RuleSet::PublicLike => None,
    };
    let mut extensions = vec![
        tbs::authority(path_length),
        tbs::key_usage(KEY_CERT_SIGN | CRL_SIGN),
        tbs::subject_key_identifier(&identifier),
        tbs::authority_key_identifier(&identifier),
    ];
    extensions.extend(constraints(profile).map(|names| names.extension(None)));
    let start = now - BACKDATE;
    let root = ToBeSigned {
        serial: random_serial(),
        issuer: &name,
        life: (start, last_second(start, profile.days.max(1))),
        subject: &name,
        spki: signer.public().spki(),
        extensions: &extensions,
    };
    root.sign(signer)
}

/// The constraints as certificates have them. Under the public-like rules they do not mention mail addresses and URIs: those rules discourage it
/// (Baseline Requirements §7.1.2.10.8), and whatever is below the intermediate is for servers only.
fn constraints(profile: &AuthorityProfile) -> Option<NameConstraints> {
    let constraints = profile.constraints.clone()?;
    Some(match profile.rules {
        RuleSet::Private => constraints,
        RuleSet::PublicLike => constraints.with_mail().with_uris(),
    })
}

/// It lives as long as its root, may have no authority below it, and bounds what its leaves are for.
fn intermediate(
    root: &Issuer,
    signer: &Signer,
    profile: &AuthorityProfile,
) -> Result<Certificate, ErrorStack> {
    let public = profile.rules == RuleSet::PublicLike;
    let parts: &[&[u8]] = match public {
        true => &[oid::SERVER_AUTH],
        false => &[oid::SERVER_AUTH, oid::CLIENT_AUTH],
    };
    let mut extensions = vec![
        tbs::authority(Some(0)),
        tbs::key_usage(KEY_CERT_SIGN | CRL_SIGN),
        tbs::extended_key_usage(parts),
        tbs::subject_key_identifier(&signer.public().identifier()),
        tbs::authority_key_identifier(&root.key_identifier()),
    ];
    if public {
        extensions.push(tbs::domain_validated());
    }
    // Java enforces the constraints of intermediates only, everybody else the root's as well.
    let directory = public.then(|| organization(profile));
    let constraints = constraints(profile);
    extensions.extend(constraints.map(|names| names.extension(directory.as_deref())));
    if let Some(base) = &profile.base_url {
        extensions.extend(pointers_of_root(base));
    }
    let (start, end) = (root.certificate.not_before(), root.certificate.not_after());
    let life = match profile.issuing_days {
        Some(days) => (start, last_second(start, days.max(1)).min(end)),
        None => (start, end),
    };
    let subject = name(profile, &issuing_name(profile));
    root.sign(&subject, signer.public().spki(), life, &extensions)
}

/// Where the root's CRL and certificate are. The root answers no OCSP questions: its key is seldom at hand.
pub(super) fn pointers_of_root(base: &BaseUrl) -> [Vec<u8>; 2] {
    [
        tbs::crl_distribution_point(&base.root_crl()),
        tbs::authority_info_access(None, &base.root_certificate()),
    ]
}
