//! What strangers may cost. A name that nobody was seen with before, be it a site's id, an API key or a pairing
//! code, has to be looked up, and anybody can make up any number of them. So such look-ups are few: in all, lest the
//! store be loaded, and from one network, lest one stranger take them all and lock out a newcomer. Who is known
//! already is asked nothing here, and so cannot be locked out at all.

use std::net::IpAddr;
use std::sync::Arc;

use gatepass_core::Timestamp;
use gatepass_core::limit::{Pace, network};
use moka::sync::Cache;

use crate::bucket::{Bucket, pace};
use crate::metrics::STRANGERS_REFUSED;
use crate::{ClientAddress, Code, Problem};

/// How often, and how many at once, for all together. A store answers ten thousands of look-ups a second.
const ALL: Pace = pace(2_000, 1000);
/// For one network.
const ONE: Pace = pace(50_000, 100);

/// How many networks are told apart; the total holds beyond.
const MAX_NETWORKS: u64 = 10_000;

/// The look-ups that strangers have.
#[derive(Debug)]
pub struct Strangers {
    all: Bucket,
    by_network: Cache<IpAddr, Arc<Bucket>>,
}

impl Default for Strangers {
    fn default() -> Self {
        // Without a time to idle: in a flood the cache loses count of reads, and would take a bucket in full use for
        // an idle one.
        Self { all: Bucket::default(), by_network: Cache::new(MAX_NETWORKS) }
    }
}

impl Strangers {
    /// Takes one look-up.
    ///
    /// # Errors
    /// [`Code::Overloaded`] when there is none left at present.
    pub fn admit(&self, ClientAddress(address): ClientAddress, now: Timestamp) -> Result<(), Problem> {
        let own = self.by_network.get_with(network(address), Arc::default);
        if own.take(ONE, now).and_then(|()| self.all.take(ALL, now)).is_ok() {
            Ok(())
        } else {
            metrics::counter!(STRANGERS_REFUSED).increment(1);
            Err(Problem::new(Code::Overloaded))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(START + millis)
    }

    fn from(address: &str) -> ClientAddress {
        ClientAddress(address.parse().unwrap())
    }

    /// How many of 5,000 are let through.
    fn admitted(strangers: &Strangers, address: &str, now: Timestamp) -> usize {
        (0..5000).filter(|_| strangers.admit(from(address), now).is_ok()).count()
    }

    #[test]
    fn one_network_has_its_burst_then_its_rate_then_its_burst_again() {
        let strangers = Strangers::default();
        assert_eq!(admitted(&strangers, "192.0.2.1", at(0)), 100);
        assert_eq!(admitted(&strangers, "192.0.2.1", at(49)), 0);
        assert_eq!(admitted(&strangers, "192.0.2.1", at(1000)), 20);
        assert_eq!(admitted(&strangers, "192.0.2.1", at(999)), 0, "whoever read the clock a moment before");
        assert_eq!(admitted(&strangers, "192.0.2.1", at(60_000)), 100);
    }

    #[test]
    fn nobody_uses_up_what_another_network_has() {
        let strangers = Strangers::default();
        admitted(&strangers, "192.0.2.1", at(0));
        assert_eq!(admitted(&strangers, "192.0.2.2", at(0)), 100);
        assert_eq!(admitted(&strangers, "2001:db8:1:1::1", at(0)), 100);
        assert_eq!(admitted(&strangers, "2001:db8:1:ffff::2", at(0)), 0, "of the same /48");
        assert_eq!(admitted(&strangers, "2001:db8:2::1", at(0)), 100);
    }

    #[test]
    fn all_together_have_no_more_than_the_total() {
        let strangers = Strangers::default();
        let all = (0..50_u8).map(|n| admitted(&strangers, &format!("192.0.2.{n}"), at(0))).sum::<usize>();
        assert_eq!(all, 1000);
        assert_eq!(admitted(&strangers, "198.51.100.1", at(10)), 5);
        assert_eq!(admitted(&strangers, "198.51.100.2", at(60_000)), 100, "and have it again later");
    }

    #[test]
    fn a_clock_that_is_put_back_locks_nobody_out() {
        let strangers = Strangers::default();
        admitted(&strangers, "192.0.2.1", at(3_600_000));
        assert_eq!(admitted(&strangers, "192.0.2.1", at(0)), 100);
        assert_eq!(admitted(&strangers, "192.0.2.1", at(1000)), 20);
    }
}
