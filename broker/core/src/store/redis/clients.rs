//! API clients in Redis.

use ::redis::AsyncCommands;
use async_trait::async_trait;

use super::{Redis, from_json, keys, to_json};
use crate::client::{ApiKeyHash, Client};
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::id::ClientId;
use crate::store::{Clients, Result, corrupt};
use crate::trail::Trail;

impl Redis {
    /// Puts a client in the place of what is known of it (nothing of a new one), and says whether that was it.
    async fn put_client(
        &self,
        hash: &str,
        known: &str,
        client: &Client,
        (kind, now): (EventKind, Timestamp),
        context: &Context,
    ) -> Result<bool> {
        let (trail, context) = (Trail::Tenant(client.tenant.clone()), context.noting(client.described()));
        let mut call = Self::call_of(&self.scripts.put_client, &trail, now, &context)?;
        call.key(keys::CLIENTS).arg(hash).arg(known).arg(to_json(client)?).arg(kind.as_str());
        Ok(self.run_durably::<i64>(&call).await? == 1)
    }
}

#[async_trait]
impl Clients for Redis {
    async fn add_client(&self, hash: &ApiKeyHash, client: &Client, context: &Context) -> Result<()> {
        let what = (EventKind::ClientAdded, client.created_at);
        if self.put_client(hash.as_str(), "", client, what, context).await? {
            Ok(())
        } else {
            Err(corrupt("a new API key was there already"))
        }
    }

    async fn client(&self, hash: &ApiKeyHash) -> Result<Option<Client>> {
        let json: Option<String> = self.connection().hget(keys::CLIENTS, hash.as_str()).await?;
        json.as_deref().map(from_json).transpose()
    }

    async fn clients(&self) -> Result<Vec<Client>> {
        let all: Vec<String> = self.connection().hvals(keys::CLIENTS).await?;
        let mut clients = all.iter().map(|json| from_json::<Client>(json)).collect::<Result<Vec<_>>>()?;
        clients.sort_by_key(|client| client.id);
        Ok(clients)
    }

    async fn revoke_client(&self, id: ClientId, now: Timestamp, context: &Context) -> Result<Option<Client>> {
        loop {
            let all: Vec<(String, String)> = self.connection().hgetall(keys::CLIENTS).await?;
            let mut found = None;
            for (hash, json) in all {
                let client: Client = from_json(&json)?;
                if client.id == id {
                    found = Some((hash, json, client));
                    break;
                }
            }
            let Some((hash, json, mut client)) = found else { return Ok(None) };
            if client.revoked_at.is_some() {
                // What was done before must hold for this answer too.
                self.lane().await?.reach_replicas().await?;
                return Ok(Some(client));
            }
            client.revoked_at = Some(now);
            // Else somebody else was faster, and has revoked it too: nothing else ever changes a client.
            if self.put_client(&hash, &json, &client, (EventKind::ClientRevoked, now), context).await? {
                return Ok(Some(client));
            }
        }
    }
}
