//! What sites follow, in Redis.

use ::redis::AsyncCommands;
use async_trait::async_trait;

use super::members::kept;
use super::{Redis, from_json, keys, parsed, required, to_json};
use crate::change::{
    Ack, Acknowledged, Changes, Delivery, PULLED_EVERY, Progress, REPORT_RETENTION, Session, second_thoughts,
};
use crate::clock::Timestamp;
use crate::event::Context;
use crate::id::{SiteId, Subject};
use crate::store::{Feed, Result, corrupt};

/// Epoch, whether it is a resync, cursor, last position, and subjects with their fields.
type Page = (String, String, u64, u64, Vec<Vec<Option<String>>>);

/// Last position, how far it is pulled, when, and how the site is told.
type Place = (u64, u64, Option<i64>, Option<String>);

#[async_trait]
impl Feed for Redis {
    async fn changes(
        &self,
        site: SiteId,
        epoch: Option<&str>,
        after: u64,
        limit: usize,
        now: Timestamp,
    ) -> Result<Option<Changes>> {
        let mut call = Self::quiet_call(&self.scripts.changes, site, now);
        call.key(keys::members(site))
            .key(keys::removed_members(site))
            .key(keys::any_member(site))
            .arg(epoch.unwrap_or_default())
            .arg(after)
            .arg(limit)
            .arg(PULLED_EVERY.as_millis().to_string());
        let Some((epoch, resync, after, last, page)) = self.run::<Option<Page>>(&call).await? else {
            return Ok(None);
        };
        let mut members = Vec::with_capacity(page.len());
        for fields in page {
            let (subject, fields) = fields.split_first().ok_or_else(|| corrupt("a member without a name"))?;
            let subject = parsed(required(subject.as_deref(), "subject")?)?;
            members.push(required(kept(&subject, fields)?, "member")?.change());
        }
        let next = members.last().map_or(after, |change| change.position);
        Ok(Some(Changes { epoch, resync: !resync.is_empty(), members, next, more: next < last }))
    }

    async fn acknowledge(
        &self,
        site: SiteId,
        epoch: &str,
        acks: &[Ack],
        now: Timestamp,
        context: &Context,
    ) -> Result<Acknowledged> {
        let mut call = Self::call(&self.scripts.acknowledge, site, now, context)?;
        call.arg(epoch);
        Self::count(&mut call, site, [second_thoughts()]);
        call.arg(REPORT_RETENTION.as_millis().to_string());
        for Ack { subject, position, applied, sessions } in acks {
            let (kind, cause) = applied.event();
            let error = applied.error();
            call.key(keys::member(site, subject))
                .key(keys::report(site, subject))
                .arg(subject.as_str())
                .arg(*position)
                .arg(kind.as_str())
                .arg(cause)
                .arg(applied.wordpress_user_id().map(|id| id.to_string()).unwrap_or_default())
                .arg(error.map(to_json).transpose()?.unwrap_or_default())
                .arg(sessions.as_ref().map(to_json).transpose()?.unwrap_or_default());
        }
        match self.run::<String>(&call).await?.as_str() {
            "site_not_found" => Ok(Acknowledged::SiteNotFound),
            "other_epoch" => Ok(Acknowledged::OtherEpoch),
            kept => Ok(Acknowledged::Kept { kept: parsed(kept)? }),
        }
    }

    async fn progress(&self, site: SiteId) -> Result<Option<Progress>> {
        let call = Self::timeless_call(&self.scripts.progress, site);
        let Some((position, pulled, pulled_at, delivery)) = self.run::<Option<Place>>(&call).await? else {
            return Ok(None);
        };
        let delivery: Delivery = delivery.as_deref().map(from_json).transpose()?.unwrap_or_default();
        let delivery = Delivery { pulled_at: pulled_at.map(Timestamp::from_millis), ..delivery };
        Ok(Some(Progress { position, pulled, delivery }))
    }

    async fn behind(&self, limit: usize) -> Result<Vec<SiteId>> {
        self.sites_behind(limit).await
    }

    async fn note_delivery(&self, site: SiteId, delivery: &Delivery) -> Result<()> {
        let mut call = Self::timeless_call(&self.scripts.note_delivery, site);
        call.arg(to_json(&Delivery { pulled_at: None, ..delivery.clone() })?);
        self.run::<i64>(&call).await.map(drop)
    }

    async fn reported_sessions(
        &self,
        site: SiteId,
        subject: &Subject,
        position: u64,
        now: Timestamp,
    ) -> Result<Option<Vec<Session>>> {
        let (of, at, sessions): (Option<u64>, Option<i64>, Option<String>) =
            self.connection().hmget(keys::report(site, subject), &["position", "at", "sessions"]).await?;
        let is_asked_for = of.is_some_and(|of| of >= position)
            && at.is_some_and(|at| Timestamp::from_millis(at) > now.minus(REPORT_RETENTION));
        sessions.filter(|_| is_asked_for).as_deref().map(from_json).transpose()
    }
}
