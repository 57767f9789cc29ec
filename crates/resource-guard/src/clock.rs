//! What time it is, handed in from outside: so that every rule about time is testable without waiting.

use std::time::{SystemTime, UNIX_EPOCH};

/// A source of the present time, in whole seconds since 1970-01-01T00:00:00Z (`NumericDate`, RFC 7519 §2).
///
/// Any `Fn() -> i64` is a clock, which is all a test needs:
///
/// ```
/// use stampmill_resource_guard::Clock;
/// let noon = || 1_800_000_000;
/// assert_eq!(noon.now(), 1_800_000_000);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Seconds since the epoch.
    fn now(&self) -> i64;
}

impl<F: Fn() -> i64 + Send + Sync + 'static> Clock for F {
    fn now(&self) -> i64 {
        self()
    }
}

/// The operating system's clock.
///
/// A machine whose clock stands before 1970 or beyond the range of `i64` reads as `i64::MAX`: every token has expired
/// then, so a broken clock refuses instead of accepting.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok())
            .unwrap_or(i64::MAX)
    }
}
