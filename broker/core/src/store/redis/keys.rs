//! Every key name there is. What belongs to a site carries its id as hash tag, so that a cluster keeps it together
//! and one script can touch it all.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `gp:{site}:site` | hash | id, tenant, origin, `created_at`, policy, paired, `paired_kid`, pulse |
//! | `gp:{site}:removed` | hash | what `site` was, while the rest is being removed |
//! | `gp:{site}:state` | hash | events and revision (counters), `not_before`, pulled, `pulled_epoch`, `pulled_at`, `handed_out`, delivery |
//! | `gp:{site}:events` | stream | the trail; ids are `seq-0` |
//! | `gp:{site}:code` | hash | the pairing code; expires |
//! | `gp:{site}:revoked-keys` | hash | key id → when |
//! | `gp:{site}:members` | sorted set | subjects by position |
//! | `gp:{site}:removed-members` | sorted set | the same of those that were removed |
//! | `gp:{site}:m:SUBJECT` | hash | doc and `allowed_until` (not of one that was removed), revision, `updated_at`, `not_before`, position, effect, report, `sessions_ended`, acknowledged, `acknowledged_at`, user, error |
//! | `gp:{site}:r:SUBJECT` | hash | position, at, sessions: what a site reported; expires |
//! | `gp:{site}:h:HANDOFF` | hash | the record of one handoff; expires |
//! | `gp:{site}:l:BUCKET:NAME` | hash | `empty_at`, `told_at` of a bucket of limits; expires |
//! | `gp:{tenant:T}:origins` | hash | origin → site id |
//! | `gp:{tenant:T}:sites` | sorted set | site ids |
//! | `gp:schema` | string | the layout's number |
//! | `gp:clients` | hash | hash of the API key → client |
//! | `gp:{gp:clients}:used` | hash | client id → when its key was last used |
//! | `gp:{gp:clients}:keyring` | string | the newest revision of the keyring that was announced |
//! | `gp:{gp:clients}:forbidden-keys` | hash | key id → when, of keys that are revoked on every site that is registered |
//! | `gp:{gp:clients}:T:state` | hash | events (counter) of the tenant T |
//! | `gp:{gp:clients}:T:events` | stream | its trail; in the slot of `gp:clients`, to be written in one step with it |
//! | `gp:behind` | hash | site id → a mark of its own, of each site that may have something to pull |
//! | `gp:{gp:behind}:epoch` | string | since which primary no site lacks there |
//! | `gp:{gp:behind}:handles` | string | a counter, for marks |
//! | `gp:copying` | string | which copy into this store has begun and not ended; until then nobody works with it |
//! | `gp:mark` | string | nothing: it is written before `WAIT` |

use crate::id::{HandoffId, SiteId, Subject, Tenant};
use crate::limit::Bucket;
use crate::trail::Trail;

pub(in crate::store) const SCHEMA: &str = "gp:schema";
pub(in crate::store) const CLIENTS: &str = "gp:clients";
pub(in crate::store) const CLIENT_USES: &str = "gp:{gp:clients}:used";
pub(in crate::store) const KEYRING: &str = "gp:{gp:clients}:keyring";
pub(in crate::store) const FORBIDDEN_KEYS: &str = "gp:{gp:clients}:forbidden-keys";
pub(in crate::store) const COPYING: &str = "gp:copying";
pub(in crate::store) const MARK: &str = "gp:mark";
pub(in crate::store) const BEHIND: &str = "gp:behind";
pub(in crate::store) const BEHIND_EPOCH: &str = "gp:{gp:behind}:epoch";
pub(in crate::store) const BEHIND_HANDLES: &str = "gp:{gp:behind}:handles";

/// Matches every key.
pub(in crate::store) const ALL: &str = "gp:*";

/// Matches the keys of all sites, and perhaps one that is none.
pub(in crate::store) const ALL_SITES: &str = "gp:{site_*}:site";

/// Matches the streams of all trails, and perhaps a key that is none.
pub(in crate::store) const EVENTS_OF_ALL: &str = "gp:{*}:*events";

fn of_trail(trail: &Trail, rest: &str) -> String {
    match trail {
        Trail::Site(site) => of_site(*site, rest),
        Trail::Tenant(tenant) => format!("gp:{{{CLIENTS}}}:{tenant}:{rest}"),
    }
}

fn of_site(site: SiteId, rest: &str) -> String {
    format!("gp:{{{site}}}:{rest}")
}

pub(in crate::store) fn site(site: SiteId) -> String {
    of_site(site, "site")
}
/// The site whose key this is, if it is one.
pub(in crate::store) fn site_of(key: &str) -> Option<SiteId> {
    key.strip_prefix("gp:{")?.strip_suffix("}:site")?.parse().ok()
}
pub(in crate::store) fn removed(site: SiteId) -> String {
    of_site(site, "removed")
}
pub(in crate::store) fn state(trail: &Trail) -> String {
    of_trail(trail, "state")
}
pub(in crate::store) fn events(trail: &Trail) -> String {
    of_trail(trail, "events")
}
/// The trail that is in the stream of this name, if it is one.
pub(in crate::store) fn trail_of(events: &str) -> Option<Trail> {
    let (tag, rest) = events.strip_prefix("gp:{")?.split_once("}:")?;
    match (tag, rest) {
        (CLIENTS, rest) => rest.strip_suffix(":events")?.parse().ok().map(Trail::Tenant),
        (site, "events") => site.parse().ok().map(Trail::Site),
        _ => None,
    }
}
pub(in crate::store) fn pairing_code(site: SiteId) -> String {
    of_site(site, "code")
}
pub(in crate::store) fn revoked_keys(site: SiteId) -> String {
    of_site(site, "revoked-keys")
}
pub(in crate::store) fn members(site: SiteId) -> String {
    of_site(site, "members")
}
pub(in crate::store) fn removed_members(site: SiteId) -> String {
    of_site(site, "removed-members")
}
/// What the keys of a site's members begin with, before their subjects.
pub(in crate::store) fn any_member(site: SiteId) -> String {
    of_site(site, "m:")
}
pub(in crate::store) fn member(site: SiteId, subject: &Subject) -> String {
    format!("{}{subject}", any_member(site))
}
pub(in crate::store) fn report(site: SiteId, subject: &Subject) -> String {
    of_site(site, &format!("r:{subject}"))
}
pub(in crate::store) fn handoff(site: SiteId, id: HandoffId) -> String {
    of_site(site, &format!("h:{id}"))
}
pub(in crate::store) fn bucket(site: SiteId, bucket: Bucket, name: &str) -> String {
    of_site(site, &format!("l:{}:{name}", bucket.as_str()))
}
pub(in crate::store) fn everything_of(site: SiteId) -> String {
    of_site(site, "*")
}
pub(in crate::store) fn origins(tenant: &Tenant) -> String {
    format!("gp:{{tenant:{tenant}}}:origins")
}
pub(in crate::store) fn sites(tenant: &Tenant) -> String {
    format!("gp:{{tenant:{tenant}}}:sites")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_is_known_by_the_name_of_its_stream() {
        let site = "site_agrag6hy5byvbdbav5e43yh4bu".parse().unwrap();
        for trail in [Trail::Site(site), Trail::Tenant("a-b".parse().unwrap())] {
            assert_eq!(trail_of(&events(&trail)), Some(trail));
        }
        let member = member(site, &"events".parse().unwrap());
        for other in [member, state(&Trail::Site(site)), site.to_string(), "gp:{tenant:a}:events".to_owned()]
        {
            assert_eq!(trail_of(&other), None, "{other}");
        }
    }
}
