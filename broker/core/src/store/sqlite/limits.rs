//! Buckets of limits in `SQLite`; the functions of the same names in `common.lua` are their twins.

use rusqlite::{ToSql, Transaction, params};

use super::{Emitter, one, time};
use crate::clock::Timestamp;
use crate::event::EventKind;
use crate::id::{HandoffId, SiteId, Subject};
use crate::limit::{self, Counted, Limited};
use crate::store::Result;

/// A full bucket, and its name.
type Full = (Limited, String);

/// Adds one to each bucket, or to none: then answers the full one and for how long it is.
fn add_to(
    transaction: &Transaction<'_>,
    site: SiteId,
    buckets: &[Counted],
    now: Timestamp,
) -> Result<Option<Full>> {
    let mut added = Vec::new();
    for Counted { bucket, name, rate } in buckets {
        let (Some(name), Some(pace)) = (name, rate.pace()) else { continue };
        let sql = "SELECT empty_at FROM buckets WHERE site = ? AND kind = ? AND name = ?";
        let key: [&dyn ToSql; 3] = [&site.to_string(), &bucket.as_str(), name];
        let before = one(transaction, sql, &key, |row| Ok(row.get(0)?))?;
        match pace.add(before, now) {
            Ok(empty_at) => added.push((bucket, name, empty_at)),
            Err(retry_after) => {
                return Ok(Some((Limited { bucket: *bucket, retry_after }, name.clone())));
            }
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
    /// Adds one to each bucket, or to none: then answers the full one, and tells the trail.
    pub(super) fn count(
        &self,
        buckets: &[Counted],
        kind: EventKind,
        subject: &Subject,
        handoff: Option<HandoffId>,
    ) -> Result<Option<Limited>> {
        let Some(full) = add_to(self.transaction, self.site, buckets, self.now)? else { return Ok(None) };
        self.limited(&full, kind, subject, handoff)?;
        Ok(Some(full.0))
    }

    /// Refuses. It is counted, and once a bucket is full, that is the answer, unless the cause is one that is always
    /// answered.
    pub(super) fn refused(
        &self,
        buckets: &[Counted],
        kind: EventKind,
        cause: &str,
        subject: &Subject,
        handoff: HandoffId,
    ) -> Result<Option<Limited>> {
        match self.count(buckets, kind, subject, Some(handoff))? {
            None => {
                self.emit(kind, cause, Some(subject), Some(handoff))?;
                Ok(None)
            }
            full => Ok(full.filter(|_| !limit::is_always_answered(cause))),
        }
    }

    /// Tells the trail, once a minute, that a bucket is full and what was refused for it.
    fn limited(
        &self,
        (limited, name): &Full,
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

/// Removes buckets that are empty, and those that a clock filled which has been put back since.
pub(super) fn sweep(transaction: &Transaction<'_>, now: Timestamp) -> Result<()> {
    let sound = limit::sound(now);
    transaction
        .execute("DELETE FROM buckets WHERE empty_at <= ? OR empty_at > ?", [sound.start(), sound.end()])?;
    Ok(())
}
