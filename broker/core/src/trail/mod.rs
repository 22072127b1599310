//! Trails: whose they are, how they are read, and for how long they are kept.
//!
//! Every site has one, and every tenant one of the service itself, for what belongs to no site. A trail is numbered
//! from 1 without gaps; only its old end is ever removed, and a number is never given twice. So whoever reads on from
//! a number sees all that came since, or can tell from the [`Extent`] that some of it is gone.

mod retention;
mod search;

use crate::id::{InvalidId, SiteId, Tenant};

pub use retention::{DEFAULT_TRAIL_DAYS, DEFAULT_TRAIL_EVENTS, Retention, sweep};
pub use search::{About, Filter, Newest, Page, about, page};

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
    fn from_str(text: &str) -> Result<Self, InvalidId> {
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
