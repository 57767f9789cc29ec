//! How much and how long.

use std::time::Duration;

/// How much and how long strangers may hold on to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; the next ones wait in the kernel's queue.
    pub connections: usize,
    /// Of these, how many one address may have (of IPv6 one network of 64 bits, which is what one household or one machine is given).
    /// The next ones are closed at once: waiting, they would stand in the way of everybody.
    pub per_address: usize,
    /// Whether [`per_address`](Self::per_address) counts for connections of this machine, too. A proxy here speaks for many.
    pub loopback_counts: bool,
    /// A client that has not finished its handshake by then is not a client.
    pub handshake: Duration,
    /// How long a request's head may take, and an idle HTTP/1.1 connection stay.
    pub head: Duration,
    /// How long an HTTP/2 connection stays on which nothing is asked.
    pub idle: Duration,
    /// After that a connection is asked to finish and reconnect, so that none holds its place for ever.
    pub lifetime: Duration,
    /// How long requests under way may take after the connection was told to finish.
    pub grace: Duration,
}

impl Limits {
    /// So many connections, half of them for one address at most: ten seconds for a handshake, fifteen for a request's head, a minute
    /// of silence, five minutes in all, and ten seconds more for what is under way then.
    #[must_use]
    pub const fn of(connections: usize) -> Limits {
        Limits {
            connections,
            per_address: connections.div_ceil(2),
            loopback_counts: false,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            lifetime: Duration::from_secs(300),
            grace: Duration::from_secs(10),
        }
    }
}
