//! Trails: whose they are, how they are read, and for how long they are kept.
//!
//! Every site has one, and every tenant one of the service itself, for what belongs to no site. A trail is numbered
//! from 1 without gaps; only its old end is ever removed, and a number is never given twice. So whoever reads on from
//! a number sees all that came since, or can tell from the [`Extent`] that some of it is gone.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::Event;
use crate::id::{InvalidId, SiteId, Tenant};
use crate::store::{Events, Result};

/// Thirteen months, so that last year's month can be looked at.
pub const DEFAULT_TRAIL_DAYS: u32 = 400;
/// Of each trail. An event takes about 400 bytes.
pub const DEFAULT_TRAIL_EVENTS: u64 = 100_000;

/// How many events are removed at a time: no writer waits longer for it than for another writer.
const STEP: usize = 500;

const TENANT: &str = "tenant:";

/// Whose trail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trail {
    /// Of what happened at a site.
    Site(SiteId),
    /// Of what happened to a tenant as a whole: its API keys, and sites that are no more.
    Tenant(Tenant),
}

impl std::fmt::Display for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Site(site) => site.fmt(f),
            Self::Tenant(tenant) => write!(f, "{TENANT}{tenant}"),
        }
    }
}

impl std::str::FromStr for Trail {
    type Err = InvalidId;
    fn from_str(text: &str) -> std::result::Result<Self, InvalidId> {
        match text.strip_prefix(TENANT) {
            Some(tenant) => tenant.parse().map(Self::Tenant),
            None => text.parse().map(Self::Site),
        }
    }
}

/// From where a trail is read, and in which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Upwards, from the event after this number.
    After(u64),
    /// Downwards, from the event before this number; `u64::MAX` begins with the newest.
    Before(u64),
}

/// How far a trail reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The oldest event that is kept; one more than `newest` when none is.
    pub oldest: u64,
    /// The last event that was ever written, kept or not; 0 when there was none.
    pub newest: u64,
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_is_written_as_it_is_read() {
        for text in ["tenant:default", "site_agrag6hy5byvbdbav5e43yh4bu"] {
            assert_eq!(text.parse::<Trail>().map(|trail| trail.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["", "tenant:", "tenant:a b", "default"] {
            assert!(wrong.parse::<Trail>().is_err(), "{wrong}");
        }
    }
}
