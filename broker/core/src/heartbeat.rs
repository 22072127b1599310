//! Heartbeats: what a paired site says of itself every hour. Where it says that it lives it never changes here: a copy
//! of a site, which has its key, is told that it is not the one that is meant. Its landing page may move on its own
//! origin, as when its login is renamed.
//!
//! A site whose key was stolen says what the thief likes. So what is written, and told to the trail, is bounded.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use gatepass_keys::KeyId;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::clock::Timestamp;
use crate::event::EventKind;
use crate::limit::{Bucket, Limited, Rate};
use crate::site::{Paired, Site, Versions};

/// How long a site may be silent until it is written again that it was heard.
const SEEN_EVERY: Duration = Duration::from_secs(5 * 60);
/// How often the trail is told of a copy.
const CONFLICT_EVERY: Duration = Duration::from_secs(10 * 60);
/// How many heartbeats of a site may change something.
const CHANGES: Rate = Rate::per_minute(10);

/// The most checks that a site reports.
const MAX_CHECKS: usize = 20;

/// How a check of WordPress's Site Health came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// Nothing to do.
    Good,
    /// Could be better.
    Recommended,
    /// Something does not work.
    Critical,
}

/// Checks by their names: at most 20, each named by 1 to 40 of a-z and _.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Checks(BTreeMap<String, CheckResult>);

impl<'de> Deserialize<'de> for Checks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadChecks)
    }
}

struct ReadChecks;

impl<'de> Visitor<'de> for ReadChecks {
    type Value = Checks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of checks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Checks, A::Error> {
        let is_name = |name: &str| {
            (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        let mut checks = BTreeMap::new();
        while let Some((name, result)) = object.next_entry::<String, CheckResult>()? {
            if !is_name(&name) {
                return Err(A::Error::custom("a check's name is 1 to 40 of a-z and _"));
            }
            if checks.insert(name, result).is_some() {
                return Err(A::Error::custom("a check stands there twice"));
            }
            if checks.len() > MAX_CHECKS {
                return Err(A::Error::custom("at most 20 checks"));
            }
        }
        Ok(Checks(checks))
    }
}

/// What a site says, checked by its caller.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// The key that proved which site it is.
    pub kid: KeyId,
    /// The site's own address as WordPress knows it.
    pub url: Url,
    /// Where a browser takes its token; on the site's origin.
    pub landing_url: Url,
    /// Versions by now.
    pub versions: Versions,
    /// How its checks came out.
    pub checks: Checks,
}

/// What a site last said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When, to five minutes.
    pub at: Timestamp,
    /// Versions then.
    pub versions: Versions,
    /// How its checks came out.
    pub checks: Checks,
}

/// What is kept of a site's heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulse {
    /// What it last said.
    pub seen: Option<Seen>,
    /// When the bucket of its changes will be empty, in microseconds since 1970.
    changes_empty_at: Option<i64>,
    /// When the trail was last told that a copy has come.
    conflict_told_at: Option<Timestamp>,
}

impl Pulse {
    /// When the trail was last told that a copy of the site, at another address, has come.
    pub const fn conflict_told_at(&self) -> Option<Timestamp> {
        self.conflict_told_at
    }
}

/// What came of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Kept.
    Kept,
    /// The same as minutes ago; nothing was written.
    Known,
    /// It lives elsewhere than is registered; nothing of it was kept.
    Elsewhere,
    /// It changes too often; nothing of it was kept.
    Limited(Limited),
    /// There is no such site (any more), or it is paired with another key by now.
    NotPaired,
}

/// What a store is to write in the step that decides.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) pulse: Pulse,
    /// The pairing, if its landing page has moved.
    pub(crate) paired: Option<Paired>,
    pub(crate) event: Option<Told>,
}

/// An event with its cause, and what it is about in words.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) kind: EventKind,
    pub(crate) cause: &'static str,
    pub(crate) note: String,
}

impl Heartbeat {
    /// What comes of it on the site as it is, and what is to be written for that.
    pub(crate) fn decide(&self, site: &Site, now: Timestamp) -> (Heard, Option<Change>) {
        let Some(paired) = site.paired.as_ref().filter(|paired| paired.is_proven_by(&self.kid, now)) else {
            return (Heard::NotPaired, None);
        };
        if !site.origin.is(&self.url) {
            return (Heard::Elsewhere, self.tell_conflict(&site.pulse, now));
        }
        let moved = paired.landing_url != self.landing_url;
        let is_known = |seen: &Seen| {
            (&seen.versions, &seen.checks) == (&self.versions, &self.checks)
                && !is_due(Some(seen.at), SEEN_EVERY, now)
        };
        if !moved && site.pulse.seen.as_ref().is_some_and(is_known) {
            return (Heard::Known, None);
        }
        let added = CHANGES.pace().map(|pace| pace.add(site.pulse.changes_empty_at, now)).transpose();
        let changes_empty_at = match added {
            Ok(empty_at) => empty_at,
            Err(retry_after) => return (Heard::Limited(Limited { bucket: Bucket::Site, retry_after }), None),
        };
        let seen = Seen { at: now, versions: self.versions.clone(), checks: self.checks.clone() };
        let told = || Told {
            kind: EventKind::SiteUpdated,
            cause: "",
            note: format!("its landing page is {} now", self.landing_url),
        };
        let change = Change {
            pulse: Pulse { seen: Some(seen), changes_empty_at, ..site.pulse.clone() },
            paired: moved.then(|| Paired { landing_url: self.landing_url.clone(), ..paired.clone() }),
            event: moved.then(told),
        };
        (Heard::Kept, Some(change))
    }

    fn tell_conflict(&self, pulse: &Pulse, now: Timestamp) -> Option<Change> {
        is_due(pulse.conflict_told_at, CONFLICT_EVERY, now).then(|| Change {
            pulse: Pulse { conflict_told_at: Some(now), ..pulse.clone() },
            paired: None,
            event: Some(Told {
                kind: EventKind::SiteHeartbeatRefused,
                cause: "identity_conflict",
                note: format!("it says that it is {}", place(&self.url)),
            }),
        })
    }
}

/// Where a site says that it lives, for people: no query or fragment, and not as long as it likes.
pub fn place(url: &Url) -> String {
    let path = url.path().trim_end_matches('/').chars().take(200);
    url.origin().ascii_serialization().chars().chain(path).collect()
}

/// Whether what was last done `then` is to be done again; also when the clock was put back since.
fn is_due(then: Option<Timestamp>, every: Duration, now: Timestamp) -> bool {
    then.is_none_or(|then| then.age_at(now) >= every || now < then)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_few_and_each_is_named_once() {
        let read = |text: &str| serde_json::from_str::<Checks>(text);
        assert_eq!(read(r#"{"rest_api": "good", "time": "critical"}"#).unwrap().0.len(), 2);
        let many = |count: u8| {
            let names = (0..count).map(|n| format!("\"c{}\": \"good\"", "_".repeat(n.into())));
            format!("{{{}}}", names.collect::<Vec<_>>().join(","))
        };
        assert_eq!(read(&many(20)).unwrap().0.len(), 20);
        for wrong in [
            &many(21),
            r#"{"": "good"}"#,
            r#"{"Time": "good"}"#,
            r#"{"a.b": "good"}"#,
            r#"{"a": "bad"}"#,
            r#"{"a": "good", "a": "good"}"#,
            &format!("{{\"{}\": \"good\"}}", "a".repeat(41)),
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
