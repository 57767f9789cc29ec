//! CAA (RFC 8659, RFC 8657): the holder of a name says in DNS who may issue for it, for which account, and by which proof.

use super::{Caa, Probe, Surroundings};
use crate::acme::identifier::Identifier;
use crate::acme::problem::{Problem, ProblemKind};
use crate::acme::settings::AcmeSettings;

/// Looks for the records that hold for the name: its own, or those of the first name above it that has any (§3).
pub(super) async fn check(
    settings: &AcmeSettings,
    surroundings: &Surroundings,
    probe: &Probe,
) -> Result<(), Problem> {
    let Identifier::Dns(name) = &probe.identifier else {
        return Ok(());
    };
    if settings.caa_identities.is_empty() {
        return Ok(());
    }
    let mut climbed = Some(name.as_str());
    while let Some(name) = climbed {
        let found = surroundings.records().caa(name).await.map_err(|error| {
            Problem::new(
                ProblemKind::Dns,
                format!("no answer about CAA of {name}: {error}"),
            )
        })?;
        if !found.is_empty() {
            return permitted(&found, settings, probe)
                .then_some(())
                .ok_or_else(|| {
                    let detail = format!("the CAA records of {name} do not name this authority");
                    Problem::new(ProblemKind::Caa, detail)
                });
        }
        climbed = name.split_once('.').map(|(_, above)| above);
    }
    Ok(())
}

/// §4.2, §4.3: without `issue` (for a wildcard `issuewild`, else `issue`) everybody may; a critical tag that is not known forbids.
fn permitted(found: &[Caa], settings: &AcmeSettings, probe: &Probe) -> bool {
    let known = [
        "issue",
        "issuewild",
        "iodef",
        "issuemail",
        "contactemail",
        "contactphone",
    ];
    if found
        .iter()
        .any(|caa| caa.critical && !known.contains(&caa.tag.as_str()))
    {
        return false;
    }
    let of = |tag: &str| -> Vec<&Caa> { found.iter().filter(|caa| caa.tag == tag).collect() };
    let (issue, wild) = (of("issue"), of("issuewild"));
    let relevant = match probe.wildcard && !wild.is_empty() {
        true => wild,
        false => issue,
    };
    relevant.is_empty()
        || relevant
            .iter()
            .any(|caa| names_us(&caa.value, settings, probe))
}

/// `ca.internal; accounturi=https://...; validationmethods=http-01,dns-01`
fn names_us(value: &str, settings: &AcmeSettings, probe: &Probe) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let issuer = parts.next().unwrap_or_default();
    let us = settings
        .caa_identities
        .iter()
        .any(|us| us.eq_ignore_ascii_case(issuer));
    let mut seen = Vec::new();
    us && parts.filter(|part| !part.is_empty()).all(|parameter| {
        // malformed: RFC 8659 §4.2 has it forbid
        let Some((name, value)) = parameter.split_once('=') else {
            return false;
        };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let permits = match name.as_str() {
            // RFC 8657 §3, §4; a property that has one of them twice cannot be satisfied
            "accounturi" => !seen.contains(&name) && value == probe.account_url,
            "validationmethods" => {
                let mut methods = value.split(',').map(str::trim);
                !seen.contains(&name) && methods.any(|method| method == probe.kind.name())
            }
            _ => true,
        };
        seen.push(name);
        permits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::challenge::ChallengeKind;

    fn probe(wildcard: bool) -> Probe {
        Probe {
            kind: ChallengeKind::Dns01,
            identifier: Identifier::new("dns", "a.test").unwrap(),
            wildcard,
            token: String::new(),
            key_authorization: String::new(),
            account_url: "https://ca/acme/account/1".to_owned(),
            tried: super::super::Tried::default(),
        }
    }

    #[test]
    fn records_permit_and_forbid_as_the_rfcs_say() {
        let mut settings = AcmeSettings::new("https://ca/acme");
        settings.caa_identities = vec!["ca.internal".to_owned()];
        let judge = |wildcard, records: &[(&str, &str)]| {
            let records: Vec<Caa> = records
                .iter()
                .map(|(tag, value)| Caa {
                    critical: tag.starts_with('!'),
                    tag: tag.trim_start_matches('!').to_owned(),
                    value: (*value).to_owned(),
                })
                .collect();
            permitted(&records, &settings, &probe(wildcard))
        };
        for (wildcard, records, expected) in [
            (false, &[("issue", "CA.internal")][..], true),
            (false, &[("issue", "other.test")], false),
            (false, &[("issue", ";")], false),
            (
                false,
                &[("issue", "other.test"), ("issue", "ca.internal")],
                true,
            ),
            (false, &[("iodef", "mailto:a@b.test")], true),
            (false, &[("!future", "x")], false),
            (false, &[("future", "x")], true),
            (true, &[("issue", "ca.internal"), ("issuewild", ";")], false),
            (true, &[("issue", ";"), ("issuewild", "ca.internal")], true),
            (true, &[("issue", "ca.internal")], true),
            (false, &[("issuewild", ";")], true),
            (
                false,
                &[("issue", "ca.internal; validationmethods=dns-01")],
                true,
            ),
            (
                false,
                &[("issue", "ca.internal; validationmethods=http-01")],
                false,
            ),
            (
                false,
                &[("issue", "ca.internal; accounturi=https://ca/acme/account/1")],
                true,
            ),
            (
                false,
                &[("issue", "ca.internal; accounturi=https://ca/acme/account/2")],
                false,
            ),
            (false, &[("issue", "ca.internal; %")], false),
            (
                false,
                &[("issue", "ca.internal; ValidationMethods=http-01")],
                false,
            ),
            (
                false,
                &[(
                    "issue",
                    "ca.internal; validationmethods=dns-01; validationmethods=dns-01",
                )],
                false,
            ),
            (
                false,
                &[(
                    "issue",
                    "ca.internal; accounturi=https://ca/acme/account/1; accounturi=https://ca/acme/account/1",
                )],
                false,
            ),
            (
                false,
                &[("issue", "ca.internal; policy=ev; policy=dv")],
                true,
            ),
        ] {
            assert_eq!(judge(wildcard, records), expected, "{records:?}");
        }
    }
}
