//! Handoffs: ask for one, see what became of it, take it back.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use gatepass_core::client::Scope;
use gatepass_core::event::Context;
use gatepass_core::handoff::{Details, Handoff, OnBehalf, Outcome, Revocation, State};
use gatepass_core::issue::{self, IssueError, Issued, issue};
use gatepass_core::site::LIFETIME_SECS;
use gatepass_core::validate::{self, FieldError};
use gatepass_core::{HandoffId, Subject, Timestamp};
use gatepass_http::{Code, Json, Problem, Then};
use serde::{Deserialize, Serialize};
use url::Url;

use super::members::load;
use crate::BrokerState;
use crate::asking;
use crate::error::from_issue;
use crate::extract::OwnSite;

/// What a panel asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHandoff {
    /// The panel's customer id.
    subject: Subject,
    /// Where on the site to land: a path, or a URL on the site's origin.
    #[serde(default)]
    redirect_to: Option<String>,
    /// Whether WordPress is to remember the session (14 days instead of 2).
    #[serde(default)]
    remember: bool,
    /// Who of the panel's staff acts for the customer; needs the scope `handoffs:on_behalf`.
    #[serde(default)]
    actor: Option<NewActor>,
    /// Address of the customer's browser, for the trail.
    #[serde(default)]
    client_ip: Option<IpAddr>,
    /// Hash of the cookie in the browser that the handoff is for: 43 characters of base64url.
    #[serde(default)]
    binding: Option<String>,
    /// Life of the token in seconds, 5 to 300, at most the site's own.
    #[serde(default)]
    ttl: Option<u32>,
}

/// Not yet looked at, so that all that is wrong with it can be said at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewActor {
    /// The panel's id of that person.
    subject: String,
    /// Their name, 1 to 100 characters.
    name: String,
    /// Why, 3 to 500 characters.
    reason: String,
}

/// A binding is a SHA-256 in base64url, and there must be one where the site wants it.
fn check_binding(binding: Option<&str>, required: bool) -> Option<FieldError> {
    let base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match binding {
        None if required => {
            let message = "send the customer to the site's start_url, and put the binding here that the browser \
                           brings from there to panel_start_url";
            Some(FieldError::new("binding", "required", message))
        }
        Some(hash) if hash.len() != 43 || !hash.bytes().all(base64url) => {
            Some(FieldError::new("binding", "invalid", "expected 43 characters of base64url"))
        }
        _ => None,
    }
}

#[derive(Serialize)]
pub(super) struct Created {
    id: HandoffId,
    /// Send the browser there by a redirect, at once. The token is in the fragment, which no server sees or logs.
    login_url: Url,
    expires_at: Timestamp,
}

pub(super) async fn create(
    state: web::Data<BrokerState>,
    request: HttpRequest,
    Then(OwnSite { site, by }, Json(body)): Then<OwnSite, Json<NewHandoff>>,
) -> Result<HttpResponse, Problem> {
    by.may(Scope::Handoffs)?;
    let acts = body.actor.is_some();
    if acts {
        by.may(Scope::HandoffsOnBehalf)?;
    }
    let mut errors: Vec<_> = validate::subject(&body.subject).err().into_iter().collect();
    let redirect_to = body.redirect_to.and_then(|target| {
        validate::redirect_to(&target, &site.origin).map_err(|error| errors.push(error)).ok()
    });
    let longest = site.policy.token_lifetime.min(state.max_token_lifetime);
    if body.ttl.is_some_and(|ttl| !LIFETIME_SECS.contains(&ttl)) {
        errors.push(validate::lifetime_error("ttl"));
    } else if body.ttl.is_some_and(|ttl| ttl > longest) {
        let message = format!("this site's tokens live at most {longest} seconds");
        errors.push(FieldError::new("ttl", "out_of_range", message));
    }
    let actor = body.actor.and_then(|actor| {
        validate::on_behalf(&actor.subject, &actor.name, &actor.reason)
            .map_err(|found| errors.extend(found))
            .ok()
    });
    if acts && body.remember {
        let message = "a session in which somebody acts for a customer is never remembered";
        errors.push(FieldError::new("remember", "not_allowed", message));
    }
    errors.extend(check_binding(body.binding.as_deref(), site.policy.requires_binding()));
    Problem::check(errors)?;
    let site = if site.paired.is_some() {
        site
    } else {
        // It may have been paired this very second, at another process.
        state.sites.forget(site.id).await;
        state.sites.get(site.id).await?.ok_or_else(|| Problem::new(Code::SiteNotFound))?
    };
    let paired = site.paired.as_ref().ok_or_else(|| {
        Problem::new(Code::SiteNotPaired).detail("paste a pairing code on the site's Gatepass settings page")
    })?;

    let context = Context { client_ip: body.client_ip, ..by.context };
    let bound = body.binding.is_some();
    let asked_at = asking::ask(&state, &site, &body.subject, load(&request)?, &context).await?;
    let wanted = issue::Request {
        site: site.id,
        subject: body.subject,
        lifetime: Duration::from_secs(u64::from(body.ttl.unwrap_or(longest))),
        binding: body.binding,
        details: Details {
            redirect_to,
            remember: body.remember,
            actor,
            asked_at,
            client: by.client.id,
            request_id: context.request_id.clone(),
        },
    };
    let issued = sign(&state, wanted, &context).await?;
    // The id makes every address another one: were only the fragment new, a browser that shows the landing page
    // already would not load it again.
    let mut login_url = paired.landing_url.clone();
    login_url.query_pairs_mut().append_pair("handoff", &issued.id.to_string());
    if bound {
        // Tells the site that the browser has been through its start address: nobody is sent there twice.
        login_url.query_pairs_mut().append_pair("bound", "1");
    }
    login_url.set_fragment(Some(&format!("token={}", issued.token.expose())));
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(Created {
        id: issued.id,
        login_url,
        expires_at: issued.expires_at,
    }))
}

