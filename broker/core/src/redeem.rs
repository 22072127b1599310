//! The use case *redeem*: a site shows a token that a browser brought, and learns whether to let it in.
//!
//! Everything that can be told without the store is told first, so that a forged, stale or foreign token costs no
//! store access. What is left is one call of the store, and that call decides.

use gatepass_keys::VerificationKeys;
use gatepass_keys::token::TokenError;
use gatepass_keys::token::handoff::{Expected, Unverified};

use crate::clock::Timestamp;
use crate::event::Context;
use crate::handoff::{ATTEMPT_WINDOW, Intent, Presented, Preview, Redeemed, Redemption, Refusal};
use crate::id::{Attempt, HandoffId, SiteId};
use crate::limit::Limited;
use crate::store::{Handoffs, StoreError};

/// What the site shows. No `Debug`: it carries a token.
#[expect(missing_debug_implementations, reason = "it carries a token")]
pub struct Request<'a> {
    /// What it asks.
    pub intent: Intent,
    /// The site that asks, proven by its own key.
    pub site: SiteId,
    /// The token that the browser brought, not looked at yet.
    pub unverified_token: &'a str,
    /// The browser's attempt.
    pub attempt: Attempt,
    /// Hash of the cookie in that browser.
    pub binding: Option<String>,
    /// Whether the site takes only handoffs that are bound.
    pub must_be_bound: bool,
    /// Whether the site takes only handoffs for which the panel was asked.
    pub must_be_asked: bool,
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// The token itself is no good; the store was not asked.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The store's decision.
    #[error("refused: {}", .0.cause())]
    Refused(Refusal),
    /// It would let nobody in, and was tried too often.
    #[error("tried too often: {}", .0.bucket.as_str())]
    Limited(Limited),
    /// The store did not answer; whether the token is spent is unknown, and repeating the same attempt is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store's decision, when it is not to refuse.
#[derive(Debug)]
pub enum Allowed {
    /// Someone to let in.
    In {
        /// Who, and what the panel asked for.
        redeemed: Box<Redeemed>,
        /// Whether this very attempt was answered before.
        repeat: bool,
    },
    /// Someone who would be let in; nothing is spent.
    Previewed(Box<Preview>),
}

/// Redeems a token, or previews what would come of it.
pub async fn redeem(
    store: &dyn Handoffs,
    keys: &impl VerificationKeys,
    issuer: &str,
    request: Request<'_>,
    now: Timestamp,
    context: &Context,
) -> Result<Allowed, RedeemError> {
    let audience = request.site.to_string();
    let expected = Expected { issuer, audience: &audience, now: now.secs(), past_expiry: ATTEMPT_WINDOW };
    let verified = Unverified::parse(request.unverified_token)?.verify(keys, &expected)?;
    let presented = Presented {
        intent: request.intent,
        id: HandoffId::from(verified.claims().id),
        subject: verified.claims().subject.parse().map_err(|_| TokenError::Subject)?,
        token_hash: verified.token_hash(),
        kid: verified.kid().clone(),
        attempt_hash: request.attempt.hash(),
        binding: request.binding,
        must_be_bound: request.must_be_bound,
        must_be_asked: request.must_be_asked,
    };
    match store.redeem(request.site, &presented, now, context).await? {
        Redemption::Redeemed(redeemed) => Ok(Allowed::In { redeemed, repeat: false }),
        Redemption::Repeated(redeemed) => Ok(Allowed::In { redeemed, repeat: true }),
        Redemption::Previewed(preview) => Ok(Allowed::Previewed(preview)),
        Redemption::Refused(refusal) => Err(RedeemError::Refused(refusal)),
        Redemption::Limited(limited) => Err(RedeemError::Limited(limited)),
    }
}
