//! Members in `SQLite`.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::{Connection, Row, Transaction, params};

use super::{Emitter, Sqlite, all, from_json, integer, number, one, parsed, sites, time, to_json};
use crate::change::Following;
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::id::{SiteId, Subject};
use crate::limit::Counted;
use crate::member::{Member, Wanted};
use crate::store::kept::Kept;
use crate::store::{Asking, Errand, MemberPut, MemberRemoval, Members, Result};

/// How many members are put in one transaction.
const PUT_AT_ONCE: usize = 500;
/// The longest pause between two of these transactions.
const PAUSE_AT_MOST: Duration = Duration::from_millis(500);

/// What [`read`] reads.
pub(super) const COLUMNS: &str = "subject, doc, revision, updated_at, sessions_ended, report, position, \
                                  acknowledged, acknowledged_at, wordpress_user_id, error, effect";

pub(super) fn read(row: &Row<'_>) -> Result<Kept> {
    let json = |index| row.get::<_, Option<String>>(index);
    Ok(Kept {
        subject: parsed(&row.get::<_, String>(0)?)?,
        wanted: json(1)?.as_deref().map(from_json).transpose()?,
        revision: number(row.get(2)?)?,
        updated_at: Timestamp::from_millis(row.get(3)?),
        sessions_ended: number(row.get(4)?)?,
        report: number(row.get(5)?)?,
        following: Following {
            position: number(row.get(6)?)?,
            effect: number(row.get(11)?)?,
            acknowledged: number(row.get(7)?)?,
            at: time(row.get(8)?),
            wordpress_user_id: row.get::<_, Option<i64>>(9)?.map(number).transpose()?,
            error: json(10)?.as_deref().map(from_json).transpose()?,
        },
    })
}

/// A member, also one that was removed.
fn kept(connection: &Connection, site: SiteId, subject: &Subject) -> Result<Option<Kept>> {
    let sql = format!("SELECT {COLUMNS} FROM members WHERE site = ? AND subject = ?");
    one(connection, &sql, &[&site.to_string(), &subject.as_str()], read)
}

/// The same, of which it is known that it is there.
fn still_kept(connection: &Connection, site: SiteId, subject: &Subject) -> Result<Kept> {
    kept(connection, site, subject)?.ok_or_else(|| super::super::corrupt("a member is gone"))
}

pub(super) fn member(connection: &Connection, site: SiteId, subject: &Subject) -> Result<Option<Member>> {
    Ok(kept(connection, site, subject)?.and_then(Kept::member))
}

/// The next position on a site.
fn advance(transaction: &Transaction<'_>, site: SiteId) -> Result<i64> {
    let sql = "UPDATE sites SET revision = revision + 1 WHERE id = ? RETURNING revision";
    Ok(transaction.prepare_cached(sql)?.query_row([site.to_string()], |row| row.get(0))?)
}

/// Voids whatever was issued up to now for a member, and no less than was void before: a clock may be put back.
fn void(transaction: &Transaction<'_>, site: SiteId, subject: &Subject, now: Timestamp) -> Result<()> {
    let sql =
        "UPDATE members SET not_before = max(coalesce(not_before, 0), ?) WHERE site = ? AND subject = ?";
    transaction.execute(sql, params![now.millis(), site.to_string(), subject.as_str()])?;
    Ok(())
}

/// A member that is to be put.
struct Put<'a> {
    subject: &'a Subject,
    wanted: &'a Wanted,
    if_match: Option<u64>,
}

