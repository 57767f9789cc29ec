//! What an operator decides about an ACME server.

use stampmill_outbound::Networks;
use url::Url;

use super::AcmeError;
use super::challenge::ChallengeKind;
use crate::moment::DAY;
use crate::profile::{Profile, Role, RuleSet};

const HOUR: i64 = 60 * 60;

/// What an ACME server is made with.
///
/// ```
/// use stampmill_local_ca::acme::AcmeSettings;
/// let mut settings = AcmeSettings::new("https://localhost:8381/acme");
/// settings.http_01_port = 5002;
/// settings.external_account_required = true;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AcmeSettings {
    /// Where [`routes`](super::routes) are mounted, as clients write it: `https://HOST:PORT/acme`, without a slash at the end. Every
    /// request is signed for an address below it (RFC 8555 §6.4).
    pub base_url: String,
    /// Terms that an account must agree to.
    pub terms_of_service: Option<String>,
    /// Whether accounts that agreed to other terms, or to none, must agree to these before they order (RFC 8555 §7.3.3). Programs that
    /// renew by themselves cannot: they fail until somebody does it for them.
    pub terms_asked_again: bool,
    /// A page about this authority.
    pub website: Option<String>,
    /// The names by which CAA records may mean this authority (RFC 8659 §4.2). With none of them, CAA records are not looked at.
    pub caa_identities: Vec<String>,
    /// Whether accounts need a key that the operator gave out (RFC 8555 §7.3.4).
    pub external_account_required: bool,
    /// What can be ordered; the first unless a client says.
    pub profiles: Vec<OrderProfile>,
    /// The ways to prove that one has a name, in the order in which they are offered.
    pub challenges: Vec<ChallengeKind>,
    /// Where http-01 connects to: 80 but in tests (RFC 8555 §8.3).
    pub http_01_port: u16,
    /// Where tls-alpn-01 connects to: 443 but in tests (RFC 8737 §3).
    pub tls_alpn_01_port: u16,
    /// Where validation may connect to, and nowhere else: loopback unless set.
    pub networks: Networks,
    /// How long an order may take, in seconds: a day.
    pub order_life: i64,
    /// How long a proof holds for the next orders of the same account, in seconds: an hour.
    pub authorization_life: i64,
    /// How much of everything.
    pub limits: AcmeLimits,
}

impl AcmeSettings {
    /// For routes mounted at `base_url`; everything else as the fields' descriptions say.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            terms_of_service: None,
            terms_asked_again: false,
            website: None,
            caa_identities: Vec::new(),
            external_account_required: false,
            profiles: OrderProfile::defaults(),
            challenges: ChallengeKind::all().collect(),
            http_01_port: 80,
            tls_alpn_01_port: 443,
            networks: Networks::none().with_loopback(),
            order_life: DAY,
            authorization_life: HOUR,
            limits: AcmeLimits::default(),
        }
    }

    /// Whether they can be kept.
    pub(super) fn check(&self, rules: RuleSet, now: i64) -> Result<(), AcmeError> {
        let refuse = |reason: String| Err(AcmeError::Setting(reason));
        let base = &self.base_url;
        let well_formed = Url::parse(base).is_ok_and(|url| {
            ["http", "https"].contains(&url.scheme())
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if !well_formed || base.ends_with('/') {
            return refuse(format!(
                "the base URL is https://HOST/PATH without a slash at its end, not {base}"
            ));
        }
        if self.profiles.is_empty() || self.challenges.is_empty() {
            return refuse("there is no profile, or no challenge".to_owned());
        }
        for offered in &self.profiles {
            let role = offered.profile.role();
            if !matches!(role, Role::Server | Role::Client) {
                let name = &offered.name;
                return refuse(format!("the profile {name} is for what no host is"));
            }
            let days = offered.profile.checked_days(rules, now);
            days.map_err(|error| AcmeError::Setting(format!("{}: {error}", offered.name)))?;
        }
        let limits = &self.limits;
        if limits.validations_at_once == 0 || limits.validations_per_account == 0 {
            return refuse("no challenge would ever be looked at".to_owned());
        }
        match self.order_life > 0 && self.authorization_life > 0 {
            true => Ok(()),
            false => refuse("orders and authorizations live longer than nothing".to_owned()),
        }
    }
}

/// How much of everything. What is counted is in the records, so that a restart forgives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcmeLimits {
    /// Accounts made in an hour, by anybody: 1000.
    pub accounts_per_hour: u32,
    /// Of these, how many are made from one address (of IPv6, from one network of 64 bits): 100. Counted where the server that the routes
    /// are mounted in tells the address ([`ConnectInfo`](axum::extract::ConnectInfo)), as [`AcmeServer::serve`](super::AcmeServer::serve)
    /// does.
    pub accounts_per_address: u32,
    /// Orders that one account makes in an hour: 300.
    pub orders_per_hour: u32,
    /// Validations of one name that fail for one account in an hour: 20.
    pub failures_per_hour: u32,
    /// Validations that run at once: 32. The next ones wait.
    pub validations_at_once: usize,
    /// Of these, how many are one account's: 8, so that it keeps no other waiting.
    pub validations_per_account: usize,
    /// Names that one account may be asked to prove without an order (RFC 8555 §7.4.1) and has not yet: 300.
    pub open_authorizations: u32,
}

impl Default for AcmeLimits {
    fn default() -> Self {
        Self {
            accounts_per_hour: 1000,
            accounts_per_address: 100,
            orders_per_hour: 300,
            failures_per_hour: 20,
            validations_at_once: 32,
            validations_per_account: 8,
            open_authorizations: 300,
        }
    }
}

/// A kind of certificate that can be ordered by name (draft-ietf-acme-profiles §3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderProfile {
    /// What clients write: `server`.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// What is issued. Only what a host can be: a server, or a client with a host's name.
    pub profile: Profile,
}

impl OrderProfile {
    /// A kind of certificate.
    #[must_use]
    pub fn new(name: impl Into<String>, description: impl Into<String>, profile: Profile) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            profile,
        }
    }

    /// `server` (90 days), `shortlived` (6 days), `client` (90 days).
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        vec![
            Self::new("server", "TLS server, 90 days", Profile::server()),
            Self::new(
                "shortlived",
                "TLS server, 6 days: over before a revocation list would be read",
                Profile::server().days(6),
            ),
            Self::new(
                "client",
                "TLS client with a host's name, 90 days",
                Profile::new(Role::Client),
            ),
        ]
    }
}
