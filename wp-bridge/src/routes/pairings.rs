//! Pairing: a site shows the secret of its pairing string, answers the challenge, and gets the issuer's keys.

use actix_web::{HttpResponse, web};
use gatepass_core::event::{Actor, Context, EventKind};
use gatepass_core::heartbeat::place;
use gatepass_core::pairing::{PAIRING_LIFETIME, Pairing, PairingSecret, Proven};
use gatepass_core::site::{Paired, Site, Versions};
use gatepass_core::store::Entry;
use gatepass_core::validate::{self, FieldError};
use gatepass_core::{SiteId, Timestamp};
use gatepass_http::{ClientAddress, Code, Json, Problem, RequestIdOf};
use gatepass_keys::token::site::Unverified;
use gatepass_keys::{Jwk, KeyId, VerificationKey};
use serde::{Deserialize, Serialize};
use url::Url;

use super::PolicyAnswer;
use super::key_sets::KeySetAnswer;
use crate::BridgeState;
use crate::challenge::ChallengeError;

/// No `Debug`: it carries a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPairing {
    /// Which site the pairing string is for.
    site_id: String,
    /// The string's one-time secret.
    secret: String,
    /// The site's own address as WordPress knows it.
    url: Url,
    /// Where a browser takes its token; on the registered origin.
    landing_url: Url,
    /// The key that the site made for itself.
    public_key: Jwk,
    #[serde(default)]
    versions: Versions,
    /// A site proof signed by the key before, to pair again without the operator.
    #[serde(default)]
    replaces: Option<String>,
    /// The fingerprint of the key set that the pairing string promised.
    #[serde(default)]
    keys_fingerprint: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Answer<'a> {
    site_id: SiteId,
    issuer: &'a str,
    bridge: &'a str,
    key_set: KeySetAnswer,
    policy: PolicyAnswer<'a>,
}

pub(super) async fn create(
    state: web::Data<BridgeState>,
    RequestIdOf(request_id): RequestIdOf,
    from: ClientAddress,
    Json(body): Json<NewPairing>,
) -> Result<HttpResponse, Problem> {
    // Whoever lacks the secret learns nothing, not even whether there is such a site.
    let unknown_code = || Problem::new(Code::PairingCodeInvalid);
    let id: SiteId = body.site_id.parse().map_err(|_| unknown_code())?;
    let secret: PairingSecret = body.secret.parse().map_err(|_| unknown_code())?;
    state.pairing.admit(from, state.ambient.now())?;
    let secret_hash = secret.hash();
    let site = state.store.site(id).await?.ok_or_else(unknown_code)?;
    let asks_again = has_paired(&site, &body, &secret_hash, state.ambient.now());
    if !asks_again && !state.store.pairing_code_holds(id, &secret_hash, state.ambient.now()).await? {
        return Err(unknown_code());
    }
    let context = Context { client_ip: Some(from.0), ..Context::new(request_id, Actor::Site) };

    if !site.origin.is(&body.url) {
        refuse(&state, id, "identity_conflict", &context).await?;
        let detail = format!(
            "the code is for {}, this site says it is {}; register this address, or correct the site's",
            site.origin,
            place(&body.url)
        );
        return Err(Problem::new(Code::SiteIdentityConflict).detail(detail));
    }
    let key = check(&body, &site)?;
    let key_set = promised_keys(&state, body.keys_fingerprint.as_deref()).await?;
    if let Err(error) = state.challenger.ask(&body.landing_url, id, &key, state.ambient.rng()).await {
        if let ChallengeError::NoRandomness(error) = error {
            return Err(error.into());
        }
        let context = Context { note: Some(error.to_string()), ..context };
        refuse(&state, id, "challenge_failed", &context).await?;
        return Err(Problem::new(Code::PairingChallengeFailed).detail(error.to_string()));
    }

    if asks_again {
        // What the first answer would have said must hold for this one too.
        state.store.settled().await?;
        return Ok(answer(&state, &site, key_set));
    }
    let now = state.ambient.now();
    let replaces = body.replaces.as_deref().and_then(|proof| old_key(&state, &site, proof));
    let code_hash = secret_hash.clone();
    let paired = Paired {
        key,
        landing_url: body.landing_url,
        paired_at: now,
        versions: body.versions,
        code_hash,
        key_since: None,
        previous: None,
    };
    let proven = Proven { secret_hash, replaces, paired };
    match state.store.pair(id, &proven, now, &context).await? {
        Pairing::Paired(site) => {
            state.sites.forget(id).await;
            Ok(answer(&state, &site, key_set))
        }
        Pairing::CodeInvalid | Pairing::SiteNotFound => Err(unknown_code()),
        Pairing::ReplaceRequired => Err(Problem::new(Code::PairingReplaceRequired).detail(
            "make the pairing code with replace (gatepass site pairing-code --replace) if this is meant to be",
        )),
    }
}

/// Whether this very code has paired the site with this very key: the site did not get the answer, and asks again.
fn has_paired(site: &Site, body: &NewPairing, secret_hash: &str, now: Timestamp) -> bool {
    site.paired.as_ref().is_some_and(|paired| {
        paired.code_hash == secret_hash
            && body.public_key.x == paired.key.x()
            && paired.paired_at.age_at(now) < PAIRING_LIFETIME
    })
}

/// What the site is to know of the issuer's keys. A string that was made a moment ago may promise keys that are not
/// known here yet.
async fn promised_keys(state: &BridgeState, fingerprint: Option<&str>) -> Result<KeySetAnswer, Problem> {
    let keys = state.keys.current()?;
    let is_known = |fingerprint| keys.signed_with_fingerprint(fingerprint).is_some();
    if fingerprint.is_none_or(is_known) || state.keys.refresh().await.is_err() {
        return Ok(KeySetAnswer::promised(&keys, fingerprint));
    }
    Ok(KeySetAnswer::promised(&*state.keys.current()?, fingerprint))
}

fn answer(state: &BridgeState, site: &Site, key_set: KeySetAnswer) -> HttpResponse {
    HttpResponse::Ok().json(Answer {
        site_id: site.id,
        issuer: &state.issuer,
        bridge: &state.bridge,
        key_set,
        policy: PolicyAnswer::from(&site.policy),
    })
}

async fn refuse(
    state: &BridgeState,
    site: SiteId,
    cause: &'static str,
    context: &Context,
) -> Result<(), Problem> {
    let entry = Entry {
        at: state.ambient.now(),
        kind: EventKind::SitePairingRefused,
        cause: Some(cause),
        subject: None,
        handoff_id: None,
    };
    Ok(state.store.append_event(site, &entry, context).await?)
}

fn check(body: &NewPairing, site: &Site) -> Result<VerificationKey, Problem> {
    let landing_url = validate::landing_url(&body.landing_url, &site.origin);
    let mut errors: Vec<_> = landing_url.into_iter().chain(validate::versions(&body.versions)).collect();
    let key = VerificationKey::from_jwk(&body.public_key);
    if let Err(error) = &key {
        errors.push(FieldError::new("public_key", "invalid", error.to_string()));
    }
    Problem::check(errors)?;
    key.map_err(|_| Problem::new(Code::Internal))
}

/// The site's key of before, if `proof` shows that it still has it.
fn old_key(state: &BridgeState, site: &Site, unverified_proof: &str) -> Option<KeyId> {
    let key = &site.paired.as_ref()?.key;
    let unverified = Unverified::parse(unverified_proof).ok()?;
    let verified = unverified.verify(key, &state.bridge, state.ambient.now().secs()).ok()?;
    (verified.claims().site == site.id.to_string()).then(|| key.kid().clone())
}