impl Emitter<'_> {
    /// Puts one member. It is counted in `bucket`, which is empty when this call was counted before.
    fn put(&self, put: &Put<'_>, bucket: &mut Vec<Counted>) -> Result<MemberPut> {
        let Put { subject, wanted, if_match } = *put;
        let Self { transaction, site, now, .. } = *self;
        let before = kept(transaction, site, subject)?;
        let was_removed = before.as_ref().is_some_and(|kept| kept.wanted.is_none());
        let before = before.and_then(Kept::member);
        // What shuts a member out is never refused, nor is its repetition.
        let shuts_out = !wanted.membership.allows(now)
            && before
                .as_ref()
                .is_some_and(|member| member.wanted.membership.allows(now) || member.wanted == *wanted);
        if !shuts_out {
            if let Some(limited) = self.count(bucket, EventKind::MemberRefused, subject, None)? {
                return Ok(MemberPut::Limited(limited));
            }
            bucket.clear();
        }
        let current = before.as_ref().map_or(0, |member| member.revision);
        if if_match.is_some_and(|wanted| wanted != current) {
            return Ok(MemberPut::RevisionMismatch { current });
        }
        let is_new = before.is_none();
        if let Some(before) = before
            && before.wanted == *wanted
        {
            return Ok(MemberPut::Unchanged(before));
        }
        let sql = if was_removed || !is_new {
            "UPDATE members SET doc = ?3, allowed_until = ?4, revision = ?5, updated_at = ?6, position = ?5,
               effect = ?5 WHERE site = ?1 AND subject = ?2"
        } else {
            "INSERT INTO members (site, subject, doc, allowed_until, revision, updated_at, position, effect)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?5)"
        };
        transaction.prepare_cached(sql)?.execute(params![
            site.to_string(),
            subject.as_str(),
            to_json(wanted)?,
            wanted.membership.allowed_until().map_or(0, Timestamp::millis),
            advance(transaction, site)?,
            now.millis(),
        ])?;
        let context = self.context.noting(wanted.membership.described());
        let noting = Emitter { context: &context, ..*self };
        noting.emit(EventKind::MemberChanged, "", Some(subject), None)?;
        let member = member(transaction, site, subject)?.ok_or_else(|| super::super::corrupt("no member"))?;
        Ok(if is_new { MemberPut::Created(member) } else { MemberPut::Updated(member) })
    }

    fn remove(&self, subject: &Subject, if_match: Option<u64>, bucket: &[Counted]) -> Result<MemberRemoval> {
        let Self { transaction, site, now, .. } = *self;
        let Some(before) = kept(transaction, site, subject)? else {
            let limited = self.count(bucket, EventKind::MemberRefused, subject, None)?;
            return Ok(limited.map_or(MemberRemoval::NotFound, MemberRemoval::Limited));
        };
        if before.wanted.is_none() {
            return Ok(MemberRemoval::AlreadyRemoved(before.following));
        }
        if if_match.is_some_and(|wanted| wanted != before.revision) {
            return Ok(MemberRemoval::RevisionMismatch { current: before.revision });
        }
        let position = advance(transaction, site)?;
        transaction.execute(
            "UPDATE members SET doc = NULL, allowed_until = NULL, revision = ?3, updated_at = ?4, position = ?3,
               effect = ?3, report = 0, wordpress_user_id = NULL, error = NULL WHERE site = ?1 AND subject = ?2",
            params![site.to_string(), subject.as_str(), position, now.millis()],
        )?;
        void(transaction, site, subject, now)?;
        let of = params![site.to_string(), subject.as_str()];
        transaction.execute("DELETE FROM session_reports WHERE site = ? AND subject = ?", of)?;
        self.emit(EventKind::MemberRemoved, "", Some(subject), None)?;
        Ok(MemberRemoval::Removed(still_kept(transaction, site, subject)?.following))
    }

    fn ask(&self, subject: &Subject, errand: Errand, bucket: &[Counted]) -> Result<Asking> {
        let Self { transaction, site, now, .. } = *self;
        let ends = errand == Errand::EndSessions;
        let known = kept(transaction, site, subject)?;
        if known.is_none_or(|kept| kept.wanted.is_none() && !ends) {
            return Ok(Asking::NotFound);
        }
        // What takes rights away is never refused; only the trail is then told of it less often.
        let kind = if ends { EventKind::MemberSessionsEnded } else { EventKind::MemberRefused };
        let limited = self.count(bucket, kind, subject, None)?;
        if let Some(limited) = limited.filter(|_| !ends) {
            return Ok(Asking::Limited(limited));
        }
        let (change, kind) = match errand {
            Errand::TryAgain => ("effect = ?3", Some(EventKind::MemberSyncAsked)),
            Errand::EndSessions => ("effect = ?3, sessions_ended = sessions_ended + 1", Some(kind)),
            Errand::ReportSessions => ("report = ?3", None),
        };
        transaction.execute(
            &format!("UPDATE members SET position = ?3, {change} WHERE site = ?1 AND subject = ?2"),
            params![site.to_string(), subject.as_str(), advance(transaction, site)?],
        )?;
        if ends {
            void(transaction, site, subject, now)?;
        }
        if let Some(kind) = kind.filter(|_| limited.is_none()) {
            self.emit(kind, "", Some(subject), None)?;
        }
        Ok(Asking::Asked(still_kept(transaction, site, subject)?.following))
    }
}

