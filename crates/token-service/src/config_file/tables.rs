//! The tables of the file but the clients': as they are written, and what they come to.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use stampmill_jose::Algorithm;
use stampmill_local_ca::acme::AcmeSettings;
use toml::Spanned;

use super::ConfigFileError;
use super::introspectors::Introspectors;
use super::source::{ALGORITHMS, Source, Words};
use super::unasked::Unasked;
use crate::admin::{email_address, person_name};
use crate::authority::AuthoritySettings;
use crate::clock::{Clock, SystemClock, SystemRandom};
use crate::domain::{
    ClientId, PersonClaims, Resource, ResourceServer, Scope, TokenFormat, User, UserId, Username,
};
use crate::password::PasswordHash;
use crate::policy::{Lifetimes, Policy};
use crate::protocol::RegistrationRules;

pub(super) const FORMATS: Words<TokenFormat> =
    &[("jwt", TokenFormat::Jwt), ("opaque", TokenFormat::Opaque)];
pub(super) const ACCESS: Words<bool> = &[("token", false), ("open", true)];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistrationTable {
    access: Spanned<String>,
    scope: Option<Spanned<String>>,
    response_types: Option<Vec<Spanned<String>>>,
    per_minute: Option<u32>,
    most_clients: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorityTable {
    listen: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    acme: Option<bool>,
    external_account_required: Option<Spanned<bool>>,
    terms_of_service: Option<Spanned<String>>,
    terms_asked_again: Option<Spanned<bool>>,
    challenges: Option<Spanned<Vec<Spanned<String>>>>,
    http_01_port: Option<Spanned<u16>>,
    tls_alpn_01_port: Option<Spanned<u16>>,
    name_server: Option<Spanned<String>>,
    networks: Option<Spanned<Vec<Spanned<String>>>>,
    caa_identities: Option<Spanned<Vec<String>>>,
}

/// `[lifetimes]`: one list of its members, which are those of [`Lifetimes`], in seconds.
macro_rules! lifetimes {
    ($($name:ident),+ $(,)?) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct LifetimesTable {
            $($name: Option<Spanned<i64>>,)+
        }

        impl LifetimesTable {
            #[cfg(test)]
            const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// Does not compile when there is a lifetime that the list lacks.
            fn lifetimes(&self) -> Lifetimes {
                Lifetimes {
                    $($name: self.$name.as_ref().map(|seconds| *seconds.get_ref()),)+
                }
            }

            /// Where the member of this name stands.
            fn place(&self, name: &str) -> Option<Range<usize>> {
                let members = [$((stringify!($name), &self.$name)),+];
                let (_, member) = members.into_iter().find(|(known, _)| *known == name)?;
                member.as_ref().map(Spanned::span)
            }
        }
    };
}

