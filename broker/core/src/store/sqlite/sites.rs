//! Sites and pairing in `SQLite`.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::events::tell_tenant;
use super::{Emitter, Sqlite, all, from_json, one, parsed, to_json};
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::heartbeat::{Heard, Heartbeat, Pulse};
use crate::id::{SiteId, Tenant};
use crate::pairing::{Pairing, PairingCode, Proven};
use crate::site::{Origin, Site};
use crate::site_key::{KeyRenewal, Renewal, SiteKeyRevocation};
use crate::store::{ChangePolicy, PolicyChange, Result, SiteCreation, SiteMove, Sites};

const COLUMNS: &str = "id, tenant, origin, created_at, policy, paired, pulse";

fn read(row: &Row<'_>) -> Result<Site> {
    Ok(Site {
        id: parsed(&row.get::<_, String>(0)?)?,
        tenant: parsed(&row.get::<_, String>(1)?)?,
        origin: parsed(&row.get::<_, String>(2)?)?,
        created_at: Timestamp::from_millis(row.get(3)?),
        policy: from_json(&row.get::<_, String>(4)?)?,
        paired: row.get::<_, Option<String>>(5)?.as_deref().map(from_json).transpose()?,
        pulse: row.get::<_, Option<String>>(6)?.as_deref().map(from_json).transpose()?.unwrap_or_default(),
    })
}

fn site(connection: &Connection, id: SiteId) -> Result<Option<Site>> {
    one(connection, &format!("SELECT {COLUMNS} FROM sites WHERE id = ?"), &[&id.to_string()], read)
}

pub(super) fn exists(connection: &Connection, id: SiteId) -> Result<bool> {
    Ok(one(connection, "SELECT 1 FROM sites WHERE id = ?", &[&id.to_string()], |_| Ok(()))?.is_some())
}

