//! Limits: how often a thing may be asked for. They are counted in the store step that happens anyway, so every
//! process counts together and counting costs no round trip of its own.
//!
//! A limit must never become a weapon. So each bucket belongs to whoever fills it: a member's logins are counted for
//! that member, a panel's calls for its API key, members and handoffs apart. Of redemptions only those are counted,
//! and only those refused, that let nobody in anyway: whoever comes with a good token is let in however full the
//! bucket of the address is that they share with an attacker. What an honest person may meet is answered as it is
//! (see `is_always_answered`), and shutting a member out is never refused.
//!
//! The buckets leak evenly: a limit of 30 a minute takes 30 at once, then one every two seconds. This is the
//! generic cell rate algorithm (ITU-T I.371 annex A), whose whole state is one time.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::Context;
use crate::handoff::Intent;
use crate::id::{HandoffId, Subject};

/// What a bucket's size is measured over, in milliseconds.
const MINUTE_MILLIS: i64 = 60_000;

/// How far the clocks of two processes may lie apart, in microseconds: as far as for a token.
const LEEWAY_MICROS: i64 = 5_000_000;

/// How often a thing may be asked for in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    /// No limit.
    pub const NONE: Self = Self(0);

    /// So often in a minute, all of it at once if need be; `0` is no limit.
    pub const fn per_minute(times: u32) -> Self {
        Self(times)
    }

    /// `None` without a limit.
    pub(crate) fn pace(self) -> Option<Pace> {
        (self.0 != 0).then(|| a_minutes_pace((MINUTE_MILLIS * 1000 / i64::from(self.0)).max(1)))
    }
}

const fn a_minutes_pace(interval: i64) -> Pace {
    Pace { interval, window: MINUTE_MILLIS * 1000, leeway: LEEWAY_MICROS }
}

/// The limits of each kind of bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Members put by one API key on one site, and as many handoffs asked for.
    pub api_key: Rate,
    /// Handoffs asked for, for one member.
    pub member: Rate,
    /// Redemptions of one token that let nobody in, repeats of the one that did, and previews.
    pub token: Rate,
    /// Redemptions that let nobody in, from one address on one site; and handoffs asked for in vain, by one API key.
    pub address: Rate,
}

impl Limits {
    /// Nothing is limited.
    pub const NONE: Self =
        Self { api_key: Rate::NONE, member: Rate::NONE, token: Rate::NONE, address: Rate::NONE };
}

/// One bucket to add to, if there is a name.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) bucket: Bucket,
    pub(crate) name: Option<String>,
    pub(crate) rate: Rate,
}

impl Limits {
    /// Handoffs of a member.
    pub(crate) fn handoffs_of(&self, subject: &Subject) -> Counted {
        Counted { bucket: Bucket::Member, name: Some(subject.to_string()), rate: self.member }
    }

    /// Handoffs that an API key asked for.
    pub(crate) fn handoffs_by(&self, context: &Context) -> Counted {
        by_api_key(context, "handoffs", self.api_key)
    }

    /// Handoffs that an API key asked for in vain: few, or it could fill the trail with them.
    pub(crate) fn in_vain_by(&self, context: &Context) -> Counted {
        by_api_key(context, "in-vain", self.address)
    }

    /// Members that an API key put.
    pub(crate) fn members_by(&self, context: &Context) -> Counted {
        by_api_key(context, "members", self.api_key)
    }

    /// Tries of a token that let nobody in.
    pub(crate) fn tries_of(&self, id: HandoffId) -> Counted {
        Counted { bucket: Bucket::Token, name: Some(id.to_string()), rate: self.token }
    }

    /// Repeats of the attempt that redeemed a token, or previews of who would be let in. Nobody else can use them up,
    /// nor the ones the others.
    pub(crate) fn answers_of(&self, id: HandoffId, intent: Intent) -> Counted {
        let what = match intent {
            Intent::Spend => "repeats",
            Intent::Preview => "previews",
        };
        Counted { bucket: Bucket::Token, name: Some(format!("{id}:{what}")), rate: self.token }
    }

    /// Tries from an address that let nobody in.
    pub(crate) fn tries_from(&self, context: &Context) -> Counted {
        Counted {
            bucket: Bucket::Address,
            name: context.client_ip.map(|address| network(address).to_string()),
            rate: self.address,
        }
    }
}

fn by_api_key(context: &Context, what: &str, rate: Rate) -> Counted {
    let name = context.actor.client().map(|id| format!("{id}:{what}"));
    Counted { bucket: Bucket::ApiKey, name, rate }
}

/// Whether a refusal is answered as it is although a bucket is full: those that an honest person comes to, who may
/// share an address with an attacker, or an honest panel, which is to put the member then. Only the trail is told of
/// them less often.
pub(crate) fn is_always_answered(cause: &str) -> bool {
    matches!(cause, "member_not_found" | "membership_inactive" | "expired" | "superseded")
}

impl Default for Limits {
    /// Far above what honest use comes to: a panel that puts a member every millisecond, a customer who clicks every
    /// two seconds, an office in which two people a second meet a refusal.
    fn default() -> Self {
        Self {
            api_key: Rate::per_minute(60_000),
            member: Rate::per_minute(30),
            token: Rate::per_minute(20),
            address: Rate::per_minute(120),
        }
    }
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// One API key on one site.
    ApiKey,
    /// One member.
    Member,
    /// One token.
    Token,
    /// One address on one site.
    Address,
    /// What one site says of itself.
    Site,
}

