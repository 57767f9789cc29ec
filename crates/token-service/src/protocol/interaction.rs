//! Between the request and its answer: who is the person, did they agree, and the code (OIDC Core §3.1.2.3 to
//! §3.1.2.6).

use url::Url;

use super::Service;
use super::authorization::{AuthorizationRequest, Refusal};
use super::error::{ErrorCode, OAuthError};
use super::hybrid::FrontTokens;
use super::parameters::Parameters;
use super::response_mode::AuthorizationResponse;
use super::sealed_request::SealedRequest;
use crate::domain::{
    AuthorizationCode, Grant, GrantId, Scope, Session, User, Username, is_loopback,
};
use crate::handle::{HandleKind, Place};
use crate::policy::Policy;
use crate::secret::{Digest, Secret};
use crate::throttle::TooSoon;

/// The cookies a browser brought.
#[derive(Debug, Default, Clone)]
pub(crate) struct Browser {
    /// Its sign-in, if it has one.
    pub(crate) session: Option<Secret>,
    /// What ties a hidden field to this browser.
    pub(crate) binding: Option<Secret>,
}

/// What the browser gets.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A page that asks something. `new_binding` is to be set as a cookie.
    Ask {
        page: Page,
        sealed: String,
        request: Box<AuthorizationRequest>,
        new_binding: Option<Secret>,
    },
    /// Back to the client, with a code or an error.
    Respond(AuthorizationResponse),
    /// Our own error page: the request is wrong.
    Refuse(&'static str),
    /// Our own error page: we are at fault.
    Broken,
}

/// Which page.
#[derive(Debug)]
pub(crate) enum Page {
    /// Name and password.
    SignIn { username: String, last: Attempt },
    /// Allow or deny.
    Consent { user: Box<User> },
}

/// How the last try to sign in ended, for the page that asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// There was none.
    None,
    /// Name and password did not go together.
    Wrong,
    /// Nobody looked at the password: after so many wrong ones the next may come in this many seconds.
    TooSoon(i64),
}

/// What follows a password.
#[derive(Debug)]
pub(crate) enum SignedIn {
    /// The right one: set the session cookie, go on with the sealed request.
    Yes { session: Secret, sealed: String },
    /// Anything else.
    No(Outcome),
}

/// A click on the consent page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Give the client what it asks.
    Allow,
    /// Do not.
    Deny,
    /// Sign in as someone else first.
    SwitchUser,
}

/// What must happen before a code may be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    SignIn,
    Consent,
    Issue,
}

const EXPIRED: Outcome = Outcome::Refuse(
    "This page is too old, or belongs to another browser. Go back to the application and start again.",
);
const LOGIN_REQUIRED: OAuthError =
    OAuthError::new(ErrorCode::LoginRequired, "the person has to sign in");
const CONSENT_REQUIRED: OAuthError = OAuthError::new(
    ErrorCode::ConsentRequired,
    "the person has to allow this client",
);
const OTHER_USER: OAuthError = OAuthError::new(
    ErrorCode::LoginRequired,
    "another person signed in than the request is for",
);
const DENIED: OAuthError = OAuthError::new(ErrorCode::AccessDenied, "the person did not allow it");

/// A request, or why it is refused.
type Checked = Result<AuthorizationRequest, Refusal>;

/// Who is at the browser: the session, whose it is, and what they allowed the client before.
struct Present {
    hash: Digest,
    session: Session,
    user: User,
    consented: Option<Scope>,
    /// Whether the request is for somebody else.
    is_other: bool,
}

impl Service {
    /// The authorization endpoint: a new request.
    pub(crate) async fn authorize(&self, parameters: &Parameters, browser: &Browser) -> Outcome {
        let request = match self.check_authorization(parameters).await {
            Ok(request) => request,
            Err(refusal) => return self.refuse(refusal, None, browser).await,
        };
        let (sealed, new_binding) = self.begin(&request, browser);
        self.go_on(request, sealed, browser, new_binding)
            .await
            .unwrap_or_else(broken)
    }

