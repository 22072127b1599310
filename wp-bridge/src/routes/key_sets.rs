//! Key sets: by what a site that knows an older set of the issuer's keys comes to know the present one.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use gatepass_core::validate::FieldError;
use gatepass_http::Problem;
use gatepass_keys::{Jwk, KeyState, PublishedKeys, SignedKeySet, VerificationKey};
use serde::{Deserialize, Serialize};

use crate::BridgeState;
use crate::extract::ProvenSite;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The version that the site has.
    after: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    version: u64,
    /// Compact JWS, in the order in which they follow from each other.
    key_sets: Vec<&'a str>,
}

/// A set as it is told in the answer of pairing.
#[derive(Serialize)]
pub(super) struct KeySetAnswer {
    version: u64,
    keys: Vec<StatedKey>,
}

#[derive(Serialize)]
struct StatedKey {
    #[serde(flatten)]
    key: Jwk,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<KeyState>,
}

impl KeySetAnswer {
    fn signed(set: &SignedKeySet) -> Self {
        let stated = |(key, state): &(VerificationKey, KeyState)| StatedKey {
            key: key.to_jwk(),
            status: Some(*state),
        };
        Self { version: set.version, keys: set.keys.iter().map(stated).collect() }
    }

    /// The set that the pairing string promised, or else the present one.
    pub(super) fn promised(published: &PublishedKeys, fingerprint: Option<&str>) -> Self {
        let promised = fingerprint.and_then(|fingerprint| published.signed_with_fingerprint(fingerprint));
        if let Some(set) = promised.or_else(|| published.signed_now()) {
            return Self::signed(set);
        }
        let unstated = |key: &VerificationKey| StatedKey { key: key.to_jwk(), status: None };
        Self { version: published.version(), keys: published.key_set().iter().map(unstated).collect() }
    }
}

pub(super) async fn read(
    state: web::Data<BridgeState>,
    ProvenSite { site, .. }: ProvenSite,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    state.pulls.admit(site.id, state.ambient.now())?;
    let after = asked.after.parse().map_err(|_| {
        Problem::invalid(vec![FieldError::new(
            "after",
            "invalid",
            "expected a number: the version that is known",
        )])
    })?;
    let keys = state.keys.current()?;
    let key_sets = keys.signed_after(after).map(|set| set.jws.as_str()).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Answer { version: keys.version(), key_sets }))
}
