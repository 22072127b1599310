//! API clients in `SQLite`.

use async_trait::async_trait;
use rusqlite::{Transaction, params};

use super::events::tell_tenant;
use super::{Sqlite, all, from_json, one, time, to_json};
use crate::client::{ApiKeyHash, Client, Listed, Rolling};
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::id::ClientId;
use crate::store::{Clients, Result};

fn client(transaction: &Transaction<'_>, id: ClientId) -> Result<Option<Client>> {
    one(transaction, "SELECT doc FROM clients WHERE id = ?", &[&id.to_string()], |row| {
        from_json(&row.get::<_, String>(0)?)
    })
}

/// Writes what a client is by now.
fn put(transaction: &Transaction<'_>, client: &Client) -> Result<()> {
    let sql = "UPDATE clients SET doc = ? WHERE id = ?";
    transaction.execute(sql, [to_json(client)?, client.id.to_string()])?;
    Ok(())
}

#[async_trait]
impl Clients for Sqlite {
    async fn add_client(&self, hash: &ApiKeyHash, client: &Client, context: &Context) -> Result<()> {
        let (hash, client) = (hash.as_str().to_owned(), client.clone());
        let context = context.noting(client.described());
        self.write(move |transaction| {
            let (id, doc) = (client.id.to_string(), to_json(&client)?);
            transaction.execute("INSERT INTO clients (hash, id, doc) VALUES (?, ?, ?)", [hash, id, doc])?;
            tell_tenant(transaction, &client.tenant, EventKind::ClientAdded, client.created_at, &context)
        })
        .await
    }

    async fn client(&self, hash: &ApiKeyHash) -> Result<Option<Client>> {
        let hash = hash.as_str().to_owned();
        self.read(move |connection| {
            one(connection, "SELECT doc FROM clients WHERE hash = ?", &[&hash], |row| {
                from_json(&row.get::<_, String>(0)?)
            })
        })
        .await
    }

    async fn clients(&self) -> Result<Vec<Listed>> {
        self.read(|connection| {
            let sql = "SELECT doc, at FROM clients LEFT JOIN client_uses ON client = id";
            let mut clients = all(connection, sql, &[], |row| {
                let client: Client = from_json(&row.get::<_, String>(0)?)?;
                Ok(Listed { client, last_used_at: time(row.get(1)?) })
            })?;
            clients.sort_by_key(|listed| listed.client.id);
            Ok(clients)
        })
        .await
    }

    async fn roll_client(
        &self,
        id: ClientId,
        (hash, new): (&ApiKeyHash, &Client),
        until: Timestamp,
        now: Timestamp,
        context: &Context,
    ) -> Result<Rolling> {
        let (hash, new, context) = (hash.as_str().to_owned(), new.clone(), context.clone());
        self.write(move |transaction| {
            let Some(old) = client(transaction, id)? else { return Ok(Rolling::NotFound) };
            if !old.is_live(now) {
                return Ok(Rolling::Ended(old));
            }
            let old = old.ending(until);
            put(transaction, &old)?;
            let doc = to_json(&new)?;
            transaction.execute(
                "INSERT INTO clients (hash, id, doc) VALUES (?, ?, ?)",
                [hash, new.id.to_string(), doc],
            )?;
            let context = context.noting(old.described_rolled(&new));
            tell_tenant(transaction, &old.tenant, EventKind::ClientRolled, now, &context)?;
            Ok(Rolling::Rolled(old))
        })
        .await
    }

    async fn note_client_use(&self, id: ClientId, at: Timestamp) -> Result<()> {
        self.write(move |transaction| {
            let sql = "INSERT INTO client_uses (client, at) VALUES (?, ?)
                       ON CONFLICT DO UPDATE SET at = max(at, excluded.at)";
            transaction.execute(sql, params![id.to_string(), at.millis()])?;
            Ok(())
        })
        .await
    }

    async fn revoke_client(&self, id: ClientId, now: Timestamp, context: &Context) -> Result<Option<Client>> {
        let context = context.clone();
        self.write(move |transaction| {
            let Some(mut client) = client(transaction, id)? else { return Ok(None) };
            if client.revoked_at.is_none() {
                client.revoked_at = Some(now);
                put(transaction, &client)?;
                let context = context.noting(client.described());
                tell_tenant(transaction, &client.tenant, EventKind::ClientRevoked, now, &context)?;
            }
            Ok(Some(client))
        })
        .await
    }
}
