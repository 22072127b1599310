//! Sites: register, read, change, pair again, remove.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use gatepass_core::change::Delivery;
use gatepass_core::client::Scope;
use gatepass_core::heartbeat::{Pulse, Seen};
use gatepass_core::pairing::make_code;
use gatepass_core::site::{Origin, Policy, Site, Versions};
use gatepass_core::store::{ChangePolicy, PolicyChange, SiteCreation};
use gatepass_core::validate::{self, FieldError};
use gatepass_core::{SiteId, Timestamp};
use gatepass_http::{Code, Json, Problem, Then};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::BrokerState;
use crate::error::from_make_code;
use crate::extract::{Authenticated, OwnSite};
use crate::routes::field::Field;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSite {
    /// Scheme, host and port of the site.
    url: String,
    #[serde(default)]
    policy: Policy,
}

#[derive(Serialize)]
pub(super) struct Answer {
    id: SiteId,
    url: Origin,
    created_at: Timestamp,
    paired: bool,
    paired_at: Option<Timestamp>,
    landing_url: Option<Url>,
    /// Where the button leads for a bound handoff.
    start_url: Option<Url>,
    /// As it was paired.
    versions: Option<Versions>,
    /// What it last said of itself.
    seen: Option<Seen>,
    policy: Policy,
}

impl From<Site> for Answer {
    fn from(site: Site) -> Self {
        let start_url = site.start_url();
        let paired = site.paired;
        Self {
            id: site.id,
            url: site.origin,
            created_at: site.created_at,
            paired: paired.is_some(),
            paired_at: paired.as_ref().map(|paired| paired.paired_at),
            landing_url: paired.as_ref().map(|paired| paired.landing_url.clone()),
            start_url,
            versions: paired.map(|paired| paired.versions),
            seen: site.pulse.seen,
            policy: site.policy,
        }
    }
}

pub(super) async fn create(
    state: web::Data<BrokerState>,
    Then(by, Json(body)): Then<Authenticated, Json<NewSite>>,
) -> Result<HttpResponse, Problem> {
    by.may(Scope::Sites)?;
    let origin: Origin = body.url.parse().map_err(|error: gatepass_core::site::InvalidOrigin| {
        Problem::invalid(vec![FieldError::new("url", "invalid", error.to_string())])
    })?;
    // Pairing would refuse it too. It is said here already, where somebody can correct it.
    if state.destinations.check_literal(origin.url()).is_err() {
        let message = "expected a name or a public address: Gatepass may call no other";
        return Err(Problem::invalid(vec![FieldError::new("url", "invalid", message)]));
    }
    check_policy(&body.policy)?;
    if body.policy.membership_url.is_some() {
        // Whoever answers there decides about members.
        by.may(Scope::MembersWrite)?;
    }
    let now = state.ambient.now();
    let site = Site {
        id: SiteId::generate(now, state.ambient.rng())?,
        tenant: by.client.tenant.clone(),
        origin,
        created_at: now,
        policy: body.policy,
        paired: None,
        pulse: Pulse::default(),
    };
    match state.store.create_site(&site, now, &by.context).await? {
        SiteCreation::Created => Ok(HttpResponse::Created().json(Answer::from(site))),
        SiteCreation::OriginKnown(id) => Err(Problem::new(Code::SiteExists).with("site_id", id)),
    }
}

fn check_policy(policy: &Policy) -> Result<(), Problem> {
    Problem::check(validate::policy(policy).into_iter().map(in_policy).collect())
}

/// The error of a policy's field as a request has it: one level down.
fn in_policy(error: FieldError) -> FieldError {
    FieldError { field: format!("policy.{}", error.field), ..error }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(default)]
    cursor: Option<SiteId>,
}

#[derive(Serialize)]
pub(super) struct SiteList {
    sites: Vec<Answer>,
    next_cursor: Option<SiteId>,
}

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

#[derive(Serialize)]
pub(super) struct ReadAnswer {
    #[serde(flatten)]
    site: Answer,
    progress: Progress,
}

/// How far the site has followed.
#[derive(Serialize)]
struct Progress {
    /// The last change for it.
    position: u64,
    /// Up to which it has pulled.
    pulled: u64,
    #[serde(flatten)]
    delivery: Delivery,
}

