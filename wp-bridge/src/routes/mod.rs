//! The API for sites, `/wp/v1`.

mod changes;
mod heartbeats;
mod key_sets;
mod member;
mod outcomes;
mod pairings;
mod redemptions;
mod site_keys;

use actix_web::web;
use gatepass_core::site::Policy;
use gatepass_http::body::MaxBodyBytes;
use serde::Serialize;
use url::Url;

use self::member::MemberAnswer;

/// Every route of the bridge.
pub fn routes(config: &mut web::ServiceConfig) {
    // One resource a path, so that another method is answered 405 and not 404.
    let at = web::resource::<&str>;
    config
        .service(at("/wp/v1/changes").route(web::get().to(changes::read)))
        .service(
            at("/wp/v1/changes/acks")
                .app_data(web::PayloadConfig::new(changes::MAX_ACKS_BYTES))
                .app_data(MaxBodyBytes(changes::MAX_ACKS_BYTES))
                .route(web::post().to(changes::acknowledge)),
        )
        .service(at("/wp/v1/pairings").route(web::post().to(pairings::create)))
        .service(at("/wp/v1/key-sets").route(web::get().to(key_sets::read)))
        .service(at("/wp/v1/site-key").route(web::post().to(site_keys::create)))
        .service(at("/wp/v1/heartbeat").route(web::post().to(heartbeats::create)))
        .service(at("/wp/v1/redemptions").route(web::post().to(redemptions::create)))
        .service(at("/wp/v1/redemptions/{id}/outcome").route(web::post().to(outcomes::create)));
}

/// What a site is told of its policy.
#[derive(Serialize)]
pub(super) struct PolicyAnswer<'a> {
    panel_url: &'a Option<Url>,
    renew_url: &'a Option<Url>,
    panel_start_url: &'a Option<Url>,
    default_redirect: &'a Option<String>,
    allowed_roles: &'a [String],
    /// What holds, for whatever reason.
    require_binding: bool,
}

impl<'a> From<&'a Policy> for PolicyAnswer<'a> {
    fn from(policy: &'a Policy) -> Self {
        Self {
            panel_url: &policy.panel_url,
            renew_url: &policy.renew_url,
            panel_start_url: &policy.panel_start_url,
            default_redirect: &policy.default_redirect,
            allowed_roles: &policy.allowed_roles,
            require_binding: policy.requires_binding(),
        }
    }
}
