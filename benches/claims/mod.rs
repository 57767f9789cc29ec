//! Eight claim checks over three payloads, and the same rules written by hand on structs of only the fields that they need.
//!
//! The payloads: a small access token, one with profile and roles as Keycloak issues it, one with sixty groups.

use serde::Deserialize;

pub(crate) const NOW: i64 = 1_700_000_000;

pub(crate) const SMALL: &str = include_str!("small.json");
pub(crate) const MEDIUM: &str = include_str!("medium.json");
pub(crate) const LARGE: &str = include_str!("large.json");

/// A check: its name, the expression, the payload that it accepts, and edits of it that it refuses.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) payload: &'static str,
    pub(crate) refused: &'static [(&'static str, &'static str)],
}

#[rustfmt::skip]
pub(crate) const CASES: [Case; 8] = [
    Case {
        name: "c1 iss, aud, exp, nbf",
        rule: r#"claims.iss == "https://issuer.example" && "https://api.example" in claims.aud && claims.exp > now && claims.nbf <= now"#,
        payload: SMALL,
        refused: &[("//issuer", "//issuex"), ("//api", "//apx"), ("1700000300", "1700000000"), ("\"nbf\":1699999990", "\"nbf\":1700000001")],
    },
    Case {
        name: "c2 a word of scope",
        rule: r#"claims.scope == "files.read" || claims.scope.startsWith("files.read ") || claims.scope.endsWith(" files.read") || claims.scope.contains(" files.read ")"#,
        payload: SMALL,
        refused: &[("files.read ", "files.reax "), ("files.read", "xfiles.read")],
    },
    Case {
        name: "c3 sub by a pattern",
        rule: r#"claims.sub.matches("^[a-z0-9]+:[0-9]{6,20}$")"#,
        payload: SMALL,
        refused: &[("auth0:", "auth0-"), ("248289761001\"", "24828976100x\"")],
    },
    Case {
        name: "c4 a role of the realm",
        rule: r#""ops" in claims.realm_access.roles"#,
        payload: MEDIUM,
        refused: &[("\"ops\"", "\"opx\"")],
    },
    Case {
        name: "c5 client role, amr, auth_time",
        rule: r#""reader" in claims.resource_access.files.roles && claims.amr.exists(m, m in ["otp", "hwk", "mfa"]) && claims.auth_time > now - 900"#,
        payload: MEDIUM,
        refused: &[("\"reader\"", "\"reaxer\""), ("\"otp\"", "\"otx\""), ("1699999700", "1699999100")],
    },
    Case {
        name: "c6 verified address, name",
        rule: r#"claims.email_verified && claims.email.endsWith("@example.com") && has(claims.preferred_username) && claims.preferred_username.startsWith("adm-")"#,
        payload: MEDIUM,
        refused: &[("\"email_verified\":true", "\"email_verified\":false"), ("alice@example.com", "alice@example.org"), ("adm-", "usr-"), ("preferred_username", "preferred_user")],
    },
    Case {
        name: "c7 one of sixty groups",
        rule: r#"claims.groups.exists(g, g.startsWith("/staff/") && g.endsWith("/admins"))"#,
        payload: LARGE,
        refused: &[("/admins", "/admits")],
    },
    Case {
        name: "c8 ten of sixty groups",
        rule: r#"claims.groups.filter(g, g.contains("/team-")).size() >= 10 || claims.acr == "1" && claims.exp - claims.iat <= 3600"#,
        payload: LARGE,
        refused: &[],
    },
];

impl Case {
    /// The payloads that the check refuses.
    pub(crate) fn refused(&self) -> Vec<String> {
        let edit = |(from, to): &(&str, &str)| self.payload.replace(from, to);
        self.refused.iter().map(edit).collect()
    }
}

/// The claims of a check on a struct, and the decision about them.
pub(crate) trait Hand<'p>: Deserialize<'p> {
    fn accepted(&self, now: i64) -> bool;
}