/// Issues, by the key that signs now. One that is revoked meanwhile has a successor.
async fn sign(state: &BrokerState, wanted: issue::Request, context: &Context) -> Result<Issued, Problem> {
    let sign = async |wanted| {
        let signing = state.keyring.signing().await?;
        let (key, now) = (signing.keyring.active(), state.ambient.now());
        let issued =
            issue(&*state.store, key, &state.issuer, state.ambient.rng(), wanted, now, context).await;
        Ok::<_, Problem>(issued)
    };
    match sign(wanted.clone()).await? {
        Err(IssueError::KeyRevoked) => {}
        issued => return issued.map_err(from_issue),
    }
    state.keyring.confirm().await;
    sign(wanted).await?.map_err(from_issue)
}

#[derive(Serialize)]
pub(super) struct Read {
    id: HandoffId,
    state: State,
    subject: Subject,
    issued_at: Timestamp,
    expires_at: Timestamp,
    redeemed_at: Option<Timestamp>,
    /// Who acts for the customer.
    actor: Option<OnBehalf>,
    /// Whom WordPress let in, or refused.
    wordpress_user_id: Option<u64>,
    /// Why WordPress made no session.
    refusal: Option<String>,
}

impl Read {
    fn new(handoff: Handoff, now: Timestamp) -> Self {
        let (state, outcome) = (handoff.state(now), handoff.outcome);
        let (wordpress_user_id, refusal) = match outcome {
            Some(Outcome::LoggedIn { wordpress_user_id, .. }) => (Some(wordpress_user_id), None),
            Some(Outcome::Failed { code, wordpress_user_id }) => (wordpress_user_id, Some(code)),
            None => (None, None),
        };
        Self {
            id: handoff.id,
            state,
            subject: handoff.subject,
            issued_at: handoff.issued_at,
            expires_at: handoff.expires_at,
            redeemed_at: handoff.redeemed_at,
            actor: handoff.actor,
            wordpress_user_id,
            refusal,
        }
    }
}

fn id_in(path: &(String, String)) -> Result<HandoffId, Problem> {
    path.1.parse().map_err(|_| Problem::new(Code::HandoffNotFound))
}

pub(super) async fn read(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
    path: web::Path<(String, String)>,
) -> Result<web::Json<Read>, Problem> {
    by.may(Scope::Handoffs)?;
    let found = state.store.handoff(site.id, id_in(&path)?).await?;
    let handoff = found.ok_or_else(|| Problem::new(Code::HandoffNotFound))?;
    Ok(web::Json(Read::new(handoff, state.ambient.now())))
}

pub(super) async fn revoke(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
    path: web::Path<(String, String)>,
) -> Result<web::Json<Read>, Problem> {
    by.may(Scope::Handoffs)?;
    let now = state.ambient.now();
    match state.store.revoke_handoff(site.id, id_in(&path)?, now, &by.context).await? {
        Revocation::Revoked(handoff) => Ok(web::Json(Read::new(handoff, now))),
        Revocation::AlreadyRedeemed(_) => Err(Problem::new(Code::HandoffAlreadyRedeemed)),
        Revocation::NotFound => Err(Problem::new(Code::HandoffNotFound)),
    }
}
