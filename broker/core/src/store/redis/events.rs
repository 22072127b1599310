//! The audit trail in Redis: one stream a trail.

use ::redis::AsyncCommands;
use ::redis::streams::{StreamId, StreamRangeReply};
use async_trait::async_trait;

use super::{Redis, from_json, keys, parsed};
use crate::clock::Timestamp;
use crate::event::{Context, Event, EventKind};
use crate::id::{SiteId, Tenant};
use crate::store::{Entry, Events, Result, corrupt};
use crate::trail::{About, Extent, Reading, Trail};

fn seq(entry: &StreamId) -> Result<u64> {
    parsed(entry.id.trim_end_matches("-0"))
}

fn event(entry: &StreamId) -> Result<Event> {
    let field =
        |name: &str| entry.get::<String>(name).ok_or_else(|| corrupt(format!("event without {name}")));
    let filled = |name: &str| field(name).map(|text| Some(text).filter(|text| !text.is_empty()));
    Ok(Event {
        seq: seq(entry)?,
        at: Timestamp::from_millis(parsed(&field("at")?)?),
        kind: field("kind")?,
        cause: filled("cause")?,
        subject: filled("subject")?.as_deref().map(parsed).transpose()?,
        handoff_id: filled("handoff")?.as_deref().map(parsed).transpose()?,
        context: from_json(&field("context")?)?,
    })
}

impl Redis {
    /// Writes an event of a tenant.
    pub(super) async fn tell_tenant(
        &self,
        tenant: &Tenant,
        kind: EventKind,
        now: Timestamp,
        context: &Context,
    ) -> Result<()> {
        let mut call =
            Self::call_of(&self.scripts.tell_tenant, &Trail::Tenant(tenant.clone()), now, context)?;
        self.run(call.arg(kind.as_str())).await
    }
}

#[async_trait]
impl Events for Redis {
    async fn append_event(&self, site: SiteId, entry: &Entry<'_>, context: &Context) -> Result<()> {
        let mut call = Self::call(&self.scripts.append_event, site, entry.at, context)?;
        call.arg(entry.kind.as_str())
            .arg(entry.cause.unwrap_or_default())
            .arg(entry.subject.map(ToString::to_string).unwrap_or_default())
            .arg(entry.handoff_id.map(|id| id.to_string()).unwrap_or_default());
        self.run(&call).await
    }

    async fn events(&self, trail: &Trail, reading: Reading, limit: usize) -> Result<Vec<Event>> {
        let (mut connection, key) = (self.connection(), keys::events(trail));
        let reply: StreamRangeReply = match reading {
            Reading::After(seq) => connection.xrange_count(key, format!("({seq}-0"), "+", limit).await?,
            Reading::Before(seq) => connection.xrevrange_count(key, format!("({seq}-0"), "-", limit).await?,
        };
        reply.ids.iter().map(event).collect()
    }

    async fn indexed(&self, _about: &About) -> Result<Option<Vec<(Trail, Event)>>> {
        Ok(None)
    }

    async fn extent(&self, trail: &Trail) -> Result<Extent> {
        // The counter first: what is written in between then only seems to come later.
        let newest: Option<u64> = self.connection().hget(keys::state(trail), "events").await?;
        let reply: StreamRangeReply =
            self.connection().xrange_count(keys::events(trail), "-", "+", 1).await?;
        let (newest, oldest) = (newest.unwrap_or(0), reply.ids.first().map(seq).transpose()?);
        Ok(Extent { oldest: oldest.unwrap_or(newest + 1), newest })
    }

    /// There is no list of trails that could be wrong.
    async fn trails(&self) -> Result<Vec<Trail>> {
        self.all_named(keys::EVENTS_OF_ALL, keys::trail_of).await
    }

    async fn remove_events(&self, trail: &Trail, last: u64) -> Result<u64> {
        let first_kept = format!("{}-0", last.saturating_add(1));
        let trim = ::redis::cmd("XTRIM").arg(keys::events(trail)).arg("MINID").arg(first_kept).to_owned();
        Ok(trim.query_async(&mut self.connection()).await?)
    }
}