    /// The request for its first page, and the cookie that ties the page to this browser, if it has none.
    pub(super) fn begin(
        &self,
        request: &AuthorizationRequest,
        browser: &Browser,
    ) -> (SealedRequest, Option<Secret>) {
        let binding = browser
            .binding
            .clone()
            .unwrap_or_else(|| Secret::generate(&*self.random));
        let sealed = SealedRequest::begin(&request.parameters, &binding, self.now());
        (sealed, browser.binding.is_none().then_some(binding))
    }

    /// A request that comes back from the sign-in page.
    pub(crate) async fn resume(&self, sealed: &str, browser: &Browser) -> Outcome {
        match self.reopen(sealed, browser).await {
            Ok((Ok(request), sealed)) => self
                .go_on(request, sealed, browser, None)
                .await
                .unwrap_or_else(broken),
            Ok((Err(refusal), sealed)) => self.refuse(refusal, Some(sealed), browser).await,
            Err(outcome) => outcome,
        }
    }

    /// The sign-in form was posted.
    pub(crate) async fn sign_in(
        &self,
        sealed: &str,
        username: &str,
        password: Secret,
        browser: &Browser,
    ) -> SignedIn {
        let (request, sealed) = match self.reopen(sealed, browser).await {
            Ok((Ok(request), sealed)) => (request, sealed),
            // Somebody has to sign in before the client hears of the error.
            Ok((Err(Refusal::Respond(request, _)), sealed)) => (*request, sealed),
            Ok((Err(refusal), sealed)) => {
                return SignedIn::No(self.refuse(refusal, Some(sealed), browser).await);
            }
            Err(outcome) => return SignedIn::No(outcome),
        };
        let user = match self.check_password(username, password).await {
            Ok(Ok(user)) => user,
            Ok(Err(last)) => {
                tracing::info!(client_id = %request.client.id, ?last, "sign-in failed");
                return SignedIn::No(self.ask_again(request, &sealed, username, last));
            }
            Err(error) => return SignedIn::No(broken(error)),
        };
        match self.start_session(&user, browser).await {
            Ok(session) => {
                let sealed = sealed.signed_in_by(Digest::of(session.expose()));
                SignedIn::Yes {
                    session,
                    sealed: self.seal_request(&sealed),
                }
            }
            Err(error) => SignedIn::No(broken(error)),
        }
    }

    /// The consent form was posted.
    pub(crate) async fn decide(
        &self,
        sealed: &str,
        decision: Decision,
        browser: &Browser,
    ) -> Outcome {
        match self.reopen(sealed, browser).await {
            Ok((Ok(request), sealed)) => self
                .carry_out(decision, request, sealed, browser)
                .await
                .unwrap_or_else(broken),
            Ok((Err(refusal), sealed)) => self.refuse(refusal, Some(sealed), browser).await,
            Err(outcome) => outcome,
        }
    }

    async fn carry_out(
        &self,
        decision: Decision,
        request: AuthorizationRequest,
        sealed: SealedRequest,
        browser: &Browser,
    ) -> Result<Outcome, OAuthError> {
        let Some(present) = self.present(&request, browser).await? else {
            return self
                .go_on(request, sealed.signed_out(), browser, None)
                .await;
        };
        // The person who clicks is the person who was asked.
        if !sealed.was_shown_to(present.hash) {
            return Ok(EXPIRED);
        }
        let fresh = sealed.is_fresh_for(present.hash);
        match decision {
            Decision::Deny => {
                let spent = self.spend_pushed(request.parameters.provenance()).await;
                let error = spent.err().unwrap_or(DENIED);
                Ok(Outcome::Respond(self.error_response(&request, error)))
            }
            Decision::SwitchUser => {
                // Frames would have to stand on the sign-in page; clients that are told so hear nothing of it.
                self.end_session_of(present.hash).await?;
                Ok(self.ask_to_sign_in(request, sealed.signed_out(), None))
            }
            // A session that has grown too old while the page was open signs in again first.
            Decision::Allow => {
                match next(&self.policy, &request, Some(&present), fresh, self.now()) {
                    Next::SignIn => Ok(self.ask_to_sign_in(request, sealed.signed_out(), None)),
                    Next::Consent | Next::Issue => {
                        self.answer(request, sealed, &present, true, None).await
                    }
                }
            }
        }
    }

