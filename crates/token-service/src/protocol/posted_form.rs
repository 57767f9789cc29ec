//! Requests that browsers bring by POST, at the two endpoints where GET and POST are both allowed (OIDC Core §3.1.2.1,
//! RP-Initiated Logout §2).
//!
//! A form that another site posts arrives without our `SameSite=Lax` cookies, and the person would have to sign in again. So
//! the browser is sent on to an address of ours, to which it brings them:
//!
//! ```text
//! POST /authorize ──┬── a short request ───────────────────────────► GET /authorize?(the same parameters)
//!                   └── a long one, id_token_hint, request object ─► GET /authorize/posted?reference=...
//! ```
//!
//! Most requests travel in that address, as they do where a client uses GET, and nothing is kept. What is too long for it, or
//! shall not stand in histories and logs, waits here, in memory, under a reference that cannot be guessed, for as long as a
//! browser may take to follow. Anybody can post, so the memory is bounded, and each client has a share of it: whoever posts in the
//! name of one pushes out no form of another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::interaction::{Browser, Outcome};
use super::{Logout, Parameters, Service, paths};
use crate::domain::ClientId;
use crate::secret::{Digest, Secret};

/// What no address shall hold: tokens and signed statements about a person.
const NOT_IN_ADDRESSES: [&str; 2] = ["id_token_hint", "request"];

/// Most bytes of a form that travels as a query. Some proxies take no more than 4 KiB of an answer's head.
const LONGEST_QUERY: usize = 2 << 10;

/// Seconds a form is kept. A browser follows at once; the rest is for a page that is loaded again.
const KEPT_FOR: i64 = 60;

/// Bytes of all forms, and of those of one client.
const ROOM: usize = 4 << 20;
const SHARE: usize = ROOM / 8;

/// Bytes that a form counts for, if it is shorter: this bounds their number, 512 of all and 64 of one client.
const LEAST: usize = 8 << 10;

/// The forms that wait, the oldest first.
#[derive(Default)]
pub(crate) struct PostedForms(Mutex<VecDeque<Posted>>);

struct Posted {
    reference: Digest,
    /// The endpoint it was posted to: nothing else opens it.
    path: &'static str,
    /// In whose name it was posted. A request to sign out need not say; those that do not have one share together.
    client: Option<ClientId>,
    form: Zeroizing<String>,
    until: i64,
}

impl Posted {
    fn size(&self) -> usize {
        self.form.len().max(LEAST)
    }
}

impl PostedForms {
    /// What is too old goes; then the client's own oldest ones, while it has more than its share; then, while there is no room,
    /// the oldest one of whoever has most.
    fn keep(&self, posted: Posted, now: i64) {
        let mut all = self.all();
        all.retain(|posted| posted.until > now);
        let client = posted.client.clone();
        all.push_back(posted);
        while sizes(&all)[&client] > SHARE {
            let oldest = all.iter().position(|posted| posted.client == client);
            oldest.and_then(|oldest| all.remove(oldest));
        }
        while all.iter().map(Posted::size).sum::<usize>() > ROOM {
            let sizes = sizes(&all);
            let most = sizes.values().max().copied();
            let has_most = |posted: &Posted| sizes.get(&posted.client).copied() == most;
            let oldest = all.iter().position(has_most);
            oldest.and_then(|oldest| all.remove(oldest));
        }
    }

    fn find(&self, path: &str, reference: Digest, now: i64) -> Option<Zeroizing<String>> {
        let all = self.all();
        let mut good = all
            .iter()
            .filter(|posted| posted.path == path && posted.until > now);
        let found = good.find(|posted| posted.reference == reference);
        found.map(|posted| posted.form.clone())
    }

    /// A panic between two of its statements leaves nothing half done.
    fn all(&self) -> MutexGuard<'_, VecDeque<Posted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes by client.
fn sizes(all: &VecDeque<Posted>) -> BTreeMap<Option<ClientId>, usize> {
    let mut sizes = BTreeMap::new();
    for posted in all {
        *sizes.entry(posted.client.clone()).or_default() += posted.size();
    }
    sizes
}

impl Service {
    /// Where a browser goes on that posted this to the authorization endpoint. Nothing is kept for a client that is not known.
    pub(crate) async fn authorization_by_form(
        &self,
        form: &Parameters,
        browser: &Browser,
    ) -> Result<String, Outcome> {
        if let Some(query) = as_query(form) {
            return Ok(format!("{}?{query}", self.issuer.place(paths::AUTHORIZE)));
        }
        let client = match self.asking_client(form).await {
            Ok(client) => client.id,
            Err(refusal) => return Err(self.refuse(refusal, None, browser).await),
        };
        let reference = self.keep_posted(paths::AUTHORIZE, Some(client), form);
        let back = self.issuer.place(paths::POSTED_AUTHORIZE);
        Ok(format!("{back}?reference={}", reference.expose()))
    }

