//! Redemption: a site shows a token, and learns whether to let its bearer in.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use gatepass_core::handoff::{Details, Intent, OnBehalf, Preview, Redeemed};
use gatepass_core::member::{Consent, Membership};
use gatepass_core::redeem::{self, Allowed, RedeemError, redeem};
use gatepass_core::site::Policy;
use gatepass_core::{Attempt, HandoffId, Subject, validate};
use gatepass_http::{Json, Problem, Then, metrics};
use gatepass_keys::PublishedKeys;
use gatepass_keys::token::handoff::Unverified;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{MemberAnswer, PolicyAnswer};
use crate::BridgeState;
use crate::error::{from_redeem, leading_back};
use crate::extract::ProvenSite;

/// No `Debug`: it carries a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Presented {
    /// The token that the browser brought.
    token: String,
    /// The browser's attempt: 22 characters of base64url.
    attempt: Attempt,
    /// Hash of the cookie that the handoff may be bound to.
    #[serde(default)]
    binding: Option<String>,
    /// Only tell whom it would let in, and spend nothing.
    #[serde(default)]
    preview: bool,
    /// The browser's address, for the trail.
    client_ip: Option<IpAddr>,
    /// The browser, for the trail.
    #[serde(default)]
    user_agent: String,
}

#[derive(Serialize)]
pub(super) struct Answer<'a> {
    handoff_id: HandoffId,
    jti: Uuid,
    subject: &'a Subject,
    /// Whether this very attempt was answered before.
    repeat: bool,
    member: MemberAnswer<'a>,
    membership: &'a Membership,
    consent: &'a Consent,
    standing: Standing<'a>,
    session: Session,
    actor: &'a Option<OnBehalf>,
    redirect_to: &'a Option<String>,
    policy: PolicyAnswer<'a>,
    /// Of the issuer's key set.
    keys_version: u64,
}

/// Enough to ask "continue as …?".
#[derive(Serialize)]
struct PreviewAnswer<'a> {
    preview: bool,
    handoff_id: HandoffId,
    jti: Uuid,
    subject: &'a Subject,
    member: PreviewedMember<'a>,
    actor: &'a Option<OnBehalf>,
    policy: PolicyAnswer<'a>,
    keys_version: u64,
}

#[derive(Serialize)]
struct PreviewedMember<'a> {
    display_name: &'a str,
}

impl<'a> PreviewAnswer<'a> {
    fn new(
        Preview { id, subject, display_name, actor }: &'a Preview,
        policy: &'a Policy,
        keys_version: u64,
    ) -> Self {
        Self {
            preview: true,
            handoff_id: *id,
            jti: id.uuid(),
            subject,
            member: PreviewedMember { display_name },
            actor,
            policy: PolicyAnswer::from(policy),
            keys_version,
        }
    }
}

/// What the site then knows of the customer, without pulling: the same that it would have got by that.
#[derive(Serialize)]
struct Standing<'a> {
    epoch: &'a str,
    position: u64,
    allowed_until: i64,
    sessions_ended: u64,
}

impl<'a> From<&'a Redeemed> for Standing<'a> {
    fn from(redeemed: &'a Redeemed) -> Self {
        let member = redeemed.member();
        Self {
            epoch: redeemed.epoch(),
            position: member.following.position,
            allowed_until: member.wanted.membership.allowed_until_secs(),
            sessions_ended: member.sessions_ended,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Session {
    remember: bool,
    /// For how long it lasts at most; `null` for as long as WordPress makes it.
    max_seconds: Option<u64>,
}

impl From<&Details> for Session {
    fn from(details: &Details) -> Self {
        let max_seconds = details.session_limit().map(|limit| limit.as_secs());
        Self { remember: details.is_remembered(), max_seconds }
    }
}

/// The issuer's keys, the one among them that the token names, if there is such a key.
async fn keys_for(state: &BridgeState, unverified_token: &str) -> Result<Arc<PublishedKeys>, Problem> {
    match Unverified::parse(unverified_token) {
        Ok(unverified) => state.keys.with(unverified.kid()).await,
        // No key makes it a token.
        Err(_) => state.keys.current(),
    }
}

pub(super) async fn create(
    state: web::Data<BridgeState>,
    Then(ProvenSite { site, mut context, .. }, Json(body)): Then<ProvenSite, Json<Presented>>,
) -> Result<HttpResponse, Problem> {
    context.client_ip = body.client_ip;
    context.user_agent = validate::user_agent(&body.user_agent);
    let request = redeem::Request {
        intent: if body.preview { Intent::Preview } else { Intent::Spend },
        site: site.id,
        unverified_token: &body.token,
        attempt: body.attempt,
        binding: body.binding,
        must_be_bound: site.policy.requires_binding(),
        must_be_asked: site.policy.membership_url.is_some(),
    };
    let keys = keys_for(&state, &body.token).await.map_err(|problem| leading_back(problem, &site.policy))?;
    let now = state.ambient.now();
    let allowed = redeem(&*state.store, keys.key_set(), &state.issuer, request, now, &context).await.map_err(|error| {
        if let RedeemError::Token(error) = &error {
            tracing::info!(site = %site.id, request_id = %context.request_id, cause = error.cause(), "a token was refused");
            metrics::token_refused(error);
            state.tally.count(site.id, error.cause(), context.request_id.clone());
        }
        from_redeem(error, &site.policy)
    })?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    let (redeemed, repeat) = match allowed {
        Allowed::In { redeemed, repeat } => (redeemed, repeat),
        Allowed::Previewed(preview) => {
            return Ok(response.json(PreviewAnswer::new(&preview, &site.policy, keys.version())));
        }
    };
    let (member, details) = (redeemed.member(), redeemed.details());
    Ok(response.json(Answer {
        handoff_id: redeemed.id(),
        jti: redeemed.id().uuid(),
        subject: &member.subject,
        repeat,
        member: MemberAnswer::new(member.revision, &member.wanted),
        membership: &member.wanted.membership,
        consent: &member.wanted.consent,
        standing: Standing::from(&*redeemed),
        session: Session::from(details),
        actor: &details.actor,
        redirect_to: &details.redirect_to,
        policy: PolicyAnswer::from(&site.policy),
        keys_version: keys.version(),
    }))
}
