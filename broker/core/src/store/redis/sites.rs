//! Sites and pairing in Redis.

use ::redis::{AsyncCommands, Script, ScriptInvocation};
use async_trait::async_trait;
use gatepass_keys::KeyId;

use super::{Redis, from_json, keys, parsed, required, to_json};
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::heartbeat::{Heard, Heartbeat};
use crate::id::{SiteId, Tenant};
use crate::pairing::{PAIRING_LIFETIME, Pairing, PairingCode, Proven};
use crate::site::{Origin, Paired, Site};
use crate::site_key::{KeyRenewal, Renewal, SiteKeyRevocation};
use crate::store::{ChangePolicy, PolicyChange, Result, SiteCreation, SiteMove, Sites, StoreError, corrupt};

const FIELDS: [&str; 7] = ["id", "tenant", "origin", "created_at", "policy", "paired", "pulse"];
type Fields = Vec<Option<String>>;
/// How often a change of a site is tried again when somebody else was faster.
const CHANGE_TRIES: usize = 20;

fn site(fields: &[Option<String>]) -> Result<Option<Site>> {
    let at = |index: usize| fields.get(index).and_then(Option::as_deref);
    let Some(id) = at(0) else { return Ok(None) };
    Ok(Some(Site {
        id: parsed(id)?,
        tenant: parsed(required(at(1), "tenant")?)?,
        origin: parsed(required(at(2), "origin")?)?,
        created_at: Timestamp::from_millis(parsed(required(at(3), "created_at")?)?),
        policy: from_json(required(at(4), "policy")?)?,
        paired: at(5).map(from_json).transpose()?,
        pulse: at(6).map(from_json).transpose()?.unwrap_or_default(),
    }))
}

