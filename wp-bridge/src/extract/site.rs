//! The site that asks, proven by a token that it signed with its own key (`typ gatepass-site+jwt`). There is no
//! secret that both sides know.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use gatepass_core::SiteId;
use gatepass_core::event::{Actor, Context};
use gatepass_core::site::Site;
use gatepass_http::{ClientAddress, Code, Problem, RequestIdOf, bearer};
use gatepass_keys::KeyId;
use gatepass_keys::token::TokenError;
use gatepass_keys::token::site::Unverified;

use crate::BridgeState;

/// A paired site that proved who it is.
#[derive(Debug)]
pub struct ProvenSite {
    /// The site.
    pub site: Arc<Site>,
    /// The key that proved it.
    pub key: KeyId,
    /// What the trail says of this request.
    pub context: Context,
}

impl FromRequest for ProvenSite {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let proof = bearer(request).map(str::to_owned);
        let request_id = RequestIdOf::from_request(request, payload);
        let from = ClientAddress::from_request(request, payload);
        let state = request.app_data::<web::Data<BridgeState>>().cloned();
        Box::pin(async move {
            let state = state.ok_or_else(|| Problem::new(Code::Internal))?;
            let RequestIdOf(request_id) = request_id.await?;
            let invalid = || Problem::new(Code::SiteProofInvalid);
            let (site, key) = prove(&state, &proof.ok_or_else(invalid)?, from.await?).await?;
            Ok(Self { site, key, context: Context::new(request_id, Actor::Site) })
        })
    }
}

async fn prove(
    state: &BridgeState,
    unverified_proof: &str,
    from: ClientAddress,
) -> Result<(Arc<Site>, KeyId), Problem> {
    let unverified = Unverified::parse(unverified_proof).map_err(|error| refused(&error))?;
    let unverified_id: Option<SiteId> = unverified.claimed_site().parse().ok();
    let invalid = || Problem::new(Code::SiteProofInvalid);
    let id = unverified_id.ok_or_else(invalid)?;
    let now = state.ambient.now();
    unverified.check_claims(&state.bridge, now.secs()).map_err(|error| refused(&error))?;
    // Unknown, not paired, and paired with another key: all the same to a stranger.
    let site = state.sites.get_for_stranger(id, from, now).await?.ok_or_else(invalid)?;
    let paired = site.paired.as_ref().ok_or_else(invalid)?;
    let mut found = None;
    for key in paired.keys_at(now) {
        let proof = Unverified::parse(unverified_proof);
        match proof.and_then(|proof| proof.verify(key, &state.bridge, now.secs())) {
            Ok(_) => return Ok((Arc::clone(&site), key.kid().clone())),
            // What the present key says is what the site is told.
            Err(error) => found = found.or(Some(error)),
        }
    }
    Err(found.map_or_else(invalid, |error| refused(&error)))
}

fn refused(error: &TokenError) -> Problem {
    tracing::info!(cause = error.cause(), "a site's proof was refused");
    Problem::new(if error.may_be_the_clock() { Code::SiteProofExpired } else { Code::SiteProofInvalid })
}
