//! Every key name there is. What belongs to a site carries its id as hash tag, so that a cluster keeps it together
//! and one script can touch it all.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `gp:{site}:site` | hash | id, tenant, origin, `created_at`, policy, paired, `paired_kid` |
//! | `gp:{site}:removed` | hash | what `site` was, while the rest is being removed |
//! | `gp:{site}:state` | hash | events and revision (counters), `not_before` |
//! | `gp:{site}:events` | stream | the trail; ids are `seq-0` |
//! | `gp:{site}:code` | hash | the pairing code; expires |
//! | `gp:{site}:revoked-keys` | hash | key id → when |
//! | `gp:{site}:members` | sorted set | subjects by revision |
//! | `gp:{site}:m:SUBJECT` | hash | doc, `allowed_until`, revision, `updated_at`, `not_before` |
//! | `gp:{site}:h:HANDOFF` | hash | the record of one handoff; expires |
//! | `gp:{site}:l:BUCKET:NAME` | hash | `empty_at`, `told_at` of a bucket of limits; expires |
//! | `gp:{tenant:T}:origins` | hash | origin → site id |
//! | `gp:{tenant:T}:sites` | sorted set | site ids |
//! | `gp:schema` | string | the layout's number |
//! | `gp:clients` | hash | hash of the API key → client |
//! | `gp:mark` | string | nothing: it is written before `WAIT` |

use crate::id::{HandoffId, SiteId, Subject, Tenant};
use crate::limit::Bucket;

pub(super) const SCHEMA: &str = "gp:schema";
pub(super) const CLIENTS: &str = "gp:clients";
pub(super) const MARK: &str = "gp:mark";

fn of_site(site: SiteId, rest: &str) -> String {
    format!("gp:{{{site}}}:{rest}")
}

pub(super) fn site(site: SiteId) -> String {
    of_site(site, "site")
}
pub(super) fn removed(site: SiteId) -> String {
    of_site(site, "removed")
}
pub(super) fn state(site: SiteId) -> String {
    of_site(site, "state")
}
pub(super) fn events(site: SiteId) -> String {
    of_site(site, "events")
}
pub(super) fn pairing_code(site: SiteId) -> String {
    of_site(site, "code")
}
pub(super) fn revoked_keys(site: SiteId) -> String {
    of_site(site, "revoked-keys")
}
pub(super) fn members(site: SiteId) -> String {
    of_site(site, "members")
}
pub(super) fn member(site: SiteId, subject: &Subject) -> String {
    of_site(site, &format!("m:{subject}"))
}
pub(super) fn handoff(site: SiteId, id: HandoffId) -> String {
    of_site(site, &format!("h:{id}"))
}
pub(super) fn bucket(site: SiteId, bucket: Bucket, name: &str) -> String {
    of_site(site, &format!("l:{}:{name}", bucket.as_str()))
}
pub(super) fn everything_of(site: SiteId) -> String {
    of_site(site, "*")
}
pub(super) fn origins(tenant: &Tenant) -> String {
    format!("gp:{{tenant:{tenant}}}:origins")
}
pub(super) fn sites(tenant: &Tenant) -> String {
    format!("gp:{{tenant:{tenant}}}:sites")
}
