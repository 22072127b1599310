//! API clients in Redis.

use ::redis::AsyncCommands;
use async_trait::async_trait;

use super::{Redis, from_json, keys, to_json};
use crate::client::{ApiKeyHash, Client};
use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::store::{Clients, Result};

#[async_trait]
impl Clients for Redis {
    async fn add_client(&self, hash: &ApiKeyHash, client: &Client) -> Result<()> {
        let () = self.connection().hset(keys::CLIENTS, hash.as_str(), to_json(client)?).await?;
        Ok(())
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

    async fn revoke_client(&self, id: ClientId, now: Timestamp) -> Result<Option<Client>> {
        let mut lane = self.lane().await?;
        let all: Vec<(String, String)> = lane.hgetall(keys::CLIENTS).await?;
        let mut revoked = None;
        for (hash, json) in all {
            let mut client: Client = from_json(&json)?;
            if client.id == id {
                if client.revoked_at.is_none() {
                    client.revoked_at = Some(now);
                    let () = lane.hset(keys::CLIENTS, hash, to_json(&client)?).await?;
                }
                revoked = Some(client);
                break;
            }
        }
        lane.reach_replicas().await?;
        Ok(revoked)
    }
}
