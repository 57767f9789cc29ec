//! The verification page (RFC 8628 §3.3): the person signs in, types the code their device shows, sees who asks for what,
//! and decides.
//!
//! ```text
//!   GET /device ──▶ sign-in page ── POST /device/sign-in ──▶ GET /device ──▶ code page ── POST /device ──▶ confirmation page
//!                   (if nobody is signed in)                                                  │ POST /device/decision
//!                                                                                             ▼ "you can go back to it"
//! ```
//!
//! Codes are short, so tries are counted, a person at a time; who is not signed in cannot try at all (§5.1). Even a code that
//! came in the address (`verification_uri_complete`) is shown and has to be confirmed (§3.3.1): somebody else's device
//! may be behind it (§5.4).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stampmill_jose::base64url;
use subtle::ConstantTimeEq;

use super::Service;
use super::error::OAuthError;
use super::interaction::{Attempt, Browser, Decision};
use crate::domain::{
    Client, DeviceRequest, Grant, GrantId, RequestedClaims, Session, User, UserCode,
};
use crate::secret::{Digest, Secret};
use crate::throttle::TooSoon;

/// What the browser gets.
#[derive(Debug)]
pub(crate) struct DeviceAnswer {
    pub(crate) page: DevicePage,
    /// To be set as the cookie that ties forms to this browser.
    pub(crate) new_binding: Option<Secret>,
}

#[derive(Debug)]
pub(crate) enum DevicePage {
    /// Name and password; then back here with the same code.
    SignIn {
        sealed: String,
        username: String,
        last: Attempt,
    },
    /// Signed in: go on.
    SignedIn { session: Secret, user_code: String },
    /// Where the code is typed.
    Enter {
        sealed: String,
        user_code: String,
        problem: Option<CodeProblem>,
    },
    /// Who asks for what.
    Confirm {
        sealed: String,
        client: Box<Client>,
        user: Box<User>,
        request: Box<DeviceRequest>,
    },
    /// Decided.
    Done { allowed: bool },
    /// A form that is too old, or another browser's.
    Stale,
    /// Our fault.
    Broken,
}

/// Why a code did not lead on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeProblem {
    /// No device waits for it.
    Unknown,
    /// After so many wrong ones the next may come in this many seconds.
    TooSoon(i64),
}

/// The hidden field of these pages.
#[derive(Serialize, Deserialize)]
struct Sealed {
    made_at: i64,
    browser: [u8; 32],
    session: Option<[u8; 32]>,
    /// As it came, on the sign-in page; as it was found, on the confirmation page.
    user_code: String,
}

const PURPOSE: &str = "device verification, form 1";

impl Service {
    /// `GET /device`, perhaps with a code in the address.
    pub(crate) async fn device_page(&self, user_code: &str, browser: &Browser) -> DeviceAnswer {
        let binding = browser
            .binding
            .clone()
            .unwrap_or_else(|| Secret::generate(&*self.random));
        let page = self.enter_or_sign_in(user_code, browser, &binding, None);
        DeviceAnswer {
            page: page.await.unwrap_or_else(broken),
            new_binding: browser.binding.is_none().then_some(binding),
        }
    }

    /// The sign-in form was posted.
    pub(crate) async fn device_sign_in(
        &self,
        sealed: &str,
        username: &str,
        password: Secret,
        browser: &Browser,
    ) -> DevicePage {
        let Some((form, binding)) = self.open_form(sealed, browser) else {
            return DevicePage::Stale;
        };
        let user = match self.check_password(username, password).await {
            Ok(Ok(user)) => user,
            Ok(Err(last)) => {
                return DevicePage::SignIn {
                    sealed: self.seal_form(&binding, None, &form.user_code),
                    username: username.chars().take(64).collect(),
                    last,
                };
            }
            Err(error) => return broken(error),
        };
        match self.start_session(&user, browser).await {
            Ok(session) => DevicePage::SignedIn {
                session,
                user_code: form.user_code,
            },
            Err(error) => broken(error),
        }
    }

    /// A code was typed.
    pub(crate) async fn device_code_typed(
        &self,
        sealed: &str,
        user_code: &str,
        browser: &Browser,
    ) -> DevicePage {
        let Some((_, binding)) = self.open_form(sealed, browser) else {
            return DevicePage::Stale;
        };
        self.look_up(user_code, browser, &binding)
            .await
            .unwrap_or_else(broken)
    }

    /// The person decided.
    pub(crate) async fn decide_device(
        &self,
        sealed: &str,
        decision: Decision,
        browser: &Browser,
    ) -> DevicePage {
        let Some((form, _)) = self.open_form(sealed, browser) else {
            return DevicePage::Stale;
        };
        self.record_decision(&form, decision, browser)
            .await
            .unwrap_or_else(broken)
    }

