//! Heartbeats: what a site says of itself, and what it should know of us.

use actix_web::{HttpResponse, web};
use gatepass_core::Timestamp;
use gatepass_core::heartbeat::{Checks, Heard, Heartbeat, place};
use gatepass_core::site::Versions;
use gatepass_core::validate;
use gatepass_http::{ClientAddress, Code, Json, Problem, Then};
use serde::{Deserialize, Serialize};
use url::Url;

use super::PolicyAnswer;
use crate::BridgeState;
use crate::extract::ProvenSite;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    versions: Versions,
    /// The site's own address as WordPress knows it.
    url: Url,
    /// Where a browser takes its token; on the registered origin.
    landing_url: Url,
    /// How the site's checks of itself came out.
    #[serde(default)]
    checks: Checks,
}

#[derive(Serialize)]
struct Answer<'a> {
    policy: PolicyAnswer<'a>,
    issuer: &'a str,
    server_time: Timestamp,
    /// Of the issuer's key set: whoever knows an older one asks for key sets.
    keys_version: u64,
}

pub(super) async fn create(
    state: web::Data<BridgeState>,
    from: ClientAddress,
    Then(ProvenSite { site, key: kid, mut context }, Json(said)): Then<ProvenSite, Json<Said>>,
) -> Result<HttpResponse, Problem> {
    context.client_ip = Some(from.0);
    let Said { versions, url, landing_url, checks } = said;
    let mut errors: Vec<_> =
        validate::site_url(&url).into_iter().chain(validate::versions(&versions)).collect();
    // Of a site that lives elsewhere its landing page does too, and it is to learn the reason.
    if site.origin.is(&url) {
        errors.extend(validate::landing_url(&landing_url, &site.origin));
    }
    Problem::check(errors)?;
    let not_paired = || Problem::new(Code::SiteProofInvalid);
    let heartbeat = Heartbeat { kid, url, landing_url, versions, checks };
    let now = state.ambient.now();
    match state.store.hear(site.id, &heartbeat, now, &context).await? {
        Heard::Kept => state.sites.forget(site.id).await,
        Heard::Known => {}
        Heard::Elsewhere => {
            let here = place(&heartbeat.url);
            let detail = format!(
                "the pairing is of {}, this site says it is {here}: pair it by a code of its own",
                site.origin
            );
            return Err(Problem::new(Code::SiteIdentityConflict).detail(detail));
        }
        Heard::Limited(limited) => return Err(limited.into()),
        Heard::NotPaired => return Err(not_paired()),
    }
    let policy = PolicyAnswer::from(&site.policy);
    let keys_version = state.keys.version();
    Ok(HttpResponse::Ok().json(Answer { policy, issuer: &state.issuer, server_time: now, keys_version }))
}