impl Bucket {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::ApiKey, Self::Member, Self::Token, Self::Address, Self::Site];

    /// As it is told to whoever filled it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Member => "member",
            Self::Token => "token",
            Self::Address => "address",
            Self::Site => "site",
        }
    }

    /// As the trail names it as the cause of a refusal.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::ApiKey => "limit_api_key",
            Self::Member => "limit_member",
            Self::Token => "limit_token",
            Self::Address => "limit_address",
            Self::Site => "limit_site",
        }
    }

    pub(crate) fn from_cause(cause: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.cause() == cause)
    }
}

/// Refused, because a bucket is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// Which.
    pub bucket: Bucket,
    /// When it will take one more.
    pub retry_after: Duration,
}

/// How fast a bucket leaks, and how much it holds. All in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The time that one takes.
    pub interval: i64,
    /// The time that a full bucket takes to leak.
    pub window: i64,
    /// How far the clocks may lie apart of those who fill it.
    pub leeway: i64,
}

impl Pace {
    /// Adds one to a bucket: the time at which it will be empty, in microseconds since 1970, before and after. If it
    /// is full, for how long, rounded up to milliseconds.
    pub fn add(self, empty_at: Option<i64>, now: Timestamp) -> Result<i64, Duration> {
        // Later than full: it was filled by a clock that has been put back since.
        let empty_at = empty_at.filter(|at| self.sound(now).contains(at));
        let now = now.millis() * 1000;
        let next = empty_at.unwrap_or(now).clamp(now, now + self.window) + self.interval;
        match u64::try_from(next - now - self.window) {
            Err(_) | Ok(0) => Ok(next),
            Ok(over) => Err(Duration::from_millis(over.div_ceil(1000))),
        }
    }

    /// From when to when a bucket that tells anything at `now` is empty.
    fn sound(self, now: Timestamp) -> RangeInclusive<i64> {
        let now = now.millis() * 1000;
        now..=now + self.window + self.leeway
    }
}

/// From when to when, in microseconds, a bucket of whatever rate that tells anything at `now` is empty.
pub(crate) fn sound(now: Timestamp) -> RangeInclusive<i64> {
    a_minutes_pace(0).sound(now)
}

/// Whether it is time to tell the trail again that a bucket is full: once a minute is enough.
pub(crate) fn is_worth_telling(told_at: Option<Timestamp>, now: Timestamp) -> bool {
    told_at.is_none_or(|told| (now.millis() - told.millis()).unsigned_abs() >= MINUTE_MILLIS.unsigned_abs())
}

/// Whose an address is: of IPv6 the network of 48 bits, the most that one place is given (RFC 6177 section 2).
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 80 << 80).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn after(millis: u64) -> Timestamp {
        NOW.plus(Duration::from_millis(millis))
    }

    /// How many of `asked` at once are taken.
    fn taken(bucket: &mut Option<i64>, rate: Rate, asked: u32, now: Timestamp) -> u32 {
        let pace = rate.pace().unwrap();
        let mut one = || pace.add(*bucket, now).map(|next| *bucket = Some(next)).is_ok();
        (0..asked).map(|_| u32::from(one())).sum()
    }

    #[test]
    fn a_bucket_takes_a_minutes_worth_at_once_and_then_leaks_evenly() {
        let (mut bucket, rate) = (None, Rate::per_minute(30));
        assert_eq!(taken(&mut bucket, rate, 100, NOW), 30);
        assert_eq!(rate.pace().unwrap().add(bucket, NOW), Err(Duration::from_secs(2)));
        assert_eq!(taken(&mut bucket, rate, 10, after(1_999)), 0);
        assert_eq!(taken(&mut bucket, rate, 10, after(2_000)), 1);
        assert_eq!(taken(&mut bucket, rate, 10, after(10_000)), 4);
        assert_eq!(taken(&mut bucket, rate, 100, after(600_000)), 30);
    }

    #[test]
    fn a_refused_one_counts_for_nothing() {
        let (mut bucket, rate) = (None, Rate::per_minute(2));
        assert_eq!(taken(&mut bucket, rate, 1000, NOW), 2);
        assert_eq!(taken(&mut bucket, rate, 1, after(30_000)), 1);
    }

    #[test]
    fn what_was_counted_by_a_clock_that_was_put_back_shuts_nobody_out() {
        let rate = Rate::per_minute(30);
        let one_click_ahead = rate.pace().unwrap().add(None, after(3_600_000)).unwrap();
        let mut bucket = Some(one_click_ahead);
        assert_eq!(taken(&mut bucket, rate, 100, NOW), 30);
        // And what is written goes on by the clock that is.
        assert_eq!(taken(&mut bucket, rate, 10, after(4_000)), 2);
    }

    #[test]
    fn two_clocks_a_little_apart_do_not_empty_a_bucket() {
        let (mut bucket, rate) = (None, Rate::per_minute(30));
        assert_eq!(taken(&mut bucket, rate, 100, after(4_900)), 30);
        assert_eq!(taken(&mut bucket, rate, 100, NOW), 0);
    }

    #[test]
    fn any_rate_has_an_interval() {
        let interval = |rate: Rate| rate.pace().map(|pace| pace.interval);
        assert_eq!(interval(Rate::NONE), None);
        assert_eq!(interval(Rate::per_minute(1)), Some(60_000_000));
        assert_eq!(interval(Rate::per_minute(u32::MAX)), Some(1));
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_a_mapped_ipv4_address_is_itself() {
        let name = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(name("2001:db8:1:2:3:4:5:6"), "2001:db8:1::");
        assert_eq!(name("2001:db8:1:ffff::1"), "2001:db8:1::");
        assert_eq!(name("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(name("192.0.2.2"), "192.0.2.2");
    }

    #[test]
    fn every_bucket_has_a_cause_of_its_own() {
        for bucket in Bucket::ALL {
            assert_eq!(Bucket::from_cause(bucket.cause()), Some(bucket));
        }
    }
}
