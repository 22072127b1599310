//! Every key name there is. What belongs to a site carries its id as hash tag, so that a cluster keeps it together
//! and one script can touch it all.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `gp:{site}:site` | hash | id, tenant, origin, `created_at`, policy, paired, `paired_kid`, pulse |
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
//! | `gp:{gp:clients}:T:state` | hash | events (counter) of the tenant T |
//! | `gp:{gp:clients}:T:events` | stream | its trail; in the slot of `gp:clients`, to be written in one step with it |
//! | `gp:mark` | string | nothing: it is written before `WAIT` |

use crate::id::{HandoffId, SiteId, Subject, Tenant};
use crate::limit::Bucket;
use crate::trail::Trail;

pub(super) const SCHEMA: &str = "gp:schema";
pub(super) const CLIENTS: &str = "gp:clients";
pub(super) const MARK: &str = "gp:mark";

/// Matches the streams of all trails, and perhaps a key that is none.
pub(super) const EVENTS_OF_ALL: &str = "gp:{*}:*events";

fn of_trail(trail: &Trail, rest: &str) -> String {
    match trail {
        Trail::Site(site) => of_site(*site, rest),
        Trail::Tenant(tenant) => format!("gp:{{{CLIENTS}}}:{tenant}:{rest}"),
    }
}

fn of_site(site: SiteId, rest: &str) -> String {
    format!("gp:{{{site}}}:{rest}")
}

pub(super) fn site(site: SiteId) -> String {
    of_site(site, "site")
}
pub(super) fn removed(site: SiteId) -> String {
    of_site(site, "removed")
}
pub(super) fn state(trail: &Trail) -> String {
    of_trail(trail, "state")
}
pub(super) fn events(trail: &Trail) -> String {
    of_trail(trail, "events")
}
/// The trail that is in the stream of this name, if it is one.
pub(super) fn trail_of(events: &str) -> Option<Trail> {
    let (tag, rest) = events.strip_prefix("gp:{")?.split_once("}:")?;
    match (tag, rest) {
        (CLIENTS, rest) => rest.strip_suffix(":events")?.parse().ok().map(Trail::Tenant),
        (site, "events") => site.parse().ok().map(Trail::Site),
        _ => None,
    }
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