    /// The same for the end session endpoint. Nothing is kept of what is refused anyway.
    pub(crate) async fn end_session_by_form(&self, form: &Parameters) -> Result<String, Logout> {
        if let Some(query) = as_query(form) {
            return Ok(format!("{}?{query}", self.issuer.place(paths::END_SESSION)));
        }
        let client = self.client_ending_session(form).await?;
        let reference = self.keep_posted(paths::END_SESSION, client, form);
        let back = self.issuer.place(paths::POSTED_END_SESSION);
        Ok(format!("{back}?reference={}", reference.expose()))
    }

    fn keep_posted(
        &self,
        path: &'static str,
        client: Option<ClientId>,
        form: &Parameters,
    ) -> Secret {
        let (reference, now) = (Secret::generate(&*self.random), self.now());
        let posted = Posted {
            reference: Digest::of(reference.expose()),
            path,
            client,
            form: Zeroizing::new(form.as_form().to_owned()),
            until: now + KEPT_FOR,
        };
        self.posted_forms.keep(posted, now);
        reference
    }

    /// The form of a reference, if it was posted to this endpoint, and not too long ago.
    pub(crate) fn posted(&self, path: &str, reference: &str) -> Option<Zeroizing<String>> {
        self.posted_forms
            .find(path, Digest::of(reference), self.now())
    }
}

/// The form as the query of an address; nothing if it must not or cannot be one.
fn as_query(form: &Parameters) -> Option<String> {
    let secret = |name: &&str| form.all(name) != Ok(Vec::new());
    if form.as_form().len() > LONGEST_QUERY || NOT_IN_ADDRESSES.iter().any(secret) {
        return None;
    }
    // What a form may hold bare and a query may not (RFC 3986 §3.4): a '#' would end it.
    let mut query = String::with_capacity(form.as_form().len());
    for character in form.as_form().chars() {
        match character {
            '#' | '"' | '<' | '>' | '[' | '\\' | ']' | '^' | '`' | '{' | '|' | '}' => {
                query.push_str(&format!("%{:02X}", u32::from(character)));
            }
            _ => query.push(character),
        }
    }
    (query.len() <= LONGEST_QUERY).then_some(query)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn keep(forms: &PostedForms, client: &str, number: usize, bytes: usize, now: i64) {
        let posted = Posted {
            reference: Digest::of(&format!("{client} {number}")),
            path: "/authorize",
            client: Some(ClientId::parse(client).unwrap()),
            form: Zeroizing::new("x".repeat(bytes)),
            until: now + KEPT_FOR,
        };
        forms.keep(posted, now);
    }

    fn is_there(forms: &PostedForms, client: &str, number: usize, now: i64) -> bool {
        let reference = Digest::of(&format!("{client} {number}"));
        forms.find("/authorize", reference, now).is_some()
    }

    #[test]
    fn one_client_has_so_many_so_long_and_so_large() {
        let forms = PostedForms::default();
        keep(&forms, "other", 0, 10, 0);
        for number in 0..=64 {
            keep(&forms, "one", number, 10, 0);
        }
        assert!(!is_there(&forms, "one", 0, 0), "its oldest made place");
        assert!(is_there(&forms, "one", 1, 0) && is_there(&forms, "one", 64, 59));
        assert!(!is_there(&forms, "one", 64, 60), "too old");
        for number in 100..116 {
            keep(&forms, "one", number, SHARE / 16, 0);
        }
        assert!(!is_there(&forms, "one", 64, 0) && is_there(&forms, "one", 100, 0));
        assert!(is_there(&forms, "other", 0, 0), "and nobody else's");
        keep(&forms, "one", 200, 10, 60);
        assert!(
            !is_there(&forms, "one", 100, 59),
            "nobody keeps what is old"
        );
    }

    #[test]
    fn where_all_is_full_who_has_most_makes_place() {
        let forms = PostedForms::default();
        keep(&forms, "honest", 0, 10, 0);
        for client in 0..20 {
            for number in 0..40 {
                keep(&forms, &format!("c{client}"), number, 32 << 10, 0);
            }
        }
        assert!(is_there(&forms, "honest", 0, 0) && is_there(&forms, "c19", 39, 0));
        let all = forms.all();
        assert!(all.iter().map(Posted::size).sum::<usize>() <= ROOM);
    }

    #[test]
    fn what_travels_and_how() {
        let query = |form: &str| as_query(&Parameters::parse(form).unwrap());
        let odd = query("state=a#b%20\"<>&x=%ff+[").unwrap();
        assert_eq!(odd, "state=a%23b%20%22%3C%3E&x=%ff+%5B");
        assert_eq!(query("").as_deref(), Some(""));
        for kept in ["id_token_hint=e30", "a=1&request=e30", "re%71uest=%ff"] {
            assert_eq!(query(kept), None, "{kept}");
        }
        let of_length = |length: usize| query(&format!("a={}", "x".repeat(length - 2)));
        assert!(of_length(LONGEST_QUERY).is_some() && of_length(LONGEST_QUERY + 1).is_none());
        assert_eq!(
            query(&"#".repeat(LONGEST_QUERY)),
            None,
            "too long once it is a query"
        );
    }
}
