//! Members in `SQLite`.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{Emitter, Sqlite, from_json, number, one, sites, to_json};
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::id::{SiteId, Subject};
use crate::member::{Member, Wanted};
use crate::store::{MemberPut, Members, Result};

pub(super) fn member(connection: &Connection, site: SiteId, subject: &Subject) -> Result<Option<Member>> {
    let sql = "SELECT doc, revision, updated_at FROM members WHERE site = ? AND subject = ?";
    one(connection, sql, &[&site.to_string(), &subject.as_str()], |row| {
        Ok(Member {
            subject: subject.clone(),
            wanted: from_json(&row.get::<_, String>(0)?)?,
            revision: number(row.get(1)?)?,
            updated_at: Timestamp::from_millis(row.get(2)?),
        })
    })
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
        let (subject, wanted) = (subject.clone(), wanted.clone());
        let context = context.noting(wanted.membership.described());
        let limits = self.limits;
        self.write(move |transaction| {
            if !sites::exists(transaction, site)? {
                return Ok(MemberPut::SiteNotFound);
            }
            let emitter = Emitter { transaction, site, now, context: &context };
            let before = member(transaction, site, &subject)?;
            // What shuts a member out is never refused, nor is its repetition.
            let shuts_out = !wanted.membership.allows(now)
                && before
                    .as_ref()
                    .is_some_and(|member| member.wanted.membership.allows(now) || member.wanted == wanted);
            let counted = [limits.members_by(&context)];
            if !shuts_out
                && let Some(limited) = emitter.count(&counted, EventKind::MemberRefused, &subject, None)?
            {
                return Ok(MemberPut::Limited(limited));
            }
            let current = before.as_ref().map_or(0, |member| member.revision);
            if if_match.is_some_and(|wanted| wanted != current) {
                return Ok(MemberPut::RevisionMismatch { current });
            }
            let is_new = before.is_none();
            if let Some(before) = before
                && before.wanted == wanted
            {
                return Ok(MemberPut::Unchanged(before));
            }
            let sql = "UPDATE sites SET revision = revision + 1 WHERE id = ? RETURNING revision";
            let revision: i64 = transaction.query_row(sql, [site.to_string()], |row| row.get(0))?;
            transaction
                .prepare_cached(
                    "INSERT INTO members (site, subject, doc, allowed_until, revision, updated_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET doc = ?3, allowed_until = ?4, revision = ?5, updated_at = ?6",
                )?
                .execute(params![
                    site.to_string(),
                    subject.as_str(),
                    to_json(&wanted)?,
                    wanted.membership.allowed_until().map_or(0, Timestamp::millis),
                    revision,
                    now.millis(),
                ])?;
            emitter.emit(EventKind::MemberChanged, "", Some(&subject), None)?;
            let member = Member { subject, revision: number(revision)?, updated_at: now, wanted };
            Ok(if is_new { MemberPut::Created(member) } else { MemberPut::Updated(member) })
        })
        .await
    }

    async fn member(&self, site: SiteId, subject: &Subject) -> Result<Option<Member>> {
        let subject = subject.clone();
        self.read(move |connection| member(connection, site, &subject)).await
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
            let changed = transaction.execute(
                "UPDATE members SET not_before = max(coalesce(not_before, 0), ?) WHERE site = ? AND subject = ?",
                params![now.millis(), site.to_string(), subject.as_str()],
            )?;
            if changed == 0 {
                return Ok(false);
            }
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
