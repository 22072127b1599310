//! Keyrings in `SQLite`.

use async_trait::async_trait;
use gatepass_keys::{KeyChange, KeyId};
use rusqlite::{Connection, params};

use super::events::tell_tenant;
use super::{Sqlite, integer, number, one};
use crate::clock::Timestamp;
use crate::event::Context;
use crate::id::Tenant;
use crate::store::{Announced, Keyrings, Result, told_at};

fn revision(connection: &Connection) -> Result<u64> {
    Ok(one(connection, "SELECT revision FROM keyring", &[], |row| number(row.get(0)?))?.unwrap_or(0))
}

#[async_trait]
impl Keyrings for Sqlite {
    async fn keyring_revision(&self) -> Result<u64> {
        self.read(revision).await
    }

    async fn announce_keyring(
        &self,
        announced: u64,
        changes: &[KeyChange],
        _now: Timestamp,
        context: &Context,
    ) -> Result<Announced> {
        let (changes, context) = (changes.to_vec(), context.clone());
        self.write(move |transaction| {
            let seen = revision(transaction)?;
            if announced < seen {
                return Ok(Announced::Behind { seen });
            }
            if announced == seen {
                return Ok(Announced::Known);
            }
            let sql = "INSERT OR REPLACE INTO keyring (one, revision) VALUES (1, ?)";
            transaction.execute(sql, [integer(announced)])?;
            for change in changes.iter().filter(|change| change.revision > seen) {
                let context = context.telling(change);
                let (kind, at) = (change.to.into(), told_at(change));
                tell_tenant(transaction, &Tenant::default(), kind, at, &context)?;
            }
            Ok(Announced::Told)
        })
        .await
    }

    async fn forbid_key(&self, kid: &KeyId, now: Timestamp) -> Result<()> {
        let kid = kid.clone();
        self.write(move |transaction| {
            let sql = "INSERT OR IGNORE INTO forbidden_keys (kid, revoked_at) VALUES (?, ?)";
            transaction.execute(sql, params![kid.as_str(), now.millis()])?;
            Ok(())
        })
        .await
    }
}
