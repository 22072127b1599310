//! The challenge of pairing: the bridge itself fetches a signature from the registered origin, so that a pairing
//! string alone, in other hands, pairs nothing.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use gatepass_core::pairing::challenge_message;
use gatepass_core::{Rng, SiteId, clock::random_bytes};
use gatepass_http::destinations::Destinations;
use gatepass_http::outbound::{CallError, Outbound, read_body};
use gatepass_keys::VerificationKey;
use reqwest::{Method, Request};
use serde::Deserialize;
use url::Url;

/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 4096;
/// What the login endpoint's `action` is for a challenge.
const ACTION: &str = "gatepass_challenge";

/// Why a challenge was not answered, in words for the site's owner.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    /// It is somewhere that Gatepass does not call. To which address the name leads is not said.
    #[error("{0} has no public address, and Gatepass may call no other; its operator can allow it")]
    Forbidden(String),
    /// Nothing answered.
    #[error("{0} could not be reached: {1}")]
    Unreachable(String, CallError),
    /// Something else answered.
    #[error("{0} answered with status {1}; it must answer 200 itself, redirects are not followed")]
    Status(String, u16),
    /// The answer is not the plugin's.
    #[error("the answer of {0} is not the plugin's; a page cache or a security plugin may stand in between")]
    Shape(String),
    /// Another key signed.
    #[error("{0} answered with another key; is there a second copy of the site?")]
    Signature(String),
    /// The system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] gatepass_core::clock::NoRandomness),
}

/// Fetches challenges.
#[derive(Debug)]
pub struct Challenger {
    outbound: Outbound,
}

#[derive(Deserialize)]
struct Answer {
    site_id: SiteId,
    signature: String,
}

impl Challenger {
    pub(crate) fn new(destinations: Arc<Destinations>) -> Result<Self, reqwest::Error> {
        Ok(Self { outbound: Outbound::new(destinations)? })
    }

    /// Whether whoever answers at `landing_url` holds the private half of `key`, now.
    pub(crate) async fn ask(
        &self,
        landing_url: &Url,
        site: SiteId,
        key: &VerificationKey,
        rng: &dyn Rng,
    ) -> Result<(), ChallengeError> {
        let nonce = BASE64URL_NOPAD.encode(&random_bytes::<32>(rng)?);
        let url = challenge_url(landing_url, &nonce);
        let host = url.origin().ascii_serialization();
        let failed = |error: CallError| match error {
            CallError::Forbidden(forbidden) => {
                tracing::warn!(%site, "a site is not called: {forbidden}");
                ChallengeError::Forbidden(host.clone())
            }
            error => ChallengeError::Unreachable(host.clone(), error),
        };
        let mut response = self.outbound.send(Request::new(Method::GET, url)).await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(ChallengeError::Status(host, response.status().as_u16()));
        }
        let body = read_body(&mut response, MAX_ANSWER_BYTES).await.map_err(failed)?;
        if body.len() > MAX_ANSWER_BYTES {
            return Err(ChallengeError::Shape(host));
        }
        check_answer(&body, site, &nonce, key).map_err(|wrong| match wrong {
            WrongAnswer::Shape => ChallengeError::Shape(host),
            WrongAnswer::Signature => ChallengeError::Signature(host),
        })
    }
}

/// What is wrong with an answer that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongAnswer {
    /// It is not the plugin's.
    Shape,
    /// Another key signed it, or for another site, or another challenge.
    Signature,
}

/// Whether a body answers the challenge `nonce` for `site`, signed with `key`.
pub fn check_answer(
    body: &[u8],
    site: SiteId,
    nonce: &str,
    key: &VerificationKey,
) -> Result<(), WrongAnswer> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| WrongAnswer::Shape)?;
    let signature = BASE64URL_NOPAD.decode(answer.signature.as_bytes()).unwrap_or_default();
    let holds = key.verify(challenge_message(site, nonce).as_bytes(), &signature).is_ok();
    if answer.site_id == site && holds { Ok(()) } else { Err(WrongAnswer::Signature) }
}

/// The landing page's address with another `action`, and the nonce.
fn challenge_url(landing_url: &Url, nonce: &str) -> Url {
    let kept: Vec<(String, String)> = landing_url
        .query_pairs()
        .filter(|(name, _)| name != "action")
        .map(|(n, v)| (n.into(), v.into()))
        .collect();
    let mut url = landing_url.clone();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .append_pair("action", ACTION)
        .append_pair("nonce", nonce);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_goes_to_the_landing_pages_own_address() {
        let landing: Url =
            "https://example.com/blog/wp-admin/admin-post.php?action=gatepass&x=1".parse().unwrap();
        assert_eq!(
            challenge_url(&landing, "N").as_str(),
            "https://example.com/blog/wp-admin/admin-post.php?x=1&action=gatepass_challenge&nonce=N"
        );
    }
}