lifetimes!(
    code,
    access_token,
    id_token,
    session,
    refresh_token,
    offline,
    signing_key,
);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceTable {
    pub(super) resource: Spanned<String>,
    format: Option<Spanned<String>>,
    signing_alg: Option<Spanned<String>>,
    scope: Option<Spanned<String>>,
    #[serde(default)]
    introspected_by: Vec<Spanned<String>>,
    access_token_lifetime: Option<Spanned<i64>>,
    accept_when: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserTable {
    pub(super) username: Spanned<String>,
    password_hash: Spanned<String>,
    name: Option<Spanned<String>>,
    email: Option<Spanned<String>>,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    claims: HashMap<Spanned<String>, toml::Value>,
}

impl RegistrationTable {
    pub(super) fn check(self, source: &Source<'_>) -> Result<RegistrationRules, ConfigFileError> {
        let defaults = RegistrationRules::default();
        let open = source.word(ACCESS, Some(&self.access))?.unwrap_or(false);
        Ok(RegistrationRules {
            open,
            scope: source
                .parsed(self.scope.as_ref())?
                .unwrap_or(defaults.scope),
            response_types: match &self.response_types {
                None => defaults.response_types,
                Some(words) => source.response_types(words)?,
            },
            per_minute: self.per_minute.unwrap_or(defaults.per_minute),
            most_clients: self.most_clients.map_or(defaults.most_clients, i64::from),
        })
    }
}

impl AuthorityTable {
    pub(super) fn check(self, source: &Source<'_>) -> Result<AuthoritySettings, ConfigFileError> {
        if let (Some(false), Some(span)) = (self.acme, self.for_acme()) {
            let message = "`acme = false` leaves nothing that this is for";
            return Err(source.refuse(span, message));
        }
        let (again, terms) = (&self.terms_asked_again, &self.terms_of_service);
        if let Some(again) = again.as_ref().filter(|again| *again.get_ref())
            && terms.is_none()
        {
            let message = "there are no terms_of_service to agree to";
            return Err(source.refuse(again.span(), message));
        }
        let is_set = |member: Option<Spanned<bool>>| member.is_some_and(Spanned::into_inner);
        let mut acme = AcmeSettings::new("");
        acme.external_account_required = is_set(self.external_account_required);
        acme.terms_of_service = self.terms_of_service.map(Spanned::into_inner);
        acme.terms_asked_again = is_set(self.terms_asked_again);
        if let Some(port) = self.http_01_port {
            acme.http_01_port = port.into_inner();
        }
        if let Some(port) = self.tls_alpn_01_port {
            acme.tls_alpn_01_port = port.into_inner();
        }
        if let Some(identities) = self.caa_identities {
            acme.caa_identities = identities.into_inner();
        }
        if let Some(words) = &self.networks {
            acme.networks = source.networks(words.get_ref())?;
        }
        if let Some(words) = &self.challenges {
            let kinds = words.get_ref().iter();
            let kinds = kinds.map(|word| source.parsed(Some(word)));
            acme.challenges = kinds
                .collect::<Result<Option<Vec<_>>, _>>()?
                .filter(|kinds| !kinds.is_empty())
                .ok_or_else(|| source.refuse(words.span(), "expected at least one challenge"))?;
        }
        let place = self.listen.as_ref().map(Spanned::span);
        let settings = AuthoritySettings {
            listen: source.parsed(self.listen.as_ref())?,
            url: source.parsed(self.url.as_ref())?,
            acme: self.acme.unwrap_or(true).then_some(acme),
            name_server: source.parsed(self.name_server.as_ref())?,
        };
        settings
            .check()
            .map_err(|error| source.refuse(place.unwrap_or_default(), &error.to_string()))?;
        Ok(settings)
    }
}

impl AuthorityTable {
    /// Where the first member stands that says something about ACME alone.
    fn for_acme(&self) -> Option<Range<usize>> {
        fn span<T>(member: &Option<Spanned<T>>) -> Option<Range<usize>> {
            member.as_ref().map(Spanned::span)
        }
        let members = [
            span(&self.external_account_required),
            span(&self.terms_of_service),
            span(&self.terms_asked_again),
            span(&self.challenges),
            span(&self.http_01_port),
            span(&self.tls_alpn_01_port),
            span(&self.name_server),
            span(&self.networks),
            span(&self.caa_identities),
        ];
        members.into_iter().flatten().min_by_key(|span| span.start)
    }
}

impl LifetimesTable {
    pub(super) fn change(
        &self,
        policy: Policy,
        source: &Source<'_>,
    ) -> Result<Policy, ConfigFileError> {
        policy.with_lifetimes(&self.lifetimes()).map_err(|error| {
            let place = self.place(error.name).unwrap_or_default();
            source.refuse(place, &error.to_string())
        })
    }
}

impl ResourceTable {
    pub(super) fn check(
        self,
        source: &Source<'_>,
        introspectors: &mut Introspectors,
        unasked: &mut Vec<Unasked>,
    ) -> Result<ResourceServer, ConfigFileError> {
        const A_DAY: std::ops::RangeInclusive<i64> = 1..=86_400;
        if let Some(lifetime) = &self.access_token_lifetime
            && !A_DAY.contains(lifetime.get_ref())
        {
            let wrong = "a lifetime is 1 to 86400 seconds";
            return Err(source.refuse(lifetime.span(), wrong));
        }
        let resource = Resource::parse(self.resource.get_ref())
            .map_err(|error| source.refuse(self.resource.span(), &error.to_string()))?;
        let introspected_by = self.introspected_by.iter().map(|word| {
            let id = ClientId::parse(word.get_ref())
                .map_err(|error| source.refuse(word.span(), &error.to_string()))?;
            introspectors.add(&id, word.span());
            Ok(id)
        });
        let server = ResourceServer {
            resource,
            format: source
                .word(FORMATS, self.format.as_ref())?
                .unwrap_or(TokenFormat::Jwt),
            signing_alg: source
                .word(ALGORITHMS, self.signing_alg.as_ref())?
                .unwrap_or(Algorithm::Rs256),
            scope: source.parsed::<Scope>(self.scope.as_ref())?,
            introspected_by: introspected_by.collect::<Result<_, _>>()?,
            access_token_lifetime: self.access_token_lifetime.map(Spanned::into_inner),
            accept_when: source.claim_check(self.accept_when.as_ref())?.map(Arc::new),
        };
        let place = |text: &Option<Spanned<String>>| text.as_ref().map(Spanned::span);
        let (format, accept_when) = (place(&self.format), place(&self.accept_when));
        unasked.extend(Unasked::of(&server, format, accept_when, source));
        Ok(server)
    }
}

impl UserTable {
    pub(super) fn check(self, source: &Source<'_>) -> Result<User, ConfigFileError> {
        let span = self.username.span();
        let username = Username::parse(self.username.get_ref())
            .map_err(|error| source.refuse(span.clone(), &error.to_string()))?;
        let password = PasswordHash::parse(self.password_hash.get_ref())
            .map_err(|error| source.refuse(self.password_hash.span(), &error.to_string()))?;
        let name = self.name.as_ref();
        let place = name.map_or(span, Spanned::span);
        let name = person_name(name.map_or("", |name| name.get_ref()), &username)
            .map_err(|error| source.refuse(place, &error.to_string()))?;
        if let Some(email) = &self.email {
            email_address(Some(email.get_ref()))
                .map_err(|error| source.refuse(email.span(), &error.to_string()))?;
        }
        let mut claims = PersonClaims::default();
        for (name, value) in self.claims {
            let set = serde_json::to_value(value).map_err(|error| error.to_string());
            set.and_then(|value| {
                let set = claims.set(name.get_ref(), value);
                set.map_err(|error| error.to_string())
            })
            .map_err(|message| source.refuse(name.span(), &message))?;
        }
        Ok(User {
            id: UserId::generate(&SystemRandom),
            username,
            password,
            name,
            email: self.email.map(Spanned::into_inner),
            email_verified: self.email_verified,
            claims,
            updated_at: SystemClock.now(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::LifetimesTable;
    use crate::ConfigFile;

    #[test]
    fn each_lifetime_has_its_bounds_and_is_refused_where_it_stands() {
        for name in LifetimesTable::NAMES {
            let text = format!("[lifetimes]\n{name} = 0\n");
            let error = ConfigFile::parse("id.toml", &text)
                .expect_err(name)
                .to_string();
            let column = format!("{name} = ").len() + 1;
            assert!(error.contains(&format!("id.toml:2:{column}")), "{error}");
            assert!(
                error.contains(&format!("the lifetime {name} is")),
                "{error}"
            );
        }
    }
}
