//! The audit trail in `SQLite`.

use async_trait::async_trait;

use super::{Emitter, Sqlite, all, from_json, number, parsed};
use crate::clock::Timestamp;
use crate::event::{Context, Event};
use crate::id::SiteId;
use crate::store::{Entry, Events, Result};

#[async_trait]
impl Events for Sqlite {
    async fn append_event(&self, site: SiteId, entry: &Entry<'_>, context: &Context) -> Result<()> {
        let (at, kind, handoff) = (entry.at, entry.kind, entry.handoff_id);
        let (cause, subject) = (entry.cause.unwrap_or_default().to_owned(), entry.subject.cloned());
        let context = context.clone();
        self.write(move |transaction| {
            let emitter = Emitter { transaction, site, now: at, context: &context };
            emitter.emit(kind, &cause, subject.as_ref(), handoff)
        })
        .await
    }

    async fn events(&self, site: SiteId, after: u64, limit: usize) -> Result<Vec<Event>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let sql = "SELECT seq, at, kind, cause, subject, handoff, context FROM events
                       WHERE site = ? AND seq > ? ORDER BY seq LIMIT ?";
            all(connection, sql, &[&site.to_string(), &after, &limit], |row| {
                let filled = |index| {
                    Ok::<_, rusqlite::Error>(Some(row.get::<_, String>(index)?).filter(|t| !t.is_empty()))
                };
                Ok(Event {
                    seq: number(row.get(0)?)?,
                    at: Timestamp::from_millis(row.get(1)?),
                    kind: row.get(2)?,
                    cause: filled(3)?,
                    subject: filled(4)?.as_deref().map(parsed).transpose()?,
                    handoff_id: filled(5)?.as_deref().map(parsed).transpose()?,
                    context: from_json(&row.get::<_, String>(6)?)?,
                })
            })
        })
        .await
    }
}
