//! The use case *issue*: a panel asks for a login, and gets a token that works once.

use std::time::Duration;

use gatepass_keys::SigningKey;
use gatepass_keys::token::handoff::{HandoffClaims, HandoffToken, sign};

use crate::clock::{NoRandomness, Rng, Timestamp};
use crate::event::Context;
use crate::handoff::{Details, Issuance, NewHandoff};
use crate::id::{HandoffId, SiteId, Subject};
use crate::limit::Limited;
use crate::store::{Handoffs, StoreError};

/// What the panel asks for, checked by its caller.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where to.
    pub site: SiteId,
    /// For whom.
    pub subject: Subject,
    /// Life of the token.
    pub lifetime: Duration,
    /// Hash of the browser's cookie to bind it to.
    pub binding: Option<String>,
    /// The rest.
    pub details: Details,
}

/// A token that was issued.
#[derive(Debug)]
pub struct Issued {
    /// Which handoff.
    pub id: HandoffId,
    /// The token itself, to be put behind the landing page's address.
    pub token: HandoffToken,
    /// Its `exp`.
    pub expires_at: Timestamp,
}

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is no such site (any more).
    #[error("there is no such site")]
    SiteNotFound,
    /// The panel never told of this member.
    #[error("there is no such member on this site")]
    MemberNotFound,
    /// The membership is not in force.
    #[error("the membership is not in force")]
    MembershipInactive,
    /// The key that signed is revoked: whoever signs has a keyring of before.
    #[error("the key that signed is revoked")]
    KeyRevoked,
    /// Asked for too often.
    #[error("asked for too often: {}", .0.bucket.as_str())]
    Limited(Limited),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Signs a token and writes the record of it. The token is given out only once the record stands.
pub async fn issue(
    store: &dyn Handoffs,
    key: &SigningKey,
    issuer: &str,
    rng: &dyn Rng,
    request: Request,
    now: Timestamp,
    context: &Context,
) -> Result<Issued, IssueError> {
    let id = HandoffId::generate(now, rng)?;
    let issued_at = now.secs();
    let expires_at = Timestamp::from_secs(issued_at).plus(request.lifetime);
    let claims = HandoffClaims {
        issuer: issuer.to_owned(),
        audience: request.site.to_string(),
        subject: request.subject.to_string(),
        id: id.uuid(),
        issued_at,
        expires_at: expires_at.secs(),
    };
    let token = sign(key, &claims);
    let handoff = NewHandoff {
        id,
        subject: request.subject,
        token_hash: token.hash(),
        kid: key.kid().clone(),
        issued_at: now,
        expires_at,
        binding: request.binding,
        details: request.details,
    };
    match store.issue(request.site, &handoff, context).await? {
        Issuance::Issued => Ok(Issued { id, token, expires_at }),
        Issuance::SiteNotFound => Err(IssueError::SiteNotFound),
        Issuance::MemberNotFound => Err(IssueError::MemberNotFound),
        Issuance::MembershipInactive => Err(IssueError::MembershipInactive),
        Issuance::KeyRevoked => Err(IssueError::KeyRevoked),
        Issuance::Limited(limited) => Err(IssueError::Limited(limited)),
    }
}