    async fn enter_or_sign_in(
        &self,
        user_code: &str,
        browser: &Browser,
        binding: &Secret,
        problem: Option<CodeProblem>,
    ) -> Result<DevicePage, OAuthError> {
        let user_code: String = user_code.chars().take(64).collect();
        Ok(match self.signed_in(browser).await? {
            None => DevicePage::SignIn {
                sealed: self.seal_form(binding, None, &user_code),
                username: String::new(),
                last: Attempt::None,
            },
            Some((session, ..)) => DevicePage::Enter {
                sealed: self.seal_form(binding, Some(session), ""),
                user_code,
                problem,
            },
        })
    }

    async fn look_up(
        &self,
        user_code: &str,
        browser: &Browser,
        binding: &Secret,
    ) -> Result<DevicePage, OAuthError> {
        let Some((session, _, user)) = self.signed_in(browser).await? else {
            return self
                .enter_or_sign_in(user_code, browser, binding, None)
                .await;
        };
        if let Err(TooSoon(seconds)) = self.code_throttle.begin(user.id.as_str(), self.now()) {
            tracing::warn!("user codes put off: too many wrong ones by one person");
            let problem = Some(CodeProblem::TooSoon(seconds));
            return self
                .enter_or_sign_in(user_code, browser, binding, problem)
                .await;
        }
        let found = match UserCode::parse(user_code) {
            Some(code) => self.store.device_request(&code, self.now()).await?,
            None => None,
        };
        let client = match &found {
            Some(request) => self.store.client(&request.client).await?,
            None => None,
        };
        let (Some(request), Some(client)) = (found, client) else {
            let problem = Some(CodeProblem::Unknown);
            return self
                .enter_or_sign_in(user_code, browser, binding, problem)
                .await;
        };
        self.code_throttle.succeeded(user.id.as_str());
        Ok(DevicePage::Confirm {
            sealed: self.seal_form(binding, Some(session), request.user_code.letters()),
            client: Box::new(Arc::unwrap_or_clone(client)),
            user: Box::new(user),
            request: Box::new(request),
        })
    }

    async fn record_decision(
        &self,
        form: &Sealed,
        decision: Decision,
        browser: &Browser,
    ) -> Result<DevicePage, OAuthError> {
        // The person who clicks is the person who was asked.
        let present = self.signed_in(browser).await?;
        let present = present.filter(|(hash, ..)| form.session == Some(hash.0));
        let (Some((_, session, user)), Some(code)) = (present, UserCode::parse(&form.user_code))
        else {
            return Ok(DevicePage::Stale);
        };
        let Some(request) = self.store.device_request(&code, self.now()).await? else {
            return Ok(DevicePage::Stale);
        };
        let allowed = decision == Decision::Allow;
        let grant = allowed.then(|| Grant {
            id: GrantId::generate(&*self.random),
            client: request.client.clone(),
            user: user.id.clone(),
            scope: request.scope.clone(),
            resources: request.resources.clone(),
            claims: RequestedClaims::default(),
            // The device stays signed in when this browser does not.
            session: None,
            auth_time: session.auth_time,
            expires_at: request.expires_at + self.longest_first_token(),
        });
        let decided = self.store.decide_device_request(code, grant, self.now());
        if decided.await? {
            tracing::info!(client_id = %request.client, allowed, "device request decided");
            Ok(DevicePage::Done { allowed })
        } else {
            Ok(DevicePage::Stale)
        }
    }

    pub(super) async fn signed_in(
        &self,
        browser: &Browser,
    ) -> Result<Option<(Digest, Session, User)>, OAuthError> {
        let Some(cookie) = &browser.session else {
            return Ok(None);
        };
        let hash = Digest::of(cookie.expose());
        let Some(session) = self.store.session(hash, self.now()).await? else {
            return Ok(None);
        };
        let user = self.store.user(&session.user).await?;
        Ok(user.map(|user| (hash, session, user)))
    }

    fn seal_form(&self, binding: &Secret, session: Option<Digest>, user_code: &str) -> String {
        let form = Sealed {
            made_at: self.now(),
            browser: Digest::of(binding.expose()).0,
            session: session.map(|session| session.0),
            user_code: user_code.to_owned(),
        };
        let json = serde_json::to_vec(&form).expect("strings, numbers and arrays have a JSON form");
        base64url::encode(self.sealing.seal(&*self.random, PURPOSE, &json))
    }

    /// Opens a hidden field that was made for this browser, and not too long ago.
    fn open_form(&self, sealed: &str, browser: &Browser) -> Option<(Sealed, Secret)> {
        let binding = browser.binding.clone()?;
        let sealed = base64url::decode(sealed).ok()?;
        let json = self.sealing.open(PURPOSE, &sealed)?;
        let form: Sealed = serde_json::from_slice(&json).ok()?;
        let same_browser = bool::from(form.browser.ct_eq(&Digest::of(binding.expose()).0));
        let age = self.now() - form.made_at;
        let good = same_browser && age < self.policy.interaction_lifetime();
        good.then_some((form, binding))
    }
}

fn broken(_: OAuthError) -> DevicePage {
    DevicePage::Broken
}