    /// Takes the request as far as it can go without the person.
    async fn go_on(
        &self,
        request: AuthorizationRequest,
        sealed: SealedRequest,
        browser: &Browser,
        new_binding: Option<Secret>,
    ) -> Result<Outcome, OAuthError> {
        let present = self.present(&request, browser).await?;
        let fresh = present
            .as_ref()
            .is_some_and(|present| sealed.is_fresh_for(present.hash));
        let other_user = present.as_ref().is_some_and(|present| present.is_other);
        match (
            next(&self.policy, &request, present.as_ref(), fresh, self.now()),
            present,
        ) {
            (Next::SignIn, _) if request.prompt.none => Ok(Outcome::Respond(
                self.error_response(&request, LOGIN_REQUIRED),
            )),
            (Next::SignIn, _) if fresh && other_user => {
                Ok(Outcome::Respond(self.error_response(&request, OTHER_USER)))
            }
            (Next::SignIn, _) | (_, None) => Ok(self.ask_to_sign_in(request, sealed, new_binding)),
            (Next::Consent, _) if request.prompt.none => Ok(Outcome::Respond(
                self.error_response(&request, CONSENT_REQUIRED),
            )),
            (Next::Consent, Some(present)) => {
                let sealed = self.seal_request(&sealed.shown_to(present.hash));
                let page = Page::Consent {
                    user: Box::new(present.user),
                };
                Ok(Outcome::Ask {
                    page,
                    sealed,
                    request: Box::new(request),
                    new_binding,
                })
            }
            (Next::Issue, Some(present)) => {
                self.answer(request, sealed, &present, false, new_binding)
                    .await
            }
        }
    }

    /// The code; or, where the session has ended since it was looked at, what whoever is not signed in gets. `asked`: the
    /// person clicked.
    async fn answer(
        &self,
        request: AuthorizationRequest,
        sealed: SealedRequest,
        present: &Present,
        asked: bool,
        new_binding: Option<Secret>,
    ) -> Result<Outcome, OAuthError> {
        match self.issue_code(&request, present, asked).await? {
            Some(response) => Ok(Outcome::Respond(response)),
            None if request.prompt.none => Ok(Outcome::Respond(
                self.error_response(&request, LOGIN_REQUIRED),
            )),
            None => Ok(self.ask_to_sign_in(request, sealed.signed_out(), new_binding)),
        }
    }

    pub(super) fn ask_to_sign_in(
        &self,
        request: AuthorizationRequest,
        sealed: SealedRequest,
        new_binding: Option<Secret>,
    ) -> Outcome {
        let page = Page::SignIn {
            username: request.login_hint.clone().unwrap_or_default(),
            last: Attempt::None,
        };
        Outcome::Ask {
            page,
            sealed: self.seal_request(&sealed),
            request: Box::new(request),
            new_binding,
        }
    }

    fn ask_again(
        &self,
        request: AuthorizationRequest,
        sealed: &SealedRequest,
        username: &str,
        last: Attempt,
    ) -> Outcome {
        let page = Page::SignIn {
            username: username.chars().take(64).collect(),
            last,
        };
        Outcome::Ask {
            page,
            sealed: self.seal_request(sealed),
            request: Box::new(request),
            new_binding: None,
        }
    }

