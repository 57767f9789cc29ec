//! What the servers of this crate allow strangers.

use std::time::Duration;

use stampmill_listener::Limits;

/// Every server's. As long as ACME's requests may take is the grace; who asks an authority anything is done within two minutes.
pub(crate) const SERVER: Limits = Limits {
    lifetime: Duration::from_secs(120),
    grace: Duration::from_secs(20),
    ..Limits::of(512)
};
