//! When API keys were last used, for whoever asks which of them can go. It is written seldom, and beside the request,
//! which does not wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gatepass_core::{ClientId, Store, Timestamp};

/// How often a use of the same key is written, by each process.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// When the use of each key was last written. There are as many as there are API keys.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<ClientId, Timestamp>>);

impl Uses {
    /// Keeps that a key was used, if that is to be written again.
    pub(crate) fn note(&self, store: &Arc<dyn Store>, id: ClientId, now: Timestamp) {
        if !self.is_due(id, now) {
            return;
        }
        let store = Arc::clone(store);
        actix_web::rt::spawn(async move {
            if let Err(error) = store.note_client_use(id, now).await {
                tracing::warn!(%error, client = %id, "the use of an API key was not written");
            }
        });
    }

    fn is_due(&self, id: ClientId, now: Timestamp) -> bool {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Also when the clock was put back since.
        let due = written.get(&id).is_none_or(|then| then.age_at(now) >= EVERY || now < *then);
        if due {
            written.insert(id, now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use gatepass_core::clock::System;

    use super::*;

    #[test]
    fn a_use_is_written_once_in_five_minutes_for_each_key() {
        let (uses, t0) = (Uses::default(), Timestamp::from_secs(1_790_000_000));
        let [one, other] =
            [1, 2].map(|secs| ClientId::generate(Timestamp::from_secs(secs), &System).unwrap());
        assert!(uses.is_due(one, t0) && uses.is_due(other, t0));
        assert!(!uses.is_due(one, t0.plus(EVERY).minus(Duration::from_millis(1))));
        assert!(uses.is_due(one, t0.plus(EVERY)));
        assert!(uses.is_due(one, t0), "the clock was put back");
    }
}
