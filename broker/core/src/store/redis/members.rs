//! Members in Redis.

use ::redis::{AsyncCommands, ScriptInvocation};
use async_trait::async_trait;

use super::{Redis, from_json, keys, limited, parsed, required, to_json};
use crate::change::Following;
use crate::clock::Timestamp;
use crate::event::Context;
use crate::id::{SiteId, Subject};
use crate::limit::{Counted, Rate};
use crate::member::{Member, Wanted};
use crate::store::kept::Kept;
use crate::store::{Asking, Errand, MemberPut, MemberRemoval, Members, Result, corrupt};

/// What a script answers about a member: a word and, where it goes with it, fields.
type Answer = Vec<Option<String>>;

/// How many members one script puts: some milliseconds, in which nobody else is answered.
const PUT_AT_ONCE: usize = 200;

/// What is read of a member; `MEMBER` in `common.lua` is its twin.
const FIELDS: [&str; 11] = [
    "doc",
    "revision",
    "updated_at",
    "sessions_ended",
    "report",
    "position",
    "acknowledged",
    "acknowledged_at",
    "user",
    "error",
    "effect",
];

/// A member out of its fields, also one that was removed; `None` when there are none.
pub(super) fn kept(subject: &Subject, fields: &[Option<String>]) -> Result<Option<Kept>> {
    let at = |index: usize| fields.get(index).and_then(Option::as_deref).filter(|text| !text.is_empty());
    let number = |index: usize| at(index).map_or(Ok(0), parsed::<u64>);
    let time = |index: usize| at(index).map(|text| parsed(text).map(Timestamp::from_millis)).transpose();
    let Some(revision) = at(1) else { return Ok(None) };
    Ok(Some(Kept {
        subject: subject.clone(),
        wanted: at(0).map(from_json).transpose()?,
        revision: parsed(revision)?,
        updated_at: required(time(2)?, "updated_at")?,
        sessions_ended: number(3)?,
        report: number(4)?,
        following: Following {
            position: parsed(at(5).unwrap_or(revision))?,
            effect: parsed(at(10).unwrap_or(revision))?,
            acknowledged: number(6)?,
            at: time(7)?,
            wordpress_user_id: at(8).map(parsed).transpose()?,
            error: at(9).map(from_json).transpose()?,
        },
    }))
}

/// The same for one that is there.
pub(super) fn member(subject: &Subject, fields: &[Option<String>]) -> Result<Member> {
    required(kept(subject, fields)?.and_then(Kept::member), "member")
}

/// Where WordPress stands with it.
fn following(subject: &Subject, fields: &[Option<String>]) -> Result<Following> {
    Ok(required(kept(subject, fields)?, "member")?.following)
}

fn word(answer: &[Option<String>]) -> Result<(&str, &[Option<String>])> {
    let (word, fields) = answer.split_first().ok_or_else(|| corrupt("a script answered nothing"))?;
    Ok((required(word.as_deref(), "answer")?, fields))
}

fn text(fields: &[Option<String>], index: usize) -> Option<&str> {
    fields.get(index).and_then(Option::as_deref)
}

/// What came of putting a member; of its fields the document is not repeated.
fn put(subject: &Subject, wanted: &Wanted, answer: &[Option<String>]) -> Result<MemberPut> {
    let (word, fields) = word(answer)?;
    let member = || {
        let kept = kept(subject, &[&[None], fields].concat())?;
        let member = kept.and_then(|kept| Kept { wanted: Some(wanted.clone()), ..kept }.member());
        required(member, "member")
    };
    match word {
        "created" => member().map(MemberPut::Created),
        "updated" => member().map(MemberPut::Updated),
        "unchanged" => member().map(MemberPut::Unchanged),
        "limited" => limited(text(fields, 0), text(fields, 1)).map(MemberPut::Limited),
        "mismatch" => {
            let current = parsed(required(text(fields, 0), "revision")?)?;
            Ok(MemberPut::RevisionMismatch { current })
        }
        other => Err(corrupt(format!("put_members answered {other}"))),
    }
}