#[async_trait]
impl Sites for Sqlite {
    async fn create_site(&self, new: &Site, now: Timestamp, context: &Context) -> Result<SiteCreation> {
        let (new, context) = (new.clone(), context.clone());
        self.write(move |transaction| {
            let (id, tenant, origin) = (new.id.to_string(), new.tenant.to_string(), new.origin.to_string());
            if let Some(holder) = holder(transaction, &new.tenant, &new.origin)? {
                return Ok(SiteCreation::OriginKnown(holder));
            }
            transaction.execute(
                "INSERT INTO sites (id, tenant, origin, created_at, policy, paired, paired_kid)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    id,
                    tenant,
                    origin,
                    new.created_at.millis(),
                    to_json(&new.policy)?,
                    new.paired.as_ref().map(to_json).transpose()?,
                    new.paired.as_ref().map(|paired| paired.key.kid().to_string()),
                ],
            )?;
            let emitter = Emitter { transaction, site: new.id, now, context: &context };
            emitter.emit(EventKind::SiteRegistered, "", None, None)?;
            let sql = "INSERT INTO revoked_keys (site, kid, revoked_at) SELECT ?, kid, revoked_at FROM forbidden_keys";
            transaction.execute(sql, [new.id.to_string()])?;
            Ok(SiteCreation::Created)
        })
        .await
    }

    async fn site(&self, id: SiteId) -> Result<Option<Site>> {
        self.read(move |connection| site(connection, id)).await
    }

    async fn sites(&self, tenant: &Tenant, after: Option<SiteId>, limit: usize) -> Result<Vec<Site>> {
        let tenant = tenant.to_string();
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM sites WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?");
            all(connection, &sql, &[&tenant, &after, &limit], read)
        })
        .await
    }

    async fn all_sites(&self) -> Result<Vec<SiteId>> {
        self.read(|connection| {
            all(connection, "SELECT id FROM sites", &[], |row| parsed(&row.get::<_, String>(0)?))
        })
        .await
    }

    async fn change_policy(
        &self,
        id: SiteId,
        change: ChangePolicy,
        now: Timestamp,
        context: &Context,
    ) -> Result<PolicyChange> {
        let context = context.clone();
        self.write(move |transaction| {
            let Some(before) = site(transaction, id)? else { return Ok(PolicyChange::SiteNotFound) };
            let policy = match change(before.policy.clone()) {
                Ok(policy) => policy,
                Err(errors) => return Ok(PolicyChange::Refused(errors)),
            };
            if policy == before.policy {
                return Ok(PolicyChange::Changed(Box::new(before)));
            }
            transaction
                .execute("UPDATE sites SET policy = ? WHERE id = ?", [to_json(&policy)?, id.to_string()])?;
            let emitter = Emitter { transaction, site: id, now, context: &context };
            emitter.emit(EventKind::SiteUpdated, "", None, None)?;
            Ok(PolicyChange::Changed(Box::new(Site { policy, ..before })))
        })
        .await
    }

    async fn move_site(
        &self,
        id: SiteId,
        to: &Origin,
        now: Timestamp,
        context: &Context,
    ) -> Result<SiteMove> {
        let (to, context) = (to.clone(), context.clone());
        self.write(move |transaction| {
            let Some(known) = site(transaction, id)? else { return Ok(SiteMove::SiteNotFound) };
            match holder(transaction, &known.tenant, &to)? {
                Some(holder) if holder == id => return Ok(SiteMove::Moved(Box::new(known))),
                Some(holder) => return Ok(SiteMove::OriginKnown(holder)),
                None => {}
            }
            transaction.execute("DELETE FROM pairing_codes WHERE site = ?", [id.to_string()])?;
            transaction.execute(
                "UPDATE sites SET origin = ?, paired = NULL, paired_kid = NULL, pulse = NULL, pulled_epoch = NULL,
                   pulled_at = NULL, delivery = NULL, not_before = max(coalesce(not_before, 0), ?) WHERE id = ?",
                params![to.to_string(), now.millis(), id.to_string()],
            )?;
            let context = context.noting(format!("from {} to {to}", known.origin));
            let emitter = Emitter { transaction, site: id, now, context: &context };
            emitter.emit(EventKind::SiteMoved, "", None, None)?;
            let moved = Site { origin: to, paired: None, pulse: Pulse::default(), ..known };
            Ok(SiteMove::Moved(Box::new(moved)))
        })
        .await
    }

    async fn remove_site(&self, id: SiteId, now: Timestamp, context: &Context) -> Result<bool> {
        let context = context.clone();
        self.write(move |transaction| {
            let Some(site) = site(transaction, id)? else { return Ok(false) };
            transaction.execute("DELETE FROM sites WHERE id = ?", [id.to_string()])?;
            transaction.execute("DELETE FROM events WHERE trail = ?", [id.to_string()])?;
            let context = context.noting(site.described());
            tell_tenant(transaction, &site.tenant, EventKind::SiteRemoved, now, &context)?;
            Ok(true)
        })
        .await
    }

    async fn put_pairing_code(
        &self,
        id: SiteId,
        code: &PairingCode,
        now: Timestamp,
        context: &Context,
    ) -> Result<bool> {
        let (code, context) = (code.clone(), context.clone());
        self.write(move |transaction| {
            if site(transaction, id)?.is_none() {
                return Ok(false);
            }
            transaction.execute(
                "INSERT OR REPLACE INTO pairing_codes (site, secret_hash, expires_at, \"replace\")
                 VALUES (?, ?, ?, ?)",
                params![id.to_string(), code.secret_hash, code.expires_at.millis(), code.replace],
            )?;
            let emitter = Emitter { transaction, site: id, now, context: &context };
            emitter.emit(EventKind::SitePairingCodeMade, "", None, None)?;
            Ok(true)
        })
        .await
    }

    async fn pairing_code_holds(&self, id: SiteId, secret_hash: &str, now: Timestamp) -> Result<bool> {
        let secret_hash = secret_hash.to_owned();
        self.read(move |connection| Ok(code(connection, id, &secret_hash, now)?.is_some())).await
    }

    async fn pair(&self, id: SiteId, proven: &Proven, now: Timestamp, context: &Context) -> Result<Pairing> {
        let (proven, context) = (proven.clone(), context.clone());
        self.write(move |transaction| {
            let emitter = Emitter { transaction, site: id, now, context: &context };
            let Some(known) = site(transaction, id)? else { return Ok(Pairing::SiteNotFound) };
            let Some(replace) = code(transaction, id, &proven.secret_hash, now)? else {
                emitter.emit(EventKind::SitePairingRefused, "code_invalid", None, None)?;
                return Ok(Pairing::CodeInvalid);
            };
            if let Some(paired) = &known.paired
                && !replace
                && proven.replaces.as_ref() != Some(paired.key.kid())
            {
                emitter.emit(EventKind::SitePairingRefused, "replace_required", None, None)?;
                return Ok(Pairing::ReplaceRequired);
            }
            transaction.execute("DELETE FROM pairing_codes WHERE site = ?", [id.to_string()])?;
            transaction.execute(
                "UPDATE sites SET paired = ?, paired_kid = ?, pulled_epoch = NULL, pulled_at = NULL, delivery = NULL,
                   not_before = max(coalesce(not_before, 0), ?) WHERE id = ?",
                params![
                    to_json(&proven.paired)?,
                    proven.paired.key.kid().as_str(),
                    now.millis(),
                    id.to_string()
                ],
            )?;
            emitter.emit(EventKind::SitePaired, "", None, None)?;
            Ok(Pairing::Paired(Box::new(Site { paired: Some(proven.paired), ..known })))
        })
        .await
    }

    async fn renew_site_key(
        &self,
        id: SiteId,
        renewal: &Renewal,
        now: Timestamp,
        context: &Context,
    ) -> Result<KeyRenewal> {
        let (renewal, context) = (renewal.clone(), context.noting(renewal.described()));
        self.write(move |transaction| {
            let Some(known) = site(transaction, id)? else { return Ok(KeyRenewal::NotPaired) };
            let paired = match renewal.decide(&known, now) {
                Ok(paired) => paired,
                Err(not_taken) => return Ok(not_taken),
            };
            transaction.execute(
                "UPDATE sites SET paired = ?, paired_kid = ? WHERE id = ?",
                params![to_json(&paired)?, paired.key.kid().as_str(), id.to_string()],
            )?;
            let emitter = Emitter { transaction, site: id, now, context: &context };
            emitter.emit(EventKind::SiteKeyRenewed, "", None, None)?;
            Ok(KeyRenewal::Renewed(Box::new(Site { paired: Some(paired), ..known })))
        })
        .await
    }

    async fn revoke_site_key(
        &self,
        id: SiteId,
        now: Timestamp,
        context: &Context,
    ) -> Result<SiteKeyRevocation> {
        let context = context.clone();
        self.write(move |transaction| {
            let Some(known) = site(transaction, id)? else { return Ok(SiteKeyRevocation::SiteNotFound) };
            let Some(paired) = known.paired else { return Ok(SiteKeyRevocation::NotPaired) };
            transaction.execute(
                "UPDATE sites SET paired = NULL, paired_kid = NULL, not_before = max(coalesce(not_before, 0), ?)
                 WHERE id = ?",
                params![now.millis(), id.to_string()],
            )?;
            let emitter = Emitter { transaction, site: id, now, context: &context };
            emitter.emit(EventKind::SiteKeyRevoked, "", None, None)?;
            Ok(SiteKeyRevocation::Revoked(paired.key.kid().clone()))
        })
        .await
    }

    async fn hear(
        &self,
        id: SiteId,
        heartbeat: &Heartbeat,
        now: Timestamp,
        context: &Context,
    ) -> Result<Heard> {
        let (heartbeat, context) = (heartbeat.clone(), context.clone());
        self.write(move |transaction| {
            let Some(known) = site(transaction, id)? else { return Ok(Heard::NotPaired) };
            let (heard, change) = heartbeat.decide(&known, now);
            let Some(change) = change else { return Ok(heard) };
            let paired = change.paired.as_ref().map(to_json).transpose()?;
            transaction.execute(
                "UPDATE sites SET pulse = ?, paired = coalesce(?, paired) WHERE id = ?",
                params![to_json(&change.pulse)?, paired, id.to_string()],
            )?;
            if let Some(told) = change.event {
                let context = Context { note: Some(told.note), ..context };
                let emitter = Emitter { transaction, site: id, now, context: &context };
                emitter.emit(told.kind, told.cause, None, None)?;
            }
            Ok(heard)
        })
        .await
    }
}

/// Who has an origin.
fn holder(connection: &Connection, tenant: &Tenant, origin: &Origin) -> Result<Option<SiteId>> {
    let sql = "SELECT id FROM sites WHERE tenant = ? AND origin = ?";
    one(connection, sql, &[&tenant.to_string(), &origin.to_string()], |row| parsed(&row.get::<_, String>(0)?))
}

/// Whether this pairing code may replace a pairing; `None` when it is not the site's code at `now`.
fn code(connection: &Connection, id: SiteId, secret_hash: &str, now: Timestamp) -> Result<Option<bool>> {
    let sql = "SELECT \"replace\" FROM pairing_codes WHERE site = ? AND secret_hash = ? AND expires_at > ?";
    one(connection, sql, &[&id.to_string(), &secret_hash, &now.millis()], |row| Ok(row.get(0)?))
}
