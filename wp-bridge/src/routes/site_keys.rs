//! A site renews its own key: the old one proves which site asks, the new one answers the challenge, so that whoever has
//! stolen the old one cannot put another in its place.

use actix_web::{HttpResponse, web};
use gatepass_core::Timestamp;
use gatepass_core::event::EventKind;
use gatepass_core::site::Site;
use gatepass_core::site_key::{KeyRenewal, Renewal};
use gatepass_core::store::Entry;
use gatepass_core::validate::FieldError;
use gatepass_http::{ClientAddress, Code, Json, Problem, Then};
use gatepass_keys::token::site::Unverified;
use gatepass_keys::{Jwk, KeyId, VerificationKey};
use serde::{Deserialize, Serialize};

use crate::BridgeState;
use crate::challenge::ChallengeError;
use crate::extract::ProvenSite;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// The key that the site made for itself.
    public_key: Jwk,
    /// A site proof signed by it.
    proof: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    kid: &'a KeyId,
    /// Until when the key before proves too; `null` when it does no more.
    overlap_until: Option<Timestamp>,
}

pub(super) async fn create(
    state: web::Data<BridgeState>,
    from: ClientAddress,
    Then(ProvenSite { site, key: proven_by, mut context }, Json(body)): Then<ProvenSite, Json<NewKey>>,
) -> Result<HttpResponse, Problem> {
    context.client_ip = Some(from.0);
    let now = state.ambient.now();
    state.renewals.admit(site.id, now)?;
    let key = check(&state, &site, &body, now)?;
    let refuse = async |cause, note: &str| {
        let entry = Entry {
            at: now,
            kind: EventKind::SiteKeyRefused,
            cause: Some(cause),
            subject: None,
            handoff_id: None,
        };
        state.store.append_event(site.id, &entry, &context.noting(note)).await
    };
    let paired = site.paired.as_ref().ok_or_else(|| Problem::new(Code::SiteProofInvalid))?;
    if let Err(error) = state.challenger.ask(&paired.landing_url, site.id, &key, state.ambient.rng()).await {
        if let ChallengeError::NoRandomness(error) = error {
            return Err(error.into());
        }
        refuse("challenge_failed", &error.to_string()).await?;
        return Err(Problem::new(Code::PairingChallengeFailed).detail(error.to_string()));
    }
    let renewal = Renewal { proven_by, key };
    let now = state.ambient.now();
    match state.store.renew_site_key(site.id, &renewal, now, &context).await? {
        KeyRenewal::Renewed(renewed) | KeyRenewal::Known(renewed) => {
            state.sites.forget(site.id).await;
            let previous = renewed.paired.as_ref().and_then(|paired| paired.previous.as_ref());
            let overlap_until = previous.map(|previous| previous.until).filter(|until| now < *until);
            Ok(HttpResponse::Ok().json(Answer { kid: renewal.key.kid(), overlap_until }))
        }
        KeyRenewal::Superseded => {
            refuse("key_superseded", renewal.proven_by.as_str()).await?;
            Err(Problem::new(Code::SiteKeySuperseded))
        }
        KeyRenewal::NotPaired => Err(Problem::new(Code::SiteProofInvalid)),
    }
}

/// The new key, if the proof shows that whoever asks has its private half.
fn check(
    state: &BridgeState,
    site: &Site,
    body: &NewKey,
    now: Timestamp,
) -> Result<VerificationKey, Problem> {
    let wrong =
        |field, message: String| Problem::check(vec![FieldError::new(field, "invalid", message)]).err();
    let key = VerificationKey::from_jwk(&body.public_key);
    let key = key.map_err(|error| {
        wrong("public_key", error.to_string()).unwrap_or_else(|| Problem::new(Code::Internal))
    })?;
    let proven = Unverified::parse(&body.proof)
        .and_then(|proof| proof.verify(&key, &state.bridge, now.secs()))
        .is_ok_and(|verified| verified.claims().site == site.id.to_string());
    if proven {
        return Ok(key);
    }
    let message = "expected a proof of being this site, signed by public_key".to_owned();
    Err(wrong("proof", message).unwrap_or_else(|| Problem::new(Code::Internal)))
}
