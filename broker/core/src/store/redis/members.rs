//! Members in Redis.

use ::redis::AsyncCommands;
use async_trait::async_trait;

use super::{Redis, from_json, keys, limited, parsed, required, to_json};
use crate::clock::Timestamp;
use crate::event::Context;
use crate::id::{SiteId, Subject};
use crate::member::{Member, Wanted};
use crate::store::{MemberPut, Members, Result, corrupt};

/// What came of putting a member, its revision and the time of its last change; or the cause of a refusal and for
/// how long.
type Answer = (String, String, Option<String>);

/// A member out of its hash's fields.
pub(super) fn member(
    subject: &Subject,
    doc: Option<&str>,
    revision: Option<&str>,
    updated_at: Option<&str>,
) -> Result<Member> {
    Ok(Member {
        subject: subject.clone(),
        revision: parsed(required(revision, "revision")?)?,
        updated_at: Timestamp::from_millis(parsed(required(updated_at, "updated_at")?)?),
        wanted: from_json(required(doc, "member")?)?,
    })
}

#[async_trait]
impl Members for Redis {
    async fn put_member(
        &self,
        site: SiteId,
        subject: &Subject,
        wanted: &Wanted,
        if_match: Option<u64>,
        now: Timestamp,
        context: &Context,
    ) -> Result<MemberPut> {
        let doc = to_json(wanted)?;
        let noted = context.noting(wanted.membership.described());
        let mut call = Self::call(&self.scripts.put_member, site, now, &noted)?;
        call.key(keys::member(site, subject))
            .key(keys::members(site))
            .arg(subject.as_str())
            .arg(&doc)
            .arg(wanted.membership.allowed_until().map_or(0, Timestamp::millis))
            .arg(if_match.map(|revision| revision.to_string()).unwrap_or_default());
        Self::count(&mut call, site, [self.limits.members_by(context)]);
        // Also what takes nothing away: that depends on what was there, and a repetition cannot know that any more.
        let written = |(what, _, _): &Answer| matches!(what.as_str(), "created" | "updated" | "unchanged");
        let (what, revision, updated_at) = self.run_durably_if(&call, written).await?;
        if what == "site_not_found" {
            return Ok(MemberPut::SiteNotFound);
        }
        if what == "limited" {
            return limited(Some(&revision), updated_at.as_deref()).map(MemberPut::Limited);
        }
        if what == "mismatch" {
            return Ok(MemberPut::RevisionMismatch { current: parsed(&revision)? });
        }
        let member = member(subject, Some(&doc), Some(&revision), updated_at.as_deref())?;
        match what.as_str() {
            "created" => Ok(MemberPut::Created(member)),
            "updated" => Ok(MemberPut::Updated(member)),
            "unchanged" => Ok(MemberPut::Unchanged(member)),
            other => Err(corrupt(format!("put_member answered {other}"))),
        }
    }

    async fn member(&self, site: SiteId, subject: &Subject) -> Result<Option<Member>> {
        let (doc, revision, updated_at): (Option<String>, Option<String>, Option<String>) =
            self.connection().hmget(keys::member(site, subject), &["doc", "revision", "updated_at"]).await?;
        let Some(doc) = doc else { return Ok(None) };
        member(subject, Some(&doc), revision.as_deref(), updated_at.as_deref()).map(Some)
    }

    async fn revoke_subject(
        &self,
        site: SiteId,
        subject: &Subject,
        now: Timestamp,
        context: &Context,
    ) -> Result<bool> {
        let mut call = Self::call(&self.scripts.revoke_subject, site, now, context)?;
        call.key(keys::member(site, subject)).arg(subject.as_str());
        Ok(self.run_durably::<i64>(&call).await? == 1)
    }
}
