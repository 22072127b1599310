//! Rows of `SQLite` as commands to Redis. The names of fields are those of the scripts.

use ::redis::Pipeline;
use rusqlite::{Connection, Row, types::FromSql};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::Counts;
use crate::client::Client;
use crate::heartbeat::Pulse;
use crate::id::{SiteId, Subject, Tenant};
use crate::member::Wanted;
use crate::site::{Origin, Paired, Policy};
use crate::store::redis::keys;
use crate::store::{Result, StoreError, from_json, parsed, to_json};
use crate::trail::Trail;

/// How many things are sent at a time.
pub(super) const AT_ONCE: usize = 500;

/// Where something was written.
pub(super) struct Places {
    pub(super) sites: Vec<SiteId>,
    /// Those that have events.
    pub(super) trails: Vec<Trail>,
}

/// Commands on their way, in batches: what is read is not all held at a time.
pub(super) struct Batches {
    commands: Pipeline,
    things: usize,
    give: mpsc::Sender<(Pipeline, u64)>,
}

impl Batches {
    pub(super) fn new(give: mpsc::Sender<(Pipeline, u64)>) -> Self {
        Self { commands: ::redis::pipe(), things: 0, give }
    }

    /// Counts one thing, whose commands have been added.
    fn one_more(&mut self) -> Result<()> {
        self.things += 1;
        if self.things == AT_ONCE { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<()> {
        let batch = std::mem::replace(&mut self.commands, ::redis::pipe());
        let things = u64::try_from(std::mem::take(&mut self.things)).unwrap_or(u64::MAX);
        if batch.is_empty() {
            return Ok(());
        }
        self.give
            .blocking_send((batch, things))
            .map_err(|_| StoreError::Unavailable("the copy was given up".to_owned()))
    }
}

pub(super) fn count(connection: &Connection) -> Result<Counts> {
    let rows = |what: &str| -> Result<u64> {
        let sql = format!("SELECT count(*) FROM {what}");
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        Ok(u64::try_from(rows).unwrap_or_default())
    };
    Ok(Counts {
        sites: rows("sites")?,
        members: rows("members WHERE doc IS NOT NULL")?,
        removed_members: rows("members WHERE doc IS NULL")?,
        clients: rows("clients")?,
        events: rows("events")?,
    })
}

pub(super) fn read(connection: &Connection, batches: &mut Batches) -> Result<Places> {
    let sites = sites(connection, batches)?;
    members(connection, batches)?;
    service(connection, batches)?;
    let trails = trails(connection, batches)?;
    batches.send()?;
    Ok(Places { sites, trails })
}

/// Every row, one at a time.
fn each(connection: &Connection, sql: &str, mut take: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

/// What was written as JSON, perhaps by an older release, as this one writes it: Redis compares it letter by letter.
fn again<T: Serialize + DeserializeOwned>(json: &str) -> Result<String> {
    to_json(&from_json::<T>(json)?)
}

/// Fields of a hash.
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn put(&mut self, name: &'static str, value: &impl ToString) {
        self.0.push((name, value.to_string()));
    }

    fn put_some(&mut self, name: &'static str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.put(name, &value);
        }
    }

    /// Counters are made by what counts first.
    fn put_counter(&mut self, name: &'static str, value: i64) {
        self.put_some(name, Some(value).filter(|value| *value != 0));
    }

    fn write(self, commands: &mut Pipeline, key: String) {
        if !self.0.is_empty() {
            commands.hset_multiple(key, &self.0);
        }
    }
}

fn column<T: FromSql>(row: &Row<'_>, name: &str) -> Result<T> {
    Ok(row.get(name)?)
}

fn text(row: &Row<'_>, name: &str) -> Result<String> {
    column(row, name)
}

fn number(row: &Row<'_>, name: &str) -> Result<i64> {
    column(row, name)
}

fn json<T: Serialize + DeserializeOwned>(row: &Row<'_>, name: &str) -> Result<Option<String>> {
    column::<Option<String>>(row, name)?.as_deref().map(again::<T>).transpose()
}

fn sites(connection: &Connection, batches: &mut Batches) -> Result<Vec<SiteId>> {
    let mut ids = Vec::new();
    each(connection, "SELECT * FROM sites", |row| {
        let (id, tenant): (SiteId, Tenant) = (parsed(&text(row, "id")?)?, parsed(&text(row, "tenant")?)?);
        let origin: Origin = parsed(&text(row, "origin")?)?;
        let mut site = Fields(Vec::new());
        site.put("id", &id);
        site.put("tenant", &tenant);
        site.put("origin", &origin);
        site.put("created_at", &number(row, "created_at")?);
        site.put_some("policy", json::<Policy>(row, "policy")?);
        site.put_some("paired", json::<Paired>(row, "paired")?);
        site.put_some("paired_kid", column::<Option<String>>(row, "paired_kid")?);
        site.put_some("pulse", json::<Pulse>(row, "pulse")?);
        let mut state = Fields(Vec::new());
        state.put_counter("events", number(row, "events")?);
        state.put_counter("revision", number(row, "revision")?);
        state.put_some("not_before", column::<Option<i64>>(row, "not_before")?);
        let commands = &mut batches.commands;
        site.write(commands, keys::site(id));
        state.write(commands, keys::state(&Trail::Site(id)));
        commands.hset(keys::origins(&tenant), origin.to_string(), id.to_string());
        commands.zadd(keys::sites(&tenant), id.to_string(), 0);
        ids.push(id);
        batches.one_more()
    })?;
    each(connection, "SELECT site, kid, revoked_at FROM revoked_keys", |row| {
        let site: SiteId = parsed(&text(row, "site")?)?;
        batches.commands.hset(keys::revoked_keys(site), text(row, "kid")?, number(row, "revoked_at")?);
        Ok(())
    })?;
    Ok(ids)
}

fn members(connection: &Connection, batches: &mut Batches) -> Result<()> {
    each(connection, "SELECT * FROM members", |row| {
        let site: SiteId = parsed(&text(row, "site")?)?;
        let subject: Subject = parsed(&text(row, "subject")?)?;
        let position = number(row, "position")?;
        let doc = json::<Wanted>(row, "doc")?;
        let is_there = doc.is_some();
        let index = if is_there { keys::members(site) } else { keys::removed_members(site) };
        let mut member = Fields(Vec::new());
        if is_there {
            member.put("allowed_until", &number(row, "allowed_until")?);
        }
        member.put_some("doc", doc);
        member.put("revision", &number(row, "revision")?);
        member.put("updated_at", &number(row, "updated_at")?);
        member.put_some("not_before", column::<Option<i64>>(row, "not_before")?);
        member.put("position", &position);
        member.put("effect", &number(row, "effect")?);
        member.put_counter("report", number(row, "report")?);
        member.put_counter("sessions_ended", number(row, "sessions_ended")?);
        if let Some(at) = column::<Option<i64>>(row, "acknowledged_at")? {
            let acknowledged = number(row, "acknowledged")?;
            member.put("acknowledged", &acknowledged);
            member.put("acknowledged_at", &at);
            // With a member goes what its site had said of it.
            if is_there || acknowledged >= position {
                let user = column::<Option<i64>>(row, "wordpress_user_id")?;
                member.put("user", &user.map(|user| user.to_string()).unwrap_or_default());
                member.put("error", &column::<Option<String>>(row, "error")?.unwrap_or_default());
            }
        }
        member.write(&mut batches.commands, keys::member(site, &subject));
        batches.commands.zadd(index, subject.as_str(), position);
        batches.one_more()
    })
}

/// What belongs to no site.
fn service(connection: &Connection, batches: &mut Batches) -> Result<()> {
    each(connection, "SELECT hash, doc FROM clients", |row| {
        batches.commands.hset(keys::CLIENTS, text(row, "hash")?, again::<Client>(&text(row, "doc")?)?);
        batches.one_more()
    })?;
    let commands = &mut batches.commands;
    each(connection, "SELECT client, at FROM client_uses", |row| {
        commands.hset(keys::CLIENT_USES, text(row, "client")?, number(row, "at")?);
        Ok(())
    })?;
    each(connection, "SELECT kid, revoked_at FROM forbidden_keys", |row| {
        commands.hset(keys::FORBIDDEN_KEYS, text(row, "kid")?, number(row, "revoked_at")?);
        Ok(())
    })?;
    each(connection, "SELECT revision FROM keyring", |row| {
        commands.set(keys::KEYRING, number(row, "revision")?);
        Ok(())
    })?;
    each(connection, "SELECT id, events FROM tenants", |row| {
        let trail = Trail::Tenant(parsed(&text(row, "id")?)?);
        commands.hset(keys::state(&trail), "events", number(row, "events")?);
        Ok(())
    })
}

fn trails(connection: &Connection, batches: &mut Batches) -> Result<Vec<Trail>> {
    let mut trails: Vec<Trail> = Vec::new();
    each(connection, "SELECT * FROM events ORDER BY trail, seq", |row| {
        let trail: Trail = parsed(&text(row, "trail")?)?;
        let event = [
            ("at", number(row, "at")?.to_string()),
            ("kind", text(row, "kind")?),
            ("cause", text(row, "cause")?),
            ("subject", text(row, "subject")?),
            ("handoff", text(row, "handoff")?),
            ("context", text(row, "context")?),
        ];
        batches.commands.xadd(keys::events(&trail), format!("{}-0", number(row, "seq")?), &event);
        if trails.last() != Some(&trail) {
            trails.push(trail);
        }
        batches.one_more()
    })?;
    Ok(trails)
}
