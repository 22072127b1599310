//! API clients in `SQLite`.

use async_trait::async_trait;

use super::events::tell_tenant;
use super::{Sqlite, all, from_json, one, to_json};
use crate::client::{ApiKeyHash, Client};
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::id::ClientId;
use crate::store::{Clients, Result};

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

    async fn clients(&self) -> Result<Vec<Client>> {
        self.read(|connection| {
            let mut clients = all(connection, "SELECT doc FROM clients", &[], |row| {
                from_json::<Client>(&row.get::<_, String>(0)?)
            })?;
            clients.sort_by_key(|client| client.id);
            Ok(clients)
        })
        .await
    }

    async fn revoke_client(&self, id: ClientId, now: Timestamp, context: &Context) -> Result<Option<Client>> {
        let context = context.clone();
        self.write(move |transaction| {
            let id = id.to_string();
            let found = one(transaction, "SELECT doc FROM clients WHERE id = ?", &[&id], |row| {
                from_json::<Client>(&row.get::<_, String>(0)?)
            })?;
            let Some(mut client) = found else { return Ok(None) };
            if client.revoked_at.is_none() {
                client.revoked_at = Some(now);
                transaction.execute("UPDATE clients SET doc = ? WHERE id = ?", [to_json(&client)?, id])?;
                let context = context.noting(client.described());
                tell_tenant(transaction, &client.tenant, EventKind::ClientRevoked, now, &context)?;
            }
            Ok(Some(client))
        })
        .await
    }
}