#[async_trait]
impl Members for Sqlite {
    async fn put_member(
        &self,
        site: SiteId,
        subject: &Subject,
        wanted: &Wanted,
        if_match: Option<u64>,
        now: Timestamp,
        context: &Context,
    ) -> Result<MemberPut> {
        let (subject, wanted, context) = (subject.clone(), wanted.clone(), context.clone());
        let mut bucket = vec![self.limits.members_by(&context)];
        self.write(move |transaction| {
            if !sites::exists(transaction, site)? {
                return Ok(MemberPut::SiteNotFound);
            }
            let emitter = Emitter { transaction, site, now, context: &context };
            emitter.put(&Put { subject: &subject, wanted: &wanted, if_match }, &mut bucket)
        })
        .await
    }

    async fn put_members(
        &self,
        site: SiteId,
        members: &[(Subject, Wanted)],
        now: Timestamp,
        context: &Context,
    ) -> Result<Vec<MemberPut>> {
        let mut bucket = vec![self.limits.members_by(context)];
        let mut answers = Vec::with_capacity(members.len());
        for some in members.chunks(PUT_AT_ONCE) {
            let (some, context, began) = (some.to_vec(), context.clone(), Instant::now());
            let (put, left) = self
                .write(move |transaction| {
                    let exists = sites::exists(transaction, site)?;
                    let emitter = Emitter { transaction, site, now, context: &context };
                    let put = some.iter().map(|(subject, wanted)| {
                        let put = Put { subject, wanted, if_match: None };
                        if exists { emitter.put(&put, &mut bucket) } else { Ok(MemberPut::SiteNotFound) }
                    });
                    Ok((put.collect::<Result<Vec<_>>>()?, bucket))
                })
                .await?;
            answers.extend(put);
            bucket = left;
            // SQLite does not queue writers: another process, whose logins want to be spent, would come to its turn by
            // chance alone.
            tokio::time::sleep(began.elapsed().min(PAUSE_AT_MOST)).await;
        }
        Ok(answers)
    }

    async fn member(&self, site: SiteId, subject: &Subject) -> Result<Option<Member>> {
        let subject = subject.clone();
        self.read(move |connection| member(connection, site, &subject)).await
    }

    async fn members(&self, site: SiteId, after: u64, limit: usize) -> Result<Vec<Member>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM members WHERE site = ? AND position > ? AND doc IS NOT NULL
                 ORDER BY position LIMIT ?"
            );
            let kept = all(connection, &sql, &[&site.to_string(), &integer(after), &limit], read)?;
            Ok(kept.into_iter().filter_map(Kept::member).collect())
        })
        .await
    }

    async fn remove_member(
        &self,
        site: SiteId,
        subject: &Subject,
        if_match: Option<u64>,
        now: Timestamp,
        context: &Context,
    ) -> Result<MemberRemoval> {
        let (subject, context) = (subject.clone(), context.clone());
        let bucket = [self.limits.members_by(&context)];
        self.write(move |transaction| {
            if !sites::exists(transaction, site)? {
                return Ok(MemberRemoval::SiteNotFound);
            }
            Emitter { transaction, site, now, context: &context }.remove(&subject, if_match, &bucket)
        })
        .await
    }

    async fn ask_of_site(
        &self,
        site: SiteId,
        subject: &Subject,
        errand: Errand,
        now: Timestamp,
        context: &Context,
    ) -> Result<Asking> {
        let (subject, context) = (subject.clone(), context.clone());
        let bucket = [self.limits.members_by(&context)];
        self.write(move |transaction| {
            Emitter { transaction, site, now, context: &context }.ask(&subject, errand, &bucket)
        })
        .await
    }

    async fn sync(&self, site: SiteId, subject: &Subject) -> Result<Option<Following>> {
        let subject = subject.clone();
        self.read(move |connection| Ok(kept(connection, site, &subject)?.map(|kept| kept.following))).await
    }

    async fn revoke_subject(
        &self,
        site: SiteId,
        subject: &Subject,
        now: Timestamp,
        context: &Context,
    ) -> Result<bool> {
        let (subject, context) = (subject.clone(), context.clone());
        self.write(move |transaction| {
            if member(transaction, site, &subject)?.is_none() {
                return Ok(false);
            }
            void(transaction, site, &subject, now)?;
            Emitter { transaction, site, now, context: &context }.emit(
                EventKind::HandoffRevoked,
                "all_of_subject",
                Some(&subject),
                None,
            )?;
            Ok(true)
        })
        .await
    }
}
