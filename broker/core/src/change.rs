//! What WordPress follows: every change of a site's members has a position, the site pulls what lies behind its cursor,
//! makes it so, and acknowledges each.
//!
//! A member's *revision* is the position of the last change of what the panel wants. Its *position* is that of the last
//! thing that WordPress is to do about it, which may also be to end sessions, to report them, or to try again.
//!
//! Positions are only comparable within an *epoch*, which is the store's primary: after a restored backup or a failover
//! the same position may be another change, and the site begins anew.
//!
//! A store that is put back as it was (a copy of its file, a snapshot of its machine) keeps its epoch. So it keeps with
//! each site the largest cursor that it gave it: one beyond that it gave on a timeline that it has left since.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::event::EventKind;
use crate::id::{HandoffId, InvalidId, Subject};
use crate::limit::{Bucket, Counted, Rate};
use crate::member::Wanted;

/// The most changes of one page, and acknowledgements of one call.
pub const PAGE: usize = 100;

/// The most sessions that a site reports of one member, the newest.
pub const MAX_SESSIONS: usize = 50;

/// Some changes of a site, in the order of their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Of which the positions are.
    pub epoch: String,
    /// Whether this begins at the beginning although a cursor was given, because that was of another epoch or timeline
    /// (or is none of this one: beyond its end).
    pub resync: bool,
    /// The changes.
    pub members: Vec<Change>,
    /// The cursor to go on from.
    pub next: u64,
    /// Whether to do so at once.
    pub more: bool,
}

/// One member as WordPress should have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whom.
    pub subject: Subject,
    /// What is acknowledged.
    pub position: u64,
    /// What the panel wants, and its revision; `None` when it removed the member.
    pub wanted: Option<Wanted>,
    /// The position of the last change of `wanted`.
    pub revision: u64,
    /// How often the panel has ended all sessions. When the site has seen fewer, it ends them.
    pub sessions_ended: u64,
    /// Whether the acknowledgement should tell the sessions.
    pub report_sessions: bool,
}

/// What a site says that it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// For whom.
    pub subject: Subject,
    /// Up to which position. One that is no longer the member's is of no interest: a newer change is on its way.
    pub position: u64,
    /// What came of it.
    pub applied: Applied,
    /// The sessions, if they were asked for.
    pub sessions: Option<Vec<Session>>,
}

/// What came of a change in WordPress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// WordPress is as the panel wants it.
    Synced {
        /// The user's number; none if there is no such user (any more).
        wordpress_user_id: Option<u64>,
    },
    /// It is not, and stays as it was.
    Failed(SyncError),
}

impl Applied {
    /// What the trail calls it, with the cause of a failure. Not in the site's words: who is meant may stand in them, and a
    /// trail is kept for long.
    pub(crate) fn event(&self) -> (EventKind, &str) {
        match self {
            Self::Synced { .. } => (EventKind::MemberSynced, ""),
            Self::Failed(error) => (EventKind::MemberSyncFailed, &error.code),
        }
    }

    /// The WordPress user's number, if it says one.
    pub(crate) const fn wordpress_user_id(&self) -> Option<u64> {
        match self {
            Self::Synced { wordpress_user_id } => *wordpress_user_id,
            Self::Failed(_) => None,
        }
    }

    pub(crate) const fn error(&self) -> Option<&SyncError> {
        match self {
            Self::Synced { .. } => None,
            Self::Failed(error) => Some(error),
        }
    }
}

/// The bucket of a site's [`SECOND_THOUGHTS`].
pub(crate) fn second_thoughts() -> Counted {
    Counted { bucket: Bucket::Site, name: Some("second-thoughts".to_owned()), rate: SECOND_THOUGHTS }
}

/// Why WordPress does not follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncError {
    /// One of the causes that a site gives, such as `email_taken`.
    pub code: String,
    /// In words.
    pub message: String,
}

impl SyncError {
    /// The longest message, in characters.
    pub const MAX_MESSAGE: usize = 200;
    /// The longest code, in bytes.
    pub const MAX_CODE: usize = 40;
    /// What a site gives as a cause; any other is [`INTERNAL`](Self::INTERNAL) here.
    pub const CODES: [&'static str; 9] = [
        "email_taken",
        "username_taken",
        "email_invalid",
        "role_not_allowed",
        "account_privileged",
        "account_not_on_blog",
        "account_blocked",
        "switched_off",
        Self::INTERNAL,
    ];
    /// WordPress itself failed, or nobody knows better.
    pub const INTERNAL: &'static str = "internal";
}

/// Where WordPress stands with one member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Following {
    /// The last position for WordPress.
    pub position: u64,
    /// The last of those that was for more than to report sessions.
    pub effect: u64,
    /// The last position that was acknowledged.
    pub acknowledged: u64,
    /// When it was acknowledged.
    pub at: Option<Timestamp>,
    /// The WordPress user's number, once known.
    pub wordpress_user_id: Option<u64>,
    /// Why the acknowledged position failed.
    pub error: Option<SyncError>,
}

/// Where WordPress stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// As the panel wants it.
    Synced,
    /// It has not said anything of the last change yet.
    Pending,
    /// It refused the last change.
    Failed,
}

impl SyncState {
    /// As written in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for SyncState {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let all = [Self::Synced, Self::Pending, Self::Failed];
        let known = all.into_iter().find(|state| state.as_str() == text);
        known.ok_or(InvalidId { expected: "synced, pending or failed" })
    }
}

impl Following {
    /// In a word. That a report of sessions is asked for changes nothing about it.
    pub const fn state(&self) -> SyncState {
        if self.acknowledged < self.effect {
            SyncState::Pending
        } else if self.error.is_some() {
            SyncState::Failed
        } else {
            SyncState::Synced
        }
    }
}

/// A session in WordPress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Names it among the user's, and opens nothing: 16 hexadecimal digits of its verifier's hash.
    pub id: String,
    /// When it began, by the site's clock.
    pub started_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// From where.
    pub client_ip: Option<std::net::IpAddr>,
    /// With which browser.
    pub user_agent: String,
    /// By which handoff; `None` by a password or otherwise.
    pub handoff_id: Option<HandoffId>,
    /// Whether somebody of the panel's staff acts in it for the customer.
    pub on_behalf: bool,
}

/// For how long a reported list of sessions is kept.
pub const REPORT_RETENTION: Duration = Duration::from_secs(60);

/// How often it is written that a site has pulled when there was nothing new.
pub(crate) const PULLED_EVERY: Duration = Duration::from_secs(60);

/// How often a minute a site may change its mind about a position that it has acknowledged, with the trail told of each.
/// The first word on a position is always told: there are no more of them than the panel makes changes.
pub(crate) const SECOND_THOUGHTS: Rate = Rate::per_minute(60);

/// What came of acknowledging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// Kept, as far as they were about the members' positions of now.
    Kept {
        /// How many were.
        kept: usize,
    },
    /// None kept: they are of another epoch.
    OtherEpoch,
    /// There is no such site (any more).
    SiteNotFound,
}

/// How it stands with telling a site that there is something to pull.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Delivery {
    /// When the site last pulled.
    pub pulled_at: Option<Timestamp>,
    /// Since when no poke comes through.
    pub failing_since: Option<Timestamp>,
    /// Why the last one did not.
    pub error: Option<String>,
    /// When the next one is due.
    pub next_try_at: Option<Timestamp>,
}

/// How far a site has followed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// The last position on this site.
    pub position: u64,
    /// Up to which the site has pulled: its cursor when it last asked. Less in another epoch: then 0.
    pub pulled: u64,
    /// How it is told.
    pub delivery: Delivery,
}