pub(super) async fn read(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
) -> Result<web::Json<ReadAnswer>, Problem> {
    by.may(Scope::Sites)?;
    let progress = state.store.progress(site.id).await?.ok_or_else(|| Problem::new(Code::SiteNotFound))?;
    let progress =
        Progress { position: progress.position, pulled: progress.pulled, delivery: progress.delivery };
    Ok(web::Json(ReadAnswer { site: Answer::from((*site).clone()), progress }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    policy: PolicyChanges,
}

/// Members of the policy that change.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PolicyChanges {
    panel_url: Field<Url>,
    panel_start_url: Field<Url>,
    membership_url: Field<Url>,
    renew_url: Field<Url>,
    default_redirect: Field<String>,
    token_lifetime: Field<u32>,
    require_binding: Field<bool>,
    allowed_roles: Field<Vec<String>>,
}

impl PolicyChanges {
    fn apply(&self, policy: Policy) -> Policy {
        let default = Policy::default();
        Policy {
            panel_url: self.panel_url.optional(policy.panel_url),
            panel_start_url: self.panel_start_url.optional(policy.panel_start_url),
            membership_url: self.membership_url.optional(policy.membership_url),
            renew_url: self.renew_url.optional(policy.renew_url),
            default_redirect: self.default_redirect.optional(policy.default_redirect),
            token_lifetime: self.token_lifetime.required(policy.token_lifetime, default.token_lifetime),
            require_binding: self.require_binding.required(policy.require_binding, default.require_binding),
            allowed_roles: self.allowed_roles.required(policy.allowed_roles, default.allowed_roles),
        }
    }
}

pub(super) async fn update(
    state: web::Data<BrokerState>,
    Then(OwnSite { site, by }, Json(body)): Then<OwnSite, Json<Change>>,
) -> Result<web::Json<Answer>, Problem> {
    by.may(Scope::Sites)?;
    if matches!(body.policy.membership_url, Field::Named(Some(_))) {
        by.may(Scope::MembersWrite)?;
    }
    let change: ChangePolicy = Arc::new(move |policy| {
        let policy = body.policy.apply(policy);
        let errors = validate::policy(&policy);
        if errors.is_empty() { Ok(policy) } else { Err(errors) }
    });
    let changed = state.store.change_policy(site.id, change, state.ambient.now(), &by.context).await?;
    state.sites.forget(site.id).await;
    match changed {
        PolicyChange::Changed(site) => Ok(web::Json(Answer::from(*site))),
        PolicyChange::Refused(errors) => Err(Problem::invalid(errors.into_iter().map(in_policy).collect())),
        PolicyChange::SiteNotFound => Err(Problem::new(Code::SiteNotFound)),
    }
}

pub(super) async fn remove(
    state: web::Data<BrokerState>,
    own: Result<OwnSite, Problem>,
) -> Result<HttpResponse, Problem> {
    let OwnSite { site, by } = match own {
        Ok(own) => own,
        Err(problem) => {
            // It may have been removed by a call whose answer was lost, or that could not wait long enough.
            if problem.code() == Code::SiteNotFound {
                state.store.settled().await?;
            }
            return Err(problem);
        }
    };
    by.may(Scope::Sites)?;
    state.store.remove_site(site.id, state.ambient.now(), &by.context).await?;
    state.sites.forget(site.id).await;
    tracing::info!(site = %site.id, client = %by.client.id, request_id = %by.context.request_id, "site removed");
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCode {
    /// Whether the code may replace a pairing without the site's old key.
    #[serde(default)]
    replace: bool,
}

#[derive(Serialize)]
pub(super) struct CodeAnswer<'a> {
    site_id: SiteId,
    pairing_code: &'a str,
    expires_at: Timestamp,
}

pub(super) async fn pairing_code(
    state: web::Data<BrokerState>,
    Then(OwnSite { site, by }, Json(body)): Then<OwnSite, Json<NewCode>>,
) -> Result<HttpResponse, Problem> {
    by.may(Scope::Sites)?;
    let made = make_code(
        &*state.store,
        state.ambient.rng(),
        state.keyring.published().key_set(),
        &state.bridge_url,
        &state.issuer,
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
