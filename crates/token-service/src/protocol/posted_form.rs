//! Requests that browsers bring by POST, at the two endpoints where GET and POST are both allowed (OIDC Core §3.1.2.1,
//! RP-Initiated Logout §2).
//!
//! A form that another site posts arrives without our `SameSite=Lax` cookies, and the person would have to sign in again. So
//! the browser is sent on to a page of ours, to which it brings them. The form itself is not put into that address, because who
//! posts has a reason: it is long, or it holds what shall not stand in histories and logs (an `id_token_hint`). It waits here, in
//! memory, under a reference that cannot be guessed, for as long as a browser may take to follow.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::Service;
use crate::secret::{Digest, Secret};

/// Seconds a form is kept. A browser follows at once; the rest is for a page that is loaded again.
const KEPT_FOR: i64 = 60;

/// Most forms at once, and most bytes of them all: anybody can post. The oldest make place.
const MOST: usize = 512;
const MOST_BYTES: usize = 4 << 20;

/// The forms that wait, the oldest first.
#[derive(Default)]
pub(crate) struct PostedForms(Mutex<VecDeque<Posted>>);

struct Posted {
    reference: Digest,
    /// The endpoint it was posted to: nothing else opens it.
    path: &'static str,
    form: Zeroizing<String>,
    until: i64,
}

impl PostedForms {
    fn keep(&self, posted: Posted, now: i64) {
        let mut all = self.all();
        all.push_back(posted);
        while all.front().is_some_and(|oldest| oldest.until <= now)
            || all.len() > MOST
            || all.iter().map(|posted| posted.form.len()).sum::<usize>() > MOST_BYTES
        {
            all.pop_front();
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

impl Service {
    /// Keeps a form that was posted to this endpoint; gives its reference.
    pub(crate) fn keep_posted(&self, path: &'static str, form: Zeroizing<String>) -> Secret {
        let (reference, now) = (Secret::generate(&*self.random), self.now());
        let posted = Posted {
            reference: Digest::of(reference.expose()),
            path,
            form,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(number: usize, bytes: usize) -> Posted {
        Posted {
            reference: Digest::of(&number.to_string()),
            path: "/authorize",
            form: Zeroizing::new("x".repeat(bytes)),
            until: 60,
        }
    }

    fn is_there(forms: &PostedForms, number: usize, now: i64) -> bool {
        let reference = Digest::of(&number.to_string());
        forms.find("/authorize", reference, now).is_some()
    }

    #[test]
    fn so_many_so_long_and_so_large() {
        let forms = PostedForms::default();
        for number in 0..=MOST {
            forms.keep(posted(number, 10), 0);
        }
        assert!(!is_there(&forms, 0, 0), "the oldest made place");
        assert!(is_there(&forms, 1, 0) && is_there(&forms, MOST, 59));
        assert!(!is_there(&forms, MOST, 60), "too old");
        forms.keep(posted(10_000, MOST_BYTES), 0);
        assert!(!is_there(&forms, MOST, 0) && is_there(&forms, 10_000, 0));
        forms.keep(posted(10_001, 10), 60);
        assert!(!is_there(&forms, 10_000, 59), "nobody keeps what is old");
    }
}
