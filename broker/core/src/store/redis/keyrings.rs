//! Keyrings in Redis.

use ::redis::AsyncCommands;
use async_trait::async_trait;
use gatepass_keys::{KeyChange, KeyId};

use super::{Redis, keys, to_json};
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::id::{SiteId, Tenant};
use crate::store::{Announced, Keyrings, Result, told_at};
use crate::trail::Trail;

impl Redis {
    /// Revokes on a new site what was forbidden before it was there. To be called once it is: whatever is forbidden
    /// later finds it in the list of all sites.
    pub(super) async fn revoke_forbidden_keys(&self, site: SiteId) -> Result<()> {
        let forbidden: Vec<(String, i64)> = self.connection().hgetall(keys::FORBIDDEN_KEYS).await?;
        if forbidden.is_empty() {
            return Ok(());
        }
        let () = self.connection().hset_multiple(keys::revoked_keys(site), &forbidden).await?;
        Ok(())
    }
}

#[async_trait]
impl Keyrings for Redis {
    async fn keyring_revision(&self) -> Result<u64> {
        let revision: Option<u64> = self.connection().get(keys::KEYRING).await?;
        Ok(revision.unwrap_or(0))
    }

    async fn announce_keyring(
        &self,
        revision: u64,
        changes: &[KeyChange],
        now: Timestamp,
        context: &Context,
    ) -> Result<Announced> {
        let trail = Trail::Tenant(Tenant::default());
        let mut call = Self::call_of(&self.scripts.announce_keyring, &trail, now, context)?;
        call.key(keys::KEYRING).arg(revision);
        for change in changes {
            call.arg(change.revision)
                .arg(told_at(change).millis())
                .arg(EventKind::from(change.to).as_str())
                .arg(to_json(&context.telling(change))?);
        }
        let seen: Option<u64> = self.run_durably(&call).await?;
        Ok(match seen {
            None => Announced::Told,
            Some(seen) if seen == revision => Announced::Known,
            Some(seen) => Announced::Behind { seen },
        })
    }

    async fn forbid_key(&self, kid: &KeyId, now: Timestamp) -> Result<()> {
        let mut lane = self.lane().await?;
        let _: i64 = lane.hset_nx(keys::FORBIDDEN_KEYS, kid.as_str(), now.millis()).await?;
        lane.reach_replicas().await
    }
}
