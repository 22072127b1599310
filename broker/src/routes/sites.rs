//! Sites: register, read, change, pair again, remove.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use gatepass_core::client::Scope;
use gatepass_core::event::Event;
use gatepass_core::pairing::make_code;
use gatepass_core::site::{Origin, Policy, Site, Versions};
use gatepass_core::store::SiteCreation;
use gatepass_core::validate::{self, FieldError};
use gatepass_core::{SiteId, Timestamp};
use gatepass_http::{Code, Json, Problem};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::BrokerState;
use crate::error::from_make_code;
use crate::extract::{Authenticated, OwnSite};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSite {
    /// Scheme, host and port of the site.
    url: String,
    #[serde(default)]
    policy: Policy,
}

#[derive(Serialize)]
struct Answer {
    id: SiteId,
    url: Origin,
    created_at: Timestamp,
    paired: bool,
    paired_at: Option<Timestamp>,
    landing_url: Option<Url>,
    versions: Option<Versions>,
    policy: Policy,
}

impl From<Site> for Answer {
    fn from(site: Site) -> Self {
        let paired = site.paired;
        Self {
            id: site.id,
            url: site.origin,
            created_at: site.created_at,
            paired: paired.is_some(),
            paired_at: paired.as_ref().map(|paired| paired.paired_at),
            landing_url: paired.as_ref().map(|paired| paired.landing_url.clone()),
            versions: paired.map(|paired| paired.versions),
            policy: site.policy,
        }
    }
}

#[post("/v1/sites")]
pub(super) async fn create(
    state: web::Data<BrokerState>,
    by: Authenticated,
    Json(body): Json<NewSite>,
) -> Result<HttpResponse, Problem> {
    by.may(Scope::Sites)?;
    let origin: Origin = body.url.parse().map_err(|error: gatepass_core::site::InvalidOrigin| {
        Problem::invalid(vec![FieldError::new("url", "invalid", error.to_string())])
    })?;
    check_policy(&body.policy)?;
    let now = state.ambient.now();
    let site = Site {
        id: SiteId::generate(now, state.ambient.rng())?,
        tenant: by.client.tenant.clone(),
        origin,
        created_at: now,
        policy: body.policy,
        paired: None,
    };
    match state.store.create_site(&site, now, &by.context).await? {
        SiteCreation::Created => Ok(HttpResponse::Created().json(Answer::from(site))),
        SiteCreation::OriginKnown(id) => Err(Problem::new(Code::SiteExists).with("site_id", id)),
    }
}

fn check_policy(policy: &Policy) -> Result<(), Problem> {
    let mut errors = validate::policy(policy);
    for error in &mut errors {
        error.field.insert_str(0, "policy.");
    }
    Problem::check(errors)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    cursor: Option<SiteId>,
}

#[derive(Serialize)]
struct SiteList {
    sites: Vec<Answer>,
    next_cursor: Option<SiteId>,
}

#[get("/v1/sites")]
pub(super) async fn list(
    state: web::Data<BrokerState>,
    by: Authenticated,
    page: web::Query<Page>,
) -> Result<web::Json<SiteList>, Problem> {
    const PAGE: usize = 100;
    by.may(Scope::Sites)?;
    let sites = state.store.sites(&by.client.tenant, page.cursor, PAGE).await?;
    let next_cursor = sites.last().filter(|_| sites.len() == PAGE).map(|site| site.id);
    Ok(web::Json(SiteList { sites: sites.into_iter().map(Answer::from).collect(), next_cursor }))
}

#[get("/v1/sites/{site}")]
pub(super) async fn read(OwnSite { site, by }: OwnSite) -> Result<web::Json<Answer>, Problem> {
    by.may(Scope::Sites)?;
    Ok(web::Json(Answer::from((*site).clone())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Members of the policy that change (RFC 7396: what is not named stays, `null` takes away).
    policy: serde_json::Map<String, serde_json::Value>,
}

#[patch("/v1/sites/{site}")]
pub(super) async fn update(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
    Json(body): Json<Change>,
) -> Result<web::Json<Answer>, Problem> {
    by.may(Scope::Sites)?;
    let mut merged = serde_json::to_value(&site.policy).unwrap_or_default();
    if let Some(members) = merged.as_object_mut() {
        for (name, value) in body.policy {
            if value.is_null() {
                members.remove(&name);
            } else {
                members.insert(name, value);
            }
        }
    }
    let policy: Policy = serde_json::from_value(merged)
        .map_err(|error| Problem::invalid(vec![FieldError::new("policy", "invalid", error.to_string())]))?;
    check_policy(&policy)?;
    state.sites.forget(&site.id).await;
    let changed = state.store.set_policy(site.id, &policy, state.ambient.now(), &by.context).await?;
    Ok(web::Json(Answer::from(changed.ok_or_else(|| Problem::new(Code::SiteNotFound))?)))
}

#[delete("/v1/sites/{site}")]
pub(super) async fn remove(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
) -> Result<HttpResponse, Problem> {
    by.may(Scope::Sites)?;
    state.sites.forget(&site.id).await;
    state.store.remove_site(site.id).await?;
    tracing::info!(site = %site.id, client = %by.client.id, request_id = %by.context.request_id, "site removed");
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCode {
    /// Whether the code may replace a pairing without the site's old key.
    #[serde(default)]
    replace: bool,
}

#[derive(Serialize)]
struct CodeAnswer<'a> {
    site_id: SiteId,
    pairing_code: &'a str,
    expires_at: Timestamp,
}

#[post("/v1/sites/{site}/pairing-code")]
pub(super) async fn pairing_code(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
    Json(body): Json<NewCode>,
) -> Result<HttpResponse, Problem> {
    by.may(Scope::Sites)?;
    let made = make_code(
        &*state.store,
        state.ambient.rng(),
        state.keyring.key_set(),
        &state.bridge_url,
        site.id,
        body.replace,
        state.ambient.now(),
        &by.context,
    )
    .await
    .map_err(from_make_code)?;
    let (code, expires_at) = made.ok_or_else(|| Problem::new(Code::SiteNotFound))?;
    let answer = CodeAnswer { site_id: site.id, pairing_code: code.expose(), expires_at };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventPage {
    #[serde(default)]
    after: u64,
}

#[derive(Serialize)]
struct EventList {
    events: Vec<Event>,
    /// Pass it as `after` to go on; the same again when nothing is new.
    next: u64,
}

#[get("/v1/sites/{site}/events")]
pub(super) async fn events(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
    page: web::Query<EventPage>,
) -> Result<web::Json<EventList>, Problem> {
    by.may(Scope::Sites)?;
    let events = state.store.events(site.id, page.after, 200).await?;
    let next = events.last().map_or(page.after, |event| event.seq);
    Ok(web::Json(EventList { events, next }))
}
