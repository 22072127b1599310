//! When a site that no poke reaches is poked again.

use std::time::Duration;

use gatepass_core::Timestamp;

/// The wait after the first failure, at the longest.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait.
pub(super) const LONGEST: Duration = Duration::from_mins(10);

/// How long to wait after so many failures in a row: up to [`FIRST`], doubled with each further one, up to
/// [`LONGEST`]. Half of it is certain, the other half `random`'s, so that sites which went down together do not all come
/// at once when they are back.
pub(super) fn wait(failures: u32, random: u64) -> Duration {
    let longest = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST);
    let half = longest / 2;
    let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
    half + Duration::from_millis(random % millis.saturating_add(1))
}

/// How many failures there will have been of a site that another process, or this one before a restart, has failed to
/// reach for so long.
pub(super) fn failures_within(age: Duration) -> u32 {
    age.as_secs().saturating_add(1).ilog2().saturating_add(1)
}

/// Whether something that is due at `at` is due at `now`. What is due later than anything ever is was put off by a clock
/// that has been set back since.
pub(super) fn is_due(at: Timestamp, now: Timestamp) -> bool {
    at <= now || at > now.plus(LONGEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_begins_with_a_second_and_ends_at_ten_minutes() {
        let longest: Vec<u64> = (1..=12).map(|failures| wait(failures, u64::MAX).as_secs()).collect();
        assert!(wait(1, 0) >= Duration::from_millis(500) && wait(1, 500) == Duration::from_secs(1));
        assert!(longest.iter().all(|secs| *secs <= 600), "{longest:?}");
        assert_eq!(wait(40, 300_000), LONGEST);
        assert_eq!(wait(u32::MAX, 0), LONGEST / 2);
    }

    proptest! {
        #[test]
        fn a_wait_lies_between_half_and_all_of_its_bound(failures in 0..u32::MAX, random: u64) {
            let bound = Duration::from_secs(1 << failures.saturating_sub(1).min(20)).min(LONGEST);
            let waited = wait(failures, random);
            prop_assert!(waited >= bound / 2 && waited <= bound, "{failures}: {waited:?}");
        }

        #[test]
        fn with_the_same_luck_a_further_failure_shortens_no_wait(failures in 1..100_u32, luck in 0..=1000_u64) {
            // The same share of each random half.
            let with_luck = |failures| {
                let half = u64::try_from(wait(failures, 0).as_millis()).unwrap();
                wait(failures, half * luck / 1000)
            };
            prop_assert!(with_luck(failures + 1) >= with_luck(failures));
        }

        #[test]
        fn whoever_takes_over_goes_on_about_where_it_was(failures in 1..16_u32) {
            // All of its waits at their longest, one after the other.
            let age: Duration = (1..=failures).map(|n| wait(n, 0) * 2).sum();
            let taken_over = failures_within(age);
            prop_assert!(wait(taken_over + 1, 0) * 2 >= wait(failures, 0));
            prop_assert!(failures > 10 || taken_over <= failures + 1, "{taken_over} after {failures}");
        }

        #[test]
        fn a_clock_that_is_set_back_puts_nothing_off(due: i32, back in 0..i32::MAX) {
            let at = Timestamp::from_secs(due.into());
            let now = Timestamp::from_secs(i64::from(due) - i64::from(back));
            prop_assert_eq!(is_due(at, now), back == 0 || back > 600);
        }
    }
}
