//! A bucket of a rate limit that is counted in this process, as one time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gatepass_core::Timestamp;
use gatepass_core::limit::Pace;

/// One each `interval` microseconds, and so many at once. Threads read the clock a moment apart.
pub(crate) const fn pace(interval: i64, burst: i64) -> Pace {
    Pace { interval, window: interval * burst, leeway: interval * burst }
}

/// A bucket, kept as the one time at which it will be empty; in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    empty_at: AtomicI64,
}

impl Bucket {
    /// Takes one, or says for how long there is none.
    pub(crate) fn take(&self, pace: Pace, now: Timestamp) -> Result<(), Duration> {
        let mut wait = Duration::ZERO;
        let add = |empty_at| pace.add(Some(empty_at), now).map_err(|full| wait = full).ok();
        self.empty_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).map(drop).map_err(|_| wait)
    }
}
