//! A handoff: one permission for one customer to log in to one site, once.
//!
//! The token that travels says only who, where and until when. Everything else is in the record, and the record's
//! life is decided by the store alone: [`Redemption`] names everything that can come of trying to redeem.

use std::time::Duration;

use gatepass_keys::KeyId;
use gatepass_keys::token::{LEEWAY, handoff::TokenHash};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::event::EventKind;
use crate::id::{ClientId, HandoffId, RequestId, Subject};
use crate::limit::Limited;
use crate::member::Member;

/// For how long the attempt that redeemed a token gets the same answer again: long enough for a double click, a
/// reload or an answer that was lost, too short to matter to a thief.
pub const ATTEMPT_WINDOW: Duration = Duration::from_secs(15);

/// For how long a record is kept after its token's expiry, so that the panel can read what became of it. It must
/// outlive every moment at which the token could still be let through (`LEEWAY + ATTEMPT_WINDOW` after expiry):
/// only then is "no record" the same as "never to be redeemed".
pub const RECORD_RETENTION: Duration = Duration::from_secs(3600);

/// For how long a session lasts in which somebody acts for the customer: enough to see what the customer sees, too
/// short for a browser at a support desk to be left with it overnight.
pub const ON_BEHALF_SESSION: Duration = Duration::from_secs(3600);

/// Someone of the panel's staff who acts for the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnBehalf {
    /// The panel's id of that person.
    pub subject: Subject,
    /// Their name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What the panel asked for, beside who.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Where on the site to land.
    pub redirect_to: Option<String>,
    /// Whether the session is to be remembered (14 days in WordPress instead of 2).
    pub remember: bool,
    /// Who acts for the customer.
    pub actor: Option<OnBehalf>,
    /// When the panel was asked whether the membership is in force, at a site where it is asked at every issue.
    #[serde(default)]
    pub asked_at: Option<Timestamp>,
    /// Which API key asked.
    pub client: ClientId,
    /// By which request.
    pub request_id: RequestId,
}

impl Details {
    /// Whether the session outlives the browser; never while somebody acts for the customer.
    pub const fn is_remembered(&self) -> bool {
        self.remember && self.actor.is_none()
    }

    /// For how long the session lasts at most; `None` for as long as WordPress makes it.
    pub fn session_limit(&self) -> Option<Duration> {
        self.actor.as_ref().map(|_| ON_BEHALF_SESSION)
    }
}

/// What the issuing step writes.
#[derive(Debug, Clone)]
pub struct NewHandoff {
    /// Its id, the token's `jti`.
    pub id: HandoffId,
    /// For whom.
    pub subject: Subject,
    /// SHA-256 of the whole token: the record opens to exactly this one.
    pub token_hash: TokenHash,
    /// The key that signed.
    pub kid: KeyId,
    /// When.
    pub issued_at: Timestamp,
    /// The token's `exp`.
    pub expires_at: Timestamp,
    /// Hash of the browser's cookie that it is bound to.
    pub binding: Option<String>,
    /// The rest.
    pub details: Details,
}

impl NewHandoff {
    /// Until when the store lets it be redeemed: its expiry and the leeway between two clocks.
    pub fn redeemable_until(&self) -> Timestamp {
        self.expires_at.plus(LEEWAY)
    }
}

/// What came of issuing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuance {
    /// The record is written.
    Issued,
    /// There is no such site (any more); nothing was written.
    SiteNotFound,
    /// The panel never told of this member; nothing was written but the event.
    MemberNotFound,
    /// The membership is not in force; nothing was written but the event.
    MembershipInactive,
    /// The key that signed is revoked on this site; nothing was written.
    KeyRevoked,
    /// Asked for too often.
    Limited(Limited),
}

/// What is asked of the redeeming step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// To let the bearer in: this is what a token is for, once.
    Spend,
    /// To tell whom it would let in, so that the bearer can be asked whether that is meant to be.
    Preview,
}

/// What the redeeming step is given.
#[derive(Debug, Clone)]
pub struct Presented {
    /// What for.
    pub intent: Intent,
    /// Which handoff.
    pub id: HandoffId,
    /// The verified token's subject. The record's own is the same, or its token hash would differ.
    pub subject: Subject,
    /// SHA-256 of the token that was presented.
    pub token_hash: TokenHash,
    /// The key that signed it.
    pub kid: KeyId,
    /// The browser's attempt, hashed.
    pub attempt_hash: String,
    /// Hash of the cookie in the browser that presents it.
    pub binding: Option<String>,
    /// Whether the site takes only handoffs that are bound, so that one from before it did is none of them.
    pub must_be_bound: bool,
    /// Whether the site takes only handoffs for which the panel was asked; the same.
    pub must_be_asked: bool,
}

/// Why a token was not redeemed, in the order in which it is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The store has no record of issuing it (any more).
    NoRecord,
    /// There is a record, but of another token with the same id.
    Mismatch,
    /// Issued before the store's primary changed or restarted.
    Superseded,
    /// Already redeemed, by another attempt or too long ago.
    Used,
    /// The handoff, the subject, the site's pairing or the signing key was revoked since.
    Revoked,
    /// Too late.
    Expired,
    /// The panel was not asked when it was issued, and by now it has to be.
    NotAsked,
    /// The membership is not in force (any more).
    MembershipInactive,
    /// Bound to another browser.
    BindingMismatch,
}

impl Refusal {
    /// Every refusal there is.
    pub const ALL: [Self; 9] = [
        Self::NoRecord,
        Self::Mismatch,
        Self::Superseded,
        Self::Used,
        Self::Revoked,
        Self::Expired,
        Self::NotAsked,
        Self::MembershipInactive,
        Self::BindingMismatch,
    ];

