//! What a site may cost that has proven which it is: it asks by itself, so whoever has stolen its key can ask without
//! end. Nobody else's asking is slowed down by that.

use std::sync::Arc;

use gatepass_core::limit::{self, Limited, Pace};
use gatepass_core::{SiteId, Timestamp};
use moka::sync::Cache;

use crate::Problem;
use crate::bucket::{Bucket, pace};

/// How many sites are told apart at a time. One that is forgotten has its burst again.
const MAX_SITES: u64 = 100_000;

/// How often each site may ask for one thing.
#[derive(Debug)]
pub struct Regulars {
    pace: Pace,
    by_site: Cache<SiteId, Arc<Bucket>>,
}

impl Regulars {
    /// One each `interval` microseconds for each site, and so many at once.
    pub fn new(interval: i64, burst: i64) -> Self {
        Self { pace: pace(interval, burst), by_site: Cache::new(MAX_SITES) }
    }

    /// Takes one.
    ///
    /// # Errors
    /// [`Code::RateLimited`](crate::Code::RateLimited) when there is none left at present.
    pub fn admit(&self, site: SiteId, now: Timestamp) -> Result<(), Problem> {
        let own = self.by_site.get_with(site, Arc::default);
        own.take(self.pace, now)
            .map_err(|retry_after| Limited { bucket: limit::Bucket::Site, retry_after }.into())
    }
}

#[cfg(test)]
mod tests {
    use gatepass_core::clock::System;

    use super::*;

    #[test]
    fn a_site_has_its_burst_then_its_rate_and_takes_nobody_elses() {
        let (regulars, now) = (Regulars::new(50_000, 10), Timestamp::from_secs(1_790_000_000));
        let sites = [1, 2].map(|secs| SiteId::generate(Timestamp::from_secs(secs), &System).unwrap());
        let admitted = |site, now| (0..100).filter(|_| regulars.admit(site, now).is_ok()).count();
        assert_eq!(admitted(sites[0], now), 10);
        assert_eq!(admitted(sites[0], Timestamp::from_millis(now.millis() + 100)), 2);
        assert_eq!(admitted(sites[1], now), 10);
        assert_eq!(admitted(sites[0], Timestamp::from_secs(1_780_000_000)), 10, "the clock was put back");
    }
}
