//! Buckets of limits in `SQLite`; the functions of the same names in `common.lua` are their twins.

use rusqlite::{Transaction, params};

use super::{Emitter, one, time};
use crate::clock::Timestamp;
use crate::event::EventKind;
use crate::id::{HandoffId, SiteId, Subject};
use crate::limit::{self, Bucket, Limited, Rate};
use crate::store::Result;

/// One to add to: what is counted, under which name (`None`: nothing), and how often it may be.
pub(super) type Counted<'a> = (Bucket, Option<&'a str>, Rate);

/// Adds one to each bucket, or to none: then answers the full one and for how long it is.
pub(super) fn add_to(
    transaction: &Transaction<'_>,
    site: SiteId,
    buckets: &[Counted<'_>],
    now: Timestamp,
) -> Result<Option<(Limited, String)>> {
    let mut added = Vec::new();
    for &(bucket, name, rate) in buckets {
        let (Some(name), Some(interval)) = (name, rate.interval_micros()) else { continue };
        let sql = "SELECT empty_at FROM buckets WHERE site = ? AND kind = ? AND name = ?";
        let before =
            one(transaction, sql, &[&site.to_string(), &bucket.as_str(), &name], |row| Ok(row.get(0)?))?;
        match limit::add(before, interval, now) {
            Ok(empty_at) => added.push((bucket, name, empty_at)),
            Err(retry_after) => return Ok(Some((Limited { bucket, retry_after }, name.to_owned()))),
        }
    }
    for (bucket, name, empty_at) in added {
        transaction
            .prepare_cached(
                "INSERT INTO buckets (site, kind, name, empty_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET empty_at = ?4",
            )?
            .execute(params![site.to_string(), bucket.as_str(), name, empty_at])?;
    }
    Ok(None)
}

impl Emitter<'_> {
    /// Tells the trail, once a minute, that a bucket is full and what was refused for it.
    pub(super) fn limited(
        &self,
        (limited, name): &(Limited, String),
        kind: EventKind,
        subject: &Subject,
        handoff: Option<HandoffId>,
    ) -> Result<()> {
        let key = params![self.site.to_string(), limited.bucket.as_str(), name];
        let told_at: Option<i64> = self
            .transaction
            .prepare_cached("SELECT told_at FROM buckets WHERE site = ? AND kind = ? AND name = ?")?
            .query_row(key, |row| row.get(0))?;
        if !limit::is_worth_telling(time(told_at), self.now) {
            return Ok(());
        }
        self.transaction
            .prepare_cached("UPDATE buckets SET told_at = ?4 WHERE site = ?1 AND kind = ?2 AND name = ?3")?
            .execute(params![self.site.to_string(), limited.bucket.as_str(), name, self.now.millis()])?;
        self.emit(kind, limited.bucket.cause(), Some(subject), handoff)
    }
}

/// Removes buckets that are empty.
pub(super) fn sweep(transaction: &Transaction<'_>, now: Timestamp) -> Result<()> {
    transaction.execute("DELETE FROM buckets WHERE empty_at <= ?", [now.millis() * 1000])?;
    Ok(())
}