    /// As the trail names it.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::NoRecord => "no_record",
            Self::Mismatch => "mismatch",
            Self::Superseded => "superseded",
            Self::Used => "used",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::NotAsked => "not_asked",
            Self::MembershipInactive => "membership_inactive",
            Self::BindingMismatch => "binding_mismatch",
        }
    }

    pub(crate) fn from_cause(cause: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.cause() == cause)
    }
}

/// A login that is allowed, now and here. Only a store can make one, out of its one atomic step.
#[derive(Debug, Clone)]
pub struct Redeemed {
    pub(crate) id: HandoffId,
    pub(crate) member: Member,
    pub(crate) details: Details,
    pub(crate) epoch: String,
}

impl Redeemed {
    /// Which handoff.
    pub const fn id(&self) -> HandoffId {
        self.id
    }

    /// Who comes in.
    pub const fn member(&self) -> &Member {
        &self.member
    }

    /// What the panel asked for.
    pub const fn details(&self) -> &Details {
        &self.details
    }

    /// The store's epoch, of which the member's position is.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }
}

/// Whom a redemption would let in, now and here: enough to ask "continue as …?", and nothing to log in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Which handoff.
    pub id: HandoffId,
    /// Who would come in.
    pub subject: Subject,
    /// Their name for people.
    pub display_name: String,
    /// Who acts for them.
    pub actor: Option<OnBehalf>,
}

impl From<Redeemed> for Preview {
    fn from(Redeemed { id, member, details, epoch: _ }: Redeemed) -> Self {
        let display_name = member.wanted.display_name;
        Self { id, subject: member.subject, display_name, actor: details.actor }
    }
}

/// What came of redeeming.
#[derive(Debug, Clone)]
pub enum Redemption {
    /// Spent now, by this attempt. Of any number of racers exactly one gets this.
    Redeemed(Box<Redeemed>),
    /// Spent before by this very attempt: the same answer again.
    Repeated(Box<Redeemed>),
    /// It would be redeemed or repeated, were it not a preview. Nothing spent.
    Previewed(Box<Preview>),
    /// Not redeemed, and nothing spent.
    Refused(Refusal),
    /// It would let nobody in, and was tried too often to be looked at further. Nothing spent.
    Limited(Limited),
}

/// What WordPress did with a redeemed handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// A session was made.
    LoggedIn {
        /// For this WordPress user.
        wordpress_user_id: u64,
        /// Whether the user was made by this login.
        #[serde(default)]
        created: bool,
    },
    /// No session was made.
    Failed {
        /// Why, as the plugin names it.
        code: String,
        /// The WordPress user in question, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wordpress_user_id: Option<u64>,
    },
}

impl Outcome {
    /// What the trail calls it, with the cause of a failure.
    pub(crate) fn event(&self) -> (EventKind, &str) {
        match self {
            Self::LoggedIn { .. } => (EventKind::HandoffLoggedIn, ""),
            Self::Failed { code, .. } => (EventKind::HandoffLoginFailed, code),
        }
    }
}

/// Where a handoff stands, for the panel to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waiting to be redeemed.
    Issued,
    /// Redeemed; WordPress has not reported yet.
    Redeemed,
    /// The customer is in.
    LoggedIn,
    /// WordPress made no session of it.
    Refused,
    /// Nobody came in time.
    Expired,
    /// Taken back.
    Revoked,
}

/// A handoff as kept.
#[derive(Debug, Clone)]
pub struct Handoff {
    /// Which.
    pub id: HandoffId,
    /// For whom.
    pub subject: Subject,
    /// When.
    pub issued_at: Timestamp,
    /// The token's `exp`.
    pub expires_at: Timestamp,
    /// When it was redeemed.
    pub redeemed_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Who acts for the customer.
    pub actor: Option<OnBehalf>,
    /// What WordPress did.
    pub outcome: Option<Outcome>,
}

impl Handoff {
    /// Counts it as revoked if everything issued up to `not_before` is, or if its key is.
    pub(crate) fn voided_by(&mut self, not_before: Option<Timestamp>, key_revoked_at: Option<Timestamp>) {
        let voided = not_before.filter(|limit| self.issued_at <= *limit);
        self.revoked_at = self.revoked_at.or(voided).or(key_revoked_at);
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> State {
        match (&self.outcome, self.redeemed_at, self.revoked_at) {
            (Some(Outcome::LoggedIn { .. }), _, _) => State::LoggedIn,
            (Some(Outcome::Failed { .. }), _, _) => State::Refused,
            (None, Some(_), _) => State::Redeemed,
            (None, None, Some(_)) => State::Revoked,
            (None, None, None) if now >= self.expires_at.plus(LEEWAY) => State::Expired,
            (None, None, None) => State::Issued,
        }
    }
}

/// What came of revoking.
#[derive(Debug, Clone)]
pub enum Revocation {
    /// Revoked, now or before.
    Revoked(Handoff),
    /// Too late: it is redeemed. Ending the session is another call.
    AlreadyRedeemed(Handoff),
    /// There is no such handoff (any more).
    NotFound,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_outlives_every_moment_its_token_could_be_let_through() {
        assert!(RECORD_RETENTION > LEEWAY + ATTEMPT_WINDOW);
    }

    #[test]
    fn every_refusal_has_a_cause_of_its_own() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_cause(refusal.cause()), Some(refusal));
        }
    }
}
