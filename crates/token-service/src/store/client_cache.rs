//! Clients as they were read a moment ago.
//!
//! Nearly every request begins with its client, and clients hardly ever change; but each commit of the writer makes the
//! readers read their pages anew. So a client is remembered for a tenth of a second. What this program changes is forgotten at once;
//! what another one changes (`stampmill client` beside a running server) holds for every request that begins [`LIFETIME`] later, and
//! that program waits so long before it says that it is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::{Client, ClientId};

/// How long a client is remembered, from before it was read. One read in that time is all that a busy client costs.
pub(crate) const LIFETIME: Duration = Duration::from_millis(100);
/// Clients remembered at most: bounds memory. The busy ones are back at once.
const CAPACITY: usize = 1024;

#[derive(Default)]
pub(super) struct ClientCache(Mutex<State>);

#[derive(Default)]
struct State {
    entries: HashMap<ClientId, (Instant, Arc<Client>)>,
    /// How often everything was forgotten.
    generation: u64,
}

/// When a read began: what it found is remembered only if nothing was forgotten since, and no longer than if it had taken no time.
pub(super) struct Beginning {
    generation: u64,
    at: Instant,
}

impl ClientCache {
    pub(super) fn get(&self, id: &ClientId) -> Option<Arc<Client>> {
        let state = self.state();
        let (read_at, client) = state.entries.get(id)?;
        (read_at.elapsed() < LIFETIME).then(|| Arc::clone(client))
    }

    pub(super) fn begin(&self) -> Beginning {
        Beginning {
            generation: self.state().generation,
            at: Instant::now(),
        }
    }

    pub(super) fn remember(&self, beginning: &Beginning, client: &Arc<Client>) {
        let mut state = self.state();
        if state.generation != beginning.generation {
            return;
        }
        if state.entries.len() >= CAPACITY {
            state.entries.clear();
        }
        let entry = (beginning.at, Arc::clone(client));
        state.entries.insert(client.id.clone(), entry);
    }

    pub(super) fn forget_all(&self) {
        let mut state = self.state();
        state.entries.clear();
        state.generation += 1;
    }

    /// A panic between two of its statements leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite::client;

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (cache, client) = (ClientCache::default(), Arc::new(client("web", None)));
        let beginning = cache.begin();
        cache.forget_all();
        cache.remember(&beginning, &client);
        assert_eq!(cache.get(&client.id), None);
        cache.remember(&cache.begin(), &client);
        assert_eq!(cache.get(&client.id), Some(client));
    }

    #[test]
    fn a_slow_read_is_not_remembered_beyond_its_time() {
        let (cache, client) = (ClientCache::default(), Arc::new(client("web", None)));
        let beginning = cache.begin();
        std::thread::sleep(LIFETIME);
        cache.remember(&beginning, &client);
        assert_eq!(cache.get(&client.id), None);
    }
}
