//! For how long trails are kept.

use std::time::Duration;

use super::Reading;
use crate::clock::Timestamp;
use crate::event::Event;
use crate::store::{Events, Result};

/// Thirteen months, so that last year's month can be looked at.
pub const DEFAULT_TRAIL_DAYS: u32 = 400;
/// Of each trail. An event takes about 400 bytes.
pub const DEFAULT_TRAIL_EVENTS: u64 = 100_000;

/// How many events are removed at a time: no writer waits longer for it than for another writer.
const STEP: usize = 500;

/// How much of a trail is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// For how long; `None` is for ever.
    pub age: Option<Duration>,
    /// How many events of each trail, at least; `None` is all.
    pub events: Option<u64>,
}

impl Retention {
    /// All of it, for ever.
    pub const NONE: Self = Self { age: None, events: None };

    /// So many days and so many events, `0` being no bound.
    pub fn new(days: u32, events: u64) -> Self {
        let age = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
        Self { age: (days > 0).then_some(age), events: (events > 0).then_some(events) }
    }

    /// Whether an event is to be removed at `now` from a trail whose last one is `newest`.
    fn is_over(self, event: &Event, newest: u64, now: Timestamp) -> bool {
        self.age.is_some_and(|age| event.at.plus(age) <= now)
            || self.events.is_some_and(|events| event.seq.saturating_add(events) <= newest)
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::new(DEFAULT_TRAIL_DAYS, DEFAULT_TRAIL_EVENTS)
    }
}

/// Removes from all trails what need not be kept any longer at `now`, in small steps, and says how many events that
/// were. Several may do it at once.
///
/// It goes up from the old end and ends at the first event that is to be kept: one that is younger by a clock which
/// has been put back since keeps those behind it, for as long as it is kept itself.
///
/// # Errors
/// When the store does not answer; what was removed by then is.
pub async fn sweep(store: &dyn Events, retention: Retention, now: Timestamp) -> Result<u64> {
    let mut removed = 0;
    for trail in store.trails().await? {
        loop {
            let newest = store.extent(&trail).await?.newest;
            let oldest = store.events(&trail, Reading::After(0), STEP).await?;
            let over = oldest.iter().take_while(|event| retention.is_over(event, newest, now)).count();
            let Some(last) = over.checked_sub(1).and_then(|last| oldest.get(last)) else { break };
            removed += store.remove_events(&trail, last.seq).await?;
            if over < STEP {
                break;
            }
        }
    }
    Ok(removed)
}
