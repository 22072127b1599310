//! Tokens that are no good cost no store access, and still reach the trail: they are counted here, and written as
//! one event a site, cause and minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gatepass_core::event::{Actor, Context, EventKind};
use gatepass_core::store::{Entry, Events};
use gatepass_core::{RequestId, SiteId, Timestamp};
use gatepass_http::metrics;

type Counts = HashMap<(SiteId, &'static str), (u64, RequestId)>;

/// Refusals that are not in the trail yet. Only paired sites can cause one and causes are few, so it stays small.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

impl Tally {
    /// Counts one.
    pub fn count(&self, site: SiteId, cause: &'static str, request_id: RequestId) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = counts.entry((site, cause)).or_insert_with(|| (0, request_id.clone()));
        *entry = (entry.0 + 1, request_id);
        Self::tell(&counts);
    }

    /// Writes and forgets all; what cannot be written is kept for the next time.
    pub(crate) async fn flush(&self, store: &dyn Events, now: Timestamp) {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        metrics::trail_pending(0);
        let mut counts = counts.into_iter();
        while let Some(((site, cause), (count, request_id))) = counts.next() {
            let note = format!("{count} since the last such line; the request id is the last one's");
            let context = Context { note: Some(note), ..Context::new(request_id.clone(), Actor::Site) };
            let entry = Entry {
                at: now,
                kind: EventKind::HandoffRefused,
                cause: Some(cause),
                subject: None,
                handoff_id: None,
            };
            if let Err(error) = store.append_event(site, &entry, &context).await {
                tracing::warn!(%error, "refusals stay counted until the store answers");
                // The others are not made to wait for it too.
                let unwritten = ((site, cause), (count, request_id));
                return self.keep(std::iter::once(unwritten).chain(counts));
            }
        }
    }

    fn tell(counts: &Counts) {
        metrics::trail_pending(counts.values().map(|(count, _)| count).sum());
    }

    /// Counts again what was taken out, beside what came in between.
    fn keep(&self, unwritten: impl Iterator<Item = ((SiteId, &'static str), (u64, RequestId))>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (refused, (count, request_id)) in unwritten {
            kept.entry(refused).or_insert((0, request_id)).0 += count;
        }
        Self::tell(&kept);
    }
}
