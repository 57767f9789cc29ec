//! The service through its router, with a clock that stands still: a folder a feature, and each test names the rule it
//! breaks.

mod authorization;
mod claim_checks;
mod client_assertions;
mod client_authentication;
mod device;
mod discovery;
mod dpop;
mod end_session;
mod hybrid;
mod interaction;
mod introspection;
mod keys;
mod logging;
mod logout;
mod me;
mod pkce;
mod properties;
mod refresh;
mod resources;
mod response_modes;
mod revocation;
mod session_management;
mod support;
mod token;
mod userinfo;
