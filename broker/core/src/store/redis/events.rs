//! The audit trail in Redis: one stream a site.

use ::redis::AsyncCommands;
use ::redis::streams::StreamRangeReply;
use async_trait::async_trait;

use super::{Redis, from_json, keys, parsed};
use crate::clock::Timestamp;
use crate::event::{Context, Event};
use crate::id::SiteId;
use crate::store::{Entry, Events, Result, corrupt};

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

    async fn events(&self, site: SiteId, after: u64, limit: usize) -> Result<Vec<Event>> {
        let reply: StreamRangeReply =
            self.connection().xrange_count(keys::events(site), format!("({after}-0"), "+", limit).await?;
        reply
            .ids
            .iter()
            .map(|entry| {
                let field = |name: &str| {
                    entry.get::<String>(name).ok_or_else(|| corrupt(format!("event without {name}")))
                };
                let filled = |name: &str| field(name).map(|text| Some(text).filter(|text| !text.is_empty()));
                Ok(Event {
                    seq: parsed(entry.id.trim_end_matches("-0"))?,
                    at: Timestamp::from_millis(parsed(&field("at")?)?),
                    kind: field("kind")?,
                    cause: filled("cause")?,
                    subject: filled("subject")?.as_deref().map(parsed).transpose()?,
                    handoff_id: filled("handoff")?.as_deref().map(parsed).transpose()?,
                    context: from_json(&field("context")?)?,
                })
            })
            .collect()
    }
}