#[derive(Deserialize)]
pub(crate) struct Times<'p> {
    #[serde(borrow)]
    iss: &'p str,
    #[serde(borrow)]
    aud: Vec<&'p str>,
    exp: i64,
    nbf: i64,
}

impl<'p> Hand<'p> for Times<'p> {
    fn accepted(&self, now: i64) -> bool {
        self.iss == "https://issuer.example"
            && self.aud.contains(&"https://api.example")
            && self.exp > now
            && self.nbf <= now
    }
}

#[derive(Deserialize)]
pub(crate) struct Scope<'p> {
    #[serde(borrow)]
    scope: &'p str,
}

impl<'p> Hand<'p> for Scope<'p> {
    fn accepted(&self, _: i64) -> bool {
        self.scope.split(' ').any(|word| word == "files.read")
    }
}

#[derive(Deserialize)]
pub(crate) struct Subject<'p> {
    #[serde(borrow)]
    sub: &'p str,
}

static PATTERN: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
    regex::Regex::new("^[a-z0-9]+:[0-9]{6,20}$").expect("a valid pattern")
});

impl<'p> Hand<'p> for Subject<'p> {
    fn accepted(&self, _: i64) -> bool {
        PATTERN.is_match(self.sub)
    }
}

#[derive(Deserialize)]
struct Roles<'p> {
    #[serde(borrow)]
    roles: Vec<&'p str>,
}

#[derive(Deserialize)]
pub(crate) struct Realm<'p> {
    #[serde(borrow)]
    realm_access: Roles<'p>,
}

impl<'p> Hand<'p> for Realm<'p> {
    fn accepted(&self, _: i64) -> bool {
        self.realm_access.roles.contains(&"ops")
    }
}

#[derive(Deserialize)]
struct Clients<'p> {
    #[serde(borrow)]
    files: Roles<'p>,
}

#[derive(Deserialize)]
pub(crate) struct Client<'p> {
    #[serde(borrow)]
    resource_access: Clients<'p>,
    #[serde(borrow)]
    amr: Vec<&'p str>,
    auth_time: i64,
}

impl<'p> Hand<'p> for Client<'p> {
    fn accepted(&self, now: i64) -> bool {
        self.resource_access.files.roles.contains(&"reader")
            && self
                .amr
                .iter()
                .any(|method| matches!(*method, "otp" | "hwk" | "mfa"))
            && self.auth_time > now - 900
    }
}

#[derive(Deserialize)]
pub(crate) struct Person<'p> {
    email_verified: bool,
    #[serde(borrow)]
    email: &'p str,
    #[serde(borrow)]
    preferred_username: Option<&'p str>,
}

impl<'p> Hand<'p> for Person<'p> {
    fn accepted(&self, _: i64) -> bool {
        self.email_verified
            && self.email.ends_with("@example.com")
            && self
                .preferred_username
                .is_some_and(|name| name.starts_with("adm-"))
    }
}

#[derive(Deserialize)]
pub(crate) struct Groups<'p> {
    #[serde(borrow)]
    groups: Vec<&'p str>,
}

impl<'p> Hand<'p> for Groups<'p> {
    fn accepted(&self, _: i64) -> bool {
        let admins = |group: &&str| group.starts_with("/staff/") && group.ends_with("/admins");
        self.groups.iter().any(admins)
    }
}

#[derive(Deserialize)]
pub(crate) struct Teams<'p> {
    #[serde(borrow)]
    groups: Vec<&'p str>,
    #[serde(borrow)]
    acr: &'p str,
    exp: i64,
    iat: i64,
}

impl<'p> Hand<'p> for Teams<'p> {
    fn accepted(&self, _: i64) -> bool {
        self.groups
            .iter()
            .filter(|group| group.contains("/team-"))
            .count()
            >= 10
            || self.acr == "1" && self.exp - self.iat <= 3600
    }
}
