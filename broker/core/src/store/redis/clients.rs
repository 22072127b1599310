//! API clients in Redis.

use std::collections::HashMap;

use ::redis::AsyncCommands;
use async_trait::async_trait;

use super::{Redis, from_json, keys, to_json};
use crate::client::{ApiKeyHash, Client, Listed, Rolling};
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

    /// A client with the hash of its key, and as it is written.
    async fn find_client(&self, id: ClientId) -> Result<Option<(String, String, Client)>> {
        let all: Vec<(String, String)> = self.connection().hgetall(keys::CLIENTS).await?;
        for (hash, json) in all {
            let client: Client = from_json(&json)?;
            if client.id == id {
                return Ok(Some((hash, json, client)));
            }
        }
        Ok(None)
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

    async fn clients(&self) -> Result<Vec<Listed>> {
        let all: Vec<String> = self.connection().hvals(keys::CLIENTS).await?;
        let used: HashMap<String, i64> = self.connection().hgetall(keys::CLIENT_USES).await?;
        let listed = |json: &String| {
            let client: Client = from_json(json)?;
            let last_used_at = used.get(&client.id.to_string()).copied().map(Timestamp::from_millis);
            Ok(Listed { client, last_used_at })
        };
        let mut clients = all.iter().map(listed).collect::<Result<Vec<_>>>()?;
        clients.sort_by_key(|listed| listed.client.id);
        Ok(clients)
    }

    async fn roll_client(
        &self,
        id: ClientId,
        (new_hash, new): (&ApiKeyHash, &Client),
        until: Timestamp,
        now: Timestamp,
        context: &Context,
    ) -> Result<Rolling> {
        loop {
            let Some((hash, json, old)) = self.find_client(id).await? else { return Ok(Rolling::NotFound) };
            if !old.is_live(now) {
                return Ok(Rolling::Ended(old));
            }
            let old = old.ending(until);
            let (trail, context) =
                (Trail::Tenant(old.tenant.clone()), context.noting(old.described_rolled(new)));
            let mut call = Self::call_of(&self.scripts.roll_client, &trail, now, &context)?;
            call.key(keys::CLIENTS).arg(hash).arg(json).arg(to_json(&old)?);
            call.arg(new_hash.as_str()).arg(to_json(new)?).arg(EventKind::ClientRolled.as_str());
            match self.run_durably::<i64>(&call).await? {
                1 => return Ok(Rolling::Rolled(old)),
                // Somebody else was faster.
                0 => {}
                _ => return Err(corrupt("a new API key was there already")),
            }
        }
    }

    async fn note_client_use(&self, id: ClientId, at: Timestamp) -> Result<()> {
        Ok(self.connection().hset(keys::CLIENT_USES, id.to_string(), at.millis()).await?)
    }

    async fn revoke_client(&self, id: ClientId, now: Timestamp, context: &Context) -> Result<Option<Client>> {
        loop {
            let Some((hash, json, mut client)) = self.find_client(id).await? else { return Ok(None) };
            if client.revoked_at.is_some() {
                // What was done before must hold for this answer too.
                self.lane().await?.reach_replicas().await?;
                return Ok(Some(client));
            }
            client.revoked_at = Some(now);
            // Else somebody else was faster.
            if self.put_client(&hash, &json, &client, (EventKind::ClientRevoked, now), context).await? {
                return Ok(Some(client));
            }
        }
    }
}