impl Redis {
    /// Starts the call of a script about members, with a bucket.
    fn members_call<'a>(
        script: &'a ::redis::Script,
        site: SiteId,
        bucket: Counted,
        now: Timestamp,
        context: &Context,
    ) -> Result<ScriptInvocation<'a>> {
        let mut call = Self::call(script, site, now, context)?;
        call.key(keys::members(site)).key(keys::removed_members(site));
        Self::count(&mut call, site, [bucket]);
        Ok(call)
    }

    fn put_call<'m>(
        &self,
        site: SiteId,
        members: impl Iterator<Item = (&'m Subject, &'m Wanted)>,
        if_match: Option<u64>,
        bucket: Counted,
        (now, context): (Timestamp, &Context),
    ) -> Result<ScriptInvocation<'_>> {
        let mut call = Self::members_call(&self.scripts.put_members, site, bucket, now, context)?;
        for (subject, wanted) in members {
            call.key(keys::member(site, subject))
                .arg(subject.as_str())
                .arg(to_json(wanted)?)
                .arg(wanted.membership.allowed_until().map_or(0, Timestamp::millis))
                .arg(if_match.map(|revision| revision.to_string()).unwrap_or_default())
                .arg(to_json(&context.noting(wanted.membership.described()))?);
        }
        Ok(call)
    }

    async fn read_member(&self, site: SiteId, subject: &Subject) -> Result<Option<Kept>> {
        let fields: Answer = self.connection().hmget(keys::member(site, subject), &FIELDS).await?;
        kept(subject, &fields)
    }
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
        let (one, bucket) = (std::iter::once((subject, wanted)), self.limits.members_by(context));
        let call = self.put_call(site, one, if_match, bucket, (now, context))?;
        // Also what takes nothing away: that depends on what was there, and a repetition cannot know that any more.
        let written = |(_, answers): &(String, Vec<Answer>)| {
            let word = answers.first().and_then(|answer| text(answer, 0));
            matches!(word, Some("created" | "updated" | "unchanged"))
        };
        let (_, answers) = self.run_marked_durably(site, &call, written).await?;
        answers.first().map_or(Ok(MemberPut::SiteNotFound), |answer| put(subject, wanted, answer))
    }

    async fn put_members(
        &self,
        site: SiteId,
        members: &[(Subject, Wanted)],
        now: Timestamp,
        context: &Context,
    ) -> Result<Vec<MemberPut>> {
        let (mut bucket, mut came) = (self.limits.members_by(context), Vec::with_capacity(members.len()));
        let mut lane = self.lane().await?;
        for some in members.chunks(PUT_AT_ONCE) {
            let each = some.iter().map(|(subject, wanted)| (subject, wanted));
            let call = self.put_call(site, each, None, bucket.clone(), (now, context))?;
            let (counted, answers): (String, Vec<Answer>) =
                call.invoke_async(&mut self.marking(site, &mut lane).await?).await?;
            if answers.len() != some.len() {
                came.resize(members.len(), MemberPut::SiteNotFound);
                break;
            }
            if !counted.is_empty() {
                bucket.rate = Rate::NONE;
            }
            for ((subject, wanted), answer) in some.iter().zip(&answers) {
                came.push(put(subject, wanted, answer)?);
            }
        }
        lane.reach_replicas().await?;
        Ok(came)
    }

    async fn member(&self, site: SiteId, subject: &Subject) -> Result<Option<Member>> {
        Ok(self.read_member(site, subject).await?.and_then(Kept::member))
    }

    async fn members(&self, site: SiteId, after: u64, limit: usize) -> Result<Vec<Member>> {
        let mut call = Self::timeless_call(&self.scripts.list_members, site);
        call.key(keys::members(site))
            .key(keys::removed_members(site))
            .key(keys::any_member(site))
            .arg(after)
            .arg(limit);
        let page: Vec<Answer> = self.run(&call).await?;
        page.iter()
            .map(|answer| {
                let (subject, fields) = word(answer)?;
                member(&parsed(subject)?, fields)
            })
            .collect()
    }

    async fn remove_member(
        &self,
        site: SiteId,
        subject: &Subject,
        if_match: Option<u64>,
        now: Timestamp,
        context: &Context,
    ) -> Result<MemberRemoval> {
        let bucket = self.limits.members_by(context);
        let mut call = Self::members_call(&self.scripts.remove_member, site, bucket, now, context)?;
        call.key(keys::member(site, subject))
            .key(keys::report(site, subject))
            .arg(subject.as_str())
            .arg(if_match.map(|revision| revision.to_string()).unwrap_or_default());
        let removed = |answer: &Answer| matches!(text(answer, 0), Some("removed" | "already_removed"));
        let answer: Answer = self.run_marked_durably(site, &call, removed).await?;
        let (word, fields) = word(&answer)?;
        match word {
            "removed" => following(subject, fields).map(MemberRemoval::Removed),
            "already_removed" => following(subject, fields).map(MemberRemoval::AlreadyRemoved),
            "not_found" => Ok(MemberRemoval::NotFound),
            "site_not_found" => Ok(MemberRemoval::SiteNotFound),
            "limited" => limited(text(fields, 0), text(fields, 1)).map(MemberRemoval::Limited),
            "mismatch" => {
                let current = parsed(required(text(fields, 0), "revision")?)?;
                Ok(MemberRemoval::RevisionMismatch { current })
            }
            other => Err(corrupt(format!("remove_member answered {other}"))),
        }
    }

    async fn ask_of_site(
        &self,
        site: SiteId,
        subject: &Subject,
        errand: Errand,
        now: Timestamp,
        context: &Context,
    ) -> Result<Asking> {
        let bucket = self.limits.members_by(context);
        let mut call = Self::members_call(&self.scripts.ask_of_site, site, bucket, now, context)?;
        call.key(keys::member(site, subject)).arg(subject.as_str()).arg(match errand {
            Errand::TryAgain => "try_again",
            Errand::EndSessions => "end_sessions",
            Errand::ReportSessions => "report_sessions",
        });
        let takes_away = |answer: &Answer| errand == Errand::EndSessions && text(answer, 0) == Some("asked");
        let answer: Answer = self.run_marked_durably(site, &call, takes_away).await?;
        let (word, fields) = word(&answer)?;
        match word {
            "asked" => following(subject, fields).map(Asking::Asked),
            "not_found" => Ok(Asking::NotFound),
            "limited" => limited(text(fields, 0), text(fields, 1)).map(Asking::Limited),
            other => Err(corrupt(format!("ask_of_site answered {other}"))),
        }
    }

    async fn sync(&self, site: SiteId, subject: &Subject) -> Result<Option<Following>> {
        Ok(self.read_member(site, subject).await?.map(|kept| kept.following))
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