    /// Opens a hidden field and checks the request in it again.
    async fn reopen(
        &self,
        sealed: &str,
        browser: &Browser,
    ) -> Result<(Checked, SealedRequest), Outcome> {
        let sealed = browser
            .binding
            .as_ref()
            .and_then(|binding| self.open_request(sealed, binding))
            .ok_or(EXPIRED)?;
        let parameters = sealed.parameters().ok_or(EXPIRED)?;
        Ok((self.check_authorization(&parameters).await, sealed))
    }

    async fn present(
        &self,
        request: &AuthorizationRequest,
        browser: &Browser,
    ) -> Result<Option<Present>, OAuthError> {
        let Some(cookie) = &browser.session else {
            return Ok(None);
        };
        let hash = Digest::of(cookie.expose());
        let Some(session) = self.store.session(hash, self.now()).await? else {
            return Ok(None);
        };
        let Some(user) = self.store.user(&session.user).await? else {
            return Ok(None);
        };
        let consented = self.store.consent(&user.id, &request.client.id).await?;
        let sub = self.subject(&request.client, &user.id);
        let is_other = request.expected_user.as_ref().is_some_and(|it| *it != sub);
        Ok(Some(Present {
            is_other,
            hash,
            session,
            user,
            consented,
        }))
    }

    /// Whose name and password these are, or how the try ended.
    pub(super) async fn check_password(
        &self,
        username: &str,
        password: Secret,
    ) -> Result<Result<User, Attempt>, OAuthError> {
        if let Err(TooSoon(seconds)) = self.throttle.begin(username, self.now()) {
            tracing::warn!(seconds, "sign-in put off: too many failures for one name");
            return Ok(Err(Attempt::TooSoon(seconds)));
        }
        let known = self.user_of_name(username).await?;
        let hash = known.as_ref().map(|user| user.password.clone());
        let right = self.passwords.verify(hash, password).await;
        let Some(user) = known.filter(|_| right) else {
            return Ok(Err(Attempt::Wrong));
        };
        self.throttle.succeeded(username);
        Ok(Ok(user))
    }

    async fn user_of_name(&self, username: &str) -> Result<Option<User>, OAuthError> {
        match Username::parse(username) {
            Ok(name) => Ok(self.store.user_by_name(&name).await?),
            Err(_) => Ok(None),
        }
    }

    /// The answer everyone waited for: a code bound to client, redirect URI, challenge, nonce and person (RFC 6749
    /// §4.1.2), and tokens beside it if the response type is hybrid. `None` if the session has ended meanwhile: nothing has
    /// happened then.
    async fn issue_code(
        &self,
        request: &AuthorizationRequest,
        present: &Present,
        asked: bool,
    ) -> Result<Option<AuthorizationResponse>, OAuthError> {
        let now = self.now();
        let secret = Secret::generate(&*self.random);
        let expires_at = now + self.policy.code_lifetime();
        let grant = Grant {
            id: GrantId::generate(&*self.random),
            client: request.client.id.clone(),
            user: present.user.id.clone(),
            scope: request.scope.clone(),
            resources: request.resources.clone(),
            claims: request.claims.clone(),
            session: Some(present.session.id.clone()),
            auth_time: present.session.auth_time,
            expires_at: expires_at + self.longest_first_token(),
        };
        let record = AuthorizationCode {
            grant,
            redirect_uri: match request.redirect_uri_was_sent {
                true => request.redirect_uri.clone(),
                false => String::new(),
            },
            challenge: request.challenge,
            nonce: request.nonce.clone(),
            dpop_jkt: request.dpop_jkt.clone(),
            expires_at,
        };
        let none = Parameters::default();
        let tokens = match FrontTokens::prepare(self, request, &record, &none) {
            Ok(tokens) => tokens,
            Err(error) => return Ok(Some(self.error_response(request, error))),
        };
        let before = present.consented.clone().unwrap_or_default();
        let remember = (asked && may_remember(&self.policy, request))
            .then(|| before.union(&request.to_consent()));
        let grant = record.grant.id.clone();
        // They signed out, or were signed out, since they were looked at.
        let hash = Digest::of(secret.expose());
        let Some(number) = self.store.issue_code(hash, record, remember, now).await? else {
            return Ok(None);
        };
        // After the code, so that a request without one can still be answered; of two answers at once one goes no further.
        if let Err(error) = self.spend_pushed(request.parameters.provenance()).await {
            self.store.revoke_grant(grant, now).await?;
            return Ok(Some(self.error_response(request, error)));
        }
        let place = Place {
            number,
            generation: 0,
        };
        let code = self.handles.write(HandleKind::Code, place, &secret);
        tracing::info!(client_id = %request.client.id, "authorization code issued");
        let mut answer = vec![("code", code.expose().to_owned())];
        if let Some(tokens) = tokens {
            answer.extend(tokens.issue(self, code.expose()).await?);
            tracing::info!(client_id = %request.client.id, response_type = request.response_type.name(), "tokens issued");
        }
        let state = self.session_state(request, &present.session.id);
        answer.extend(state.map(|state| ("session_state", state)));
        Ok(Some(AuthorizationResponse {
            browser_state: Some(self.browser_state(&present.session.id)),
            ..self.response(request, answer)
        }))
    }
}

