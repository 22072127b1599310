//! The audit trail in `SQLite`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{Emitter, Sqlite, all, from_json, integer, number, one, parsed, to_json};
use crate::clock::Timestamp;
use crate::event::{Context, Event, EventKind};
use crate::id::{HandoffId, SiteId, Subject, Tenant};
use crate::store::{Entry, Events, Result};
use crate::trail::{About, Extent, Reading, Trail};

impl Emitter<'_> {
    /// Writes an event in the transaction that it tells of. Without the site there is no trail to write to.
    pub(super) fn emit(
        &self,
        kind: EventKind,
        cause: &str,
        subject: Option<&Subject>,
        handoff: Option<HandoffId>,
    ) -> Result<()> {
        let seq: Option<i64> = self
            .transaction
            .prepare_cached("UPDATE sites SET events = events + 1 WHERE id = ? RETURNING events")?
            .query_row([self.site.to_string()], |row| row.get(0))
            .optional()?;
        let Some(seq) = seq else { return Ok(()) };
        self.transaction.prepare_cached(INSERT)?.execute(params![
            self.site.to_string(),
            seq,
            self.now.millis(),
            kind.as_str(),
            cause,
            subject.map(Subject::as_str).unwrap_or_default(),
            handoff.map(|id| id.to_string()).unwrap_or_default(),
            to_json(self.context)?,
        ])?;
        Ok(())
    }
}

const INSERT: &str = "INSERT INTO events (trail, seq, at, kind, cause, subject, handoff, context)
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/// Writes an event of a tenant, in the transaction that it tells of.
pub(super) fn tell_tenant(
    transaction: &Transaction<'_>,
    tenant: &Tenant,
    kind: EventKind,
    now: Timestamp,
    context: &Context,
) -> Result<()> {
    let seq: i64 = transaction.query_row(
        "INSERT INTO tenants (id, events) VALUES (?, 1)
         ON CONFLICT DO UPDATE SET events = events + 1 RETURNING events",
        [tenant.as_str()],
        |row| row.get(0),
    )?;
    let trail = Trail::Tenant(tenant.clone()).to_string();
    let (at, context) = (now.millis(), to_json(context)?);
    transaction.execute(INSERT, params![trail, seq, at, kind.as_str(), "", "", "", context])?;
    Ok(())
}

const COLUMNS: &str = "seq, at, kind, cause, subject, handoff, context";

fn event(row: &Row<'_>) -> Result<Event> {
    let filled =
        |index| Ok::<_, rusqlite::Error>(Some(row.get::<_, String>(index)?).filter(|text| !text.is_empty()));
    Ok(Event {
        seq: number(row.get(0)?)?,
        at: Timestamp::from_millis(row.get(1)?),
        kind: row.get(2)?,
        cause: filled(3)?,
        subject: filled(4)?.as_deref().map(parsed).transpose()?,
        handoff_id: filled(5)?.as_deref().map(parsed).transpose()?,
        context: from_json(&row.get::<_, String>(6)?)?,
    })
}

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

    async fn events(&self, trail: &Trail, reading: Reading, limit: usize) -> Result<Vec<Event>> {
        let (trail, limit) = (trail.to_string(), i64::try_from(limit).unwrap_or(i64::MAX));
        let (from, seq) = match reading {
            Reading::After(seq) => ("seq > ? ORDER BY seq", integer(seq)),
            Reading::Before(seq) => ("seq < ? ORDER BY seq DESC", integer(seq)),
        };
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM events WHERE trail = ? AND {from} LIMIT ?");
            all(connection, &sql, &[&trail, &seq, &limit], event)
        })
        .await
    }

    async fn indexed(&self, about: &About) -> Result<Option<Vec<(Trail, Event)>>> {
        let (condition, id) = match about {
            About::Request(id) => ("context ->> 'request_id' = ?", id.to_string()),
            About::Handoff(id) => ("handoff = ? AND handoff <> ''", id.to_string()),
        };
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS}, trail FROM events WHERE {condition}");
            let found =
                all(connection, &sql, &[&id], |row| Ok((parsed(&row.get::<_, String>(7)?)?, event(row)?)))?;
            Ok(Some(found))
        })
        .await
    }

    async fn extent(&self, trail: &Trail) -> Result<Extent> {
        let (name, counter, id) = match trail {
            Trail::Site(site) => (trail.to_string(), "sites", site.to_string()),
            Trail::Tenant(tenant) => (trail.to_string(), "tenants", tenant.to_string()),
        };
        self.read(move |connection| {
            let sql = format!("SELECT events FROM {counter} WHERE id = ?");
            let newest = one(connection, &sql, &[&id], |row| number(row.get(0)?))?.unwrap_or(0);
            let sql = "SELECT seq FROM events WHERE trail = ? ORDER BY seq LIMIT 1";
            let oldest = one(connection, sql, &[&name], |row| number(row.get(0)?))?;
            Ok(Extent { oldest: oldest.unwrap_or(newest + 1), newest })
        })
        .await
    }

    async fn trails(&self) -> Result<Vec<Trail>> {
        self.read(|connection| {
            let mut trails = all(connection, "SELECT id FROM sites", &[], |row| {
                Ok(Trail::Site(parsed(&row.get::<_, String>(0)?)?))
            })?;
            trails.extend(all(connection, "SELECT id FROM tenants", &[], |row| {
                Ok(Trail::Tenant(parsed(&row.get::<_, String>(0)?)?))
            })?);
            Ok(trails)
        })
        .await
    }

    async fn remove_events(&self, trail: &Trail, last: u64) -> Result<u64> {
        let trail = trail.to_string();
        self.write(move |transaction| {
            let sql = "DELETE FROM events WHERE trail = ? AND seq <= ?";
            let removed = transaction.prepare_cached(sql)?.execute(params![trail, integer(last)])?;
            Ok(u64::try_from(removed).unwrap_or(u64::MAX))
        })
        .await
    }
}