impl Redis {
    /// Starts the call that writes fields of a site; it answers with nothing when `condition` does not hold.
    fn put_site(
        &self,
        id: SiteId,
        condition: Condition<'_>,
        fields: &[(&str, String)],
        kind: EventKind,
        now: Timestamp,
        context: &Context,
    ) -> Result<ScriptInvocation<'_>> {
        let (mode, policy) = match condition {
            Condition::IsNew => ("create", ""),
            Condition::HasPolicy(policy) => ("update", policy),
        };
        let mut call = Self::call(&self.scripts.put_site, id, now, context)?;
        call.arg(kind.as_str()).arg(mode).arg(policy);
        for (name, value) in fields {
            call.arg(*name).arg(value);
        }
        Ok(call)
    }

    /// Writes a pairing in the place of the one that is known, or ends that; and says whether it was still that.
    async fn put_pairing(
        &self,
        id: SiteId,
        known: &str,
        paired: Option<&Paired>,
        (kind, now): (EventKind, Timestamp),
        context: &Context,
    ) -> Result<bool> {
        let mut call = Self::call(&self.scripts.put_pairing, id, now, context)?;
        call.arg(known)
            .arg(paired.map(to_json).transpose()?.unwrap_or_default())
            .arg(paired.map(|paired| paired.key.kid().as_str()).unwrap_or_default())
            .arg(kind.as_str());
        Ok(self.run_durably_if::<i64>(&call, |written| *written == 1).await? == 1)
    }

    /// A site, and its pairing as it is written.
    async fn site_and_pairing(&self, id: SiteId) -> Result<Option<(Site, String)>> {
        let fields: Fields = self.connection().hmget(keys::site(id), &FIELDS).await?;
        let paired = fields.get(5).cloned().flatten().unwrap_or_default();
        Ok(site(&fields)?.map(|site| (site, paired)))
    }

    async fn read_site(&self, key: String) -> Result<Option<Site>> {
        let fields: Fields = self.connection().hmget(key, &FIELDS).await?;
        site(&fields)
    }

    /// Starts the call of a tenant's script.
    fn tenant_call<'a>(script: &'a Script, site: &Site) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.key(keys::origins(&site.tenant)).key(keys::sites(&site.tenant));
        call.arg(site.origin.to_string()).arg(site.id.to_string());
        call
    }

    /// Claims its origin for a site that is there already; answers with who else has it. A claim whose holder is gone, or is
    /// elsewhere by now, is none.
    async fn claim_origin(&self, site: &Site) -> Result<Option<SiteId>> {
        let mut dead = String::new();
        loop {
            let mut call = Self::tenant_call(&self.scripts.claim_origin, site);
            let holder: String = self.run(call.arg(&dead)).await?;
            if holder.is_empty() {
                return Ok(None);
            }
            let known: SiteId = parsed(&holder)?;
            if self.site(known).await?.is_some_and(|known| known.origin == site.origin) {
                return Ok(Some(known));
            }
            dead = holder;
        }
    }

    /// Gives a site that is at `from` the origin `to`, and ends its pairing. Nothing comes back when it is not (any more)
    /// at `from`.
    async fn put_origin(
        &self,
        id: SiteId,
        (from, to): (&Origin, &Origin),
        now: Timestamp,
        context: &Context,
    ) -> Result<Option<Site>> {
        let context = context.noting(format!("from {from} to {to}"));
        let mut call = Self::call(&self.scripts.move_site, id, now, &context)?;
        call.key(keys::pairing_code(id)).arg(from.to_string()).arg(to.to_string());
        let moved: Option<Fields> = self.run_durably(&call).await?;
        site(&moved.unwrap_or_default())
    }

    /// Removes all keys of a site but the site itself and what tells that it is being removed.
    async fn remove_keys(connection: &mut impl AsyncCommands, id: SiteId) -> Result<()> {
        let (mut cursor, removed) = (0_u64, keys::removed(id));
        loop {
            let (next, mut found): (u64, Vec<String>) = ::redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(keys::everything_of(id))
                .arg("COUNT")
                .arg(1000)
                .query_async(connection)
                .await?;
            found.retain(|key| *key != removed);
            if !found.is_empty() {
                let () = connection.unlink(found).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

/// When a site is written.
#[derive(Clone, Copy)]
enum Condition<'a> {
    /// If it is not there.
    IsNew,
    /// If it is there, with exactly this policy.
    HasPolicy(&'a str),
}

#[async_trait]
impl Sites for Redis {
    async fn create_site(&self, new: &Site, now: Timestamp, context: &Context) -> Result<SiteCreation> {
        let mut fields = vec![
            ("id", new.id.to_string()),
            ("tenant", new.tenant.to_string()),
            ("origin", new.origin.to_string()),
            ("created_at", new.created_at.millis().to_string()),
            ("policy", to_json(&new.policy)?),
        ];
        if let Some(paired) = &new.paired {
            fields.push(("paired", to_json(paired)?));
            fields.push(("paired_kid", paired.key.kid().to_string()));
        }
        // The site lies in its own slot, the claim to its origin in the tenant's. The site comes first, so that
        // whoever finds the origin claimed by a site that is not there knows that it was removed.
        let call =
            self.put_site(new.id, Condition::IsNew, &fields, EventKind::SiteRegistered, now, context)?;
        let created: Option<Fields> = self.run_marked(new.id, &call).await?;
        created.ok_or_else(|| corrupt("a site with a new id was there already"))?;
        self.revoke_forbidden_keys(new.id).await?;
        let Some(known) = self.claim_origin(new).await? else { return Ok(SiteCreation::Created) };
        Self::remove_keys(&mut self.connection(), new.id).await?;
        Ok(SiteCreation::OriginKnown(known))
    }

    async fn site(&self, id: SiteId) -> Result<Option<Site>> {
        self.read_site(keys::site(id)).await
    }

    async fn sites(&self, tenant: &Tenant, after: Option<SiteId>, limit: usize) -> Result<Vec<Site>> {
        let mut from = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        let mut sites = Vec::new();
        // An id whose site is being removed leaves a gap; the page is filled from behind it.
        while sites.len() < limit {
            let wanted = isize::try_from(limit - sites.len()).unwrap_or(isize::MAX);
            let ids: Vec<String> =
                self.connection().zrangebylex_limit(keys::sites(tenant), &from, "+", 0, wanted).await?;
            let Some(last) = ids.last() else { break };
            from = format!("({last}");
            for id in &ids {
                sites.extend(self.site(parsed(id)?).await?);
            }
        }
        Ok(sites)
    }

    async fn all_sites(&self) -> Result<Vec<SiteId>> {
        self.all_named(keys::ALL_SITES, keys::site_of).await
    }

    async fn change_policy(
        &self,
        id: SiteId,
        change: ChangePolicy,
        now: Timestamp,
        context: &Context,
    ) -> Result<PolicyChange> {
        for _ in 0..CHANGE_TRIES {
            let before: Option<String> = self.connection().hget(keys::site(id), "policy").await?;
            let Some(before) = before else { return Ok(PolicyChange::SiteNotFound) };
            let policy = match change(from_json(&before)?) {
                Ok(policy) => policy,
                Err(errors) => return Ok(PolicyChange::Refused(errors)),
            };
            let new = to_json(&policy)?;
            if new == before {
                self.lane().await?.reach_replicas().await?;
                let unchanged = self.site(id).await?.map(Box::new);
                return Ok(unchanged.map_or(PolicyChange::SiteNotFound, PolicyChange::Changed));
            }
            let (fields, condition) = ([("policy", new)], Condition::HasPolicy(&before));
            let call = self.put_site(id, condition, &fields, EventKind::SiteUpdated, now, context)?;
            let changed: Option<Fields> = self.run_durably(&call).await?;
            if let Some(site) = site(&changed.unwrap_or_default())? {
                return Ok(PolicyChange::Changed(Box::new(site)));
            }
        }
        Err(StoreError::Unavailable("the site's policy is changed by too many at once".to_owned()))
    }

    async fn move_site(
        &self,
        id: SiteId,
        to: &Origin,
        now: Timestamp,
        context: &Context,
    ) -> Result<SiteMove> {
        let Some(before) = self.site(id).await? else { return Ok(SiteMove::SiteNotFound) };
        let holder: Option<String> =
            self.connection().hget(keys::origins(&before.tenant), to.to_string()).await?;
        if let Some(holder) = holder.as_deref().map(parsed).transpose()?
            && holder != id
            && self.site(holder).await?.is_some_and(|holder| holder.origin == *to)
        {
            return Ok(SiteMove::OriginKnown(holder));
        }
        // As when it was registered: the site comes first, then the claim to its origin.
        let site = if before.origin == *to {
            before.clone()
        } else {
            match self.put_origin(id, (&before.origin, to), now, context).await? {
                Some(site) => site,
                None => return Err(StoreError::Unavailable("the site is moved by two at once".to_owned())),
            }
        };
        if let Some(holder) = self.claim_origin(&site).await?.filter(|holder| *holder != id) {
            self.put_origin(id, (to, &before.origin), now, context).await?;
            return Ok(SiteMove::OriginKnown(holder));
        }
        if before.origin != *to {
            let mut release = Self::tenant_call(&self.scripts.release_origin, &before);
            let _: i64 = self.run(release.arg("keep")).await?;
        }
        Ok(SiteMove::Moved(Box::new(site)))
    }

    async fn remove_site(&self, id: SiteId, now: Timestamp, context: &Context) -> Result<bool> {
        // In this order, so that from the first step on nothing of the site can be redeemed, and so that whatever a
        // crash leaves is found and removed by doing it again.
        let site = self.site(id).await?;
        if let Some(site) = &site {
            // Told before it is done: should the rest fail, the trail says too much rather than nothing.
            let context = context.noting(site.described());
            self.tell_tenant(&site.tenant, EventKind::SiteRemoved, now, &context).await?;
        }
        let mut lane = self.lane().await?;
        let site = if let Some(site) = site {
            let () = lane.rename(keys::site(id), keys::removed(id)).await?;
            Some(site)
        } else {
            self.read_site(keys::removed(id)).await?
        };
        if let Some(site) = &site {
            let release = Self::tenant_call(&self.scripts.release_origin, site);
            let _: i64 = release.invoke_async(&mut lane).await?;
            Self::remove_keys(&mut lane, id).await?;
            let () = lane.unlink(keys::removed(id)).await?;
        }
        lane.reach_replicas().await?;
        Ok(site.is_some())
    }

    async fn put_pairing_code(
        &self,
        id: SiteId,
        code: &PairingCode,
        now: Timestamp,
        context: &Context,
    ) -> Result<bool> {
        let mut call = Self::call(&self.scripts.put_pairing_code, id, now, context)?;
        call.key(keys::pairing_code(id))
            .arg(&code.secret_hash)
            .arg(code.expires_at.millis())
            .arg(i32::from(code.replace))
            .arg(PAIRING_LIFETIME.as_millis().to_string());
        Ok(self.run_durably::<i64>(&call).await? == 1)
    }

    async fn pairing_code_holds(&self, id: SiteId, secret_hash: &str, now: Timestamp) -> Result<bool> {
        let (held, expires_at): (Option<String>, Option<i64>) =
            self.connection().hmget(keys::pairing_code(id), &["secret_hash", "expires_at"]).await?;
        let in_time = expires_at.is_some_and(|expires_at| now < Timestamp::from_millis(expires_at));
        Ok(in_time && held.as_deref() == Some(secret_hash))
    }

    async fn pair(&self, id: SiteId, proven: &Proven, now: Timestamp, context: &Context) -> Result<Pairing> {
        let mut call = Self::call(&self.scripts.pair, id, now, context)?;
        call.key(keys::pairing_code(id))
            .arg(&proven.secret_hash)
            .arg(proven.replaces.as_ref().map(KeyId::as_str).unwrap_or_default())
            .arg(to_json(&proven.paired)?)
            .arg(proven.paired.key.kid().as_str());
        let answer: Fields = self.run_marked_durably(id, &call, |_| true).await?;
        let (what, fields) = answer.split_first().ok_or_else(|| corrupt("pair answered nothing"))?;
        match what.as_deref() {
            Some("paired") => Ok(Pairing::Paired(Box::new(required(site(fields)?, "site")?))),
            Some("code_invalid") => Ok(Pairing::CodeInvalid),
            Some("replace_required") => Ok(Pairing::ReplaceRequired),
            Some("site_not_found") => Ok(Pairing::SiteNotFound),
            other => Err(corrupt(format!("pair answered {other:?}"))),
        }
    }

    async fn renew_site_key(
        &self,
        id: SiteId,
        renewal: &Renewal,
        now: Timestamp,
        context: &Context,
    ) -> Result<KeyRenewal> {
        let (what, context) = ((EventKind::SiteKeyRenewed, now), context.noting(renewal.described()));
        for _ in 0..CHANGE_TRIES {
            let Some((known, before)) = self.site_and_pairing(id).await? else {
                return Ok(KeyRenewal::NotPaired);
            };
            let paired = match renewal.decide(&known, now) {
                Ok(paired) => paired,
                Err(not_taken) => {
                    // What was done before must hold for this answer too.
                    self.lane().await?.reach_replicas().await?;
                    return Ok(not_taken);
                }
            };
            if self.put_pairing(id, &before, Some(&paired), what, &context).await? {
                return Ok(KeyRenewal::Renewed(Box::new(Site { paired: Some(paired), ..known })));
            }
        }
        Err(too_many())
    }

    async fn revoke_site_key(
        &self,
        id: SiteId,
        now: Timestamp,
        context: &Context,
    ) -> Result<SiteKeyRevocation> {
        for _ in 0..CHANGE_TRIES {
            let Some((known, before)) = self.site_and_pairing(id).await? else {
                return Ok(SiteKeyRevocation::SiteNotFound);
            };
            let Some(paired) = known.paired else {
                self.lane().await?.reach_replicas().await?;
                return Ok(SiteKeyRevocation::NotPaired);
            };
            if self.put_pairing(id, &before, None, (EventKind::SiteKeyRevoked, now), context).await? {
                return Ok(SiteKeyRevocation::Revoked(paired.key.kid().clone()));
            }
        }
        Err(too_many())
    }

    async fn hear(
        &self,
        id: SiteId,
        heartbeat: &Heartbeat,
        now: Timestamp,
        context: &Context,
    ) -> Result<Heard> {
        for _ in 0..CHANGE_TRIES {
            let fields: Fields = self.connection().hmget(keys::site(id), &FIELDS).await?;
            let Some(known) = site(&fields)? else { return Ok(Heard::NotPaired) };
            let (heard, change) = heartbeat.decide(&known, now);
            let Some(change) = change else { return Ok(heard) };
            let before = |index: usize| fields.get(index).cloned().flatten().unwrap_or_default();
            let (paired, pulse) = (before(5), before(6));
            let (kind, cause, note) = match change.event {
                Some(told) => (told.kind.as_str(), told.cause, Some(told.note)),
                None => ("", "", None),
            };
            let context = Context { note, ..context.clone() };
            let mut call = Self::call(&self.scripts.hear, id, now, &context)?;
            call.arg(&paired)
                .arg(&pulse)
                .arg(change.paired.as_ref().map(to_json).transpose()?.unwrap_or_else(|| paired.clone()))
                .arg(to_json(&change.pulse)?)
                .arg(kind)
                .arg(cause);
            if self.run::<i64>(&call).await? == 1 {
                return Ok(heard);
            }
        }
        Err(too_many())
    }
}

fn too_many() -> StoreError {
    StoreError::Unavailable("the site is changed by too many at once".to_owned())
}