impl Service {
    /// Seconds the longest-lived of a grant's first tokens lives.
    pub(super) fn longest_first_token(&self) -> i64 {
        let of_resources = self.resources.longest_lifetime().unwrap_or_default();
        self.policy
            .access_token_lifetime()
            .max(self.policy.id_token_lifetime())
            .max(of_resources)
    }
}

/// The order of OIDC Core §3.1.2.3 and §3.1.2.4: first who, then whether they agree.
fn next(
    policy: &Policy,
    request: &AuthorizationRequest,
    present: Option<&Present>,
    fresh: bool,
    now: i64,
) -> Next {
    let Some(present) = present else {
        return Next::SignIn;
    };
    let too_old = request
        .max_age
        .is_some_and(|max_age| now - present.session.auth_time > max_age || max_age == 0);
    let agreed = may_remember(policy, request)
        && present
            .consented
            .as_ref()
            .is_some_and(|allowed| request.is_covered_by(allowed));
    match () {
        () if present.is_other => Next::SignIn,
        () if request.prompt.login && !fresh => Next::SignIn,
        () if too_old && !fresh => Next::SignIn,
        () if request.prompt.consent || !agreed => Next::Consent,
        () => Next::Issue,
    }
}

/// RFC 6749 §10.2, RFC 8252 §8.6: a client without a secret may be anybody who borrowed its name, so the person is asked each
/// time, unless the answer goes to an https address registered as it is, on a host that is somebody's: that is what silent
/// renewal in a page (`prompt=none` in a frame) lives on. `https://localhost` is nobody's, since every program of the person's
/// machine can listen there. A refresh token is never given silently to such a client. The person is also
/// asked where the answer goes to a loopback port of the request's own choice: any program there could be waiting.
fn may_remember(policy: &Policy, request: &AuthorizationRequest) -> bool {
    let client = &request.client;
    let mut registered = client.redirect_uris.iter();
    let registered_as_it_is = registered.any(|uri| uri.as_str() == request.redirect_uri);
    let known_by_address = is_somebodys_https_address(&request.redirect_uri)
        && !request.scope.contains(Scope::OFFLINE_ACCESS);
    let known = registered_as_it_is && (!client.is_public() || known_by_address);
    known || policy.remember_consent_of_public_clients()
}

fn is_somebodys_https_address(redirect_uri: &str) -> bool {
    Url::parse(redirect_uri).is_ok_and(|url| url.scheme() == "https" && !is_loopback(&url))
}

pub(super) fn broken(_: OAuthError) -> Outcome {
    Outcome::Broken
}
