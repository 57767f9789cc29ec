//! What the service deals in: clients, users, sessions, grants, codes. Text becomes one of these types once, at the
//! edge, and after that a wrong state cannot be written down.

mod claims;
mod client;
mod client_keys;
mod client_metadata;
mod device;
mod display_name;
mod grant;
mod issuer;
mod logout;
mod pkce;
mod redirect_uri;
mod refresh_token;
mod resource;
mod response_type;
mod scope;
mod signing_key;
mod user;

pub(crate) use claims::scope_of;
pub use claims::{ClaimError, ClaimKind, PERSON_CLAIMS, PersonClaims, RequestedClaims};
pub use client::{
    ApplicationType, Client, ClientAuthentication, ClientId, GrantType, Registration,
    RegistrationError, SealedSecret, SecretMethod, SubjectType,
};
pub(crate) use client_keys::usable_keys;
pub use client_keys::{ClientKeys, KeyAddress, KeySet};
pub use client_metadata::{AssertionAlg, ClientProfile, RequestRules};
pub use device::{DeviceRequest, Polled, UserCode};
pub use grant::{AuthorizationCode, CodeRow, Grant, GrantId, Session, SessionId};
pub use issuer::{Issuer, IssuerError};
pub use logout::{EndedSession, LogoutMetadata};
pub use pkce::{CodeChallenge, CodeVerifier, PkceError};
#[cfg(test)]
pub(crate) use redirect_uri::HOSTS_THAT_ARE_NONE;
pub use redirect_uri::{RedirectUri, RedirectUriError};
pub(crate) use redirect_uri::{has_plain_host, is_loopback};
pub use refresh_token::{Grace, NewRefreshToken, RefreshToken, Rotation, Successor};
pub use resource::{Resource, ResourceError, ResourceServer, Resources, TokenFormat};
pub use response_type::ResponseType;
pub use scope::{Scope, ScopeError};
pub(crate) use signing_key::replaced_at;
pub use signing_key::{
    KeyState, SIGNING_ALGORITHMS, StoredKey, signing_algorithm, signing_now, state,
};
pub use user::{User, UserId, Username, UsernameError};
