//! Sites and pairing in Redis.

use ::redis::AsyncCommands;
use async_trait::async_trait;
use gatepass_keys::KeyId;

use super::{Redis, from_json, keys, parsed, required, to_json};
use crate::clock::Timestamp;
use crate::event::{Context, EventKind};
use crate::id::{SiteId, Tenant};
use crate::pairing::{PAIRING_LIFETIME, Pairing, PairingCode, Proven};
use crate::site::{Policy, Site};
use crate::store::{Result, SiteCreation, Sites, corrupt};

const FIELDS: [&str; 6] = ["id", "tenant", "origin", "created_at", "policy", "paired"];
type Fields = Vec<Option<String>>;

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
    }))
}

impl Redis {
    async fn put_site(
        &self,
        id: SiteId,
        mode: &str,
        fields: &[(&str, String)],
        kind: EventKind,
        now: Timestamp,
        context: &Context,
    ) -> Result<Option<Site>> {
        let mut call = Self::call(&self.scripts.put_site, id, now, context)?;
        call.key(keys::site(id)).arg(kind.as_str()).arg(mode);
        for (name, value) in fields {
            call.arg(*name).arg(value);
        }
        let fields: Option<Fields> = self.run(&call).await?;
        site(&fields.unwrap_or_default())
    }
}

#[async_trait]
impl Sites for Redis {
    async fn create_site(&self, new: &Site, now: Timestamp, context: &Context) -> Result<SiteCreation> {
        let (origins, origin) = (keys::origins(&new.tenant), new.origin.to_string());
        let mut connection = self.connection();
        // The origin is claimed first. A claim whose site never came to be (a crash between the two steps, which
        // lie in two slots) is taken over.
        if !connection.hset_nx::<_, _, _, bool>(&origins, &origin, new.id.to_string()).await? {
            let holder: String = connection.hget(&origins, &origin).await?;
            let holder: SiteId = parsed(&holder)?;
            if self.site(holder).await?.is_some() {
                return Ok(SiteCreation::OriginKnown(holder));
            }
            let () = connection.hset(&origins, &origin, new.id.to_string()).await?;
        }
        let () = connection.zadd(keys::sites(&new.tenant), new.id.to_string(), 0).await?;
        let mut fields = vec![
            ("id", new.id.to_string()),
            ("tenant", new.tenant.to_string()),
            ("origin", origin),
            ("created_at", new.created_at.millis().to_string()),
            ("policy", to_json(&new.policy)?),
        ];
        if let Some(paired) = &new.paired {
            fields.push(("paired", to_json(paired)?));
            fields.push(("paired_kid", paired.key.kid().to_string()));
        }
        let created =
            self.put_site(new.id, "create", &fields, EventKind::SiteRegistered, now, context).await?;
        created
            .map(|_| SiteCreation::Created)
            .ok_or_else(|| corrupt("a site with a new id was there already"))
    }

    async fn site(&self, id: SiteId) -> Result<Option<Site>> {
        let fields: Fields = self.connection().hmget(keys::site(id), &FIELDS).await?;
        site(&fields)
    }

    async fn sites(&self, tenant: &Tenant, after: Option<SiteId>, limit: usize) -> Result<Vec<Site>> {
        let from = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        let limit = isize::try_from(limit).unwrap_or(isize::MAX);
        let ids: Vec<String> =
            self.connection().zrangebylex_limit(keys::sites(tenant), from, "+", 0, limit).await?;
        let mut sites = Vec::with_capacity(ids.len());
        for id in ids {
            sites.extend(self.site(parsed(&id)?).await?);
        }
        Ok(sites)
    }

    async fn set_policy(
        &self,
        id: SiteId,
        policy: &Policy,
        now: Timestamp,
        context: &Context,
    ) -> Result<Option<Site>> {
        let fields = [("policy", to_json(policy)?)];
        self.put_site(id, "update", &fields, EventKind::SiteUpdated, now, context).await
    }

    async fn remove_site(&self, id: SiteId) -> Result<bool> {
        let Some(site) = self.site(id).await? else { return Ok(false) };
        let mut connection = self.connection();
        // The site itself first: without it nothing of it can be redeemed any more.
        let () = connection.del(keys::site(id)).await?;
        let () = connection.hdel(keys::origins(&site.tenant), site.origin.to_string()).await?;
        let () = connection.zrem(keys::sites(&site.tenant), id.to_string()).await?;
        let mut cursor = 0_u64;
        loop {
            let (next, found): (u64, Vec<String>) = ::redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(keys::everything_of(id))
                .arg("COUNT")
                .arg(1000)
                .query_async(&mut connection)
                .await?;
            if !found.is_empty() {
                let () = connection.unlink(found).await?;
            }
            if next == 0 {
                return Ok(true);
            }
            cursor = next;
        }
    }

    async fn put_pairing_code(
        &self,
        id: SiteId,
        code: &PairingCode,
        now: Timestamp,
        context: &Context,
    ) -> Result<bool> {
        let mut call = Self::call(&self.scripts.put_pairing_code, id, now, context)?;
        call.key(keys::site(id))
            .key(keys::pairing_code(id))
            .arg(&code.secret_hash)
            .arg(code.expires_at.millis())
            .arg(i32::from(code.replace))
            .arg(PAIRING_LIFETIME.as_millis().to_string());
        Ok(self.run::<i64>(&call).await? == 1)
    }

    async fn pairing_code_holds(&self, id: SiteId, secret_hash: &str, now: Timestamp) -> Result<bool> {
        let (held, expires_at): (Option<String>, Option<i64>) =
            self.connection().hmget(keys::pairing_code(id), &["secret_hash", "expires_at"]).await?;
        let in_time = expires_at.is_some_and(|expires_at| now < Timestamp::from_millis(expires_at));
        Ok(in_time && held.as_deref() == Some(secret_hash))
    }

    async fn pair(&self, id: SiteId, proven: &Proven, now: Timestamp, context: &Context) -> Result<Pairing> {
        let mut call = Self::call(&self.scripts.pair, id, now, context)?;
        call.key(keys::site(id))
            .key(keys::pairing_code(id))
            .arg(&proven.secret_hash)
            .arg(proven.replaces.as_ref().map(KeyId::as_str).unwrap_or_default())
            .arg(to_json(&proven.paired)?)
            .arg(proven.paired.key.kid().as_str());
        let answer: Fields = self.run(&call).await?;
        let (what, fields) = answer.split_first().ok_or_else(|| corrupt("pair answered nothing"))?;
        match what.as_deref() {
            Some("paired") => Ok(Pairing::Paired(Box::new(required(site(fields)?, "site")?))),
            Some("code_invalid") => Ok(Pairing::CodeInvalid),
            Some("replace_required") => Ok(Pairing::ReplaceRequired),
            Some("site_not_found") => Ok(Pairing::SiteNotFound),
            other => Err(corrupt(format!("pair answered {other:?}"))),
        }
    }
}
